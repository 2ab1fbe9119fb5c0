/** Aborts by the dozen, at any moment, with every kind of solver. DLADMM_SOAK=1 asks for hundreds. */
import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { fit as fitModel, type TrainOptions } from '../../src/index.js';
import { drills } from '../children/drills.js';

const SAMPLES = 300;
const DATA = {
  x: Float32Array.from({ length: SAMPLES * 12 }, (_, i) => Math.sin(i)),
  labels: Int32Array.from({ length: SAMPLES }, (_, i) => i % 3),
};
const ENDLESS = 1_000_000;
const SOLVERS: readonly Partial<TrainOptions>[] = [
  { nu: 1, rho: 1, iterations: ENDLESS },
  { solver: 'inversion-admm', iterations: ENDLESS },
  { solver: 'sigmoid-admm', activation: 'sigmoid', loss: 'one-hot-squared-error', iterations: ENDLESS },
  { solver: 'variable-metric-admm', iterations: ENDLESS },
  { solver: 'minibatch-admm', epochs: ENDLESS, batchSize: 16 },
  { solver: 'adam', epochs: ENDLESS, batchSize: 16 },
  { solver: 'badm', epochs: ENDLESS, batchSize: 16 },
];
const begin = (i: number, signal: AbortSignal) =>
  fitModel(DATA, { layers: [12, 20, 3], threads: 1 + (i % 2), ...SOLVERS[i % SOLVERS.length], signal } as TrainOptions);

test('a training that is aborted at any moment says so, has a model, and leaves no listener', async () => {
  for (let i = 0; i < drills(30, 600); i++) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), (i * 3) % 17);
    const { status, model } = await begin(i, controller.signal);
    expect(status).toEqual({ kind: 'aborted' });
    expect(model.weights[0]?.every(Number.isFinite)).toBe(true);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    model.close();
  }
});

test('one signal ends as many trainings as listen to it', async () => {
  const controller = new AbortController();
  const running = Array.from({ length: drills(12, 200) }, (_, i) => begin(i, controller.signal));
  setTimeout(() => controller.abort(), 200);
  for (const { status, model } of await Promise.all(running)) {
    expect(status).toEqual({ kind: 'aborted' });
    model.close();
  }
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
});
