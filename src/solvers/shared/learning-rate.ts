import { atLeast } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import { type ValueType, word } from '../../network/schema.js';

/** Where a training stands, both from 1: `step` counts over the whole training. */
export interface Progress {
  readonly epoch: number;
  readonly step: number;
}

/**
 * A number, or a function that gives one for each step. It is called once a step, in order, before the run of steps (an
 * epoch, as a rule) leaves for the training thread.
 */
export type LearningRate = number | ((at: Progress) => number);

export const LEARNING_RATE: ValueType<LearningRate> = {
  type: 'number ≥ 0, or a function of { epoch, step }',
  typed: { as: 'number' },
  check: (value, name) => {
    if (typeof value === 'function') return value as LearningRate;
    if (typeof value !== 'number') throw expected('a number, or a function of { epoch, step }', name, value);
    return atLeast(value, 0, name);
  },
};

/** How a learning rate that is a number falls over all steps of a training. */
type Fall = 'cosine' | 'constant';

/** The option of it. */
export const falling = (otherwise: string) =>
  word(['cosine', 'constant'], {
    otherwise: otherwise === 'cosine' ? 'cosine, of a function constant' : otherwise,
    says: 'How a number falls: along half a wave to 0 over all epochs, or not at all.',
  });

/** A learning rate over a training: it rises over the first share `warmUp` of all steps, or the first `rise` steps, then falls. */
export interface Schedule {
  readonly rate: LearningRate;
  /** What was asked for, and what stands where nothing was. */
  readonly falls: Fall | undefined;
  readonly otherwise: Fall;
  readonly warmUp?: number;
  readonly rise?: number;
  readonly epochs: number;
}

/**
 * @returns the rate of each step, for epochs of so many
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where a function is to fall
 */
export function scheduled({ rate, falls, otherwise, warmUp = 0, rise = 0, epochs }: Schedule) {
  const own = typeof rate === 'function';
  if (own && falls !== undefined) {
    throw expected('a number for learningRate, as a function falls by itself,', 'learningRateSchedule', falls);
  }
  const waves = !own && (falls ?? otherwise) === 'cosine';
  return (stepsPerEpoch: number): LearningRate => {
    if (!waves && warmUp === 0 && rise === 0) return rate;
    const steps = epochs * stepsPerEpoch;
    const rising = Math.max(rise, Math.round(warmUp * steps));
    return (at) => {
      const full = own ? rate(at) : rate;
      if (at.step <= rising) return (full * at.step) / rising;
      const gone = Math.min(1, (at.step - 1 - rising) / Math.max(1, steps - rising));
      return waves ? (full / 2) * (1 + Math.cos(Math.PI * gone)) : full;
    };
  };
}

/**
 * The learning rates of the `count` steps after the first `done`: one for all where it is constant.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE where the function gives what is not a finite number ≥ 0
 */
export function ratesOf(
  learningRate: LearningRate,
  done: number,
  count: number,
  stepsPerEpoch: number,
  name = 'learningRate',
): Float64Array {
  if (typeof learningRate === 'number') return Float64Array.of(learningRate);
  return Float64Array.from({ length: count }, (_, i) => {
    const at = { epoch: Math.floor((done + i) / stepsPerEpoch) + 1, step: done + i + 1 };
    return atLeast(learningRate(at), 0, `${name}({ epoch: ${at.epoch}, step: ${at.step} })`);
  });
}
