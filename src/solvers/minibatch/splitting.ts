import { flag, given, whole } from '../../core/checks.js';
import { DlAdmmError } from '../../core/errors.js';
import { native } from '../../core/native.js';
import type { NativeRegulariser } from '../../core/native-faces.js';
import { present } from '../../core/objects.js';
import type { Initialisation } from '../../network/initialisation.js';
import { completed } from '../../network/schema.js';
import type { LabelledSamples } from '../../samples/samples.js';
import { stepCourse } from '../shared/course.js';
import type { LearningRate } from '../shared/learning-rate.js';
import { samples } from '../shared/problem.js';
import type { EpochRecord } from '../shared/record.js';
import { openNative, type SessionOptions } from '../shared/session.js';
import { BATCHES_OF_SAMPLES, type Splitting } from '../shared/splitting.js';
import { PARAMETER_BLOCKS } from '../shared/splittings/gradient.js';
import { numberOf } from '../shared/splittings/layered.js';
import { StepSession, type StepTypes } from '../shared/step-session.js';
import type { Sweep, Update } from '../shared/sweep.js';
import { listBatchUpdates, minibatchSweep } from './algorithm.js';
import { defaultBatchSize, defaultRate, factorsOf, GRAM_STEP, type GramStepOptions } from './gram-step.js';

/** How the W subproblems of mini-batch dlADMM are solved, and the updates of one batch. */
export type MinibatchMethod = GramStepOptions & {
  /** The updates of one batch, or a sweep of them. Default {@link minibatchSweep}. */
  readonly sweep?: Sweep | readonly Update[];
};

/** What a session of mini-batch dlADMM is made of. */
export interface MinibatchSessionOptions extends SessionOptions, GramStepOptions, Pick<MinibatchMethod, 'sweep'> {
  /** Ω_l of every layer; none if absent. */
  readonly regularisers?: readonly NativeRegulariser[];
  /** Samples a batch, all where there are fewer; the last of an epoch has what is left. {@link defaultBatchSize} of the samples if absent. */
  readonly batchSize?: number;
  /** Visit the samples in a new order every epoch; true if absent, and never for batches of all samples. */
  readonly shuffle?: boolean;
  /** Of the orders, and of the directions that `'low-rank'` begins with; 1 if absent. */
  readonly seed?: number;
}

export interface MinibatchTypes extends StepTypes {
  readonly options: MinibatchSessionOptions;
  readonly block: 'W' | 'b';
  readonly set: LabelledSamples;
}

/** A network under training by mini-batch dlADMM: W_l n_l × n_{l−1}, b_l a row of n_l. Write parameters, then run batches. */
export type MinibatchSession = StepSession<MinibatchTypes>;

export interface MinibatchPlan {
  readonly method: MinibatchMethod;
  /** η, for epochs of so many batches. */
  readonly stepFor: (batchesPerEpoch: number) => LearningRate;
  readonly batchSize?: number;
  readonly regularisers?: readonly NativeRegulariser[];
  readonly shuffle: boolean;
  readonly initialisation: Initialisation;
}

function updatesOf({ sweep = minibatchSweep, network }: MinibatchSessionOptions): readonly Update[] {
  return listBatchUpdates(typeof sweep === 'function' ? sweep : () => sweep, network.layers.length - 1);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for what does not go with regularisers, or not without momentum */
export function checkMetric({ factors, scheduleFree, momentum }: MinibatchMethod, regularisers: unknown): void {
  const refused = (wanted: string, came: string) =>
    new DlAdmmError('ERR_DLADMM_ARGUMENT', `Expected ${wanted}, but received ${came}`);
  if (regularisers !== undefined && factors === 'both') {
    throw refused(
      "factors: 'input' with regularise, monotone or equal, whose steps are split in that of the inputs",
      "'both'",
    );
  }
  if (regularisers !== undefined && scheduleFree === true) {
    throw refused('scheduleFree: false with regularise, monotone or equal, whose zeros an average would lose', 'true');
  }
  if (scheduleFree === true && momentum === 0) {
    throw refused(
      'a momentum above 0 with scheduleFree: it is the share of the average at which batches are taken',
      '0',
    );
  }
}

function check(options: MinibatchSessionOptions): void {
  flag(given(options.shuffle, true), 'options.shuffle');
  whole(given(options.seed, 1), 0, 2 ** 32 - 1, 'options.seed');
  completed(GRAM_STEP, options, 'options.', options);
  checkMetric(options, options.regularisers);
  updatesOf(options);
}

const batchOf = ({ batchSize }: MinibatchSessionOptions, count: number): number =>
  Math.min(count, whole(given(batchSize, defaultBatchSize(count)), 1, 2 ** 31 - 1, 'options.batchSize'));

function setup(options: MinibatchSessionOptions, count: number) {
  const batch = batchOf(options, count);
  const {
    gramMemory: beta,
    relativeDamping: damping,
    ...settings
  } = completed(GRAM_STEP, options, 'options.', options);
  return {
    batch,
    shuffle: given(options.shuffle, true) && batch < count,
    seed: given(options.seed, 1),
    ...settings,
    factors: factorsOf(options),
    beta,
    damping,
    sweep: updatesOf(options).flatMap(({ block, layer }) => [numberOf(block), layer]),
    ...present({ regularisers: options.regularisers }),
  };
}

/** Mini-batch dlADMM on multilayer perceptrons: W and b, with the Gram matrix of every layer's inputs. */
export const minibatches: Splitting<
  MinibatchSessionOptions,
  LabelledSamples,
  MinibatchSession,
  MinibatchPlan,
  EpochRecord,
  typeof BATCHES_OF_SAMPLES
> = {
  name: 'minibatch',
  ...BATCHES_OF_SAMPLES,
  async open(options, data, name = 'data') {
    const keys = ['regularisers', 'batchSize', 'shuffle', 'seed', ...Object.keys(GRAM_STEP), 'sweep', 'share'];
    const opening = {
      problem: samples,
      blocks: PARAMETER_BLOCKS,
      State: () => native.Minibatch,
      keys,
      check,
      setup,
      takesSparse: () => true,
    };
    return new StepSession<MinibatchTypes>(await openNative(opening, options, data, name), {
      stepsPerEpoch: (own, count) => Math.ceil(count / batchOf(own, count)),
      learningRate: ({ network, ...method }) => defaultRate(network.loss, { ...method, factors: factorsOf(method) }),
    });
  },
  async course({ network, dtype, threads, seed, method, batchSize, regularisers, shuffle, stepFor }, data, share) {
    const own = present({ batchSize, regularisers, share });
    const options = { ...method, network, dtype, threads, seed, shuffle, ...own };
    return stepCourse(await minibatches.open(options, data), stepFor);
  },
};
