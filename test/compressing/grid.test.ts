/** The nearest weights of a few bits. */
import { describe, expect, test } from 'vitest';
import { exactly, nearestOnGrid, scaleOf } from '../../src/compressing/grid.js';
import { seededRandom } from '../../src/core/random.js';
import { codesOf, GRID_NAMES, type Grid, gridOf } from '../../src/model/quantisation.js';

const random = seededRandom(5);
const normals = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal());

/** All that a code may be. */
const codesIn = (grid: Grid): readonly number[] =>
  Array.from({ length: 255 }, (_, i) => i - 127).filter((code) => gridOf(grid).nearest(code) === code);

const errorOf = (row: Float32Array, scale: number, grid: Grid): number =>
  row.reduce((sum, w) => sum + (w - scale * gridOf(grid).nearest(w / scale)) ** 2, 0);

describe.each(GRID_NAMES)('%s', (grid) => {
  test('has 255, 15 or 15 codes, of either sign', () => {
    const codes = codesIn(grid);
    expect(codes).toHaveLength(grid === 'int8' ? 255 : 15);
    expect(codes.map((code) => 0 - code).toReversed()).toEqual(codes);
    expect(codes.at(-1)).toBe(gridOf(grid).most);
  });

  test('takes a number to the nearest code, by trying all of them', () => {
    const codes = codesIn(grid);
    for (let i = 0; i < 2000; i += 1) {
      const x = 150 * random.normal() * random.uniform() ** 3;
      const least = Math.min(...codes.map((code) => Math.abs(x - code)));
      const found = gridOf(grid).nearest(x);
      expect(codes).toContain(found + 0);
      expect(Math.abs(x - found)).toBe(least);
    }
  });

  test('has the scale of least squared error, by trying thousands', () => {
    for (const count of [1, 2, 5, 40, 300]) {
      for (let i = 0; i < 5; i += 1) {
        const row = normals(count).map((w) => 10 ** (i - 2) * w ** (i % 2 ? 3 : 1));
        const largest = row.reduce((so, w) => Math.max(so, Math.abs(w)), 0);
        const { most } = gridOf(grid);
        const tried =
          grid === 'powers-of-two'
            ? Array.from({ length: 300 }, (_, k) => 2 ** (k - 149))
            : Array.from({ length: 4000 }, (_, k) => ((0.2 + k / 3000) * largest) / most);
        const least = Math.min(...tried.map((scale) => errorOf(row, scale, grid)));
        const found = errorOf(row, scaleOf(row, grid), grid);
        // By turns it ends where neither codes nor scale alone can be better: of a fine grid and a short row in many places.
        const slack = grid === 'powers-of-two' ? 1 : grid === 'int4' ? 1.02 : count < 40 ? 1e9 : 1.1;
        expect(found).toBeLessThanOrEqual(slack * least + 1e-9 * largest ** 2);
        if (grid !== 'powers-of-two')
          expect(found).toBeLessThanOrEqual(errorOf(row, Math.fround(largest / most), grid));
      }
    }
  });

  test('is what weights are projected onto, each row by its own scale, and no weight of it moves', () => {
    const layers = [7, 5, 3];
    const weights = [normals(35), normals(15)].map((each) => each.map((w, i) => w * 10 ** (i % 3)));
    weights[1]?.fill(0, 0, 5);
    for (const dtype of ['float32', 'float64'] as const) {
      const { V, scales } = nearestOnGrid(weights, layers, { grid, dtype, scales: undefined });
      expect(scales.map(({ length }) => length)).toEqual([5, 3]);
      expect([...(V[1] as Float32Array)].slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
      for (const [l, own] of V.entries()) {
        for (const code of codesOf(own, scales[l] as Float32Array)) expect(codesIn(grid)).toContain(code);
      }
      expect(nearestOnGrid(V, layers, { grid, dtype, scales }).V).toEqual(V);
      expect(
        exactly(
          V.map((each) => each.map((w: number) => w * (1 + 1e-7)) as Float32Array),
          scales,
          dtype,
        ),
      ).toEqual(V);
    }
  });

  test('holds what is very small, and what is nearly too large', () => {
    for (const size of [1e-44, 1e-30, 1e30, 3e38]) {
      const row = Float32Array.of(size, -size / 3, 0);
      const scale = scaleOf(row, grid);
      expect(scale).toBe(Math.fround(scale));
      expect(scale).toBeGreaterThan(0);
      const [first = 0] = nearestOnGrid([row], [3, 1], { grid, dtype: 'float32', scales: undefined }).V[0] ?? [];
      expect(Number.isFinite(first)).toBe(true);
    }
  });
});

test('powers of two are powers of two', () => {
  const { V } = nearestOnGrid([normals(600)], [30, 20], { grid: 'powers-of-two', dtype: 'float32', scales: undefined });
  for (const w of V[0] as Float32Array) if (w !== 0) expect(Number.isInteger(Math.log2(Math.abs(w)))).toBe(true);
});
