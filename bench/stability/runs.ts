/** What is swept, one run after the other: the settings of sigmoid-ADMM, and those of SGD on networks of the same shape. */
import { type TrainingData, type TrainOptions, train } from 'dladmm';
import type { Scheme } from 'dladmm/data';
import type { Initialisation } from 'dladmm/solvers';
import { seededRandom } from '../harness/random.js';
import { classesOf, follow } from '../harness/samples.js';
import { SCALINGS, type Scaling, scalerOf } from '../harness/scales.js';

export type Task = 'x2' | 'breast-cancer';

/** An error that counts as learned: mean squared error of x², share of the test samples told wrongly. */
export const REACHED: Readonly<Record<Task, number>> = { x2: 1e-4, 'breast-cancer': 0.05 };

/** One training of the sweep; `row` is where it counts in the table. */
export interface Run {
  readonly task: Task;
  readonly solver: 'sigmoid-admm' | 'sgd, ReLU' | 'sgd, sigmoid';
  readonly row: readonly string[];
  readonly scaling: Scaling;
  readonly options: Partial<TrainOptions>;
}

const BETAS = [0.01, 0.1, 1, 10, 100];
const LAMBDAS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1];
const SCHEMES: readonly Scheme[] = ['msra', 'xavier', 'lecun', 'orthogonal'];
const RATES = [1e-3, 1e-2, 1e-1, 1];
/** Of SGD: the schemes with the gain that is usual for gradients, 1. */
const STARTS: readonly [string, Initialisation][] = [
  ['he', 'he'],
  ['glorot', 'glorot'],
  ['lecun', { scheme: 'lecun', gain: 1 }],
  ['orthogonal', { scheme: 'orthogonal', gain: 1 }],
];

const admm = (row: readonly string[], task: Task, scaling: Scaling, options: Partial<TrainOptions>): Run => ({
  task,
  solver: 'sigmoid-admm',
  row,
  scaling,
  options: { solver: 'sigmoid-admm', ...options } as Partial<TrainOptions>,
});

const short = (value: number): string => (value < 1e-2 ? value.toExponential() : String(value));

/** Every run of one seed. Inputs are standardised unless they are what varies. */
export function runs(): readonly Run[] {
  const grid = BETAS.flatMap((beta) =>
    LAMBDAS.map((lambda) => admm([`β = ${beta}`, `λ = ${short(lambda)}`], 'x2', 'standardised', { beta, l2: lambda })),
  );
  const starts = SCHEMES.flatMap((scheme) =>
    (['normal', 'uniform'] as const).map((distribution) =>
      admm([`start ${scheme}`], 'x2', 'standardised', { initialisation: { scheme, gain: 8, distribution } }),
    ),
  );
  const scaled = (['x2', 'breast-cancer'] as const).flatMap((task) =>
    SCALINGS.map((scaling) => admm([`inputs ${scaling}`], task, scaling, {})),
  );
  return [...grid, ...starts, ...scaled, ...sgd('relu'), ...sgd('sigmoid')];
}

function sgd(activation: 'relu' | 'sigmoid'): readonly Run[] {
  const common = { solver: activation === 'relu' ? 'sgd, ReLU' : 'sgd, sigmoid' } as const;
  const options = { solver: 'sgd', activation, batchSize: 50, dtype: 'float64' } as const;
  const rates = RATES.flatMap((learningRate) =>
    STARTS.map(
      ([name, initialisation]): Run => ({
        ...common,
        task: 'x2',
        row: [`rate ${short(learningRate)}`, `start ${name}`],
        scaling: 'standardised',
        options: { ...options, learningRate, initialisation },
      }),
    ),
  );
  const scaled = (['x2', 'breast-cancer'] as const).flatMap((task) =>
    SCALINGS.flatMap((scaling) =>
      RATES.map(
        (learningRate): Run => ({
          ...common,
          task,
          row: [`inputs ${scaling}`],
          scaling,
          options: { ...options, learningRate, initialisation: 'he' },
        }),
      ),
    ),
  );
  return [...rates, ...scaled];
}

export interface Outcome {
  readonly seed: number;
  /** The smallest over the epochs; `null` where the training met what is not finite. */
  readonly error: number | null;
}

export interface Limits {
  readonly epochs: number;
  readonly points: number;
  readonly threads: number;
}

/** Trains; whatever was reached before a divergence does not count. */
export async function outcomeOf(run: Run, seed: number, { epochs, points, threads }: Limits): Promise<Outcome> {
  const { layers, loss, data } = await dataOf(run, seed, points);
  const training = train(data, {
    ...run.options,
    ...(run.solver === 'sigmoid-admm' ? { iterations: epochs } : { epochs }),
    layers,
    loss,
    seed,
    threads,
    trainMetrics: run.task === 'x2',
  } as TrainOptions);
  let error = Number.POSITIVE_INFINITY;
  const { model, status } = await follow(training, ({ train: onTrain, test }) => {
    error = Math.min(error, test?.accuracy === undefined ? 2 * (onTrain?.loss ?? Number.NaN) : 1 - test.accuracy);
  });
  model.close();
  return { seed, error: status.kind === 'diverged' || !Number.isFinite(error) ? null : error };
}

interface Prepared {
  readonly layers: readonly number[];
  readonly loss: 'squared-error' | 'one-hot-squared-error';
  readonly data: TrainingData;
}

/** x² of a sensor that reads 100 + 50 x; the 30 features of breast-cancer reach from 0 to 4,254. */
async function dataOf({ task, scaling }: Run, seed: number, points: number): Promise<Prepared> {
  if (task === 'x2') {
    const random = seededRandom(seed);
    const x = Float64Array.from({ length: points }, () => 2 * random.uniform() - 1);
    const read = { data: x.map((value) => 100 + 50 * value), rows: points, columns: 1 };
    return {
      layers: [1, 100, 100, 1],
      loss: 'squared-error',
      data: { x: scalerOf(read, scaling)(read), y: x.map((value) => value * value) },
    };
  }
  const { train: training, test } = await classesOf('breast-cancer');
  const scale = scalerOf(training.x, scaling);
  return {
    layers: [training.x.columns, 100, 2],
    loss: 'one-hot-squared-error',
    data: { x: scale(training.x), labels: training.labels, test: { x: scale(test.x), labels: test.labels } },
  };
}
