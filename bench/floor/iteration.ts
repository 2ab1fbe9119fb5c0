/** The floor of one iteration of the full-batch solvers. */
import type { FloorProduct, Way } from './products.js';

export const SOLVERS = ['dladmm', 'sigmoid-admm'] as const;
export type Solver = (typeof SOLVERS)[number];

export const ITERATION_WAYS: readonly Way[] = ['openblas', 'team-blocks', 'team-shares'];

/** The products over samples of one iteration. */
export const floorProducts = (layers: readonly number[], samples: number, solver: Solver): readonly FloorProduct[] =>
  layers.slice(1).flatMap((outputs, i) => {
    const shape = { inputs: layers[i] ?? 0, outputs, samples };
    return solver === 'dladmm' ? dladmmProducts(i + 1, shape, layers.length === 2) : sigmoidProducts(i + 1, shape);
  });

type Shape = Pick<FloorProduct, 'inputs' | 'outputs' | 'samples'>;

/**
 * dlADMM. Layer 1: one gradient and one image for its pair of W updates, the second of which works through XᵀX; the image is
 * multiplied where P_1 is read next, on the way of a_1. Every other layer: two W updates (gradient, image) and two updates
 * of its input a (back, image).
 * In all 4 N n_0 n_1 + 16 N Σ_{l ≥ 2} n_{l−1} n_l flops.
 */
function dladmmProducts(l: number, shape: Shape, isOnly: boolean): readonly FloorProduct[] {
  const of = (product: FloorProduct['product'], count: number, update: string): FloorProduct => ({
    ...shape,
    product,
    count,
    update,
  });
  if (l === 1) return [of('gradient', 1, 'W1'), of('image', 1, isOnly ? 'z1' : 'a1')];
  const [W, a] = [`W${l}`, `a${l - 1}`];
  return [of('gradient', 2, W), of('image', 2, W), of('back', 2, a), of('image', 2, a)];
}

/**
 * sigmoid-ADMM. Every layer: the gradient of its W, and its image for the new W. Below every other layer the update of
 * its input V: the image for the new V, the share of the layer, half a product for the Gram matrix of V (the other half
 * is its mirror), and the rows times the inverse of the smaller matrix, which takes one image more where that is the one
 * as wide as the output. XᵀX never changes. The KKT residual of the records is no part of the floor.
 */
function sigmoidProducts(l: number, shape: Shape): readonly FloorProduct[] {
  const { inputs, outputs, samples } = shape;
  const W: readonly FloorProduct[] = [
    { product: 'gradient', ...shape, count: 1, update: `W${l}` },
    { product: 'image', ...shape, count: 1, update: `W${l}` },
  ];
  if (l === 1) return W;
  const update = `V${l - 1}`;
  const width = Math.min(inputs, outputs);
  return [
    ...W,
    { product: 'image', ...shape, count: outputs < inputs ? 2 : 1, update },
    { product: 'back', ...shape, count: 1, update },
    { product: 'gradient', inputs, outputs: inputs, samples, count: 0.5, update },
    { product: 'image', inputs: width, outputs: width, samples, count: 1, update },
  ];
}

/** What the matrices of one iteration cost that no sample is in: sigmoid-ADMM's factors, their solves for W, and MᵀM. */
export function factorFlops(layers: readonly number[], solver: Solver): number {
  if (solver === 'dladmm') return 0;
  return layers.slice(1).reduce((flops, m, i) => {
    const inputs = layers[i] ?? 0;
    const n = inputs + 1;
    const width = Math.min(inputs, m);
    return flops + n ** 3 / 3 + 2 * m * n * n + (i === 0 ? 0 : width ** 3 / 3 + inputs * m * width);
  }, 0);
}
