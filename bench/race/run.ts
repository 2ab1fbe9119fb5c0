import { type TrainingData, train } from 'dladmm';
import type { GradientOptions, MinibatchOptions } from 'dladmm/solvers';
import { follow } from '../harness/samples.js';
import { optionsOf, type Setting } from './settings.js';

/** How one run of a race went. */
export type Run = Awaited<ReturnType<typeof race>>;

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
) {
  // Where the rate has fallen to 0 nothing moves any more.
  const limit = Math.min(epochs, setting.cosine ?? epochs);
  const { threads } = common;
  const told = setting.auto ? { threads } : { ...common, ...optionsOf(setting, data.x.rows), epochs: limit };
  const training = train(data, { ...told, seed } as GradientOptions | MinibatchOptions);
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
  return {
    setting,
    seed,
    /** Test accuracy after each epoch, and seconds of training until its end. */
    accuracies,
    elapsed,
    /** The same where the target was reached. */
    ...(first !== undefined && { seconds: elapsed[first - 1] ?? Number.NaN, epochs: first }),
  };
}
