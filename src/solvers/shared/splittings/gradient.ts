import { checkObject, flag, given, oneOf, whole } from '../../../core/checks.js';
import { native } from '../../../core/native.js';
import type { NativeRegulariser } from '../../../core/native-faces.js';
import { present } from '../../../core/objects.js';
import type { Initialisation } from '../../../network/initialisation.js';
import type { LabelledSamples } from '../../../samples/samples.js';
import { stepCourse } from '../course.js';
import type { LearningRate } from '../learning-rate.js';
import { checkDivides, type GradientMethod, type Method, methodOf } from '../methods.js';
import { samples } from '../problem.js';
import type { EpochRecord } from '../record.js';
import { openNative, type SessionOptions } from '../session.js';
import { BATCHES_OF_SAMPLES, type Splitting } from '../splitting.js';
import { StepSession, type StepTypes } from '../step-session.js';
import { type Blocks, biases, weights } from '../sweep.js';

/** What a training by gradients is made of. */
export interface GradientSessionOptions extends SessionOptions {
  readonly method: GradientMethod;
  /** Ω_l of every layer, by a proximal step after each step of the method; none if absent. */
  readonly regularisers?: readonly NativeRegulariser[];
  /** Samples a batch, all where there are fewer; the last of an epoch has what is left. All for 'gd', else 128. */
  readonly batchSize?: number;
  /** F is the mean of the loss over the samples of a batch, or the sum; 'mean' if absent. */
  readonly reduction?: 'mean' | 'sum';
  /** Visit the samples in a new order every epoch; true if absent, and never for batches of all samples. */
  readonly shuffle?: boolean;
  /** Of the orders; 1 if absent. */
  readonly seed?: number;
}

export interface GradientTypes extends StepTypes {
  readonly options: GradientSessionOptions;
  readonly block: 'W' | 'b';
  readonly set: LabelledSamples;
}

/** A network under training by gradients: W_l n_l × n_{l−1}, b_l a row of n_l. Write parameters, then run steps. */
export type GradientSession = StepSession<GradientTypes>;

export interface GradientPlan {
  readonly method: GradientMethod;
  readonly regularisers?: readonly NativeRegulariser[];
  /** γ, for epochs of so many steps; that of the method where it says nothing. */
  readonly stepFor: (stepsPerEpoch: number) => LearningRate | undefined;
  readonly batchSize?: number;
  readonly reduction: 'mean' | 'sum';
  readonly shuffle: boolean;
  readonly initialisation: Initialisation;
}

const DEFAULT_BATCH = 128;
const MOST = 2 ** 31 - 1;

/** W and b of a perceptron. */
export const PARAMETER_BLOCKS: Blocks<'W' | 'b'> = {
  W: { number: 0, shape: weights },
  b: { number: 1, shape: biases },
};

function check({ reduction, shuffle, seed, method }: GradientSessionOptions): void {
  oneOf(given(reduction, 'mean'), ['mean', 'sum'], 'options.reduction');
  flag(given(shuffle, true), 'options.shuffle');
  whole(given(seed, 1), 0, 2 ** 32 - 1, 'options.seed');
  checkedMethod(method);
}

function checkedMethod(method: GradientMethod): Method {
  checkObject(method, "{ solver: 'sgd', … }", 'options.method');
  return methodOf(method, 'options.method.');
}

function batchOf({ batchSize, method }: GradientSessionOptions, count: number): number {
  const { subBatches, fullBatch } = checkedMethod(method);
  const size = whole(
    given(batchSize, fullBatch ? count : DEFAULT_BATCH),
    fullBatch ? count : 1,
    MOST,
    'options.batchSize',
  );
  if (size > count) return count;
  checkDivides(subBatches, size, 'options.method.subBatches');
  return size;
}

function setup(options: GradientSessionOptions, count: number) {
  const batch = batchOf(options, count);
  return {
    batch,
    reduction: given(options.reduction, 'mean'),
    shuffle: given(options.shuffle, true) && batch < count,
    seed: given(options.seed, 1),
    optimiser: checkedMethod(options.method).optimiser,
    ...present({ regularisers: options.regularisers }),
  };
}

/** Gradient methods, and ADMM over the gradients of batches, on multilayer perceptrons. */
export const gradients: Splitting<
  GradientSessionOptions,
  LabelledSamples,
  GradientSession,
  GradientPlan,
  EpochRecord,
  typeof BATCHES_OF_SAMPLES
> = {
  name: 'gradient',
  ...BATCHES_OF_SAMPLES,
  async open(options, data, name = 'data') {
    const keys = ['method', 'regularisers', 'batchSize', 'reduction', 'shuffle', 'seed', 'share'];
    const opening = {
      problem: samples,
      blocks: PARAMETER_BLOCKS,
      State: () => native.GradientTrainer,
      keys,
      check,
      setup,
      takesSparse: ({ method }: GradientSessionOptions) => method.solver !== 'kfac' && method.solver !== 'isaac',
    };
    return new StepSession<GradientTypes>(await openNative(opening, options, data, name), {
      stepsPerEpoch: (own, count) => Math.ceil(count / batchOf(own, count)),
      learningRate: ({ method }) => checkedMethod(method).learningRate,
      duals: ({ method }) => dualsOf(checkedMethod(method)),
    });
  },
  async course(plan, data, share) {
    const { network, dtype, threads, seed, method, regularisers, stepFor, batchSize, reduction, shuffle } = plan;
    const common = { network, dtype, threads, seed, method, reduction, shuffle };
    return stepCourse(
      await gradients.open({ ...common, ...present({ batchSize, regularisers, share }) }, data),
      stepFor,
    );
  },
};

/** How many sub-batches keep multipliers. */
const dualsOf = ({ optimiser, subBatches }: Method): number =>
  optimiser.method === 'sisa' || (optimiser.method === 'badm' && optimiser.duals) ? subBatches : 0;
