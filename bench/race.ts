/**
 * Who is first to a test accuracy: seconds of training and epochs until it is reached, for every seed, and the median.
 *
 *     npm run --silent bench:race -- --dataset mnist --target 0.98 [--layers 784-1000-1000-10] [--methods adam,minibatch-admm,…]
 *                                    [--seeds 3] [--epochs 30] [--threads N] [--data-dir FOLDER] [--json] [--out FILE]
 *     npm run --silent bench:race -- --dataset mnist --target 0.98 --methods adam --tune [--out FILE]
 *
 * Every method has the best setting that `--tune` found for it on that data set: the fastest to the target of all in its
 * grid on MNIST (bench/race/settings.ts), one seed each. A run that takes longer than the best so far is given up. `--settings FILE`
 * takes the settings from what `--tune --out FILE` wrote, and `--draw FILE … --svg FILE` draws what was tried.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { loadDataset } from 'dladmm';
import { writeFileAtomic } from '#atomic-file';
import { native } from '#native';
import { HOW_TO_HAVE_CHARTS, loadCharts } from './draw.js';
import { specificationOf } from './race/chart.js';
import { type Run, race } from './race/run.js';
import { BEST, GRIDS, type Setting, settingText } from './race/settings.js';
import { median } from './statistics.js';

const { values } = parseArgs({
  options: {
    dataset: { type: 'string', default: 'mnist' },
    target: { type: 'string', default: '0.98' },
    layers: { type: 'string', default: '784-1000-1000-10' },
    methods: { type: 'string', default: 'adam,badm,sisa' },
    seeds: { type: 'string', default: '3' },
    epochs: { type: 'string', default: '30' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 64)) },
    'data-dir': { type: 'string' },
    tune: { type: 'boolean', default: false },
    'to-the-end': { type: 'boolean', default: false },
    settings: { type: 'string' },
    draw: { type: 'string', multiple: true, default: [] },
    svg: { type: 'string', default: 'race.svg' },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);

if (values.draw.length > 0) {
  await draw(values.draw, values.svg);
  process.exit(0);
}

const { dataset } = values;
const target = Number(values.target);
const epochs = Number(values.epochs);
const dataDir = values['data-dir'];
const set = await loadDataset(dataset, dataDir === undefined ? {} : { dataDir });
if (set.task !== 'classification') throw new Error(`${set.name} is not a classification set`);
const data = { x: set.train.x, labels: set.train.labels, test: set.test };
const common = { layers: values.layers.split('-').map(Number), threads: Number(values.threads) };

const tuned: Readonly<Record<string, { readonly best?: Setting }>> =
  values.settings === undefined ? {} : JSON.parse(await readFile(values.settings, 'utf8'));

const outcome: Record<string, unknown> = {
  dataset,
  target,
  layers: values.layers,
  threads: common.threads,
  openblasCore: native.info().core,
};
for (const method of values.methods.split(',')) {
  outcome[method] = values.tune ? await tune(method) : await measure(method);
  if (values.out !== undefined)
    await writeFileAtomic(values.out, Buffer.from(`${JSON.stringify(outcome, undefined, 1)}\n`));
}
const adam = outcome.adam as Median | undefined;
if (!values.tune && adam !== undefined) {
  for (const method of values.methods.split(',')) {
    const its = outcome[method] as Median;
    outcome[method] = { ...its, ratio: its.seconds / adam.seconds };
  }
  const first = outcome[values.methods.split(',')[0] ?? ''] as { ratio: number };
  outcome.ratio = first.ratio;
}
if (values.out !== undefined)
  await writeFileAtomic(values.out, Buffer.from(`${JSON.stringify(outcome, undefined, 1)}\n`));
if (values.json) console.log(JSON.stringify(outcome));
else if (!values.tune) print();

interface Median {
  readonly setting: string;
  readonly runs: readonly Run[];
  /** Of those that reached the target; NaN where fewer than half did. */
  readonly seconds: number;
  readonly epochs: number;
  readonly ratio?: number;
}

/** Draws the runs that some tunings tried. */
async function draw(files: readonly string[], target: string): Promise<void> {
  const found = await Promise.all(
    files.map(async (file): Promise<Readonly<Record<string, unknown>>> => JSON.parse(await readFile(file, 'utf8'))),
  );
  const tried = Object.fromEntries(
    found
      .flatMap((outcome) => Object.entries(outcome))
      .flatMap(([method, entry]) =>
        typeof entry === 'object' && entry !== null && 'tried' in entry
          ? [[method, entry.tried as readonly Run[]]]
          : [],
      ),
  );
  const charts = await loadCharts();
  if (charts === undefined) throw new Error(HOW_TO_HAVE_CHARTS);
  await writeFileAtomic(target, Buffer.from(await charts(specificationOf(String(found[0]?.dataset), tried))));
  say(`wrote ${target}`);
}

async function measure(method: string): Promise<Median> {
  const setting = tuned[method]?.best ?? BEST[dataset]?.[method];
  if (setting === undefined) throw new Error(`${method} has no setting for ${dataset}: find one by --tune`);
  const runs: Run[] = [];
  for (let seed = 1; seed <= Number(values.seeds); seed += 1) {
    runs.push(await race(data, common, setting, seed, { target, epochs, toTheEnd: values['to-the-end'] }));
    say(`${method} seed ${seed}: ${line(runs.at(-1) as Run)}`);
  }
  const reached = (what: (run: Run) => number | undefined): number =>
    median(runs.map((run) => what(run) ?? Number.POSITIVE_INFINITY));
  return {
    setting: settingText(setting),
    runs,
    seconds: reached((run) => run.seconds),
    epochs: reached((run) => run.epochs),
  };
}

async function tune(method: string): Promise<{ readonly best: Setting | null; readonly tried: readonly Run[] }> {
  const tried: Run[] = [];
  let best: Run | undefined;
  for (const setting of GRIDS[method] ?? []) {
    const limit = { target, epochs, ...(best?.seconds !== undefined && { seconds: 1.1 * best.seconds }) };
    const run = await race(data, common, setting, 1, limit);
    tried.push(run);
    say(`${method} ${settingText(setting)}: ${line(run)}`);
    if ((run.seconds ?? Number.POSITIVE_INFINITY) < (best?.seconds ?? Number.POSITIVE_INFINITY)) best = run;
  }
  if (best !== undefined) say(`${method}: best ${settingText(best.setting)}`);
  return { best: best?.setting ?? null, tried };
}

function line({ accuracies, seconds, epochs: needed }: Run): string {
  const curve = accuracies.map((accuracy) => accuracy.toFixed(4)).join(' ');
  return seconds === undefined ? `not reached: ${curve}` : `${seconds.toFixed(1)} s, ${needed} epochs: ${curve}`;
}

function print(): void {
  console.log(`${dataset}, ${values.layers}, target ${target}`);
  for (const method of values.methods.split(',')) {
    const { setting, runs, seconds, epochs: needed, ratio } = outcome[method] as Median;
    const each = runs.map((run) => run.seconds?.toFixed(1) ?? '–').join(', ');
    const times = ratio === undefined ? '' : `, ${ratio.toFixed(2)} of adam's`;
    console.log(`${method.padEnd(16)} ${seconds.toFixed(1)} s, ${needed} epochs (${each} s)${times}   ${setting}`);
  }
}
