import { median } from '../harness/statistics.js';
import { table } from '../harness/table.js';
import { type Outcome, REACHED, type Run } from './runs.js';

export interface Result extends Pick<Run, 'task' | 'solver' | 'row'> {
  /** In the list of runs, from 0. */
  readonly number: number;
  readonly outcomes: readonly Outcome[];
}

type Key = Pick<Run, 'task' | 'solver'> & { readonly varied: string };
export type Row = ReturnType<typeof rowsOf>[number];

/**
 * All runs that share a value of what varies, with how many reached {@link REACHED} and the best, middle and worst error, where a
 * divergence counts as infinite, which is `null`. One row a task, solver and value; those of one kind (β, λ, start …) stand together, in the order of their first run.
 */
export function rowsOf(results: readonly Omit<Result, 'number'>[]) {
  const kinds = new Map<string, Map<string, number[]>>();
  const keys = new Map<string, Key>();
  for (const { task, solver, row, outcomes } of results) {
    for (const varied of row) {
      const kind = [task, solver, varied.split(' ')[0]].join();
      const name = [task, solver, varied].join();
      const errors = kinds.get(kind) ?? new Map<string, number[]>();
      const own = outcomes.map(({ error }) => error ?? Number.POSITIVE_INFINITY);
      kinds.set(kind, errors.set(name, [...(errors.get(name) ?? []), ...own]));
      keys.set(name, { task, solver, varied });
    }
  }
  return [...kinds.values()].flatMap((group) =>
    [...group].map(([name, errors]) => {
      const key = keys.get(name) as Key;
      return {
        ...key,
        runs: errors.length,
        finite: errors.filter(Number.isFinite).length,
        reached: errors.filter((error) => error <= REACHED[key.task]).length,
        best: finite(Math.min(...errors)),
        median: finite(median(errors)),
        worst: finite(Math.max(...errors)),
      };
    }),
  );
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

const percent = (part: number, whole: number): string => `${Math.round((100 * part) / whole)} %`;

function shown(error: number | null, task: Run['task']): string {
  if (error === null) return 'diverged';
  return task === 'x2' ? error.toExponential(1) : `${(100 * error).toFixed(1)} %`;
}

export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ task, solver, varied, runs, finite, reached, ...errors }) => [
    task,
    solver,
    varied,
    String(runs),
    percent(finite, runs),
    percent(reached, runs),
    shown(errors.best, task),
    shown(errors.median, task),
    shown(errors.worst, task),
  ]);
  return table(['task', 'solver', 'varied', 'runs', 'finite', 'learned', 'best', 'median', 'worst'], cells);
}
