import { expect, test } from 'vitest';
import { roundsOf } from '../../dist/bench/scaling/schedule.js';
import { native } from '../../dist/core/native.js';
import { Model } from '../../dist/index.js';

/** The flops that rounds of one row count as, of a network with every so-manyth weight: those that the calling thread runs by itself. */
function worthOfARow(every: number, threads: number): readonly number[] {
  const layers = [784, 1000, 1000, 10];
  const weights = layers.slice(1).map((outputs, l) => {
    const W = new Float32Array(outputs * (layers[l] as number));
    for (let i = 0; i < W.length; i += every) W[i] = 1e-3;
    return W;
  });
  const biases = layers.slice(1).map((outputs) => new Float32Array(outputs));
  const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  using model = new Model({ network, dtype: 'float32', weights, biases, threads });
  native.traceRounds(true);
  model.predictSync({ data: new Float32Array(784).fill(1), rows: 1, columns: 784 });
  return roundsOf(native.traceRounds(false)).map(({ flops }) => flops);
}

test('a layer of few weights is shared as one of all, unless one thread is faster than all threads with all weights', () => {
  const dense = worthOfARow(1, 1);
  expect(dense).toHaveLength(3);
  // Two threads may have shared some of these, and then they are not told.
  for (const flops of worthOfARow(10, 2)) expect(dense).toContain(flops);
  const [alone = Number.NaN] = worthOfARow(10, 1);
  expect(alone).toBeLessThan(dense[0] as number);
  const [few = Number.NaN] = worthOfARow(50, 2);
  expect(few).toBeLessThan((dense[0] as number) / 4);
});
