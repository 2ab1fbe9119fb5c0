import { follow } from '../harness/samples.js';
import { type Method, open, type Settings, SGD_RATES } from './methods.js';
import type { Task } from './tasks.js';

/** Mean squared error as it stands in the result files; `null` where it was never finite. */
export type ErrorOrNull = number | null;

export interface CurvePoint {
  readonly epoch: number;
  /** The smallest so far. */
  readonly error: number;
}

export interface Trial {
  readonly seed: number;
  readonly epochs: number;
  /** The smallest over the epochs, and its epoch. */
  readonly error: ErrorOrNull;
  readonly epoch: number;
  readonly seconds: number;
  readonly status: string;
  /** Of the gradient methods. */
  readonly rate?: number;
  /** The larger rates at which the training met what is not finite. */
  readonly diverged?: readonly number[];
  /** Of the first seed, which is the one that is drawn. */
  readonly curve?: readonly CurvePoint[];
  /** x² alone, of the first seed: the network's values at {@link FIT_POINTS} as the training ended. */
  readonly fitted?: readonly number[];
}

/** Where the fitted functions are drawn. */
export const FIT_POINTS: readonly number[] = Array.from({ length: 201 }, (_, i) => -1 + i / 100);

/** Epochs that a curve keeps: the first ten, then 20 of each power of ten, and 1, 2 and 5 times it. */
export const isKept = (epoch: number): boolean =>
  epoch <= 10 ||
  Math.floor(20 * Math.log10(epoch)) !== Math.floor(20 * Math.log10(epoch - 1)) ||
  /^[125]0*$/.test(String(epoch));

/** One seed of a method; SGD at the largest of its rates at which nothing diverges. */
export async function runTrial(task: Task, method: Method, seed: number, settings: Settings): Promise<Trial> {
  const rates = method === 'sgd' || method === 'sgd-sigmoid' ? SGD_RATES : [1e-3];
  const diverged: number[] = [];
  for (const rate of rates.slice(0, -1)) {
    const trial = await attempt(task, method, seed, settings, rate, diverged);
    if (trial.status !== 'diverged') return trial;
    diverged.push(rate);
  }
  return attempt(task, method, seed, settings, rates.at(-1) ?? Number.NaN, diverged);
}

async function attempt(
  task: Task,
  method: Method,
  seed: number,
  settings: Settings,
  rate: number,
  diverged: readonly number[],
): Promise<Trial> {
  const training = open(task, method, seed, settings, rate);
  let error = Number.POSITIVE_INFINITY;
  let epoch = 0;
  const curve: CurvePoint[] = [];
  const { seconds, status, model } = await follow(training, (record) => {
    // The loss is half the squared error.
    const now = 2 * ((record.train ?? record.test)?.loss ?? Number.NaN);
    if (now < error) {
      error = now;
      epoch = record.iteration;
    }
    if (isKept(record.iteration) && Number.isFinite(error)) curve.push({ epoch: record.iteration, error });
  });
  const fitted =
    seed === 1 &&
    task.name === 'x2' &&
    status.kind === 'completed' &&
    (await model.predict(FIT_POINTS.map((point) => [point])));
  model.close();
  const byGradients = method !== 'admm' && method !== 'frozen';
  return {
    seed,
    epochs: settings.epochs,
    error: Number.isFinite(error) ? error : null,
    epoch,
    seconds,
    status: status.kind,
    ...(byGradients && { rate }),
    ...(diverged.length > 0 && { diverged: [...diverged] }),
    ...(seed === 1 && { curve }),
    ...(fitted && { fitted: [...fitted.outputs.data] }),
  };
}
