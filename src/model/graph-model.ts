import { DlAdmmError } from '../core/errors.js';
import { availableThreads } from '../core/info.js';
import { type Dtype, fromNative, type NativeTrainedGraphNetwork, type Numbers, native } from '../core/native.js';
import type { Metrics } from '../network/metrics.js';
import { classCount, type Network, nativeActivation } from '../network/network.js';
import {
  checkedGraph,
  type GraphLike,
  type GraphSamples,
  labelledNodes,
  type NodesLike,
  nodeIndex,
  nodeLabels,
} from '../samples/graph-samples.js';

import type { Matrix } from '../tensor/matrix.js';
import type { Prediction } from './model.js';
import { loadModelFile, type Note, saveModel } from './model-file.js';
import { checkParts, type GraphModelParts } from './parts.js';

/**
 * A trained graph convolutional network, Z_l = f_l(Ã Z_{l−1} W_l): predict, evaluate, save. It goes with any graph whose
 * nodes have as many features; that of the training is handed in like any other. Work runs off the event loop.
 */
export class GraphModel {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly weights: readonly Numbers[];
  readonly classes?: readonly string[];
  readonly #threads: number;
  #native: NativeTrainedGraphNetwork | undefined;
  #closed = false;

  /**
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_DETACHED
   */
  constructor(parts: GraphModelParts) {
    checkParts(parts, 'gcn');
    this.network = parts.network;
    this.dtype = parts.dtype;
    this.weights = parts.weights;
    if (parts.classes !== undefined) this.classes = parts.classes;
    this.#threads = parts.threads ?? availableThreads();
  }

  /**
   * Reads a model file, checking every byte.
   *
   * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT
   */
  static async load(path: string): Promise<GraphModel> {
    return new GraphModel(await loadModelFile(path, 'gcn'));
  }

  /**
   * Writes the model as safetensors, atomically: a reader sees the old file or the new one.
   *
   * @throws DlAdmmError ERR_DLADMM_FILE
   */
  async save(path: string, note?: Note): Promise<void> {
    await saveModel(path, { ...this, kind: 'gcn', ...(note && { note }) });
  }

  /**
   * What the network says of nodes of a graph, in the order in which they are named; of all nodes where none are.
   *
   * @throws DlAdmmError ERR_DLADMM_SHAPE, ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_DETACHED, ERR_DLADMM_CLOSED
   */
  async predict(graph: GraphLike, nodes?: NodesLike): Promise<Prediction> {
    const checked = checkedGraph(graph, this.network.layers[0] ?? 0, this.dtype, 'graph');
    const chosen = nodes === undefined ? undefined : nodeIndex(nodes, checked.adjacency.rows, 'nodes');
    const all = await this.#outputs(checked);
    const outputs = chosen === undefined ? all : rowsOf(all, chosen);
    const { loss } = this.network;
    const labels = classCount(loss, outputs.columns) === outputs.columns ? largest(outputs) : aboveHalf(outputs);
    // The other losses give scores, not probabilities.
    if (loss !== 'softmax-cross-entropy') return { outputs, labels };
    return { outputs, labels, probabilities: { ...outputs, data: softmax(outputs) } };
  }

  /**
   * Loss (averaged over the nodes) and accuracy on nodes of a graph, which have labels.
   *
   * @throws DlAdmmError as {@link predict}, and ERR_DLADMM_LABEL
   */
  async evaluate(graph: GraphLike & Pick<GraphSamples, 'labels'>, nodes: NodesLike): Promise<Metrics> {
    const checked = checkedGraph(graph, this.network.layers[0] ?? 0, this.dtype, 'graph');
    const outputs = this.network.layers.at(-1) ?? 0;
    const classes = classCount(this.network.loss, outputs);
    const labels = nodeLabels(graph.labels, checked.adjacency.rows, classes, 'graph.labels');
    const index = labelledNodes(nodes, labels, 'nodes');
    const found = await this.#call(() => this.#handle.evaluate(checked, labels, index));
    return { loss: found.loss / index.length, accuracy: found.correct / index.length };
  }

  /** Gives the native memory and the thread back; the weights stay readable. */
  close(): void {
    this.#closed = true;
    this.#native?.close();
    this.#native = undefined;
  }

  /** As `close`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #outputs(graph: ReturnType<typeof checkedGraph>): Promise<Matrix> {
    const data = await this.#call(() => this.#handle.predict(graph));
    return { data, rows: graph.adjacency.rows, columns: this.network.layers.at(-1) ?? 0 };
  }

  async #call<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      throw fromNative(error);
    }
  }

  /** The native copy of the weights, made when it is first needed. */
  get #handle(): NativeTrainedGraphNetwork {
    if (this.#closed) throw new DlAdmmError('ERR_DLADMM_CLOSED', 'This model has been closed');
    this.#native ??= this.#open();
    return this.#native;
  }

  #open(): NativeTrainedGraphNetwork {
    const { layers, activation, loss } = this.network;
    const handle = new native.TrainedGraphNetwork({
      dtype: this.dtype,
      widths: layers,
      ...nativeActivation(activation),
      loss,
      softmax: 'stable',
      threads: this.#threads,
    });
    for (const [i, weights] of this.weights.entries()) handle.setLayer(i + 1, weights);
    return handle;
  }
}

function rowsOf({ data, columns }: Matrix, nodes: Int32Array): Matrix {
  const out =
    data instanceof Float32Array ? new Float32Array(nodes.length * columns) : new Float64Array(nodes.length * columns);
  for (const [i, node] of nodes.entries()) out.set(data.subarray(node * columns, (node + 1) * columns), i * columns);
  return { data: out, rows: nodes.length, columns };
}

function largest({ data, rows, columns }: Matrix): Int32Array {
  const labels = new Int32Array(rows);
  for (let i = 0; i < rows; i += 1) {
    let best = 0;
    for (let j = 1; j < columns; j += 1) {
      if ((data[i * columns + j] ?? 0) > (data[i * columns + best] ?? 0)) best = j;
    }
    labels[i] = best;
  }
  return labels;
}

/** The class of each row of a network with one output for two classes, whose targets are 1 and 0. */
const aboveHalf = ({ data }: Matrix): Int32Array => Int32Array.from(data, (value) => (value > 0.5 ? 1 : 0));

function softmax({ data, rows, columns }: Matrix): Numbers {
  const out = data.slice();
  for (let i = 0; i < rows; i += 1) {
    const row = out.subarray(i * columns, (i + 1) * columns);
    let top = Number.NEGATIVE_INFINITY;
    for (const value of row) top = Math.max(top, value);
    let sum = 0;
    for (let j = 0; j < columns; j += 1) {
      const e = Math.exp((row[j] ?? 0) - top);
      row[j] = e;
      sum += e;
    }
    for (let j = 0; j < columns; j += 1) row[j] = (row[j] ?? 0) / sum;
  }
  return out;
}
