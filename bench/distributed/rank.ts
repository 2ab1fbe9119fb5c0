/** What one rank finds, or one process by itself: rank 0 prints it as JSON. Started by bench/distributed.ts. */
import { fit } from 'dladmm';
import { native, ranksHere } from '../harness/internals.js';
import { median } from '../harness/statistics.js';

/** What is to be trained, and how. */
export interface RankRequest {
  readonly solver: 'dladmm' | 'adam' | 'minibatch-admm';
  readonly layers: readonly number[];
  readonly samples: number;
  readonly iterations: number;
  readonly batchSize?: number;
  readonly dtype: 'float32' | 'float64';
  readonly threads: number;
  readonly distributed: boolean;
}

export interface RankReply {
  /** The median of an iteration but for the first. */
  readonly seconds: number;
  /** Of the last iteration. */
  readonly calls: number;
  readonly bytes: number;
  /** Of an all-reduce of three numbers, and of a byte more of a long one. */
  readonly latency: number;
  readonly secondsPerByte: number;
  readonly parameters: readonly number[];
}

const LONG = 1 << 20;

/** The median of several such calls. */
async function secondsOf(numbers: number): Promise<number> {
  const ranks = new native.Ranks();
  const seconds: number[] = [];
  for (let turn = 0; turn < 31; turn += 1) {
    const values = new Float64Array(numbers);
    const began = performance.now();
    await ranks.largest(values);
    seconds.push((performance.now() - began) / 1000);
  }
  return median(seconds);
}

const { samples, ...options } = JSON.parse(process.argv[2] ?? '') as RankRequest;
const [inputs = 1, classes = 1] = [options.layers[0], options.layers.at(-1)];
// The same on every rank: half of the features zero, as pixels are.
const x = new Float32Array(samples * inputs).map((_, i) => Math.max(0, Math.sin(i * 12.9898) * Math.cos(i * 0.37)));
const labels = Int32Array.from({ length: samples }, (_, i) => (i * 7919) % classes);
const traffic: { readonly calls: number; readonly bytes: number }[] = [];
const onIteration = (): void => void traffic.push(ranksHere()?.traffic ?? { calls: 0, bytes: 0 });
const { model, history } = await fit({ x, labels }, { ...options, onIteration });
const [before, last] = [traffic.at(-2), traffic.at(-1)];
const [latency, long] = options.distributed ? [await secondsOf(3), await secondsOf(LONG)] : [0, 0];
const reply: RankReply = {
  seconds: median(history.slice(1).map(({ seconds }) => seconds)),
  calls: (last?.calls ?? 0) - (before?.calls ?? 0),
  bytes: (last?.bytes ?? 0) - (before?.bytes ?? 0),
  latency,
  secondsPerByte: (long - latency) / (8 * LONG),
  parameters: [...model.weights, ...model.biases].flatMap((each) => (samples > 5000 ? [] : [...each])),
};
if ((ranksHere()?.rank ?? 0) === 0) process.stdout.write(`${JSON.stringify(reply)}\n`);
