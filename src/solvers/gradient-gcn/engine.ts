import type { Dtype, Numbers } from '../../core/native.js';
import { seededRandom } from '../../core/random.js';
import { drawGraphWeights, type GraphInitialisation } from '../../network/graph-initialisation.js';
import type { Parameters } from '../../network/initialisation.js';
import type { Network } from '../../network/network.js';
import type { CheckedGraphSamples } from '../../samples/graph-samples.js';
import type { Engine } from '../shared/engine.js';
import type { GradientMethod } from '../shared/methods.js';
import type { EpochRecord } from '../shared/record.js';
import { type EvaluatedNodes, GraphGradientState } from './state.js';

/** What a training of a graph convolutional network by gradients is. */
export interface GraphGradientPlan {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly seed: number;
  readonly method: GradientMethod;
  readonly dropout: number;
  /** λ of each layer. */
  readonly l2: readonly number[];
  readonly reduction: 'mean' | 'sum';
  readonly initialisation: GraphInitialisation;
}

/** Allocates the state of a plan, copies the graph in and draws the weights. */
export async function openGraphGradient(
  plan: GraphGradientPlan,
  graph: CheckedGraphSamples,
  opened: (engine: Engine<EpochRecord>) => void,
): Promise<void> {
  const { network, dtype, threads, seed, method, dropout, l2, reduction } = plan;
  const state = await GraphGradientState.of({ network, dtype, threads, seed, method, dropout, l2, reduction }, graph);
  opened(engineOf(state));
  const weights = await drawGraphWeights(plan.initialisation, network.layers, dtype, seededRandom(seed));
  for (const [l, values] of weights.entries()) await state.write('W', l + 1, values);
}

/** The parts of a graph that are evaluated beside the training nodes, by their number. */
const PARTS: readonly EvaluatedNodes[] = ['validation', 'test'];

function engineOf(state: GraphGradientState): Engine<EpochRecord> {
  return {
    samples: state.samples,
    // The graph brings its parts along: their name says which is meant.
    addEvaluationSet: async (_, name) => PARTS.indexOf(name as EvaluatedNodes),
    async advance() {
      const { steps, loss, stopped, diverged, seconds } = await state.run();
      if (stopped) return { kind: 'stopped' };
      if (diverged) return { kind: 'diverged' };
      return { kind: 'done', progress: { steps, loss, seconds } };
    },
    learn: () => undefined,
    evaluate: (set) => state.evaluate(set === 'train' ? set : (PARTS[set] as EvaluatedNodes)),
    parameters: () => readWeights(state),
    // The state itself says which blocks it has.
    read: (block, layer) => state.read(block as 'W', layer),
    stop: () => state.stop(),
    close: () => state.close(),
  };
}

/** A copy of every W_l; there are no biases. */
async function readWeights(state: GraphGradientState): Promise<Parameters> {
  const weights: Numbers[] = [];
  for (let l = 1; l < state.options.network.layers.length; l += 1) weights.push(await state.read('W', l));
  return { weights, biases: [] };
}
