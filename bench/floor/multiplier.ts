/** Measures matrix products and passes over vectors, in a process of its own: operands are as large as a training. */
import { answer } from '../harness/child.js';
import { native } from '../harness/internals.js';
import { type FloorReply, type FloorRequest, keyOf } from './products.js';

answer<FloorRequest, FloorReply>(({ products, ways, vectors, dtype, threads, repeats }) => ({
  seconds: Object.fromEntries(
    products.map((each) => {
      const { count: _, update: __, ...shape } = each;
      return [keyOf(each), ways.map((way) => native.productSeconds({ ...shape, way, dtype, threads, repeats }))];
    }),
  ),
  ...(vectors !== undefined && {
    numbersPerSecond: (2 * vectors) / native.passSeconds({ count: vectors, dtype, threads, repeats }),
  }),
}));
