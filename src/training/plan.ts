import { checkObject, oneOf } from '../core/checks.js';
import type { GraphInitialisation } from '../network/graph-initialisation.js';
import type { Initialisation } from '../network/initialisation.js';
import type { GraphSamples } from '../samples/graph-samples.js';
import type { LabelledSamples } from '../samples/samples.js';
import { type DladmmOptions, dladmmPlanOf } from '../solvers/dladmm/options.js';
import { type DladmmGraphOptions, dladmmGraphPlanOf } from '../solvers/dladmm-gcn/options.js';
import { type GraphRecord, graphLayered } from '../solvers/dladmm-gcn/splitting.js';
import { GRADIENT_SOLVERS } from '../solvers/gradient/algorithm.js';
import { type GradientOptions, gradientPlanOf } from '../solvers/gradient/options.js';
import { type GraphGradientOptions, graphGradientPlanOf } from '../solvers/gradient-gcn/options.js';
import { type InversionOptions, inversionPlanOf } from '../solvers/inversion/options.js';
import { type MinibatchOptions, minibatchPlanOf } from '../solvers/minibatch/options.js';
import { minibatches } from '../solvers/minibatch/splitting.js';
import type { Course } from '../solvers/shared/course.js';
import type { CommonPlan } from '../solvers/shared/options.js';
import type { EpochRecord, ProgressRecord } from '../solvers/shared/record.js';
import { gradients } from '../solvers/shared/splittings/gradient.js';
import { graphGradients } from '../solvers/shared/splittings/graph-gradient.js';
import { type IterationRecord, layered } from '../solvers/shared/splittings/layered.js';
import { type SigmoidOptions, sigmoidPlanOf } from '../solvers/sigmoid/options.js';
import { constraints, type SigmoidRecord } from '../solvers/sigmoid/splitting.js';

/** The options of the solvers of the layered splitting. */
export type LayeredOptions = DladmmOptions | InversionOptions;

/** The options of all solvers; `solver` tells them apart, and is dlADMM where it is left out. */
export type TrainOptions = LayeredOptions | SigmoidOptions | GradientOptions | MinibatchOptions;

/** The options of the solvers that train on a graph; `solver` tells them apart, and is dlADMM where it is left out. */
export type GraphTrainOptions = DladmmGraphOptions | GraphGradientOptions;

/** The solvers by name. */
export const SOLVERS: readonly NonNullable<TrainOptions['solver']>[] = [
  'dladmm',
  'inversion-admm',
  'sigmoid-admm',
  'minibatch-admm',
  ...GRADIENT_SOLVERS,
];

/** Options checked and completed, and what they open. */
export interface Plan<R extends ProgressRecord, D = LabelledSamples | GraphSamples> extends CommonPlan<R> {
  /** Whether the solver reads `record.train`, which costs a forward pass over the training set. */
  readonly needsTrainLoss: boolean;
  readonly initialisation: Initialisation | GraphInitialisation;
  /** Allocates the state and copies the data in. */
  open(data: D): Promise<Course<R>>;
}

/** The plan of a training on a graph. */
export type GraphTrainPlan<R extends ProgressRecord> = Plan<R, GraphSamples>;

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
  if (solver === 'dladmm') {
    const plan = dladmmPlanOf(options as DladmmOptions);
    return opened(plan, layered.course, plan.schedule.needsTrainLoss);
  }
  if (solver === 'inversion-admm') return opened(inversionPlanOf(options as InversionOptions), layered.course);
  if (solver === 'sigmoid-admm') return opened(sigmoidPlanOf(options as SigmoidOptions), constraints.course);
  if (solver === 'minibatch-admm') return opened(minibatchPlanOf(options as MinibatchOptions), minibatches.course);
  return opened(gradientPlanOf(options as GradientOptions), gradients.course);
}

function opened<P, R extends ProgressRecord, D>(
  plan: P & CommonPlan<R> & Pick<Plan<R>, 'initialisation'>,
  course: (plan: P & CommonPlan<R>, data: D) => Promise<Course<R>>,
  needsTrainLoss = false,
): Plan<R, D> {
  return { ...plan, needsTrainLoss, open: (data) => course(plan, data) };
}

/** The solvers that train on a graph, by name. */
export const GRAPH_SOLVERS: readonly NonNullable<GraphTrainOptions['solver']>[] = ['dladmm', ...GRADIENT_SOLVERS];

/**
 * Checks every option of a training on a graph once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function graphPlanOf(options: DladmmGraphOptions): GraphTrainPlan<GraphRecord>;
export function graphPlanOf(options: GraphGradientOptions): GraphTrainPlan<EpochRecord>;
export function graphPlanOf(options: GraphTrainOptions): GraphTrainPlan<GraphRecord> | GraphTrainPlan<EpochRecord>;
export function graphPlanOf(options: GraphTrainOptions): GraphTrainPlan<GraphRecord> | GraphTrainPlan<EpochRecord> {
  checkObject(options, 'an object', 'options');
  const solver = oneOf(options.solver ?? 'dladmm', GRAPH_SOLVERS, 'solver');
  if (solver === 'dladmm') return opened(dladmmGraphPlanOf(options as DladmmGraphOptions), graphLayered.course);
  return opened(graphGradientPlanOf(options as GraphGradientOptions), graphGradients.course);
}
