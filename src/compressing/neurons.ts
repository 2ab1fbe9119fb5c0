/** A network without some of its neurons. */
import type { Numbers } from '../core/native.js';
import { Model } from '../model/model.js';
import type { Network } from '../network/network.js';
import type { Parameters } from '../network/parameters.js';

const columnsAt = (weights: Numbers, inputs: number, stay: Int32Array): Numbers => {
  const rows = weights.length / inputs;
  return weights.slice(0, rows * stay.length).map((_: number, i: number) => {
    const row = Math.floor(i / stay.length);
    return weights[row * inputs + (stay[i % stay.length] as number)] as number;
  }) as Numbers;
};

/**
 * b of the layer behind neurons whose weights are all 0: each of those says f(b_j), whatever goes in, so that W_·j f(b_j) is part of it. By
 * the network itself, in float64, rounded once.
 */
function folded(network: Network, bias: Numbers, stay: Int32Array, weights: Numbers, behind: Numbers): Numbers {
  const gone = new Set(Array.from(bias, (_, j) => j));
  for (const j of stay) gone.delete(j);
  const n = bias.length;
  using constant = new Model({
    network: { layers: [1, n, behind.length], activation: network.activation, loss: 'squared-error' },
    dtype: 'float64',
    weights: [new Float64Array(n), Float64Array.from(weights, (w, i) => (gone.has(i % n) ? w : 0))],
    biases: [Float64Array.from(bias), Float64Array.from(behind)],
  });
  const { data } = constant.predictSync([[0]]).outputs;
  return behind.map((_: number, j: number) => data[j] as number) as Numbers;
}

/**
 * The same network without hidden neurons, whose incoming weights are taken to be 0: it answers as the one in which they are.
 *
 * @param stay the neurons of each hidden layer that stay, in their order
 */
export function withoutNeurons<N extends Network>(
  network: N,
  parameters: Parameters,
  stay: readonly Int32Array[],
): Parameters & { readonly network: N } {
  const layers = [...network.layers];
  const weights = [...parameters.weights];
  const biases = [...parameters.biases];
  for (const [l, rows] of stay.entries()) {
    const [inputs, outputs] = [layers[l] as number, layers[l + 1] as number];
    const [W, b] = [weights[l] as Numbers, biases[l] as Numbers];
    if (rows.length === outputs) continue;
    const next = weights[l + 1] as Numbers;
    biases[l + 1] = folded(network, b, rows, next, biases[l + 1] as Numbers);
    weights[l + 1] = columnsAt(next, outputs, rows);
    weights[l] = W.slice(0, rows.length * inputs).map((_: number, i: number) => {
      return W[(rows[Math.floor(i / inputs)] as number) * inputs + (i % inputs)] as number;
    }) as Numbers;
    biases[l] = b.slice(0, rows.length).map((_: number, j: number) => b[rows[j] as number] as number) as Numbers;
    layers[l + 1] = rows.length;
  }
  return { network: { ...network, layers }, weights, biases };
}
