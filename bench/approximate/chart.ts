import { along, coloured, figure, lines, logAlong, type TopLevelSpec } from '../harness/figures.js';
import type { TaskResult } from './result.js';
import { FIT_POINTS } from './trial.js';

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
