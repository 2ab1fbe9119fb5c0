/** Trains on random numbers, in a process of its own: an iteration of a full-batch solver at a time, or an epoch of mini-batches. */
import { type Dtype, type TrainOptions, train } from 'dladmm';
import type { IterationRecord, SigmoidRecord } from 'dladmm/solvers';
import { type GradientMethod, gradients, type MinibatchMethod, minibatches } from 'dladmm/solvers';
import { answer, peakRssBytes } from '../harness/child.js';
import { randomSamples, timed, uniform } from '../harness/samples.js';
import { sum } from '../harness/statistics.js';
import type { Solver } from './iteration.js';

interface Network {
  readonly layers: readonly number[];
  readonly samples: number;
  readonly dtype: Dtype;
  readonly threads: number;
}

export type TrainerRequest =
  | (Network & { readonly solver: Solver })
  | (Network & { readonly batch: number; readonly method: Method });
export type Method = GradientMethod | ({ readonly solver: 'minibatch-admm' } & MinibatchMethod);

export type IterationReply = Awaited<ReturnType<Awaited<ReturnType<typeof iterations>>>>;
export type EpochReply = Awaited<ReturnType<Awaited<ReturnType<typeof epochs>>>>;

let next: (() => Promise<IterationReply | EpochReply>) | undefined;

answer<TrainerRequest | 'next', IterationReply | EpochReply | 'ready' | undefined>(async (request) => {
  if (request === 'next') return next?.();
  next = 'solver' in request ? await iterations(request) : await epochs(request);
  return 'ready';
});

async function iterations({ samples, ...its }: Extract<TrainerRequest, { solver: Solver }>) {
  const refreshes = its.solver === 'dladmm';
  // Every second iteration renews the products, so that their cost is seen apart.
  const options = { ...its, iterations: 1e6, ...(refreshes && { refreshEvery: 2 }) } as TrainOptions;
  const training = train(randomSamples(its.layers, samples, its.dtype), options)[Symbol.asyncIterator]();
  const one = async () => {
    const { found, seconds } = await timed(() => training.next());
    if (found.done) throw new Error('the training ended');
    return { updates: (found.value as IterationRecord | SigmoidRecord).updates, seconds };
  };
  for (let warming = 0; warming < 2; warming += 1) await one(); // memory is touched for the first time
  return async () => {
    const [plain, refreshed] = [await one(), await one()];
    const updates: Record<string, number> = {};
    for (const { block, layer, seconds } of plain.updates) {
      const name = `${block}${layer}`;
      updates[name] = (updates[name] ?? 0) + seconds;
    }
    updates['all else'] = plain.seconds - sum(Object.values(updates));
    return {
      /** Wall-clock seconds of one iteration as a user gets it, without evaluation and without a refresh of the products. */
      seconds: plain.seconds,
      /** Seconds of such a refresh. */
      refreshSeconds: refreshes ? Math.max(0, refreshed.seconds - plain.seconds) : 0,
      /** Seconds by update, such as `W2`: both of an iteration where there are two. */
      updates,
      peakRssBytes: peakRssBytes(),
    };
  };
}

const SHORT_RUNS = 40;
const STEPS = 8;

/** A session of the method, and what carries out its steps. */
async function opened({ layers, samples, batch, method, dtype, threads }: Extract<TrainerRequest, { method: Method }>) {
  const data = randomSamples(layers, samples, dtype);
  const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  const common = { network, dtype, threads, batchSize: batch };
  if (method.solver !== 'minibatch-admm') {
    const session = await gradients.open({ ...common, method }, data);
    return { session, run: (steps: number) => session.run(steps) };
  }
  const { solver: _, ...settings } = method;
  const session = await minibatches.open({ ...common, ...settings }, data);
  return { session, run: (steps: number) => session.run(steps, 1e-4) };
}

async function epochs(request: Extract<TrainerRequest, { method: Method }>) {
  const { layers, dtype } = request;
  const { session, run } = await opened(request);
  for (const [i, outputs] of layers.slice(1).entries()) {
    const inputs = layers[i] ?? 1;
    await session.write('W', i + 1, uniform(outputs * inputs, dtype, Math.sqrt(6 / inputs)));
  }
  const steps = async (count: number): Promise<number> => {
    const { found, seconds } = await timed(() => run(count));
    if (found.steps !== count) throw new Error(`the training ended: ${JSON.stringify(found)}`);
    return seconds;
  };
  await run(Math.min(20, session.stepsPerEpoch)); // memory is touched for the first time
  return async () => {
    const seconds = await steps(session.stepsPerEpoch);
    let stepSeconds = Number.POSITIVE_INFINITY;
    for (let i = 0; i < SHORT_RUNS; i += 1) stepSeconds = Math.min(stepSeconds, (await steps(STEPS)) / STEPS);
    /** Wall-clock seconds of an epoch as a user gets it, without evaluation, and a step in the fastest of many short runs: what the machine does while nobody else wants it. */
    return { seconds, stepSeconds, peakRssBytes: peakRssBytes() };
  };
}
