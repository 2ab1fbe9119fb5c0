import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { DlAdmmError, type ErrorCode, messageOf, systemCode } from './errors.js';

/** Numbers that name the blocks on the way to the addon. */
export const BLOCK_NUMBER = { W: 0, b: 1, z: 2, a: 3, u: 4 } as const;

/** The same for graph convolutional networks. */
export const GRAPH_BLOCK_NUMBER = { W: 0, Z: 1, U: 2 } as const;

/** The same for the splitting that keeps all constraints. */
export const CONSTRAINT_BLOCK_NUMBER = { W: 0, V: 1, Lambda: 2, b: 3 } as const;

/** The type of every number of a training. */
export type Dtype = 'float32' | 'float64';

export interface NativeNetworkOptions {
  readonly dtype: Dtype;
  readonly widths: readonly number[];
  readonly activation: 'rectifier' | 'sigmoid' | 'tanh';
  readonly slope: number;
  readonly loss: 'softmax-cross-entropy' | 'squared-error' | 'hinge' | 'one-hot-squared-error';
  readonly softmax: 'stable' | 'reference';
  readonly threads: number;
}

export interface NativeLayeredOptions extends NativeNetworkOptions {
  readonly samples: number;
  readonly gram: boolean;
  readonly fista: boolean;
  readonly jointBias: boolean;
  readonly multiplier: 'residual' | 'output';
  readonly stepsW: readonly NativeStepKind[];
  readonly stepsA: readonly NativeStepKind[];
}

export type NativeStepKind = 'quadratic' | 'pseudoinverse' | 'inverse' | 'cholesky';

export interface NativeStart {
  readonly hidden: 'forward' | 'gaussian';
  readonly output: 'forward' | 'signed-labels' | 'gaussian';
  readonly dual: 'zero' | 'stationary';
  readonly seed: number;
}

export interface NativePenalties {
  readonly nu: number;
  readonly gamma: number;
  readonly rho: number;
  readonly l2: number;
  readonly search: 'backtracking' | 'exact';
  readonly theta0: number;
  readonly tau0: number;
  readonly growth: number;
  readonly output: 'exact' | 'fista';
  readonly fistaStep: number;
  readonly fistaTolerance: number;
  readonly fistaLimit: number;
}

export interface NativeMeasures {
  readonly residual: Float64Array;
  readonly activation: Float64Array;
  readonly loss: number;
  readonly regularisation: number;
  readonly dualProduct: number;
  readonly dualNorm: number;
  readonly dualIdentity: number;
  readonly lagrangian: number;
}

export interface NativeSweep {
  /** Nine numbers an update: size, kappa, step norm, steps, stationarity, ridge, rank, factor seconds, seconds. */
  readonly updates: Float64Array;
  readonly completed: number;
  readonly stopped: boolean;
  readonly diverged: boolean;
  readonly seconds: number;
  readonly measures?: NativeMeasures;
}

export interface NativeEvaluation {
  readonly loss: number;
  readonly correct: number;
}

/** Numbers of either type. */
export type Numbers = Float32Array | Float64Array;

export interface NativeLayered extends NativeState {
  start(options: NativeStart): Promise<void>;
  run(updates: Int32Array, penalties: NativePenalties): Promise<NativeSweep>;
  measure(penalties: NativePenalties): Promise<NativeMeasures>;
  refresh(): Promise<void>;
}

export interface NativeConstraintsOptions extends NativeNetworkOptions {
  readonly samples: number;
}

export interface NativeConstraintsPenalties {
  readonly lambda: readonly number[];
  readonly beta: readonly number[];
  readonly majoriser: 'paper' | 'code';
}

export interface NativeConstraintsMeasures {
  readonly residual: Float64Array;
  readonly stationaryW: Float64Array;
  readonly stationaryV: Float64Array;
  readonly loss: number;
  readonly regularisation: number;
  readonly dualProduct: number;
  readonly dualIdentity: number;
  readonly kkt: number;
  readonly lagrangian: number;
}

/** Products over the samples by kind, Cholesky factors, and the floating-point operations of all of them. */
export interface NativeWork {
  readonly gradient: number;
  readonly image: number;
  readonly back: number;
  readonly gram: number;
  readonly solve: number;
  readonly factor: number;
  readonly flops: number;
}

export interface NativeConstraintsSweep {
  /** Five numbers an update: curvature, step norm, ridge, factor seconds, seconds. */
  readonly updates: Float64Array;
  readonly completed: number;
  readonly stopped: boolean;
  readonly diverged: boolean;
  readonly seconds: number;
  readonly work: NativeWork;
  readonly measures?: NativeConstraintsMeasures;
}

export interface NativeConstraints extends NativeState {
  start(): Promise<void>;
  run(updates: Int32Array, penalties: NativeConstraintsPenalties): Promise<NativeConstraintsSweep>;
  measure(penalties: NativeConstraintsPenalties): Promise<NativeConstraintsMeasures>;
}

/** A gradient method with every hyperparameter it has. */
export type NativeOptimiser =
  | {
      readonly method: 'sgd';
      readonly momentum: number;
      readonly dampening: number;
      readonly nesterov: boolean;
      readonly weightDecay: number;
    }
  | {
      readonly method: 'adagrad';
      readonly learningRateDecay: number;
      readonly initialAccumulator: number;
      readonly epsilon: number;
      readonly weightDecay: number;
    }
  | { readonly method: 'adadelta'; readonly decay: number; readonly epsilon: number; readonly weightDecay: number }
  | {
      readonly method: 'adam';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
      readonly decoupled: boolean;
    }
  | NativeConsensus;

export type NativeConsensus =
  | {
      readonly method: 'badm';
      readonly sigma: number;
      readonly rho: number;
      readonly weightDecay: number;
      readonly subBatches: number;
      readonly duals: boolean;
    }
  | {
      readonly method: 'sisa';
      readonly sigma: number;
      readonly rho: number;
      readonly beta: number;
      readonly epsilon: number;
      readonly weightDecay: number;
      readonly subBatches: number;
    };

export interface NativeGradientOptions extends NativeNetworkOptions {
  readonly samples: number;
  readonly batch: number;
  readonly reduction: 'mean' | 'sum';
  readonly shuffle: boolean;
  readonly seed: number;
  readonly optimiser: NativeOptimiser;
}

export interface NativeSteps {
  readonly steps: number;
  readonly samples: number;
  readonly loss: number;
  readonly stopped: boolean;
  readonly diverged: boolean;
  readonly seconds: number;
}

/** The part of a native state that samples are copied into. */
export interface NativeSamples {
  loadInput(set: number, firstRow: number, chunk: Numbers): number;
  loadTargets(set: number, firstRow: number, chunk: Numbers): number;
  loadLabels(set: number, labels: Int32Array): number;
}

/** What every native state offers, whatever it learns from. */
export interface NativePersistent {
  evaluate(set: number): Promise<NativeEvaluation>;
  read(block: number, layer: number): Promise<Numbers>;
  write(block: number, layer: number, values: Numbers): Promise<void>;
  /** Bytes of the state in a checkpoint; `kept` as for saveSections. */
  sectionBytes(kept: boolean): Promise<number>;
  /**
   * Writes the state to an empty file, from where it lives, and answers with the size of the file. `metadata` are members
   * of a JSON object; with `kept` a run can go on in between two refreshes.
   */
  saveSections(file: number, metadata: string, kept: boolean, extras: readonly NativeExtra[]): Promise<number>;
  /** Fills the state from a file, and answers with the extras asked for. */
  loadSections(
    file: number,
    stored: readonly NativeStoredSection[],
    kept: boolean,
    extras: readonly string[],
  ): Promise<Numbers[]>;
  /** A checksum of the samples of a set as they were loaded. */
  fingerprint(set: number): Promise<string>;
  /** Ends the call at work between two of its steps. */
  stop(): void;
  close(): void;
}

/** What the native states of the splittings on samples offer. */
export interface NativeState extends NativePersistent, NativeSamples {
  addEvaluationSet(samples: number): number;
}

/** What the native states of the splittings on graphs offer. Set −1 is the graph with its training nodes. */
export interface NativeGraphState extends NativePersistent {
  /** Comes first: how many bytes `allocate` will take, and how many nodes each layer 0 … L is kept on. */
  prepare(): Promise<{ readonly bytes: number; readonly nodes: readonly number[] }>;
  /** Comes second. */
  allocate(): Promise<void>;
  /** Nodes that have a class. */
  addEvaluationSet(nodes: Int32Array): number;
}

/** An array that goes into a checkpoint beside the state. */
export interface NativeExtra {
  readonly name: string;
  readonly data: Numbers;
}

/** Where a checkpoint has a part of a state, and its checksum, 16 digits. */
export interface NativeStoredSection {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly checksum: string;
}

/** XXH64 of a stream. */
export interface NativeHash64 {
  update(bytes: Uint8Array): void;
  digest(): string;
}

export interface NativeGradientTrainer extends NativeState {
  run(count: number, rates: Float64Array): Promise<NativeSteps>;
  reset(): Promise<void>;
  readDual(subBatch: number, block: number, layer: number): Promise<Numbers>;
}

export interface NativeMinibatchOptions extends NativeNetworkOptions {
  readonly samples: number;
  readonly batch: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly gram: 'low-rank' | 'full';
  readonly rank: number;
  readonly beta: number;
  readonly gramEvery: number;
  readonly damping: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly l2: number;
  /** Pairs of block and layer. */
  readonly sweep: readonly number[];
}

export interface NativeMinibatch extends NativeState {
  run(count: number, steps: Float64Array): Promise<Omit<NativeSteps, 'steps'> & { readonly batches: number }>;
  reset(): Promise<void>;
}

/** A sparse matrix by rows, or a dense one. */
interface NativeFeatures {
  readonly rows: number;
  readonly columns: number;
  readonly indptr?: Float64Array;
  readonly indices?: Int32Array;
  readonly values: Numbers;
}

export interface NativeGraphGradientOptions extends NativeNetworkOptions {
  readonly reduction: 'mean' | 'sum';
  readonly dropout: number;
  readonly seed: number;
  /** λ of each layer. */
  readonly weightDecay: Float64Array;
  readonly optimiser: NativeOptimiser;
  /** As it is: it is normalised in `prepare`. */
  readonly adjacency: Required<NativeFeatures>;
  readonly features: NativeFeatures;
  /** −1 for a node without a class. */
  readonly labels: Int32Array;
  readonly training: Int32Array;
}

export interface NativeGraphOptions extends NativeNetworkOptions {
  readonly outputWeights: 'quadratic' | 'cholesky';
  /** As it is: it is normalised in `prepare`. */
  readonly adjacency: Required<NativeFeatures>;
  readonly features: NativeFeatures;
  /** −1 for a node without a class. */
  readonly labels: Int32Array;
  readonly training: Int32Array;
}

export interface NativeGraphPenalties {
  readonly nu: number;
  readonly rho: number;
  readonly theta0: number;
  readonly tau0: number;
  readonly growth: number;
  readonly search: 'backtracking' | 'exact';
  /** λ of each layer. */
  readonly l2: Float64Array;
}

export interface NativeGraphMeasures {
  readonly residual: Float64Array;
  readonly loss: number;
  readonly regularisation: number;
  readonly dualProduct: number;
  readonly dualNorm: number;
  readonly dualIdentity: number;
  readonly lagrangian: number;
}

export interface NativeGraphSweep {
  /** Nine numbers an update: size, kappa, step norm, trials, kept, steps, stationarity, ridge, seconds. */
  readonly updates: Float64Array;
  readonly completed: number;
  readonly stopped: boolean;
  readonly diverged: boolean;
  readonly seconds: number;
  readonly measures?: NativeGraphMeasures;
}

export interface NativeGraph extends NativeGraphState {
  start(dual: 'zero' | 'stationary'): Promise<void>;
  run(updates: Int32Array, penalties: NativeGraphPenalties): Promise<NativeGraphSweep>;
  measure(penalties: NativeGraphPenalties): Promise<NativeGraphMeasures>;
  refresh(): Promise<void>;
  /** Seconds that the products of these updates take, each the fastest of `repeats`. */
  productSeconds(updates: Int32Array, repeats: number): Promise<number>;
}

export interface NativeGraphLike {
  readonly adjacency: Required<NativeFeatures>;
  readonly features: NativeFeatures;
}

export interface NativeTrainedGraphNetwork {
  setLayer(layer: number, weights: Numbers): void;
  predict(graph: NativeGraphLike): Promise<Numbers>;
  evaluate(graph: NativeGraphLike, labels: Int32Array, nodes: Int32Array): Promise<NativeEvaluation>;
  close(): void;
}

/** Its one block is W. */
export interface NativeGraphGradientTrainer extends NativeGraphState {
  run(count: number, rates: Float64Array): Promise<NativeSteps>;
  reset(): Promise<void>;
}

export interface NativeBadmOptions {
  readonly dtype: Dtype;
  readonly sizes: readonly number[];
  readonly weights: Float64Array;
  readonly optimiser: NativeConsensus;
}

export interface NativeBadmOptimizer {
  /** −1, the first sub-batch with a gradient that is not finite, or −2 where a parameter no longer is. */
  step(parameters: readonly Numbers[], gradients: readonly (readonly Numbers[])[]): number;
  dual(subBatch: number): Numbers[];
  reset(): void;
}

export interface NativeTrainedNetwork {
  setLayer(layer: number, weights: Numbers, biases: Numbers): void;
  predict(x: Numbers): Promise<Numbers>;
  /** The same on the calling thread. */
  predictNow(x: Numbers): Numbers;
  evaluate(x: Numbers, targets: Int32Array | Numbers): Promise<NativeEvaluation>;
  close(): void;
}

export interface NativeProductOptions {
  readonly dtype: Dtype;
  readonly product: 'gradient' | 'image' | 'back';
  readonly way: 'openblas' | 'team-blocks' | 'team-shares' | 'team-slices';
  readonly samples: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly threads: number;
  readonly repeats: number;
}

export interface NativePassOptions {
  readonly dtype: Dtype;
  readonly count: number;
  readonly threads: number;
  readonly repeats: number;
}

export interface NativeSparseProductOptions {
  readonly dtype: Dtype;
  readonly adjacency: Required<NativeFeatures>;
  readonly columns: number;
  readonly threads: number;
  readonly repeats: number;
}

/** What the C++ addon exports. Not public. */
export interface NativeAddon {
  readonly Layered: {
    new (options: NativeLayeredOptions): NativeLayered;
    requiredBytes(options: NativeLayeredOptions): number;
  };
  readonly Constraints: {
    new (options: NativeConstraintsOptions): NativeConstraints;
    requiredBytes(options: NativeConstraintsOptions): number;
  };
  readonly GradientTrainer: {
    new (options: NativeGradientOptions): NativeGradientTrainer;
    requiredBytes(options: NativeGradientOptions): number;
  };
  readonly Minibatch: {
    new (options: NativeMinibatchOptions): NativeMinibatch;
    requiredBytes(options: NativeMinibatchOptions): number;
  };
  readonly Graph: new (options: NativeGraphOptions) => NativeGraph;
  readonly TrainedGraphNetwork: new (options: NativeNetworkOptions) => NativeTrainedGraphNetwork;
  readonly GraphGradientTrainer: new (options: NativeGraphGradientOptions) => NativeGraphGradientTrainer;
  readonly BadmOptimizer: new (options: NativeBadmOptions) => NativeBadmOptimizer;
  readonly TrainedNetwork: new (options: NativeNetworkOptions) => NativeTrainedNetwork;
  readonly Hash64: new () => NativeHash64;
  /** False where somebody else holds the lock of an open file. */
  lockFile(file: number): boolean;
  info(): { readonly config: string; readonly core: string; readonly simd: string };
  productSeconds(options: NativeProductOptions): number;
  /** Seconds of the fastest pass x ← c x over `count` numbers. */
  passSeconds(options: NativePassOptions): number;
  /** Seconds of Ã times a dense matrix of so many columns, and of a copy of that matrix; what the product moves. */
  sparseProductSeconds(options: NativeSparseProductOptions): {
    readonly product: number;
    readonly copy: number;
    readonly entries: number;
    readonly bytes: number;
  };
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface NodeGypBuild {
  (folder: string): NativeAddon;
  path(folder: string): string;
}

const nodeGypBuild = (): NodeGypBuild => createRequire(import.meta.url)('node-gyp-build') as NodeGypBuild;

/** The file that the addon was loaded from. */
export const addonFile = (): string => nodeGypBuild().path(ROOT);

function load(): NativeAddon {
  try {
    return nodeGypBuild()(ROOT);
  } catch (cause) {
    const reason = messageOf(cause).split('\n')[0];
    throw new DlAdmmError(
      'ERR_DLADMM_NATIVE',
      [
        `The native addon of dladmm could not be loaded (${process.platform}-${process.arch}, Node ${process.version}): ${reason}`,
        'Possible solutions:',
        '- in a checkout: npm run setup',
        '- in an application: npm rebuild dladmm --foreground-scripts',
        '  Where the package carries no addon for the system, it builds one. That needs a C++20 compiler, make, python3 and OpenBLAS with its headers:',
        '  apt-get install libopenblas-dev pkg-config, dnf install openblas-devel, apk add openblas-dev, brew install openblas',
        '- where install scripts are not run, allow this one: npm install-scripts approve dladmm, pnpm approve-builds',
      ].join('\n'),
      { cause },
    );
  }
}

let loaded: NativeAddon | undefined;

/** Loaded when it is first asked for something: options and help need none. */
export const native: NativeAddon = new Proxy({} as NativeAddon, {
  get: (_, name) => {
    loaded ??= load();
    return loaded[name as keyof NativeAddon];
  },
});

/** An error of the addon as a DlAdmmError; anything else unchanged. */
export function fromNative(error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof DlAdmmError || !code?.startsWith('ERR_DLADMM_')) return error;
  return new DlAdmmError(code as ErrorCode, messageOf(error), { cause: error });
}
