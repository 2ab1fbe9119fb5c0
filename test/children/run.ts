import { execFile } from 'node:child_process';

const dist = (file: string): string => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that has not ended by then hangs. */
const HANGS_AFTER = 50_000;

/** Runs a command to its end; a process that hangs is killed, and has a signal in place of a code. */
export function run(command: string, args: readonly string[], timeout = HANGS_AFTER): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { timeout, killSignal: 'SIGKILL' }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
  });
}

/**
 * Data and options that keep two threads at work for far longer than any test waits. No loop of JavaScript makes them:
 * Node 20 may abort when a worker ends while V8 still compiles one that has become hot.
 */
const LONG = `
  const samples = 4000;
  const layers = [100, 200, 10];
  const X = new Uint8Array(Buffer.alloc(samples * layers[0], 'any text will do as long as its length is odd, as here'));
  const LABELS = new Uint8Array(Buffer.alloc(samples, Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])));
  const DATA = { x: X, labels: LABELS };
  const OPTIONS = { layers, iterations: 1e6, threads: 2, nu: 1, rho: 1, initialisation: { gaussian: 0 } };
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const threads = () => Number(/Threads:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
`;

const PRELUDE = `
  import { getEventListeners } from 'node:events';
  import { readFileSync } from 'node:fs';
  import { stat } from 'node:fs/promises';
  import { parentPort, Worker } from 'node:worker_threads';
  import { Model, fit, train } from ${dist('index.js')};
  import { layered, W } from ${dist('solvers.js')};
  ${LONG}
`;

/** A module with the package, a long training and a few tools at hand; `spawn(body)` makes a worker of the same kind. */
const program = (body: string): string => `
  ${PRELUDE}
  const spawn = (body) =>
    new Worker(new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(PRELUDE)} + body)));
  const exitOf = (worker) => new Promise((resolve) => worker.once('exit', resolve));
  const messageOf = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  ${body}
`;

/** Runs a program in a process of its own. */
export const runProgram = (body: string, ...flags: readonly string[]): Promise<Outcome> =>
  run(process.execPath, [...flags, '--input-type=module', '--eval', program(body)]);
