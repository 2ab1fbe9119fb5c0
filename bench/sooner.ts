/**
 * Draws docs/sooner.svg: test accuracy (from .93 and .82 on) against seconds of training, of the methods of a race that ran to the end
 * (bench/results/sooner-DATASET.json), and of full-batch dlADMM (bench/results/accuracy-DATASET.json).
 *
 *     npm run --silent bench:race -- --dataset mnist --target 0.98 --to-the-end --epochs 10 --seeds 1
 *         --methods minibatch-admm,adam,sgd,badm,sisa --out bench/results/sooner-mnist.json
 *     npm run --silent bench:race -- --dataset fashion-mnist --target 0.88 … --out bench/results/sooner-fashion-mnist.json
 *     npm run bench:sooner
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { writeFileAtomic } from '#atomic-file';
import type { Curve } from './accuracy/curve.js';
import { HOW_TO_HAVE_CHARTS, loadCharts } from './draw.js';
import type { Run } from './race/run.js';

interface Row {
  readonly data: string;
  readonly method: string;
  readonly seconds: number;
  readonly accuracy: number;
}

const root = new URL('../../', import.meta.url);
const read = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(`bench/results/${name}.json`, root), 'utf8'));

const hasRuns = (entry: unknown): entry is { readonly runs: readonly Run[] } =>
  typeof entry === 'object' && entry !== null && 'runs' in entry;

async function rowsOf(data: string): Promise<readonly Row[]> {
  const raced = (await read(`sooner-${data}`)) as Readonly<Record<string, unknown>>;
  const { points } = (await read(`accuracy-${data}`)) as Curve;
  const epochs = Object.entries(raced).flatMap(([method, entry]) =>
    hasRuns(entry)
      ? (entry.runs[0]?.accuracies ?? []).map((accuracy, i) => ({
          data,
          method,
          seconds: entry.runs[0]?.elapsed[i] ?? Number.NaN,
          accuracy,
        }))
      : [],
  );
  let seconds = 0;
  const sweeps = points.map((point) => {
    seconds += point.seconds;
    return { data, method: 'dlADMM, full batch', seconds, accuracy: point.testAccuracy };
  });
  return [...epochs, ...sweeps];
}

/** Where the curves come together; what lies below is left out. */
const FROM: Readonly<Record<string, number>> = { mnist: 0.93, 'fashion-mnist': 0.82 };

const values = (await Promise.all(Object.keys(FROM).map(rowsOf)))
  .flat()
  .filter(({ data, accuracy }) => accuracy >= (FROM[data] ?? 0));
const charts = await loadCharts();
if (charts === undefined) throw new Error(HOW_TO_HAVE_CHARTS);
const target = fileURLToPath(new URL('docs/sooner.svg', root));
const svg = await charts({
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  background: 'white',
  data: { values },
  facet: { column: { field: 'data', type: 'nominal', title: null, sort: ['mnist', 'fashion-mnist'] } },
  resolve: { scale: { y: 'independent' } },
  spec: {
    width: 340,
    height: 280,
    mark: { type: 'line', strokeWidth: 1.5, point: { size: 15 }, clip: true },
    encoding: {
      x: { field: 'seconds', type: 'quantitative', title: 'seconds of training', scale: { type: 'log' } },
      y: { field: 'accuracy', type: 'quantitative', title: 'test accuracy', scale: { zero: false } },
      color: { field: 'method', type: 'nominal', title: null, legend: { labelLimit: 300 } },
    },
  },
});
await writeFileAtomic(target, Buffer.from(svg));
console.log(`wrote ${target}`);
