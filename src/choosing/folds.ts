/** Which samples are held out together: by chance, so that every class keeps its share, or so that a group stays whole. */
import { expected } from '../core/errors.js';
import { shuffledIndices } from '../datasets/split.js';

export interface FoldRules {
  readonly folds: number;
  readonly seed: number;
  /** The class of each sample, where every fold is to have its share of each. */
  readonly labels?: ArrayLike<unknown> | undefined;
  /** Samples of one group are held out together. */
  readonly groups?: ArrayLike<unknown> | undefined;
}

/** The samples that each fold holds out, in their order. */
export function foldsOf(samples: number, { folds, seed, labels, groups }: FoldRules): readonly Int32Array[] {
  const order = shuffledIndices(samples, seed);
  const foldOf = groups ? byGroup(order, groups, labels, folds) : dealt(order, labels, folds);
  const all = Int32Array.from({ length: samples }, (_, i) => i);
  return Array.from({ length: folds }, (_, fold) => all.filter((i) => foldOf[i] === fold));
}

/** Members of each key, in the order in which they come. */
function gathered(order: Int32Array, keys: ArrayLike<unknown> | undefined): Map<unknown, number[]> {
  const members = new Map<unknown, number[]>();
  for (const i of order) {
    const of = members.get(keys?.[i]);
    if (of) of.push(i);
    else members.set(keys?.[i], [i]);
  }
  return members;
}

/** Class after class is dealt out like cards, so that neither classes nor folds differ by more than one. */
function dealt(order: Int32Array, labels: ArrayLike<unknown> | undefined, folds: number): Int32Array {
  if (order.length < folds) {
    throw expected(`at most ${order.length} folds, as many as there are samples,`, 'folds', folds, 'ERR_DLADMM_RANGE');
  }
  const foldOf = new Int32Array(order.length);
  [...gathered(order, labels).values()].flat().forEach((i, at) => {
    foldOf[i] = at % folds;
  });
  return foldOf;
}

/** The largest group first, each to the fold in which it makes the classes least uneven. */
function byGroup(
  order: Int32Array,
  groups: ArrayLike<unknown>,
  labels: ArrayLike<unknown> | undefined,
  folds: number,
): Int32Array {
  const members = [...gathered(order, groups).values()].toSorted((a, b) => b.length - a.length);
  if (members.length < folds) {
    throw expected(`at most ${members.length} folds, as many as there are groups,`, 'folds', folds, 'ERR_DLADMM_RANGE');
  }
  const totals = new Map([...gathered(order, labels)].map(([label, { length }]) => [label, length]));
  const held = Array.from({ length: folds }, () => new Map<unknown, number>());
  const foldOf = new Int32Array(order.length);
  for (const [at, group] of members.entries()) {
    const counts = new Map([...gathered(Int32Array.from(group), labels)].map(([label, { length }]) => [label, length]));
    /** By how much Σ (share of a class)² grows. */
    const cost = (fold: Map<unknown, number>): number => {
      let sum = 0;
      for (const [label, count] of counts) {
        const before = fold.get(label) ?? 0;
        sum += ((before + count) ** 2 - before ** 2) / (totals.get(label) as number) ** 2;
      }
      return sum;
    };
    // Every fold gets one of the first groups.
    const open = held.flatMap((fold, i) => (at >= folds || fold.size === 0 ? [i] : []));
    const best = open.reduce((kept, i) => (cost(held[i] as never) < cost(held[kept] as never) ? i : kept));
    const fold = held[best] as Map<unknown, number>;
    for (const [label, count] of counts) fold.set(label, (fold.get(label) ?? 0) + count);
    for (const i of group) foldOf[i] = best;
  }
  return foldOf;
}
