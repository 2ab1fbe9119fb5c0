import type { TopLevelSpec } from 'vega-lite';
import { medianCurve, type TaskResult } from './result.js';

/** Test loss against epoch and against seconds, the median of the seeds; a row of two for each task. */
export function specificationOf(results: readonly TaskResult[]): TopLevelSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    vconcat: results.map((result) => ({
      title: `${result.title}: ${result.data}, ${result.layers}, ${result.samples} samples`,
      data: { values: rowsOf(result) },
      hconcat: [panel(result, 'epoch'), panel(result, 'seconds')],
    })),
  };
}

const rowsOf = ({ methods }: TaskResult) =>
  methods.flatMap(({ method, runs }) =>
    medianCurve(runs).map(({ epoch, seconds, testLoss }) => ({ method, epoch, seconds, testLoss })),
  );

function panel({ methods, unit }: TaskResult, against: 'epoch' | 'seconds') {
  return {
    width: 320,
    height: 240,
    mark: { type: 'line', strokeWidth: 1.5, point: { size: 15 } },
    encoding: {
      x: { field: against, type: 'quantitative', title: against, axis: against === 'epoch' ? { tickMinStep: 1 } : {} },
      y: { field: 'testLoss', type: 'quantitative', title: `test loss, ${unit}`, scale: { zero: false } },
      color: { field: 'method', type: 'nominal', title: null, sort: methods.map(({ method }) => method) },
    },
  } as const;
}
