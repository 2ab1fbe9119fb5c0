/** What goes, and what a network is without it. */
import { describe, expect, test } from 'vitest';
import { withoutNeurons } from '../../src/compressing/neurons.js';
import { largestGroups, largestRows, masked, narrower, rowMasks, weightsIn } from '../../src/compressing/projection.js';
import { seededRandom } from '../../src/core/random.js';
import { Model } from '../../src/index.js';
import type { Activation } from '../../src/network/network.js';

const random = seededRandom(3);
const normals = (count: number): Float64Array => Float64Array.from({ length: count }, () => random.normal());

/** Every choice of `count` of the first `all` whole numbers. */
function* choices(all: number, count: number, from = 0): Generator<readonly number[]> {
  if (count === 0) yield [];
  for (let i = from; count > 0 && i < all; i += 1)
    for (const rest of choices(all, count - 1, i + 1)) yield [i, ...rest];
}

/** ‖W − V‖² over all layers. */
const away = (weights: readonly Float64Array[], kept: readonly ArrayLike<number>[]): number =>
  weights.reduce((sum, each, l) => each.reduce((all, w, i) => all + (kept[l]?.[i] === 0 ? w * w : 0), sum), 0);

describe('the projection onto few weights', () => {
  test.each([
    [1, [5, 3, 2]],
    [4, [16, 12, 8]],
  ])('of groups of %i is the nearest of all that leave no layer without, by trying every choice', (size, lengths) => {
    const groups = lengths.reduce((sum, length) => sum + length / size, 0);
    for (let round = 0; round < 20; round += 1) {
      // A last layer that is small beside the others has to keep one for itself.
      const weights = lengths.map((length, l) => normals(length).map((w) => w * (l === 2 ? 0.01 : 1)));
      for (let count = lengths.length; count < groups; count += 1) {
        let least = Number.POSITIVE_INFINITY;
        for (const chosen of choices(groups, count)) {
          let first = 0;
          const kept = lengths.map((length) => {
            const mask = Int32Array.from({ length }, (_, i) => Number(chosen.includes(first + Math.floor(i / size))));
            first += length / size;
            return mask;
          });
          if (kept.every((mask) => mask.includes(1))) least = Math.min(least, away(weights, kept));
        }
        const found = largestGroups(weights, size, count);
        expect(found.reduce((sum, mask) => sum + mask.filter((is) => is === 1).length, 0)).toBe(count * size);
        expect(found.every((mask) => mask.includes(1))).toBe(true);
        expect(away(weights, found)).toBeCloseTo(least, 12);
      }
    }
  });

  test('onto rows is the nearest, by trying every choice', () => {
    for (let round = 0; round < 20; round += 1) {
      const weights = normals(6 * 3);
      for (let count = 1; count < 6; count += 1) {
        const of = (rows: readonly number[]) => away([weights], rowMasks([weights], [3, 6], [Int32Array.from(rows)]));
        const least = Math.min(...[...choices(6, count)].map(of));
        const found = largestRows(weights, 6, count);
        expect([...found]).toEqual([...found].toSorted((a, b) => a - b));
        expect(of([...found])).toBeCloseTo(least, 12);
      }
    }
  });

  test('keeps the first of equals, and makes zeros exact', () => {
    const weights = [new Float32Array([1, -1, 1, -1]), new Float32Array([-0, 0])];
    const masks = largestGroups(weights, 1, 3);
    expect(masks.map((mask) => [...mask])).toEqual([
      [1, 1, 0, 0],
      [1, 0],
    ]);
    expect(masked(weights, masks).map((each) => [...each])).toEqual([
      [1, -1, 0, 0],
      [-0, 0],
    ]);
  });

  test('narrows a network in proportion, to the widest that has no more weights', () => {
    expect(narrower([784, 300, 100, 10], 66_600)).toEqual([784, 81, 27, 10]);
    for (let weights = 1; weights < weightsIn([5, 8, 4, 2]); weights += 1) {
      const widths = narrower([5, 8, 4, 2], weights);
      if (widths === undefined) expect(weights).toBeLessThan(weightsIn([5, 1, 1, 2]));
      else expect(weightsIn(widths)).toBeLessThanOrEqual(weights);
    }
  });
});

const ACTIVATIONS: readonly Activation[] = [
  ...(['relu', 'identity', 'sigmoid', 'tanh', 'silu', 'gelu', 'softplus'] as const),
  { elu: 0.7 },
  { leakyRelu: 0.1 },
];

test.each(ACTIVATIONS.map((activation) => [JSON.stringify(activation), activation] as const))(
  'without neurons whose weights are 0 a network with %s answers as with them',
  (_, activation) => {
    const layers = [5, 7, 6, 3];
    const full = [1, 2, 3].map((l) => normals((layers[l] as number) * (layers[l - 1] as number)));
    const stay = [Int32Array.of(0, 2, 3, 6), Int32Array.of(1, 4)];
    for (const [dtype, digits] of [
      ['float64', 12],
      ['float32', 4],
    ] as const) {
      const typed = (values: Float64Array) => (dtype === 'float32' ? Float32Array.from(values) : values);
      const weights = masked(full, rowMasks(full, layers, stay)).map((each) => typed(each as Float64Array));
      const biases = layers.slice(1).map((width) => typed(normals(width)));
      const network = { layers, activation, loss: 'squared-error' } as const;
      const narrow = withoutNeurons(network, { weights, biases }, stay);
      expect(narrow.network.layers).toEqual([5, 4, 2, 3]);
      const x = { data: normals(40 * 5), rows: 40, columns: 5 };
      const [wide, small] = [{ network, weights, biases }, narrow].map(
        (parts) => new Model({ dtype, ...parts }).predictSync(x).outputs.data,
      );
      for (const [i, value] of (wide as Float64Array).entries()) expect(small?.[i]).toBeCloseTo(value, digits);
    }
  },
);
