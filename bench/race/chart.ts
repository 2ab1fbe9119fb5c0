import type { TopLevelSpec } from 'vega-lite';
import type { Run } from './run.js';

/** Test accuracy by epoch of every setting that `--tune` tried: one panel a method and σ, one line a ρ. */
export function specificationOf(dataset: string, tried: Readonly<Record<string, readonly Run[]>>): TopLevelSpec {
  const values = Object.entries(tried).flatMap(([method, runs]) =>
    runs.flatMap(({ setting: { more = {}, learningRate, batchSize, cosine }, accuracies }) =>
      accuracies.map((accuracy, i) => ({
        panel: more.sigma === undefined ? `${method}, batch ${batchSize}` : `${method}, σ ${more.sigma}`,
        line:
          more.rho === undefined
            ? `rate ${learningRate}${cosine === undefined ? '' : `, cosine ${cosine}`}`
            : `ρ ${more.rho}`,
        epoch: i + 1,
        accuracy,
      })),
    ),
  );
  const best = Math.max(...values.map(({ accuracy }) => accuracy));
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    title: `${dataset}: test accuracy by epoch of every setting tried; a run slower than the best so far is given up`,
    data: { values },
    facet: { field: 'panel', type: 'nominal', title: null },
    columns: 4,
    resolve: { scale: { color: 'independent' } },
    spec: {
      width: 180,
      height: 150,
      mark: { type: 'line', strokeWidth: 1.5, point: { size: 15 }, clip: true },
      encoding: {
        x: { field: 'epoch', type: 'quantitative', axis: { tickMinStep: 1 } },
        y: { field: 'accuracy', type: 'quantitative', title: null, scale: { domain: [best - 0.03, best] } },
        color: { field: 'line', type: 'nominal', title: null },
      },
    },
  };
}
