import { along, coloured, figure, type TopLevelSpec } from '../harness/figures.js';
import type { GraphResult } from './result.js';

/** Test accuracies on every graph: a dot a run, a tick at their mean. */
export function specificationOf(results: readonly GraphResult[]): TopLevelSpec {
  const values = results.flatMap(({ graph, runs }) =>
    runs.map(({ method, testAccuracy }) => ({ graph, method, testAccuracy })),
  );
  const sort = [...new Set(values.map(({ method }) => method))];
  const graphs = results.map(({ graph }) => graph);
  const place = {
    x: { field: 'graph', type: 'nominal', title: null, sort: graphs, axis: { labelAngle: 0 } },
    xOffset: { field: 'method', sort },
    color: coloured('method', { sort }),
  };
  const y = along('testAccuracy', { title: 'test accuracy', scale: { zero: false } });
  return figure({
    width: 120 * Math.max(1, results.length),
    height: 260,
    data: { values },
    layer: [
      { mark: { type: 'point', filled: true, size: 14, opacity: 0.5 }, encoding: { ...place, y } },
      { mark: { type: 'tick', thickness: 2, size: 18 }, encoding: { ...place, y: { ...y, aggregate: 'mean' } } },
    ],
  });
}
