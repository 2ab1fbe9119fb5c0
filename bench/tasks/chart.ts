import { along, coloured, figure, lines, type TopLevelSpec } from '../harness/figures.js';
import { byMethod, medianCurve, type TaskResult } from './result.js';

/** Test loss against epoch and against seconds, the median of the seeds; a row of two for each task. */
export const specificationOf = (results: readonly TaskResult[]): TopLevelSpec =>
  figure({
    vconcat: results.map(({ title, data, layers, samples, unit, runs }) => {
      const y = along('testLoss', { title: `test loss, ${unit}`, scale: { zero: false } });
      const color = coloured('method', { sort: [...new Set(runs.map(({ method }) => method))] });
      const xs = [along('epoch', { axis: { tickMinStep: 1 } }), along('seconds')];
      return {
        title: `${title}: ${data}, ${layers}, ${samples} samples`,
        data: {
          values: byMethod(runs).flatMap((own) =>
            medianCurve(own).map((point) => ({ method: own[0]?.method, ...point })),
          ),
        },
        hconcat: xs.map((x) => lines({ x, y, color, point: 15 })),
      };
    }),
  });
