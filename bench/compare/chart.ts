import type { TopLevelSpec } from 'vega-lite';
import type { Comparison } from './curves.js';

/** Test accuracy and objective, each against iteration and against seconds. */
export function specificationOf({ data, layers, samples, curves }: Comparison): TopLevelSpec {
  const rows = curves.flatMap(({ method, points }) =>
    points.map(({ iteration, seconds, testAccuracy, objective }) => ({
      method,
      iteration,
      seconds,
      testAccuracy,
      objective,
    })),
  );
  const accuracy = {
    field: 'testAccuracy',
    type: 'quantitative',
    title: 'test accuracy',
    scale: { zero: false },
  } as const;
  // An augmented Lagrangian may be negative.
  const objective = {
    field: 'objective',
    type: 'quantitative',
    title: 'objective',
    scale: { type: 'symlog' },
  } as const;
  const panel = (against: 'iteration' | 'seconds', y: typeof accuracy | typeof objective) =>
    ({
      width: 320,
      height: 240,
      mark: { type: 'line', strokeWidth: 1.5, point: rows.length <= 60 },
      encoding: {
        x: { field: against, type: 'quantitative', title: against },
        y,
        color: { field: 'method', type: 'nominal', title: null, sort: curves.map(({ method }) => method) },
      },
    }) as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    title: `${data}, ${samples} samples, ${layers}`,
    data: { values: rows },
    vconcat: [accuracy, objective].map((y) => ({ hconcat: [panel('iteration', y), panel('seconds', y)] })),
  };
}
