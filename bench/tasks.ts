/**
 * BADM and SISA against Adam on a task of each other kind that the abstract of BADM names and that this engine can carry:
 * image generation (an autoencoder, squared error) and language (the next character of a text, cross-entropy).
 *
 *     npm run --silent bench:tasks -- --task autoencoder|language [--methods adam,badm,sisa] [--epochs 20] [--seeds 3]
 *                                     [--samples M] [--dataset fashion-mnist] [--threads N] [--data-dir FOLDER]
 *                                     [--out FILE] [--svg FILE] [--picture FILE] [--json]
 *     npm run --silent bench:tasks -- --task language --tune [--methods …] [--epochs 5] [--samples 20000]
 *
 * The autoencoder learns 784-256-32-256-784 on the images of a data set, each its own target. The language network sees the
 * last 8 characters of data/text/moby-dick.txt, one-hot; the last tenth of the text is its test.
 *
 * Writes bench/results/tasks-TASK.json after every run, then docs/tasks.svg (the test losses of both tasks, where the other
 * one's result lies beside) and, for the autoencoder, docs/reconstructions.svg. Settings are those of bench/tasks/settings.ts,
 * which `--tune` finds: one seed, the lowest loss of any epoch on the last tenth of the training samples, which are held
 * out for that; the test set has no part in it.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DlAdmmError } from 'dladmm';
import { checkWritable, writeFileAtomic } from '#atomic-file';
import { native } from '#native';
import { HOW_TO_HAVE_CHARTS, loadCharts } from './draw.js';
import { type Setting, settingText } from './race/settings.js';
import { autoencoder, shown as shownImages } from './tasks/autoencoder.js';
import { specificationOf } from './tasks/chart.js';
import { language } from './tasks/language.js';
import { countOf, methodsOf, taskOf } from './tasks/options.js';
import { type PictureRow, pictureOf } from './tasks/picture.js';
import { bestOf, type MethodResult, summaryOf, type TaskResult, tableOf } from './tasks/result.js';
import { run, type TaskPoint } from './tasks/run.js';
import { BEST, GRIDS, TASKS } from './tasks/settings.js';
import { firstOf, heldOut, type Task } from './tasks/task.js';

const { values } = parseArgs({
  options: {
    task: { type: 'string', default: 'autoencoder' },
    methods: { type: 'string', default: 'adam,badm,sisa' },
    epochs: { type: 'string' },
    samples: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    dataset: { type: 'string', default: 'fashion-mnist' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 64)) },
    'data-dir': { type: 'string' },
    tune: { type: 'boolean', default: false },
    out: { type: 'string' },
    svg: { type: 'string' },
    picture: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const fromRoot = (path: string): string => fileURLToPath(new URL(path, new URL('../../', import.meta.url)));

try {
  await main();
} catch (error) {
  if (!(error instanceof DlAdmmError)) throw error;
  say(error.message);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const name = taskOf(values.task);
  const methods = methodsOf(values.methods, name);
  const epochs = countOf(values.epochs ?? (values.tune ? '5' : '20'), '--epochs');
  const samples = countOf(values.samples ?? (values.tune ? '20000' : '1000000000'), '--samples');
  const seeds = countOf(values.seeds, '--seeds');
  const options = { epochs, threads: countOf(values.threads, '--threads') };
  const whole = name === 'language' ? await language() : await autoencoder(values.dataset, values['data-dir']);
  const task = { ...whole, train: firstOf(whole.train, samples) };
  if (values.tune) return tune(task, methods, options);
  await measure(task, methods, seeds, options);
}

interface Common {
  readonly epochs: number;
  readonly threads: number;
}

async function measure(task: Task, methods: readonly string[], seeds: number, options: Common): Promise<void> {
  const out = values.out ?? fromRoot(`bench/results/tasks-${task.name}.json`);
  const svg = values.svg ?? fromRoot('docs/tasks.svg');
  const picture = values.picture ?? fromRoot('docs/reconstructions.svg');
  for (const file of [out, svg, ...(task.name === 'autoencoder' ? [picture] : [])]) await checkWritable(file);
  const originals = shownImages(task.test);
  const rows: PictureRow[] = [{ name: 'test images', images: originals.data }];
  let done: readonly MethodResult[] = [];
  for (const method of methods) {
    const before = done;
    const setting = BEST[task.name][method] as Setting;
    let result: MethodResult = { method, setting: settingText(setting), runs: [] };
    for (let seed = 1; seed <= seeds; seed += 1) {
      const each = (point: TaskPoint): void => say(`${method} seed ${seed}  ${line(point)}`);
      const { run: its, shown } = await run(task, setting, { ...options, seed }, each, seed === 1);
      result = { ...result, runs: [...result.runs, its], ...(shown.text !== undefined && { text: shown.text }) };
      if (shown.images !== undefined) rows.push({ name: method, images: shown.images });
      done = [...before, result];
      await write(out, `${JSON.stringify(resultOf(task, done, options), undefined, 1)}\n`);
    }
  }
  const result = resultOf(task, done, options);
  console.log(values.json ? JSON.stringify(summaryOf(result)) : tableOf(result));
  say(`wrote ${out}`);
  if (task.name === 'autoencoder') {
    await write(picture, pictureOf(rows, Math.sqrt(originals.columns)));
    say(`wrote ${picture}`);
  }
  const charts = await loadCharts();
  if (charts === undefined) return say(HOW_TO_HAVE_CHARTS);
  await write(svg, await charts(specificationOf(await beside(result, out))));
  say(`wrote ${svg}`);
}

/** A result and those of the other tasks in its folder, in the order of the tasks. */
async function beside(result: TaskResult, out: string): Promise<readonly TaskResult[]> {
  const all = await Promise.all(
    TASKS.map(async (name): Promise<readonly TaskResult[]> => {
      if (name === result.task) return [result];
      const text = await readFile(join(dirname(out), `tasks-${name}.json`), 'utf8').catch(() => undefined);
      return text === undefined ? [] : [JSON.parse(text) as TaskResult];
    }),
  );
  return all.flat();
}

function resultOf(task: Task, methods: readonly MethodResult[], { epochs, threads }: Common): TaskResult {
  const { name, title, data, layers, unit, reference, train, test } = task;
  return {
    task: name,
    title,
    data,
    layers: layers.join('-'),
    unit,
    ...(reference && { reference }),
    samples: train.x.rows,
    testSamples: test.x.rows,
    epochs,
    threads,
    openblasCore: native.info().core,
    methods,
  };
}

async function tune(task: Task, methods: readonly string[], options: Common): Promise<void> {
  const parts = { ...task, ...heldOut(task.train) };
  for (const method of methods) {
    const tried: { readonly setting: string; readonly loss: number }[] = [];
    for (const setting of GRIDS[task.name][method] ?? []) {
      const { run: its } = await run(parts, setting, { ...options, seed: 1 }, () => undefined);
      const loss = (its.status === 'completed' && bestOf(its.points)?.testLoss) || Number.POSITIVE_INFINITY;
      tried.push({ setting: settingText(setting), loss });
      say(`${method} ${settingText(setting)}: ${Number.isFinite(loss) ? loss.toFixed(4) : its.status}`);
    }
    const best = tried.reduce((low, other) => (other.loss < low.loss ? other : low));
    console.log(
      values.json
        ? JSON.stringify({ task: task.name, method, best, tried })
        : `${method.padEnd(10)} ${best.loss.toFixed(4)} ${task.unit}   ${best.setting}`,
    );
  }
}

function line({ epoch, testLoss, testAccuracy, seconds }: TaskPoint): string {
  const accuracy = testAccuracy === undefined ? '' : `  ${testAccuracy.toFixed(4)}`;
  return `${epoch}  ${testLoss.toFixed(4)}${accuracy}  ${seconds.toFixed(1)} s`;
}

function write(file: string, text: string): Promise<void> {
  return writeFileAtomic(file, new TextEncoder().encode(text));
}
