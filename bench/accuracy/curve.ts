import type { DladmmOptions } from 'dladmm';

/** One iteration of an accuracy run. Norms are squared and summed over the samples. */
export interface CurvePoint {
  readonly iteration: number;
  readonly lagrangian: number;
  readonly loss: number;
  readonly residuals: readonly number[];
  readonly activationResiduals: readonly number[];
  readonly nu: number;
  readonly rho: number;
  readonly seconds: number;
  readonly testAccuracy: number;
  readonly testLoss: number;
}

/** A whole run, as `bench/results` keeps it. */
export interface Curve {
  readonly data: string;
  readonly layers: string;
  readonly samples: number;
  readonly seed: number;
  /** What differed from the defaults. */
  readonly options: Partial<DladmmOptions>;
  readonly openblasCore: string;
  readonly best: { readonly iteration: number; readonly testAccuracy: number };
  readonly last: { readonly iteration: number; readonly testAccuracy: number };
  readonly points: readonly CurvePoint[];
}
