/** Trains on random numbers, an iteration at a time. */

import { type IterationRecord, type SigmoidRecord, train } from 'dladmm';
import { native } from '#native';
import { answer } from './child.js';
import type { IterationReply, IterationRequest } from './messages.js';

/** Every second iteration renews the products, so that their cost is seen apart. */
const REFRESH_EVERY = 2;

let iterator: AsyncGenerator<IterationRecord | SigmoidRecord, void, undefined> | undefined;
let refreshes = true;

answer<IterationRequest, IterationReply | 'ready'>(async (request) => {
  if (request === 'iterate') return measure();
  iterator = begin(request);
  await next(); // warms up: memory is touched for the first time
  await next();
  return 'ready';
});

function begin({ solver, layers, samples, dtype, threads }: Exclude<IterationRequest, string>) {
  const inputs = layers[0] ?? 0;
  const x = dtype === 'float32' ? new Float32Array(samples * inputs) : new Float64Array(samples * inputs);
  for (let i = 0; i < x.length; i += 1) x[i] = Math.max(0, 2 * Math.random() - 1);
  const labels = Int32Array.from({ length: samples }, () => Math.floor(Math.random() * (layers.at(-1) ?? 1)));
  const options = { layers, dtype, threads, iterations: 1e6 };
  refreshes = solver === 'dladmm';
  return solver === 'dladmm'
    ? train({ x, labels }, { ...options, refreshEvery: REFRESH_EVERY })[Symbol.asyncIterator]()
    : train({ x, labels }, { ...options, solver })[Symbol.asyncIterator]();
}

async function next(): Promise<{ record: IterationRecord | SigmoidRecord; seconds: number }> {
  const began = performance.now();
  const step = await iterator?.next();
  if (step === undefined || step.done) throw new Error('the training ended');
  return { record: step.value, seconds: (performance.now() - began) / 1000 };
}

async function measure(): Promise<IterationReply> {
  const plain = await next();
  const refreshed = await next();
  const kinds: Record<string, number> = {};
  for (const { block, layer, seconds } of plain.record.updates) {
    const kind = block === 'z' ? (layer === plain.record.residuals.length ? 'z of the output' : 'z hidden') : block;
    kinds[kind] = (kinds[kind] ?? 0) + seconds;
  }
  kinds['all else'] = plain.seconds - plain.record.updates.reduce((sum, { seconds }) => sum + seconds, 0);
  return {
    seconds: plain.seconds,
    refreshSeconds: refreshes ? Math.max(0, refreshed.seconds - plain.seconds) : 0,
    kinds,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    core: native.info().core,
  };
}
