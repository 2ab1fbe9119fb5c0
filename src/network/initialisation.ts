import { atLeast, checkKeys, checkObject, oneOf } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
import { zeros } from '../core/numbers.js';
import { present } from '../core/objects.js';
import type { Random } from '../core/random.js';
import { breathe, pause } from '../tensor/inputs.js';
import { checkNetwork, isSameActivation, type Network } from './network.js';
import { checkParameters, type Parameters } from './parameters.js';
import type { Standardisation } from './standardisation.js';

export const SCHEMES = ['he', 'glorot', 'lecun', 'msra', 'orthogonal'] as const;

/**
 * Variances of W_l that scale with the widths; b_l = 0.
 *
 * - `he`: 2/n_{l−1}.
 * - `glorot`: 2/(n_{l−1} + n_l).
 * - `lecun`: 1/n_{l−1}.
 * - `msra`: 2/n_l, and 1 for the last layer, as the published code of sigmoid-ADMM has it.
 * - `orthogonal`: rows (or columns, where these are fewer) of length 1 at right angles to each other.
 */
export type Scheme = (typeof SCHEMES)[number];

/** A scheme, everything multiplied by `gain`. */
export interface ScaledScheme {
  readonly scheme: Scheme;
  readonly gain: number;
  /** Of the numbers drawn (for `orthogonal`, before they are made so). Default `normal`. */
  readonly distribution?: 'normal' | 'uniform';
}

/** A model whose training goes on: what it says of raw features is where the new training begins. */
export interface TrainedParameters extends Parameters {
  readonly network: unknown;
  readonly classes?: readonly string[];
  readonly standardisation?: Standardisation;
  readonly targetStandardisation?: Standardisation;
  /** Data with named columns are taken by these. */
  readonly columns?: readonly { readonly name: string; readonly categories?: readonly string[] }[];
}

/**
 * - `he`: W_l normal with variance 2/n_{l−1}, b_l = 0.
 * - `glorot`: W_l uniform with variance 2/(n_{l−1} + n_l), b_l = 0.
 * - `gaussian`: W_l and b_l normal with mean 0 and the given standard deviation (the official code: 0.1).
 * - a scheme with its gain.
 * - parameters of one's own, for features as the network meets them (standardised, where `standardise` is set).
 * - a model.
 */
export type Initialisation =
  | 'he'
  | 'glorot'
  | { readonly gaussian: number }
  | ScaledScheme
  | Parameters
  | TrainedParameters;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where the weights of a model would be another function in a network */
export function checkSameFunction(
  from: unknown,
  { layers, activation }: Pick<Network, 'layers'> & { readonly activation?: Network['activation'] | undefined },
  bare: string,
): void {
  checkNetwork(from, 'initialisation.network');
  const own = from.activation;
  // Without hidden layers there is none.
  if (layers.length <= 2 || activation === undefined || isSameActivation(own, activation)) return;
  const text = `Expected activation: ${JSON.stringify(own)}, that of the model in initialisation, but received ${JSON.stringify(activation)}, with which its weights are another function; pass ${bare} of it for these as they are`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}

const CHUNK_ENTRIES = 2 ** 13;

const KINDS = "'he', 'glorot', { gaussian: sd }, { scheme, gain } or { weights, biases }";

/** What other libraries call them. */
const ELSEWHERE: Readonly<Record<string, RegExp>> = {
  "'he'": /^(?:he|kaiming)/i,
  "'glorot'": /^(?:glorot|xavier)/i,
  '{ gaussian: 0.1 }': /^(?:random|normal|gauss|truncated)/i,
  "{ scheme: 'lecun', gain: 1 }": /^lecun/i,
  "{ scheme: 'orthogonal', gain: 1 }": /^orthogonal/i,
  "{ scheme: 'msra', gain: 1 }": /^msra/i,
};

/**
 * Checked, and with parameters of one's own copied: what becomes of the caller's arrays later does not matter.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
 * ERR_DLADMM_DETACHED
 */
export function initialisationOf(
  how: Initialisation,
  { layers, activation }: Pick<Network, 'layers'> & Partial<Pick<Network, 'activation'>>,
  dtype: Dtype,
): Initialisation {
  if (how === 'he' || how === 'glorot') return how;
  if (typeof how === 'string') {
    const [hint] = Object.entries(ELSEWHERE).filter(([, names]) => names.test(how));
    const { code, message } = expected(KINDS, 'initialisation', how);
    throw new DlAdmmError(code, `${message}${hint ? `; did you mean ${hint[0]}?` : ''}`);
  }
  checkObject(how, KINDS, 'initialisation');
  if ('gaussian' in how) {
    checkKeys(how, ['gaussian'], 'initialisation');
    const sd = how.gaussian;
    if (typeof sd === 'number' && sd >= 0 && Number.isFinite(sd)) return { gaussian: sd };
    throw expected('a finite standard deviation (0.1 is usual)', 'initialisation.gaussian', sd, 'ERR_DLADMM_RANGE');
  }
  if ('scheme' in how) {
    checkKeys(how, ['scheme', 'gain', 'distribution'], 'initialisation');
    return {
      scheme: oneOf(how.scheme, SCHEMES, 'initialisation.scheme'),
      gain: atLeast(how.gain, 0, 'initialisation.gain'),
      distribution: oneOf(how.distribution ?? 'normal', ['normal', 'uniform'], 'initialisation.distribution'),
    };
  }
  if (!('weights' in how && 'biases' in how)) throw expected(KINDS, 'initialisation', how);
  // A model has more than these, and may be given as it is.
  if (!('network' in how)) checkKeys(how, ['weights', 'biases'], 'initialisation');
  checkParameters(how, layers, dtype, 'initialisation.');
  const copy = { weights: how.weights.map((v) => v.slice()), biases: how.biases.map((v) => v.slice()) };
  if (!('network' in how)) return copy;
  checkSameFunction(how.network, { layers, activation }, '{ weights, biases }');
  const { network, classes, standardisation, targetStandardisation, columns } = how;
  return { ...copy, network, ...present({ classes, standardisation, targetStandardisation, columns }) };
}

/** The parameters of a network, drawn in the order W_1, b_1, W_2, …; the event loop runs in between. */
export async function initialise(
  how: Initialisation,
  layers: readonly number[],
  dtype: Dtype,
  random: Random,
): Promise<Parameters> {
  if (typeof how === 'object' && 'weights' in how) return how;
  const weights: Numbers[] = [];
  const biases: Numbers[] = [];
  for (let l = 1; l < layers.length; l += 1) {
    const inputs = layers[l - 1] ?? 0;
    const outputs = layers[l] ?? 0;
    if (typeof how === 'object' && 'scheme' in how) {
      weights.push(await scaled(how, { inputs, outputs, last: l === layers.length - 1 }, dtype, random));
      biases.push(await draw(outputs, undefined, dtype));
      continue;
    }
    weights.push(await draw(outputs * inputs, weightsOf(how, inputs, outputs, random), dtype));
    biases.push(await draw(outputs, typeof how === 'object' ? normal(how.gaussian, random) : undefined, dtype));
  }
  return { weights, biases };
}

type Source = (() => number) | undefined;

const normal = (sd: number, random: Random): Source => (sd === 0 ? undefined : () => sd * random.normal());

function weightsOf(
  how: Exclude<Initialisation, Parameters | ScaledScheme>,
  inputs: number,
  outputs: number,
  random: Random,
): Source {
  if (how === 'he') return normal(Math.sqrt(2 / inputs), random);
  if (typeof how === 'object') return normal(how.gaussian, random);
  const reach = Math.sqrt(6 / (inputs + outputs));
  return () => reach * (2 * random.uniform() - 1);
}

/** `count` numbers from a source, zeros without one; the event loop runs in between. */
async function draw(count: number, next: Source, dtype: Dtype): Promise<Numbers> {
  const out = zeros(dtype, count);
  if (next === undefined) return out;
  for (let i = 0; i < count; i += 1) {
    if (i % CHUNK_ENTRIES === CHUNK_ENTRIES - 1) await pause();
    out[i] = next();
  }
  return out;
}

interface Shape {
  readonly inputs: number;
  readonly outputs: number;
  readonly last: boolean;
}

function varianceOf(scheme: Exclude<Scheme, 'orthogonal'>, { inputs, outputs, last }: Shape): number {
  if (scheme === 'msra') return last ? 1 : 2 / outputs;
  return { he: 2 / inputs, glorot: 2 / (inputs + outputs), lecun: 1 / inputs }[scheme];
}

async function scaled(
  { scheme, gain, distribution }: ScaledScheme,
  shape: Shape,
  dtype: Dtype,
  random: Random,
): Promise<Numbers> {
  const { inputs, outputs } = shape;
  const draw = distribution === 'uniform' ? () => Math.sqrt(3) * (2 * random.uniform() - 1) : () => random.normal();
  const drawn = new Float64Array(outputs * inputs);
  for (let i = 0; i < drawn.length; i += 1) {
    if (i % CHUNK_ENTRIES === CHUNK_ENTRIES - 1) await pause();
    drawn[i] = draw();
  }
  const factor = scheme === 'orthogonal' ? gain : gain * Math.sqrt(varianceOf(scheme, shape));
  const values = scheme === 'orthogonal' ? await orthonormal(drawn, outputs, inputs) : drawn;
  return dtype === 'float32'
    ? Float32Array.from(values, (value) => factor * value)
    : values.map((value) => factor * value);
}

/** The rows (or, where these are fewer, the columns) of a matrix made orthonormal, by Gram and Schmidt, each twice. */
async function orthonormal(matrix: Float64Array, rows: number, columns: number): Promise<Float64Array> {
  const count = Math.min(rows, columns);
  const length = Math.max(rows, columns);
  const [step, stride] = rows <= columns ? [columns, 1] : [1, columns];
  const vectors = Array.from({ length: count }, (_, i) =>
    Float64Array.from({ length }, (_entry, j) => matrix[i * step + j * stride] ?? 0),
  );
  for (const [i, vector] of vectors.entries()) {
    if (i % 8 === 7) await breathe();
    for (let pass = 0; pass < 2; pass += 1) {
      for (const earlier of vectors.slice(0, i)) {
        let product = 0;
        for (let j = 0; j < length; j += 1) product += (vector[j] ?? 0) * (earlier[j] ?? 0);
        for (let j = 0; j < length; j += 1) vector[j] = (vector[j] ?? 0) - product * (earlier[j] ?? 0);
      }
      let squares = 0;
      for (const value of vector) squares += value * value;
      const norm = Math.sqrt(squares);
      for (let j = 0; j < length; j += 1) vector[j] = (vector[j] ?? 0) / norm;
    }
  }
  const out = new Float64Array(matrix.length);
  for (const [i, vector] of vectors.entries()) {
    for (let j = 0; j < length; j += 1) out[i * step + j * stride] = vector[j] ?? 0;
  }
  return out;
}
