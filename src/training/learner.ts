import { checkObject } from '../core/checks.js';
import { DISPOSE } from '../core/dispose.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { type Dtype, type NativeState, native } from '../core/native.js';
import { pathOf } from '../core/objects.js';
import { packageVersion } from '../core/package.js';
import { reader } from '../formats/reader.js';
import { Model } from '../model/model.js';
import type { ModelParts } from '../model/parts.js';
import { classifies, type Loss } from '../network/network.js';
import { evaluationSet, type Learnt } from '../samples/arrival.js';
import { type LabelledSamples, loadSamples, samplesOf, TRAINING_SET } from '../samples/samples.js';
import { SAMPLE_SOLVERS, type SampleSolver } from '../solvers/index.js';
import type { Course } from '../solvers/shared/course.js';
import { type AnySolver, chosenSolver } from '../solvers/shared/descriptor.js';
import type { CheckpointRecord, EpochRecord } from '../solvers/shared/record.js';
import type { Csr } from '../tensor/csr.js';
import {
  fillState,
  type OpenCheckpoint,
  openCheckpoint,
  passingCheckpoint,
  writeCheckpoint,
} from './checkpoint/file.js';
import { kernelHere, storedOptionsOf } from './checkpoint/options.js';
import { lookInto, type ResumeOptions } from './checkpoint/resumed-options.js';
import { networkIn, type StoredTraining, saidIn, storedLearnt } from './checkpoint/stored-training.js';
import { replaced, storedModel } from './checkpoint/take-up.js';
import type { OptionsFor } from './fit.js';
import { checkSettled, isSettled, readyFor, type Settled, settledBy, taughtTo } from './going-on.js';
import type { Rows } from './options.js';
import { type Plan, planOf } from './plan.js';
import type { TrainingData } from './result.js';

/** The solvers whose iterations are epochs: those that learn from batches. */
export type BatchSolver = Extract<
  SampleSolver,
  { readonly splitting: { readonly can: { readonly epochs: true } } }
>['name'];

/** What says how a stream of batches is learnt from; what a whole training decides (epochs, early stopping) is left to who calls. */
export type LearnerOptions<S extends BatchSolver | AnySolver = 'minibatch-admm'> = Omit<
  OptionsFor<S>,
  Settled | Unbounded
>;

/** What was learnt from some rows. */
export interface LearnerRecord {
  /** Steps in all, those of earlier rows included, and those of these rows. */
  readonly step: number;
  readonly steps: number;
  /** The mean loss over these rows, each at the parameters that its step began with; NaN where they diverged. */
  readonly loss: number;
  readonly seconds: number;
  /**
   * A value was not finite: the parameters are the last finite ones, and what the solver remembered is as new.
   */
  readonly diverged: boolean;
}

const UNBOUNDED = [
  'iterations',
  'epochs',
  'earlyStopping',
  'evaluateEvery',
  'trainMetrics',
  'checkpoint',
  'distributed',
  'signal',
  'onIteration',
  'learningRateSchedule',
  'warmUp',
] as const;
/** What the options of a training have that nobody decides who only calls. */
type Unbounded = (typeof UNBOUNDED)[number];

/**
 * A model that learns from a stream: rows as they come, each call one visit to its rows, batch by batch, in their order. The optimiser's
 * memory and the count of steps go on from call to call: k calls do what one training over the same batches does, bit for bit.
 */
export class Learner<L extends Loss = Loss> {
  readonly #model: Model<L>;
  readonly #options: object;
  readonly #plan: Plan<EpochRecord>;
  readonly #learnt: Learnt;
  /** Whether the features that lie in the state are sparse. */
  #sparse = false;
  #course: Course<EpochRecord> | undefined;
  #calls = 0;
  #steps = 0;
  #diverged = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** Use `model.learner`. @internal */
  constructor(model: Model<L>, options: object) {
    checkObject(options, 'an object', 'options');
    checkSettled(options);
    const given = options as Readonly<Record<string, unknown>>;
    const bad = UNBOUNDED.find((key) => given[key] !== undefined);
    if (bad) throw expected('none, as a stream has no end and the calls are yours,', bad, given[bad]);
    const { solver = 'minibatch-admm', shuffle = false, learningRate } = given;
    this.#model = model;
    const found = chosenSolver(solver, SAMPLE_SOLVERS, 'samples');
    if (!found.splitting.can.epochs) throw expected('a solver that learns from batches', 'solver', found.name);
    const steady = {
      ...('learningRateSchedule' in found.options &&
        typeof learningRate !== 'function' && { learningRateSchedule: 'constant' }),
      ...('warmUp' in found.options && { warmUp: 0 }),
    };
    this.#options = { ...options, solver, shuffle, ...steady, ...settledBy(model as Model) };
    this.#plan = planOf<EpochRecord>(this.#options);
    this.#learnt = taughtTo(model as Model);
  }

  /** Steps (batches) in all. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Learns from rows: records, a table, a stream, a file, or `{ x, labels }` and `{ x, y }`. What is refused leaves no trace. Calls wait for
   * each other.
   *
   * @throws DlAdmmError as `fit` for the rows; ERR_DLADMM_LABEL for a class that the model does not have; ERR_DLADMM_CLOSED
   */
  partialFit(data: Rows | TrainingData): Promise<LearnerRecord> {
    return this.#next(async () => {
      using ready = await readyFor(this.#model as Model, data, { holdsOut: false });
      const { validation: _, test: __, target: ___, ...samples } = ready.data;
      const taken = await evaluationSet(samples, this.#plan, this.#learnt, 'data', { weighs: true });
      const course = await this.#courseOn(taken.samples);
      const began = performance.now();
      const advance = await course.advance(this.#calls + 1);
      // A call that failed, as a function of the caller's may, has taught nothing.
      this.#calls += 1;
      const seconds = (performance.now() - began) / 1000;
      if (advance.kind === 'stopped') throw new DlAdmmError('ERR_DLADMM_CLOSED', 'The learner has been closed');
      if (advance.kind === 'diverged') {
        this.#diverged = this.#calls;
        this.#steps = 0;
        return { step: 0, steps: 0, loss: Number.NaN, seconds, diverged: true };
      }
      this.#diverged = 0;
      const { steps, loss } = advance.progress;
      this.#steps += steps;
      return { step: this.#steps, steps, loss, seconds, diverged: false };
    });
  }

  /** The model as it is now, a copy: predictions go on undisturbed, whatever is learnt later. */
  model(): Promise<Model<L>> {
    return this.#next(async () => {
      const { network, dtype } = this.#model;
      const { weights, biases } = this.#model;
      const parameters = (await this.#course?.session.parameters()) ?? { weights, biases };
      const diverged = this.#diverged > 0 && { diverged: { iteration: this.#diverged } };
      return new Model<L>({ network, dtype, ...this.#learnt, ...parameters, ...diverged });
    });
  }

  /**
   * Writes a checkpoint: the parameters, what the solver remembers, and what the model knows of its columns and classes. `loadLearner` goes on
   * from it, bit for bit.
   *
   * @throws DlAdmmError ERR_DLADMM_FILE; ERR_DLADMM_STATE before the first rows, as there is but the model to save
   */
  save(to: string | URL): Promise<CheckpointRecord> {
    const path = pathOf(to);
    return this.#next(async () => {
      const course = this.#course;
      if (course === undefined) {
        const text = 'Expected partialFit() before save(): until then the model is all there is';
        throw new DlAdmmError('ERR_DLADMM_STATE', text);
      }
      const began = performance.now();
      const training: StoredTraining = {
        version: packageVersion(),
        kernel: kernelHere(),
        options: storedOptionsOf(this.#options, this.#plan),
        iteration: this.#calls,
        elapsed: 0,
        samples: course.session.samples,
        problem: 'stream',
        data: { train: '' },
        learnt: storedLearnt(this.#learnt),
        kept: false,
        ...(this.#sparse && { sparse: true }),
        memory: course.memory(),
      };
      const bytes = await writeCheckpoint(path, course.session.native, { training, kept: false, extras: [] });
      return { path, bytes, seconds: (performance.now() - began) / 1000 };
    });
  }

  /** Ends what is under way and gives the memory back; models that were made of it stay. */
  close(): void {
    this.#closed = true;
    this.#course?.session.stop();
    this.#course?.session.close();
  }

  /** As `close`, at the end of a `using` block. */
  [DISPOSE](): void {
    this.close();
  }

  /** Goes on from a checkpoint that has been looked into. @internal */
  async takeUp(from: OpenCheckpoint, { samples: rows, iteration, memory, sparse }: StoredTraining): Promise<void> {
    const { layers, loss } = this.#plan.network;
    const [inputs = 0, outputs = 0] = [layers[0], layers.at(-1)];
    // The order of the samples has a number for each of them: no count is believed that the file does not bear out.
    const order = from.sections.find(({ name }) => name === 'order');
    if (order?.bytes !== rows * Uint32Array.BYTES_PER_ELEMENT) {
      throw new DlAdmmError(
        'ERR_DLADMM_FORMAT',
        `${from.path} is no checkpoint of a learner: it has no order of ${rows} samples`,
      );
    }
    const nothing = (columns: number) => ({ data: new Float32Array(rows * columns), rows, columns });
    const course = await saidIn(from.path, () =>
      this.#plan.open({
        // Sparse rows may be so wide that as many dense ones fit nowhere.
        x: sparse ? noEntries(rows, inputs) : nothing(inputs),
        ...(classifies(loss) ? { labels: new Int32Array(rows) } : { y: nothing(outputs) }),
      }),
    );
    this.#course = course;
    this.#sparse = sparse === true;
    await fillState(from, course.session.native, false, []);
    await saidIn(from.path, () => course.recall(memory));
    this.#calls = iteration;
    this.#steps = (course.memory() as { readonly steps: number }).steps;
  }

  /** One call after the other. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(() => {
      if (this.#closed) throw new DlAdmmError('ERR_DLADMM_CLOSED', 'The learner has been closed');
      return work();
    });
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** The state with other samples in it. Where there are as many as before they take their place, unless they are sparse: those are of any size. */
  async #courseOn(samples: LabelledSamples): Promise<Course<EpochRecord>> {
    const before = this.#course;
    const own = samplesOf(this.#plan.network, samples, 'data');
    const { rows, sparse } = own.source;
    if (before?.session.samples === rows && sparse === undefined && !this.#sparse) {
      const { weights = new Float64Array(rows).fill(1) } = own;
      await loadSamples(before.session.native as NativeState, TRAINING_SET, { ...own, weights });
      return before;
    }
    const course = await this.#plan.open(samples);
    try {
      if (before) await handOver(before, course);
      else {
        const { weights, biases } = this.#model;
        await course.session.writeParameters({ weights, biases });
        await course.start();
      }
    } catch (error) {
      course.session.close();
      throw error;
    }
    this.#course = course;
    this.#sparse = sparse !== undefined;
    before?.session.close();
    return course;
  }
}

/** Sparse rows in which nothing stands. */
const noEntries = (rows: number, columns: number): Csr => ({
  ...{ data: new Float32Array(0), indices: new Int32Array(0), indptr: new Float64Array(rows + 1) },
  ...{ rows, columns },
});

/** Moves what a solver remembers to a state of other samples: all of it but the order that those are visited in. */
async function handOver(from: Course<EpochRecord>, to: Course<EpochRecord>): Promise<void> {
  const opened = await passingCheckpoint(from.session.native);
  try {
    await fillState(await inOrder(opened, to.session.samples), to.session.native, false, []);
    await to.recall(from.memory());
  } finally {
    await opened.file.close();
  }
}

/** The state in a file of one's own with so many samples, as they lie. */
async function inOrder(from: OpenCheckpoint, rows: number): Promise<OpenCheckpoint> {
  const bytes = new Uint8Array(Uint32Array.from({ length: rows }, (_, i) => i).buffer);
  await from.file.write(bytes, 0, bytes.length, from.bytes);
  const hash = new native.Hash64();
  hash.update(bytes);
  const order = { name: 'order', offset: from.bytes, bytes: bytes.length, checksum: hash.digest() };
  return { ...from, sections: from.sections.map((section) => (section.name === 'order' ? order : section)) };
}

/**
 * Goes on from where {@link Learner.save} was called, bit for bit. `options` are as of `resume`: a learning rate that was a function, a solver
 * of one's own, `threads`, `inexact`.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT, ERR_DLADMM_CHECKPOINT
 */
export const loadLearner = reader(
  async (
    path: string,
    options: Pick<ResumeOptions, 'learningRate' | 'sweep' | 'solver' | 'threads' | 'inexact'> = {},
  ): Promise<Learner> => {
    const { identity, training, merged } = await lookInto(path, options);
    if (training.problem !== 'stream') {
      const text = `Expected the checkpoint of a learner but ${path} is a training's: resume goes on from it`;
      throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
    }
    const network = networkIn(training.options);
    const { dtype, checkpoint: _, ...rest } = merged as { readonly dtype: Dtype; readonly checkpoint?: unknown };
    const own = Object.fromEntries(
      Object.entries(rest).filter(
        ([key]) => !isSettled(key) && !(key in network) && !(UNBOUNDED as readonly string[]).includes(key),
      ),
    );
    const model = await saidIn(path, async () => {
      const stored = await storedModel({ path, identity, training, layers: network.layers.length - 1 }, dtype);
      return new Model({ network, dtype, ...stored?.learnt, ...stored?.parameters } as ModelParts);
    });
    const learner = new Learner(model, own);
    const from = await openCheckpoint(path);
    try {
      if (from.identity !== identity) throw replaced(path);
      await learner.takeUp(from, training);
    } catch (error) {
      learner.close();
      throw error;
    } finally {
      await from.file.close();
    }
    return learner;
  },
  'safetensors',
);
