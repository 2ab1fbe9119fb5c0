import { along, coloured, figure, lines, logAlong, type TopLevelSpec } from '../harness/figures.js';
import { mean as meanOf, standardDeviation } from '../harness/statistics.js';
import type { Study } from '../harness/study.js';
import { table } from '../harness/table.js';
import type { Method } from './methods.js';
import type { Task } from './tasks.js';
import { FIT_POINTS, type Trial } from './trial.js';

/** A task as `bench/results` keeps it. */
export type TaskResult = Study<
  Pick<Task, 'definition' | 'judged'> & { readonly task: string; readonly points: number },
  Trial & { readonly method: Method; readonly layers: string }
>;

/**
 * Mean, best and standard deviation (1/N form) of the smallest errors, `null` where none was finite; mean seconds, evaluation
 * included; by rate how many trials it ended with what is not finite, and how many ended so at every rate.
 */
export function summaryOf({ task, runs }: Pick<TaskResult, 'task' | 'runs'>, method: Method, published?: number) {
  const trials = runs.filter((run) => run.method === method);
  const errors = trials.flatMap(({ error }) => error ?? []);
  const of = (statistic: (values: readonly number[]) => number): number | null =>
    errors.length === 0 ? null : statistic(errors);
  const diverged: Record<string, number> = {};
  for (const rate of trials.flatMap((trial) => trial.diverged ?? [])) diverged[rate] = (diverged[rate] ?? 0) + 1;
  return {
    ...{ task, method, layers: trials[0]?.layers ?? '' },
    epochs: Math.max(0, ...trials.map(({ epochs }) => epochs)),
    trials: trials.length,
    ...{ mean: of(meanOf), best: of((values) => Math.min(...values)), deviation: of(standardDeviation) },
    seconds: meanOf(trials.map(({ seconds }) => seconds)),
    diverged,
    failed: trials.filter(({ status }) => status === 'diverged').length,
    ...(published !== undefined && { published }),
  };
}

const shown = (error: number | null | undefined): string =>
  error === null ? 'diverged' : (error?.toExponential(2) ?? '');

/** A line for each method on each task, with the rates that diverged. */
export const tableOf = (summaries: readonly ReturnType<typeof summaryOf>[]): string =>
  table(
    ['task', 'method', 'layers', 'trials', 'epochs', 'mean', 'best', 'deviation', 'published', 'seconds', 'diverged'],
    summaries.map(({ task, method, layers, trials, epochs, mean, best, deviation, published, seconds, diverged }) => {
      const [, width, ...others] = layers.split('-');
      const rates = Object.entries(diverged).map(([rate, count]) => `${rate} (${count})`);
      const setting = [task, method, `${others.length} × ${width}`, `${trials}`, `${epochs}`];
      return [...setting, ...[mean, best, deviation, published].map(shown), seconds.toFixed(1), rates.join(', ')];
    }),
  );

const size = [260, 200] as const;
const color = coloured('method');

/** Smallest error so far against epoch, a panel a task; then x² as each method has it, and how far off. */
export function specificationOf(results: readonly TaskResult[]): TopLevelSpec {
  const fits = results.find(({ task }) => task === 'x2');
  return figure({
    columns: 3,
    concat: [...results.map(curves), ...(fits ? fitted(fits) : [])],
    resolve: { scale: { color: 'shared' } },
  });
}

/** The first trial of each method. */
const curves = ({ task, definition, judged, runs }: TaskResult) =>
  lines({
    size,
    title: { text: task, subtitle: definition },
    values: runs.flatMap(({ method, curve = [] }) => curve.map((point) => ({ method, ...point }))),
    x: logAlong('epoch', { axis: { format: '~s' } }),
    y: logAlong('error', { title: `smallest ${judged === 'train' ? 'training' : 'test'} error so far` }),
    color,
  });

function fitted({ runs }: TaskResult) {
  const values = runs.flatMap(({ method, fitted = [] }) =>
    fitted.map((value, i) => {
      const x = FIT_POINTS[i] ?? Number.NaN;
      // A logarithm has no zero.
      return { method, x, value, off: Math.max(Math.abs(value - x * x), 1e-8) };
    }),
  );
  const panel = (title: string, y: object) => lines({ size, title, values, x: along('x'), y, color });
  return [
    panel('x2: the fitted functions', along('value', { title: 'f(x)' })),
    panel('x2: |f(x) - x²|', logAlong('off', { title: null })),
  ];
}
