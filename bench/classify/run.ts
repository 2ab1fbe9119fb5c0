import { type TrainOptions, train } from 'dladmm';
import { type ClassificationDataset, splitDataset } from 'dladmm/data';
import { follow } from '../harness/samples.js';
import { combinations } from '../harness/study.js';

export const METHODS = ['sigmoid-admm', 'adam'] as const;
export type Method = (typeof METHODS)[number];

/** The width of every hidden layer, and the options of the method. */
type Setting = { readonly width?: number };

/** What is chosen from on validation samples, the cheaper ones first: of equals the first is taken. */
export function settingsOf(method: Method): readonly Setting[] {
  const width = [100, 300];
  if (method === 'adam') {
    const grid = combinations({ width, batchSize: [128, 32], learningRate: [1e-3, 3e-3, 1e-2, 3e-2] });
    return grid.map(({ width, batchSize, learningRate }) => ({ width, learningRate, batchSize }));
  }
  const grid = combinations({ width, gain: [1, 3, 8, 20], l2: [1e-6, 1e-2, 1, 10, 100] });
  return grid.map(({ gain, ...setting }) => ({ ...setting, initialisation: { scheme: 'msra', gain } }));
}

/**
 * Trains on four fifths of the training samples, drawn by the seed, and keeps the model of the iteration that tells the
 * other fifth best, unless so many evaluations (`patience`) went by without a better one. Features are standardised by what is trained on.
 */
export async function trained(
  { train: all, test, classes }: ClassificationDataset,
  depth: number,
  method: Method,
  { width = 0, ...options }: Setting,
  seed: number,
  { patience, ...limits }: { readonly iterations: number; readonly patience: number; readonly threads: number },
) {
  const parts = splitDataset(all.x, all.labels, 0.2, seed);
  const layers = [all.x.columns, ...new Array<number>(depth).fill(width), classes.length];
  const own = { earlyStopping: { patience }, standardise: true, ...options };
  const its = { layers, solver: method, seed, ...limits, ...own } as TrainOptions;
  let [validation, iteration] = [0, 0];
  const training = train({ ...parts.train, validation: parts.test }, its);
  const { model, status, seconds } = await follow(training, (record) => {
    const accuracy = record.validation?.accuracy ?? 0;
    if (iteration === 0 || accuracy > validation) [validation, iteration] = [accuracy, record.iteration];
  });
  const { accuracy = 0 } = await model.evaluate(test);
  model.close();
  return { seed, validation, test: accuracy, iteration, seconds, status: status.kind };
}
