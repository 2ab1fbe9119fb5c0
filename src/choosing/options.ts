import type { TrainOptions } from '../solvers/index.js';
import type { AutoOptions } from '../training/fit.js';

type Every = TrainOptions | AutoOptions;
type Keys<U> = U extends unknown ? keyof U : never;
type ValueIn<U, K> = U extends unknown ? (K extends keyof U ? U[K] : never) : never;

/** The options of a training by any solver, `layers` left to be inferred; a name that no solver has is a compile error. */
export type AnyOptions = { readonly [K in Keys<Every>]?: ValueIn<Every, K> };
