/**
 * How well functions are approximated: sigmoid-ADMM as published, the same with its hidden layers frozen, SGD and Adam on
 * ReLU networks and SGD on sigmoid networks of the depths and widths that the paper lists. The error is the mean squared
 * error over the points, the smallest over the epochs.
 *
 *     npm run --silent bench:approximate -- [--tasks x2,uv,l1-radial,l2-radial] [--methods admm,frozen,sgd,adam,sgd-sigmoid]
 *                                           [--trials 3] [--points 1000] [--epochs 2000] [--threads N] [--out FOLDER]
 *                                           [--svg FILE] [--fresh] [--json]
 *     npm run --silent bench:approximate -- --layers [--tasks x2,uv] [--trials 5] [--epochs 500]
 *     npm run --silent bench:approximate -- --kkt [--epochs 5000]
 *
 * Writes bench/results/approximate-TASK.json after every trial and docs/approximate.svg at the end. A trial that is there
 * already, with the same seed, points and epochs, is not run again, so a long run may be stopped and resumed; `--fresh`
 * begins anew. `--layers` tells how much each layer adds to what the last one does alone, `--kkt` how the
 * KKT residual falls (docs/kkt.svg).
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DlAdmmError } from 'dladmm';
import type { TopLevelSpec } from 'vega-lite';
import { checkWritable, writeFileAtomic } from '#atomic-file';
import { native } from '#native';
import { specificationOf } from './approximate/chart.js';
import { kktSpecification, kktTable, measureKkt } from './approximate/kkt.js';
import { layerTable, measureLayers } from './approximate/layers.js';
import { layersOf, METHODS, type Settings } from './approximate/methods.js';
import { HEAD, lineOf, summaryOf, type TaskResult, withTrial } from './approximate/result.js';
import { TASKS, type Task } from './approximate/tasks.js';
import { runTrial } from './approximate/trial.js';
import { HOW_TO_HAVE_CHARTS, loadCharts } from './draw.js';
import { chosen, countOf } from './options.js';

const { values } = parseArgs({
  options: {
    tasks: { type: 'string' },
    methods: { type: 'string', default: METHODS.join(',') },
    trials: { type: 'string' },
    points: { type: 'string', default: '1000' },
    epochs: { type: 'string' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 64)) },
    out: { type: 'string' },
    svg: { type: 'string' },
    layers: { type: 'boolean', default: false },
    kkt: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const fromRoot = (path: string): string => fileURLToPath(new URL(path, new URL('../../', import.meta.url)));
const write = (file: string, text: string): Promise<void> => writeFileAtomic(file, new TextEncoder().encode(text));

const fileOf = (folder: string, { name }: Task): string => join(folder, `approximate-${name}.json`);

const read = async (file: string): Promise<TaskResult | undefined> => {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as TaskResult);
};

const all = async (folder: string): Promise<readonly TaskResult[]> =>
  (await Promise.all(TASKS.map((task) => read(fileOf(folder, task))))).filter((result) => result !== undefined);

try {
  await main();
} catch (error) {
  if (!(error instanceof DlAdmmError)) throw error;
  say(error.message);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const names = TASKS.map(({ name }) => name);
  const asked = chosen(values.tasks ?? (values.layers ? 'x2,uv' : names.join(',')), names, '--tasks');
  const tasks = TASKS.filter(({ name }) => asked.includes(name));
  const methods = chosen(values.methods, METHODS, '--methods');
  const trials = countOf(values.trials ?? (values.layers ? '5' : '3'), '--trials');
  const settings: Settings = {
    points: countOf(values.points, '--points'),
    epochs: countOf(values.epochs ?? (values.kkt ? '5000' : values.layers ? '500' : '2000'), '--epochs'),
    threads: countOf(values.threads, '--threads'),
  };
  const folder = values.out ?? fromRoot('bench/results');
  if (values.kkt) return kkt(settings, join(folder, 'approximate-kkt.json'));
  if (values.layers) return layers(tasks, trials, settings, join(folder, 'approximate-layers.json'));

  const svg = values.svg ?? fromRoot('docs/approximate.svg');
  for (const file of [svg, ...tasks.map((task) => fileOf(folder, task))]) await checkWritable(file);
  for (const task of tasks) {
    let result = await begin(folder, task, settings);
    for (const method of METHODS.filter((name) => methods.includes(name))) {
      for (let seed = 1; seed <= trials; seed += 1) {
        const known = result.methods.find((other) => other.method === method)?.trials ?? [];
        if (known.some((trial) => trial.seed === seed && trial.epochs === settings.epochs)) continue;
        const trial = await runTrial(task, method, seed, settings);
        say(`${task.name} ${method} seed ${seed}: ${trial.error?.toExponential(2) ?? trial.status}`);
        result = withTrial(result, method, layersOf(task, method).join('-'), trial);
        await write(fileOf(folder, task), `${JSON.stringify(result)}\n`);
      }
    }
    show(task, result, task === tasks[0]);
  }
  await draw(svg, specificationOf(await all(folder)));
}

async function begin(folder: string, task: Task, { points, threads }: Settings): Promise<TaskResult> {
  const known = values.fresh ? undefined : await read(fileOf(folder, task));
  if (known?.points === points && known.definition === task.definition) return known;
  const { name, definition, judged } = task;
  return { task: name, definition, judged, points, threads, openblasCore: native.info().core, methods: [] };
}

function show({ published = {} }: Task, { task, methods }: TaskResult, first: boolean): void {
  const summaries = methods.map((each) => summaryOf(task, each, published[each.method]));
  if (!values.json && first) console.log(HEAD);
  for (const summary of summaries) console.log(values.json ? JSON.stringify(summary) : lineOf(summary));
}

async function layers(tasks: readonly Task[], trials: number, settings: Settings, file: string): Promise<void> {
  await checkWritable(file);
  const results = [];
  for (const task of tasks) {
    results.push(...(await measureLayers(task, trials, settings, say)));
    await write(file, `${JSON.stringify(results, undefined, 1)}\n`);
  }
  console.log(values.json ? JSON.stringify(results) : layerTable(results));
}

async function kkt({ epochs, threads }: Settings, file: string): Promise<void> {
  const svg = values.svg ?? fromRoot('docs/kkt.svg');
  for (const each of [file, svg]) await checkWritable(each);
  const results = await measureKkt(epochs, threads);
  await write(file, `${JSON.stringify(results)}\n`);
  console.log(values.json ? JSON.stringify(results) : kktTable(results));
  await draw(svg, kktSpecification(results));
}

async function draw(svg: string, specification: TopLevelSpec): Promise<void> {
  const charts = await loadCharts();
  if (charts === undefined) return say(HOW_TO_HAVE_CHARTS);
  await write(svg, await charts(specification));
  say(`wrote ${svg}`);
}
