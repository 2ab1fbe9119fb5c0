import { DlAdmmError, expected } from '../core/errors.js';
import type { NativeNetworkOptions } from '../core/native.js';

/** How native code takes an activation: a rectifier is x for x > 0 and slope · x elsewhere. */
interface NativeActivation {
  readonly activation: NativeNetworkOptions['activation'];
  readonly slope: number;
}

/** The activations that have a name. */
const ACTIVATIONS = {
  relu: { activation: 'rectifier', slope: 0 },
  identity: { activation: 'rectifier', slope: 1 },
  sigmoid: { activation: 'sigmoid', slope: 0 },
  tanh: { activation: 'tanh', slope: 0 },
} as const satisfies Readonly<Record<string, NativeActivation>>;

/** An activation by its name. */
export type NamedActivation = keyof typeof ACTIVATIONS;

/** f_l of the hidden layers. A leaky ReLU may have any finite slope; the last layer is always linear. */
export type Activation = NamedActivation | { readonly leakyRelu: number };

/** Their names. */
export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as readonly NamedActivation[];

const isNamed = (activation: unknown): activation is NamedActivation =>
  typeof activation === 'string' && Object.hasOwn(ACTIVATIONS, activation);

/**
 * R, summed over samples: softmax cross-entropy over class labels, ½‖z − y‖² over rows of target values or (one-hot)
 * over class labels, y being 1 at the label and 0 elsewhere, or the hinge loss over class labels (Taylor et al., 2016):
 * max(1 − z, 0) for the label's output, max(z, 0) for the others. With a single output the hinge loss tells class 1 from
 * class 0.
 */
export type Loss = 'softmax-cross-entropy' | 'squared-error' | 'hinge' | 'one-hot-squared-error';

/** The losses by name. */
export const LOSSES: readonly Loss[] = ['softmax-cross-entropy', 'squared-error', 'hinge', 'one-hot-squared-error'];

/** A multilayer perceptron: widths n_0 … n_L, one activation for the hidden layers, a loss. */
export interface Network<L extends Loss = Loss> {
  readonly layers: readonly number[];
  readonly activation: Activation;
  readonly loss: L;
}

/** Whether a loss goes with class labels (not with rows of target values). */
export const classifies = (loss: Loss): boolean => loss !== 'squared-error';

/** How many classes a network with so many outputs tells apart. */
export const classCount = (loss: Loss, outputs: number): number => (loss === 'hinge' && outputs === 1 ? 2 : outputs);

/** As many threads as anybody may ask for: far more than the pool has. */
export const MOST_THREADS: number = 2 ** 16;

/** What BLAS can count to. */
const LARGEST_DIMENSION = 2 ** 31 - 1;

export const nativeActivation = (activation: Activation): NativeActivation =>
  isNamed(activation) ? ACTIVATIONS[activation] : { activation: 'rectifier', slope: activation.leakyRelu };

/** @throws DlAdmmError ERR_DLADMM_RANGE, ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE */
export function checkLayers(layers: unknown): asserts layers is readonly number[] {
  if (!Array.isArray(layers)) throw expected('an array of layer widths such as [784, 256, 10]', 'layers', layers);
  if (layers.length < 2) {
    throw new DlAdmmError(
      'ERR_DLADMM_SHAPE',
      `Expected at least an input and an output width in layers but received ${layers.length}`,
    );
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
    if (typeof activation.leakyRelu === 'number' && Number.isFinite(activation.leakyRelu)) return;
    throw expected('a finite slope (0.01 is usual)', 'activation.leakyRelu', activation.leakyRelu, 'ERR_DLADMM_RANGE');
  }
  const names = ACTIVATION_NAMES.map((name) => `'${name}'`).join(', ');
  throw expected(`${names} or { leakyRelu: slope }`, 'activation', activation);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkLoss(loss: unknown): asserts loss is Loss {
  if (!LOSSES.some((known) => known === loss)) {
    throw expected(LOSSES.map((known) => `'${known}'`).join(' or '), 'loss', loss);
  }
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE */
export function checkClasses(classes: unknown, count: number): void {
  if (classes === undefined) return;
  if (!Array.isArray(classes) || !classes.every((name) => typeof name === 'string')) {
    throw expected('an array of class names', 'classes', classes);
  }
  if (classes.length !== count) throw expected(`${count} names, one a class,`, 'classes', classes, 'ERR_DLADMM_SHAPE');
}
