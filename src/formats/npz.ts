import { throwIfAborted } from '../core/abort.js';
import { checkOptions } from '../core/checks.js';
import { expected } from '../core/errors.js';
import { formatError } from './bytes.js';
import { type NpyArray, parseNpy } from './npy.js';
import { bytesReader, fileReader, reader } from './reader.js';
import { unzipEntry, zipEntries } from './zip.js';

const SUFFIX = '.npy';

/** What `readNpz` accepts besides the path. */
export interface NpzOptions {
  /** Read only these arrays; others may then be of types that are not understood. Default: all. */
  readonly keys?: readonly string[];
  readonly signal?: AbortSignal;
}

/** The names of the arrays in an NPZ archive, in the archive's order. */
export const npzKeys = reader((archive: Uint8Array, name: string): readonly string[] => {
  return zipEntries(archive, name)
    .filter((entry) => entry.name.endsWith(SUFFIX))
    .map((entry) => entry.name.slice(0, -SUFFIX.length));
}, 'npz');

function checkNpzOptions(options: NpzOptions): void {
  checkOptions(options, ['keys', 'signal']);
  const { keys } = options;
  if (keys !== undefined && !Array.isArray(keys)) throw expected('an array of names', 'options.keys', keys);
}

async function npzArrays(archive: Uint8Array, name: string, options: NpzOptions = {}): Promise<Map<string, NpyArray>> {
  checkNpzOptions(options);
  const { keys, signal } = options;
  const arrays = new Map<string, NpyArray>();
  const entries = zipEntries(archive, name);
  if (entries.length > 0 && !entries.some((entry) => entry.name.endsWith(SUFFIX)))
    throw formatError(
      name,
      `expected arrays (.npy) in the archive; it holds ${entries
        .map((entry) => entry.name)
        .slice(0, 20)
        .join(', ')}`,
    );
  for (const entry of entries) {
    if (!entry.name.endsWith(SUFFIX)) continue;
    const key = entry.name.slice(0, -SUFFIX.length);
    if (keys !== undefined && !keys.includes(key)) continue;
    throwIfAborted(signal, `Reading ${name}`);
    arrays.set(key, parseNpy(await unzipEntry(archive, entry, name), `${name}, array ${JSON.stringify(key)}`));
  }
  const missing = keys?.find((key) => !arrays.has(key));
  if (missing !== undefined)
    throw formatError(
      name,
      `expected an array ${JSON.stringify(missing)}; it holds ${npzKeys(archive, name).join(', ')}`,
    );
  return arrays;
}

/** As `readNpz`, for an archive in memory; `name` is how errors call it. */
export const parseNpz = bytesReader(npzArrays, 'npz');

/**
 * Reads the arrays of a NumPy NPZ archive (a zip of NPY files), packed or not, by name. Entries that are not NPY files
 * are passed over. Unpacking runs on libuv's threads.
 *
 * @throws ERR_DLADMM_FORMAT if the archive or an array is damaged (every CRC-32 is checked), holds objects or strings,
 *   or lacks one of `keys`; ERR_DLADMM_FILE, ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED
 */
export const readNpz = fileReader(parseNpz, checkNpzOptions, 'npz', 'gzip');
