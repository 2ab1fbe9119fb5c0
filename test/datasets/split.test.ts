import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstSamples, shuffledIndices, splitDataset } from '../../src/datasets/split.js';
import { expectFailure } from '../formats/support.js';

/** n samples whose two features and whose label all tell the sample's number. */
const samples = (n: number) => ({
  x: { data: Float64Array.from({ length: 2 * n }, (_, i) => i), rows: n, columns: 2 },
  labels: Int32Array.from({ length: n }, (_, i) => i),
});

describe('splitDataset', () => {
  it('puts every sample, with its own label, into just one part, in order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 50 }),
        fc.double({ min: 0.001, max: 0.999, noNaN: true }),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        (n, share, seed) => {
          const { x, labels } = samples(n);
          const { train, test } = splitDataset(x, labels, share, seed);
          expect([...train.labels, ...test.labels].sort((a, b) => a - b)).toEqual([...labels]);
          expect(test.labels.length).toBe(Math.min(n - 1, Math.max(1, Math.round(share * n))));
          for (const part of [train, test]) {
            expect(part.labels).toEqual(part.labels.toSorted());
            expect([...part.x.data]).toEqual([...part.labels].flatMap((i) => [2 * i, 2 * i + 1]));
          }
        },
      ),
    );
  });

  it('splits targets as it splits labels, and keeps the types', () => {
    const { x, labels } = samples(30);
    const y = { data: Float32Array.from(labels), rows: 30, columns: 1 };
    const byLabels = splitDataset(x, labels, 0.3, 5);
    const byTargets = splitDataset(x, y, 0.3, 5);
    expect(byTargets.test.y.data).toEqual(Float32Array.from(byLabels.test.labels));
    expect(byTargets.test.x.data).toBeInstanceOf(Float64Array);
  });

  it('is decided by the seed, the same on every machine', () => {
    const { x, labels } = samples(100);
    const test = (seed: number) => splitDataset(x, labels, 0.1, seed).test.labels;
    expect(test(1)).toEqual(test(1));
    expect(test(1)).not.toEqual(test(2));
    expect([...shuffledIndices(10, 0)]).toEqual([3, 7, 6, 9, 4, 1, 8, 0, 2, 5]);
  });

  it('does not favour any sample', () => {
    const { x, labels } = samples(10);
    const seen = new Array<number>(10).fill(0);
    const seeds = 5000;
    for (let seed = 0; seed < seeds; seed++)
      for (const label of splitDataset(x, labels, 0.3, seed).test.labels) seen[label] = (seen[label] as number) + 1;
    // Each count is binomial: 1500 expected, standard deviation 32.
    for (const count of seen) expect(Math.abs(count - 0.3 * seeds)).toBeLessThan(5 * 32.4);
  });

  it('refuses parts that do not fit together, shares and seeds out of range, and a single sample', async () => {
    const { x, labels } = samples(4);
    await expectFailure(() => splitDataset(x, labels.subarray(1), 0.5, 0), 'ERR_DLADMM_SHAPE', '4 labels', '3');
    for (const share of [0, 1, -0.5, Number.NaN])
      await expectFailure(() => splitDataset(x, labels, share, 0), 'ERR_DLADMM_RANGE', 'testShare');
    for (const seed of [-1, 0.5, 2 ** 32, Number.NaN])
      await expectFailure(() => splitDataset(x, labels, 0.5, seed), 'ERR_DLADMM_RANGE', 'seed');
    const one = samples(1);
    await expectFailure(() => splitDataset(one.x, one.labels, 0.5, 0), 'ERR_DLADMM_RANGE', '2 samples');
  });
});

describe('firstSamples', () => {
  it('takes the first rows with their labels or targets, or all there are', () => {
    const x = { data: Float32Array.of(1, 2, 3, 4, 5, 6), rows: 3, columns: 2 };
    const y = { data: Float32Array.of(7, 8, 9), rows: 3, columns: 1 };
    const some = firstSamples({ x, labels: Int32Array.of(0, 1, 2) }, 2);
    expect(some).toEqual({ x: { data: x.data.slice(0, 4), rows: 2, columns: 2 }, labels: Int32Array.of(0, 1) });
    expect(firstSamples({ x, y }, 1)).toEqual({
      x: { data: Float32Array.of(1, 2), rows: 1, columns: 2 },
      y: { data: Float32Array.of(7), rows: 1, columns: 1 },
    });
    expect(firstSamples({ x, y }, 5)).toEqual({ x, y });
  });
});
