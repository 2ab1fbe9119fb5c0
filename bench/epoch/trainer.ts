/** Trains on random numbers, an epoch at a time. */
import { type GradientSession, gradients, type MinibatchSession, minibatches } from 'dladmm';
import { native } from '#native';
import { answer } from '../iteration/child.js';
import type { EpochReply, EpochRequest } from './messages.js';

const SHORT_RUNS = 40;
const STEPS = 8;

/** A state under training, whichever solver it belongs to. */
interface Trained {
  readonly stepsPerEpoch: number;
  readonly run: (steps: number) => Promise<{ readonly steps: number }>;
}

let state: Trained | undefined;

answer<EpochRequest, EpochReply | 'ready'>(async (request) => {
  if (request === 'epoch') return epoch();
  state = await begin(request);
  await state.run(Math.min(20, state.stepsPerEpoch)); // warms up: memory is touched for the first time
  return 'ready';
});

async function begin({
  layers,
  samples,
  batch,
  method,
  dtype,
  threads,
}: Exclude<EpochRequest, string>): Promise<Trained> {
  const inputs = layers[0] ?? 0;
  const numbers = (length: number): Float32Array | Float64Array =>
    dtype === 'float32' ? new Float32Array(length) : new Float64Array(length);
  const x = numbers(samples * inputs);
  for (let i = 0; i < x.length; i += 1) x[i] = Math.max(0, 2 * Math.random() - 1);
  const labels = Int32Array.from({ length: samples }, () => Math.floor(Math.random() * (layers.at(-1) ?? 1)));
  const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  const common = { network, dtype, threads, batchSize: batch };
  if (method.solver === 'minibatch-admm') {
    const { solver: _, ...settings } = method;
    const made = await minibatches.open({ ...common, ...settings }, { x, labels });
    await drawWeights(made, layers, numbers);
    return { stepsPerEpoch: made.stepsPerEpoch, run: (steps) => made.run(steps, 1e-4) };
  }
  const made = await gradients.open({ ...common, method }, { x, labels });
  await drawWeights(made, layers, numbers);
  return { stepsPerEpoch: made.stepsPerEpoch, run: (steps) => made.run(steps) };
}

async function drawWeights(
  made: GradientSession | MinibatchSession,
  layers: readonly number[],
  numbers: (length: number) => Float32Array | Float64Array,
): Promise<void> {
  for (let l = 1; l < layers.length; l += 1) {
    const fanIn = layers[l - 1] ?? 1;
    const weights = numbers((layers[l] ?? 0) * fanIn);
    for (let i = 0; i < weights.length; i += 1) weights[i] = (2 * Math.random() - 1) * Math.sqrt(6 / fanIn);
    await made.write('W', l, weights);
  }
}

/** Wall-clock seconds of some steps. */
async function timed(steps: number): Promise<number> {
  const began = performance.now();
  const record = await state?.run(steps);
  if (record?.steps !== steps) throw new Error(`the training ended: ${JSON.stringify(record)}`);
  return (performance.now() - began) / 1000;
}

async function epoch(): Promise<EpochReply> {
  const seconds = await timed(state?.stepsPerEpoch ?? 0);
  let stepSeconds = Number.POSITIVE_INFINITY;
  for (let run = 0; run < SHORT_RUNS; run += 1) stepSeconds = Math.min(stepSeconds, (await timed(STEPS)) / STEPS);
  return { seconds, stepSeconds, peakRssBytes: process.resourceUsage().maxRSS * 1024, core: native.info().core };
}
