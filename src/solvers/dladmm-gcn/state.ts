import { checkObject, oneOf, whole } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import {
  type Dtype,
  fromNative,
  GRAPH_BLOCK_NUMBER,
  type NativeGraph,
  type NativeGraphMeasures,
  type NativeGraphSweep,
  type Numbers,
  native,
} from '../../core/native.js';
import { checkNumbers } from '../../network/initialisation.js';
import { checkActivation, checkLayers, checkLoss, type Network, nativeActivation } from '../../network/network.js';
import {
  type CheckedGraphSamples,
  type GraphSamples,
  graphSamplesOf,
  labelledNodes,
  type NodesLike,
} from '../../samples/graph-samples.js';
import { checkMemory, metricsOf, TRAINING_SET } from '../../samples/samples.js';
import type { GraphMeasures, GraphUpdateRecord, Metrics } from '../shared/record.js';
import { checkedGraphUpdate, type GraphBlock, type GraphUpdate } from '../shared/sweep.js';

/** What a state is made of, checked. */
export interface GraphStateOptions {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  /** How W_L is minimised over: exactly, or by a quadratic step. `cholesky` needs a hidden layer. */
  readonly outputWeights: 'quadratic' | 'cholesky';
}

/** The penalties of a run, and how the sizes of its steps are found. */
export interface GraphSweepPenalties {
  readonly nu: number;
  readonly rho: number;
  readonly theta0: number;
  readonly tau0: number;
  readonly growth: number;
  readonly search: 'backtracking' | 'exact';
  /** λ_l of Ω_l(W) = (λ_l/2)‖W‖², one a layer. */
  readonly l2: readonly number[];
}

/** What one call of {@link GraphState.run} did. */
export interface GraphSweepResult {
  readonly updates: readonly GraphUpdateRecord[];
  /** How many of them ran. */
  readonly completed: number;
  /** A stop was asked for. */
  readonly stopped: boolean;
  /** The update after the completed ones met a value that is not finite; W is that from before the call. */
  readonly diverged: boolean;
  readonly seconds: number;
  /** Absent after a divergence. */
  readonly measures?: GraphMeasures;
}

const UPDATE_FIELDS = 9;

/**
 * The variables of dlADMM on a graph convolutional network, in native memory: write weights, start, run updates in any
 * order, look at every block. Calls run one after the other, off the event loop.
 *
 * Layer l is kept on the nodes that the loss can see through the layers above it: the training nodes for l = L, in the
 * order of `trainIndex`, and for each layer below these nodes and their neighbours, ascending ({@link nodeCounts} has
 * their numbers). On all other nodes Z_l is free, its minimiser is f(Ã Z_{l−1} W_l) whatever the rest is, and they drop
 * out of the problem.
 *
 * Shapes: W_l n_{l−1} × n_l, Z_l nodes of layer l × n_l, U training nodes × n_L; all row-major.
 */
export class GraphState {
  readonly options: GraphStateOptions;
  /** Training nodes. */
  readonly samples: number;
  /** How many nodes layer 0 … L is kept on. */
  readonly nodeCounts: readonly number[];
  readonly #native: NativeGraph;
  readonly #labels: Int32Array;
  readonly #setSizes: number[] = [];
  #started = false;

  private constructor(
    options: GraphStateOptions,
    nodeCounts: readonly number[],
    handle: NativeGraph,
    graph: CheckedGraphSamples,
  ) {
    this.options = options;
    this.nodeCounts = nodeCounts;
    this.samples = graph.train.length;
    this.#native = handle;
    this.#labels = graph.labels;
  }

  /**
   * Allocates the state and copies the graph in.
   *
   * @throws DlAdmmError ERR_DLADMM_MEMORY before the variables are allocated, if they would not fit; ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED for the graph; ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for it
   * or the options
   */
  static async create(options: GraphStateOptions, graph: GraphSamples, name = 'data'): Promise<GraphState> {
    checkOptions(options);
    return GraphState.of(options, graphSamplesOf(options.network, options.dtype, graph, name));
  }

  /**
   * As {@link create}, for a graph that has been checked.
   *
   * @internal
   */
  static async of(options: GraphStateOptions, graph: CheckedGraphSamples): Promise<GraphState> {
    checkOptions(options);
    const { network, dtype, threads, outputWeights } = options;
    let handle: NativeGraph | undefined;
    try {
      handle = new native.Graph({
        dtype,
        widths: network.layers,
        ...nativeActivation(network.activation),
        loss: network.loss,
        softmax: 'stable',
        threads,
        outputWeights,
        adjacency: graph.adjacency,
        features: graph.features,
        labels: graph.labels,
        training: graph.train,
      });
      const { bytes, nodes } = await handle.prepare();
      checkMemory(bytes, graph.labels.length, network, dtype);
      await handle.allocate();
      return new GraphState(options, nodes, handle, graph);
    } catch (error) {
      handle?.close();
      throw fromNative(error);
    }
  }

  /** Nodes to be evaluated on; answers with the number to give to {@link evaluate}. */
  addEvaluationSet(nodes: NodesLike, name: string): Promise<number> {
    return this.#call(async () => {
      const checked = labelledNodes(nodes, this.#labels, name);
      const set = this.#native.addEvaluationSet(checked);
      this.#setSizes[set] = checked.length;
      return set;
    });
  }

  /** Z by a forward pass from the present W, and U = −∇R(Z_L) or 0. */
  start(dual: 'stationary' | 'zero' = 'stationary'): Promise<void> {
    return this.#call(async () => {
      await this.#native.start(oneOf(dual, ['stationary', 'zero'], 'dual'));
      this.#started = true;
    });
  }

  /** Runs updates in their order, in one hop off the event loop. */
  run(updates: readonly GraphUpdate[], penalties: GraphSweepPenalties): Promise<GraphSweepResult> {
    return this.#call(async () => {
      if (!Array.isArray(updates)) throw expected('an array of updates', 'updates', updates);
      const checked = updates.map((update, i) => checkedGraphUpdate(update, this.#depth, `updates[${i}]`));
      this.#needStart();
      const pairs = Int32Array.from(checked.flatMap(({ block, layer }) => [GRAPH_BLOCK_NUMBER[block], layer]));
      return sweepResult(checked, await this.#native.run(pairs, nativePenalties(penalties)));
    });
  }

  /** Residuals and the augmented Lagrangian as things stand. */
  measure(penalties: GraphSweepPenalties): Promise<GraphMeasures> {
    return this.#call(async () => {
      this.#needStart();
      return toMeasures(await this.#native.measure(nativePenalties(penalties)));
    });
  }

  /** The kept products Ã Z_{l−1} W_l afresh: bounds their drift. */
  refresh(): Promise<void> {
    return this.#call(() => this.#native.refresh());
  }

  /**
   * Seconds that the products of these updates take and nothing else, each the fastest of `repeats`: what a sweep is
   * measured against.
   */
  productSeconds(updates: readonly GraphUpdate[], repeats: number): Promise<number> {
    return this.#call(async () => {
      this.#needStart();
      const pairs = updates.flatMap(({ block, layer }) => [GRAPH_BLOCK_NUMBER[block], layer]);
      return await this.#native.productSeconds(Int32Array.from(pairs), repeats);
    });
  }

  /** Loss and accuracy of the network (not of the split variables) on an evaluation set, or on the training nodes. */
  evaluate(set: number | 'train'): Promise<Metrics> {
    return this.#call(async () => {
      const count = set === 'train' ? this.samples : this.#setSizes[set];
      if (count === undefined) throw expected('the number of an evaluation set', 'set', set);
      const found = await this.#native.evaluate(set === 'train' ? TRAINING_SET : set);
      return metricsOf(this.options.network, found, count);
    });
  }

  /** A copy of a block, row-major. */
  read(block: GraphBlock, layer: number): Promise<Numbers> {
    return this.#call(async () => {
      checkedGraphUpdate({ block, layer }, this.#depth, 'block and layer');
      if (block !== 'W') this.#needStart();
      return await this.#native.read(GRAPH_BLOCK_NUMBER[block], layer);
    });
  }

  /** Replaces a block; products that depend on it are found afresh at the next run. */
  write(block: GraphBlock, layer: number, values: Numbers): Promise<void> {
    return this.#call(async () => {
      checkedGraphUpdate({ block, layer }, this.#depth, 'block and layer');
      checkNumbers(values, this.#sizeOf(block, layer), this.options.dtype, 'values');
      await this.#native.write(GRAPH_BLOCK_NUMBER[block], layer, values);
    });
  }

  /** Ends the run at work between two updates. */
  stop(): void {
    this.#native.stop();
  }

  /** Ends the thread and gives the memory back. Everything but `close` fails afterwards. */
  close(): void {
    this.#started = true; // a closed state says that it is closed
    this.#native.close();
  }

  /** As `close`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  get #depth(): number {
    return this.options.network.layers.length - 1;
  }

  #sizeOf(block: GraphBlock, layer: number): number {
    const { layers } = this.options.network;
    const rows = block === 'W' ? layers[layer - 1] : this.nodeCounts[layer];
    return (rows ?? 0) * (layers[layer] ?? 0);
  }

  /** Before start() Z and U are nothing that could be looked at. */
  #needStart(): void {
    if (!this.#started)
      throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected start() before this call but it has not run');
  }

  async #call<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      throw fromNative(error);
    }
  }
}

function checkOptions(options: GraphStateOptions): void {
  checkObject(options, '{ network, dtype, threads, outputWeights }', 'options');
  const { network, dtype, threads, outputWeights } = options;
  checkObject(network, '{ layers, activation, loss }', 'options.network');
  checkLayers(network.layers);
  checkActivation(network.activation);
  checkLoss(network.loss);
  oneOf(dtype, ['float32', 'float64'], 'options.dtype');
  whole(threads, 1, 64, 'options.threads');
  oneOf(outputWeights, ['quadratic', 'cholesky'], 'options.outputWeights');
  if (outputWeights === 'cholesky' && network.layers.length < 3) {
    throw expected("'quadratic' (an exact W_L needs a hidden layer)", 'options.outputWeights', outputWeights);
  }
}

function nativePenalties(penalties: GraphSweepPenalties) {
  checkObject(penalties, '{ nu, rho, l2, … }', 'penalties');
  const { l2 } = penalties;
  if (!Array.isArray(l2)) throw expected('an array of numbers, one a layer,', 'penalties.l2', l2);
  return { ...penalties, l2: Float64Array.from(l2) };
}

function sweepResult(updates: readonly GraphUpdate[], sweep: NativeGraphSweep): GraphSweepResult {
  return {
    updates: updates
      .slice(0, sweep.completed)
      .map((update, i) => updateRecord(update, sweep.updates.subarray(i * UPDATE_FIELDS, (i + 1) * UPDATE_FIELDS))),
    completed: sweep.completed,
    stopped: sweep.stopped,
    diverged: sweep.diverged,
    seconds: sweep.seconds,
    ...(sweep.measures && { measures: toMeasures(sweep.measures) }),
  };
}

function updateRecord({ block, layer }: GraphUpdate, fields: Float64Array): GraphUpdateRecord {
  const [
    size = 0,
    kappa = 0,
    stepNorm = 0,
    trials = -1,
    kept = 0,
    steps = -1,
    stationarity = 0,
    ridge = 0,
    seconds = 0,
  ] = fields;
  return {
    block,
    layer,
    seconds,
    ...(Number.isNaN(size) ? {} : { size }),
    ...(Number.isNaN(kappa) ? {} : { kappa }),
    ...(Number.isNaN(stepNorm) ? {} : { stepNorm }),
    ...(trials < 0 ? {} : { trials }),
    ...(kept === 0 ? {} : { kept: true as const }),
    ...(steps < 0 ? {} : { steps }),
    ...(Number.isNaN(stationarity) ? {} : { stationarity }),
    ...(Number.isNaN(ridge) ? {} : { ridge }),
  };
}

function toMeasures(m: NativeGraphMeasures): GraphMeasures {
  return {
    lagrangian: m.lagrangian,
    loss: m.loss,
    regularisation: m.regularisation,
    residuals: [...m.residual],
    dualNorm: m.dualNorm,
    dualProduct: m.dualProduct,
    dualIdentity: m.dualIdentity,
  };
}
