import { checkObject, oneOf } from '../core/checks.js';
import { GraphModel } from '../model/graph-model.js';
import { Model } from '../model/model.js';
import type { Initialisation } from '../network/initialisation.js';
import type { Parameters } from '../network/parameters.js';
import type { Learnt } from '../samples/arrival.js';
import { type GraphSamples, graphSamplesOf } from '../samples/graph-samples.js';
import type { LabelledSamples } from '../samples/samples.js';
import { type DladmmOptions, dladmmPlanOf } from '../solvers/dladmm/options.js';
import { openGraph } from '../solvers/dladmm-gcn/engine.js';
import { type DladmmGraphOptions, dladmmGraphPlanOf } from '../solvers/dladmm-gcn/options.js';
import { GRADIENT_SOLVERS } from '../solvers/gradient/algorithm.js';
import { type GradientPlan, openGradient } from '../solvers/gradient/engine.js';
import { type GradientOptions, gradientPlanOf } from '../solvers/gradient/options.js';
import { openGraphGradient } from '../solvers/gradient-gcn/engine.js';
import { type GraphGradientOptions, graphGradientPlanOf } from '../solvers/gradient-gcn/options.js';
import { type InversionOptions, inversionPlanOf } from '../solvers/inversion/options.js';
import { type MinibatchPlan, openMinibatch } from '../solvers/minibatch/engine.js';
import { type MinibatchOptions, minibatchPlanOf } from '../solvers/minibatch/options.js';
import type { AnySamples, Engine, TakeUp } from '../solvers/shared/engine.js';
import { startOn } from '../solvers/shared/going-on.js';
import { type LayeredPlan, openLayered } from '../solvers/shared/layered-engine.js';

import type { CommonPlan } from '../solvers/shared/options.js';
import type {
  EpochRecord,
  GraphRecord,
  IterationRecord,
  ProgressRecord,
  SigmoidRecord,
} from '../solvers/shared/record.js';
import { type ConstraintsPlan, openConstraints } from '../solvers/sigmoid/engine.js';
import { type SigmoidOptions, sigmoidPlanOf } from '../solvers/sigmoid/options.js';

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

/** Options checked and completed, and how to open the engine that they ask for. */
export interface Plan<R extends ProgressRecord, D = LabelledSamples, M = Model> extends CommonPlan<R> {
  /** Whether the solver reads `record.train`, which costs a forward pass over the training set. */
  readonly needsTrainLoss: boolean;
  /**
   * `opened` is called as soon as there is something to stop or to close; `takeUp` fills the state of an earlier training
   * in, where there is one; `learnt` is what the samples have taught.
   */
  readonly open: (
    data: D,
    opened: (engine: Engine<R, AnySamples>) => void,
    takeUp: TakeUp | undefined,
    learnt: Learnt,
  ) => Promise<void>;
  /** The trained network. */
  readonly modelOf: (parameters: Parameters, learnt: Learnt) => M;
}

/** The plan of a training on a graph. */
export type GraphTrainPlan<R extends ProgressRecord> = Plan<R, GraphSamples, GraphModel>;

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

const started = <P extends { readonly initialisation: Initialisation }>(plan: P, learnt: Learnt): P => ({
  ...plan,
  initialisation: startOn(plan.initialisation, learnt),
});

const layered = (plan: CommonPlan<IterationRecord> & LayeredPlan): Plan<IterationRecord> => ({
  ...plan,
  needsTrainLoss: plan.schedule.needsTrainLoss,
  open: (data, opened, takeUp, learnt) => openLayered(started(plan, learnt), data, opened, takeUp),
  modelOf: (parameters, learnt) => new Model({ ...plan, ...learnt, ...parameters }),
});

const constraints = (plan: CommonPlan<SigmoidRecord> & ConstraintsPlan): Plan<SigmoidRecord> => ({
  ...plan,
  needsTrainLoss: false,
  open: (data, opened, takeUp, learnt) => openConstraints(started(plan, learnt), data, opened, takeUp),
  modelOf: (parameters, learnt) => new Model({ ...plan, ...learnt, ...parameters }),
});

const gradient = (plan: CommonPlan<EpochRecord> & GradientPlan): Plan<EpochRecord> => ({
  ...plan,
  needsTrainLoss: false,
  open: (data, opened, takeUp, learnt) => openGradient(started(plan, learnt), data, opened, takeUp),
  modelOf: (parameters, learnt) => new Model({ ...plan, ...learnt, ...parameters }),
});

const minibatch = (plan: CommonPlan<EpochRecord> & MinibatchPlan): Plan<EpochRecord> => ({
  ...plan,
  needsTrainLoss: false,
  open: (data, opened, takeUp, learnt) => openMinibatch(started(plan, learnt), data, opened, takeUp),
  modelOf: (parameters, learnt) => new Model({ ...plan, ...learnt, ...parameters }),
});

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
  if (solver === 'dladmm') return onGraph(dladmmGraphPlanOf(options as DladmmGraphOptions), openGraph);
  return onGraph(graphGradientPlanOf(options as GraphGradientOptions), openGraphGradient);
}

function onGraph<R extends ProgressRecord, P extends CommonPlan<R>>(
  plan: P,
  open: (
    plan: P,
    graph: ReturnType<typeof graphSamplesOf>,
    opened: (engine: Engine<R, AnySamples>) => void,
  ) => Promise<void>,
): GraphTrainPlan<R> {
  return {
    ...plan,
    needsTrainLoss: false,
    open: async (data, opened) => open(plan, graphSamplesOf(plan.network, plan.dtype, data, 'data'), opened),
    modelOf: ({ weights }) => new GraphModel({ ...plan, weights }),
  };
}
