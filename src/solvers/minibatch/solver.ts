import { expected } from '../../core/errors.js';
import { present } from '../../core/objects.js';
import { flag, option, type Schema, whole, word } from '../../network/schema.js';
import { initialisedBy, sweepType } from '../shared/declared.js';
import { defineSolver, type SolverOptions } from '../shared/descriptor.js';
import { LEARNING_RATE, type LearningRate } from '../shared/learning-rate.js';
import type { Sweep, Update } from '../shared/sweep.js';
import { listBatchUpdates, minibatchSweep } from './algorithm.js';
import { defaultRate, GRAM_STEP } from './gram-step.js';
import { minibatches } from './splitting.js';

const OPTIONS = {
  learningRate: option(LEARNING_RATE, {
    derive: ({ network }) => defaultRate(network.loss),
    otherwise: '0.4, of squared errors 0.2',
    symbol: 'η',
    says: 'The length of a W step: a number, or a function that gives one for each batch.',
  }),
  learningRateSchedule: word(['cosine', 'constant'], {
    otherwise: 'cosine, of a function constant',
    says: 'How a number falls: along half a wave to 0 over all epochs, or not at all.',
  }),
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
  initialisation: initialisedBy('he'),
  sweep: option(sweepType<Sweep, Update>(listBatchUpdates), {
    default: minibatchSweep,
    says: 'The updates of one batch, after its forward pass.',
  }),
} as const satisfies Schema;

/** From `first` along half a wave to 0, over so many batches. */
const cosine =
  (first: number, batches: number): LearningRate =>
  ({ step }) =>
    (first / 2) * (1 + Math.cos(Math.PI * Math.min(1, (step - 1) / batches)));

/** Mini-batch dlADMM. */
export const minibatch = defineSolver({
  name: 'minibatch-admm',
  title: 'mini-batch dlADMM: targets by quadratic steps, weights by a Gram matrix that remembers earlier batches',
  splitting: minibatches,
  iterations: 10,
  options: OPTIONS,
  plan: (
    { learningRate: rate, learningRateSchedule: falls, batchSize, shuffle, initialisation, ...method },
    common,
  ) => {
    if (typeof rate === 'function' && falls !== undefined) {
      throw expected('a number for learningRate, as a function falls by itself,', 'learningRateSchedule', falls);
    }
    const stepFor = (batchesPerEpoch: number): LearningRate =>
      typeof rate === 'number' && falls !== 'constant' ? cosine(rate, common.iterations * batchesPerEpoch) : rate;
    return { method, stepFor, shuffle, initialisation, ...present({ batchSize }) };
  },
});

/** The options of mini-batch dlADMM. */
export type MinibatchOptions = SolverOptions<typeof minibatch>;
