import { type NativeNetworkOptions, type NativeTrainedGraphNetwork, native } from '../core/native.js';
import { zeros } from '../core/numbers.js';
import type { Loss } from '../network/network.js';
import {
  checkedGraph,
  type GraphLike,
  type GraphSamples,
  labelledNodes,
  type NodesLike,
  nodeIndex,
  nodeNumbers,
  standardisedFeatures,
} from '../samples/graph-samples.js';
import { type Answer, answerOf, type EvaluationOf, type Prediction } from './answer.js';
import { loadModelFile } from './model-file.js';
import type { GraphModelParts } from './parts.js';
import { TrainedNetwork } from './trained.js';

/**
 * A trained graph convolutional network, Z_l = f_l(Ã Z_{l−1} W_l): predict, evaluate, save. It goes with any graph whose
 * nodes have as many features; that of the training is handed in like any other. Work runs off the event loop.
 */
export class GraphModel<L extends Loss = Loss> extends TrainedNetwork<'gcn', NativeTrainedGraphNetwork, L> {
  /**
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_DETACHED
   */
  constructor(parts: GraphModelParts<L>) {
    super('gcn', parts);
  }

  /**
   * Reads a model file, checking every byte.
   *
   * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT
   */
  static async load(path: string | URL): Promise<GraphModel> {
    return new GraphModel(await loadModelFile(path, 'gcn'));
  }

  /**
   * What the network says of nodes of a graph, in the order in which they are named; of all nodes where none are. Features
   * are taken as they were given to the training: what was learnt there to standardise them is applied here.
   *
   * @throws DlAdmmError ERR_DLADMM_SHAPE, ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_DETACHED, ERR_DLADMM_CLOSED
   */
  async predict(graph: GraphLike, nodes?: NodesLike): Promise<Prediction<L>> {
    const checked = this.#prepared(graph);
    const chosen = nodes === undefined ? undefined : nodeIndex(nodes, checked.adjacency.rows, 'nodes');
    return (await this.#answer(checked, chosen)).prediction() as Prediction<L>;
  }

  /** What the network says of the chosen nodes, or of all. */
  async #answer(checked: ReturnType<typeof checkedGraph>, chosen: ArrayLike<number> | undefined): Promise<Answer> {
    const all = await this.call(() => this.native.predict(checked));
    const { outputs: columns, dtype } = this;
    const answer = answerOf(this.network, dtype, chosen?.length ?? checked.adjacency.rows, this);
    const some = zeros(dtype, (chosen?.length ?? 0) * columns);
    for (const [i, node] of Array.from(chosen ?? []).entries()) {
      some.set(all.subarray(node * columns, (node + 1) * columns), i * columns);
    }
    answer.put(0, chosen ? some : all);
    return answer;
  }

  /**
   * How good the model is on nodes of a graph, which have labels: as {@link Model.evaluate}.
   *
   * @throws DlAdmmError as {@link predict}, and ERR_DLADMM_LABEL
   */
  async evaluate(
    graph: GraphLike & Pick<GraphSamples, 'labels' | 'classes'>,
    nodes: NodesLike,
  ): Promise<EvaluationOf<L>> {
    const checked = this.#prepared(graph);
    const labels = nodeNumbers(graph, this, this.classCount, checked.adjacency.rows, 'graph.labels');
    const index = labelledNodes(nodes, labels, 'nodes');
    const { loss } = await this.call(() => this.native.evaluate(checked, labels, index));
    const answer = await this.#answer(checked, index);
    return answer.evaluation(
      Int32Array.from(index, (node) => labels[node] as number),
      loss / index.length,
    ) as Promise<EvaluationOf<L>>;
  }

  /** A graph as the network meets it. */
  #prepared(graph: GraphLike): ReturnType<typeof checkedGraph> {
    const { inputs, dtype, standardisation } = this;
    const ready = standardisation
      ? { ...graph, features: standardisedFeatures(graph?.features, standardisation, inputs, dtype, 'graph.features') }
      : graph;
    return checkedGraph(ready, inputs, dtype, 'graph');
  }

  protected open(options: NativeNetworkOptions): NativeTrainedGraphNetwork {
    const handle = new native.TrainedGraphNetwork(options);
    for (const [i, weights] of this.weights.entries()) handle.setLayer(i + 1, weights);
    return handle;
  }
}
