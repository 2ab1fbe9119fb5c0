import type { Engine } from './engine.js';
import { type EvaluatedNodes, GraphGradientState } from './graph-gradient-state.js';
import type { CheckedGraph } from './graph-samples.js';
import { type Initialisation, initialise } from './initialisation.js';
import type { Dtype, Numbers } from './native.js';
import type { Network } from './network.js';
import { seededRandom } from './random.js';
import type { EpochRecord } from './record.js';
import type { GradientMethod } from './solvers/gradient.js';

/** What a training of a graph convolutional network by gradients is. */
export interface GraphGradientPlan {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly seed: number;
  readonly method: GradientMethod;
  readonly dropout: number;
  /** λ of each layer. */
  readonly weightDecay: readonly number[];
  readonly reduction: 'mean' | 'sum';
  readonly initialisation: Initialisation;
}

/** Allocates the state of a plan, copies the graph in and draws the weights. */
export async function openGraphGradient(
  plan: GraphGradientPlan,
  graph: CheckedGraph,
  opened: (engine: Engine<EpochRecord>) => void,
): Promise<void> {
  const { network, dtype, threads, seed, method, dropout, weightDecay, reduction } = plan;
  const state = await GraphGradientState.of(
    { network, dtype, threads, seed, method, dropout, weightDecay, reduction },
    graph,
  );
  opened(engineOf(state));
  const { weights } = await initialise(plan.initialisation, network.layers, dtype, seededRandom(seed));
  for (const [l, values] of weights.entries()) await state.write('W', l + 1, values);
}
