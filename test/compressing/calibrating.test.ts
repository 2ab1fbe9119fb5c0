/** What comes into every layer, as whole numbers. */
import { describe, expect, test } from 'vitest';
import { calibrated, inputGrid } from '../../src/compressing/calibrating.js';
import { seededRandom } from '../../src/core/random.js';
import { Model } from '../../src/index.js';

const place = (value: number, { scale, zero }: { readonly scale: number; readonly zero: number }): number =>
  scale * (Math.min(127, Math.max(0, Math.round(value / scale) + zero)) - zero);

describe('the grid of some values', () => {
  test.each([
    [[0, 0.5, 1], 0],
    [[-1, 0.25, 1], 64],
    [[-3, -2], 127],
  ])('of %j has 0 among its places, code %d', (values, zero) => {
    const grid = inputGrid(values);
    expect(grid.zero).toBe(zero);
    expect(place(0, grid)).toBe(0);
    for (const value of values) expect(Math.abs(place(value, grid) - value)).toBeLessThan(grid.scale);
  });

  test('of zeros is one of scale 1', () => {
    expect(inputGrid([0, 0])).toEqual({ scale: 1, zero: 0 });
  });

  test('cuts one large value off where the others gain more', () => {
    const { uniform } = seededRandom(1);
    const values = [...Array.from({ length: 10_000 }, uniform), 1.9];
    expect(inputGrid(values).scale).toBeLessThan(1.9 / 127);
  });
});

describe('biases', () => {
  test.each(['relu', 'tanh'] as const)(
    'take back what rounding moves the outputs of each layer by, %s',
    async (activation) => {
      const layers = [5, 7, 4, 3];
      const { normal, uniform } = seededRandom(2);
      const drawn = (length: number) => Float64Array.from({ length }, normal);
      const weights = layers.slice(1).map((width, l) => drawn(width * (layers[l] as number)));
      const biases = layers.slice(1).map(drawn);
      const network = { layers, activation, loss: 'softmax-cross-entropy' } as const;
      using model = new Model({ network, dtype: 'float64', weights, biases, classes: ['a', 'b', 'c'] });
      const rows = 50;
      // Most rows have a value in the first column that is no place of the grid.
      const x = {
        data: drawn(rows * 5).map((value, i) => (i % 5 === 0 && uniform() < 0.9 ? -0.147 : 3 * value)),
        rows,
        columns: 5,
      };
      const found = await calibrated(model, { x });
      const f = (z: number) => (activation === 'relu' ? Math.max(0, z) : Math.tanh(z));
      let h = Array.from({ length: rows }, (_, i) => [...x.data.subarray(5 * i, 5 * i + 5)]);
      let near = h;
      for (const [l, W] of weights.entries()) {
        const grid = found?.activations[l] ?? { scale: 1, zero: 0 };
        const says = (inputs: readonly (readonly number[])[], b: ArrayLike<number> = []) =>
          inputs.map((row) =>
            Array.from(b, (bias, j) => row.reduce((sum, value, k) => sum + value * (W[j * row.length + k] ?? 0), bias)),
          );
        const z = says(h, biases[l]);
        const rounded = near.map((row) => row.map((value) => place(value, grid)));
        const zNear = says(rounded, found?.biases[l]);
        for (const j of biases[l]?.keys() ?? []) {
          const mean = (all: readonly (readonly number[])[]) => all.reduce((sum, row) => sum + (row[j] ?? 0), 0) / rows;
          expect(mean(zNear), `layer ${l + 1}, neuron ${j + 1}`).toBeCloseTo(mean(z), 12);
        }
        [h, near] = [z, zNear].map((all) => all.map((row) => row.map(f))) as [number[][], number[][]];
      }
      expect(found?.biases[0]).not.toEqual(biases[0]);
    },
  );
});
