/** Measures the matrix products of a step, and how fast a pass over the parameters and the optimiser's state can be. */
import { native } from '#native';
import { answer } from '../iteration/child.js';
import { WAYS } from './floor.js';
import type { FloorReply, FloorRequest } from './messages.js';

const REPEATS = 25;

answer<FloorRequest, FloorReply>(({ products, vectors, dtype, threads }) => ({
  products: products.flatMap(({ count, ...product }) =>
    WAYS.map((way) => ({
      product: { ...product, count },
      way,
      seconds: native.productSeconds({ ...product, way, dtype, threads, repeats: REPEATS }),
    })),
  ),
  numbersPerSecond: (2 * vectors) / native.passSeconds({ count: vectors, dtype, threads, repeats: REPEATS }),
}));
