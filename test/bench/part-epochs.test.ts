import { fit, type TrainOptions } from 'dladmm';
import { expect, test } from 'vitest';
import { inParts, iterationsOf } from '../../dist/bench/harness/part-epochs.js';

const x = { data: Float32Array.from({ length: 100 }, (_, i) => Math.sin(i)), rows: 50, columns: 2 };
const labels = Int32Array.from({ length: 50 }, (_, i) => i % 2);

/** Batches so far and the rate of the last one, after each iteration; five batches are an epoch. */
async function paceOf(options: object) {
  const given = {
    layers: [2, 3, 2],
    batchSize: 10,
    seed: 1,
    threads: 1,
    learningRate: 0.1,
    ...options,
  } as TrainOptions;
  const { history, model } = await fit({ x, labels }, given);
  model.close();
  return (history as readonly object[]).map(
    (each) => each as { readonly steps: number; readonly learningRate: number },
  );
}
/** The rate of the last of so many batches along a cosine. */
const lastOf = (steps: number): number => 0.05 * (1 + Math.cos((Math.PI * (steps - 1)) / steps));

test.each(['minibatch-admm', 'sgd'])(
  'an iteration of %s has as many batches as told, and its cosine ends with it',
  async (name) => {
    const solver = iterationsOf(name, (perEpoch) => Math.floor(1.5 * perEpoch));
    const [only] = await paceOf({ solver, epochs: 1, learningRateSchedule: 'cosine' });
    expect(only?.steps).toBe(7);
    expect(only?.learningRate).toBeCloseTo(lastOf(7), 12);
  },
);

test('parts of an epoch are iterations of one cosine', async () => {
  const parts = await paceOf({ solver: inParts('sgd', 2), epochs: 4, learningRateSchedule: 'cosine' });
  expect(parts.map(({ steps }) => steps)).toEqual([3, 3, 3, 3]);
  expect(parts.at(-1)?.learningRate).toBeCloseTo(lastOf(12), 12);
});
