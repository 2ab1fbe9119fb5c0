import { DlAdmmError, expected } from '../core/errors.js';
import {
  type Dtype,
  fromNative,
  type NativeNetworkOptions,
  type NativeTrainedNetwork,
  type Numbers,
  native,
} from '../core/native.js';
import { type MetricsOf, metricsOf } from '../network/metrics.js';
import { classifies, type Loss } from '../network/network.js';
import { restoreTargets, type Standardisation } from '../network/standardisation.js';
import {
  type ArrivalRules,
  type ArrivingSamples,
  arrivingRows,
  arrivingSamples,
  type RowsLike,
} from '../samples/arriving.js';
import { classNumbers } from '../samples/classes.js';
import type { Column } from '../samples/columns.js';
import { standardised } from '../samples/standardise.js';
import { breathe, type MatrixLike, nonFinite, type RowSource, rowSource } from '../tensor/inputs.js';
import { answerOf, type Prediction } from './answer.js';
import { loadModelFile } from './model-file.js';
import { encodeOnnx, type OnnxOptions } from './onnx/export.js';
import type { ModelParts } from './parts.js';
import { TrainedNetwork } from './trained.js';

/** Entries that one call of the addon takes: enough to be fast, few enough not to hold up the event loop. */
const CHUNK_ENTRIES = 2 ** 21;
/** Products of a weight and a value that take as long as handing samples to another thread and back, or less. */
const FEW_PRODUCTS = 2 ** 22;
/** As many as take about as long as a call does besides, and as many as the event loop may be held up for. */
const CALL_PRODUCTS = 2 ** 17;
const HELD_PRODUCTS = 2 ** 27;
/** A softmax here takes about as long as so many numbers take to be copied. */
const SOFTMAX_COST = 32;

/** A trained multilayer perceptron: predict, evaluate, save. Work runs off the event loop. */
export class Model<L extends Loss = Loss> extends TrainedNetwork<'perceptron', NativeTrainedNetwork, L> {
  readonly biases: readonly Numbers[];
  readonly columns?: readonly Column[];
  /** Products that were computed on this thread since the event loop last turned for them. */
  #held = 0;

  /**
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_DETACHED
   */
  constructor(parts: ModelParts<L>) {
    super('perceptron', parts);
    this.biases = parts.biases;
    if (parts.columns !== undefined) this.columns = parts.columns;
  }

  /**
   * Reads a model file, checking every byte.
   *
   * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT
   */
  static async load(path: string): Promise<Model> {
    return new Model(await loadModelFile(path, 'perceptron'));
  }

  /**
   * Outputs for samples x n_0; for classification also the labels and probabilities. One sample may be a plain array of
   * numbers. A few samples are answered at once, in less time than it takes to hand them to another thread; more of them off
   * the event loop. Any number of calls may be under way, and what is said of a sample has the same bits in all of them.
   * Features are taken as they were given to the training: what was learnt there to standardise them is applied here.
   *
   * @throws DlAdmmError ERR_DLADMM_SHAPE, ERR_DLADMM_ARGUMENT, ERR_DLADMM_NON_FINITE, ERR_DLADMM_DETACHED, ERR_DLADMM_CLOSED;
   *   ERR_DLADMM_STREAM, ERR_DLADMM_FORMAT, ERR_DLADMM_LABEL for samples in a stream or a table
   */
  async predict(x: RowsLike | readonly number[]): Promise<Prediction<L>> {
    const source = this.#prepared(await arrivingRows(this.#rowsOf(x), this.#arrival, 'x'));
    const answer = answerOf(this.network, this.dtype, source.rows, this);
    await this.#eachChunk(source, async (first, chunk) => {
      const products = chunk.length * this.#weightsPerInput;
      answer.put(first, products <= FEW_PRODUCTS ? await this.#now(chunk, products) : await this.native.predict(chunk));
    });
    return answer.prediction() as Prediction<L>;
  }

  /**
   * What {@link predict} resolves to, at once: for the few samples of a request. Many hold up the event loop.
   *
   * @throws DlAdmmError as {@link predict} rejects with
   */
  predictSync(x: MatrixLike | readonly number[]): Prediction<L> {
    const source = this.#prepared(rowSource(this.#rowsOf(x), this.inputs, 'x'));
    const answer = answerOf(this.network, this.dtype, source.rows, this);
    for (const [first, count] of this.#chunks(source)) {
      try {
        answer.put(first, this.native.predictNow(source.chunk(first, count)));
      } catch (error) {
        throw locate(error, source, first);
      }
    }
    return answer.prediction() as Prediction<L>;
  }

  /**
   * The model as ONNX: input `x`, samples × n_0, in float32; output `probabilities` for softmax cross-entropy, `outputs`
   * for the other losses. See {@link OnnxOptions}.
   *
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_NON_FINITE, ERR_DLADMM_MEMORY
   */
  toOnnx(options?: OnnxOptions): Uint8Array {
    return encodeOnnx(this, options);
  }

  /**
   * Loss (averaged over the samples) and, for classification, accuracy.
   *
   * @throws DlAdmmError as {@link predict}, and ERR_DLADMM_LABEL
   */
  async evaluate(samples: ArrivingSamples): Promise<MetricsOf<L>> {
    const { x, labels: given, classes, y: values } = await arrivingSamples(samples, this.#arrival, '');
    const source = this.#prepared(x);
    const classification = classifies(this.network.loss);
    const labels = classification
      ? classNumbers(given, classes, this, source.rows, this.classCount, 'labels')
      : undefined;
    if (values && values.rows !== source.rows) {
      throw expected(`${source.rows} rows, one a sample,`, 'y', values.rows, 'ERR_DLADMM_SHAPE');
    }
    const { targetStandardisation: targets } = this;
    let loss = 0;
    let correct = 0;
    await this.#eachChunk(source, async (first, chunk, count) => {
      const wanted =
        labels?.subarray(first, first + count) ?? finiteChunk(values as RowSource, first, count, this.dtype);
      if (targets) {
        loss += squaredError(await this.native.predict(chunk), wanted, targets);
        return;
      }
      const part = await this.native.evaluate(chunk, wanted);
      loss += part.loss;
      correct += part.correct;
    });
    return metricsOf(this.network, { loss, correct }, source.rows) as MetricsOf<L>;
  }

  /** Weights in all over inputs. */
  get #weightsPerInput(): number {
    return this.weights.reduce((sum, { length }) => sum + length, 0) / this.inputs;
  }

  /** What samples must be like. */
  get #arrival(): ArrivalRules {
    const { network, dtype, columns, standardisation, targetStandardisation } = this;
    return {
      network,
      dtype,
      exact: standardisation !== undefined,
      exactTargets: targetStandardisation !== undefined,
      ...(columns ? { columns } : { nameless: 'the model' }),
    };
  }

  #prepared(source: RowSource): RowSource {
    return standardised(source, this.standardisation, this.dtype);
  }

  protected open(options: NativeNetworkOptions): NativeTrainedNetwork {
    const handle = new native.TrainedNetwork(options);
    for (const [i, weights] of this.weights.entries()) handle.setLayer(i + 1, weights, this.biases[i] as Numbers);
    return handle;
  }

  async #eachChunk(
    source: RowSource,
    work: (first: number, chunk: Numbers, count: number) => Promise<void>,
  ): Promise<void> {
    for (const [first, count] of this.#chunks(source)) {
      try {
        await work(first, source.chunk(first, count), count);
      } catch (error) {
        throw locate(error, source, first);
      }
      source.release?.(first + count);
      if (first + count < source.rows) await breathe();
    }
  }

  /** Outputs from this thread. Who asks in a loop for one sample after the other must not keep the event loop from turning. */
  async #now(chunk: Numbers, products: number): Promise<Numbers> {
    this.#held += CALL_PRODUCTS + products;
    if (this.#held > HELD_PRODUCTS) {
      this.#held = 0;
      await breathe();
    }
    return this.native.predictNow(chunk);
  }

  /** First row and number of rows of each chunk. */
  *#chunks({ rows, columns }: RowSource): Generator<readonly [first: number, count: number], void, undefined> {
    const step = Math.max(1, Math.floor(CHUNK_ENTRIES / (columns + SOFTMAX_COST * this.outputs)));
    for (let first = 0; first < rows; first += step) yield [first, Math.min(step, rows - first)];
  }

  /** A sample that is given as a plain array of numbers, as an array of one row. */
  #rowsOf<Rows>(x: Rows | readonly number[]): Rows | readonly (readonly number[])[] {
    const bare = this.inputs !== 1 && Array.isArray(x) && typeof x[0] === 'number';
    return bare ? [x as readonly number[]] : (x as Rows);
  }
}

/** Σ ½(ẑ − y)² over the entries, ẑ being an output as the targets were. */
function squaredError(outputs: Numbers, values: ArrayLike<number>, targets: Standardisation): number {
  const restored = new Float64Array(outputs.length);
  restoreTargets(outputs, targets, restored, 0);
  return restored.reduce((sum, value, i) => sum + (value - (values[i] as number)) ** 2 / 2, 0);
}

/** Rows of target values, which must be finite in the type of the model. */
function finiteChunk(source: RowSource, first: number, count: number, dtype: Dtype): Numbers {
  const chunk = source.chunk(first, count);
  for (let i = 0; i < chunk.length; i += 1) {
    const value = chunk[i] ?? Number.NaN;
    if (!Number.isFinite(dtype === 'float32' ? Math.fround(value) : value)) throw nonFinite(source, first, i, value);
  }
  return chunk;
}

/** The addon knows the index in a chunk; a person wants row and column. */
function locate(error: unknown, source: RowSource, first: number): unknown {
  const ours = fromNative(error);
  if (!(ours instanceof DlAdmmError) || ours.code !== 'ERR_DLADMM_NON_FINITE' || ours === error) return ours;
  const index = Number((error as { index?: unknown }).index);
  const row = first + Math.floor(index / source.columns);
  return new DlAdmmError(
    'ERR_DLADMM_NON_FINITE',
    `Expected finite numbers for ${source.name} but found one that is not in row ${row}, column ${index % source.columns}`,
    { cause: error },
  );
}
