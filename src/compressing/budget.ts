/** How many weights stay, and whether that can be. */
import { DlAdmmError, expected } from '../core/errors.js';
import type { Structure } from './options.js';
import { GROUP, narrower, weightsIn } from './projection.js';

interface Asked {
  readonly sparsity?: number | undefined;
  readonly parameters?: number | undefined;
  readonly structure: Structure;
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

/** Biases, which stay, but for those of neurons that go. */
const biasesIn = (layers: readonly number[]): number => sum(layers.slice(1));

/** @throws DlAdmmError ERR_DLADMM_SHAPE where weights cannot be parted so */
export function checkStructure(layers: readonly number[], structure: Structure): void {
  if (structure === '1x4') {
    const odd = layers.slice(0, -1).find((width) => width % 4 !== 0);
    if (odd !== undefined) {
      const what = `widths that 4 divides (but for the outputs), as blocks of 1×4 lie along the inputs of a neuron,`;
      throw expected(what, 'a model with structure: 1x4', layers.join('-'), 'ERR_DLADMM_SHAPE');
    }
  }
  if (structure === 'neurons' && layers.length < 3) {
    throw expected('a hidden layer', 'a model with structure: neurons', layers.join('-'), 'ERR_DLADMM_SHAPE');
  }
}

/**
 * The weights that are to stay at most.
 *
 * @throws DlAdmmError ERR_DLADMM_RANGE where no network of these layers has so few, or so many
 */
export function budgetOf(layers: readonly number[], { sparsity, parameters, structure }: Asked): number {
  const all = weightsIn(layers);
  if (parameters === undefined) {
    // Of .9 one in ten stays, whatever 1 − .9 comes to.
    const weights = Math.floor((1 - (sparsity as number)) * all + 1e-6);
    check(layers, structure, weights, 'sparsity', sparsity as number);
    return weights;
  }
  if (parameters >= all + biasesIn(layers)) {
    const what = `fewer than the ${all + biasesIn(layers)} that there are`;
    throw expected(what, 'parameters', parameters, 'ERR_DLADMM_RANGE');
  }
  if (structure !== 'neurons') {
    check(layers, structure, parameters - biasesIn(layers), 'parameters', parameters);
    return parameters - biasesIn(layers);
  }
  // Biases go with their neurons: the most weights of which, with these, there are no more.
  let weights = Math.min(all, parameters);
  for (;;) {
    const widths = narrower(layers, weights);
    if (widths === undefined) check(layers, structure, weights, 'parameters', parameters);
    const own = widths as readonly number[];
    if (weightsIn(own) + biasesIn(own) <= parameters) return weights;
    weights = weightsIn(own) - 1;
  }
}

function check(layers: readonly number[], structure: Structure, weights: number, name: string, received: number): void {
  const ones = [layers[0] as number, ...layers.slice(1, -1).map(() => 1), layers.at(-1) as number];
  const least = structure === 'neurons' ? weightsIn(ones) : GROUP[structure] * (layers.length - 1);
  if (weights >= least) return;
  const biases = name === 'parameters' ? ` and ${biasesIn(structure === 'neurons' ? ones : layers)} biases` : '';
  const text = `Expected at least ${least} weights${biases} to stay of a network ${layers.join('-')}, so that no layer is without, but ${name}: ${received} leaves ${Math.max(0, weights)}`;
  throw new DlAdmmError('ERR_DLADMM_RANGE', text);
}
