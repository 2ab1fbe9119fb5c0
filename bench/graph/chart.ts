import type { TopLevelSpec } from 'vega-lite';
import type { GraphResult } from './result.js';

/** Test accuracies on every graph: a dot a run, a tick at their mean. */
export function specificationOf(results: readonly GraphResult[]): TopLevelSpec {
  const values = results.flatMap(({ graph, methods }) =>
    methods.flatMap(({ method, runs }) => runs.map(({ testAccuracy }) => ({ graph, method, testAccuracy }))),
  );
  const methods = [...new Set(values.map(({ method }) => method))];
  const place = {
    x: {
      field: 'graph',
      type: 'nominal',
      title: null,
      sort: results.map(({ graph }) => graph),
      axis: { labelAngle: 0 },
    },
    xOffset: { field: 'method', sort: methods },
    color: { field: 'method', type: 'nominal', title: null, sort: methods },
  } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    width: 120 * Math.max(1, results.length),
    height: 260,
    data: { values },
    layer: [
      {
        mark: { type: 'point', filled: true, size: 14, opacity: 0.5 },
        encoding: {
          ...place,
          y: { field: 'testAccuracy', type: 'quantitative', title: 'test accuracy', scale: { zero: false } },
        },
      },
      {
        mark: { type: 'tick', thickness: 2, size: 18 },
        encoding: { ...place, y: { aggregate: 'mean', field: 'testAccuracy', type: 'quantitative' } },
      },
    ],
  };
}
