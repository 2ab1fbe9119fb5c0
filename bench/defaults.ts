/**
 * Whether the defaults of mini-batch dlADMM need tuning: every task with η from about a third to three times its default
 * (a tenfold range), everything else as it stands, and Adam beside it over the same range about its own default.
 *
 *     npm run --silent bench:defaults -- [--tasks digits,california-housing,adult,mnist,fashion-mnist] [--seeds 1]
 *                                        [--methods minibatch-admm,adam] [--threads N] [--data-dir FOLDER]
 *                                        [--out FILE] [--svg FILE] [--json]
 *     npm run --silent bench:defaults -- --variants [--tasks mnist,fashion-mnist] [--epochs 2] …
 *
 * Features are standardised, and the target of a regression too; pixels are taken as they are. `adult` is read from
 * FOLDER/tabular/adult and left out where it is not there. Writes bench/results/minibatch-defaults.json and
 * docs/minibatch-defaults.svg. With `--variants` η is the default and one other setting at a time is changed; writes
 * bench/results/minibatch-variants.json, and no picture.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultRate, type TrainOptions, train } from 'dladmm';
import { writeFileAtomic } from '#atomic-file';
import { type DefaultsPoint, specificationOf } from './defaults/chart.js';
import { loadTask, TASKS, type Task, type TaskName } from './defaults/tasks.js';
import { VARIANTS } from './defaults/variants.js';
import { HOW_TO_HAVE_CHARTS, loadCharts } from './draw.js';
import { median } from './statistics.js';

const { values } = parseArgs({
  options: {
    tasks: { type: 'string' },
    methods: { type: 'string', default: 'minibatch-admm,adam' },
    seeds: { type: 'string', default: '1' },
    variants: { type: 'boolean', default: false },
    only: { type: 'string' },
    epochs: { type: 'string' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 64)) },
    'data-dir': { type: 'string' },
    out: { type: 'string' },
    svg: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const result = (path: string): string => fileURLToPath(new URL(path, new URL('../../', import.meta.url)));
const out = values.out ?? result(`bench/results/minibatch-${values.variants ? 'variants' : 'defaults'}.json`);

/** A tenfold range, the default in its middle. */
const FACTORS = [0.316, 0.562, 1, 1.78, 3.16];

/** A run to make: a method by name and its own options, at a factor of its default step. */
interface Choice {
  readonly method: string;
  readonly factor: number;
  readonly options: (task: Task) => Partial<TrainOptions>;
}

const CHOICES: Readonly<Record<string, (factor: number, task: Task) => Partial<TrainOptions>>> = {
  'minibatch-admm': (factor, { loss }) => ({ solver: 'minibatch-admm', learningRate: factor * defaultRate(loss) }),
  adam: (factor) => ({ solver: 'adam', learningRate: factor * 1e-3 }),
};

const chosen = (): readonly Choice[] =>
  values.variants
    ? Object.entries(VARIANTS)
        .filter(([name]) => values.only === undefined || values.only.split(',').includes(name))
        .map(([method, own]) => ({ method, factor: 1, options: () => ({ solver: 'minibatch-admm', ...own }) }))
    : values.methods.split(',').flatMap((method) => {
        const optionsAt = CHOICES[method];
        if (optionsAt === undefined) throw new Error(`--methods must be some of ${Object.keys(CHOICES).join(', ')}`);
        return FACTORS.map((factor) => ({ method, factor, options: (task: Task) => optionsAt(factor, task) }));
      });

const points: DefaultsPoint[] = [];
const tasks = (values.tasks ?? (values.variants ? 'mnist,fashion-mnist' : TASKS.join(','))).split(',');
for (const name of tasks) {
  if (!TASKS.includes(name as TaskName)) throw new Error(`--tasks must be some of ${TASKS.join(', ')}`);
  const task = await loadTask(name as TaskName, values['data-dir']);
  if (task === undefined) {
    say(`${name}: its files are not there; --data-dir FOLDER says where`);
    continue;
  }
  for (const choice of chosen()) {
    for (let seed = 1; seed <= Number(values.seeds); seed += 1) {
      const point = await run(task, choice, seed);
      points.push(point);
      say(
        `${name} ${choice.method} x ${choice.factor}: ${point.status} ${point.scores.map((s) => s.toFixed(4)).join(' ')}`,
      );
      await writeFileAtomic(
        out,
        Buffer.from(`${JSON.stringify({ threads: Number(values.threads), points }, undefined, 1)}\n`),
      );
    }
  }
}
if (values.json) console.log(JSON.stringify({ points }));
else print();
if (!values.variants) {
  const charts = await loadCharts();
  if (charts === undefined) say(HOW_TO_HAVE_CHARTS);
  else
    await writeFileAtomic(
      values.svg ?? result('docs/minibatch-defaults.svg'),
      Buffer.from(await charts(specificationOf(points))),
    );
}

async function run(task: Task, { method, factor, options }: Choice, seed: number): Promise<DefaultsPoint> {
  const { data, layers, loss } = task;
  const epochs = values.epochs === undefined ? task.epochs : Number(values.epochs);
  const training = train(data, {
    layers,
    loss,
    epochs,
    seed,
    threads: Number(values.threads),
    ...options(task),
  } as TrainOptions);
  const scores: number[] = [];
  for await (const { test } of training) scores.push(test?.accuracy ?? test?.loss ?? Number.NaN);
  const { status, model } = training.result;
  model.close();
  return { task: task.name, method, factor, seed, scores, status: status.kind };
}

/** The last score of every choice, and the first where there are several epochs: medians of the seeds. */
function print(): void {
  for (const name of new Set(points.map(({ task }) => task))) {
    console.log(`\n${name}`);
    for (const { method, factor } of chosen()) {
      const runs = points.filter((point) => point.task === name && point.method === method && point.factor === factor);
      const at = (score: (scores: readonly number[]) => number | undefined): string =>
        median(runs.map(({ scores }) => score(scores) ?? Number.NaN)).toFixed(4);
      console.log(`${method.padEnd(28)} x ${String(factor).padEnd(6)} ${at((s) => s[0])} … ${at((s) => s.at(-1))}`);
    }
  }
}
