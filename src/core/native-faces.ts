/** The classes and functions of the C++ addon, as TypeScript sees them. */
/** The type of every number of a training. */
export type Dtype = 'float32' | 'float64';

export interface NativeNetworkOptions {
  readonly dtype: Dtype;
  readonly widths: readonly number[];
  readonly activation: 'rectifier' | 'sigmoid' | 'tanh' | 'elu' | 'silu' | 'gelu' | 'softplus';
  /** Of a rectifier below 0; the α of elu. */
  readonly slope: number;
  readonly loss:
    | 'softmax-cross-entropy'
    | 'squared-error'
    | 'hinge'
    | 'one-hot-squared-error'
    | 'sigmoid-cross-entropy'
    | 'huber'
    | 'absolute'
    | 'quantile'
    | 'poisson';
  /** δ of huber, τ of quantile; 1 if absent. */
  readonly lossParameter?: number;
  readonly softmax: 'stable' | 'reference';
  readonly threads: number;
}

export interface NativeLayeredOptions extends NativeConstraintsOptions {
  readonly gram: boolean;
  readonly fista: boolean;
  readonly proximal?: boolean;
  readonly spectral?: boolean;
  readonly jointBias: boolean;
  readonly multiplier: 'residual' | 'output';
  readonly stepsW: readonly NativeStepKind[];
  readonly stepsA: readonly NativeStepKind[];
  /** The descriptor of an open file where all that has a row a sample lies in place of memory, and how many bytes of it lie in memory yet. */
  readonly file?: number;
  readonly heldBytes?: number;
  readonly share?: { readonly first: number; readonly samples: number };
}

export type NativeStepKind = 'quadratic' | 'pseudoinverse' | 'inverse' | 'cholesky';

export interface NativeStart {
  readonly hidden: 'forward' | 'gaussian';
  readonly output: 'forward' | 'signed-labels' | 'gaussian';
  readonly dual: 'zero' | 'stationary';
  readonly seed: number;
}

/** The penalties of the output and hidden constraints, and how the sizes of steps are searched for. */
export interface NativeSearch {
  readonly nu: number;
  readonly rho: number;
  readonly theta0: number;
  readonly tau0: number;
  readonly growth: number;
  readonly search: 'backtracking' | 'exact';
}

/** Ω_l of a layer beside its ridge; infinities where there is no bound. */
export interface NativeRegulariser {
  readonly l1: number;
  readonly l2: number;
  readonly inputs: number;
  readonly neurons: number;
  readonly lower: number;
  readonly upper: number;
  readonly neuronNorm: number;
  readonly norm: number;
  readonly nuclear: number;
  readonly spectralNorm: number;
  readonly zeroSum: boolean;
  /** Of monotone paths: −1, 0 or 1 for each. */
  readonly neuronSigns?: Int32Array;
  readonly inputSigns?: Int32Array;
  /** The number of its group of equal inputs from 1, 0 where it is alone. */
  readonly equal?: Int32Array;
  /** What l2 draws the weights to, 0 if absent; and which weights may be other than 0, all if absent. */
  readonly centre?: Float64Array;
  readonly kept?: Int32Array;
}

export interface NativePenalties extends NativeSearch {
  /** One a layer; none if absent. */
  readonly regularisers?: readonly NativeRegulariser[];
  readonly gamma: number;
  readonly l2: number;
  readonly output: 'exact' | 'fista';
  readonly fistaStep: number;
  readonly fistaTolerance: number;
  readonly fistaLimit: number;
}

/** What all splittings measure; R is summed over the samples. */
export interface NativeMeasured {
  readonly residual: Float64Array;
  readonly loss: number;
  readonly regularisation: number;
  readonly dualProduct: number;
  readonly dualIdentity: number;
  readonly lagrangian: number;
}

export interface NativeGraphMeasures extends NativeMeasured {
  readonly dualNorm: number;
}

export interface NativeMeasures extends NativeGraphMeasures {
  readonly activation: Float64Array;
  /** The share of zeros of every W_l; none where there are no regularisers. */
  readonly zeros: Float64Array;
}

/** How a call went: whether a stop was asked for, whether a value was met that is not finite, and how long it took. */
interface NativeOutcome {
  readonly stopped: boolean;
  readonly diverged: boolean;
  readonly seconds: number;
}

interface NativeSwept<Measures> extends NativeOutcome {
  /** Of each update that ran, what applies to its block. */
  readonly updates: readonly object[];
  readonly completed: number;
  /** Of the splitting that counts its products. */
  readonly work?: NativeWork;
  readonly measures?: Measures;
}

/** What the states of all splittings offer whose iterations are sweeps. */
export interface NativeSweeps<Start = unknown, Penalties = unknown, Measures = Pick<NativeMeasured, 'loss'>>
  extends NativePersistent {
  start(how?: Start): Promise<void>;
  run(updates: Int32Array, penalties: Penalties): Promise<NativeSwept<Measures>>;
  measure(penalties: Penalties): Promise<Measures>;
  refresh?(): Promise<void>;
  /** Seconds that the products of these updates take, each the fastest of `repeats`. */
  productSeconds?(updates: Int32Array, repeats: number): Promise<number>;
}

/** What the states of all splittings offer whose iterations are epochs. */
export interface NativeStepping extends NativePersistent {
  run(count: number, rates: Float64Array): Promise<NativeSteps>;
  reset(): Promise<void>;
  readDual?(subBatch: number, block: number, layer: number): Promise<Numbers>;
}

/** Of a state whose samples are read as batches need them: some of its rows are visited while others are filled. */
export interface NativeWindows extends NativeFed {
  /** The next batches are of these rows, as they lie; behind the last row follows the first, where batches are whole. */
  visit(first: number, count: number): void;
}

/** Of a state whose samples come from a store. */
export interface NativeFed {
  /** Where a {@link NativeRowReader} reads features to. */
  input(): object;
  /**
   * Fills rows of x (part 0), of target values (1), labels (2) or weights (3) that are not visited. Answers with the index of an entry that is
   * not finite, or names no class; else −1.
   */
  fill(part: 0 | 1 | 2 | 3, firstRow: number, chunk: Numbers | Int32Array): number;
}

export interface NativeEvaluation {
  readonly loss: number;
  readonly correct: number;
}

/** Numbers of either type. */
export type Numbers = Float32Array | Float64Array;

export type NativeLayered = NativeState & Required<NativeSweeps<NativeStart, NativePenalties, NativeMeasures>>;

export interface NativeConstraintsOptions extends NativeNetworkOptions {
  readonly samples: number;
}

/** Of those that visit them in batches. */
interface NativeBatchOptions extends NativeConstraintsOptions {
  readonly batch: number;
  readonly shuffle: boolean;
  readonly seed: number;
  /** Of sparse features, which are then loaded as such: how many entries they have. */
  readonly entries?: number;
  /** One a layer; none if absent. */
  readonly regularisers?: readonly NativeRegulariser[];
}

export interface NativeConstraintsPenalties {
  readonly lambda: readonly number[];
  readonly beta: readonly number[];
  readonly majoriser: 'paper' | 'code';
}

export interface NativeConstraintsMeasures extends NativeMeasured {
  readonly stationaryW: Float64Array;
  readonly stationaryV: Float64Array;
  readonly kkt: number;
}

/** The products over the samples that a sweep took, its measures included, by kind. */
export interface NativeWork {
  /** Gᵀ V, summed over the samples. */
  readonly gradient: number;
  /** V Wᵀ. */
  readonly image: number;
  /** G W. */
  readonly back: number;
  /** Vᵀ V, half a product. */
  readonly gram: number;
  /** Rows times the inverse of a matrix as wide as a layer. */
  readonly solve: number;
  /** Cholesky factors. */
  readonly factor: number;
  /** Floating-point operations of all of these. */
  readonly flops: number;
}

export type NativeConstraints = NativeState &
  NativeSweeps<undefined, NativeConstraintsPenalties, NativeConstraintsMeasures>;

export interface NativeMetricOptions extends NativeConstraintsOptions {
  readonly seed: number;
}

export interface NativeMetricPenalties {
  readonly damping: number;
  readonly outputDamping: number;
  readonly rate: number;
  readonly momentum: number;
  readonly l2: number;
}

type Told = 'loss' | 'regularisation' | 'objective' | 'kkt' | 'tried' | 'slope' | 'expected' | 'reduction';
export type NativeMetricMeasures = { readonly [M in Told]: number } & { readonly kept: boolean };

export type NativeMetric = NativeState & NativeSweeps<undefined, NativeMetricPenalties, NativeMetricMeasures>;

/** A method of that name with so many settings that are numbers, and so many that are true or false. */
type NativeMethod<M extends string, Settings extends string, Flags extends string = never> = {
  readonly method: M;
} & { readonly [S in Settings]: number } & { readonly [F in Flags]: boolean };

/** A gradient method with every hyperparameter it has. */
export type NativeOptimiser =
  | NativeMethod<'sgd', 'momentum' | 'dampening' | 'weightDecay', 'nesterov'>
  | NativeMethod<'adagrad', 'learningRateDecay' | 'initialAccumulator' | 'epsilon' | 'weightDecay'>
  | NativeMethod<'adadelta', 'decay' | 'epsilon' | 'weightDecay'>
  | NativeMethod<'adam', 'beta1' | 'beta2' | 'epsilon' | 'weightDecay', 'decoupled' | 'nesterov'>
  | NativeMethod<'schedule-free', 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'averagePower'>
  | NativeMethod<
      'muon',
      'momentum' | 'newtonSchulz' | 'adamShare' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay',
      'nesterov'
    >
  | NativeMethod<'soap', 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'basisEvery' | 'largestBasis'>
  | NativeMethod<'kfac', 'damping' | 'dampingDecay' | 'dampingEvery' | 'factorMemory' | 'inverseEvery' | 'weightDecay'>
  | NativeMethod<'isaac', 'damping' | 'turnedLayers' | 'momentum' | 'weightDecay'>
  | NativeConsensus;

export type NativeConsensus =
  | NativeMethod<'badm', 'sigma' | 'rho' | 'weightDecay' | 'subBatches', 'duals'>
  | NativeMethod<'sisa', 'sigma' | 'rho' | 'beta' | 'epsilon' | 'weightDecay' | 'subBatches'>;

export interface NativeGradientOptions extends NativeBatchOptions {
  readonly reduction: 'mean' | 'sum';
  readonly optimiser: NativeOptimiser;
}

/** A sparse matrix by rows. */
export interface NativeCsr {
  readonly rows: number;
  readonly columns: number;
  readonly indptr: Float64Array;
  readonly indices: Int32Array;
  readonly values: Numbers;
}

export interface NativeSteps extends NativeOutcome {
  readonly steps: number;
  readonly samples: number;
  readonly loss: number;
  /** Of regularised weights: Σ Ω_l(W_l), and the share of zeros of every W_l; 0 and none where none are. */
  readonly regularisation: number;
  readonly zeros: Float64Array;
}

/** The part of a native state that samples are copied into. */
export interface NativeSamples {
  loadInput(set: number, firstRow: number, chunk: Numbers): number;
  /** Appends rows to those of a set whose features are sparse. */
  loadSparse(set: number, rows: NativeCsr): void;
  loadTargets(set: number, firstRow: number, chunk: Numbers): number;
  loadLabels(set: number, labels: Int32Array): number;
  /** What the samples of the training set count for: finite, from 0. */
  loadWeights(weights: Float64Array): void;
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
   * of a JSON object; with `kept` a run can go on in between two refreshes. Of ranks the first writes the rows of all, while the
   * others send theirs.
   */
  saveSections(file: number, metadata: string, kept: boolean, extras: readonly NativeExtra[]): Promise<number>;
  /** The part in it of a rank that does not write. */
  sendSections(kept: boolean): Promise<void>;
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
export interface NativeState extends NativePersistent, NativeSamples, NativeFed {
  addEvaluationSet(samples: number, sparse: boolean): number;
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

export type NativeGradientTrainer = NativeState & Required<NativeStepping>;

export interface NativeMinibatchOptions extends NativeBatchOptions {
  readonly gram: 'low-rank' | 'full';
  readonly rank: number;
  readonly beta: number;
  readonly gramEvery: number;
  readonly damping: number;
  readonly factors: 'input' | 'both';
  readonly outputDamping: number;
  readonly trustRegion: number;
  readonly polyak: number;
  readonly biasCorrection: boolean;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly scheduleFree: boolean;
  readonly l2: number;
  /** Whether weights of samples will be loaded. */
  readonly weighted?: boolean;
  /** Pairs of block and layer. */
  readonly sweep: readonly number[];
}

export type NativeMinibatch = NativeState & NativeStepping;

export interface NativeBadmOptions {
  readonly dtype: Dtype;
  readonly sizes: readonly number[];
  readonly weights: Float64Array;
  readonly optimiser: NativeConsensus;
}

export interface NativeBadmOptimizer {
  /** −1, the first sub-batch with a gradient that is not finite, or −2 where a parameter no longer is. */
  step(parameters: readonly Numbers[], gradients: readonly (readonly Numbers[])[], learningRate: number): number;
  dual(subBatch: number): Numbers[];
  reset(): void;
}

export interface NativeTrainedNetwork {
  setLayer(layer: number, weights: Numbers, biases: Numbers): void;
  /** Of a quantised network: weights are scales_j · codes, and what comes in is rounded to scale · (0 … 127 − zero). */
  setCodes(layer: number, codes: Int8Array, biases: Numbers, scales: Float32Array, scale: number, zero: number): void;
  predict(x: Numbers | NativeCsr): Promise<Numbers>;
  /** The same on the calling thread. */
  predictNow(x: Numbers | NativeCsr): Numbers;
  evaluate(x: Numbers | NativeCsr, targets: Int32Array | Numbers): Promise<NativeEvaluation>;
  close(): void;
}
