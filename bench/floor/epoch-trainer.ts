/** Trains on random numbers, an epoch at a time. */
import type { Dtype } from 'dladmm';
import {
  type GradientMethod,
  type GradientSession,
  gradients,
  type MinibatchMethod,
  type MinibatchSession,
  minibatches,
} from 'dladmm/solvers';
import { answer, peakRssBytes } from '../harness/child.js';
import { randomSamples, uniform } from '../harness/samples.js';

export type EpochRequest =
  | {
      readonly layers: readonly number[];
      readonly samples: number;
      readonly batch: number;
      readonly method: GradientMethod | ({ readonly solver: 'minibatch-admm' } & MinibatchMethod);
      readonly dtype: Dtype;
      readonly threads: number;
    }
  | 'epoch';

export interface EpochReply {
  /** Wall-clock seconds of one epoch as a user gets it, without evaluation. */
  readonly seconds: number;
  /** Seconds a step in the fastest of many short runs: what the machine does while nobody else wants it. */
  readonly stepSeconds: number;
  readonly peakRssBytes: number;
}

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

async function begin(request: Exclude<EpochRequest, string>): Promise<Trained> {
  const { layers, samples, batch, method, dtype, threads } = request;
  const data = randomSamples(layers, samples, dtype);
  const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  const common = { network, dtype, threads, batchSize: batch };
  if (method.solver === 'minibatch-admm') {
    const { solver: _, ...settings } = method;
    const made = await minibatches.open({ ...common, ...settings }, data);
    await drawWeights(made, layers, dtype);
    return { stepsPerEpoch: made.stepsPerEpoch, run: (steps) => made.run(steps, 1e-4) };
  }
  const made = await gradients.open({ ...common, method }, data);
  await drawWeights(made, layers, dtype);
  return { stepsPerEpoch: made.stepsPerEpoch, run: (steps) => made.run(steps) };
}

async function drawWeights(made: GradientSession | MinibatchSession, layers: readonly number[], dtype: Dtype) {
  for (const [i, outputs] of layers.slice(1).entries()) {
    const inputs = layers[i] ?? 1;
    await made.write('W', i + 1, uniform(outputs * inputs, dtype, Math.sqrt(6 / inputs)));
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
  return { seconds, stepSeconds, peakRssBytes: peakRssBytes() };
}
