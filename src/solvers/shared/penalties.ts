import { positive } from '../../core/checks.js';

/** The penalties and the first step sizes that the searches try; they may change from iteration to iteration. */
export interface Penalties {
  /** ν, of the hidden constraints. */
  readonly nu: number;
  /** ρ, of the output constraint. */
  readonly rho: number;
  /** θ0, the first size tried for a W step. Unused by the `exact` search. */
  readonly theta0: number;
  /** τ0, the first size tried for an a step. Unused by the `exact` search. */
  readonly tau0: number;
}

/** Their names. */
export const PENALTIES = ['nu', 'rho', 'theta0', 'tau0'] as const satisfies (keyof Penalties)[];

/** @throws DlAdmmError ERR_DLADMM_RANGE where one is not positive and finite */
export function checkPenalties(penalties: Penalties, prefix = ''): Penalties {
  for (const name of PENALTIES) positive(penalties[name], prefix + name);
  return penalties;
}
