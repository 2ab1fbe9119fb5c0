import { atLeast, checkKeys, checkObject, oneOf } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import { type NativeGraphMeasures, native } from '../../core/native.js';
import type { GraphInitialisation } from '../../network/graph-initialisation.js';
import { byLayer } from '../../network/schema.js';
import type { GraphSamples, NodesLike } from '../../samples/graph-samples.js';
import { sweepCourse, type UpdateChanges } from '../shared/course.js';
import { checkPenalties, type Penalties, type RunningSchedule } from '../shared/penalties.js';
import { graph } from '../shared/problem.js';
import type { ProgressRecord, SweepMeasures } from '../shared/record.js';
import { openNative, type SessionOptions } from '../shared/session.js';
import { ON_GRAPHS, type Splitting } from '../shared/splitting.js';
import {
  type Blocks,
  bySample,
  type GraphBlock,
  graphWeights,
  listUpdates,
  type Sweep,
  type Update,
} from '../shared/sweep.js';
import { SweepSession, type SweepTypes } from '../shared/sweep-session.js';

/** What a session of dlADMM on a graph convolutional network is made of. */
export interface GraphSessionOptions extends SessionOptions {
  /** How W_L is minimised over: exactly, or by a quadratic step. `cholesky` needs a hidden layer. */
  readonly outputWeights: 'quadratic' | 'cholesky';
}

/** The penalties of a run, and how the sizes of its steps are found. */
export interface GraphSweepPenalties extends Penalties {
  readonly growth: number;
  readonly search: 'backtracking' | 'exact';
  /** λ of Ω_l(W) = (λ/2)‖W‖², one a layer or one for all. */
  readonly l2: number | readonly number[];
}

/** Where U begins: −∇R(Z_L), or 0. */
export interface GraphStart {
  readonly dual: 'stationary' | 'zero';
}

/** Where the split variables stand. Norms are squared and summed over the nodes. */
export interface GraphMeasures extends SweepMeasures {
  /** ‖Z_l − f_l(Ã Z_{l−1} W_l)‖² for l = 1 … L, without f for l = L; over the nodes that the loss can see. */
  readonly residuals: readonly number[];
  /** ‖U‖². */
  readonly dualNorm: number;
  /** ⟨U, Z_L − Ã Z_{L−1} W_L⟩. */
  readonly dualProduct: number;
  /** The largest |∇R(Z_L) + U| of any entry: zero after an exact Z_L and the dual step. */
  readonly dualIdentity: number;
}

/** What one update did. Fields that do not apply to its block are absent. */
export interface GraphUpdateRecord extends Update<GraphBlock>, UpdateChanges {
  /** The accepted θ (W) or τ (Z); where none was, the last one tried. */
  readonly size?: number;
  /** κ, the smallest size that passes, where the subproblem is quadratic. */
  readonly kappa?: number;
  /** ‖Δ‖², the squared length of the step. */
  readonly stepNorm?: number;
  /** How many sizes were tried. */
  readonly trials?: number;
  /** No size passed, as happens at a kink of the activation: the block is what it was. */
  readonly kept?: true;
  /** Z_L: Newton steps, the most that any node took. */
  readonly steps?: number;
  /** Z_L: the largest |∇R(Z) + U + ρ(Z − P)| of any entry as the solver ended, in float64. */
  readonly stationarity?: number;
  /** W_L by Cholesky: ε, what was added to the diagonal so that the matrix could be factored. */
  readonly ridge?: number;
  /** Wall-clock seconds. */
  readonly seconds: number;
}

/** What one sweep over a graph convolutional network did. */
export interface GraphRecord extends GraphMeasures, ProgressRecord {
  /** The penalties that this iteration used. */
  readonly penalties: Penalties;
  readonly updates: readonly GraphUpdateRecord[];
}

export interface GraphTypes extends SweepTypes {
  readonly options: GraphSessionOptions;
  readonly block: GraphBlock;
  readonly set: NodesLike;
  readonly start: GraphStart;
  readonly penalties: GraphSweepPenalties;
  readonly update: GraphUpdateRecord;
  readonly measures: GraphMeasures;
}

/**
 * The variables of dlADMM on a graph convolutional network: W_l n_{l−1} × n_l, Z_l nodes of layer l × n_l, U training nodes × n_L.
 * Start with Z by a forward pass from the present W, then run updates in any order.
 *
 * Layer l is kept on the nodes that the loss can see through the layers above it: the training nodes for l = L, in the
 * order of `trainIndex`, and for each layer below these nodes and their neighbours, ascending (`rows` has their numbers). On
 * all other nodes Z_l is free, its minimiser is f(Ã Z_{l−1} W_l) whatever the rest is, and they drop out of the problem.
 */
export type GraphSession = SweepSession<GraphTypes>;

/** What dlADMM on a graph convolutional network is: a sweep, penalties and their schedule, a start. */
export interface GraphPlan {
  readonly updates: readonly Update<GraphBlock>[];
  readonly outputWeights: 'quadratic' | 'cholesky';
  /** The penalties of the first iteration. */
  readonly penalties: Penalties;
  readonly schedule: RunningSchedule<Penalties, GraphRecord>;
  readonly settings: Omit<GraphSweepPenalties, keyof Penalties>;
  readonly initialisation: GraphInitialisation;
  readonly dual: 'stationary' | 'zero';
  /** Iterations between fresh products; 0 for never. */
  readonly refreshEvery: number;
}

const BLOCKS: Blocks<GraphBlock> = {
  W: { number: 0, shape: graphWeights },
  Z: { number: 1, shape: bySample },
  U: { number: 2, shape: bySample, layers: 'last' },
};

/** The updates of a sweep, checked. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export const listGraphUpdates = (sweep: Sweep<GraphBlock>, L: number): readonly Update<GraphBlock>[] =>
  listUpdates(BLOCKS, sweep, L);

function check({ network, outputWeights }: GraphSessionOptions): void {
  oneOf(outputWeights, ['quadratic', 'cholesky'], 'options.outputWeights');
  if (outputWeights === 'cholesky' && network.layers.length < 3) {
    throw expected("'quadratic' (an exact W_L needs a hidden layer)", 'options.outputWeights', outputWeights);
  }
}

/** dlADMM on graph convolutional networks: W, Z after the activation, and U on the output constraint. */
export const graphLayered: Splitting<
  GraphSessionOptions,
  GraphSamples,
  GraphSession,
  GraphPlan,
  GraphRecord,
  typeof ON_GRAPHS
> = {
  name: 'graph',
  ...ON_GRAPHS,
  async open(options, data, name = 'data') {
    const opening = {
      problem: graph,
      blocks: BLOCKS,
      State: () => native.Graph,
      keys: ['outputWeights'],
      check,
      setup: ({ outputWeights }: GraphSessionOptions) => ({ outputWeights }),
    };
    return new SweepSession<GraphTypes>(await openNative(opening, options, data, name), {
      blocks: BLOCKS,
      start(how) {
        checkObject(how, '{ dual }', 'start');
        checkKeys(how, ['dual'], 'start');
        return oneOf(how.dual, ['stationary', 'zero'], 'start.dual');
      },
      penaltyKeys: ['nu', 'rho', 'theta0', 'tau0', 'growth', 'search', 'l2'],
      penalties: ({ l2, ...penalties }, { network }) => ({
        ...checkPenalties(penalties, 'penalties.'),
        l2: Float64Array.from(byLayer(l2, network.layers.length - 1, 'l2', (value, name) => atLeast(value, 0, name))),
      }),
      measures: ({ residual, ...rest }: NativeGraphMeasures) => ({ ...rest, residuals: [...residual] }),
    });
  },
  async course(plan, data: GraphSamples) {
    const { network, dtype, threads, outputWeights, updates, settings, penalties: first, schedule, dual } = plan;
    const again = () => graphLayered.open({ network, dtype, threads, outputWeights }, data);
    return sweepCourse<GraphTypes, Penalties, GraphRecord>(await again(), {
      again,
      updatesOf: () => updates,
      start: { dual },
      varying: { first, check: checkPenalties, schedule },
      penalties: (now = first) => ({ ...settings, ...now }),
      refreshEvery: plan.refreshEvery,
    });
  },
};
