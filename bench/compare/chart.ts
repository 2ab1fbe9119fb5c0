import { along, coloured, figure, lines, type TopLevelSpec } from '../harness/figures.js';
import type { Comparison } from './curves.js';

/** Test accuracy and objective, each against iteration and against seconds. */
export function specificationOf({ data, layers, samples, runs: curves }: Comparison): TopLevelSpec {
  const values = curves.flatMap(({ method, points }) => points.map((point) => ({ method, ...point })));
  const sort = curves.map(({ method }) => method);
  const color = coloured('method', { sort, scale: { scheme: curves.length > 10 ? 'tableau20' : 'tableau10' } });
  const ys = [
    along('testAccuracy', { title: 'test accuracy', scale: { zero: false } }),
    // An augmented Lagrangian may be negative; the sums of losses of the gradient methods are not.
    along('objective', { scale: { type: 'symlog' } }),
  ];
  const panel = (against: string, y: object) =>
    lines({ x: along(against), y, color, ...(values.length <= 60 && { point: 30 }) });
  return figure({
    title: `${data}, ${samples} samples, ${layers}`,
    data: { values },
    vconcat: ys.map((y) => ({ hconcat: [panel('iteration', y), panel('seconds', y)] })),
  });
}
