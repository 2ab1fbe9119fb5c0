/** Trains on random numbers, an iteration at a time. */
import { type Dtype, train } from 'dladmm';
import type { IterationRecord, SigmoidRecord } from 'dladmm/solvers';
import { answer, peakRssBytes } from '../harness/child.js';
import { randomSamples } from '../harness/samples.js';
import type { Solver } from './iteration.js';

export type IterationRequest =
  | {
      readonly solver: Solver;
      readonly layers: readonly number[];
      readonly samples: number;
      readonly dtype: Dtype;
      readonly threads: number;
    }
  | 'iterate';

export interface IterationReply {
  /** Wall-clock seconds of one iteration as a user gets it, without evaluation and without a refresh of the products. */
  readonly seconds: number;
  /** Seconds of such a refresh. */
  readonly refreshSeconds: number;
  /** Seconds by update, such as `W2`: both of an iteration where there are two. */
  readonly updates: Readonly<Record<string, number>>;
  readonly peakRssBytes: number;
}

/** Every second iteration renews the products, so that their cost is seen apart. */
const REFRESH_EVERY = 2;

let iterator: AsyncIterator<IterationRecord | SigmoidRecord, void, undefined> | undefined;
let refreshes = true;

answer<IterationRequest, IterationReply | 'ready'>(async (request) => {
  if (request === 'iterate') return measure();
  iterator = begin(request);
  await next(); // warms up: memory is touched for the first time
  await next();
  return 'ready';
});

function begin({ solver, layers, samples, dtype, threads }: Exclude<IterationRequest, string>) {
  const data = randomSamples(layers, samples, dtype);
  const options = { layers, dtype, threads, iterations: 1e6 };
  refreshes = solver === 'dladmm';
  return solver === 'dladmm'
    ? train(data, { ...options, solver, refreshEvery: REFRESH_EVERY })[Symbol.asyncIterator]()
    : train(data, { ...options, solver })[Symbol.asyncIterator]();
}

async function next(): Promise<{ readonly record: IterationRecord | SigmoidRecord; readonly seconds: number }> {
  const began = performance.now();
  const step = await iterator?.next();
  if (step === undefined || step.done) throw new Error('the training ended');
  return { record: step.value, seconds: (performance.now() - began) / 1000 };
}

async function measure(): Promise<IterationReply> {
  const plain = await next();
  const refreshed = await next();
  const updates: Record<string, number> = {};
  for (const { block, layer, seconds } of plain.record.updates) {
    const name = `${block}${layer}`;
    updates[name] = (updates[name] ?? 0) + seconds;
  }
  updates['all else'] = plain.seconds - plain.record.updates.reduce((sum, { seconds }) => sum + seconds, 0);
  return {
    seconds: plain.seconds,
    refreshSeconds: refreshes ? Math.max(0, refreshed.seconds - plain.seconds) : 0,
    updates,
    peakRssBytes: peakRssBytes(),
  };
}
