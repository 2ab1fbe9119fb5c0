import { atLeast, checkObject, fraction, given, oneOf, whole } from '../../../core/checks.js';
import { expected } from '../../../core/errors.js';
import { native } from '../../../core/native.js';
import type { GraphInitialisation } from '../../../network/graph-initialisation.js';
import { byLayer } from '../../../network/schema.js';
import type { GraphSamples, NodesLike } from '../../../samples/graph-samples.js';
import { stepCourse } from '../course.js';
import { type GradientMethod, type Method, methodOf } from '../methods.js';

import { graph } from '../problem.js';
import type { EpochRecord } from '../record.js';
import { openNative, type SessionOptions } from '../session.js';
import { EPOCHS_ON_GRAPHS, type Splitting } from '../splitting.js';
import { StepSession, type StepTypes } from '../step-session.js';
import { type Blocks, graphWeights } from '../sweep.js';

/** What a training of a graph convolutional network by gradients is made of. */
export interface GraphGradientSessionOptions extends SessionOptions {
  /** Without a weight decay, which is a thing of the layers here. */
  readonly method: GradientMethod;
  /** The share of what goes into each layer that a step leaves out, from 0 to below 1; 0 if absent. */
  readonly dropout?: number;
  /** λ of g ← g + λ w, one number for all layers or one each; 0 if absent. */
  readonly l2?: number | readonly number[];
  /** F is the mean of the loss over the training nodes, or the sum; 'mean' if absent. */
  readonly reduction?: 'mean' | 'sum';
  /** Of dropout, and of which nodes come into which sub-batch; 1 if absent. */
  readonly seed?: number;
}

export interface GraphGradientTypes extends StepTypes {
  readonly options: GraphGradientSessionOptions;
  readonly block: 'W';
  readonly set: NodesLike;
}

/**
 * A graph convolutional network (Kipf and Welling 2017) under training by gradients: every step sees all nodes, and the loss
 * is that of the training nodes. Z_l = Ã D(H_{l−1}) W_l with D dropout, H_l = f(Z_l), H_0 the features; Ã is the adjacency
 * with self-loops, normalised from both sides. W_l is n_{l−1} × n_l; there are no biases.
 */
export type GraphGradientSession = StepSession<GraphGradientTypes>;

/** What a training of a graph convolutional network by gradients is. */
export interface GraphGradientPlan {
  readonly method: GradientMethod;
  readonly dropout: number;
  /** λ of each layer. */
  readonly l2: readonly number[];
  readonly reduction: 'mean' | 'sum';
  readonly initialisation: GraphInitialisation;
}

const BLOCKS: Blocks<'W'> = { W: { number: 0, shape: graphWeights } };

/**
 * A method that goes with a graph.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
function graphMethodOf(method: GradientMethod, prefix = ''): Method {
  if (method.l2 !== undefined) {
    throw expected('no weight decay of its own, as every layer has one,', `${prefix}l2`, method.l2);
  }
  const found = methodOf(method, prefix);
  if (found.optimiser.method !== 'schedule-free' && found.optimiser.method !== 'muon') return found;
  throw expected('a method that trains on graphs', `${prefix}solver`, method.solver);
}

/** λ of every layer. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE */
const l2Of = (l2: unknown, layers: readonly number[], name: string): readonly number[] =>
  byLayer(l2, layers.length - 1, name, (value, called) => atLeast(value, 0, called));

function checkedMethod(method: GradientMethod): Method {
  checkObject(method, "{ solver: 'adam', … }", 'options.method');
  return graphMethodOf(method, 'options.method.');
}

function check({ network, method, dropout, l2, reduction, seed }: GraphGradientSessionOptions): void {
  fraction(given(dropout, 0), 'options.dropout');
  l2Of(given(l2, 0), network.layers, 'options.l2');
  oneOf(given(reduction, 'mean'), ['mean', 'sum'], 'options.reduction');
  whole(given(seed, 1), 0, 2 ** 32 - 1, 'options.seed');
  checkedMethod(method);
}

const setup = ({ network, method, dropout, l2, reduction, seed }: GraphGradientSessionOptions) => ({
  reduction: given(reduction, 'mean'),
  dropout: given(dropout, 0),
  seed: given(seed, 1),
  weightDecay: Float64Array.from(l2Of(given(l2, 0), network.layers, 'options.l2')),
  optimiser: checkedMethod(method).optimiser,
});

/** Gradient methods on graph convolutional networks. */
export const graphGradients: Splitting<
  GraphGradientSessionOptions,
  GraphSamples,
  GraphGradientSession,
  GraphGradientPlan,
  EpochRecord,
  typeof EPOCHS_ON_GRAPHS
> = {
  name: 'graph-gradient',
  ...EPOCHS_ON_GRAPHS,
  async open(options, data, name = 'data') {
    const keys = ['method', 'dropout', 'l2', 'reduction', 'seed'];
    const opening = {
      problem: graph,
      blocks: BLOCKS,
      State: () => native.GraphGradientTrainer,
      keys,
      check,
      setup,
    };
    return new StepSession<GraphGradientTypes>(await openNative(opening, options, data, name), {
      stepsPerEpoch: () => 1,
      learningRate: ({ method }) => checkedMethod(method).learningRate,
    });
  },
  async course({ network, dtype, threads, seed, method, dropout, l2, reduction }, data: GraphSamples) {
    return stepCourse(
      await graphGradients.open({ network, dtype, threads, seed, method, dropout, l2, reduction }, data),
    );
  },
};
