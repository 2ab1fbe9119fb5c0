import { createHash } from 'node:crypto';
import { type FileHandle, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onAbort, throwIfAborted } from '../core/abort.js';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import { fileError, replaceFile, writePiece } from '../formats/atomic-file.js';
import {
  type Complete,
  callbackOption,
  type OptionsOf,
  readOptions,
  type Schema,
  signalOption,
  whole,
} from '../network/schema.js';

/** What `download` accepts besides what to fetch, where to, and its checksum. */
export const DOWNLOAD = {
  length: whole(
    0,
    {
      otherwise: 'as the answer tells',
      unit: 'bytes',
      says: 'The length of the file, where it is known: a longer answer is cut off, not stored.',
    },
    Number.MAX_SAFE_INTEGER,
  ),
  // Timers count in 32 bits: anything longer would fire at once.
  timeout: whole(1, { default: 60_000, unit: 'ms', says: 'Gives up after so long without a byte.' }, 2 ** 31 - 1),
  fetch: callbackOption<typeof fetch>('function as fetch', 'Stands in for the fetch of Node.'),
  onBytes: callbackOption<(done: number, all?: number) => void>(
    'function of two numbers',
    'Told how many bytes have come, and of how many, where that is known.',
  ),
  signal: signalOption('Ends the download, which rejects with ERR_DLADMM_ABORTED.'),
} as const satisfies Schema;

/** What `download` accepts besides what to fetch, where to, and its checksum. */
export type DownloadOptions = OptionsOf<typeof DOWNLOAD>;

const failed = (url: string, message: string, cause?: unknown): DlAdmmError =>
  new DlAdmmError(
    'ERR_DLADMM_DOWNLOAD',
    `Downloading ${url} failed: ${message}`,
    cause === undefined ? undefined : { cause },
  );

/** What fetch itself says is only "fetch failed" or "terminated"; the reason is the cause. */
function reason(error: unknown): string {
  const cause = typeof error === 'object' && error !== null && 'cause' in error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : `${messageOf(error)} (${messageOf(cause)})`;
}

/** An AbortSignal that fires when `outer` does, or after `timeout` ms in which `alive` was not called. */
function watchdog(outer: AbortSignal | undefined, timeout: number) {
  const controller = new AbortController();
  const forget = onAbort(outer, () => controller.abort(outer?.reason));
  const timer = setTimeout(() => controller.abort(new Error(`not a byte came for ${timeout} ms`)), timeout);
  return {
    signal: controller.signal,
    alive: () => void timer.refresh(),
    end: () => {
      clearTimeout(timer);
      forget();
    },
  };
}

/** The length the server promises for the bytes we shall see, or undefined where they are re-coded on the way. */
function promisedLength(response: Response): number | undefined {
  const length = response.headers.get('content-length');
  const coded = response.headers.get('content-encoding');
  return length === null || (coded !== null && coded !== 'identity') ? undefined : Number(length);
}

async function receive(
  url: string,
  sha256: string,
  file: FileHandle,
  target: string,
  options: Complete<typeof DOWNLOAD>,
): Promise<void> {
  const { signal, alive, end } = watchdog(options.signal, options.timeout);
  try {
    const response = await (options.fetch ?? fetch)(url, { signal, headers: { 'accept-encoding': 'identity' } });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      const from = response.redirected ? ` from ${response.url}` : '';
      throw failed(url, `expected the file but received HTTP ${response.status} ${response.statusText}${from}`);
    }
    const length = options.length ?? promisedLength(response);
    const hash = createHash('sha256');
    let received = 0;
    for await (const chunk of response.body) {
      alive();
      received += chunk.length;
      if (length !== undefined && received > length)
        throw failed(url, `expected ${length} bytes but received more than that`);
      options.onBytes?.(received, length);
      hash.update(chunk);
      await writePiece(file, chunk, target);
    }
    if (length !== undefined && received !== length)
      throw failed(url, `expected ${length} bytes but received ${received}`);
    const digest = hash.digest('hex');
    if (digest !== sha256)
      throw failed(url, `expected the SHA-256 ${sha256} but the ${received} bytes received have ${digest}`);
  } catch (error) {
    throwIfAborted(options.signal, `Downloading ${url}`);
    if (error instanceof DlAdmmError) throw error;
    const why = signal.aborted ? reason(signal.reason) : reason(error);
    throw failed(url, `expected the file but ${why}`, error);
  } finally {
    end();
  }
}

function checkArguments(url: string, sha256: string): void {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw expected('an http(s) address', 'url', url);
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw expected('64 lowercase hexadecimal digits', 'sha256', sha256);
}

/**
 * Downloads `url` to the file `target`, following redirects. The bytes go to a temporary file beside it and are hashed
 * on the way; only when length and SHA-256 are right does the temporary file take the target's name, in one step.
 * Otherwise it is removed: `target` is either what it was before, or complete and right.
 *
 * @param sha256 64 lowercase hexadecimal digits
 * @throws ERR_DLADMM_DOWNLOAD for an HTTP error, a cut connection, silence, or a wrong length or checksum;
 *   ERR_DLADMM_FILE if the file cannot be written; ERR_DLADMM_ABORTED
 */
export async function download(
  url: string,
  target: string,
  sha256: string,
  options: DownloadOptions = {},
): Promise<void> {
  checkArguments(url, sha256);
  const rules = readOptions(DOWNLOAD, options);
  throwIfAborted(rules.signal, `Downloading ${url}`);
  await mkdir(dirname(target), { recursive: true }).catch((error: unknown) => {
    throw fileError('write', target, error);
  });
  await replaceFile(target, (file) => receive(url, sha256, file, target, rules));
}
