/** Programs in processes of their own: those that take turns, and whole benchmarks that print one JSON object. */
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { fromRoot } from './results.js';

/** A child process that answers one message with another, until it is disposed of. */
export interface Child<Request, Reply> extends Disposable {
  ask(request: Request): Promise<Reply>;
}

/**
 * @param program below `bench/`, such as `floor/multiplier`
 * @param group `cgroup.procs` of the control group that it runs in from its first instruction on
 */
export function startChild<Request, Reply>(
  program: string,
  { group }: { readonly group?: string } = {},
): Child<Request, Reply> {
  const inGroup = { execPath: 'sh', execArgv: ['-c', `echo $$ > "$0"; exec "${process.execPath}" "$@"`, group ?? ''] };
  const child = fork(new URL(`../${program}.js`, import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    ...(group !== undefined && inGroup),
  });
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`${program} ended with ${String(code)}`);
  });
  failed.catch(() => undefined);
  return {
    async ask(request) {
      const reply = once(child, 'message').then(([message]) => message as Reply);
      child.send(request as object);
      return Promise.race([reply, failed]);
    },
    [Symbol.dispose]: () => child.disconnect(),
  };
}

/** The other side: answers every request. */
export function answer<Request, Reply>(work: (request: Request) => Reply | Promise<Reply>): void {
  process.on('message', async (request) => {
    process.send?.(await work(request as Request));
  });
}

/** The JSON object that a benchmark prints last, from a fresh process. */
export async function jsonOf<T>(program: string, args: readonly string[]): Promise<T> {
  const file = fromRoot(`dist/bench/${program}.js`);
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args, '--json'], { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as T;
}

/** Bytes that the process has held at most. */
export const peakRssBytes = (): number => process.resourceUsage().maxRSS * 1024;
