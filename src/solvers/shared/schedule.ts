import { isObject } from '../../core/objects.js';
import {
  type ChosenKind,
  type Kinds,
  kindsOf,
  number,
  type OneOfKinds,
  type Schema,
  type ValueType,
  whole,
} from '../../network/schema.js';
import { type Penalties, type RunningSchedule, renewed } from './penalties.js';
import type { ProgressRecord } from './record.js';

/** A schedule of one's own: what changes after the iteration of this record (1, 2, …); what it leaves out stays. */
export type PenaltyRule<R extends ProgressRecord = ProgressRecord> = (record: R) => Partial<Penalties>;

/** ν and ρ never change. */
export const CONSTANT: RunningSchedule<Penalties, ProgressRecord> = {
  needsTrainLoss: false,
  next: (penalties) => penalties,
};

/**
 * One of some schedules by name, or a rule of one's own, which reads the record R. Takes what checkpoints of before say too
 * (earlier.ts): that the rule may lower penalties.
 */
export function scheduleType<R extends ProgressRecord, V extends Kinds>(
  kinds: V,
  start: (chosen: ChosenKind<V>, lowers: boolean) => RunningSchedule<Penalties, R>,
): ValueType<OneOfKinds<V> | PenaltyRule<R>, RunningSchedule<Penalties, R>> {
  const named = kindsOf(kinds, ' | function of a record');
  return {
    ...named,
    check: (value, name, about) => {
      if (typeof value === 'function') {
        return { needsTrainLoss: false, next: (penalties, record) => renewed(penalties, value(record)) };
      }
      const { $lowers: lowers, ...own } = isObject(value) && value.$lowers === true ? value : { $lowers: false };
      return start(named.check(lowers ? own : value, name, about), lowers === true);
    },
  };
}

/** ρ (and what else is told) times `factor`, every so many iterations. */
export const growing = (
  every: number,
  grown: (penalties: Penalties) => Partial<Penalties>,
): RunningSchedule<Penalties, ProgressRecord> => ({
  needsTrainLoss: false,
  next: (penalties, { iteration }) => (iteration % every === 0 ? renewed(penalties, grown(penalties)) : penalties),
});

/** The settings of a schedule that grows penalties now and then. */
export const growth = (every: number) =>
  ({
    factor: number('positive', { default: 10, says: 'What the penalty grows by.' }),
    every: whole(1, { default: every, says: 'Iterations between two growths.' }),
  }) as const satisfies Schema;
