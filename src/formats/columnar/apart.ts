/**
 * Parsers of others work in a process of their own: what hangs is ended, and what runs out of memory ends alone (a thread that
 * does would take the whole process with it). Where no process can be started, as in a bundle of one file or without the
 * permission, they work here, a step at a time, each within the same limit of time.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onAbort, throwIfAborted } from '../../core/abort.js';
import { DlAdmmError, type ErrorCode } from '../../core/errors.js';
import { packageVersion } from '../../core/package.js';
import { type ColumnarFormat, type DecodedFile, loadDecoder, openDecoded } from './decoders.js';
import type { ColumnarFile, ColumnPart } from './file.js';

/** What a process is asked, one thing after the other. */
export type Request =
  | { readonly do: 'take'; readonly bytes: Uint8Array; readonly at: number; readonly length: number }
  | { readonly do: 'open'; readonly format: ColumnarFormat; readonly name: string }
  | { readonly do: 'parts'; readonly columns: readonly number[] }
  | { readonly do: 'next' }
  | { readonly do: 'close' };

export type Reply =
  | { readonly is: 'ready'; readonly version: string }
  | { readonly is: 'done' }
  | { readonly is: 'open'; readonly rows: number; readonly columns: DecodedFile['columns'] }
  | { readonly is: 'part'; readonly part: ColumnPart }
  | { readonly is: 'error' | 'ended'; readonly code: ErrorCode; readonly message: string };

const MIB = 2 ** 20;
/** Bytes are handed over in pieces, so that no turn of the event loop takes long. */
const PIECE = MIB / 4;
const LEAST_HEAP = 512 * MIB;
const HEAP_PER_BYTE = 16;
const MOST_HEAP = 4096 * MIB;
const START_MS = 30_000;
/** So long a process without work is kept. */
const IDLE_MS = 10_000;

const heapFor = (bytes: number): number => Math.min(MOST_HEAP, Math.max(LEAST_HEAP, HEAP_PER_BYTE * bytes));

interface Helper {
  readonly heap: number;
  readonly child: ChildProcess;
  readonly ask: (request: Request) => Promise<Reply>;
  idle?: NodeJS.Timeout;
}

/** The program of such a process; undefined in a bundle. */
function program(): string | undefined {
  try {
    const file = fileURLToPath(new URL(/* webpackIgnore: true */ './decoding-process.js', import.meta.url));
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

const died = (signal: string | null, code: number | null, heap: number): Reply => {
  const killed = signal === 'SIGKILL';
  const memory = killed || signal === 'SIGABRT' || code === 134;
  const limit = killed
    ? 'as a system ends what takes too much memory'
    : `it took more than ${heap / MIB} MiB of memory`;
  const why = `${limit}; a whole file of that kind is written in smaller groups of rows`;
  return {
    is: 'ended',
    code: memory ? 'ERR_DLADMM_MEMORY' : 'ERR_DLADMM_NATIVE',
    message: `the process that read it ended (${signal ?? `exit code ${code}`})${memory ? `: ${why}` : ''}`,
  };
};

/** The next thing that a process says, or how it ended. */
function reply(child: ChildProcess, heap: number): Promise<Reply> {
  return new Promise((resolve) => {
    const settle = (answer: Reply): void => {
      child.off('message', heard).off('exit', ended);
      resolve(answer);
    };
    const heard = (message: unknown): void => settle(message as Reply);
    const ended = (code: number | null, signal: string | null): void => settle(died(signal, code, heap));
    child.on('message', heard).on('exit', ended);
    if (child.exitCode !== null || child.signalCode !== null) ended(child.exitCode, child.signalCode);
  });
}

async function start(heap: number): Promise<Helper | undefined> {
  const file = program();
  if (file === undefined) return undefined;
  try {
    const child = fork(file, [], {
      cwd: dirname(file),
      execArgv: [`--max-old-space-size=${heap / MIB}`],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    // What cannot be started emits this alone, and a channel that breaks before the process ends.
    const failed = new Promise<undefined>((resolve) => void child.on('error', () => resolve(undefined)));
    const late = setTimeout(() => child.kill('SIGKILL'), START_MS);
    const first = await Promise.race([reply(child, heap), failed]);
    clearTimeout(late);
    if (first?.is === 'ready' && first.version === packageVersion()) {
      const ask = (request: Request): Promise<Reply> => {
        const answer = reply(child, heap);
        if (child.connected) child.send(request);
        return answer;
      };
      return { heap, child, ask };
    }
    child.kill('SIGKILL');
  } catch {
    // No permission, no memory, no more processes: the work is done here.
  }
  return undefined;
}

const resting: Helper[] = [];
const waiting: (() => void)[] = [];
let places = availableParallelism();

/** Waits until one of those before is done, or nobody wants it any more. */
function turnOf(signal: AbortSignal | undefined, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => {
      waiting.splice(waiting.indexOf(go), 1);
      reject(new DlAdmmError('ERR_DLADMM_ABORTED', `Reading ${name} was aborted`, { cause: signal?.reason }));
    });
    const go = (): void => {
      forget();
      resolve();
    };
    waiting.push(go);
  });
}

/** A process for so much memory: one that rests, or a new one. So many work at a time as there are processors. */
async function acquire(heap: number, signal: AbortSignal | undefined, name: string): Promise<Helper | undefined> {
  throwIfAborted(signal, `Reading ${name}`);
  if (places === 0) await turnOf(signal, name);
  else places -= 1;
  for (let helper = resting.pop(); helper !== undefined; helper = resting.pop()) {
    clearTimeout(helper.idle);
    if (helper.heap < heap || !helper.child.connected) {
      helper.child.kill('SIGKILL');
      continue;
    }
    helper.child.ref();
    helper.child.channel?.ref?.();
    return helper;
  }
  return start(heap);
}

/** Gives back a place and, where it is fit for more, the process. */
function release(helper: Helper | undefined, fit: boolean): void {
  const next = waiting.shift();
  if (next) next();
  else places += 1;
  if (helper === undefined) return;
  const { child } = helper;
  child.unref();
  child.channel?.unref?.();
  if (!fit || helper.heap > LEAST_HEAP) {
    child.kill('SIGKILL');
    return;
  }
  helper.idle = setTimeout(() => child.kill('SIGKILL'), IDLE_MS).unref();
  resting.push(helper);
}

/** A file that is decoded in this thread; `least`, as for `openDecoded`. */
export async function openHere(
  format: ColumnarFormat,
  bytes: Uint8Array,
  name: string,
  least?: number,
): Promise<ColumnarFile> {
  const { parts, ...file } = openDecoded(format, await loadDecoder(format, name), bytes, name, least);
  return {
    ...file,
    async *parts(columns) {
      const iterator = parts(columns);
      for (let next = iterator.next(); !next.done; next = iterator.next()) {
        yield next.value;
        await nextTurn();
      }
    },
  };
}

async function openThere(
  ask: (request: Request) => Promise<Reply>,
  format: ColumnarFormat,
  bytes: Uint8Array,
  name: string,
): Promise<ColumnarFile> {
  for (let at = 0; at < bytes.length; at += PIECE) {
    await ask({ do: 'take', bytes: bytes.subarray(at, at + PIECE), at, length: bytes.length });
  }
  const opened = await ask({ do: 'open', format, name });
  if (opened.is !== 'open') throw new DlAdmmError('ERR_DLADMM_NATIVE', `${name}: the process that read it is confused`);
  return {
    rows: opened.rows,
    columns: opened.columns,
    async *parts(columns) {
      await ask({ do: 'parts', columns });
      for (let next = await ask({ do: 'next' }); next.is === 'part'; next = await ask({ do: 'next' })) yield next.part;
    },
  };
}

/**
 * Opens a file that is stored by column, for as long as `use` works on it.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT for a damaged file; ERR_DLADMM_MEMORY where reading it takes too much memory;
 *   ERR_DLADMM_FILE where a package is missing; ERR_DLADMM_ABORTED
 */
export async function withColumnarFile<T>(
  format: ColumnarFormat,
  bytes: Uint8Array,
  name: string,
  signal: AbortSignal | undefined,
  use: (file: ColumnarFile) => Promise<T>,
): Promise<T> {
  const helper = await acquire(heapFor(bytes.length), signal, name);
  const forget = onAbort(signal, () => helper?.child.kill('SIGKILL'));
  try {
    throwIfAborted(signal, `Reading ${name}`);
    if (helper === undefined) return await use(await openHere(format, bytes, name));
    const ask = async (request: Request): Promise<Reply> => {
      const answer = await helper.ask(request);
      throwIfAborted(signal, `Reading ${name}`);
      if (answer.is === 'error') throw new DlAdmmError(answer.code, answer.message);
      if (answer.is === 'ended') throw new DlAdmmError(answer.code, `${name}: ${answer.message}`);
      return answer;
    };
    return await use(await openThere(ask, format, bytes, name));
  } finally {
    forget();
    const answer = await helper?.ask({ do: 'close' });
    release(helper, answer?.is === 'done');
  }
}
