import type { TopLevelSpec } from 'vega-lite';
import type { TaskResult } from './result.js';
import { FIT_POINTS } from './trial.js';

/** Smallest error so far against epoch, a panel a task; then x² as each method has it, and how far off. */
export function specificationOf(results: readonly TaskResult[]): TopLevelSpec {
  const fits = results.find(({ task }) => task === 'x2');
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    columns: 3,
    concat: [...results.map(curves), ...(fits ? [fitted(fits), off(fits)] : [])],
    resolve: { scale: { color: 'shared' } },
  };
}

const size = { width: 260, height: 200 } as const;
const colour = { field: 'method', type: 'nominal', title: null } as const;

/** The first trial of each method. */
function curves({ task, definition, judged, methods }: TaskResult) {
  const values = methods.flatMap(({ method, trials }) =>
    (trials[0]?.curve ?? []).map(({ epoch, error }) => ({ method, epoch, error })),
  );
  return {
    ...size,
    title: { text: task, subtitle: definition },
    data: { values },
    mark: { type: 'line', strokeWidth: 1.5 },
    encoding: {
      x: { field: 'epoch', type: 'quantitative', scale: { type: 'log' }, title: 'epoch' },
      y: {
        field: 'error',
        type: 'quantitative',
        scale: { type: 'log' },
        title: `smallest ${judged === 'train' ? 'training' : 'test'} error so far`,
        axis: { format: '.0e' },
      },
      color: colour,
    },
  } as const;
}

const fitValues = ({ methods }: TaskResult) =>
  methods.flatMap(({ method, trials }) =>
    (trials[0]?.fitted ?? []).map((value, i) => {
      const x = FIT_POINTS[i] ?? Number.NaN;
      // A logarithm has no zero.
      return { method, x, value, off: Math.max(Math.abs(value - x * x), 1e-8) };
    }),
  );

const fitted = (result: TaskResult) =>
  ({
    ...size,
    title: 'x2: the fitted functions',
    data: { values: fitValues(result) },
    mark: { type: 'line', strokeWidth: 1.5 },
    encoding: {
      x: { field: 'x', type: 'quantitative' },
      y: { field: 'value', type: 'quantitative', title: 'f(x)' },
      color: colour,
    },
  }) as const;

const off = (result: TaskResult) =>
  ({
    ...size,
    title: 'x2: |f(x) - x²|',
    data: { values: fitValues(result) },
    mark: { type: 'line', strokeWidth: 1 },
    encoding: {
      x: { field: 'x', type: 'quantitative' },
      y: { field: 'off', type: 'quantitative', scale: { type: 'log' }, title: null, axis: { format: '.0e' } },
      color: colour,
    },
  }) as const;
