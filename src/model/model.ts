import { throwIfAborted } from '../core/abort.js';
import { expected } from '../core/errors.js';
import {
  type NativeCsr,
  type NativeNetworkOptions,
  type NativeTrainedNetwork,
  type Numbers,
  native,
} from '../core/native.js';
import { isNumbers } from '../core/numbers.js';
import { present } from '../core/objects.js';
import { isFile, type SamplesLike, type TableReading } from '../datasets/frame-file.js';
import { StoredSamples, storeOf } from '../formats/sample-file.js';
import { learnCalibration } from '../judging/calibration.js';
import { warned } from '../judging/evaluation.js';
import { chooseThreshold, type ThresholdRule } from '../judging/threshold.js';
import { classifies, goalOf, hasProbabilities, type Loss, networkText } from '../network/network.js';
import { lossInUnits } from '../network/standardisation.js';
import { type Arrived, isRecord } from '../samples/arrived.js';
import { type ArrivalRules, areSamples, arrivingRows, arrivingSamples, type RowsLike } from '../samples/arriving.js';
import { classNumbers } from '../samples/classes.js';
import { type Column, columnsText } from '../samples/columns.js';
import type { Frame } from '../samples/frame.js';
import type { ColumnNote } from '../samples/learning.js';
import { standardisedInSteps } from '../samples/standardise.js';
import { areColumns, type Cells, type ColumnsLike, type RecordLike, recordsOf } from '../samples/table.js';
import { areSparseRows, atOnce, type Csr, csrParts, featureRows, finiteRows, inSteps } from '../tensor/csr.js';
import { breathe, type MatrixLike, pause, type RowSource, rowsOf, turn } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import { type Answer, answerOf, type EvaluationOf, type Prediction } from './answer.js';
import { finiteChunk, locate } from './finite.js';
import { judgeable, labelledRows, readingOf, recordRows, rowsRead, storedRows } from './labelled.js';
import { loadModelFile } from './model-file.js';
import { isOne, isSparseOne, type NamedPrediction, type OnePrediction, onlyOf, type PlainRow } from './one.js';
import { encodeOnnx } from './onnx/export.js';
import type { OnnxOptions } from './options.js';
import type { ModelParts } from './parts.js';
import { codesOf, type Quantisation, quantisationText } from './quantisation.js';
import { type ModelSummary, TrainedNetwork } from './trained.js';

/** Entries that one call of the addon takes: enough to be fast, few enough not to hold up the event loop. */
const CHUNK_ENTRIES = 2 ** 19;
/** Products of a weight and a value that take as long as handing samples to another thread and back, or less. */
const FEW_PRODUCTS = 2 ** 22;
/** What an abort ends, as errors call it. */
const READING_ROWS = 'Reading the rows';
/** A softmax here takes about as long as so many numbers take to be copied. */
const SOFTMAX_COST = 32;

/** A trained multilayer perceptron: predict, evaluate, save. Work runs off the event loop. */
export class Model<L extends Loss = Loss> extends TrainedNetwork<'perceptron', NativeTrainedNetwork, L> {
  /** `biases[l − 1]` is b_l. */
  readonly biases: readonly Numbers[];
  /** The columns of the table that it was trained on, and how their values become inputs. */
  readonly columns?: readonly Column[];
  /** Of weights that lie on a grid, as `compress` leaves them. */
  readonly quantisation?: Quantisation;

  /**
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_DETACHED
   */
  constructor(parts: ModelParts<L>) {
    super('perceptron', parts);
    this.biases = parts.biases;
    const { columns, quantisation } = parts;
    Object.assign(this, present({ columns, quantisation }));
  }

  override toJSON(): ModelSummary {
    const columns = this.columns?.map(({ name }) => name);
    return { ...super.toJSON(), ...present({ columns }) };
  }

  protected override get parameters(): number {
    return super.parameters + this.biases.reduce((sum, { length }) => sum + length, 0);
  }

  /**
   * Reads a model file, checking every byte.
   *
   * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT
   */
  static async load(path: string | URL): Promise<Model> {
    return new Model(await loadModelFile(path, 'perceptron'));
  }

  /** @internal */
  static is(value: unknown): value is Model {
    return typeof value === 'object' && value !== null && #weightsPerInput in value;
  }

  /**
   * What the model says of one sample (a record, a plain array of n_0 numbers, or a sparse row): its label with its probability, or its value;
   * or of many (records, rows, a matrix, a table, columns by their names, a stream, a file): their outputs, labels and probabilities. A few samples are answered
   * at once, in less time than it takes to hand them to another thread; more of them off the event loop. Any number of calls may
   * be under way, and what is said of a sample has the same bits in all of them. Features are taken as they were given to the
   * training: what was learnt there to standardise them is applied here.
   *
   * @throws DlAdmmError ERR_DLADMM_SHAPE, ERR_DLADMM_ARGUMENT, ERR_DLADMM_NON_FINITE, ERR_DLADMM_DETACHED, ERR_DLADMM_CLOSED;
   *   ERR_DLADMM_STREAM, ERR_DLADMM_FORMAT, ERR_DLADMM_LABEL for samples in a stream or a table
   */
  async predict(x: PlainRow, options?: Pick<TableReading, 'signal'>): Promise<OnePrediction<L>>;
  async predict(
    x: RowsLike | ReadonlyMap<string, readonly unknown[]> | Frame | StoredSamples | string | URL,
    options?: TableReading,
  ): Promise<Prediction<L>>;
  async predict<R extends RecordLike>(
    x: R,
    options?: Pick<TableReading, 'target' | 'ignore' | 'signal'>,
  ): Promise<NamedPrediction<R, L>>;
  async predict(
    x: RowsLike | ColumnsLike | Frame | StoredSamples | RecordLike | string | URL,
    options: TableReading = {},
  ): Promise<Prediction<L> | OnePrediction<L>> {
    const one = !StoredSamples.is(x) && !isFile(x) && isOne(x, this.columns);
    const prediction = await this.call(async () => {
      using stored = await storeOf(x);
      const reading = readingOf(stored?.store ?? (one ? [x] : x), options);
      const { signal } = reading;
      // Who asks in a loop for a few samples after the other must not keep the event loop from turning.
      const pausing = pause();
      if (pausing) await pausing;
      throwIfAborted(signal, READING_ROWS);
      const rows = stored
        ? storedRows(stored.store, this)
        : ((await rowsRead(one ? [x] : x, this, options, reading)) ?? (one ? this.#rowsOf(x) : (x as RowsLike)));
      const source = await inSteps(this.#prepared(await arrivingRows(rows, this.#arrival(signal), 'x')));
      const answer = answerOf(this.network, this.dtype, source.rows, this);
      await this.#eachChunk(source, signal, async (first, chunk) => {
        const now = isNumbers(chunk) && chunk.length * this.#weightsPerInput <= FEW_PRODUCTS;
        answer.put(first, now ? this.native.predictNow(chunk) : await this.native.predict(chunk));
      });
      return answer.prediction() as Prediction<L>;
    });
    return one ? (onlyOf(prediction, this.threshold) as OnePrediction<L>) : prediction;
  }

  /**
   * What {@link predict} resolves to, at once: for the few samples of a request. Many hold up the event loop.
   *
   * @throws DlAdmmError as {@link predict} rejects with
   */
  predictSync(x: PlainRow): OnePrediction<L>;
  predictSync(x: MatrixLike | Csr | readonly RecordLike[] | ReadonlyMap<string, readonly unknown[]>): Prediction<L>;
  predictSync<R extends RecordLike>(x: R): NamedPrediction<R, L>;
  predictSync(
    x: MatrixLike | Csr | ColumnsLike | readonly RecordLike[] | RecordLike | readonly number[],
  ): Prediction<L> | OnePrediction<L> {
    this.checkOpen();
    if (StoredSamples.is(x)) throw expected('rows in memory (predict takes a store too)', 'x', x.path);
    const source = atOnce(this.#prepared(featureRows(this.#rowsOf(x), this.inputs, 'x')));
    const answer = answerOf(this.network, this.dtype, source.rows, this);
    for (const [first, part] of source.sparse ? csrParts(source.sparse) : this.#parts(source)) {
      try {
        answer.put(first, this.native.predictNow(part));
      } catch (error) {
        throw locate(error, source, first, this);
      }
    }
    const prediction = answer.prediction() as Prediction<L>;
    return isOne(x, this.columns) ? (onlyOf(prediction, this.threshold) as OnePrediction<L>) : prediction;
  }

  /**
   * The model as ONNX: input `x`, samples × n_0, in float32; output `probabilities` for the cross-entropies, `outputs` for the other losses.
   *
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_NON_FINITE, ERR_DLADMM_MEMORY
   */
  toOnnx(options?: OnnxOptions): Uint8Array {
    return encodeOnnx(this, options);
  }

  /**
   * How good the model is on samples whose classes or values are known: the loss, and what else the task asks for. Plain data;
   * `String(await model.evaluate(…))` is a table.
   *
   * @throws DlAdmmError as {@link predict}, and ERR_DLADMM_LABEL
   */
  async evaluate(samples: SamplesLike, options: TableReading = {}): Promise<EvaluationOf<L>> {
    return this.call(async () => {
      const { answer, truth, loss, notes } = await this.#judged(samples, options);
      return warned(await answer.evaluation(truth, loss), notes) as EvaluationOf<L>;
    });
  }

  /**
   * The same model with the threshold between its two classes that is best for these samples, which should not be those it was
   * trained on: by F1, by what either mistake costs, or by recall at a precision. It is kept in the model's file.
   *
   * @throws DlAdmmError as {@link evaluate}, and ERR_DLADMM_ARGUMENT where there are no two classes with probabilities, or no
   *   threshold keeps the rule
   */
  async tuneThreshold(samples: SamplesLike, by: ThresholdRule = 'f1', options: TableReading = {}): Promise<Model<L>> {
    const { answer, truth } = await this.call(() => this.#judged(samples, options));
    const { probabilities } = await turn(answer.prediction());
    if (probabilities?.columns !== 2) {
      throw expected('a model of two classes with probabilities', 'tuneThreshold', this.network.loss);
    }
    const { data } = probabilities;
    const second = await turn(new Float64Array(data.length / 2).map((_, i) => data[2 * i + 1] as number));
    const threshold = await this.call(() => chooseThreshold(truth as Int32Array, second, by));
    return new Model({ ...partsOf(this), threshold });
  }

  /**
   * The same model of classes without probabilities (hinge, one-hot squared error) with probabilities: Platt's sigmoid of its scores, learnt on
   * these samples, which should not be those it was trained on. It is kept in the model's file, and in ONNX.
   *
   * @throws DlAdmmError as {@link evaluate}, and ERR_DLADMM_ARGUMENT for a loss that has probabilities or no classes, and for samples of one class
   */
  async calibrate(samples: SamplesLike, options: TableReading = {}): Promise<Model<L>> {
    const { loss } = this.network;
    if (!classifies(loss) || hasProbabilities(loss)) {
      throw expected("a model of classes without probabilities (hinge or 'one-hot-squared-error')", 'calibrate', loss);
    }
    const { answer, truth } = await this.call(() => this.#judged(samples, options));
    const { threshold: _, ...parts } = partsOf(this);
    const { outputs } = await turn(answer.prediction());
    const calibration = await learnCalibration(truth as Int32Array, outputs, this.classCount);
    return new Model<L>({ ...parts, calibration });
  }

  /** What the model is and what it takes in, in words: its network, what it tells, and what becomes of each column. */
  describe(): string {
    const {
      network,
      classes,
      classCount: count,
      columns,
      inputs,
      target = 'the target',
      threshold,
      calibration,
      standardisation,
      quantisation,
    } = this;
    const { loss } = network;
    const named = goalOf(loss) === 'values' ? 'values' : (classes?.join(', ') ?? `${count} ${goalOf(loss)}`);
    const told = [
      ...[`${typeof target === 'object' ? target.join(', ') : target}: ${named}`],
      ...(threshold === undefined ? [] : [`the second from a probability of ${threshold} on`]),
      ...(calibration ? [`probabilities by a sigmoid of the scores, with slopes ${calibration.slope.join(', ')}`] : []),
    ];
    return [
      networkText(network),
      told.join('; '),
      ...(quantisation ? [quantisationText(quantisation)] : []),
      ...(columns ? columnsText(columns, standardisation !== undefined) : [`${inputs} numbers`]),
    ].join('\n');
  }

  /** What the model says of samples, what is true, and the mean loss. */
  async #judged(
    samples: SamplesLike,
    options: TableReading,
  ): Promise<{ answer: Answer; truth: Int32Array | Matrix; loss: number; notes: readonly ColumnNote[] }> {
    using stored = await storeOf(samples);
    const { arrived, notes } = await this.#arrived(await judgeable(samples, stored?.store, this), options);
    const { x, labels: given, classes, y: values } = arrived;
    const source = await inSteps(this.#prepared(x));
    const { rows } = source;
    const labels = classifies(this.network.loss)
      ? await turn(classNumbers(given, classes, this, rows, this.classCount, 'labels'))
      : undefined;
    if (values && values.rows !== rows) {
      throw expected(`${rows} rows, one a sample,`, 'y', values.rows, 'ERR_DLADMM_SHAPE');
    }
    const { targetStandardisation: targets, outputs: columns } = this;
    const y = new Float64Array(labels ? 0 : rows * columns);
    const answer = answerOf(this.network, this.dtype, rows, this);
    let loss = 0;
    await this.#eachChunk(source, options.signal, async (first, chunk, count) => {
      const wanted =
        labels?.subarray(first, first + count) ?? finiteChunk(values as RowSource, first, count, this.dtype);
      if (!labels) y.set(wanted as Numbers, first * columns);
      const outputs = await this.native.predict(chunk);
      answer.put(first, outputs);
      loss += targets
        ? lossInUnits(this.network, outputs, wanted, targets)
        : (await this.native.evaluate(chunk, wanted)).loss;
    });
    return { answer, truth: labels ?? { data: y, rows, columns }, loss: loss / rows, notes };
  }

  /** Samples as the columns of this model take them in, before they are standardised. @internal */
  async arrived(samples: SamplesLike, options: TableReading = {}): Promise<Arrived> {
    return (await this.#arrived(samples, options)).arrived;
  }

  async #arrived(
    samples: SamplesLike,
    options: TableReading,
  ): Promise<{ readonly arrived: Arrived; readonly notes: readonly ColumnNote[] }> {
    const reading = readingOf(samples, options, areSamples(samples));
    throwIfAborted(reading.signal, READING_ROWS);
    const { data, notes = [] } = areSamples(samples)
      ? { data: samples }
      : await labelledRows(samples, this, options, reading);
    return { arrived: await arrivingSamples(data, this.#arrival(reading.signal), ''), notes };
  }

  /** Weights in all over inputs. */
  get #weightsPerInput(): number {
    return this.weights.reduce((sum, { length }) => sum + length, 0) / this.inputs;
  }

  /** What samples must be like. */
  #arrival(signal: AbortSignal | undefined): ArrivalRules {
    const { network, dtype, columns, standardisation, targetStandardisation } = this;
    return {
      network,
      dtype,
      exact: standardisation !== undefined,
      exactTargets: targetStandardisation !== undefined,
      ...(this.classes && { labels: this.classes }),
      ...(columns ? { columns } : { nameless: 'the model' }),
      ...(signal && { signal }),
    };
  }

  *#prepared(source: RowSource): Generator<void, RowSource, undefined> {
    yield* finiteRows(source, this.dtype);
    return yield* standardisedInSteps(source, this.standardisation, this.dtype);
  }

  protected open(options: NativeNetworkOptions): NativeTrainedNetwork {
    const { scales, activations } = this.quantisation ?? {};
    const handle = new native.TrainedNetwork({ ...options, quantised: activations !== undefined });
    for (const [i, weights] of this.weights.entries()) {
      const [biases, of, into] = [this.biases[i] as Numbers, scales?.[i], activations?.[i]];
      if (of && into) handle.setCodes(i + 1, codesOf(weights, of), biases, of, into.scale, into.zero);
      else handle.setLayer(i + 1, weights, biases);
    }
    return handle;
  }

  async #eachChunk(
    source: RowSource,
    signal: AbortSignal | undefined,
    work: (first: number, chunk: Numbers | NativeCsr, count: number) => Promise<void>,
  ): Promise<void> {
    const unlessAborted: typeof work = async (...chunk) => {
      throwIfAborted(signal, READING_ROWS);
      return work(...chunk);
    };
    const each = signal ? unlessAborted : work;
    for (const [first, part] of source.sparse ? csrParts(source.sparse) : []) await each(first, part, part.rows);
    if (source.sparse) return;
    if (source.each) {
      return source.each((chunk, first, count) =>
        each(first, chunk, count).catch((error: unknown) => Promise.reject(locate(error, source, first, this))),
      );
    }
    let chunk: Numbers | undefined;
    for (const [first, count] of this.#chunks(source)) {
      try {
        chunk = await rowsOf(source, first, count, chunk);
        await each(first, chunk, count);
      } catch (error) {
        throw locate(error, source, first, this);
      }
      source.release?.(first + count);
      if (first + count < source.rows) await breathe();
    }
  }

  /** First row and numbers of each chunk. */
  *#parts(source: RowSource): Generator<readonly [first: number, chunk: Numbers], void, undefined> {
    for (const [first, count] of this.#chunks(source)) yield [first, source.chunk(first, count)];
  }

  /** First row and number of rows of each chunk. */
  *#chunks({ rows, columns }: RowSource): Generator<readonly [first: number, count: number], void, undefined> {
    const step = Math.max(1, Math.floor(CHUNK_ENTRIES / (columns + SOFTMAX_COST * this.outputs)));
    for (let first = 0; first < rows; first += step) yield [first, Math.min(step, rows - first)];
  }

  /** One sample as rows, and records as the columns of the model take them in; anything else is rows already. */
  #rowsOf(x: unknown): MatrixLike {
    const { columns, inputs } = this;
    if (isSparseOne(x, columns)) return [x] as unknown as MatrixLike;
    if (isOne(x, columns)) {
      if (!Array.isArray(x)) return recordRows(columns, [x as Cells]);
      if (columns && x.length !== inputs) {
        const names = columns.slice(0, 20).map(({ name }) => name);
        throw expected(`a record { ${names.join(', ')} }, or its ${inputs} inputs,`, 'x', x, 'ERR_DLADMM_SHAPE');
      }
      return [x as readonly number[]];
    }
    if (isRecord(x) && areColumns(x)) return recordRows(columns, recordsOf(x));
    return Array.isArray(x) && isRecord(x[0]) && !areSparseRows(x) ? recordRows(columns, x) : (x as MatrixLike);
  }
}

/** What a model is made of, without what it is not told of. */
const partsOf = <L extends Loss>({ kind: _, ...parts }: Model<L>): ModelParts<L> => parts;
