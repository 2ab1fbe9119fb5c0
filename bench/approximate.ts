/**
 * How well functions are approximated: sigmoid-ADMM as published, with its hidden layers frozen, and SGD and Adam on ReLU
 * networks of the depths that the paper lists. The error is the mean squared error over the points, the smallest over the
 * epochs.
 *
 *     npm run --silent bench:approximate -- [--tasks x2,uv,l1-radial,l2-radial] [--methods admm,frozen,sgd,adam]
 *                                           [--trials 3] [--points 1000] [--epochs 2000] [--threads N] [--json]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type ConstraintUpdate, Lambda, train, V, W } from 'dladmm';
import { TASKS, type Task } from './approximate/tasks.js';

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: 'x2,uv,l1-radial,l2-radial' },
    methods: { type: 'string', default: 'admm,frozen,sgd,adam' },
    trials: { type: 'string', default: '3' },
    points: { type: 'string', default: '1000' },
    epochs: { type: 'string', default: '2000' },
    threads: { type: 'string', default: String(availableParallelism()) },
    json: { type: 'boolean', default: false },
  },
});
const epochs = Number(values.epochs);
const count = Number(values.points);
const threads = Number(values.threads);

const METHODS = ['admm', 'frozen', 'sgd', 'adam'] as const;
type Method = (typeof METHODS)[number];

/** Only the last layer moves: what its ridge regression on the features of the start can do alone. */
function* frozen(N: number): Generator<ConstraintUpdate> {
  yield W(N);
  yield V(N);
  yield Lambda(N);
}

const layersOf = (task: Task, [depth, width]: readonly [number, number]): readonly number[] => [
  task.inputs,
  ...new Array<number>(depth).fill(width),
  1,
];

function open(task: Task, method: Method, seed: number) {
  const data = task.points(count, seed, 'train');
  const judged = task.judged === 'test' ? { test: task.points(count, seed, 'test') } : {};
  const common = { loss: 'squared-error', seed, threads, trainMetrics: task.judged === 'train' } as const;
  if (method === 'sgd' || method === 'adam') {
    const options = {
      ...common,
      layers: layersOf(task, task[method]),
      dtype: 'float64',
      initialisation: 'he',
      epochs,
      batchSize: 50,
    } as const;
    // 0.1 · 0.95^k, k counting tens of epochs; Adam as it is by default.
    return method === 'sgd'
      ? train(
          { ...data, ...judged },
          {
            ...options,
            solver: 'sgd',
            momentum: 0,
            learningRate: ({ epoch }: { readonly epoch: number }) => 0.1 * 0.95 ** Math.floor((epoch - 1) / 10),
          },
        )
      : train({ ...data, ...judged }, { ...options, solver: 'adam', learningRate: 1e-3 });
  }
  return train(
    { ...data, ...judged },
    {
      ...common,
      solver: 'sigmoid-admm',
      layers: layersOf(task, task.sigmoid),
      iterations: epochs,
      ...(method === 'frozen' && { sweep: frozen }),
    },
  );
}

interface Trial {
  readonly seed: number;
  /** The smallest over the epochs. */
  readonly error: number;
  readonly epoch: number;
  readonly seconds: number;
  readonly status: string;
}

async function run(task: Task, method: Method, seed: number): Promise<Trial> {
  const training = open(task, method, seed);
  let error = Number.POSITIVE_INFINITY;
  let epoch = 0;
  for await (const record of training) {
    // The loss is half the squared error.
    const now = 2 * ((record.train ?? record.test)?.loss ?? Number.NaN);
    if (!(now < error)) continue;
    error = now;
    epoch = record.iteration;
  }
  const { seconds, status } = training.result;
  return { seed, error, epoch, seconds, status: status.kind };
}

const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;

function summary(task: Task, method: Method, trials: readonly Trial[]) {
  const errors = trials.map(({ error }) => error);
  const middle = mean(errors);
  return {
    task: task.name,
    method,
    mean: middle,
    best: Math.min(...errors),
    deviation: Math.sqrt(mean(errors.map((error) => (error - middle) ** 2))),
    seconds: mean(trials.map(({ seconds }) => seconds)),
    ...(method === 'admm' && task.published !== undefined && { published: task.published }),
    trials,
  };
}

const names = values.tasks.split(',');
const methods = METHODS.filter((method) => values.methods.split(',').includes(method));
if (!values.json) console.log('task       method  mean      best      deviation  seconds  published');
for (const task of TASKS.filter(({ name }) => names.includes(name))) {
  for (const method of methods) {
    const trials: Trial[] = [];
    for (let seed = 1; seed <= Number(values.trials); seed += 1) trials.push(await run(task, method, seed));
    const row = summary(task, method, trials);
    if (values.json) {
      console.log(JSON.stringify(row));
      continue;
    }
    const shown = (error: number): string => (Number.isFinite(error) ? error.toExponential(2) : 'diverged');
    const errors = [row.mean, row.best, row.deviation].map((error) => shown(error).padEnd(10)).join('');
    const published = row.published === undefined ? '' : row.published.toExponential(2);
    console.log(
      `${task.name.padEnd(11)}${method.padEnd(8)}${errors} ${row.seconds.toFixed(1).padStart(7)}  ${published}`,
    );
  }
}
