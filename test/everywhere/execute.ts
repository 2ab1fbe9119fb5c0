import { execFile } from 'node:child_process';
import type { Outcome } from '../package/installation.js';

/** A process that has not ended by then hangs. */
const HANGS_AFTER = 280_000;

export function execute(command: string, args: readonly string[], options: object): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      { timeout: HANGS_AFTER, killSignal: 'SIGKILL', maxBuffer: 2 ** 26, ...options },
      (_, stdout, stderr) => resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
  });
}
