import { ASYNC_DISPOSE, DISPOSE } from '../core/dispose.js';
import { DlAdmmError } from '../core/errors.js';
import { availableThreads } from '../core/info.js';
import { type Dtype, fromNative, type NativeNetworkOptions, type Numbers } from '../core/native.js';
import { pathOf, present } from '../core/objects.js';
import type { Calibration } from '../judging/calibration.js';
import { classCount, type Loss, type Network, nativeActivation, nativeLoss } from '../network/network.js';
import type { Standardisation } from '../network/standardisation.js';
import type { LabelKind } from '../samples/classes.js';
import { divergedText } from './answer.js';
import { type StoredModel, saveModel } from './model-file.js';
import {
  checkParts,
  type Divergence,
  type GraphModelParts,
  type ModelParts,
  type NetworkKind,
  type Note,
} from './parts.js';

/** What `console.log` asks for. */
const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;

/** What a model is, without its parameters. */
export interface ModelSummary extends Network {
  readonly kind: NetworkKind;
  readonly dtype: Dtype;
  /** How many numbers were learnt. */
  readonly parameters: number;
  readonly classes?: readonly string[];
  readonly target?: string | readonly string[];
  /** The names of the columns that are features. */
  readonly columns?: readonly string[];
  readonly threshold?: number;
  readonly note?: Note;
  readonly diverged?: Divergence;
}

/** What trained networks of all kinds have in common: their parts, a native copy of them, files, an end. */
export abstract class TrainedNetwork<K extends NetworkKind, N extends { close(): void }, L extends Loss> {
  readonly kind: K;
  readonly network: Network<L>;
  readonly dtype: Dtype;
  /** `weights[l − 1]` is W_l. Predictions go by a copy that the first of them makes. */
  readonly weights: readonly Numbers[];
  readonly classes?: readonly string[];
  /** What predictions are told in. */
  readonly labelKind: LabelKind;
  readonly standardisation?: Standardisation;
  readonly targetStandardisation?: Standardisation;
  readonly threshold?: number;
  /** What makes probabilities of the scores of classes that have none. */
  readonly calibration?: Calibration;
  /** What was saved with the model. */
  readonly note?: Note;
  /** Of a training that diverged, whose last finite parameters these are. */
  readonly diverged?: Divergence;
  /** The column that is predicted, where samples came by the names of their columns; or several. */
  readonly target?: string | readonly string[];
  readonly #threads: number;
  #native: N | undefined;
  /** No work is begun any more; what is under way goes on until the model is closed. */
  #closing = false;
  #closed = false;
  #underWay = 0;
  #drained: (() => void)[] = [];

  protected constructor(kind: K, parts: ModelParts<L> | GraphModelParts<L>) {
    checkParts(parts, kind);
    const { network, dtype, weights, labelKind = 'number', threads } = parts;
    const { classes, standardisation, targetStandardisation, threshold, calibration, note, diverged, target } = parts;
    this.kind = kind;
    this.network = network;
    this.dtype = dtype;
    this.weights = weights;
    this.labelKind = labelKind;
    Object.assign(
      this,
      present({ classes, standardisation, targetStandardisation, threshold, calibration, note, diverged, target }),
    );
    this.#threads = threads ?? availableThreads();
  }

  /**
   * Writes the model as safetensors, atomically: a reader sees the old file or the new one. It takes the place of a model, and of no other
   * file. `note` is kept with it, and is there
   * as `model.note` where it is loaded. The model of a training that diverged is written with a warning of the process
   * (`DLADMM_DIVERGED`), and the file says so too.
   *
   * @throws DlAdmmError ERR_DLADMM_FILE
   */
  async save(to: string | URL, note: Note | undefined = this.note): Promise<void> {
    const path = pathOf(to);
    await saveModel(path, { ...this, ...(note && { note }) } as unknown as StoredModel);
    if (this.diverged === undefined) return;
    process.emitWarning(`${path} holds a model that ${divergedText(this.diverged)}`, {
      type: 'DlAdmmWarning',
      code: 'DLADMM_DIVERGED',
    });
  }

  /**
   * Gives the native memory back; the parameters stay readable. With `drain` predictions that are under way end first, and no
   * other is begun; without it they are rejected with ERR_DLADMM_CLOSED.
   */
  async close({ drain = false }: { readonly drain?: boolean } = {}): Promise<void> {
    this.#closing = true;
    if (drain && this.#underWay > 0) await new Promise<void>((resolve) => void this.#drained.push(resolve));
    this.#closed = true;
    this.#native?.close();
    this.#native = undefined;
  }

  /**
   * What the model is, without its parameters: this is what `JSON.stringify` and `console.log` show, as a log or an answer would
   * have no use for a million weights. `save` writes it whole.
   */
  toJSON(): ModelSummary {
    const { kind, network, dtype, classes, target, threshold, note, diverged } = this;
    const known = present({ classes, target, threshold, note, diverged });
    return { kind, ...(network as Network), dtype, parameters: this.parameters, ...known };
  }

  /** @internal */
  [INSPECT](depth: number, options: object, inspect: (value: unknown, options: object) => string): string {
    const { name } = this.constructor;
    return depth < 0 ? `[${name}]` : `${name} ${inspect(this.toJSON(), options)}`;
  }

  /** As `close`, at the end of a `using` block. */
  [DISPOSE](): void {
    void this.close();
  }

  /** As `close({ drain: true })`, at the end of an `await using` block. */
  [ASYNC_DISPOSE](): Promise<void> {
    return this.close({ drain: true });
  }

  /** @throws DlAdmmError ERR_DLADMM_CLOSED @internal */
  checkOpen(): void {
    if (this.#closing) throw new DlAdmmError('ERR_DLADMM_CLOSED', 'This model has been closed');
  }

  /** Does work that `close({ drain: true })` waits for; an error of the addon leaves as a DlAdmmError. */
  protected async call<R>(work: () => Promise<R>): Promise<R> {
    this.checkOpen();
    this.#underWay += 1;
    try {
      return await work();
    } catch (error) {
      throw fromNative(error);
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) for (const resolve of this.#drained.splice(0)) resolve();
    }
  }

  /** Makes the native copy of the parameters. */
  protected abstract open(options: NativeNetworkOptions): N;

  /** The native copy of the parameters, made when it is first needed. */
  protected get native(): N {
    if (this.#closed) throw new DlAdmmError('ERR_DLADMM_CLOSED', 'This model has been closed');
    if (this.#native !== undefined) return this.#native;
    // What was right when the model was made may have been written over since.
    checkParts(this as unknown as ModelParts, this.kind);
    const { layers, activation } = this.network;
    this.#native = this.open({
      dtype: this.dtype,
      widths: layers,
      ...nativeActivation(activation),
      ...nativeLoss(this.network),
      softmax: 'stable',
      threads: this.#threads,
    });
    return this.#native;
  }

  /** How many numbers were learnt. */
  protected get parameters(): number {
    return this.weights.reduce((sum, { length }) => sum + length, 0);
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
}
