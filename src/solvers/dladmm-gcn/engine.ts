import type { Dtype, Numbers } from '../../core/native.js';
import { seededRandom } from '../../core/random.js';
import { drawGraphWeights, type GraphInitialisation } from '../../network/graph-initialisation.js';
import type { Network } from '../../network/network.js';
import type { CheckedGraphSamples, NodesLike } from '../../samples/graph-samples.js';
import type { Engine } from '../shared/engine.js';
import type { Penalties } from '../shared/penalties.js';
import type { GraphRecord } from '../shared/record.js';
import type { RunningSchedule } from '../shared/schedule.js';
import type { GraphBlock, GraphUpdate } from '../shared/sweep.js';
import { GraphState, type GraphSweepPenalties } from './state.js';

/** What dlADMM on a graph convolutional network is: a sweep, penalties and their schedule, a start. */
export interface GraphPlan {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly seed: number;
  readonly updates: readonly GraphUpdate[];
  readonly outputWeights: 'quadratic' | 'cholesky';
  /** The penalties of the first iteration. */
  readonly penalties: Penalties;
  readonly schedule: RunningSchedule;
  readonly settings: Omit<GraphSweepPenalties, keyof Penalties>;
  readonly initialisation: GraphInitialisation;
  readonly dual: 'stationary' | 'zero';
  /** Iterations between fresh products; 0 for never. */
  readonly refreshEvery: number;
}

/** Allocates the state of a plan, copies the graph in, draws the weights and starts the variables. */
export async function openGraph(
  plan: GraphPlan,
  graph: CheckedGraphSamples,
  opened: (engine: Engine<GraphRecord, NodesLike>) => void,
): Promise<void> {
  const { network, dtype, threads, outputWeights } = plan;
  const state = await GraphState.of({ network, dtype, threads, outputWeights }, graph);
  opened(engineOf(plan, state));
  const weights = await drawGraphWeights(plan.initialisation, network.layers, dtype, seededRandom(plan.seed));
  for (const [i, values] of weights.entries()) await state.write('W', i + 1, values);
  await state.start(plan.dual);
}

function engineOf(plan: GraphPlan, state: GraphState): Engine<GraphRecord, NodesLike> {
  let { penalties } = plan;
  return {
    samples: state.samples,
    addEvaluationSet: (nodes, name) => state.addEvaluationSet(nodes, `data.${name}Index`),
    async advance(iteration) {
      const sweep = await state.run(plan.updates, { ...plan.settings, ...penalties });
      if (sweep.stopped) return { kind: 'stopped' };
      if (sweep.diverged || sweep.measures === undefined) {
        return { kind: 'diverged', update: plan.updates[sweep.completed] ?? (plan.updates.at(-1) as GraphUpdate) };
      }
      if (plan.refreshEvery > 0 && iteration % plan.refreshEvery === 0) await state.refresh();
      return {
        kind: 'done',
        progress: { ...sweep.measures, penalties, updates: sweep.updates, seconds: sweep.seconds },
      };
    },
    learn(record) {
      penalties = plan.schedule.next(penalties, record);
    },
    evaluate: (set) => state.evaluate(set),
    async parameters() {
      const weights: Numbers[] = [];
      for (let l = 1; l < plan.network.layers.length; l += 1) weights.push(await state.read('W', l));
      return { weights, biases: [] };
    },
    // The state says no to blocks that it does not have.
    read: (block, layer) => state.read(block as GraphBlock, layer),
    stop: () => state.stop(),
    close: () => state.close(),
  };
}
