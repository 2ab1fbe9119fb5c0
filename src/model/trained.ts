import { DISPOSE } from '../core/dispose.js';
import { DlAdmmError } from '../core/errors.js';
import { availableThreads } from '../core/info.js';
import { type Dtype, fromNative, type NativeNetworkOptions, type Numbers } from '../core/native.js';
import { classCount, type Loss, type Network, nativeActivation } from '../network/network.js';
import type { Standardisation } from '../network/standardisation.js';
import type { LabelKind } from '../samples/classes.js';
import { divergedText } from './answer.js';
import { type Note, type StoredModel, saveModel } from './model-file.js';
import { checkParts, type Divergence, type GraphModelParts, type ModelParts, type NetworkKind } from './parts.js';

/** What trained networks of all kinds have in common: their parts, a native copy of them, files, an end. */
export abstract class TrainedNetwork<K extends NetworkKind, N extends { close(): void }, L extends Loss> {
  readonly kind: K;
  readonly network: Network<L>;
  readonly dtype: Dtype;
  readonly weights: readonly Numbers[];
  readonly classes?: readonly string[];
  /** What predictions are told in. */
  readonly labelKind: LabelKind;
  readonly standardisation?: Standardisation;
  readonly targetStandardisation?: Standardisation;
  /** The column that is predicted, where samples came by the names of their columns. */
  readonly target?: string;
  /** Of a training that diverged, whose last finite parameters these are. */
  readonly diverged?: Divergence;
  readonly #threads: number;
  #native: N | undefined;
  #closed = false;

  protected constructor(kind: K, parts: ModelParts<L> | GraphModelParts<L>) {
    checkParts(parts, kind);
    const { network, dtype, weights, classes, labelKind = 'number', diverged, threads } = parts;
    const { standardisation, targetStandardisation, target } = parts;
    this.kind = kind;
    this.network = network;
    this.dtype = dtype;
    this.weights = weights;
    if (classes !== undefined) this.classes = classes;
    this.labelKind = labelKind;
    if (standardisation !== undefined) this.standardisation = standardisation;
    if (targetStandardisation !== undefined) this.targetStandardisation = targetStandardisation;
    if (target !== undefined) this.target = target;
    if (diverged !== undefined) this.diverged = diverged;
    this.#threads = threads ?? availableThreads();
  }

  /**
   * Writes the model as safetensors, atomically: a reader sees the old file or the new one. That of a training that diverged is
   * written with a warning of the process (`DLADMM_DIVERGED`), and the file says so too.
   *
   * @throws DlAdmmError ERR_DLADMM_FILE
   */
  async save(path: string, note?: Note): Promise<void> {
    await saveModel(path, { ...this, ...(note && { note }) } as unknown as StoredModel);
    if (this.diverged === undefined) return;
    process.emitWarning(`${path} holds a model that ${divergedText(this.diverged)}`, {
      type: 'DlAdmmWarning',
      code: 'DLADMM_DIVERGED',
    });
  }

  /** Gives the native memory back; the parameters stay readable. */
  close(): void {
    this.#closed = true;
    this.#native?.close();
    this.#native = undefined;
  }

  /** As `close`, at the end of a `using` block. */
  [DISPOSE](): void {
    this.close();
  }

  /** Makes the native copy of the parameters. */
  protected abstract open(options: NativeNetworkOptions): N;

  /** The native copy of the parameters, made when it is first needed. */
  protected get native(): N {
    if (this.#closed) throw new DlAdmmError('ERR_DLADMM_CLOSED', 'This model has been closed');
    const { layers, activation, loss } = this.network;
    this.#native ??= this.open({
      dtype: this.dtype,
      widths: layers,
      ...nativeActivation(activation),
      loss,
      softmax: 'stable',
      threads: this.#threads,
    });
    return this.#native;
  }

  /** n_0. */
  protected get inputs(): number {
    return this.network.layers[0] ?? 0;
  }

  /** n_L. */
  protected get outputs(): number {
    return this.network.layers.at(-1) ?? 0;
  }

  /** How many classes the network tells apart. */
  protected get classCount(): number {
    return classCount(this.network.loss, this.outputs);
  }

  /** Does the work; an error of the addon leaves as a DlAdmmError. */
  protected async call<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      throw fromNative(error);
    }
  }
}
