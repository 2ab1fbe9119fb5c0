/** What an epoch of mini-batches cannot do without: its products at their best rates, and the bytes of its updates. */
import type { FloorProduct, Way } from './products.js';

export const EPOCH_WAYS: readonly Way[] = ['openblas', 'team-shares', 'team-slices'];

/** States that an optimiser keeps of every parameter, by the sub-batches of a batch. */
const STATES = {
  sgd: () => 0,
  momentum: () => 1,
  adagrad: () => 1,
  adadelta: () => 2,
  adam: () => 2,
  badm: () => 1,
  sisa: (subBatches: number) => 2 * subBatches,
  'minibatch-admm': () => 1,
} as const;
export type Optimizer = keyof typeof STATES;
export const OPTIMIZERS = Object.keys(STATES) as readonly Optimizer[];

/**
 * Numbers that an update reads and writes for each parameter: parameter and every state once each way, every gradient
 * once. SGD 3, with momentum 5, Adam 7: 12, 20 and 28 bytes in float32. Mini-batch dlADMM 5, as V_l is a momentum.
 */
export const numbersMoved = (optimizer: Optimizer, subBatches: number): number =>
  2 + 2 * STATES[optimizer](subBatches) + (optimizer === 'sisa' ? subBatches : 1);

/** Vectors as long as the parameters that an update works on. */
export const vectorsHeld = (optimizer: Optimizer, subBatches: number): number =>
  (numbersMoved(optimizer, subBatches) - (optimizer === 'sisa' ? subBatches : 1)) / 2;

/** The 3L − 1 products of a step; the gradient of each sub-batch by itself where there are several gradients. */
export function stepProducts(layers: readonly number[], batch: number, gradients: number): readonly FloorProduct[] {
  return layers.slice(1).flatMap((outputs, i): FloorProduct[] => {
    const shape = { inputs: layers[i] ?? 0, outputs };
    return [
      { product: 'image', ...shape, samples: batch, count: 1 },
      ...(i === 0 ? [] : [{ product: 'back', ...shape, samples: batch, count: 1 } as const]),
      { product: 'gradient', ...shape, samples: batch / gradients, count: gradients },
    ];
  });
}

/** How mini-batch dlADMM solves its W subproblems: r of `low-rank`, or `full`; and k. */
export interface GramChoice {
  readonly rank: number | 'full';
  readonly gramEvery: number;
}

/**
 * What a batch of mini-batch dlADMM multiplies beside the products of a step, for every layer with n = n_{l−1} + 1:
 *
 * - the product with (A + δI)⁻¹. Where it is full: of as many rows as the batch or the layer has, whichever is less, 2n²
 *   flops a row. Low rank: where the batch has fewer, ãU and (ãU)ᵀD, 2 B r (n + n_l) flops, and r rows more in the product
 *   of the gradient; else 4n r flops for each of the layer's rows;
 * - in every k-th batch what the Gram matrix takes in: 8 B n r + 2 B r² flops; or where it is full B n², and n³ for a
 *   Cholesky factor and the inverse from it, at the rate of a product of n × n matrices.
 */
export function gramProducts(
  layers: readonly number[],
  batch: number,
  { rank, gramEvery }: GramChoice,
): readonly FloorProduct[] {
  return layers.slice(1).flatMap((width, i): FloorProduct[] => {
    const n = (layers[i] ?? 0) + 1;
    const rows = Math.min(batch, width);
    if (rank === 'full') {
      return [
        { product: 'image', inputs: n, outputs: n, samples: rows, count: 1 },
        { product: 'gradient', inputs: n, outputs: n, samples: batch, count: 0.5 / gramEvery },
        { product: 'gradient', inputs: n, outputs: n, samples: n, count: 0.5 / gramEvery },
      ];
    }
    const r = Math.min(rank, n);
    const apply: readonly FloorProduct[] =
      batch < width
        ? [
            { product: 'image', inputs: n, outputs: r, samples: batch, count: 1 },
            { product: 'gradient', inputs: width, outputs: r, samples: batch, count: 1 },
            { product: 'gradient', inputs: n, outputs: width, samples: batch, count: r / batch },
          ]
        : [
            { product: 'image', inputs: n, outputs: r, samples: width, count: 1 },
            { product: 'back', inputs: n, outputs: r, samples: width, count: 1 },
          ];
    return [
      ...apply,
      { product: 'image', inputs: n, outputs: r, samples: batch, count: 2 / gramEvery },
      { product: 'gradient', inputs: r, outputs: n, samples: batch, count: 1 / gramEvery },
      { product: 'gradient', inputs: r, outputs: r, samples: batch, count: 1 / gramEvery },
    ];
  });
}

export const parameterCount = (layers: readonly number[]): number =>
  layers.slice(1).reduce((sum, width, i) => sum + width * ((layers[i] ?? 0) + 1), 0);
