/**
 * How late a 10 ms timer fires while a training runs, loading of the data included.
 */
import { train } from 'dladmm';
import { availableThreads } from './harness/internals.js';
import { count, layers, program } from './harness/program.js';
import { machine } from './harness/results.js';
import { randomSamples } from './harness/samples.js';
import { quantile } from './harness/statistics.js';

const PERIOD = 10;

const OPTIONS = { layers: layers('784-500-500-10'), samples: count(60_000), seconds: count(20) };

await program(OPTIONS, async ({ layers, samples, seconds }) => {
  const data = randomSamples(layers, samples);
  const lateness: number[] = [];
  let due = performance.now() + PERIOD;
  const tick = (): void => {
    const now = performance.now();
    lateness.push(Math.max(0, now - due));
    due = now + PERIOD;
    timer = setTimeout(tick, PERIOD);
  };
  let timer = setTimeout(tick, PERIOD);
  const end = AbortSignal.timeout(seconds * 1000);
  let iterations = 0;
  for await (const _ of train(data, { solver: 'dladmm', layers, iterations: 1e6, signal: end })) iterations += 1;
  clearTimeout(timer);

  const result = {
    layers: layers.join('-'),
    samples,
    iterations,
    timers: lateness.length,
    medianMs: quantile(lateness, 0.5),
    p99Ms: quantile(lateness, 0.99),
    p999Ms: quantile(lateness, 0.999),
    largestMs: Math.max(...lateness),
    ...machine(availableThreads()),
  };
  const text = [
    `${result.timers} timers of ${PERIOD} ms beside ${iterations} iterations of ${result.layers}, ${samples} samples`,
    `late by ${result.medianMs.toFixed(2)} ms (median), ${result.p99Ms.toFixed(2)} ms (99 %), ${result.p999Ms.toFixed(2)} ms (99.9 %), ${result.largestMs.toFixed(2)} ms at most`,
  ].join('\n');
  return { result, text };
});
