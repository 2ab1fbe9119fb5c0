/** What is lost of the accuracy against what is left of the weights. */
import { along, coloured, figure, lines, logAlong, type TopLevelSpec } from '../harness/figures.js';

export interface Pruned {
  readonly name: string;
  readonly method: string;
  readonly dense: number;
  readonly accuracy: number;
}

const SHOWN: Readonly<Record<string, string>> = {
  admm: 'ADMM',
  gradual: 'gradual magnitude',
  magnitude: 'magnitude, in rounds',
};

/** The median over the seeds. */
export function prunedOf({ runs }: { readonly runs: readonly Pruned[] }): TopLevelSpec {
  const values = runs.flatMap(({ name, method, dense, accuracy }) => {
    const times = Number(/^pruned(\d+)$/.exec(name)?.[1]);
    const by = SHOWN[method];
    return by !== undefined && times > 0 ? [{ by, kept: 100 / times, lost: 100 * (dense - accuracy) }] : [];
  });
  return figure({
    ...lines({
      size: [420, 280],
      values,
      point: 30,
      x: logAlong('kept', {
        title: 'weights that are left, %',
        scale: { domain: [1, 20] },
        axis: { values: [1, 1.67, 2.5, 5, 10, 20], format: '~g' },
      }),
      y: along('lost', { title: 'accuracy lost, %', aggregate: 'median' }),
      color: coloured('by'),
    }),
  });
}
