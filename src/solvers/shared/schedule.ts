import { checkKeys, positive, whole } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import { checkPenalties, PENALTIES, type Penalties, type RunningSchedule } from './penalties.js';
import type { IterationRecord } from './splittings/layered.js';

/** A schedule of one's own: what changes after the iteration of this record (1, 2, …); what it leaves out stays. */
export type PenaltyRule = (record: IterationRecord) => Partial<Penalties>;

/**
 * - `constant`: ν and ρ never change.
 * - `paper`: ρ grows by `factor` (10) every `every` (100) iterations, ν stays (KDD 2019, section 5).
 * - `reference`: the rule of the official code, which has one ρ for every constraint (so ν follows ρ): whenever the
 *   training loss has risen three iterations running, ρ ← min(factor ρ, cap), and θ0, τ0 grow by `stepFactor`
 *   (10 where the first hidden layer has 100 neurons or more, else 1).
 * - a function of the iteration record.
 */
export type Schedule =
  | 'constant'
  | 'paper'
  | 'reference'
  | { readonly kind: 'constant' }
  | { readonly kind: 'paper'; readonly factor?: number; readonly every?: number }
  | { readonly kind: 'reference'; readonly factor?: number; readonly cap?: number; readonly stepFactor?: number }
  | PenaltyRule;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function startSchedule(
  schedule: Schedule,
  layers: readonly number[],
): RunningSchedule<Penalties, IterationRecord> {
  if (typeof schedule === 'function') {
    return { needsTrainLoss: false, next: (penalties, record) => renewed(penalties, schedule(record)) };
  }
  const options: Exclude<Schedule, string | PenaltyRule> = typeof schedule === 'string' ? { kind: schedule } : schedule;
  switch (options?.kind) {
    case 'constant':
      checkKeys(options, ['kind'], 'schedule');
      return { needsTrainLoss: false, next: (penalties) => penalties };
    case 'paper':
      return paper(options);
    case 'reference':
      return reference(options, layers);
    default:
      throw expected("'constant', 'paper', 'reference' or a function", 'schedule', schedule);
  }
}

/** What a rule of one's own answers with, checked: it comes in the middle of a training. */
function renewed(penalties: Penalties, change: unknown): Penalties {
  if (typeof change !== 'object' || change === null || 'then' in change) {
    throw expected('{ nu, rho, theta0, tau0 } or some of them', 'what the schedule returns', change);
  }
  checkKeys(change, PENALTIES, 'what the schedule returns');
  return checkPenalties({ ...penalties, ...change }, 'schedule(record).');
}

function paper(options: { factor?: number; every?: number }): RunningSchedule<Penalties, IterationRecord> {
  checkKeys(options, ['kind', 'factor', 'every'], 'schedule');
  const { factor = 10, every = 100 } = options;
  positive(factor, 'schedule.factor');
  whole(every, 1, 1e9, 'schedule.every');
  return {
    needsTrainLoss: false,
    next: (penalties, { iteration }) =>
      iteration % every === 0 ? renewed(penalties, { rho: penalties.rho * factor }) : penalties,
  };
}

const REFERENCE_NEURONS = 100;

function reference(
  options: { factor?: number; cap?: number; stepFactor?: number },
  layers: readonly number[],
): RunningSchedule<Penalties, IterationRecord> {
  checkKeys(options, ['kind', 'factor', 'cap', 'stepFactor'], 'schedule');
  const {
    factor = 10,
    cap = 0.1,
    stepFactor = (layers[1] ?? 0) >= REFERENCE_NEURONS && layers.length > 2 ? 10 : 1,
  } = options;
  positive(factor, 'schedule.factor');
  positive(cap, 'schedule.cap');
  positive(stepFactor, 'schedule.stepFactor');
  const costs: number[] = [];
  return {
    needsTrainLoss: true,
    memory: costs,
    next(penalties, { train }) {
      costs.push(train?.loss ?? Number.NaN);
      if (costs.length > 4) costs.shift();
      const [first = 0, second = 0, third = 0, fourth = 0] = costs;
      const rose = costs.length === 4 && fourth > third && third > second && second > first;
      if (!rose) return penalties;
      const rho = Math.min(factor * penalties.rho, cap);
      return renewed(penalties, {
        nu: rho,
        rho,
        theta0: stepFactor * penalties.theta0,
        tau0: stepFactor * penalties.tau0,
      });
    },
  };
}
