import { checkKeys, checkObject } from '../core/checks.js';
import { expected } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
import { initialisationOf } from './initialisation.js';
import { checkNumbers } from './parameters.js';

/**
 * The weights of a graph convolutional network, which has no biases.
 *
 * - `glorot`: W_l uniform with variance 2/(n_{l−1} + n_l), as Kipf and Welling have it.
 * - `he`: W_l normal with variance 2/n_{l−1}.
 * - `gaussian`: W_l normal with mean 0 and the given standard deviation.
 * - weights of one's own: `weights[l − 1]` is W_l, n_{l−1} × n_l row-major.
 */
export type GraphInitialisation =
  | 'glorot'
  | 'he'
  | { readonly gaussian: number }
  | { readonly weights: readonly Numbers[] };

/**
 * Checked, and with weights of one's own copied.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
 * ERR_DLADMM_DETACHED
 */
export function graphInitialisationOf(how: unknown, layers: readonly number[], dtype: Dtype): GraphInitialisation {
  if (how === 'he' || how === 'glorot') return how;
  checkObject(how, "'glorot', 'he', { gaussian: sd } or { weights }", 'initialisation');
  if (!('weights' in how)) {
    checkKeys(how, ['gaussian'], 'initialisation');
    return initialisationOf(how as { readonly gaussian: number }, { layers }, dtype) as { readonly gaussian: number };
  }
  checkKeys(how, ['weights'], 'initialisation');
  return { weights: checkGraphWeights(how.weights, layers, dtype, 'initialisation.weights').map((w) => w.slice()) };
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
