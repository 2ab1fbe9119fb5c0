import { systemCode } from '../core/errors.js';
import type { Interruption } from './interruption.js';

/** Where a command reads its circumstances and writes its words. Results go to `out`, everything else to `err`. */
export interface Terminal {
  /** Aborted with an Interruption when the command should end. */
  readonly signal: AbortSignal;
  /** Whether a person sees `err` as it is written, so that a line may be written over. */
  readonly live: boolean;
  /** Whether `err` shows colours. */
  readonly colours: boolean;
  /** The width of a line of `err`. */
  columns(): number;
  /** Resolves when the text is on its way: a reader may be slower than we are. */
  out(text: string): Promise<void>;
  err(text: string): void;
}

/** What of `process` is needed here. */
export interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The terminal of a process. When the reader of its output is gone, or the disk under it is full, `controller` is aborted
 * and nothing more is written.
 */
export function openTerminal(process: Streams, controller: AbortController): Terminal {
  const { stdout, stderr, env } = process;
  // Some that build software give their jobs a terminal, and keep all that is written over in a log.
  const live = stderr.isTTY === true && env.TERM !== 'dumb' && !env.CI;
  let closed = false;
  stdout.on('error', (error) => {
    if (closed) return;
    closed = true;
    if (systemCode(error) === 'EPIPE') {
      controller.abort({ why: 'closed pipe', exitCode: 0 } satisfies Interruption);
    } else {
      stderr.write(`dladmm: could not write to the standard output: ${error.message}\n`);
      controller.abort({ why: 'failed output', exitCode: 1 } satisfies Interruption);
    }
  });
  // Nobody is left to be told.
  stderr.on('error', () => {});
  return {
    signal: controller.signal,
    live,
    colours: live && !env.NO_COLOR,
    columns: () => stderr.columns || 80,
    out: (text) => new Promise((resolve) => void (closed ? resolve() : stdout.write(text, () => resolve()))),
    err: (text) => void stderr.write(text),
  };
}
