import { checkKeys, checkObject, fraction, given, oneOf, whole } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import {
  type Dtype,
  fromNative,
  GRAPH_BLOCK_NUMBER,
  type NativeGraphGradientOptions,
  type NativeGraphGradientTrainer,
  type Numbers,
  native,
} from '../../core/native.js';
import { checkNumbers } from '../../network/initialisation.js';
import {
  checkActivation,
  checkLayers,
  checkLoss,
  classifies,
  type Network,
  nativeActivation,
} from '../../network/network.js';
import { type CheckedGraphSamples, type GraphSamples, graphSamplesOf } from '../../samples/graph-samples.js';
import { checkMemory, metricsOf, TRAINING_SET } from '../../samples/samples.js';
import type { StepsResult } from '../gradient/state.js';
import { ratesOf } from '../shared/learning-rate.js';
import { type GradientMethod, type Method, methodOf } from '../shared/methods.js';
import type { Metrics } from '../shared/record.js';
import { numbersOf } from '../shared/schema.js';

/** What a training of a graph convolutional network by gradients is made of. */
export interface GraphGradientStateOptions {
  /** Its loss is one of classes. */
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
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

/** Nodes to evaluate on; each has a class. */
export type EvaluatedNodes = 'train' | 'validation' | 'test';

const KEYS = ['network', 'dtype', 'threads', 'method', 'dropout', 'l2', 'reduction', 'seed'];

/**
 * A graph convolutional network (Kipf and Welling 2017) under training by gradients, in native memory: every step sees all
 * nodes, and the loss is that of the training nodes. Z_l = Ã D(H_{l−1}) W_l with D dropout, H_l = f(Z_l), H_0 the features;
 * Ã is the adjacency with self-loops, normalised from both sides. Calls run one after the other, off the event loop.
 *
 * Shapes: W_l n_{l−1} × n_l, row-major; there are no biases. Weights are zero until they are written.
 */
export class GraphGradientState {
  readonly options: GraphGradientStateOptions;
  /** How many nodes are learnt from. */
  readonly samples: number;
  readonly #method: Method;
  readonly #native: NativeGraphGradientTrainer;
  readonly #parts: { readonly [part in EvaluatedNodes]?: { readonly set: number; readonly count: number } };
  #done = 0;
  #running = false;

  private constructor(
    options: GraphGradientStateOptions,
    method: Method,
    handle: NativeGraphGradientTrainer,
    { train, validation, test }: CheckedGraphSamples,
  ) {
    this.options = options;
    this.samples = train.length;
    this.#method = method;
    this.#native = handle;
    const part = (nodes: Int32Array) => ({ set: handle.addEvaluationSet(nodes), count: nodes.length });
    this.#parts = {
      train: { set: TRAINING_SET, count: train.length },
      ...(validation && { validation: part(validation) }),
      ...(test && { test: part(test) }),
    };
  }

  /**
   * Allocates the state and copies the graph in.
   *
   * @throws DlAdmmError ERR_DLADMM_MEMORY before the variables are allocated, if it would not fit; ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED for the graph; ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE,
   * ERR_DLADMM_SHAPE for the options
   */
  static async create(
    options: GraphGradientStateOptions,
    graph: GraphSamples,
    name = 'data',
  ): Promise<GraphGradientState> {
    checkOptions(options);
    return GraphGradientState.of(options, graphSamplesOf(options.network, options.dtype, graph, name));
  }

  /**
   * As {@link create}, for a graph that has been checked.
   *
   * @internal
   */
  static async of(options: GraphGradientStateOptions, graph: CheckedGraphSamples): Promise<GraphGradientState> {
    const method = checkOptions(options);
    let handle: NativeGraphGradientTrainer | undefined;
    try {
      handle = new native.GraphGradientTrainer(nativeOptions(options, method, graph));
      const { bytes } = await handle.prepare();
      checkMemory(bytes, graph.labels.length, options.network, options.dtype);
      await handle.allocate();
      return new GraphGradientState(options, method, handle, graph);
    } catch (error) {
      handle?.close();
      throw fromNative(error);
    }
  }

  /**
   * `steps` steps, one if absent; in one hop off the event loop.
   *
   * @throws DlAdmmError ERR_DLADMM_RANGE, ERR_DLADMM_ARGUMENT for the number of steps and for what the function of the
   * learning rate gives; ERR_DLADMM_ARGUMENT while another run is at work
   */
  run(steps = 1): Promise<StepsResult> {
    return this.#call(async () => {
      whole(steps, 0, 2 ** 31 - 1, 'steps');
      const rates = ratesOf(this.#method.learningRate, this.#done, steps, 1);
      if (this.#running) throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected one run at a time but one is at work');
      this.#running = true;
      try {
        const ran = await this.#native.run(steps, rates);
        this.#done = ran.diverged ? 0 : this.#done + ran.steps;
        return { ...ran, loss: ran.loss / ran.samples };
      } finally {
        this.#running = false;
      }
    });
  }

  /** The optimiser as new; weights stay. */
  reset(): Promise<void> {
    return this.#call(async () => {
      await this.#native.reset();
      this.#done = 0;
    });
  }

  /**
   * Loss and accuracy of the network, without dropout, on a part of the graph's nodes.
   *
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT where the graph has no such part
   */
  evaluate(part: EvaluatedNodes): Promise<Metrics> {
    return this.#call(async () => {
      const nodes = this.#parts[part];
      if (nodes === undefined) throw expected(`one of ${Object.keys(this.#parts).join(', ')}`, 'part', part);
      return metricsOf(this.options.network, await this.#native.evaluate(nodes.set), nodes.count);
    });
  }

  /** A copy of W_l, row-major. */
  read(block: 'W', layer: number): Promise<Numbers> {
    return this.#call(async () => {
      this.#exists(block, layer);
      return await this.#native.read(GRAPH_BLOCK_NUMBER[block], layer);
    });
  }

  /** Replaces W_l; the optimiser goes on with its state. */
  write(block: 'W', layer: number, values: Numbers): Promise<void> {
    return this.#call(async () => {
      this.#exists(block, layer);
      const { layers } = this.options.network;
      checkNumbers(values, (layers[layer - 1] ?? 0) * (layers[layer] ?? 0), this.options.dtype, 'values');
      await this.#native.write(GRAPH_BLOCK_NUMBER[block], layer, values);
    });
  }

  /** Ends the run at work between two steps. */
  stop(): void {
    this.#native.stop();
  }

  /** Ends the thread and gives the memory back. Everything but `close` fails afterwards. */
  close(): void {
    this.#native.close();
  }

  /** As `close`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  #exists(block: unknown, layer: unknown): void {
    oneOf(block, ['W'], 'block');
    whole(layer, 1, this.options.network.layers.length - 1, 'layer');
  }

  async #call<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      throw fromNative(error);
    }
  }
}

function checkOptions(options: GraphGradientStateOptions): Method {
  checkObject(options, '{ network, dtype, threads, method }', 'options');
  checkKeys(options, KEYS, 'options');
  const { network, dtype, threads } = options;
  checkObject(network, '{ layers, activation, loss }', 'options.network');
  checkLayers(network.layers);
  checkActivation(network.activation);
  checkClassLoss(network.loss, 'options.network.loss');
  oneOf(dtype, ['float32', 'float64'], 'options.dtype');
  whole(threads, 1, 64, 'options.threads');
  fraction(given(options.dropout, 0), 'options.dropout');
  numbersOf(given(options.l2, 0), network.layers.length - 1, { min: 0 }, 'options.l2');
  oneOf(given(options.reduction, 'mean'), ['mean', 'sum'], 'options.reduction');
  whole(given(options.seed, 1), 0, 2 ** 32 - 1, 'options.seed');
  checkObject(options.method, "{ solver: 'adam', … }", 'options.method');
  return graphMethodOf(options.method, 'options.method.');
}

/** A loss that nodes with class labels have. @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkClassLoss(loss: unknown, name = 'loss'): void {
  checkLoss(loss);
  if (!classifies(loss)) throw expected('a loss of classes, as nodes have labels,', name, loss);
}

/**
 * A method that goes with a graph.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function graphMethodOf(options: GradientMethod, prefix = ''): Method {
  if (options.l2 !== undefined) {
    throw expected('no weight decay of its own, as every layer has one,', `${prefix}l2`, options.l2);
  }
  return methodOf(options, prefix);
}

function nativeOptions(
  options: GraphGradientStateOptions,
  { optimiser }: Method,
  { adjacency, features, labels, train }: CheckedGraphSamples,
): NativeGraphGradientOptions {
  const { network, dtype, threads } = options;
  return {
    dtype,
    widths: network.layers,
    ...nativeActivation(network.activation),
    loss: network.loss,
    softmax: 'stable',
    threads,
    reduction: given(options.reduction, 'mean'),
    dropout: given(options.dropout, 0),
    seed: given(options.seed, 1),
    weightDecay: Float64Array.from(
      numbersOf(given(options.l2, 0), network.layers.length - 1, { min: 0 }, 'options.l2'),
    ),
    optimiser,
    adjacency,
    features,
    labels,
    training: train,
  };
}
