/**
 * How long a prediction takes, beside onnxruntime-node and TensorFlow.js (wasm) on the same weights: one row, and a batch.
 *
 *     npm run --silent bench:predict -- [--install] [--layers 784-1000-1000-10] [--batch 256] [--seconds 20] [--out FILE] [--json]
 *
 * `--install` first installs what is compared with into bench/predict (about 600 MB). All answer in one process, by turns and
 * with a pause in between, so that a drift of the machine's speed meets all and nobody's threads are still awake when the
 * next one begins. A ratio is the median over the rounds of the ratios of a round's medians.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Model } from 'dladmm';
import { native } from '#native';
import { type Contestant, onnxruntimeNode, ours, tensorflow } from './predict/contestants.js';
import { seededRandom } from './random.js';
import { median, quantile } from './statistics.js';

const { values } = parseArgs({
  options: {
    install: { type: 'boolean', default: false },
    layers: { type: 'string', default: '784-1000-1000-10' },
    batch: { type: 'string', default: '256' },
    seconds: { type: 'string', default: '20' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

/** Calls a turn has, the first of them not counted. */
const CALLS = { one: 60, many: 6 } as const;
const WARM_UP = { one: 20, many: 2 } as const;
const PAUSE_MS = 5;
/** After so long a turn ends, though it has calls left: who is slow must not cost the others their rounds. */
const TURN_MS = 300;
const TOLERANCE = 1e-4;

const folder = fileURLToPath(new URL('../../bench/predict/', import.meta.url));
if (values.install) {
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], {
    cwd: folder,
    env,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(status ?? 1);
}
if (!existsSync(`${folder}node_modules/onnxruntime-node`)) {
  console.error(`What is compared with is not installed: npm run --silent bench:predict -- --install`);
  process.exit(1);
}

const layers = values.layers.split('-').map(Number);
const batch = Number(values.batch);
const [inputs = 0] = layers;
const { normal, uniform } = seededRandom(1);
const parameters = {
  weights: layers
    .slice(1)
    .map((width, i) =>
      new Float32Array(width * (layers[i] ?? 0)).map(() => normal() * Math.sqrt(2 / (layers[i] ?? 1))),
    ),
  biases: layers.slice(1).map((width) => new Float32Array(width).map(() => normal() * 0.1)),
};
const model = new Model({
  network: { layers, activation: 'relu', loss: 'softmax-cross-entropy' },
  dtype: 'float32',
  ...parameters,
});
const contestants: readonly Contestant[] = [
  ...ours(model),
  await onnxruntimeNode(folder, model.toOnnx(), inputs),
  await tensorflow(folder, layers, parameters),
];

interface Timing {
  readonly name: string;
  readonly version: string;
  readonly medianUs: number;
  readonly p99Us: number;
  readonly rowsPerSecond: number;
  /** Of onnxruntime-node's time; below 1 is faster. */
  readonly ratio: number;
}

const REFERENCE = 'onnxruntime-node';

/** Largest difference between what each says of the same rows and what the reference says. */
async function largestDifference(x: Float32Array): Promise<number> {
  const reference = contestants.find(({ name }) => name === REFERENCE) as Contestant;
  const wanted = Float32Array.from(await reference.predict(x));
  let largest = 0;
  for (const { predict } of contestants) {
    const got = await predict(x);
    for (const [i, value] of wanted.entries()) largest = Math.max(largest, Math.abs(value - (got[i] ?? Number.NaN)));
  }
  return largest;
}

/** Microseconds of each of so many calls. */
async function turn(
  { predict }: Contestant,
  x: Float32Array,
  warmUp: number,
  calls: number,
): Promise<readonly number[]> {
  const end = performance.now() + TURN_MS;
  for (let i = 0; i < warmUp && performance.now() < end; i += 1) await predict(x);
  const times: number[] = [];
  for (let i = 0; i < calls && (i === 0 || performance.now() < end); i += 1) {
    const began = performance.now();
    await predict(x);
    times.push((performance.now() - began) * 1000);
  }
  return times;
}

async function compare(
  rows: number,
  kind: 'one' | 'many',
): Promise<{
  readonly rows: number;
  readonly rounds: number;
  readonly difference: number;
  readonly timings: readonly Timing[];
}> {
  const x = new Float32Array(rows * inputs).map(() => uniform());
  const difference = await largestDifference(x);
  if (!(difference <= TOLERANCE)) throw new Error(`The answers differ by ${difference}: nothing to compare`);
  const rounds = new Map<string, (readonly number[])[]>(contestants.map(({ name }) => [name, []]));
  const end = performance.now() + (Number(values.seconds) * 1000) / 2;
  for (let round = 0; performance.now() < end; round += 1) {
    // Nobody always comes first.
    for (let i = 0; i < contestants.length; i += 1) {
      const contestant = contestants[(i + round) % contestants.length] as Contestant;
      await pause(PAUSE_MS);
      rounds.get(contestant.name)?.push(await turn(contestant, x, WARM_UP[kind], CALLS[kind]));
    }
  }
  const medians = (name: string): readonly number[] => rounds.get(name)?.map(median) ?? [];
  const reference = medians(REFERENCE);
  const timings = contestants.map(({ name, version }): Timing => {
    const all = rounds.get(name)?.flat() ?? [];
    const medianUs = median(all);
    return {
      name,
      version,
      medianUs,
      p99Us: quantile(all, 0.99),
      rowsPerSecond: (rows / medianUs) * 1e6,
      ratio: median(medians(name).map((value, i) => value / (reference[i] ?? Number.NaN))),
    };
  });
  return { rows, rounds: reference.length, difference, timings };
}

const result = {
  layers: values.layers,
  processor: cpus()[0]?.model ?? '',
  cores: cpus().length,
  node: process.version,
  openblasCore: native.info().core,
  oneRow: await compare(1, 'one'),
  batch: await compare(batch, 'many'),
};
model.close();

if (values.out !== undefined) {
  await mkdir(dirname(values.out), { recursive: true });
  await writeFile(values.out, `${JSON.stringify(result, undefined, 2)}\n`);
}
if (values.json) console.log(JSON.stringify(result));
else {
  console.log(`${values.layers}, float32, ${result.cores} cores (${result.processor}), Node ${result.node}`);
  for (const { rows, rounds, difference, timings } of [result.oneRow, result.batch]) {
    console.log(
      `\n${rows === 1 ? 'one row' : `${rows} rows`}, ${rounds} rounds, answers equal to ${difference.toExponential(1)}`,
    );
    console.log(
      `${''.padEnd(34)}${['median, µs', 'p99, µs', 'rows/s', 'ratio'].map((head) => head.padStart(12)).join('')}`,
    );
    for (const { name, version, medianUs, p99Us, rowsPerSecond, ratio } of timings) {
      const cells = [medianUs.toFixed(1), p99Us.toFixed(1), rowsPerSecond.toFixed(0), ratio.toFixed(3)];
      console.log(`${`${name} ${version}`.padEnd(34)}${cells.map((cell) => cell.padStart(12)).join('')}`);
    }
  }
}
// The threads of the others would keep the process alive.
process.exit(0);
