/**
 * Whether the rule of `solver: 'auto'` (src/solvers/auto.ts) holds: on each data set the default beside every solver in RIVALS, which have the
 * same columns, widths, epochs and held-out tenth, one trial each. A fifth of the training part is split off for validation: the best solver
 * is the best on that. Scores on the test part are only told. A score is the area under the ROC curve of two classes, the accuracy of more, R²
 * of values. Sets of few rows are split SPLITS times, as 20 rows tell solvers apart by chance: their scores are means, their seconds medians
 * of a process that is warm, and ± is the standard error of the difference. With --losses the score is the loss itself, the less the better, of
 * networks that are made small by each loss, and mini-batch dlADMM is tried by five steps.
 *
 * Every run is kept in bench/results/auto.json at once, and what is there is not made again, unless `--anew`, or where the rule says of a
 * set what it did not say then: such a set is run whole.
 */
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fit, type Matrix, type Model, type Report, type TrainingData } from 'dladmm';
import { type LabelledSamples, loadDataset } from 'dladmm/data';
import { LOSSES } from './auto/losses.js';
import { automatic, type Facts } from './harness/internals.js';
import { file, flag, program, say, some, THREADS, text as textOption, told } from './harness/program.js';
import { seededRandom } from './harness/random.js';
import { checkWritable, machineText, resultFile } from './harness/results.js';
import { inFolder, timed } from './harness/samples.js';
import { mean, median, sampleStandardDeviation } from './harness/statistics.js';
import { type Study, studyIn } from './harness/study.js';
import { table } from './harness/table.js';
import { writeTable } from './tabular/tables.js';

const NAMED = ['iris', 'wine', 'breast-cancer', 'digits', 'diabetes', 'mnist', 'fashion-mnist'] as const;
const FILES = ['adult', 'california-housing', 'churn', 'rare', 'skewed'] as const;
const SETS = [...NAMED, ...FILES, 'higgs-like'] as const;
const BY_LOSS = Object.keys(LOSSES) as (keyof typeof LOSSES)[];
type Name = (typeof SETS)[number] | (typeof BY_LOSS)[number];
const isByLoss = (name: Name): name is (typeof BY_LOSS)[number] => name in LOSSES;

/** Below so many rows a set is split so often, and full-batch dlADMM is a rival. */
const SMALL = 5000;
const SPLITS = 20;
const SHARE = 0.2;

/** The rivals, each by the settings that people begin with. */
const RIVALS = {
  'minibatch-admm': { solver: 'minibatch-admm' },
  adam: { solver: 'adam', batchSize: 128 },
  'adam-512': { solver: 'adam', batchSize: 512, learningRate: 3e-3 },
  sgd: { solver: 'sgd', batchSize: 128, learningRate: 0.05, momentum: 0.9 },
  dladmm: { solver: 'dladmm', iterations: 100 },
} as const;
const METHODS = ['auto', ...(Object.keys(RIVALS) as (keyof typeof RIVALS)[])] as const;
/** Rivals of which the loss is judged, and so the step. */
const STEPS = { 'step 0.1': 0.1, 'step 0.2': 0.2, 'step 0.4': 0.4, 'step 0.8': 0.8, 'step 1.6': 1.6 } as const;
const STEPPED = ['auto', 'adam', 'adam-512', 'sgd', ...(Object.keys(STEPS) as (keyof typeof STEPS)[])] as const;
type Method = (typeof METHODS)[number] | (typeof STEPPED)[number];

const OPTIONS = {
  sets: some(SETS),
  methods: some(METHODS),
  losses: told(flag, 'the study of the losses in place of the sets'),
  dataDir: told(textOption('../shared/datasets'), 'holds tabular/, and named sets where they are not elsewhere'),
  folder: told(textOption(join(tmpdir(), 'dladmm-tables')), 'where the tables are written'),
  anew: flag,
  threads: THREADS,
  out: file,
};

/** One method on one set: a score for every split, what the test part says in the mean, and the median of the seconds. */
interface Run {
  readonly set: Name;
  readonly method: Method;
  readonly layers: string;
  /** What the rule said, and of what. */
  readonly ruled?: { readonly facts: Facts; readonly said: string } | undefined;
  readonly scores: readonly number[];
  readonly test: number;
  readonly seconds: number;
}

const sayingOf = (facts: Facts): string => JSON.stringify(automatic(facts));

/** A million rows of two classes that a hyperbola and noise tell apart, 28 features wide. */
function higgsLike(rows: number, seed: number): TrainingData & LabelledSamples {
  const { uniform } = seededRandom(seed);
  const next = (): number => 2 * uniform() - 1;
  const columns = 28;
  const data = Float32Array.from({ length: rows * columns }, next);
  const labels = Int32Array.from({ length: rows }, (_, i) => {
    const [a = 0, b = 0, c = 0, d = 0] = data.subarray(i * columns, i * columns + 4);
    return a * b + 0.5 * c - d * d + 0.4 * next() > -0.3 ? 1 : 0;
  });
  return { x: { data, rows, columns }, labels };
}

interface Parts {
  readonly rows: number;
  readonly train: unknown;
  readonly validation: unknown;
  readonly test: unknown;
  readonly target?: string;
  /** Of a study of a loss: the loss. */
  readonly options?: object;
}

/** The rows of a set, a share of them apart. */
function parted(all: Awaited<ReturnType<typeof loadDataset>>['train'], seed: number): Omit<Parts, 'test'> {
  const { x } = all;
  const { uniform } = seededRandom(seed);
  const held = Array.from({ length: x.rows }, () => uniform() < SHARE);
  const part = (which: boolean) => {
    const rows = held.flatMap((each, i) => (each === which ? [i] : []));
    const of = ({ data: all, columns }: Matrix): Matrix => {
      const data = all.slice(0, rows.length * columns);
      for (const [i, row] of rows.entries()) data.set(all.subarray(row * columns, (row + 1) * columns), i * columns);
      return { data, rows: rows.length, columns };
    };
    const wanted =
      'labels' in all ? { labels: Int32Array.from(rows, (row) => all.labels[row] as number) } : { y: of(all.y) };
    return { x: of(x), ...wanted };
  };
  return { rows: x.rows, train: part(false), validation: part(true) };
}

/** The same of a CSV file, into two beside it. */
async function partedFile(path: string): Promise<Omit<Parts, 'test'>> {
  const { uniform } = seededRandom(3);
  const parts: [string[], string[]] = [[], []];
  let first = '';
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (first === '') first = line;
    else parts[uniform() < SHARE ? 1 : 0].push(line);
  }
  const named = (part: string): string => path.replace(/train\.csv$/, `${part}.csv`);
  const [train, validation] = [named('kept'), named('held')];
  for (const [i, to] of [train, validation].entries())
    await writeFile(to, `${[first, ...(parts[i] ?? [])].join('\n')}\n`);
  return { rows: parts[0].length + parts[1].length, train, validation };
}

/** The splits of a set. */
async function load(name: Name, dataDir: string, folder: string): Promise<readonly Parts[]> {
  if (isByLoss(name)) {
    const [options, from] = LOSSES[name];
    if (typeof from === 'string') return (await load(from, dataDir, folder)).map((parts) => ({ ...parts, options }));
    const { train, test } = await from(dataDir);
    return [{ ...parted(train as never, 3), test, options }];
  }
  if (name === 'higgs-like') return [{ ...parted(higgsLike(1e6, 1) as never, 3), test: higgsLike(1e5, 2) }];
  if ((FILES as readonly string[]).includes(name)) {
    await mkdir(folder, { recursive: true });
    const { train, test, target } = await writeTable(name as (typeof FILES)[number], dataDir, folder);
    return [{ ...(await partedFile(train)), test, target }];
  }
  const set = await loadDataset(name, inFolder(name === 'mnist' ? join(dataDir, 'mnist') : undefined));
  const splits = set.train.x.rows < SMALL ? SPLITS : 1;
  return Array.from({ length: splits }, (_, i) => ({ ...parted(set.train, 3 + i), test: set.test }));
}

async function scoreOf(model: Model, on: unknown, byLoss: boolean): Promise<number> {
  const its = await model.evaluate(on as never);
  if (byLoss) return its.loss;
  if (its.accuracy === undefined) return ('r2' in its ? its.r2 : undefined) ?? Number.NaN;
  return (model.network.layers.at(-1) === 2 ? its.rocAuc : its.accuracy) ?? Number.NaN;
}

/** The settings of a rival. */
const rival = (method: Exclude<Method, 'auto'>): object =>
  method in STEPS
    ? { solver: 'minibatch-admm', factors: 'input', learningRate: STEPS[method as keyof typeof STEPS] }
    : RIVALS[method as keyof typeof RIVALS];

async function run(parts: Parts, method: Method, seed: number, threads: number) {
  const { train, validation, test, target, rows, options } = parts;
  const asked = { threads, seed, ...(target !== undefined && { target }), ...options };
  const epochs = Math.min(200, Math.max(4, Math.round(450_000 / rows)));
  const stopped = { validationShare: 0.1, earlyStopping: { patience: 5 } };
  const own = method === 'auto' ? {} : { ...(method !== 'dladmm' && { epochs }), ...rival(method), ...stopped };
  const { found, seconds } = await timed(() => fit(train as TrainingData, { ...asked, ...own } as never));
  using it = found.model as unknown as Model;
  const { layers, loss } = it.network;
  const [[inputs = 0, ...others], { heldOut }] = [layers, (found as { report?: Report }).report ?? {}];
  const samples = heldOut ? heldOut.of - heldOut.samples : rows;
  const facts = { samples, inputs, features: it.columns?.length ?? inputs, outputs: others.at(-1) ?? 0, loss };
  const ruled = method === 'auto' ? { facts, said: sayingOf(facts) } : undefined;
  const judged = (on: unknown): Promise<number> => scoreOf(it, on, options !== undefined);
  return { layers: layers.join('-'), ruled, score: await judged(validation), test: await judged(test), seconds };
}

type Found = Awaited<ReturnType<typeof run>>;

function summary(set: Name, method: Method, found: readonly Found[]): Run {
  const of = (what: 'score' | 'test' | 'seconds'): number[] => found.map((each) => each[what]);
  const { layers = '', ruled } = found[0] ?? {};
  return { set, method, layers, ruled, scores: of('score'), test: mean(of('test')), seconds: median(of('seconds')) };
}

await program(OPTIONS, async ({ losses, threads, dataDir, folder, anew, out = resultFile('auto'), ...asked }) => {
  await checkWritable(out);
  const study = await studyIn<object, Run>(out, {}, threads, anew);
  const methods: readonly Method[] = losses ? STEPPED : asked.methods;
  for (const set of losses ? BY_LOSS : asked.sets) {
    const { ruled } = study.find({ set, method: 'auto' }) ?? {};
    const same = ruled !== undefined && sayingOf(ruled.facts) === ruled.said;
    const missing = methods.filter((method) => !same || !study.find({ set, method }));
    if (missing.length === 0) continue;
    const splits = await load(set, dataDir, folder);
    // Of small sets the first split goes once around before it counts, and all methods take their turns on a split. Of others what
    // reads and encodes them runs once before, so that the first to come does not pay for its compilation.
    const rounds = splits.length > 1 ? [...splits.slice(0, 1), ...splits] : splits;
    for (const { validation, target, options } of splits.slice(0, 1)) {
      const warm = await fit(
        validation as TrainingData,
        { hidden: [4], epochs: 1, threads, ...(target && { target }), ...options } as never,
      );
      (warm.model as unknown as Model).close();
    }
    const found = new Map<Method, readonly Found[]>();
    for (const [seed, parts] of rounds.entries()) {
      for (const method of missing) {
        if (splits.length === 1 && method === 'dladmm') continue;
        const its = [...(found.get(method) ?? []), await run(parts, method, seed + 1, threads)];
        found.set(method, its);
        if (its.length < rounds.length) continue;
        const done = summary(set, method, its.slice(-splits.length));
        await study.put({ set, method }, done);
        say(`${set} ${method}: ${mean(done.scores).toFixed(4)} in ${done.seconds.toFixed(3)} s`);
      }
    }
  }
  const found = study.now();
  return { result: found, text: `${losses ? lossesOf(found) : tableOf(found)}\n${machineText(found)}` };
});

/** The default beside the best of the rivals, which validation says. */
function tableOf({ runs: all }: Study<object, Run>): string {
  const rows = SETS.flatMap((set) => {
    const of = (method: Method) => all.find((each) => each.set === set && each.method === method) ?? [];
    const [auto, ...rivals] = METHODS.flatMap(of);
    const best = rivals.toSorted((a, b) => mean(b.scores) - mean(a.scores))[0];
    if (auto?.method !== 'auto' || !best) return [];
    const shown = ({ scores, test, seconds }: Run): readonly string[] => [
      mean(scores).toFixed(4),
      test.toFixed(4),
      seconds.toFixed(seconds < 1 ? 3 : 2),
    ];
    const more = auto.scores.map((score, i) => score - (best.scores[i] ?? 0));
    const error = () => (sampleStandardDeviation(more) / Math.sqrt(more.length)).toFixed(4);
    const by = `${mean(more).toFixed(4)}${more.length > 1 ? ` ± ${error()}` : ''}`;
    const over = [(mean(auto.scores) / mean(best.scores)).toFixed(3), (auto.seconds / best.seconds).toFixed(2)];
    return [[set, ...shown(auto), best.method, ...shown(best), by, ...over]];
  });
  const its = ['score', 'test', 's'];
  const head = ['data', 'auto', ...its.slice(1), 'best solver', ...its, 'more by', 'score over its', 'time over its'];
  return table(head, rows);
}

/** The losses that each method reaches on what was split off. */
function lossesOf({ runs }: Study<object, Run>): string {
  const rows = BY_LOSS.map((set) => {
    const found = (method: Method) => runs.find((each) => each.set === set && each.method === method)?.scores[0];
    return [set, ...STEPPED.map((method) => found(method)?.toPrecision(4) ?? '')];
  });
  return table(['loss, data', ...STEPPED], rows);
}
