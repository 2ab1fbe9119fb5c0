import { checkObject, oneOf } from './checks.js';
import { type ConstraintsPlan, openConstraints } from './constraints-engine.js';
import { type DladmmOptions, dladmmPlanOf } from './dladmm-options.js';
import type { Engine, TakeUp } from './engine.js';
import { type GradientPlan, openGradient } from './gradient-engine.js';
import { type GradientOptions, gradientPlanOf } from './gradient-options.js';
import { type InversionOptions, inversionPlanOf } from './inversion-options.js';
import { type LayeredPlan, openLayered } from './layered-engine.js';
import type { LabelledSamples } from './layered-state.js';
import { type MinibatchPlan, openMinibatch } from './minibatch-engine.js';
import { type MinibatchOptions, minibatchPlanOf } from './minibatch-options.js';
import type { CommonPlan } from './options.js';
import type { EpochRecord, IterationRecord, ProgressRecord, SigmoidRecord } from './record.js';
import { type SigmoidOptions, sigmoidPlanOf } from './sigmoid-options.js';
import { GRADIENT_SOLVERS } from './solvers/gradient.js';

/** The options of the solvers of the layered splitting. */
export type LayeredOptions = DladmmOptions | InversionOptions;

/** The options of all solvers; `solver` tells them apart, and is dlADMM where it is left out. */
export type TrainOptions = LayeredOptions | SigmoidOptions | GradientOptions | MinibatchOptions;

/** The solvers by name. */
export const SOLVERS: readonly NonNullable<TrainOptions['solver']>[] = [
  'dladmm',
  'inversion-admm',
  'sigmoid-admm',
  'minibatch-admm',
  ...GRADIENT_SOLVERS,
];

/** Options checked and completed, and how to open the engine that they ask for. */
export interface Plan<R extends ProgressRecord> extends CommonPlan<R> {
  /** Whether the solver reads `record.train`, which costs a forward pass over the training set. */
  readonly needsTrainLoss: boolean;
  /**
   * `opened` is called as soon as there is something to stop or to close; `takeUp` fills the state of an earlier training
   * in, where there is one.
   */
  readonly open: (data: LabelledSamples, opened: (engine: Engine<R>) => void, takeUp?: TakeUp) => Promise<void>;
}

type AnyPlan = Plan<IterationRecord> | Plan<SigmoidRecord> | Plan<EpochRecord>;

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function planOf(options: LayeredOptions): Plan<IterationRecord>;
export function planOf(options: SigmoidOptions): Plan<SigmoidRecord>;
export function planOf(options: GradientOptions | MinibatchOptions): Plan<EpochRecord>;
export function planOf(options: TrainOptions): AnyPlan;
export function planOf(options: TrainOptions): AnyPlan {
  checkObject(options, 'an object', 'options');
  const solver = oneOf(options.solver ?? 'dladmm', SOLVERS, 'solver');
  if (solver === 'dladmm') return layered(dladmmPlanOf(options as DladmmOptions));
  if (solver === 'inversion-admm') return layered(inversionPlanOf(options as InversionOptions));
  if (solver === 'sigmoid-admm') return constraints(sigmoidPlanOf(options as SigmoidOptions));
  if (solver === 'minibatch-admm') return minibatch(minibatchPlanOf(options as MinibatchOptions));
  return gradient(gradientPlanOf(options as GradientOptions));
}

const layered = (plan: CommonPlan<IterationRecord> & LayeredPlan): Plan<IterationRecord> => ({
  ...plan,
  needsTrainLoss: plan.schedule.needsTrainLoss,
  open: (data, opened, takeUp) => openLayered(plan, data, opened, takeUp),
});

const constraints = (plan: CommonPlan<SigmoidRecord> & ConstraintsPlan): Plan<SigmoidRecord> => ({
  ...plan,
  needsTrainLoss: false,
  open: (data, opened, takeUp) => openConstraints(plan, data, opened, takeUp),
});

const gradient = (plan: CommonPlan<EpochRecord> & GradientPlan): Plan<EpochRecord> => ({
  ...plan,
  needsTrainLoss: false,
  open: (data, opened, takeUp) => openGradient(plan, data, opened, takeUp),
});

const minibatch = (plan: CommonPlan<EpochRecord> & MinibatchPlan): Plan<EpochRecord> => ({
  ...plan,
  needsTrainLoss: false,
  open: (data, opened, takeUp) => openMinibatch(plan, data, opened, takeUp),
});
