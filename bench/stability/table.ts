import { median } from '../statistics.js';
import { type Outcome, REACHED, type Run } from './runs.js';

export interface Result extends Pick<Run, 'task' | 'solver' | 'row'> {
  readonly outcomes: readonly Outcome[];
}

/** All runs that share a value of what varies. */
export interface Row {
  readonly task: Run['task'];
  readonly solver: Run['solver'];
  readonly varied: string;
  readonly runs: number;
  readonly finite: number;
  /** Runs with an error of at most {@link REACHED}. */
  readonly reached: number;
  /** Of all runs; one that diverged counts as infinite, which is `null`. */
  readonly best: number | null;
  readonly median: number | null;
  readonly worst: number | null;
}

/** One row a task, solver and value, in the order of their first run. */
export function rowsOf(results: readonly Result[]): readonly Row[] {
  const groups = new Map<string, { key: Pick<Row, 'task' | 'solver' | 'varied'>; errors: number[] }>();
  for (const { task, solver, row, outcomes } of results) {
    for (const varied of row) {
      const name = [task, solver, varied].join();
      const group = groups.get(name) ?? { key: { task, solver, varied }, errors: [] };
      group.errors.push(...outcomes.map(({ error }) => error ?? Number.POSITIVE_INFINITY));
      groups.set(name, group);
    }
  }
  return [...groups.values()].map(({ key, errors }) => ({
    ...key,
    runs: errors.length,
    finite: errors.filter(Number.isFinite).length,
    reached: errors.filter((error) => error <= REACHED[key.task]).length,
    best: finite(Math.min(...errors)),
    median: finite(median(errors)),
    worst: finite(Math.max(...errors)),
  }));
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
  const head = ['task', 'solver', 'varied', 'runs', 'finite', 'learned', 'best', 'median', 'worst'];
  const widths = head.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i]?.length ?? 0)));
  return [head, ...cells]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
