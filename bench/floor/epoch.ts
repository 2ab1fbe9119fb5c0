/** What an epoch of mini-batches cannot do without: its products at their best rates, and the bytes of its updates. */
import { defaultsOf, minibatch } from 'dladmm/solvers';
import { sum } from '../harness/statistics.js';
import type { FloorProduct, Way } from './products.js';

export const EPOCH_WAYS: readonly Way[] = ['openblas', 'team-shares', 'team-slices'];

/** States that an optimiser keeps of every parameter; SISA for each sub-batch of a batch. */
const STATES = { sgd: 0, momentum: 1, adagrad: 1, adadelta: 2, adam: 2, badm: 1, sisa: 2, 'minibatch-admm': 1 };
export type Optimizer = keyof typeof STATES;
export const OPTIMIZERS = Object.keys(STATES) as readonly Optimizer[];

/** A product by its inputs, outputs, samples, and how often where that is not once. */
type Shape = readonly [product: FloorProduct['product'], n: number, m: number, samples: number, count?: number];

const products = (shapes: readonly Shape[]): readonly FloorProduct[] =>
  shapes.map(([product, inputs, outputs, samples, count = 1]) => ({ product, inputs, outputs, samples, count }));

/** The 3L − 1 products of a step; the gradient of each sub-batch by itself where there are several gradients. */
const stepProducts = (layers: readonly number[], batch: number, gradients: number): readonly FloorProduct[] =>
  layers.slice(1).flatMap((m, i) => {
    const n = layers[i] ?? 0;
    const back: readonly Shape[] = i === 0 ? [] : [['back', n, m, batch]];
    return products([['image', n, m, batch], ...back, ['gradient', n, m, batch / gradients, gradients]]);
  });

/** What is taken in of B vectors in a second moment of low rank: 8 B n r + 2 B r² flops every k-th batch. */
const takenIn = (n: number, r: number, batch: number, k: number): readonly Shape[] => [
  ['image', n, r, batch, 2 / k],
  ['gradient', r, n, batch, 1 / k],
  ['gradient', r, r, batch, 1 / k],
];

/**
 * What a batch of mini-batch dlADMM multiplies beside the products of a step, for every layer with n = n_{l−1} + 1:
 *
 * - the product with (A + δI)⁻¹. Where it is full: of as many rows as the batch or the layer has, whichever is less, 2n²
 *   flops a row. Low rank: where the batch has fewer, ãU and (ãU)ᵀD, 2 B r (n + n_l) flops, and r rows more in the product
 *   of the gradient; else, and with both factors, 4n r flops for each of the layer's rows;
 * - in every k-th batch what the Gram matrix takes in: 8 B n r + 2 B r² flops; or where it is full B n², and n³ for a
 *   Cholesky factor and the inverse from it, at the rate of a product of n × n matrices;
 * - with both factors, of which the second has a low rank too, M R, Uᵀ∇ and U (M R), 6 n n_l r flops; in every k-th batch a backward pass
 *   of the multipliers of the labels that were drawn, and what P takes in of them.
 */
const gramProducts = (
  layers: readonly number[],
  batch: number,
  rank: number | 'full',
  k: number,
  both: boolean,
): readonly FloorProduct[] =>
  layers.slice(1).flatMap((width, i) => {
    const n = (layers[i] ?? 0) + 1;
    if (rank === 'full') {
      return products([
        ['image', n, n, Math.min(batch, width)],
        ['gradient', n, n, batch, 0.5 / k],
        ['gradient', n, n, n, 0.5 / k],
      ]);
    }
    const r = Math.min(rank, n);
    const narrow: readonly Shape[] = [
      ['image', n, r, batch],
      ['gradient', width, r, batch],
      ['gradient', n, width, batch, r / batch],
    ];
    const wide: readonly Shape[] = [
      ['image', n, r, width],
      ['back', n, r, width],
    ];
    const q = Math.min(rank, width);
    const back: readonly Shape[] = i === 0 ? [] : [['back', n - 1, width, batch, 1 / k]];
    const outer: readonly Shape[] = [
      ['gradient', n, q, width, 2],
      ['image', q, n, width],
      ...back,
      ...takenIn(width, q, batch, k),
    ];
    return products([...(both || batch >= width ? wide : narrow), ...takenIn(n, r, batch, k), ...(both ? outer : [])]);
  });

/** How mini-batch dlADMM measures a step. */
export interface Metric {
  readonly gram: 'low-rank' | 'full';
  readonly factors: 'input' | 'both';
}

/**
 * The products of a step, the parameters, the vectors as long as these that an update works on, and the numbers that it reads and
 * writes for each: parameter and every state once each way, every gradient once. SGD 3, with momentum 5, Adam 7: 12, 20
 * and 28 bytes in float32. Mini-batch dlADMM 5, as V_l is a momentum.
 */
export function epochFloor(
  layers: readonly number[],
  batch: number,
  optimizer: Optimizer,
  subBatches: number,
  { gram, factors }: Metric,
) {
  const { rank, gramEvery } = defaultsOf(minibatch);
  const gradients = optimizer === 'sisa' ? subBatches : 1;
  const vectors = 1 + STATES[optimizer] * gradients;
  const r = gram === 'full' ? gram : rank;
  const own = optimizer === 'minibatch-admm' ? gramProducts(layers, batch, r, gramEvery, factors === 'both') : [];
  return {
    products: [...stepProducts(layers, batch, gradients), ...own],
    parameters: sum(layers.slice(1).map((width, i) => width * ((layers[i] ?? 0) + 1))),
    vectors,
    moved: 2 * vectors + gradients,
  };
}
