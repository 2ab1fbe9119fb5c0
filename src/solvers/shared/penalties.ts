import { checkKeys, checkObject, positive } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import { isObject } from '../../core/objects.js';

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

const PENALTIES: readonly (keyof Penalties)[] = ['nu', 'rho', 'theta0', 'tau0'];

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE where one is not positive and finite */
export function checkPenalties<P extends Penalties>(penalties: P, prefix = ''): P {
  checkObject(penalties, `{ ${PENALTIES.join(', ')} }`, prefix.replace(/\.$/, '') || 'penalties');
  for (const name of PENALTIES) positive(penalties[name], prefix + name);
  return penalties;
}

/** What a rule of one's own answers with, checked: it comes in the middle of a training. */
export function renewed(penalties: Penalties, change: unknown): Penalties {
  if (!isObject(change) || 'then' in change) {
    throw expected('{ nu, rho, theta0, tau0 } or some of them', 'what the schedule returns', change);
  }
  checkKeys(change, PENALTIES, 'what the schedule returns');
  return checkPenalties({ ...penalties, ...change }, 'schedule(record).');
}

/**
 * ν and ρ by a rule that was made for one penalty: each grows by `factor` up to `cap`, and one above `cap` stays. Trainings of before the
 * sixth format of checkpoints (`lowers`) had both become what ρ grew to.
 */
export function grownTogether(
  { nu, rho }: Penalties,
  { factor, cap, lowers }: { readonly factor: number; readonly cap: number; readonly lowers: boolean },
): Pick<Penalties, 'nu' | 'rho'> {
  const grown = (penalty: number): number => Math.min(factor * penalty, lowers ? cap : Math.max(cap, penalty));
  return { nu: grown(lowers ? rho : nu), rho: grown(rho) };
}

export interface RunningSchedule<V, R> {
  /** Whether the rule reads `record.train`, which costs a forward pass over the training set. */
  readonly needsTrainLoss: boolean;
  /** What it remembers of earlier records; a checkpoint keeps it. */
  readonly memory?: number[];
  /** The penalties of the next iteration. */
  next(penalties: V, record: R): V;
}
