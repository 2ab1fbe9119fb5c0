import { checkKeys, checkObject, didYouMean, repeated } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { toJson } from '../core/json.js';
import type { NativeNetworkOptions } from '../core/native.js';
import { isRevoked } from '../core/objects.js';

/** How native code takes an activation: a rectifier is x for x > 0 and slope · x elsewhere, elu slope · (eˣ − 1). */
interface NativeActivation {
  readonly activation: NativeNetworkOptions['activation'];
  readonly slope: number;
}

const ACTIVATIONS = {
  relu: { activation: 'rectifier', slope: 0 },
  identity: { activation: 'rectifier', slope: 1 },
  sigmoid: { activation: 'sigmoid', slope: 0 },
  tanh: { activation: 'tanh', slope: 0 },
  elu: { activation: 'elu', slope: 1 },
  silu: { activation: 'silu', slope: 0 },
  gelu: { activation: 'gelu', slope: 0 },
  softplus: { activation: 'softplus', slope: 0 },
} as const satisfies Readonly<Record<string, NativeActivation>>;

export type NamedActivation = keyof typeof ACTIVATIONS;

/**
 * f_l of the hidden layers; the last layer is always linear. A leaky ReLU may have any finite slope. `silu` is x σ(x), `gelu` x Φ(x)
 * (the exact one), `softplus` log(1 + eˣ), `elu` α (eˣ − 1) for x < 0 with α = 1, or any α above 0 as `{ elu: α }`.
 */
export type Activation = NamedActivation | { readonly leakyRelu: number } | { readonly elu: number };

export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as readonly NamedActivation[];

const isNamed = (activation: unknown): activation is NamedActivation =>
  typeof activation === 'string' && Object.hasOwn(ACTIVATIONS, activation);

/** What a loss is for: class labels, 0/1 rows in which any number of labels is on, or rows of values. */
interface LossKind {
  readonly goal: 'classes' | 'labels' | 'values';
  /** How R grows with the unit of the targets, where it is the same loss in any: R(c z; c y) = cᵖ R(z; y). */
  readonly power?: 1 | 2;
  /** What targets may be. */
  readonly domain?: readonly [least: number, most: number];
  /** The option that the loss has beside, and its value where nobody says. */
  readonly parameter?: { readonly name: LossParameter; readonly otherwise: number };
}

/** δ of the Huber loss, τ of the quantile loss. */
type LossParameter = 'delta' | 'quantile';

const LOSS_KINDS = {
  'softmax-cross-entropy': { goal: 'classes' },
  'squared-error': { goal: 'values', power: 2 },
  hinge: { goal: 'classes' },
  'one-hot-squared-error': { goal: 'classes' },
  'sigmoid-cross-entropy': { goal: 'labels', domain: [0, 1] },
  huber: { goal: 'values', power: 2, parameter: { name: 'delta', otherwise: 1 } },
  absolute: { goal: 'values', power: 1 },
  quantile: { goal: 'values', power: 1, parameter: { name: 'quantile', otherwise: 0.5 } },
  poisson: { goal: 'values', domain: [0, Number.POSITIVE_INFINITY] },
} as const satisfies Readonly<Record<string, LossKind>>;

/**
 * R, summed over samples (docs/losses.md has the equations). Over class labels: softmax cross-entropy; ½‖z − y‖², y being 1 at the label and
 * 0 elsewhere (one-hot-squared-error); the hinge loss (Taylor et al., 2016), max(1 − z, 0) for the label's output, max(z, 0) for the
 * others, which tells two classes by a single output too. Over rows of 0 and 1, one output a label: sigmoid cross-entropy. Over rows of
 * values: ½‖z − y‖² (squared-error), Huber's loss, the absolute error, the quantile loss, and Poisson's for counts with mean eᶻ.
 */
export type Loss = keyof typeof LOSS_KINDS;

export type ClassLoss = { [L in Loss]: (typeof LOSS_KINDS)[L]['goal'] extends 'classes' ? L : never }[Loss];

export const LOSSES = Object.keys(LOSS_KINDS) as readonly Loss[];

const kindOf = (loss: Loss): LossKind => LOSS_KINDS[loss];

/** A network in words. */
export const networkText = ({ layers, activation, loss }: Network): string =>
  `network ${layers.join('-')}, ${typeof activation === 'string' ? activation : toJson(activation)}, ${loss}`;

/** A multilayer perceptron: widths n_0 … n_L, one activation for the hidden layers, a loss. */
export interface Network<L extends Loss = Loss> {
  readonly layers: readonly number[];
  readonly activation: Activation;
  readonly loss: L;
  /** Of `huber`: where |z − y| turns from the square to the line. Default 1. */
  readonly delta?: number;
  /** Of `quantile`: the share of targets that is to lie below the output. Default ½. */
  readonly quantile?: number;
}

export const goalOf = (loss: Loss): LossKind['goal'] => kindOf(loss).goal;

/** Whether a loss goes with class labels (not with rows of target values). */
export const classifies = (loss: Loss): boolean => goalOf(loss) === 'classes';

/** How R grows with the unit of the targets; undefined where their unit is fixed, and they cannot be standardised. */
export const powerOf = (loss: Loss): 1 | 2 | undefined => kindOf(loss).power;

/** What targets of a loss may be; undefined for any. */
export const domainOf = (loss: Loss): LossKind['domain'] => kindOf(loss).domain;

/** The same as errors say it. */
export const domainText = (loss: Loss): string =>
  `a value from 0${domainOf(loss)?.[1] === 1 ? ' to 1' : ''}, as the loss is ${loss},`;

/** Whether a loss makes probabilities of the outputs; the other losses of classes make scores. */
export const hasProbabilities = (loss: Loss): boolean => loss.endsWith('cross-entropy');

/** How many classes a network with so many outputs tells apart. */
export const classCount = (loss: Loss, outputs: number): number => (loss === 'hinge' && outputs === 1 ? 2 : outputs);

/**
 * What a loss has beside: δ or τ.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function lossParameters(
  loss: Loss,
  given: Readonly<Partial<Record<LossParameter, unknown>>>,
): Pick<Network, LossParameter> {
  const { parameter } = kindOf(loss);
  for (const name of ['delta', 'quantile'] as const) {
    const value = given[name];
    if (value === undefined) continue;
    const owner = name === 'delta' ? 'huber' : name;
    if (name !== parameter?.name) throw expected(`none but with loss: '${owner}'`, name, value);
    const right =
      typeof value === 'number' && value > 0 && value < (name === 'quantile' ? 1 : Number.POSITIVE_INFINITY);
    const what = name === 'quantile' ? 'a number between 0 and 1' : 'a finite number above 0';
    if (!right) throw expected(what, name, value, 'ERR_DLADMM_RANGE');
    return { [name]: value };
  }
  return {};
}

/** R of one output of a loss of values, from z − y in the unit of which 1/scale is the one that the network is trained in. */
export function errorLoss({ loss, delta = 1, quantile = 0.5 }: Network): (error: number, scale: number) => number {
  if (loss === 'absolute') return Math.abs;
  if (loss === 'quantile') return (error) => Math.max(-quantile * error, (1 - quantile) * error);
  if (loss === 'squared-error') return (error) => error ** 2 / 2;
  return (error, scale) => {
    const [size, turn] = [Math.abs(error), delta / scale];
    return size <= turn ? error ** 2 / 2 : turn * (size - turn / 2);
  };
}

export function nativeLoss(network: Network): Pick<NativeNetworkOptions, 'loss' | 'lossParameter'> {
  const { parameter } = kindOf(network.loss);
  if (parameter === undefined) return { loss: network.loss };
  return { loss: network.loss, lossParameter: network[parameter.name] ?? parameter.otherwise };
}

/** As many threads as anybody may ask for: far more than the pool has. */
export const MOST_THREADS: number = 2 ** 16;

/** What BLAS can count to. */
const LARGEST_DIMENSION = 2 ** 31 - 1;

export function nativeActivation(activation: Activation): NativeActivation {
  if (isNamed(activation)) return ACTIVATIONS[activation];
  if ('elu' in activation) return { activation: 'elu', slope: activation.elu };
  return { activation: 'rectifier', slope: activation.leakyRelu };
}

/** Whether they are one function, to the digits of float32 that files have, whatever they are called. */
export function isSameActivation(a: Activation, b: Activation): boolean {
  const [one, other] = [nativeActivation(a), nativeActivation(b)];
  return one.activation === other.activation && Math.fround(one.slope) === Math.fround(other.slope);
}

/** @throws DlAdmmError ERR_DLADMM_RANGE, ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE */
export function checkLayers(layers: unknown): asserts layers is readonly number[] {
  if (!Array.isArray(layers)) {
    const alone = layers === undefined ? ', or of samples hidden: [256] alone,' : '';
    throw expected(`an array of layer widths such as [784, 256, 10]${alone}`, 'layers', layers);
  }
  if (layers.length < 2) {
    const text = `Expected at least an input and an output width in layers but received ${layers.length}`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
  }
  for (const [i, width] of layers.entries()) {
    if (!Number.isInteger(width) || width < 1 || width > LARGEST_DIMENSION) {
      throw expected('a whole number from 1 to 2^31 - 1', `layers[${i}]`, width, 'ERR_DLADMM_RANGE');
    }
  }
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkActivation(activation: unknown): asserts activation is Activation {
  if (isNamed(activation)) return;
  if (typeof activation === 'object' && activation !== null && 'leakyRelu' in activation) {
    checkKeys(activation, ['leakyRelu'], 'activation');
    if (typeof activation.leakyRelu === 'number' && Number.isFinite(activation.leakyRelu)) return;
    throw expected('a finite slope (0.01 is usual)', 'activation.leakyRelu', activation.leakyRelu, 'ERR_DLADMM_RANGE');
  }
  if (typeof activation === 'object' && activation !== null && 'elu' in activation) {
    checkKeys(activation, ['elu'], 'activation');
    if (typeof activation.elu === 'number' && activation.elu > 0 && Number.isFinite(activation.elu)) return;
    throw expected('a finite number above 0 (1 is usual)', 'activation.elu', activation.elu, 'ERR_DLADMM_RANGE');
  }
  const names = ACTIVATION_NAMES.map((name) => `'${name}'`).join(', ');
  const { code, message } = expected(`${names} or { leakyRelu: slope } or { elu: alpha }`, 'activation', activation);
  throw new DlAdmmError(code, message + (typeof activation === 'string' ? activationMeant(activation) : ''));
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE */
export function checkNetwork(network: unknown, name: string): asserts network is Network {
  checkObject(network, '{ layers, activation, loss }', name);
  checkKeys(network, ['layers', 'activation', 'loss', 'delta', 'quantile'], name);
  const { layers, activation, loss } = network as Partial<Network>;
  checkLayers(layers);
  checkActivation(activation);
  checkLoss(loss);
  lossParameters(loss, network);
}

/** A name of another library without capitals and what stands between words. */
const plain = (name: string): string => name.replaceAll(/[^a-z0-9]/gi, '').toLowerCase();

/** What a name of another library is called here, as the end of a sentence. */
const meant = (names: Readonly<Record<string, string>>, given: string): string => {
  const found = Object.hasOwn(names, plain(given)) ? names[plain(given)] : undefined;
  return found === undefined ? '' : `; did you mean ${found}?`;
};

const LEAKY = '{ leakyRelu: 0.01 } (--activation leaky-relu:0.01)';
const ACTIVATIONS_ELSEWHERE: Readonly<Record<string, string>> = {
  ...{
    leakyrelu: LEAKY,
    prelu: LEAKY,
    logistic: "'sigmoid'",
    swish: "'silu'",
    linear: "'identity'",
    none: "'identity'",
  },
  ...{ rectifier: "'relu'", relu6: "'relu'", geluerf: "'gelu'", selu: "'elu'", softsign: "'tanh'", hardtanh: "'tanh'" },
};

/** What an activation of another library is called here, as the end of a sentence. */
export function activationMeant(name: string): string {
  if (/^(?:log)?softmax$/.test(plain(name)))
    return '; the last layer is linear, and its loss makes probabilities of it';
  return meant(ACTIVATIONS_ELSEWHERE, name) || didYouMean(name, ACTIVATION_NAMES) || '; docs/options.md has them';
}
/** The same of a loss. */
export const lossMeant = (name: string): string =>
  meant(LOSSES_ELSEWHERE, name) || didYouMean(name, LOSSES) || '; docs/losses.md says what each is for';

/** What other libraries call the losses, as {@link plain} has it. */
const SOFTMAX = "'softmax-cross-entropy'";
const LOSSES_ELSEWHERE: Readonly<Record<string, string>> = {
  ...{ mse: "'squared-error'", meansquarederror: "'squared-error'", mseloss: "'squared-error'", l2: "'squared-error'" },
  ...{
    rmse: "'squared-error'",
    squarederror: "'squared-error'",
    squaredloss: "'squared-error'",
    regression: "'squared-error'",
  },
  ...{ crossentropy: SOFTMAX, crossentropyloss: SOFTMAX, categoricalcrossentropy: SOFTMAX, logloss: SOFTMAX },
  ...{ sparsecategoricalcrossentropy: SOFTMAX, binarycrossentropy: SOFTMAX, bceloss: SOFTMAX, bce: SOFTMAX },
  ...{ bcewithlogitsloss: SOFTMAX, nllloss: SOFTMAX, softmax: SOFTMAX, binary: SOFTMAX, multiclass: SOFTMAX },
  ...{ multisoftprob: SOFTMAX, multisoftmax: SOFTMAX, binarylogistic: SOFTMAX, multilogloss: SOFTMAX },
  ...{ logistic: SOFTMAX, svm: "'hinge'", hingeloss: "'hinge'" },
  ...{ regsquarederror: "'squared-error'", regsquaredlogerror: "'squared-error'", regabsoluteerror: "'absolute'" },
  ...{
    mae: "'absolute'",
    mape: "'absolute'",
    logcosh: "'huber'",
    squaredhinge: "'hinge'",
    tweedie: "'poisson'",
    log: SOFTMAX,
    meanabsoluteerror: "'absolute'",
    l1: "'absolute'",
    l1loss: "'absolute'",
    absoluteerror: "'absolute'",
  },
  ...{
    pinball: "'quantile'",
    quantileloss: "'quantile'",
    smoothl1: "'huber'",
    smoothl1loss: "'huber'",
    huberloss: "'huber'",
  },
  ...{ countpoisson: "'poisson'", poissonnll: "'poisson'", poissonnllloss: "'poisson'", poissonloss: "'poisson'" },
  ...{ multilabel: "'sigmoid-cross-entropy'", multilabelsoftmarginloss: "'sigmoid-cross-entropy'" },
};

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkLoss(loss: unknown): asserts loss is Loss {
  if (LOSSES.some((known) => known === loss)) return;
  const error = expected(LOSSES.map((known) => `'${known}'`).join(' or '), 'loss', loss);
  throw new DlAdmmError(error.code, error.message + (typeof loss === 'string' ? lossMeant(loss) : ''));
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE */
export function checkClasses(classes: unknown, count: number): void {
  if (classes === undefined) return;
  if (isRevoked(classes) || !Array.isArray(classes) || !classes.every((name) => typeof name === 'string')) {
    throw expected('an array of class names', 'classes', classes);
  }
  if (classes.length !== count) throw expected(`${count} names, one a class,`, 'classes', classes, 'ERR_DLADMM_SHAPE');
  checkDistinct(classes, 'classes');
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where two classes have one name: predictions could not tell them apart */
export function checkDistinct(classes: readonly string[], name: string): void {
  const twice = repeated(classes);
  if (twice !== undefined) throw expected('a name of its own for every class', name, twice);
}
