import { type TrainOptions, train } from 'dladmm';
import { type ClassificationDataset, splitDataset } from 'dladmm/data';
import { follow } from '../harness/samples.js';
import type { Method, Setting } from './settings.js';

export interface Limits {
  readonly iterations: number;
  /** Evaluations without a better validation accuracy after which a training ends. */
  readonly patience: number;
  readonly threads: number;
}

export interface Outcome {
  readonly seed: number;
  /** The best of the iterations. */
  readonly validation: number;
  /** Of the model of that iteration. */
  readonly test: number;
  readonly iteration: number;
  readonly seconds: number;
  readonly status: string;
}

/**
 * Trains on four fifths of the training samples, drawn by the seed, and keeps the model of the iteration that tells the
 * other fifth best. Features are standardised by what is trained on.
 */
export async function outcomeOf(
  { train: all, test, classes }: ClassificationDataset,
  depth: number,
  method: Method,
  { width, ...options }: Setting,
  seed: number,
  { iterations, patience, threads }: Limits,
): Promise<Outcome> {
  const parts = splitDataset(all.x, all.labels, 0.2, seed);
  const training = train({ ...parts.train, validation: parts.test }, {
    layers: [all.x.columns, ...new Array<number>(depth).fill(width), classes.length],
    solver: method,
    iterations,
    seed,
    threads,
    earlyStopping: { patience },
    standardise: true,
    ...options,
  } as TrainOptions);
  let validation = 0;
  let iteration = 0;
  const { model, status, seconds } = await follow(training, (record) => {
    const accuracy = record.validation?.accuracy ?? 0;
    if (iteration > 0 && accuracy <= validation) return;
    validation = accuracy;
    iteration = record.iteration;
  });
  const { accuracy = 0 } = await model.evaluate(test);
  model.close();
  return { seed, validation, test: accuracy, iteration, seconds, status: status.kind };
}
