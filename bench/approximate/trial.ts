import { follow } from '../harness/samples.js';
import { type Method, open, type Settings } from './methods.js';
import type { Task } from './tasks.js';

export type Trial = Awaited<ReturnType<typeof attempt>>;

/** Where the fitted functions are drawn. */
export const FIT_POINTS: readonly number[] = Array.from({ length: 201 }, (_, i) => -1 + i / 100);

/** Epochs that a curve keeps: the first ten, then 20 of each power of ten, and 1, 2 and 5 times it. */
export const isKept = (epoch: number): boolean =>
  epoch <= 10 ||
  Math.floor(20 * Math.log10(epoch)) !== Math.floor(20 * Math.log10(epoch - 1)) ||
  /^[125]0*$/.test(String(epoch));

/** Rates to try, each in place of one at which a training met what is not finite: of SGD the paper's, and smaller ones. */
const ratesOf = (method: Method): readonly number[] =>
  method.startsWith('sgd') ? [0.1, 0.03, 0.01, 0.003, 0.001] : [1e-3];

/** One seed of a method, at the largest of its rates at which nothing diverges. */
export async function runTrial(task: Task, method: Method, seed: number, settings: Settings): Promise<Trial> {
  const rates = ratesOf(method);
  let trial = await attempt(task, method, seed, settings, rates);
  for (let tried = 1; tried < rates.length && trial.status === 'diverged'; tried += 1) {
    trial = await attempt(task, method, seed, settings, rates, tried);
  }
  return trial;
}

/** At one of the rates, after so many larger ones at which the training met what is not finite. */
async function attempt(
  task: Task,
  method: Method,
  seed: number,
  settings: Settings,
  rates: readonly number[],
  tried = 0,
) {
  const rate = rates[tried] ?? Number.NaN;
  const curve: { readonly epoch: number; readonly error: number }[] = [];
  let [error, epoch] = [Number.POSITIVE_INFINITY, 0];
  const training = open(task, method, seed, settings, rate);
  const { seconds, status, model } = await follow(training, ({ iteration, train, test }) => {
    // The loss is half the squared error.
    const now = 2 * ((train ?? test)?.loss ?? Number.NaN);
    if (now < error) [error, epoch] = [now, iteration];
    if (isKept(iteration) && Number.isFinite(error)) curve.push({ epoch: iteration, error });
  });
  using _ = model;
  const isFitted = seed === 1 && task.name === 'x2' && status.kind === 'completed';
  const fitted = isFitted && (await model.predict(FIT_POINTS.map((point) => [point]))).outputs.data;
  return {
    seed,
    epochs: settings.epochs,
    /** The smallest mean squared error over the epochs, `null` where it was never finite, and its epoch. */
    error: Number.isFinite(error) ? error : null,
    epoch,
    seconds,
    status: status.kind as string,
    /** Of the gradient methods. */
    ...(method !== 'admm' && method !== 'frozen' && { rate }),
    ...(tried > 0 && { diverged: rates.slice(0, tried) }),
    /** The smallest error so far, of the first seed, which is the one that is drawn. */
    ...(seed === 1 && { curve }),
    /** x² alone, of the first seed: the network's values at {@link FIT_POINTS} as the training ended. */
    ...(fitted && { fitted: [...fitted] }),
  };
}
