import { expected } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
import { isNumbers } from '../core/numbers.js';
import { isRevoked } from '../core/objects.js';
import { checkAttached } from '../tensor/inputs.js';

/** Weights and biases of every layer: `weights[l − 1]` is W_l, n_l × n_{l−1} row-major, `biases[l − 1]` is b_l. */
export interface Parameters {
  readonly weights: readonly Numbers[];
  readonly biases: readonly Numbers[];
}

/**
 * Parameters that fit a network; `prefix` stands before their names in errors.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE, ERR_DLADMM_DETACHED
 */
export function checkParameters(parameters: Parameters, layers: readonly number[], dtype: Dtype, prefix: string): void {
  const depth = layers.length - 1;
  for (const name of ['weights', 'biases'] as const) {
    const list: unknown = parameters[name];
    if (isRevoked(list) || !Array.isArray(list))
      throw expected(`an array of ${depth} typed arrays`, prefix + name, list);
    if (list.length > depth) throw expected(`${depth} arrays, one a layer,`, prefix + name, list, 'ERR_DLADMM_SHAPE');
    for (let l = 1; l <= depth; l += 1) {
      const length = (layers[l] ?? 0) * (name === 'weights' ? (layers[l - 1] ?? 0) : 1);
      checkNumbers(list[l - 1], length, dtype, `${prefix}${name}[${l - 1}]`);
    }
  }
}

/** @throws DlAdmmError as {@link checkParameters} */
export function checkNumbers(values: unknown, length: number, dtype: Dtype, name: string): asserts values is Numbers {
  if (!isNumbers(values)) {
    throw expected('a Float32Array or Float64Array', name, values);
  }
  checkAttached(values, name);
  if (values.length !== length) throw expected(`${length} numbers`, name, values.length, 'ERR_DLADMM_SHAPE');
  for (let i = 0; i < length; i += 1) {
    const value = values[i] ?? Number.NaN;
    if (Number.isFinite(dtype === 'float32' ? Math.fround(value) : value)) continue;
    throw expected(`numbers finite in ${dtype}`, `${name}[${i}]`, value, 'ERR_DLADMM_NON_FINITE');
  }
}
