import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DlAdmmError } from '../../core/errors.js';
import { packageFolder } from '../../core/package.js';
import { interruptionOf } from '../interruption.js';
import type { Terminal } from '../terminal.js';

export type Benchmark = 'complexity';

/**
 * `dladmm bench …`: runs the program of that name with the arguments as they came, and ends as it ends.
 *
 * A child process, because nothing in here may import a benchmark (they import the package), and because a benchmark is
 * inside native work for seconds at a time, where only the end of its process stops it at once.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE where the program could not be started
 */
export async function benchCommand(
  benchmark: Benchmark,
  args: readonly string[],
  { signal }: Terminal,
): Promise<number> {
  const program = join(packageFolder(), 'dist', 'bench', `${benchmark}.js`);
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  const end = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', end, { once: true });
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null];
    return interruptionOf(signal)?.exitCode ?? exitCode ?? 1;
  } catch (cause) {
    throw new DlAdmmError('ERR_DLADMM_FILE', `Could not run ${program}: ${String(cause)}`, { cause });
  } finally {
    signal.removeEventListener('abort', end);
  }
}
