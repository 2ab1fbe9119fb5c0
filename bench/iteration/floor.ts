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

/**
 * The products over samples of one iteration. Layer 1: one gradient and one image for its pair of W updates, the second
 * of which works through XᵀX. Every other layer: two W updates (gradient, image) and two updates of its input a (back,
 * image).
 */
export function floorProducts(layers: readonly number[]): readonly FloorProduct[] {
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

/** 4 N n_0 n_1 + 16 N Σ_{l ≥ 2} n_{l−1} n_l */
export function floorFlops(layers: readonly number[], samples: number): number {
  return floorProducts(layers).reduce(
    (sum, { inputs, outputs, count }) => sum + count * 2 * samples * inputs * outputs,
    0,
  );
}

/** Each product at the fastest of the three ways, by the median of the rounds. */
export function floorSeconds(layers: readonly number[], rates: Rates): number {
  return floorProducts(layers).reduce((sum, { product, inputs, outputs, count }) => {
    const times = WAYS.map((way) => median(rates.get(`${product} ${inputs} ${outputs} ${way}`) ?? [Number.NaN]));
    return sum + count * Math.min(...times);
  }, 0);
}
