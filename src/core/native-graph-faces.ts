/** The classes of the C++ addon that learn from graphs, and predict on them. */
import type {
  NativeEvaluation,
  NativeGraphMeasures,
  NativeNetworkOptions,
  NativeOptimiser,
  NativePersistent,
  NativeSearch,
  NativeStepping,
  NativeSweeps,
  Numbers,
} from './native-faces.js';

/** What the native states of the splittings on graphs offer. Set −1 is the graph with its training nodes. */
export interface NativeGraphState extends NativePersistent {
  /** Comes first: how many bytes `allocate` will take, and how many nodes each layer 0 … L is kept on. */
  prepare(): Promise<{ readonly bytes: number; readonly nodes: readonly number[] }>;
  /** Comes second. */
  allocate(): Promise<void>;
  /** Nodes that have a class. */
  addEvaluationSet(nodes: Int32Array): number;
}

/** A sparse matrix by rows, or a dense one. */
export interface NativeFeatures {
  readonly rows: number;
  readonly columns: number;
  readonly indptr?: Float64Array;
  readonly indices?: Int32Array;
  readonly values: Numbers;
}

export interface NativeGraphLike {
  /** As it is: it is normalised in `prepare`. */
  readonly adjacency: Required<NativeFeatures>;
  readonly features: NativeFeatures;
}

interface NativeGraphProblem extends NativeNetworkOptions, NativeGraphLike {
  /** −1 for a node without a class. */
  readonly labels: Int32Array;
  readonly training: Int32Array;
}

export interface NativeGraphGradientOptions extends NativeGraphProblem {
  readonly reduction: 'mean' | 'sum';
  readonly dropout: number;
  readonly seed: number;
  /** λ of each layer. */
  readonly weightDecay: Float64Array;
  readonly optimiser: NativeOptimiser;
}

export interface NativeGraphOptions extends NativeGraphProblem {
  readonly outputWeights: 'quadratic' | 'cholesky';
}

export interface NativeGraphPenalties extends NativeSearch {
  /** λ of each layer. */
  readonly l2: Float64Array;
}

export type NativeGraph = NativeGraphState &
  Required<NativeSweeps<'zero' | 'stationary', NativeGraphPenalties, NativeGraphMeasures>>;

export interface NativeTrainedGraphNetwork {
  setLayer(layer: number, weights: Numbers): void;
  predict(graph: NativeGraphLike): Promise<Numbers>;
  evaluate(graph: NativeGraphLike, labels: Int32Array, nodes: Int32Array): Promise<NativeEvaluation>;
  close(): void;
}

/** Its one block is W. */
export type NativeGraphGradientTrainer = NativeGraphState & NativeStepping;
