import { describe, expect, test } from 'vitest';
import { fit, type Network } from '../../src/index.js';
import { minibatches } from '../../src/solvers.js';
import { foof, kfac } from '../reference/curvature.js';
import { trainPlainly, type Vector } from '../reference/gradient.js';
import { forAddon, places, relativeGap, samplesFor, startFor } from '../reference/gradient-addon.js';

const NETWORK: Network = { layers: [5, 7, 6, 3], activation: 'relu', loss: 'softmax-cross-entropy' };
const SAMPLES = samplesFor(NETWORK, 40);
const START = startFor(NETWORK);

describe("our methods beside their nearest relatives'", () => {
  test.each([0, 0.5])(
    'mini-batch dlADMM without momentum and low rank is FOOF, with a memory of %d',
    async (memory) => {
      const damping = 0.7;
      const own = { factors: 'input', gram: 'full', gramEvery: 1, momentum: 0, nesterov: false } as const;
      using state = await minibatches.open(
        {
          network: NETWORK,
          dtype: 'float64',
          threads: 2,
          batchSize: 8,
          seed: 5,
          gramMemory: memory,
          ...own,
          relativeDamping: damping,
        },
        forAddon(SAMPLES),
      );
      for (const { block, layer, first, count } of places(NETWORK)) {
        await state.write(block, layer, START.subarray(first, first + count));
      }
      const rule = foof(NETWORK, SAMPLES, memory, (mean) => damping * mean);
      const plain = trainPlainly(NETWORK, SAMPLES, START, { batchSize: 8, seed: 5 }, rule, () => 0.1);
      for (let t = 1; t <= 50; t += 1) {
        await state.run(1, 0.1);
        const parts = await Promise.all([...places(NETWORK)].map(({ block, layer }) => state.read(block, layer)));
        const w = Float64Array.from(parts.flatMap(({ data }) => [...data]));
        expect(relativeGap(w, plain.next().value.w)).toBeLessThan(1e-9);
      }
    },
  );

  // K-FAC damps both factors of a layer by one share of their mean eigenvalues.
  test('a layer steps in mini-batch dlADMM, with both factors and no momentum, where it does in K-FAC', async () => {
    const { rule, shares } = kfac(NETWORK, SAMPLES, 3, { damping: 0.02, l2: 0 });
    const plain = trainPlainly(NETWORK, SAMPLES, START, { batchSize: 40, shuffle: false }, rule).next().value.w;
    for (const [l, share] of shares.entries()) {
      const own = {
        factors: 'both',
        gram: 'full',
        rank: 100,
        momentum: 0,
        relativeDamping: share,
        outputDamping: share,
      } as const;
      using state = await minibatches.open(
        { network: NETWORK, dtype: 'float64', threads: 2, batchSize: 40, seed: 3, ...own },
        forAddon(SAMPLES),
      );
      for (const { block, layer, first, count } of places(NETWORK)) {
        await state.write(block, layer, START.subarray(first, first + count));
      }
      await state.run(1, 0.01);
      for (const { block, layer, first, count } of places(NETWORK)) {
        if (layer !== l + 1) continue;
        const { data } = await state.read(block, layer);
        const moved = (w: ArrayLike<number>): Float64Array =>
          Float64Array.from({ length: count }, (_, j) => (w[j] ?? Number.NaN) - (START[first + j] ?? Number.NaN));
        const [ours, theirs] = [moved(data), moved(plain.subarray(first, first + count))];
        const longer = Math.hypot(...theirs) / Math.hypot(...ours);
        const scaled = ours.map((value) => longer * value);
        expect(relativeGap(scaled, theirs)).toBeLessThan(1e-8);
      }
    }
  });

  test('a layer steps in variable-metric ADMM, with both metrics, where it does in K-FAC', async () => {
    const settings = { damping: 0.02, l2: 0 };
    const { rule, shares } = kfac(NETWORK, SAMPLES, 3, settings);
    const plain = trainPlainly(NETWORK, SAMPLES, START, { batchSize: 40, shuffle: false }, rule).next().value.w;
    const of = (w: Vector, wanted: 'W' | 'b'): Float64Array[] =>
      [...places(NETWORK)]
        .filter(({ block }) => block === wanted)
        .map(({ first, count }) => w.slice(first, first + count));
    const initialisation = { weights: of(START, 'W'), biases: of(START, 'b') };
    for (const [l, share] of shares.entries()) {
      const { model, history } = await fit(forAddon(SAMPLES), {
        ...{ solver: 'variable-metric-admm', ...NETWORK, dtype: 'float64', seed: 3, initialisation },
        ...{ iterations: 1, learningRate: 0.01, relativeDamping: share, outputDamping: share },
      });
      expect(history[0]).toMatchObject({ kept: true });
      const moved = (W: ArrayLike<number>): Float64Array =>
        Float64Array.from(initialisation.weights[l] ?? [], (value, j) => (W[j] ?? Number.NaN) - value);
      const [own, other] = [moved(model.weights[l] ?? []), moved(of(plain, 'W')[l] ?? [])];
      const longer = Math.hypot(...other) / Math.hypot(...own);
      expect(
        relativeGap(
          own.map((value) => longer * value),
          other,
        ),
      ).toBeLessThan(1e-8);
      model.close();
    }
  });
});
