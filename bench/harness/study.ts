/**
 * Runs that a result file keeps, each as it ends: a call that was interrupted leaves what it had, and a later one of the same settings
 * goes on, unless it is to begin anew.
 */
import { checkWritable, earlier, keep, type Machine, machine } from './results.js';

export type Study<Head, Run> = Head & Machine & { readonly runs: readonly Run[] };

/** 1 … count: the seeds of a study. */
export const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Every combination of what the lists hold, the last one turning fastest. */
export const combinations = <T extends object>(lists: { readonly [K in keyof T]: readonly T[K][] }): readonly T[] =>
  Object.entries<readonly unknown[]>(lists).reduce<readonly object[]>(
    (all, [name, list]) => all.flatMap((each) => list.map((value) => ({ ...each, [name]: value }))),
    [{}],
  ) as readonly T[];

/** Whether the values that a key names are those of a run. */
const matches = (run: object, key: object): boolean =>
  Object.entries(key).every(([name, value]) => JSON.stringify(run[name as keyof object]) === JSON.stringify(value));

/** The study of a file: that of an earlier call where its head was the same, unless it is to begin anew. Without a file it is kept nowhere. */
export async function studyIn<Head extends object, Run extends object>(
  file: string | undefined,
  head: Head,
  threads: number,
  anew = false,
) {
  if (file !== undefined) await checkWritable(file);
  const found = anew || file === undefined ? undefined : await earlier<Study<Head, Run>>(file);
  let study: Study<Head, Run> =
    found !== undefined && matches(found, head) ? found : { ...head, ...machine(threads), runs: [] };
  return {
    now: () => study,
    find: (key: Partial<Run>): Run | undefined => study.runs.find((run) => matches(run, key)),
    /** Keeps a run in place of those of its key. */
    async put(key: Partial<Run>, run: Run): Promise<void> {
      study = { ...study, runs: [...study.runs.filter((other) => !matches(other, key)), run] };
      if (file !== undefined) await keep(file, study);
    },
  };
}
