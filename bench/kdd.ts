/**
 * The comparison methods of the KDD 2019 paper on our gradient engine: SGD, Adagrad, Adadelta and Adam, full batch, loss
 * summed over the samples, its learning rates, 784-1000-1000-10, 200 iterations, on MNIST (the first 55,000 images) and
 * Fashion-MNIST (60,000). The paper does not say where its networks begin: three starts run for 20 iterations each, and the
 * one whose training accuracy at iteration 10 is nearest to the paper's runs in full.
 *
 *     npm run --silent bench:kdd -- --data mnist|fashion-mnist [--methods sgd,adagrad,adadelta,adam] [--iterations 200]
 *                                   [--select 20] [--samples M] [--layers …] [--data-dir FOLDER] [--out FILE] [--json]
 *
 * Writes bench/results/kdd-DATA.json after every iteration; what it already holds is not run again.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type GradientOptions, loadDataset, type TrainingData, train } from 'dladmm';
import { writeFileAtomic } from '#atomic-file';
import { native } from '#native';
import { LEARNING_RATES, METHODS, type Method, PAPER, type PaperCurve, STARTS, type Start } from './kdd/paper.js';
import { trainingSamples } from './samples.js';

interface Point {
  readonly iteration: number;
  readonly seconds: number;
  readonly testAccuracy: number;
  /** Every fifth iteration, as the paper draws its curves. */
  readonly trainAccuracy?: number;
}

interface MethodResult {
  /** The first iterations from every start. */
  readonly starts: Partial<Record<Start, readonly Point[]>>;
  readonly start?: Start;
  readonly points?: readonly Point[];
  readonly status?: string;
}

interface Result {
  readonly data: string;
  readonly layers: string;
  readonly samples: number;
  readonly openblasCore: string;
  readonly methods: Partial<Record<Method, MethodResult>>;
}

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: 'mnist' },
    methods: { type: 'string', default: METHODS.join(',') },
    layers: { type: 'string', default: '784-1000-1000-10' },
    iterations: { type: 'string', default: '200' },
    select: { type: 'string', default: '20' },
    samples: { type: 'string' },
    'data-dir': { type: 'string' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const root = fileURLToPath(new URL('../../', import.meta.url));
const out = values.out ?? `${root}bench/results/kdd-${values.data}.json`;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const dataDir = values['data-dir'];
const set = await loadDataset(values.data, dataDir === undefined ? {} : { dataDir });
if (set.task !== 'classification') throw new Error(`${set.name} is not a classification set`);
const data = {
  ...trainingSamples(set, values.samples === undefined ? undefined : Number(values.samples)),
  test: set.test,
};
let result = await earlier();
for (const method of values.methods.split(',') as Method[]) await measure(method);
if (values.json) console.log(JSON.stringify(summary()));
else for (const [name, row] of Object.entries(summary())) console.log(name.padEnd(10), row);

async function earlier(): Promise<Result> {
  const fresh: Result = {
    data: set.name,
    layers: values.layers,
    samples: data.x.rows,
    openblasCore: native.info().core,
    methods: {},
  };
  const text = await readFile(out, 'utf8').catch(() => undefined);
  if (text === undefined) return fresh;
  const found = JSON.parse(text) as Result;
  const same = found.data === fresh.data && found.layers === fresh.layers && found.samples === fresh.samples;
  return same ? found : fresh;
}

async function keep(method: Method, change: Partial<MethodResult>): Promise<MethodResult> {
  const kept: MethodResult = { ...(result.methods[method] ?? { starts: {} }), ...change };
  result = { ...result, methods: { ...result.methods, [method]: kept } };
  await writeFileAtomic(out, Buffer.from(`${JSON.stringify(result, undefined, 1)}\n`));
  return kept;
}

async function measure(method: Method): Promise<void> {
  const paper = PAPER[set.name]?.[method];
  let known = result.methods[method] ?? { starts: {} };
  for (const start of Object.keys(STARTS) as Start[]) {
    if (known.starts[start] !== undefined) continue;
    const points: Point[] = [];
    await run(method, start, Number(values.select), (point) => void points.push(point));
    known = await keep(method, { starts: { ...known.starts, [start]: points } });
  }
  const start = known.start ?? nearest(known.starts, paper);
  if ((known.points?.at(-1)?.iteration ?? 0) >= Number(values.iterations)) return;
  const points: Point[] = [];
  const status = await run(method, start, Number(values.iterations), async (point) => {
    points.push(point);
    if (point.iteration % 10 === 0) await keep(method, { start, points });
  });
  await keep(method, { start, points, status });
}

/** The start whose training accuracy at iteration 10 is nearest to the paper's. */
function nearest(starts: MethodResult['starts'], paper: PaperCurve | undefined): Start {
  const miss = (start: Start): number =>
    Math.abs((starts[start]?.find(({ iteration }) => iteration === 10)?.trainAccuracy ?? 0) - (paper?.train10 ?? 1));
  return (Object.keys(STARTS) as Start[]).reduce((best, start) => (miss(start) < miss(best) ? start : best));
}

async function run(
  method: Method,
  start: Start,
  iterations: number,
  each: (point: Point) => void | Promise<void>,
): Promise<string> {
  const options = {
    solver: method,
    layers: values.layers.split('-').map(Number),
    learningRate: LEARNING_RATES[method],
    batchSize: data.x.rows,
    shuffle: false,
    reduction: 'sum',
    initialisation: STARTS[start],
    epochs: iterations,
    evaluateEvery: 5,
    trainMetrics: true,
  } as GradientOptions;
  const training = train(data as TrainingData, options);
  let seconds = 0;
  for await (const record of training) {
    seconds += record.seconds;
    if (record.test === undefined) continue;
    const point: Point = {
      iteration: record.iteration,
      seconds,
      testAccuracy: record.test.accuracy ?? Number.NaN,
      ...(record.train?.accuracy !== undefined && { trainAccuracy: record.train.accuracy }),
    };
    await each(point);
    say(`${method} from ${start} ${point.iteration}  train ${point.trainAccuracy}  test ${point.testAccuracy}`);
  }
  training.result.model.close();
  return training.result.status.kind;
}

/** Each method's test accuracy at 195 beside the paper's. */
function summary(): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(result.methods).map(([method, { start, points = [], status }]) => {
      const test = points.find(({ iteration }) => iteration === 195)?.testAccuracy;
      const paper = PAPER[set.name]?.[method as Method]?.test195;
      return [
        method,
        { start, status, testAccuracy: test ?? null, paper: paper ?? null, difference: (test ?? 0) - (paper ?? 0) },
      ];
    }),
  );
}
