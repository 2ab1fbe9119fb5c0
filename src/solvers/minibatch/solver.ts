import { present } from '../../core/objects.js';
import { flag, option, type Schema, whole } from '../../network/schema.js';
import { initialisedBy, sweepType } from '../shared/declared.js';
import { defineSolver, type SolverOptions } from '../shared/descriptor.js';
import { EQUAL } from '../shared/equal.js';
import { falling, LEARNING_RATE, scheduled } from '../shared/learning-rate.js';
import { checkSwept, MONOTONE, REGULARISE, regularisedBy } from '../shared/regularise.js';
import type { Sweep, Update } from '../shared/sweep.js';
import { listBatchUpdates, minibatchSweep } from './algorithm.js';
import { defaultRate, factorsOf, GRAM_STEP } from './gram-step.js';
import { checkMetric, minibatches } from './splitting.js';

/** Of a training that has no end to fall to: η rises over so many, while the Gram matrices are made of few. */
const FIRST_BATCHES = 10;

const OPTIONS = {
  learningRate: option(LEARNING_RATE, {
    otherwise:
      "0.05; with factors: 'input' 0.4, of squared errors 0.2; schedule-free that over 1 − μ (with factors: 'input' three times that), after a rise over 10 batches",
    symbol: 'η',
    says: 'The length of a W step: a number, or a function that gives one for each batch.',
  }),
  learningRateSchedule: falling('cosine, of a function and schedule-free constant'),
  batchSize: whole(
    1,
    {
      otherwise: 'a hundredth of the samples, as a power of 2 from 64 to 512',
      says: 'Samples a batch, all where there are fewer; the last of an epoch has what is left.',
    },
    2 ** 31 - 1,
  ),
  shuffle: flag({ default: true, says: 'A new order of the samples every epoch.' }),
  ...GRAM_STEP,
  regularise: REGULARISE,
  monotone: MONOTONE,
  equal: EQUAL,
  initialisation: initialisedBy('he'),
  sweep: option(sweepType<Sweep, Update>(listBatchUpdates), {
    default: minibatchSweep,
    says: 'The updates of one batch, after its forward pass.',
  }),
} as const satisfies Schema;

/** Mini-batch dlADMM. */
export const minibatch = defineSolver({
  name: 'minibatch-admm',
  title: 'mini-batch dlADMM: targets by quadratic steps, weights by a Gram matrix that remembers earlier batches',
  splitting: minibatches,
  iterations: 10,
  options: OPTIONS,
  plan: (
    {
      learningRate: rate,
      learningRateSchedule: falls,
      batchSize,
      shuffle,
      initialisation,
      regularise,
      monotone,
      equal,
      ...own
    },
    { iterations: epochs, network },
  ) => {
    const regular = regularisedBy({ regularise, monotone, equal }, network);
    const method = { ...own, factors: factorsOf({ ...own, ...regular }) };
    checkMetric(method, regular.regularisers);
    checkSwept(method.sweep, regular);
    const given = rate ?? defaultRate(network.loss, method);
    const course = method.scheduleFree
      ? ({ otherwise: 'constant', rise: FIRST_BATCHES } as const)
      : ({ otherwise: 'cosine' } as const);
    const stepFor = scheduled({ rate: given, falls, ...course, epochs });
    return { method, stepFor, shuffle, initialisation, ...present({ batchSize }), ...regular };
  },
});

/** The options of mini-batch dlADMM. */
export type MinibatchOptions = SolverOptions<typeof minibatch>;
