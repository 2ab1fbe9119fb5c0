/**
 * How long a prediction takes, beside onnxruntime-node and TensorFlow.js (wasm) on the same weights: one row, and a batch.
 *
 * `--install` first installs what is compared with into bench/predict (about 600 MB). All answer in one process, by turns and
 * with a pause in between, so that a drift of the machine's speed meets all and nobody's threads are still awake when the
 * next one begins. A ratio is the median over the rounds of the ratios of a round's medians. `--processes` measures in so
 * many fresh processes, one after the other, and tells what each found, for where memory lies differs from one to the next.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DlAdmmError, Model } from 'dladmm';
import { jsonOf } from './harness/child.js';
import { availableThreads } from './harness/internals.js';
import { count, file, flag, layers as layersOption, maybe, program, say } from './harness/program.js';
import { seededRandom } from './harness/random.js';
import { fromRoot, keep, type Machine, machine, machineText } from './harness/results.js';
import { median, quantile } from './harness/statistics.js';
import { upTo } from './harness/study.js';
import { table } from './harness/table.js';
import { type Contestant, onnxruntimeNode, ours, tensorflow } from './predict/contestants.js';

const OPTIONS = {
  install: flag,
  layers: layersOption('784-1000-1000-10'),
  batch: count(256),
  seconds: count(20),
  processes: maybe(count(1)),
  out: file,
};

/** Calls that a turn has, and others before them that are not counted. */
const ONE = { calls: 60, warmUp: 20 };
const MANY = { calls: 6, warmUp: 2 };
type Turn = typeof ONE;
const PAUSE_MS = 5;
/** After so long a turn ends, though it has calls left: who is slow must not cost the others their rounds. */
const TURN_MS = 300;
const TOLERANCE = 1e-4;
const REFERENCE = 'onnxruntime-node';

type Contestants = readonly Contestant[];
type Measured = Awaited<ReturnType<typeof compare>>;
interface Result extends Machine {
  readonly layers: string;
  readonly oneRow: Measured;
  readonly batch: Measured;
}

const folder = fromRoot('bench/predict/');

await program(OPTIONS, async ({ install: wanted, layers, batch, seconds, processes, out }) => {
  if (wanted) install();
  if (!existsSync(`${folder}node_modules/onnxruntime-node`)) {
    const how = 'npm run --silent bench:predict -- --install';
    throw new DlAdmmError('ERR_DLADMM_FILE', `What is compared with is not installed: ${how}`);
  }
  const outcome = await (processes === undefined
    ? here(layers, batch, seconds)
    : inProcesses(processes, ['--layers', layers.join('-'), '--batch', `${batch}`, '--seconds', `${seconds}`]));
  if (out !== undefined) await mkdir(dirname(out), { recursive: true });
  if (out !== undefined) await keep(out, outcome.result);
  return outcome;
});
// The threads of the others would keep the process alive.
process.exit();

function install(): void {
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], {
    cwd: folder,
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(status ?? 1);
}

async function here(layers: readonly number[], batch: number, seconds: number) {
  const [inputs = 0] = layers;
  const { normal, uniform } = seededRandom(1);
  const widths = layers.slice(1);
  const parameters = {
    weights: widths.map((width, i) => {
      const fanIn = layers[i] ?? 1;
      return new Float32Array(width * fanIn).map(() => normal() * Math.sqrt(2 / fanIn));
    }),
    biases: widths.map((width) => new Float32Array(width).map(() => normal() * 0.1)),
  };
  const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  using model = new Model({ network, dtype: 'float32', ...parameters });
  const contestants = [
    ...ours(model),
    await onnxruntimeNode(folder, model.toOnnx(), inputs),
    await tensorflow(folder, layers, parameters),
  ];
  const half = (rows: number, turn: Turn): Promise<Measured> =>
    compare(contestants, new Float32Array(rows * inputs).map(uniform), rows, turn, (seconds * 1000) / 2);
  const found = { oneRow: await half(1, ONE), batch: await half(batch, MANY) };
  const blocks = Object.values(found).map(blockOf);
  const head = `${layers.join('-')}, float32, Node ${process.version}`;
  const result: Result = { layers: layers.join('-'), ...found, ...machine(availableThreads()) };
  return { result, text: [head, ...blocks, machineText(result)].join('\n\n') };
}

/** The same in fresh processes, and the largest ratio that each contestant had in any. */
async function inProcesses(processes: number, args: readonly string[]) {
  const runs: Result[] = [];
  for (const i of upTo(processes)) {
    runs.push(await jsonOf<Result>('predict', args));
    say(`${i}: ${ratios(runs.at(-1) as Result)}`);
  }
  const largest = (kind: 'oneRow' | 'batch') => {
    const all = runs.flatMap((run) => run[kind].timings);
    const of = (contestant: string): number[] => all.flatMap(({ name, ratio }) => (name === contestant ? ratio : []));
    return Object.fromEntries(all.map(({ name }) => [name, Math.max(...of(name))]));
  };
  const all = { oneRow: largest('oneRow'), batch: largest('batch') };
  const result = { ...machine(availableThreads()), layers: runs[0]?.layers ?? '', largest: all, runs };
  return { result, text: runs.map((run, i) => `${i + 1}: ${ratios(run)}`).join('\n') };
}

function ratios({ oneRow, batch }: Result): string {
  const each = ({ rows, timings }: Measured): string =>
    `${rows} rows ${timings.map(({ name, ratio }) => `${name} ${ratio.toFixed(3)}`).join(', ')}`;
  return `${each(oneRow)}; ${each(batch)}`;
}

async function largestDifference(contestants: Contestants, x: Float32Array): Promise<number> {
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
async function take({ predict }: Contestant, x: Float32Array, { calls, warmUp }: Turn): Promise<readonly number[]> {
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

async function compare(contestants: Contestants, x: Float32Array, rows: number, turn: Turn, milliseconds: number) {
  const difference = await largestDifference(contestants, x);
  if (!(difference <= TOLERANCE)) throw new Error(`The answers differ by ${difference}: nothing to compare`);
  const rounds = new Map<string, (readonly number[])[]>(contestants.map(({ name }) => [name, []]));
  const end = performance.now() + milliseconds;
  for (let round = 0; performance.now() < end; round += 1) {
    // Nobody always comes first.
    for (let i = 0; i < contestants.length; i += 1) {
      const contestant = contestants[(i + round) % contestants.length] as Contestant;
      await pause(PAUSE_MS);
      rounds.get(contestant.name)?.push(await take(contestant, x, turn));
    }
  }
  const medians = (name: string): readonly number[] => rounds.get(name)?.map(median) ?? [];
  const reference = medians(REFERENCE);
  const timings = contestants.map(({ name, version }) => {
    const all = rounds.get(name)?.flat() ?? [];
    const medianUs = median(all);
    return {
      name,
      version,
      medianUs,
      p99Us: quantile(all, 0.99),
      rowsPerSecond: (rows / medianUs) * 1e6,
      /** Of onnxruntime-node's time; below 1 is faster. */
      ratio: median(medians(name).map((value, i) => value / (reference[i] ?? Number.NaN))),
    };
  });
  return { rows, rounds: reference.length, difference, timings };
}

function blockOf({ rows, rounds, difference, timings }: Measured): string {
  const cells = timings.map(({ name, version, medianUs, p99Us, rowsPerSecond, ratio }) => [
    ...[`${name} ${version}`, medianUs.toFixed(1), p99Us.toFixed(1), rowsPerSecond.toFixed(0), ratio.toFixed(3)],
  ]);
  return [
    `${rows === 1 ? 'one row' : `${rows} rows`}, ${rounds} rounds, answers equal to ${difference.toExponential(1)}`,
    table(['', 'median, µs', 'p99, µs', 'rows/s', 'ratio'], cells),
  ].join('\n');
}
