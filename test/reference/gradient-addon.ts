/** A training of the addon beside the plain one: the same problem opened in both. */

import type { NativeOptimiser } from '../../src/core/native.js';
import type { LabelledSamples } from '../../src/data.js';
import type { Network } from '../../src/index.js';
import { type GradientSession, type GradientSessionOptions, gradients } from '../../src/solvers.js';
import { numbers } from './addon.js';
import { at } from './dense.js';
import { lengthOf, type Samples, type Vector } from './gradient.js';

/** Adam as the addon takes it, by the values of its paper. */
export const ADAM: NativeOptimiser = {
  method: 'adam',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  decoupled: false,
  nesterov: false,
};

/** Samples that are the same in every run: rows of inputs in (−1, 1), and targets for the loss. */
export function samplesFor({ layers, loss }: Network, count: number, seed = 1): Samples {
  const next = numbers(seed);
  const outputs = at(layers, layers.length - 1, 'layers');
  const rows = (columns: number) =>
    Array.from({ length: count }, () => Float64Array.from({ length: columns }, () => Math.fround(next())));
  const x = rows(at(layers, 0, 'layers'));
  if (loss === 'squared-error') return { x, y: rows(outputs) };
  if (loss === 'poisson') return { x, y: rows(outputs).map((row) => row.map((value) => Math.floor(3 * value + 3))) };
  return { x, labels: Array.from({ length: count }, () => Math.floor((outputs * (next() + 1)) / 2)) };
}

export function startFor(network: Network, seed = 2, scale = 0.7): Vector {
  const next = numbers(seed);
  return Float64Array.from({ length: lengthOf(network) }, () => Math.fround(scale * next()));
}

const flat = (rows: readonly Float64Array[]): Float64Array => Float64Array.from(rows.flatMap((row) => [...row]));

export const forAddon = ({ x, labels, y, weights }: Samples): LabelledSamples => ({
  x: flat(x),
  ...(labels && { labels }),
  ...(y && { y: flat(y) }),
  ...(weights && { weights }),
});

/** Where W_l and b_l lie in a vector of all parameters. */
export function* places({ layers }: Network) {
  let first = 0;
  for (let layer = 1; layer < layers.length; layer++) {
    const outputs = at(layers, layer, 'layers');
    const inputs = at(layers, layer - 1, 'layers');
    yield { block: 'W', layer, first, count: outputs * inputs } as const;
    yield { block: 'b', layer, first: first + outputs * inputs, count: outputs } as const;
    first += outputs * (inputs + 1);
  }
}

export async function writeVector(state: GradientSession, w: Vector): Promise<void> {
  for (const { block, layer, first, count } of places(state.options.network)) {
    await state.write(block, layer, w.subarray(first, first + count));
  }
}

export async function readVector(state: GradientSession, dual?: number): Promise<Vector> {
  const { network } = state.options;
  const out = new Float64Array(lengthOf(network));
  for (const { block, layer, first } of places(network)) {
    const { data } = await (dual === undefined ? state.read(block, layer) : state.readDual(dual, block, layer));
    out.set(data, first);
  }
  return out;
}

/** A state with the samples and the parameters given; in float64 on one thread unless the options say otherwise. */
export async function openState(
  options: Omit<GradientSessionOptions, 'dtype' | 'threads'> & Partial<GradientSessionOptions>,
  samples: Samples,
  start: Vector,
): Promise<GradientSession> {
  const state = await gradients.open({ dtype: 'float64', threads: 1, ...options }, forAddon(samples));
  await writeVector(state, start);
  return state;
}

/** The largest |a − b| as a share of the largest |b|. */
export function relativeGap(a: Vector, b: Vector): number {
  let gap = 0;
  let size = 0;
  for (let j = 0; j < b.length; j++) {
    const difference = Math.abs((a[j] as number) - (b[j] as number));
    if (Number.isNaN(difference)) return Number.NaN;
    gap = Math.max(gap, difference);
    size = Math.max(size, Math.abs(b[j] as number));
  }
  return gap / size;
}
