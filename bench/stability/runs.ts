/** What is swept, one run after the other: the settings of sigmoid-ADMM, and those of SGD on networks of the same shape. */
import { type Matrix, type TrainingData, type TrainOptions, train } from 'dladmm';
import type { Scheme } from 'dladmm/data';
import type { Initialisation } from 'dladmm/solvers';
import { seededRandom } from '../harness/random.js';
import { classesOf, follow } from '../harness/samples.js';
import { mean, median, standardDeviation } from '../harness/statistics.js';
import { combinations } from '../harness/study.js';
import { table } from '../harness/table.js';

export const SCALINGS = ['raw', '[0, 1]', 'standardised'] as const;
export type Scaling = (typeof SCALINGS)[number];

/** Column by column, from the training samples alone. */
export function scalerOf({ data, rows, columns }: Matrix, scaling: Scaling): (x: Matrix) => Matrix {
  const rules = Array.from({ length: columns }, (_, j): readonly [shift: number, width: number] => {
    if (scaling === 'raw') return [0, 1];
    const column = Array.from({ length: rows }, (_, i) => data[i * columns + j] ?? Number.NaN);
    if (scaling === 'standardised') return [mean(column), standardDeviation(column) || 1];
    const low = column.reduce((least, value) => Math.min(least, value));
    return [low, column.reduce((most, value) => Math.max(most, value)) - low || 1];
  });
  return (x) => ({
    ...x,
    data: Float64Array.from(x.data, (value, i) => {
      const [shift, width] = rules[i % columns] ?? [0, 1];
      return (value - shift) / width;
    }),
  });
}

/** An error that counts as learned: mean squared error of x², share of the test samples told wrongly. */
export const REACHED = { x2: 1e-4, 'breast-cancer': 0.05 } as const;
export type Task = keyof typeof REACHED;

/** One training of the sweep; `row` is where it counts in the table. */
export interface Run {
  readonly task: Task;
  readonly solver: 'sigmoid-admm' | 'sgd, ReLU' | 'sgd, sigmoid';
  readonly row: readonly string[];
  readonly scaling: Scaling;
  readonly options: object;
}

const TASKS: readonly Task[] = ['x2', 'breast-cancer'];
const BETAS = [0.01, 0.1, 1, 10, 100];
const LAMBDAS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1];
const SCHEMES = ['msra', 'glorot', 'lecun', 'orthogonal'] as const satisfies readonly Scheme[];
const RATES = [1e-3, 1e-2, 1e-1, 1];
/** Of SGD: the schemes with the gain that is usual for gradients, 1. */
const STARTS: Readonly<Record<string, Initialisation>> = {
  he: 'he',
  glorot: 'glorot',
  lecun: { scheme: 'lecun', gain: 1 },
  orthogonal: { scheme: 'orthogonal', gain: 1 },
};

const short = (value: number): string => (value < 1e-2 ? value.toExponential() : String(value));

/** Runs of one solver; inputs are standardised unless they are what varies. */
const by =
  (solver: Run['solver'], common: object) =>
  (row: readonly string[], own: object, task: Task = 'x2', scaling: Scaling = 'standardised'): Run => ({
    ...{ task, solver, row, scaling, options: { ...common, ...own } },
  });

/** Every run of one seed. */
export function runs(): readonly Run[] {
  const admm = by('sigmoid-admm', { solver: 'sigmoid-admm' });
  const scales = combinations({ task: TASKS, scaling: SCALINGS });
  return [
    ...combinations({ beta: BETAS, l2: LAMBDAS }).map((own) => admm([`β = ${own.beta}`, `λ = ${short(own.l2)}`], own)),
    ...combinations({ scheme: SCHEMES, gain: [8], distribution: ['normal', 'uniform'] }).map((initialisation) =>
      admm([`start ${initialisation.scheme}`], { initialisation }),
    ),
    ...scales.map(({ task, scaling }) => admm([`inputs ${scaling}`], {}, task, scaling)),
    ...(['relu', 'sigmoid'] as const).flatMap((activation) => {
      const common = { solver: 'sgd', activation, batchSize: 50, dtype: 'float64' };
      const sgd = by(activation === 'relu' ? 'sgd, ReLU' : 'sgd, sigmoid', common);
      const from = combinations({ learningRate: RATES, start: Object.keys(STARTS) });
      return [
        ...from.map(({ learningRate, start }) =>
          sgd([`rate ${short(learningRate)}`, `start ${start}`], { learningRate, initialisation: STARTS[start] }),
        ),
        ...combinations({ task: TASKS, scaling: SCALINGS, learningRate: RATES }).map(
          ({ task, scaling, learningRate }) =>
            sgd([`inputs ${scaling}`], { learningRate, initialisation: 'he' }, task, scaling),
        ),
      ];
    }),
  ];
}

/** The smallest error over the epochs; `null` where the training met what is not finite, whatever was reached before. */
export async function outcomeOf(run: Run, seed: number, epochs: number, points: number, threads: number) {
  const { data, ...network } = await dataOf(run, seed, points);
  const limits = { standardiseTargets: false, iterations: epochs, seed, threads, trainMetrics: run.task === 'x2' };
  const training = train(data, { ...run.options, ...network, ...limits } as TrainOptions);
  let error = Number.POSITIVE_INFINITY;
  const { model, status } = await follow(training, ({ train: onTrain, test }) => {
    error = Math.min(error, test?.accuracy === undefined ? 2 * (onTrain?.loss ?? Number.NaN) : 1 - test.accuracy);
  });
  model.close();
  return { seed, error: status.kind === 'diverged' || !Number.isFinite(error) ? null : error };
}

/** x² of a sensor that reads 100 + 50 x; the 30 features of breast-cancer reach from 0 to 4,254. */
async function dataOf({ task, scaling }: Run, seed: number, points: number) {
  if (task === 'x2') {
    const random = seededRandom(seed);
    const x = Float64Array.from({ length: points }, () => 2 * random.uniform() - 1);
    const read = { data: x.map((value) => 100 + 50 * value), rows: points, columns: 1 };
    const data: TrainingData = { x: scalerOf(read, scaling)(read), y: x.map((value) => value * value) };
    return { layers: [1, 100, 100, 1], loss: 'squared-error', data };
  }
  const { train: its, test } = await classesOf('breast-cancer');
  const scale = scalerOf(its.x, scaling);
  const data: TrainingData = { ...its, x: scale(its.x), test: { ...test, x: scale(test.x) } };
  return { layers: [its.x.columns, 100, 2], loss: 'one-hot-squared-error', data };
}

export interface Result extends Pick<Run, 'task' | 'solver' | 'row'> {
  /** In the list of runs, from 0. */
  readonly number: number;
  readonly outcomes: readonly Awaited<ReturnType<typeof outcomeOf>>[];
}

/**
 * All runs that share a value of what varies, with how many reached {@link REACHED} and the best, middle and worst error, where a
 * divergence counts as infinite, which is `null`. One row a task, solver and value; those of one kind (β, λ, start …) stand together, in the order of their first run.
 */
export function rowsOf(results: readonly Omit<Result, 'number'>[]) {
  const values = results.flatMap(({ row, task, solver, outcomes }) =>
    row.map((varied) => {
      const errors = outcomes.map(({ error }) => error ?? Number.POSITIVE_INFINITY);
      const [kind, name] = [varied.split(' ')[0], varied].map((what) => [task, solver, what].join());
      return { task, solver, varied, kind, name, errors };
    }),
  );
  const kinds = [...new Set(values.map(({ kind }) => kind))];
  const together = kinds.flatMap((kind) => values.filter((each) => each.kind === kind));
  return [...new Map(together.map((each) => [each.name, each])).values()].map(({ task, solver, varied, name }) => {
    const errors = together.flatMap((each) => (each.name === name ? each.errors : []));
    return {
      ...{ task, solver, varied, runs: errors.length, finite: errors.filter(Number.isFinite).length },
      reached: errors.filter((error) => error <= REACHED[task]).length,
      ...{ best: finite(Math.min(...errors)), median: finite(median(errors)), worst: finite(Math.max(...errors)) },
    };
  });
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

const percent = (part: number, whole: number): string => `${Math.round((100 * part) / whole)} %`;

export function tableOf(rows: ReturnType<typeof rowsOf>): string {
  const cells = rows.map(({ task, solver, varied, runs, finite, reached, ...errors }) => {
    const shown = (error: number | null): string =>
      error === null ? 'diverged' : task === 'x2' ? error.toExponential(1) : `${(100 * error).toFixed(1)} %`;
    const shares = [`${runs}`, percent(finite, runs), percent(reached, runs)];
    return [task, solver, varied, ...shares, ...[errors.best, errors.median, errors.worst].map(shown)];
  });
  return table(['task', 'solver', 'varied', 'runs', 'finite', 'learned', 'best', 'median', 'worst'], cells);
}
