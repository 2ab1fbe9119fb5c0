import { type Matrix, type TrainOptions, train } from 'dladmm';
import { type ClassificationDataset, splitDataset } from 'dladmm/data';
import { follow } from '../harness/samples.js';
import { scalerOf } from '../harness/scales.js';
import type { Setting } from './settings.js';

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
  setting: Setting,
  seed: number,
  { iterations, patience, threads }: Limits,
): Promise<Outcome> {
  const parts = splitDataset(all.x, all.labels, 0.2, seed);
  const scale = scalerOf(parts.train.x, 'standardised');
  const scaled = ({ x, labels }: { readonly x: Matrix; readonly labels: Int32Array }) => ({ x: scale(x), labels });
  const common = {
    layers: [all.x.columns, ...new Array<number>(depth).fill(setting.width), classes.length],
    seed,
    threads,
    earlyStopping: { patience },
  };
  const options: TrainOptions =
    setting.method === 'adam'
      ? { ...common, solver: 'adam', epochs: iterations, batchSize: setting.batchSize, learningRate: setting.rate }
      : {
          ...common,
          solver: 'sigmoid-admm',
          iterations,
          l2: setting.lambda,
          initialisation: { scheme: 'msra', gain: setting.gain },
        };
  const training = train({ ...scaled(parts.train), validation: scaled(parts.test) }, options);
  let validation = 0;
  let iteration = 0;
  const { model, status, seconds } = await follow(training, (record) => {
    const accuracy = record.validation?.accuracy ?? 0;
    if (iteration > 0 && accuracy <= validation) return;
    validation = accuracy;
    iteration = record.iteration;
  });
  const { accuracy = 0 } = await model.evaluate(scaled(test));
  model.close();
  return { seed, validation, test: accuracy, iteration, seconds, status: status.kind };
}
