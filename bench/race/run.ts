import { type TrainingData, train } from 'dladmm';
import type { GradientOptions, MinibatchOptions } from 'dladmm/solvers';
import { follow } from '../harness/samples.js';
import { optionsOf, type Setting } from './settings.js';

/** How one run of a race went. */
export interface Run {
  readonly setting: Setting;
  readonly seed: number;
  /** Test accuracy after each epoch. */
  readonly accuracies: readonly number[];
  /** Seconds of training (evaluation left out) until the end of each epoch. */
  readonly elapsed: readonly number[];
  /** Seconds of training (evaluation left out) and epochs until the target; absent where it was not reached. */
  readonly seconds?: number;
  readonly epochs?: number;
}

export interface RunLimits {
  readonly target: number;
  readonly epochs: number;
  /** Whether the run goes on after the target. */
  readonly toTheEnd?: boolean;
  /** Given up after so many seconds of training. */
  readonly seconds?: number;
}

/** Trains until the target is reached, or a limit. */
export async function race(
  data: TrainingData & { readonly x: { readonly rows: number } },
  common: { readonly layers: readonly number[]; readonly threads: number },
  setting: Setting,
  seed: number,
  { target, epochs, toTheEnd = false, seconds: most = Number.POSITIVE_INFINITY }: RunLimits,
): Promise<Run> {
  // Where the rate has fallen to 0 nothing moves any more.
  const limit = Math.min(epochs, setting.cosine ?? epochs);
  const options = { ...common, ...optionsOf(setting, data.x.rows), seed, epochs: limit };
  const training = train(data, options as GradientOptions | MinibatchOptions);
  const accuracies: number[] = [];
  const elapsed: number[] = [];
  let first: number | undefined;
  const { model } = await follow(training, ({ test }, seconds) => {
    accuracies.push(test?.accuracy ?? Number.NaN);
    elapsed.push(seconds);
    if (first === undefined && (test?.accuracy ?? 0) >= target) first = accuracies.length;
    return (first !== undefined && !toTheEnd) || seconds > most ? 'enough' : 'more';
  });
  model.close();
  const reached = first === undefined ? {} : { seconds: elapsed[first - 1] ?? Number.NaN, epochs: first };
  return { setting, seed, accuracies, elapsed, ...reached };
}
