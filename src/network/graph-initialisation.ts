import { checkKeys, checkObject } from '../core/checks.js';
import { expected } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
import { present } from '../core/objects.js';
import { checkSameFunction, initialisationOf } from './initialisation.js';
import type { Network } from './network.js';
import { checkNumbers } from './parameters.js';
import type { Standardisation } from './standardisation.js';

/**
 * The weights of a graph convolutional network, which has no biases.
 *
 * - `glorot`: W_l uniform with variance 2/(n_{l−1} + n_l), as Kipf and Welling have it.
 * - `he`: W_l normal with variance 2/n_{l−1}.
 * - `gaussian`: W_l normal with mean 0 and the given standard deviation.
 * - weights of one's own: `weights[l − 1]` is W_l, n_{l−1} × n_l row-major.
 * - a model of a graph, whose features have been standardised alike.
 */
export type GraphInitialisation =
  | 'glorot'
  | 'he'
  | { readonly gaussian: number }
  | { readonly weights: readonly Numbers[] }
  | TrainedWeights;

/** A model of a graph whose training goes on. */
export interface TrainedWeights {
  readonly network: unknown;
  readonly weights: readonly Numbers[];
  readonly classes?: readonly string[];
  readonly standardisation?: Standardisation;
}

/**
 * Checked, and with weights of one's own copied.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
 * ERR_DLADMM_DETACHED
 */
export function graphInitialisationOf(
  how: unknown,
  { layers, activation }: Pick<Network, 'layers' | 'activation'>,
  dtype: Dtype,
): GraphInitialisation {
  if (how === 'he' || how === 'glorot') return how;
  checkObject(how, "'glorot', 'he', { gaussian: sd }, { weights } or a model", 'initialisation');
  if (!('weights' in how)) {
    checkKeys(how, ['gaussian'], 'initialisation');
    return initialisationOf(how as { readonly gaussian: number }, { layers }, dtype) as { readonly gaussian: number };
  }
  // A model has more than these, and may be given as it is.
  if (!('network' in how)) checkKeys(how, ['weights'], 'initialisation');
  const weights = checkGraphWeights(how.weights, layers, dtype, 'initialisation.weights').map((w) => w.slice());
  if (!('network' in how)) return { weights };
  checkSameFunction(how.network, { layers, activation }, '{ weights }');
  const { network, classes, standardisation } = how as TrainedWeights;
  return { network, weights, ...present({ classes, standardisation }) };
}

/**
 * Weights that fit a network: W_l is n_{l−1} × n_l.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE, ERR_DLADMM_DETACHED
 */
export function checkGraphWeights(
  weights: unknown,
  layers: readonly number[],
  dtype: Dtype,
  name: string,
): readonly Numbers[] {
  const depth = layers.length - 1;
  if (!Array.isArray(weights)) throw expected(`an array of ${depth} typed arrays`, name, weights);
  if (weights.length !== depth) throw expected(`${depth} arrays, one a layer,`, name, weights, 'ERR_DLADMM_SHAPE');
  return weights.map((values: unknown, i) => {
    checkNumbers(values, (layers[i] ?? 0) * (layers[i + 1] ?? 0), dtype, `${name}[${i}]`);
    return values;
  });
}
