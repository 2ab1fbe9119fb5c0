import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DlAdmmError, messageOf } from '../core/errors.js';
import { GRAPH_SOLVERS, SAMPLE_SOLVERS } from '../solvers/index.js';
import { type AnySolver, checkSolver } from '../solvers/shared/descriptor.js';
import { isSolverFile } from './solver-flags.js';

/** The solvers that there are, and the one that came in a file. */
export interface Solvers {
  readonly known: readonly AnySolver[];
  readonly own?: AnySolver;
  /** Whether help shows all options: where it is asked for, and of one solver. */
  readonly everything: boolean;
}

/** Arguments that ask for help, in the one form that there is: `help train` and `train --help all`. */
export function plainHelp(args: readonly string[]): { readonly args: readonly string[]; readonly everything: boolean } {
  const [first, command, topic] = args;
  const plain =
    first === 'help' && command !== undefined && args.length < 4
      ? [command, '--help', ...(topic ? [topic] : [])]
      : args;
  const at = plain.findIndex((arg, i) => plain[i - 1] === '--help' && arg === 'all');
  return at < 0 ? { args: plain, everything: false } : { args: plain.toSpliced(at, 1), everything: true };
}

function solverIn(args: readonly string[]): string | undefined {
  const at = args.findIndex((arg) => arg === '--solver' || arg.startsWith('--solver='));
  if (at < 0) return undefined;
  return args[at]?.startsWith('--solver=') ? args[at].slice('--solver='.length) : args[at + 1];
}

/**
 * The solvers that some arguments can be about. A file that follows `--solver` has one of the user's own as its default
 * export, which has to be known before the arguments are read: its options are flags, too. With a name and `--help` there
 * is help for the solver of that name.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE where the file cannot be loaded, ERR_DLADMM_ARGUMENT where it exports no solver
 */
export async function solversFor(args: readonly string[], all: boolean): Promise<Solvers> {
  const known: readonly AnySolver[] = [...SAMPLE_SOLVERS, ...GRAPH_SOLVERS];
  const asked = solverIn(args);
  const alone = args.includes('--help') || args.includes('-h');
  const everything = all || asked !== undefined;
  if (asked === undefined) return { known, everything };
  if (!isSolverFile(asked)) {
    const named = known.filter(({ name }) => name === asked);
    return { known: alone && named.length > 0 ? named : known, everything };
  }
  const module = (await import(pathToFileURL(resolve(asked)).href).catch((cause: unknown) => {
    throw new DlAdmmError('ERR_DLADMM_FILE', `Could not load the solver ${asked}: ${messageOf(cause)}`, { cause });
  })) as { readonly default?: unknown };
  const own: unknown = module.default;
  checkSolver(own, `the default export of ${asked}`);
  return { known: alone ? [own] : [...known, own], own, everything };
}
