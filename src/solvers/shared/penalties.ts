import { checkKeys, positive } from '../../core/checks.js';
import { expected } from '../../core/errors.js';

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

const NAMES = ['nu', 'rho', 'theta0', 'tau0'] as const satisfies (keyof Penalties)[];

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE where one is not positive and finite */
export function checkPenalties(penalties: Penalties, prefix = ''): Penalties {
  for (const name of NAMES) positive(penalties[name], prefix + name);
  return penalties;
}

/** What a rule of one's own answers with, checked: it comes in the middle of a training. */
export function renewed(penalties: Penalties, change: unknown): Penalties {
  if (typeof change !== 'object' || change === null || change instanceof Promise) {
    throw expected('{ nu, rho, theta0, tau0 } or some of them', 'what the schedule returns', change);
  }
  checkKeys(change, NAMES, 'what the schedule returns');
  return checkPenalties({ ...penalties, ...change }, 'schedule(record).');
}
