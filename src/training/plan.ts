import { checkObject } from '../core/checks.js';
import { GraphModel } from '../model/graph-model.js';
import { Model } from '../model/model.js';
import type { Initialisation, Parameters } from '../network/initialisation.js';
import type { Learnt } from '../samples/arrival.js';
import { type GraphSamples, graphSamplesOf } from '../samples/graph-samples.js';
import { GRAPH_SOLVERS, SAMPLE_SOLVERS } from '../solvers/index.js';
import { type AnySolver, type Begun, chosenSolver, completePlan, type Problem } from '../solvers/shared/descriptor.js';
import type { AnySamples, Engine, TakeUp } from '../solvers/shared/engine.js';
import { startOn } from '../solvers/shared/going-on.js';
import type { LabelledSamples } from '../solvers/shared/layered-state.js';
import type { CommonPlan } from '../solvers/shared/options.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import type { RunningSchedule } from '../solvers/shared/schedule.js';

/** Options checked and completed, and how to open the engine that they ask for. */
export interface Plan<R extends ProgressRecord, D = LabelledSamples, M = Model> extends CommonPlan<R> {
  readonly solver: AnySolver;
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

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function planOf<R extends ProgressRecord>(options: object): Plan<R> {
  const { solver, plan } = chosen<R>(options, 'samples');
  return {
    ...plan,
    solver,
    open: (data, opened, takeUp, learnt) => {
      const initialisation = startOn(plan.initialisation as Initialisation, learnt);
      return solver.splitting.open({ ...plan, initialisation } as never, data as never, opened as never, takeUp);
    },
    modelOf: (parameters, learnt) => new Model({ ...plan, ...learnt, ...parameters }),
  };
}

/** As {@link planOf}, of a training on a graph. */
export function graphPlanOf<R extends ProgressRecord>(options: object): Plan<R, GraphSamples, GraphModel> {
  const { solver, plan } = chosen<R>(options, 'graph');
  return {
    ...plan,
    solver,
    open: async (data, opened) => {
      const graph = graphSamplesOf(plan.network, plan.dtype, data, 'data');
      return solver.splitting.open(plan as never, graph as never, opened as never);
    },
    modelOf: ({ weights }) => new GraphModel({ ...plan, weights }),
  };
}

function chosen<R extends ProgressRecord>(options: object, data: Problem) {
  checkObject(options, 'an object', 'options');
  const asked = 'solver' in options ? options.solver : undefined;
  const solver = chosenSolver(asked, [...SAMPLE_SOLVERS, ...GRAPH_SOLVERS], data);
  const { schedule, ...plan } = completePlan(solver, options) as Begun &
    CommonPlan<R> & { readonly schedule?: RunningSchedule };
  const needsTrainLoss = schedule?.needsTrainLoss ?? false;
  return { solver, plan: { ...plan, ...(schedule && { schedule }), needsTrainLoss } };
}
