import type { Numbers } from '../core/native.js';
import type { Parameters } from './initialisation.js';
import type { Network } from './network.js';

/** A state that has the weights and biases of a network among its blocks. */
interface HasParameters {
  readonly options: { readonly network: Network };
  read(block: 'W' | 'b', layer: number): Promise<Numbers>;
  write(block: 'W' | 'b', layer: number, values: Numbers): Promise<void>;
}

const depthOf = ({ options }: HasParameters): number => options.network.layers.length - 1;

/** A copy of every W_l and b_l. */
export async function readParameters(state: HasParameters): Promise<Parameters> {
  const weights: Numbers[] = [];
  const biases: Numbers[] = [];
  for (let l = 1; l <= depthOf(state); l += 1) {
    weights.push(await state.read('W', l));
    biases.push(await state.read('b', l));
  }
  return { weights, biases };
}

/** Replaces every W_l and b_l. */
export async function writeParameters(state: HasParameters, { weights, biases }: Parameters): Promise<void> {
  for (let l = 1; l <= depthOf(state); l += 1) {
    await state.write('W', l, weights[l - 1] as Numbers);
    await state.write('b', l, biases[l - 1] as Numbers);
  }
}
