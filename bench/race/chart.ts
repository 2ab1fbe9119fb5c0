import { along, coloured, figure, lines, type TopLevelSpec } from '../harness/figures.js';
import type { Run } from '../race.js';

/** What `--tune --out` wrote: its head, and by method what was tried. */
export type Tuning = Readonly<Record<string, unknown>> & { readonly dataset: string };

/** The runs in an entry of it, where that is of a method. */
export const runsIn = (entry: unknown, name: 'tried' | 'runs'): readonly Run[] =>
  (entry as Partial<Record<typeof name, readonly Run[]>> | null)?.[name] ?? [];

const falls = (cosine: number | undefined): string => (cosine === undefined ? '' : `, cosine ${cosine}`);

/** Test accuracy by epoch of every setting that `--tune` tried: one panel a method and σ, one line a ρ. */
export function specificationOf(tunings: readonly Tuning[]): TopLevelSpec {
  const values = tunings.flatMap((tuning) =>
    Object.entries(tuning).flatMap(([method, entry]) =>
      runsIn(entry, 'tried').flatMap(({ setting: { more = {}, learningRate, batchSize, cosine }, accuracies }) =>
        accuracies.map((accuracy, i) => ({
          panel: more.sigma === undefined ? `${method}, batch ${batchSize}` : `${method}, σ ${more.sigma}`,
          line: more.rho === undefined ? `rate ${learningRate}${falls(cosine)}` : `ρ ${more.rho}`,
          epoch: i + 1,
          accuracy,
        })),
      ),
    ),
  );
  const best = values.reduce((most, { accuracy }) => Math.max(most, accuracy), 0);
  return figure({
    title: `${tunings[0]?.dataset}: test accuracy by epoch of every setting tried; a run slower than the best so far is given up`,
    data: { values },
    facet: { field: 'panel', type: 'nominal', title: null },
    columns: 4,
    resolve: { scale: { color: 'independent' } },
    spec: lines({
      size: [180, 150],
      point: 15,
      x: along('epoch', { axis: { tickMinStep: 1 } }),
      y: along('accuracy', { title: null, scale: { domain: [best - 0.03, best] } }),
      color: coloured('line'),
    }),
  });
}
