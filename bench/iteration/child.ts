import { fork } from 'node:child_process';
import { once } from 'node:events';

/** A child process that answers one message with another. */
export interface Child<Request, Reply> {
  ask(request: Request): Promise<Reply>;
  end(): void;
}

export function startChild<Request, Reply>(program: string): Child<Request, Reply> {
  const child = fork(new URL(program, import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
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
    end: () => child.disconnect(),
  };
}

/** The other side: answers every request. */
export function answer<Request, Reply>(work: (request: Request) => Reply | Promise<Reply>): void {
  process.on('message', async (request) => {
    process.send?.(await work(request as Request));
  });
}
