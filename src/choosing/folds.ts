/** Which samples are held out together: by chance, so that every class keeps its share, or so that a group stays whole. */
import { types } from 'node:util';
import { expected } from '../core/errors.js';
import { shuffledIndices } from '../datasets/split.js';
import { breathe, inTurns, pause, turn } from '../tensor/inputs.js';

export interface FoldRules {
  readonly folds: number;
  readonly seed: number;
  /** The class of each sample, where every fold is to have its share of each. */
  readonly labels?: ArrayLike<unknown> | undefined;
  /** Samples of one group are held out together. */
  readonly groups?: ArrayLike<unknown> | undefined;
}

/**
 * A value for each sample by which it belongs to a group: of dates their time, as two of one time are two objects.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT for other objects, of which no two are the same
 */
export async function groupsOf(groups: ArrayLike<unknown> | undefined): Promise<ArrayLike<unknown> | undefined> {
  if (groups === undefined || ArrayBuffer.isView(groups)) return groups;
  const values: unknown[] = [];
  await inTurns(groups.length, (i) => {
    const value = groups[i];
    const date = types.isDate(value);
    if (!date && (typeof value === 'function' || (typeof value === 'object' && value !== null)))
      throw expected('texts, numbers or dates, which are the same for what belongs together,', `groups[${i}]`, value);
    values.push(date ? value.getTime() : value);
  });
  return values;
}

/** The samples that each fold holds out, in their order; the event loop runs in between. */
export async function foldsOf(
  samples: number,
  { folds, seed, labels, groups }: FoldRules,
): Promise<readonly Int32Array[]> {
  await breathe();
  const order = await turn(shuffledIndices(samples, seed));
  const foldOf = await (groups ? byGroup(order, groups, labels, folds) : dealt(order, labels, folds));
  const all = await turn(new Int32Array(samples).map((_, i) => i));
  const held: Int32Array[] = [];
  for (let fold = 0; fold < folds; fold += 1) held.push(await turn(all.filter((i) => foldOf[i] === fold)));
  return held;
}

/** Members of each key, in the order in which they come. */
async function gathered(order: Int32Array, keys: ArrayLike<unknown> | undefined): Promise<Map<unknown, number[]>> {
  const members = new Map<unknown, number[]>();
  await inTurns(order.length, (at) => {
    const i = order[at] as number;
    const of = members.get(keys?.[i]);
    if (of) of.push(i);
    else members.set(keys?.[i], [i]);
  });
  return members;
}

/** How many there are of each key. */
function counted(of: readonly number[], keys: ArrayLike<unknown> | undefined): Map<unknown, number> {
  const counts = new Map<unknown, number>();
  for (const i of of) counts.set(keys?.[i], (counts.get(keys?.[i]) ?? 0) + 1);
  return counts;
}

/** Class after class is dealt out like cards, so that neither classes nor folds differ by more than one. */
async function dealt(order: Int32Array, labels: ArrayLike<unknown> | undefined, folds: number): Promise<Int32Array> {
  if (order.length < folds) {
    throw expected(`at most ${order.length} folds, as many as there are samples,`, 'folds', folds, 'ERR_DLADMM_RANGE');
  }
  const foldOf = new Int32Array(order.length);
  let at = 0;
  for (const of of (await gathered(order, labels)).values()) {
    for (const i of of) foldOf[i] = at++ % folds;
  }
  return foldOf;
}

/** The largest group first, each to the fold in which it makes the classes least uneven. */
async function byGroup(
  order: Int32Array,
  groups: ArrayLike<unknown>,
  labels: ArrayLike<unknown> | undefined,
  folds: number,
): Promise<Int32Array> {
  const members = [...(await gathered(order, groups)).values()].toSorted((a, b) => b.length - a.length);
  if (members.length < folds) {
    throw expected(`at most ${members.length} folds, as many as there are groups,`, 'folds', folds, 'ERR_DLADMM_RANGE');
  }
  const totals = new Map([...(await gathered(order, labels))].map(([label, { length }]) => [label, length]));
  const held = Array.from({ length: folds }, () => new Map<unknown, number>());
  const foldOf = new Int32Array(order.length);
  for (const [at, group] of members.entries()) {
    const counts = counted(group, labels);
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
    await pause();
  }
  return foldOf;
}
