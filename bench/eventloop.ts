/**
 * How late a 10 ms timer fires while a training runs, loading of the data included.
 *
 *     npm run --silent bench:eventloop -- [--layers 784-500-500-10] [--samples 60000] [--seconds 20] [--json]
 */
import { parseArgs } from 'node:util';
import { train } from 'dladmm';
import { quantile } from './statistics.js';

const PERIOD = 10;

const { values } = parseArgs({
  options: {
    layers: { type: 'string', default: '784-500-500-10' },
    samples: { type: 'string', default: '60000' },
    seconds: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
});
const layers = values.layers.split('-').map(Number);
const samples = Number(values.samples);
const x = new Float32Array(samples * (layers[0] ?? 0)).map(() => Math.max(0, 2 * Math.random() - 1));
const labels = Int32Array.from({ length: samples }, () => Math.floor(Math.random() * (layers.at(-1) ?? 1)));

const lateness: number[] = [];
let due = performance.now() + PERIOD;
const tick = (): void => {
  const now = performance.now();
  lateness.push(Math.max(0, now - due));
  due = now + PERIOD;
  timer = setTimeout(tick, PERIOD);
};
let timer = setTimeout(tick, PERIOD);

const end = AbortSignal.timeout(Number(values.seconds) * 1000);
let iterations = 0;
for await (const _ of train({ x, labels }, { layers, iterations: 1e6, signal: end })) iterations += 1;
clearTimeout(timer);

const result = {
  layers: values.layers,
  samples,
  iterations,
  timers: lateness.length,
  medianMs: quantile(lateness, 0.5),
  p99Ms: quantile(lateness, 0.99),
  p999Ms: quantile(lateness, 0.999),
  largestMs: Math.max(...lateness),
};
if (values.json) console.log(JSON.stringify(result));
else {
  console.log(
    `${result.timers} timers of ${PERIOD} ms beside ${iterations} iterations of ${values.layers}, ${samples} samples`,
  );
  console.log(
    `late by ${result.medianMs.toFixed(2)} ms (median), ${result.p99Ms.toFixed(2)} ms (99 %), ${result.p999Ms.toFixed(2)} ms (99.9 %), ${result.largestMs.toFixed(2)} ms at most`,
  );
}
