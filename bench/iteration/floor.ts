import { median } from '../statistics.js';

export type Way = 'openblas' | 'team-blocks' | 'team-shares';
export const WAYS: readonly Way[] = ['openblas', 'team-blocks', 'team-shares'];

/** Times in seconds by `PRODUCT INPUTS OUTPUTS WAY`, one a round. */
export type Rates = Map<string, number[]>;

export interface FloorProduct {
  readonly product: 'gradient' | 'image' | 'back';
  readonly inputs: number;
  readonly outputs: number;
  /** How many of them one iteration needs. */
  readonly count: number;
}

export type Solver = 'dladmm' | 'sigmoid-admm';

/** The products over samples of one iteration. */
export const floorProducts = (layers: readonly number[], solver: Solver): readonly FloorProduct[] =>
  solver === 'dladmm' ? dladmmProducts(layers) : sigmoidProducts(layers);

/**
 * dlADMM. Layer 1: one gradient and one image for its pair of W updates, the second
 * of which works through XᵀX. Every other layer: two W updates (gradient, image) and two updates of its input a (back,
 * image).
 */
function dladmmProducts(layers: readonly number[]): readonly FloorProduct[] {
  const products: FloorProduct[] = [];
  for (let l = 1; l < layers.length; l += 1) {
    const shape = { inputs: layers[l - 1] ?? 0, outputs: layers[l] ?? 0 };
    const first = l === 1;
    products.push({ product: 'gradient', ...shape, count: first ? 1 : 2 });
    products.push({ product: 'image', ...shape, count: first ? 1 : 4 });
    if (!first) products.push({ product: 'back', ...shape, count: 2 });
  }
  return products;
}

/**
 * sigmoid-ADMM. Every layer: the gradient of its W, and its image for the new W. Below every other layer the update of
 * its input V: the image for the new V, the share of the layer, half a product for the Gram matrix of V (the other half
 * is its mirror), and the rows times the inverse of the smaller matrix, which takes one image more where that is the one
 * as wide as the output. XᵀX never changes. The KKT residual of the records is no part of the floor.
 */
function sigmoidProducts(layers: readonly number[]): readonly FloorProduct[] {
  const products: FloorProduct[] = [];
  for (let l = 1; l < layers.length; l += 1) {
    const shape = { inputs: layers[l - 1] ?? 0, outputs: layers[l] ?? 0 };
    const narrows = shape.outputs < shape.inputs;
    products.push({ product: 'gradient', ...shape, count: 1 });
    products.push({ product: 'image', ...shape, count: l === 1 ? 1 : narrows ? 3 : 2 });
    if (l === 1) continue;
    const width = Math.min(shape.inputs, shape.outputs);
    products.push({ product: 'back', ...shape, count: 1 });
    products.push({ product: 'gradient', inputs: shape.inputs, outputs: shape.inputs, count: 0.5 });
    products.push({ product: 'image', inputs: width, outputs: width, count: 1 });
  }
  return products;
}

/** What the matrices of one iteration cost that no sample is in: sigmoid-ADMM's factors, their solves for W, and MᵀM. */
export function factorFlops(layers: readonly number[], solver: Solver): number {
  if (solver === 'dladmm') return 0;
  let flops = 0;
  for (let l = 1; l < layers.length; l += 1) {
    const n = (layers[l - 1] ?? 0) + 1;
    const m = layers[l] ?? 0;
    flops += n ** 3 / 3 + 2 * m * n * n;
    const width = Math.min(layers[l - 1] ?? 0, m);
    if (l > 1) flops += width ** 3 / 3 + (layers[l - 1] ?? 0) * m * width;
  }
  return flops;
}

/** dlADMM: 4 N n_0 n_1 + 16 N Σ_{l ≥ 2} n_{l−1} n_l */
export function floorFlops(layers: readonly number[], samples: number, solver: Solver): number {
  return floorProducts(layers, solver).reduce(
    (sum, { inputs, outputs, count }) => sum + count * 2 * samples * inputs * outputs,
    factorFlops(layers, solver),
  );
}

/** Each product at the fastest of the three ways, by the median of the rounds; factors at the rate of the fastest. */
export function floorSeconds(layers: readonly number[], samples: number, solver: Solver, rates: Rates): number {
  let best = 0;
  const products = floorProducts(layers, solver).reduce((sum, { product, inputs, outputs, count }) => {
    const times = WAYS.map((way) => median(rates.get(`${product} ${inputs} ${outputs} ${way}`) ?? [Number.NaN]));
    const seconds = Math.min(...times);
    best = Math.max(best, (2 * samples * inputs * outputs) / seconds);
    return sum + count * seconds;
  }, 0);
  return products + factorFlops(layers, solver) / best;
}
