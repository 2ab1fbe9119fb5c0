/**
 * How long a prediction takes, beside onnxruntime-node and TensorFlow.js (wasm) on the same weights: one row, and a batch; and of the same
 * model with weights and inputs of 8 bits over that of its float32.
 *
 * `--install` first installs what is compared with into bench/predict (about 600 MB). Each answers in a process of its own, so that
 * neither its garbage, nor its compiler, nor its idle threads are at work in another's turn; they take turns, so that a drift of the
 * machine's speed meets all. A ratio is the median over the rounds of the ratios of a round's medians. `--processes` measures in so
 * many fresh sets of processes, one after the other, and tells what each found, for where memory lies differs from one to the next.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DlAdmmError } from 'dladmm';
import { type Child, jsonOf, startChild } from './harness/child.js';
import { availableThreads } from './harness/internals.js';
import { count, file, flag, layers as layersOption, maybe, program, say } from './harness/program.js';
import { fromRoot, keep, type Machine, machine, machineText } from './harness/results.js';
import { byRounds, ratioOf } from './harness/samples.js';
import { median, quantile } from './harness/statistics.js';
import { upTo } from './harness/study.js';
import { table } from './harness/table.js';
import type { Reply, Setup, Turn } from './predict/contestant.js';
import { NAMES, type Name } from './predict/contestants.js';

const OPTIONS = {
  install: flag,
  layers: layersOption('784-1000-1000-10'),
  batch: count(256),
  seconds: count(20),
  processes: maybe(count(1)),
  out: file,
};

const ONE = { rows: 1, calls: 60, warmUp: 20, longest: 200 };
const MANY = { calls: 6, warmUp: 4, longest: 200 };
/** Before the first turn, until all code has been compiled. */
const WARM = { calls: 1, warmUp: 500, longest: 1500 };
const PAUSE_MS = 5;
/** Of probabilities; of whole numbers of 8 bits more. */
const TOLERANCE = { float: 1e-4, int8: 0.1 };
const [REFERENCE, FLOAT, INT8] = [
  'onnxruntime-node',
  'dladmm predictSync',
  'dladmm int8',
] as const satisfies readonly Name[];

type Contestants = readonly {
  readonly name: Name;
  readonly version: string;
  readonly process: Child<Setup | Turn, Reply>;
}[];
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
// The others end with this one.
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
  const contestants: Contestants = await Promise.all(
    NAMES.map(async (name) => {
      const process = startChild<Setup | Turn, Reply>('predict/contestant');
      return { name, process, version: (await process.ask({ name, folder, layers })).version };
    }),
  );
  const half = (turn: Turn): Promise<Measured> => compare(contestants, turn, (seconds * 1000) / 2);
  const found = { oneRow: await half(ONE), batch: await half({ ...MANY, rows: batch }) };
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
  const each = ({ rows, int8, timings }: Measured): string =>
    `${rows} rows ${timings.map(({ name, ratio }) => `${name} ${ratio.toFixed(3)}`).join(', ')} (8 bits ${int8.ofFloat32.toFixed(3)} of predictSync)`;
  return `${each(oneRow)}; ${each(batch)}`;
}

/** Warms all of them up; the largest difference of an answer in float32 from the reference's, and of one in 8 bits. */
async function largestDifferences(contestants: Contestants, rows: number) {
  const answers = new Map<Name, readonly number[]>();
  for (const { name, process } of contestants) answers.set(name, (await process.ask({ ...WARM, rows })).answers);
  const wanted = answers.get(REFERENCE) ?? [];
  const off = (got: readonly number[]): number =>
    wanted.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (got[i] ?? Number.NaN))), 0);
  const { [INT8]: int8 = 0, ...float } = Object.fromEntries([...answers].map(([name, got]) => [name, off(got)]));
  return { float: Math.max(...Object.values(float)), int8 };
}

async function compare(contestants: Contestants, turn: Turn, milliseconds: number) {
  const { rows } = turn;
  const differences = await largestDifferences(contestants, rows);
  for (const kind of ['float', 'int8'] as const) {
    if (differences[kind] <= TOLERANCE[kind]) continue;
    throw new Error(`The answers in ${kind} differ by ${differences[kind]}: nothing to compare`);
  }
  const end = performance.now() + milliseconds;
  const works = contestants.map(({ process }) => async () => {
    await pause(PAUSE_MS);
    return (await process.ask(turn)).times;
  });
  const rounds = await byRounds(works, () => performance.now() < end);
  const medians = (of: number): readonly number[] => rounds[of]?.map(median) ?? [];
  const mediansOf = (of: Name) => medians(contestants.findIndex(({ name }) => name === of));
  const reference = mediansOf(REFERENCE);
  const timings = contestants.map(({ name, version }, i) => {
    const all = rounds[i]?.flat() ?? [];
    const medianUs = median(all);
    return {
      name,
      version,
      medianUs,
      p99Us: quantile(all, 0.99),
      rowsPerSecond: (rows / medianUs) * 1e6,
      /** Of onnxruntime-node's time; below 1 is faster. */
      ratio: ratioOf(medians(i), reference),
    };
  });
  const int8 = { ofFloat32: ratioOf(mediansOf(INT8), mediansOf(FLOAT)), difference: differences.int8 };
  return { rows, rounds: reference.length, difference: differences.float, int8, timings };
}

function blockOf({ rows, rounds, difference, int8, timings }: Measured): string {
  const cells = timings.map(({ name, version, medianUs, p99Us, rowsPerSecond, ratio }) => [
    ...[`${name} ${version}`, medianUs.toFixed(1), p99Us.toFixed(1), rowsPerSecond.toFixed(0), ratio.toFixed(3)],
  ]);
  return [
    `${rows === 1 ? 'one row' : `${rows} rows`}, ${rounds} rounds, answers equal to ${difference.toExponential(1)}`,
    table(['', 'median, µs', 'p99, µs', 'rows/s', 'ratio'], cells),
    `of 8 bits ${int8.ofFloat32.toFixed(3)} of predictSync's time, probabilities equal to ${int8.difference.toExponential(1)}`,
  ].join('\n');
}
