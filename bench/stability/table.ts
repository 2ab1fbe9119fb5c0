import { median } from '../harness/statistics.js';
import { table } from '../harness/table.js';
import { type outcomeOf, REACHED, type Run } from './runs.js';

export interface Result extends Pick<Run, 'task' | 'solver' | 'row'> {
  /** In the list of runs, from 0. */
  readonly number: number;
  readonly outcomes: readonly Awaited<ReturnType<typeof outcomeOf>>[];
}

/**
 * All runs that share a value of what varies, with how many reached {@link REACHED} and the best, middle and worst error, where a
 * divergence counts as infinite, which is `null`. One row a task, solver and value; those of one kind (β, λ, start …) stand together, in the order of their first run.
 */
export function rowsOf(results: readonly Omit<Result, 'number'>[]) {
  const values = results.flatMap(({ row, task, solver, outcomes }) =>
    row.map((varied) => {
      const errors = outcomes.map(({ error }) => error ?? Number.POSITIVE_INFINITY);
      const [kind, name] = [varied.split(' ')[0], varied].map((what) => [task, solver, what].join());
      return { task, solver, varied, kind, name, errors };
    }),
  );
  const kinds = [...new Set(values.map(({ kind }) => kind))];
  const together = kinds.flatMap((kind) => values.filter((each) => each.kind === kind));
  return [...new Map(together.map((each) => [each.name, each])).values()].map(({ task, solver, varied, name }) => {
    const errors = together.flatMap((each) => (each.name === name ? each.errors : []));
    return {
      task,
      solver,
      varied,
      runs: errors.length,
      finite: errors.filter(Number.isFinite).length,
      reached: errors.filter((error) => error <= REACHED[task]).length,
      best: finite(Math.min(...errors)),
      median: finite(median(errors)),
      worst: finite(Math.max(...errors)),
    };
  });
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

const percent = (part: number, whole: number): string => `${Math.round((100 * part) / whole)} %`;

export function tableOf(rows: ReturnType<typeof rowsOf>): string {
  const cells = rows.map(({ task, solver, varied, runs, finite, reached, ...errors }) => {
    const shown = (error: number | null): string =>
      error === null ? 'diverged' : task === 'x2' ? error.toExponential(1) : `${(100 * error).toFixed(1)} %`;
    const shares = [`${runs}`, percent(finite, runs), percent(reached, runs)];
    return [task, solver, varied, ...shares, ...[errors.best, errors.median, errors.worst].map(shown)];
  });
  return table(['task', 'solver', 'varied', 'runs', 'finite', 'learned', 'best', 'median', 'worst'], cells);
}
