/** What one process of many is told, and what it shows: rank 0 alone prints and writes. */
import { onAbort } from '../core/abort.js';
import { refused } from '../core/errors.js';
import { joinRanks, ranksHere } from '../core/ranks.js';
import { interruptionOf } from './interruption.js';
import type { Terminal } from './terminal.js';

/** Where a command runs, and how its work is done: by all ranks or none. */
export interface Place<Flags> {
  readonly flags: Flags;
  readonly terminal: Terminal;
  alike<T>(work: () => Promise<T>): Promise<T>;
}

/** What belongs to one process alone. */
const ALONE = ['graph', 'trace'] as const;

/** What is written once. */
const OUTPUTS: readonly string[] = ['save', 'report', 'runs', 'live', 'json'];

/** The place of this process. @throws DlAdmmError ERR_DLADMM_RANKS where there is no MPI, ERR_DLADMM_ARGUMENT */
export async function placeOf<Flags extends Readonly<Partial<Record<(typeof ALONE)[number], unknown>>>>(
  flags: Flags,
  terminal: Terminal,
): Promise<Place<Flags>> {
  const odd = ALONE.find((flag) => flags[flag] !== undefined);
  if (odd) throw refused(`Expected no --${odd} with --distributed`);
  const ranks = await joinRanks();
  const { signal } = terminal;
  onAbort(signal, () => {
    const { why = '', exitCode = 1 } = interruptionOf(signal) ?? {};
    // Others may wait for this one within a sweep, so that there is no good end.
    if (!why.startsWith('SIG')) return;
    // Before a training it most often is the launcher, ending all since one could not begin: that one has the word.
    if (ranks.rank > 0 && !ranks.busy) ranks.leave(exitCode);
    ranks.end(`rank ${ranks.rank} was ended by ${why}`, exitCode);
  });
  const alike: Place<Flags>['alike'] = (work) => ranks.together(work);
  if (ranks.rank === 0) return { flags, terminal, alike };
  const own = Object.entries(flags).filter(([name]) => !OUTPUTS.includes(name));
  const silent = { ...terminal, live: false, out: async () => undefined, err: () => undefined };
  return { flags: { ...(Object.fromEntries(own) as Flags), quiet: true }, terminal: silent, alike };
}

/** Whether another process of a distributed training has the word. */
export const othersTell = (words: readonly string[], { OMPI_COMM_WORLD_RANK, PMI_RANK }: NodeJS.ProcessEnv): boolean =>
  words.includes('--distributed') && Number(ranksHere()?.rank ?? OMPI_COMM_WORLD_RANK ?? PMI_RANK ?? 0) > 0;
