import { expected } from './errors.js';
import { breathe } from './inputs.js';
import type { Dtype, Numbers } from './native.js';
import type { Random } from './random.js';

/** Weights and biases of every layer: `weights[l − 1]` is W_l, n_l × n_{l−1} row-major, `biases[l − 1]` is b_l. */
export interface Parameters {
  readonly weights: readonly Numbers[];
  readonly biases: readonly Numbers[];
}

/**
 * - `he`: W_l normal with variance 2/n_{l−1}, b_l = 0.
 * - `gaussian`: W_l and b_l normal with mean 0 and the given standard deviation (the official code: 0.1).
 * - parameters of one's own.
 */
export type Initialisation = 'he' | { readonly gaussian: number } | Parameters;

const CHUNK_ENTRIES = 2 ** 17;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE */
export function checkInitialisation(how: unknown, layers: readonly number[]): asserts how is Initialisation {
  if (how === 'he') return;
  if (typeof how !== 'object' || how === null) {
    throw expected("'he', { gaussian: sd } or { weights, biases }", 'initialisation', how);
  }
  if ('gaussian' in how) {
    const sd = how.gaussian;
    if (typeof sd === 'number' && sd >= 0 && Number.isFinite(sd)) return;
    throw expected('a finite standard deviation (0.1 is usual)', 'initialisation.gaussian', sd, 'ERR_DLADMM_RANGE');
  }
  if (!('weights' in how && 'biases' in how)) {
    throw expected("'he', { gaussian: sd } or { weights, biases }", 'initialisation', how);
  }
  const depth = layers.length - 1;
  for (let l = 1; l <= depth; l += 1) {
    checkNumbers(how.weights, l, (layers[l] ?? 0) * (layers[l - 1] ?? 0), 'weights');
    checkNumbers(how.biases, l, layers[l] ?? 0, 'biases');
  }
}

function checkNumbers(list: unknown, l: number, length: number, name: string): void {
  const path = `initialisation.${name}[${l - 1}]`;
  const values: unknown = Array.isArray(list) ? list[l - 1] : undefined;
  if (!(values instanceof Float32Array || values instanceof Float64Array)) {
    throw expected('a Float32Array or Float64Array', path, values);
  }
  if (values.length !== length) throw expected(`${length} numbers`, path, values.length, 'ERR_DLADMM_SHAPE');
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw expected('finite numbers', `${path}[${bad}]`, values[bad], 'ERR_DLADMM_NON_FINITE');
}

/** The parameters of a network, drawn in the order W_1, b_1, W_2, …; the event loop runs in between. */
export async function initialise(
  how: Initialisation,
  layers: readonly number[],
  dtype: Dtype,
  random: Random,
): Promise<Parameters> {
  if (how !== 'he' && 'weights' in how) return how;
  const weights: Numbers[] = [];
  const biases: Numbers[] = [];
  for (let l = 1; l < layers.length; l += 1) {
    const inputs = layers[l - 1] ?? 0;
    const outputs = layers[l] ?? 0;
    weights.push(await normals(outputs * inputs, how === 'he' ? Math.sqrt(2 / inputs) : how.gaussian, dtype, random));
    biases.push(await normals(outputs, how === 'he' ? 0 : how.gaussian, dtype, random));
  }
  return { weights, biases };
}

async function normals(count: number, sd: number, dtype: Dtype, random: Random): Promise<Numbers> {
  const out = dtype === 'float32' ? new Float32Array(count) : new Float64Array(count);
  if (sd === 0) return out;
  for (let i = 0; i < count; i += 1) {
    if (i % CHUNK_ENTRIES === CHUNK_ENTRIES - 1) await breathe();
    out[i] = sd * random.normal();
  }
  return out;
}
