/** The nearest weights of which few are not 0: projections onto ℓ0 balls, in closed form. */
import type { Numbers } from '../core/native.js';

/** 1 for each weight that stays, by layer, as the weights lie. */
export type Masks = readonly Int32Array[];

/** Weights that go together: so many beside each other. */
export const GROUP = { weights: 1, '1x4': 4 } as const;

/** Squared norms of groups of `size` weights, one after the other. */
function squares(weights: Numbers, size: number): Float64Array {
  return Float64Array.from({ length: weights.length / size }, (_, group) => {
    let sum = 0;
    for (let i = group * size; i < (group + 1) * size; i += 1) sum += (weights[i] as number) ** 2;
    return sum;
  });
}

/** Places of the `count` largest, the first of equals, in their order. */
export function largest(values: Float64Array, count: number): Int32Array {
  const least = values.slice().sort()[values.length - count] as number;
  let equals = count - values.reduce((more, value) => more + Number(value > least), 0);
  const places = new Int32Array(count);
  let found = 0;
  for (const [i, value] of values.entries()) {
    if (value > least || (value === least && equals-- > 0)) places[found++] = i;
  }
  return places;
}

/**
 * Which groups of weights the projection onto { at most `count` groups are not 0, and in every layer one may be other than 0 } keeps: of
 * each layer its largest, then the largest of all layers together.
 */
export function largestGroups(weights: readonly Numbers[], size: number, count: number): Masks {
  const norms = weights.map((each) => squares(each, size));
  const all = new Float64Array(norms.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const of of norms) {
    all.set(of, at);
    // No layer is left without.
    all[at + of.indexOf(of.reduce((a, b) => Math.max(a, b), 0))] = Number.POSITIVE_INFINITY;
    at += of.length;
  }
  const stays = new Uint8Array(all.length);
  for (const place of largest(all, count)) stays[place] = 1;
  at = 0;
  return norms.map((of, l) => {
    const first = at;
    at += of.length;
    return Int32Array.from(weights[l] as Numbers, (_, i) => stays[first + Math.floor(i / size)] as number);
  });
}

/** Which neurons of a layer the projection onto { at most `count` rows are not 0 } keeps, in their order. */
export function largestRows(weights: Numbers, neurons: number, count: number): Int32Array {
  return largest(squares(weights, weights.length / neurons), count)
    .slice()
    .sort();
}

/** Weights in all of a network of such widths. */
export const weightsIn = (layers: readonly number[]): number =>
  layers.slice(1).reduce((sum, width, l) => sum + width * (layers[l] as number), 0);

/** The largest widths in proportion to those of a network with so many weights at most; undefined where one neuron a layer is too much. */
export function narrower(layers: readonly number[], weights: number): readonly number[] | undefined {
  const widths = [...layers];
  while (weightsIn(widths) > weights) {
    const shares = widths.map((width, l) =>
      l === 0 || l === widths.length - 1 || width === 1 ? 0 : width / (layers[l] as number),
    );
    const most = Math.max(...shares);
    if (most === 0) return undefined;
    const widest = shares.indexOf(most);
    widths[widest] = (widths[widest] as number) - 1;
  }
  return widths;
}

/** The weights with a mask's zeros, exactly. */
export const masked = (weights: readonly Numbers[], masks: Masks): readonly Numbers[] =>
  weights.map((each, l) => each.map((w, i) => (masks[l]?.[i] === 0 ? 0 : w)) as Numbers);

/** The rows of some neurons alone. */
export function rowMasks(weights: readonly Numbers[], layers: readonly number[], stay: readonly Int32Array[]): Masks {
  return weights.map((each, l) => {
    const [rows, inputs] = [stay[l], layers[l] as number];
    if (rows === undefined) return new Int32Array(each.length).fill(1);
    const mask = new Int32Array(each.length);
    for (const row of rows) mask.fill(1, row * inputs, (row + 1) * inputs);
    return mask;
  });
}
