/**
 * Whether the defaults of mini-batch dlADMM need tuning: every task with η from about a third to three times its default
 * (a tenfold range), everything else as it stands, and Adam beside it over the same range about its own default.
 *
 * Features are standardised, and the target of a regression too; pixels are taken as they are. `adult` is read from
 * FOLDER/tabular/adult and left out where it is not there. Writes bench/results/minibatch-defaults.json and
 * docs/minibatch-defaults.svg. With `--variants` η is the default and one other setting at a time is changed; writes
 * bench/results/minibatch-variants.json, and no picture.
 */
import { type TrainOptions, train } from 'dladmm';
import { defaultRate } from 'dladmm/solvers';
import { type DefaultsPoint, specificationOf } from './defaults/chart.js';
import { loadTask, TASKS, type Task } from './defaults/tasks.js';
import { VARIANTS } from './defaults/variants.js';
import { draw } from './harness/figures.js';
import { count, file, flag, maybe, program, say, some, THREADS } from './harness/program.js';
import { fromRoot, keep, machine, resultFile } from './harness/results.js';
import { follow } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { table } from './harness/table.js';

/** A tenfold range, the default in its middle. */
const FACTORS = [0.316, 0.562, 1, 1.78, 3.16];

/** A run to make: a method by name and its own options, at a factor of its default step. */
interface Choice {
  readonly method: string;
  readonly factor: number;
  readonly options: (task: Task) => Partial<TrainOptions>;
}

const CHOICES = {
  'minibatch-admm': (factor: number, { loss }: Task): Partial<TrainOptions> => ({
    solver: 'minibatch-admm',
    learningRate: factor * defaultRate(loss),
  }),
  adam: (factor: number): Partial<TrainOptions> => ({ solver: 'adam', learningRate: factor * 1e-3 }),
};

const OPTIONS = {
  tasks: maybe(some(TASKS)),
  methods: some(Object.keys(CHOICES) as (keyof typeof CHOICES)[]),
  seeds: count(1),
  variants: flag,
  only: maybe(some(Object.keys(VARIANTS))),
  epochs: maybe(count(1)),
  threads: THREADS,
  dataDir: file,
  out: file,
  svg: file,
};

await program(
  OPTIONS,
  async ({ methods, seeds, variants, only = Object.keys(VARIANTS), epochs, threads, dataDir, ...given }) => {
    const choices: readonly Choice[] = variants
      ? only.map((method) => ({
          method,
          factor: 1,
          options: () => ({ solver: 'minibatch-admm', ...VARIANTS[method] }),
        }))
      : methods.flatMap((method) =>
          FACTORS.map((factor) => ({ method, factor, options: (task) => CHOICES[method](factor, task) })),
        );
    const { out = resultFile(`minibatch-${variants ? 'variants' : 'defaults'}`) } = given;
    const points: DefaultsPoint[] = [];
    for (const name of given.tasks ?? (variants ? (['mnist', 'fashion-mnist'] as const) : TASKS)) {
      const task = await loadTask(name, dataDir);
      if (task === undefined) {
        say(`${name}: its files are not there; --data-dir FOLDER says where`);
        continue;
      }
      for (const choice of choices) {
        for (let seed = 1; seed <= seeds; seed += 1) {
          const point = await run(task, choice, seed, epochs ?? task.epochs, threads);
          points.push(point);
          say(`${name} ${choice.method} x ${choice.factor}: ${point.status} ${point.scores.map((s) => s.toFixed(4))}`);
          await keep(out, { ...machine(threads), points });
        }
      }
    }
    if (!variants) await draw(given.svg ?? fromRoot('docs/minibatch-defaults.svg'), specificationOf(points));
    return { result: { points }, text: tableOf(points, choices) };
  },
);

async function run(
  task: Task,
  { method, factor, options }: Choice,
  seed: number,
  epochs: number,
  threads: number,
): Promise<DefaultsPoint> {
  const { data, layers, loss } = task;
  const scores: number[] = [];
  const training = train(data, { layers, loss, epochs, seed, threads, ...options(task) } as TrainOptions);
  const { status, model } = await follow(training, ({ test }) =>
    scores.push(test?.accuracy ?? test?.loss ?? Number.NaN),
  );
  model.close();
  return { task: task.name, method, factor, seed, scores, status: status.kind };
}

/** The first and the last score of every choice: medians of the seeds. */
function tableOf(points: readonly DefaultsPoint[], choices: readonly Choice[]): string {
  const rows = [...new Set(points.map(({ task }) => task))].flatMap((task) =>
    choices.map(({ method, factor }) => {
      const runs = points.filter((each) => each.task === task && each.method === method && each.factor === factor);
      const at = (place: number): string => median(runs.map(({ scores }) => scores.at(place) ?? Number.NaN)).toFixed(4);
      return [task, method, String(factor), at(0), at(-1)];
    }),
  );
  return table(['task', 'method', 'factor', 'first', 'last'], rows);
}
