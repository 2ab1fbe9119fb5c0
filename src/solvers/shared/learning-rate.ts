import { atLeast } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import type { ValueType } from '../../network/schema.js';

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
