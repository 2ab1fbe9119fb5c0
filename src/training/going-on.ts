/** What a model that goes on learning keeps, and samples as it takes them in. */
import { expected } from '../core/errors.js';
import type { Model } from '../model/model.js';
import { classifies } from '../network/network.js';
import type { Learnt } from '../samples/arrival.js';
import { SEED } from '../solvers/shared/options.js';
import { type FrontOptions, type Ready, type Rows, readyOf } from './front.js';
import type { TrainingData } from './result.js';

/** The options that follow from the model. */
export type Settled =
  | 'layers'
  | 'hidden'
  | 'activation'
  | 'loss'
  | 'task'
  | 'target'
  | 'dtype'
  | 'classes'
  | 'standardise'
  | 'standardiseTargets'
  | 'initialisation'
  | 'columns'
  | 'ignore'
  | 'missing'
  | 'categories'
  | 'buckets';
const SETTLED: readonly Settled[] = [
  'layers',
  'hidden',
  'activation',
  'loss',
  'task',
  'target',
  'dtype',
  'classes',
  'standardise',
  'standardiseTargets',
  'initialisation',
  'columns',
  'ignore',
  'missing',
  'categories',
  'buckets',
];

export const isSettled = (option: string): boolean => (SETTLED as readonly string[]).includes(option);

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for an option that the model has settled */
export function checkSettled(options: object): void {
  for (const key of SETTLED) {
    const value = (options as Readonly<Record<string, unknown>>)[key];
    if (value !== undefined) throw expected('none, as the model that goes on has its own,', key, value);
  }
}

/** What a model knows of samples. */
export function taughtTo({
  classes,
  labelKind,
  standardisation,
  targetStandardisation,
  columns,
  target,
  threshold,
}: Model): Learnt {
  return {
    ...(classes && { classes }),
    labelKind,
    ...(standardisation && { standardisation }),
    ...(targetStandardisation && { targetStandardisation }),
    ...(columns && { columns }),
    ...(target !== undefined && { target }),
    ...(threshold !== undefined && { threshold }),
  };
}

/** What a training of a model has to be told of it: its parameters are where it begins. */
export const settledBy = ({ network, dtype, weights, biases, classes }: Model) => ({
  ...network,
  dtype,
  ...(classes && { classes }),
  initialisation: { weights, biases },
  standardise: false,
  standardiseTargets: false,
});

/**
 * Rows, or samples, as a model takes them in; some of them held out, where the options say so.
 *
 * @throws DlAdmmError as `readyOf`, and ERR_DLADMM_ARGUMENT for rows where the model does not know which column it predicts
 */
export async function readyFor(
  model: Model,
  data: Rows | TrainingData,
  options: Pick<FrontOptions, 'validationShare'> & { readonly seed?: number; readonly signal?: AbortSignal },
): Promise<Ready> {
  const { network, target, columns } = model;
  return readyOf(data, {
    seed: SEED,
    ...options,
    holdsOut: false,
    goesOn: true,
    task: classifies(network.loss) ? 'classification' : 'regression',
    loss: network.loss,
    layers: network.layers,
    standardise: false,
    ...(target !== undefined && { target }),
    ...(columns && { columns: columns as never }),
  });
}
