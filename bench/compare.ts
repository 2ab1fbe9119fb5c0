/**
 * The solvers beside each other: test accuracy and objective against iteration and against seconds, from the same start
 * on the same samples, one after the other. An iteration of a gradient method is an epoch, its objective the sum of the
 * losses that the epoch met.
 *
 *     npm run --silent bench:compare -- --dataset mnist|fashion-mnist [--methods dladmm,…] [--iterations 50] [--samples M]
 *                                       [--layers 784-1000-1000-10] [--seed 1] [--dtype float32] [--threads N]
 *                                       [--train-metrics] [--data-dir FOLDER] [--out FILE] [--svg FILE] [--json]
 *
 * Writes bench/results/compare-DATASET.json after every iteration, so that an interrupted run leaves what it had, and
 * docs/compare-DATASET.svg at the end.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultsOf, DlAdmmError, dladmm, loadDataset, type Matrix, type TrainingData, train } from 'dladmm';
import { checkWritable, writeFileAtomic } from '#atomic-file';
import { native } from '#native';
import { specificationOf } from './compare/chart.js';
import { bestOf, type CompareCurve, type ComparePoint, type Comparison, pointOf } from './compare/curves.js';
import { METHODS, methodNames, optionsOf, type SharedOptions } from './compare/methods.js';
import { tableOf } from './compare/table.js';
import { HOW_TO_HAVE_CHARTS, loadCharts } from './draw.js';
import { trainingSamples } from './samples.js';

const { values } = parseArgs({
  options: {
    dataset: { type: 'string', default: 'fashion-mnist' },
    methods: { type: 'string', default: Object.keys(METHODS).join(',') },
    iterations: { type: 'string', default: '50' },
    samples: { type: 'string' },
    layers: { type: 'string', default: '784-1000-1000-10' },
    seed: { type: 'string', default: '1' },
    dtype: { type: 'string', default: defaultsOf(dladmm).dtype },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 64)) },
    'train-metrics': { type: 'boolean', default: false },
    'data-dir': { type: 'string' },
    out: { type: 'string' },
    svg: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const say = (text: string): void => void process.stderr.write(`${text}\n`);

try {
  await main();
} catch (error) {
  if (!(error instanceof DlAdmmError)) throw error;
  say(error.message);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { dataset, layers, samples, threads, seed } = values;
  const result = (path: string): string => fileURLToPath(new URL(path, new URL('../../', import.meta.url)));
  const out = values.out ?? result(`bench/results/compare-${dataset}.json`);
  const svg = values.svg ?? result(`docs/compare-${dataset}.svg`);
  const methods = methodNames(values.methods);
  if (samples !== undefined && !/^[1-9]\d*$/.test(samples)) {
    throw new DlAdmmError('ERR_DLADMM_RANGE', `Expected a positive whole number for --samples but received ${samples}`);
  }
  for (const file of [out, svg]) await checkWritable(file);
  const dataDir = values['data-dir'];
  const set = await loadDataset(dataset, dataDir === undefined ? {} : { dataDir });
  if (set.task !== 'classification') throw new DlAdmmError('ERR_DLADMM_DATASET', `${dataset} has no classes`);
  const data = { ...trainingSamples(set, samples === undefined ? undefined : Number(samples)), test: set.test };
  const common: SharedOptions = {
    layers: layers.split('-').map(Number),
    seed: Number(seed),
    dtype: values.dtype as NonNullable<SharedOptions['dtype']>,
    threads: Number(threads),
    trainMetrics: values['train-metrics'],
    evaluateEvery: 1,
  };
  const comparison = (curves: readonly CompareCurve[]): Comparison => ({
    data: set.name,
    layers,
    samples: data.x.rows,
    seed: Number(seed),
    dtype: values.dtype,
    threads: Number(threads),
    openblasCore: native.info().core,
    curves,
  });
  let curves: readonly CompareCurve[] = [];
  for (const method of methods) {
    const done = curves;
    for await (const curve of run(method, data, common, Number(values.iterations))) {
      curves = [...done, curve];
      await write(out, `${JSON.stringify(comparison(curves), undefined, 1)}\n`);
    }
  }
  console.log(values.json ? JSON.stringify(summary(comparison(curves))) : tableOf(curves));
  say(`wrote ${out}`);
  const charts = await loadCharts();
  if (charts === undefined) return say(HOW_TO_HAVE_CHARTS);
  await write(svg, await charts(specificationOf(comparison(curves))));
  say(`wrote ${svg}`);
}

/** The curve of one method as it grows, and once more when it has ended. */
async function* run(
  method: string,
  data: TrainingData & { readonly x: Matrix },
  common: SharedOptions,
  iterations: number,
): AsyncGenerator<CompareCurve> {
  const options = METHODS[method] ?? {};
  const training = train(data, optionsOf(options, common, iterations));
  const points: ComparePoint[] = [];
  for await (const record of training) {
    const point = pointOf(record, points.at(-1)?.seconds ?? 0, data.x.rows);
    points.push(point);
    say(`${method} ${point.iteration}  ${point.testAccuracy}  ${point.seconds.toFixed(1)} s`);
    yield { method, options, status: 'running', points };
  }
  const { status, model } = training.result;
  model.close();
  yield { method, options, status: status.kind, points };
}

/** One object for a program that reads: the curves are in the file. */
function summary({ curves, ...run }: Comparison) {
  const ends = (point: ComparePoint | undefined) => point ?? null;
  return {
    ...run,
    methods: Object.fromEntries(
      curves.map(({ method, status, points }) => [
        method,
        { status, best: ends(bestOf(points)), last: ends(points.at(-1)) },
      ]),
    ),
  };
}

function write(file: string, text: string): Promise<void> {
  return writeFileAtomic(file, new TextEncoder().encode(text));
}
