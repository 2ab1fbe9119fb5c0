import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DlAdmmError } from '../core/errors.js';
import { type AnySolver, checkSolver } from '../solvers/shared/descriptor.js';
import { isSolverFile } from './solver-flags.js';

/** What follows `--solver` among some arguments. */
function solverIn(args: readonly string[]): string | undefined {
  const at = args.findIndex((arg) => arg === '--solver' || arg.startsWith('--solver='));
  if (at < 0) return undefined;
  return args[at]?.startsWith('--solver=') ? args[at].slice('--solver='.length) : args[at + 1];
}

/**
 * The solver of the user's own that the arguments name by its file, which exports it as the default. It has to be known
 * before the arguments are read: its options are flags, too.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE where the file cannot be loaded, ERR_DLADMM_ARGUMENT where it exports no solver
 */
export async function ownSolver(args: readonly string[]): Promise<readonly AnySolver[]> {
  const file = solverIn(args);
  if (file === undefined || !isSolverFile(file)) return [];
  const module = (await import(pathToFileURL(resolve(file)).href).catch((cause: unknown) => {
    throw new DlAdmmError('ERR_DLADMM_FILE', `Could not load the solver ${file}: ${String(cause)}`, { cause });
  })) as { readonly default?: unknown };
  checkSolver(module.default, `the default export of ${file}`);
  return [module.default];
}
