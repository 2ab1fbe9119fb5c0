import { onAbort } from '../core/abort.js';
import { DlAdmmError } from '../core/errors.js';
import { present } from '../core/objects.js';
import type { Metric } from '../judging/metrics.js';
import { GraphModel } from '../model/graph-model.js';
import { Model } from '../model/model.js';
import { checkTaught } from '../model/parts.js';
import type { Metrics } from '../network/metrics.js';
import { powerOf } from '../network/network.js';
import type { Parameters } from '../network/parameters.js';
import { evaluationSet, type Learnt, trainingGraph, trainingSet } from '../samples/arrival.js';
import { type GraphSamples, isGraph } from '../samples/graph-samples.js';
import type { AnySession, Course, Watched } from '../solvers/shared/course.js';
import type { CheckpointRecord, ProgressRecord } from '../solvers/shared/record.js';
import type { IterationRecord } from '../solvers/shared/splittings/layered.js';
import type { AnyBlock } from '../solvers/shared/sweep.js';
import { turn } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import { withCalibration } from './calibrated.js';
import { type Keeper, openKeeper } from './checkpoint/keeper.js';
import { checkLearnt, checkValidation } from './checkpoint/samples.js';
import type { BestModel, Resumption, StoredFront, StoredTraining } from './checkpoint/stored-training.js';
import { type Beside, storedModel, takeUp } from './checkpoint/take-up.js';
import { type Company, companyOf } from './company.js';
import { emptiedBy } from './emptied.js';
import { checkSweeps, type Plan } from './plan.js';
import { type FitResult, nothingOf, onlyTrain, type Status, type TrainingData } from './result.js';
import { beforeOf, firstParameters } from './start.js';
import {
  addSets,
  bestWith,
  checkTold,
  type EvaluationSets,
  type Judge,
  judgeOfSamples,
  metricOf,
  metricsBy,
} from './watching.js';

/**
 * A training under way: an async iterable of iteration records that works while it is being iterated. Afterwards (or
 * after a `break`, or an abort) `result` has the model.
 */
export class Training<R extends ProgressRecord = IterationRecord, M = Model> implements AsyncIterable<R> {
  readonly #plan: Plan<R>;
  readonly #data: TrainingData | GraphSamples;
  readonly #options: StoredTraining['options'];
  readonly #from: Resumption | undefined;
  readonly #history: R[] = [];
  #course: Course<R> | undefined;
  #keeper: Keeper | undefined;
  #result: FitResult<R, M> | undefined;
  #best: BestModel | undefined;
  /** What a model that goes on knows of samples already. */
  readonly #taught: Learnt | undefined;
  readonly #front: StoredFront;
  #learnt: Learnt = {};
  /** Who judges what native code cannot: several targets, each in its own units, and most metrics. */
  readonly #judges = new Map<number | 'train', Judge>();
  #started = false;
  /** Iterations that have run to their end, and the last of them that was written out. */
  #done: number;
  #saved: number;
  #began = 0;
  #wanted = false;
  #measures = false;

  /**
   * Use {@link train}.
   *
   * @internal
   */
  constructor(
    data: TrainingData | GraphSamples,
    plan: Plan<R>,
    options: StoredTraining['options'],
    { from, taught, front = { holdsOut: false } }: Beside = {},
  ) {
    this.#data = data;
    this.#taught = taught;
    this.#front = front;
    this.#plan = plan;
    this.#options = options;
    this.#from = from;
    this.#done = from?.training.iteration ?? 0;
    this.#saved = this.#done;
  }

  /** The result, where there is one. @internal */
  get outcome(): FitResult<R, M> | undefined {
    return this.#result;
  }

  /** What the samples taught, once they have arrived. @internal */
  get learnt(): Learnt {
    return this.#learnt;
  }

  /** The model, and how the training went. @throws DlAdmmError ERR_DLADMM_STATE while it has not ended, or where it failed */
  get result(): FitResult<R, M> {
    if (this.#result === undefined) {
      throw new DlAdmmError('ERR_DLADMM_STATE', 'The training has no result yet: iterate over it to its end first');
    }
    return this.#result;
  }

  /**
   * A copy of a block of the present state, with its shape; between two records.
   *
   * @throws DlAdmmError ERR_DLADMM_STATE before the first record and after the last
   */
  async read(block: AnyBlock, layer: number): Promise<Matrix> {
    if (this.#course === undefined) {
      throw new DlAdmmError('ERR_DLADMM_STATE', 'A training can be looked into only while it is being iterated');
    }
    return this.#course.session.read(block, layer);
  }

  /**
   * The bytes that a checkpoint takes on the disk, but for a few kilobytes; between two records.
   *
   * @throws DlAdmmError ERR_DLADMM_STATE before the first record, and where there is no `checkpoint` among the options
   */
  get checkpointBytes(): number {
    if (this.#keeper === undefined) {
      throw new DlAdmmError('ERR_DLADMM_STATE', 'Expected a training with checkpoints that is being iterated');
    }
    return this.#keeper.bytes;
  }

  /**
   * Has every update measured: `updates` of the records then tell by how much each changed the augmented Lagrangian and the residuals (but
   * of matrix penalties, whose updates have a meaning only together). To be said before the loop. The iterates stay the same, bit for
   * bit: a second copy of the variables is measured, which takes their memory and several times as long, left out of `seconds`.
   *
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT where iterations are no sweeps of updates
   */
  measureUpdates(): this {
    checkSweeps(this.#plan);
    this.#measures = true;
    return this;
  }

  /** The samples or nodes that are learnt from; between two records. @internal */
  get samples(): number | undefined {
    return this.#course?.session.samples;
  }

  /** Has a checkpoint written after the iteration at work, where there is a `checkpoint` among the options. */
  checkpointSoon(): void {
    this.#wanted = true;
  }

  /** Trains, and yields a record an iteration; once. Leaving the loop ends the training, with a usable result. */
  async *[Symbol.asyncIterator](): AsyncGenerator<R, void, undefined> {
    if (this.#started) throw new DlAdmmError('ERR_DLADMM_STATE', 'A training can be iterated over only once');
    this.#started = true;
    const { signal } = this.#plan;
    this.#began = performance.now() - 1000 * (this.#from?.training.elapsed ?? 0);
    // Only between two iterations is there something that a checkpoint can hold: where one is missing, the one at work is awaited.
    const stop = (): void => {
      if (this.#plan.checkpoint === undefined || this.#saved === this.#done) this.#course?.session.stop();
    };
    const forget = onAbort(signal, stop);
    let status: Status = { kind: 'aborted' };
    let parametersReady = false;
    // Whether the state is that of the end of iteration `done`, and no other.
    let between = false;
    // Whether other ranks have to be told that this one ends.
    let leaves = false;
    let company: Company | undefined;
    try {
      company = await companyOf(this.#plan);
      const samples = await company.unlessAborted(signal, () => this.#arrive());
      if (samples === undefined) {
        this.#result = await this.#begun();
        return;
      }
      const share = await company.share(samples, this.#options, this.#learnt);
      const course = await company.alike(() => this.#plan.open(samples, share));
      this.#course = course;
      if (this.#measures) await company.alike(() => course.measureUpdates());
      await this.#start(course, company);
      parametersReady = true;
      const of = { data: this.#data, plan: this.#plan, learnt: this.#learnt, judges: this.#judges };
      const sets = await company.unlessAborted(signal, () => addSets(course.session, samples, of));
      if (sets === undefined) return;
      await this.#checkTold(course.session, sets);
      const { writes } = company;
      const decisive = this.#plan.earlyStopping && sets.validation;
      await company.alike(() => this.#checkFrom(course, decisive));
      await company.alike(() => this.#openKeeper(course, decisive, writes));
      status = this.#ending() ?? status;
      between = true;
      const parameters = () => course.session.parameters();
      while (status.kind === 'aborted' && !(await company.ends(signal?.aborted ?? false, this.#done, parameters))) {
        const iteration = this.#done + 1;
        between = false;
        const advance = await course.advance(iteration);
        if (advance.kind === 'stopped') break;
        if (advance.kind === 'diverged') {
          status = { ...advance, iteration };
          break;
        }
        // The model is of this iteration, whatever goes wrong from here on.
        this.#done = iteration;
        this.#history.push({ ...advance.progress, iteration, elapsed: this.#elapsed } as unknown as R);
        const record = await this.#record(course, sets, advance.progress, iteration);
        this.#history[this.#history.length - 1] = record;
        course.learn(record);
        between = true;
        status = this.#ending() ?? status;
        const checkpoint = await this.#saveIfDue(company, status.kind !== 'aborted');
        const told = checkpoint ? { ...record, checkpoint } : record;
        this.#history[this.#history.length - 1] = told;
        await this.#plan.onIteration?.(told);
        leaves = status.kind === 'aborted';
        yield told;
        leaves = false;
      }
    } catch (error) {
      leaves = false;
      // What all ranks write together they cannot after an error.
      between = between && company?.alone === true;
      await company?.failed(error);
      throw error;
    } finally {
      forget();
      if (leaves) await company?.leave();
      const course = this.#course as Course<R> | undefined;
      try {
        if (course && parametersReady) {
          const parameters = this.#best?.parameters ?? (await course.session.parameters());
          this.#result = this.#resultOf(this.#modelOf(parameters, this.#learnt, status), status);
        }
        // Left by the loop, the signal, or an error of the caller's.
        if (between && company && this.#done > this.#saved) await this.#save(company);
        const { calibrate } = this.#front;
        if (this.#result) this.#result = await withCalibration(this.#result, this.#data as TrainingData, calibrate);
      } finally {
        company?.release();
        this.#course = undefined;
        this.#keeper = undefined;
        course?.close();
        this.#from?.release?.();
      }
    }
  }

  get #elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }

  /** Takes in what is to be learnt from. */
  async #arrive() {
    const data = this.#data;
    const plan = this.#plan;
    const { samples, learnt, judged } = isGraph(data)
      ? { ...(await trainingGraph(data, plan)), judged: undefined }
      : this.#taught
        ? {
            ...(await evaluationSet(onlyTrain(data), plan, this.#taught, 'data', { weighs: true })),
            learnt: this.#taught,
          }
        : await trainingSet(data, plan, beforeOf(plan.initialisation, this.#from));
    // Nothing is left to be refused when there is a trained model to lose.
    checkTaught({ network: plan.network, dtype: plan.dtype, ...learnt });
    this.#learnt = learnt;
    if (judged) this.#judges.set('train', judgeOfSamples(plan, learnt, judged));
    return samples;
  }

  /** Gives the variables the values of the first iteration, or of the one after a checkpoint. */
  async #start(course: Course<R>, { alike }: Company): Promise<void> {
    if (this.#from) {
      this.#best = await takeUp(this.#from, course as Course<ProgressRecord>, alike);
      return;
    }
    await course.session.writeParameters(await turn(await firstParameters(this.#plan, this.#learnt)));
    await course.start();
  }

  /** What there is before samples have arrived: the model that the training begins with. */
  async #begun(): Promise<FitResult<R, M>> {
    const { classes, dtype } = this.#plan;
    const known: Learnt = this.#taught ?? (classes ? { classes } : {});
    const stored = this.#from && (await storedModel(this.#from, dtype));
    // A checkpoint of an earlier version does not say what the samples had taught.
    if (this.#from && stored === undefined) return nothingOf(this.#plan.signal, this.#elapsed, this.#done);
    const { parameters, learnt } = stored ?? { parameters: await firstParameters(this.#plan, known), learnt: known };
    return this.#resultOf(this.#modelOf(parameters, learnt), { kind: 'aborted' });
  }

  #modelOf(parameters: Parameters, learnt: Learnt, status?: Status): M {
    const { network, dtype, threads } = this.#plan;
    const diverged = status?.kind === 'diverged' && { diverged: { iteration: status.iteration } };
    const parts = { network, dtype, threads, ...learnt, ...parameters, ...diverged };
    // What the data are says which model it is.
    return (isGraph(this.#data) ? new GraphModel(parts) : new Model(parts)) as M;
  }

  #resultOf(model: M, status: Status): FitResult<R, M> {
    const warnings = this.#done > 0 ? emptiedBy(this.#options, model as unknown as Model) : undefined;
    const [iterations, history, seconds] = [this.#done, this.#history, this.#elapsed];
    return { model, status, iterations, history, seconds, ...present({ warnings }) };
  }

  /** How the training has ended, where it has. */
  #ending(): Status | undefined {
    const { earlyStopping, iterations } = this.#plan;
    const best = this.#best;
    if (earlyStopping && best && best.age >= earlyStopping.patience) {
      return { kind: 'early-stopped', bestIteration: best.iteration };
    }
    return this.#done >= iterations ? { kind: 'completed' } : undefined;
  }

  async #saveIfDue(company: Company, ended: boolean): Promise<CheckpointRecord | undefined> {
    if (this.#keeper === undefined) return undefined;
    const due = ended || this.#plan.signal?.aborted || this.#wanted || this.#keeper.due(this.#done);
    return (await company.any(due)) ? this.#save(company) : undefined;
  }

  async #save({ failed, any }: Company): Promise<CheckpointRecord | undefined> {
    this.#wanted = false;
    this.#saved = this.#done;
    const standing = { iteration: this.#done, elapsed: this.#elapsed, ...present({ best: this.#best }) };
    const saved = await this.#keeper?.save(standing).catch(async (error: unknown) => {
      await failed(error);
      throw error;
    });
    // One writes: the file is there for all when any goes on.
    if (this.#keeper) await any(false);
    return saved;
  }

  /** That what is gone on with was of the same samples. */
  async #checkFrom(course: Course<R>, validation: number | undefined): Promise<void> {
    if (this.#from === undefined) return;
    checkLearnt(this.#from, this.#learnt);
    await checkValidation(this.#from, course as Course<ProgressRecord>, validation);
  }

  async #openKeeper(of: Course<R>, validation: number | undefined, writes: boolean): Promise<void> {
    const { checkpoint: plan } = this.#plan;
    if (plan === undefined) return;
    const course = of as Course<ProgressRecord>;
    const problem = isGraph(this.#data) ? 'graph' : 'samples';
    const said = { options: this.#options, front: this.#front };
    const known = { learnt: this.#learnt, taught: this.#taught !== undefined, ...present({ validation }) };
    this.#keeper = await openKeeper({ plan, course, problem, writes, ...said, ...known });
  }

  /** Before any work: a metric that cannot be told of the validation set would never improve. */
  async #checkTold(session: AnySession, { validation }: EvaluationSets): Promise<void> {
    const metric = metricOf(this.#plan);
    if (metric && validation !== undefined) checkTold(await this.#evaluate(session, validation, metric), metric);
  }

  async #record(
    { session }: Course<R>,
    sets: EvaluationSets,
    progress: Omit<R, Watched>,
    iteration: number,
  ): Promise<R> {
    const { evaluateEvery, iterations, trainMetrics, needsTrainLoss } = this.#plan;
    const due = iteration % evaluateEvery === 0 || iteration === iterations;
    const metrics = async (name: 'train' | 'validation' | 'test', set: number | 'train' | undefined) => {
      const watched = name === 'validation' ? metricOf(this.#plan) : undefined;
      return set === undefined ? {} : { [name]: await this.#evaluate(session, set, watched) };
    };
    // Progress is R without what is added here.
    const record = {
      ...progress,
      iteration,
      ...(needsTrainLoss || (trainMetrics && due) ? await metrics('train', 'train') : {}),
      ...(due ? await metrics('validation', sets.validation) : {}),
      ...(due ? await metrics('test', sets.test) : {}),
      elapsed: this.#elapsed,
    } as unknown as R;
    this.#best = await bestWith(this.#best, this.#plan, record, () => session.parameters());
    return record;
  }

  /** Loss and accuracy of the network, and what is watched; of values in their units. */
  async #evaluate(session: AnySession, set: number | 'train', watched?: Metric): Promise<Metrics> {
    const judge = this.#judges.get(set);
    if (judge) return metricsBy(judge, await session.parameters(), watched);
    const { loss, ...metrics } = await session.evaluate(set);
    const { scale: [scale = 1] = [] } = this.#learnt.targetStandardisation ?? {};
    return { ...metrics, loss: loss / scale ** (powerOf(this.#plan.network.loss) ?? 0) };
  }
}
