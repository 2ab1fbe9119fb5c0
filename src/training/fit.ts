import { checkObject } from '../core/checks.js';
import { expected } from '../core/errors.js';
import { isRevoked } from '../core/objects.js';
import type { StoredSamples } from '../formats/sample-file.js';
import type { GraphModel } from '../model/graph-model.js';
import type { Model } from '../model/model.js';
import type { Loss } from '../network/network.js';
import type { Option, OptionsOf } from '../network/schema.js';
import type { ColumnPlace } from '../samples/features.js';
import { type GraphSamples, isGraph } from '../samples/graph-samples.js';
import { areLists, type LabelLists } from '../samples/label-lists.js';
import type { TargetPlaces, Task } from '../samples/targets.js';
import type { GraphSolver, SampleSolver } from '../solvers/index.js';
import type { AnySolver, OwnOptions, RecordOf } from '../solvers/shared/descriptor.js';
import type { CommonOptions, CommonSchema } from '../solvers/shared/options.js';
import type { EpochRecord, ProgressRecord } from '../solvers/shared/record.js';
import { type AutoResult, AutoTraining, isFront } from './automatic.js';
import { storedOptionsOf } from './checkpoint/options.js';
import type { AUTO, FrontOptions, Rows } from './options.js';
import { planOf } from './plan.js';
import type { FitResult, TrainingData } from './result.js';
import { Training } from './training.js';
import { checkWatched } from './watching.js';

/** A training by any solver. */
export type AnyTraining = Training<RecordOf<SampleSolver>>;
/** A training on a graph by any solver. */
export type GraphTraining = Training<RecordOf<GraphSolver>, GraphModel>;

type AnyModel = Model | GraphModel;
type Named<Of extends { readonly name: string }> = Of['name'] | AnySolver;
type ByName<Of extends { readonly name: string }, S> = S extends string ? Extract<Of, { readonly name: S }> : S;

/** The options of a solver, which is named or given as it is; dlADMM where it is left out. */
export type OptionsFor<S, Of extends { readonly name: string } = SampleSolver> = {
  readonly solver?: S;
} & OwnOptions<ByName<Of, S>>;

/** The loss of a solver where nobody says which. */
type LossFor<S, Of extends { readonly name: string } = SampleSolver> =
  ByName<Of, S> extends { readonly options: { readonly loss: Option<infer _, infer __, infer ___, infer Std> } }
    ? Std & Loss
    : 'softmax-cross-entropy';

/** The record of a solver that is named or given as it is. */
export type RecordFor<S, Of extends { readonly name: string } = SampleSolver> = RecordOf<ByName<Of, S>>;

/** The keys that only trainings with a named solver take. */
type NamedKey = Exclude<keyof OptionsFor<'dladmm'>, keyof Unnamed<Loss>>;

interface Unnamed<L extends Loss>
  extends FrontOptions,
    Omit<CommonOptions<EpochRecord>, 'layers' | 'loss' | 'distributed'>,
    Omit<OptionsOf<typeof AUTO>, keyof CommonSchema> {
  /** Which system trains is decided by the rule of solvers/auto.ts. */
  readonly solver?: 'auto';
  readonly layers?: readonly number[];
  readonly loss?: L;
}

/** The options of a training that names no solver; what is not said is inferred. */
export type AutoOptions<L extends Loss = Loss> = Unnamed<L> & { readonly [K in NamedKey]?: never };

/** The options of a training of rows by a named solver. */
type RowOptions<S> = FrontOptions & Omit<OptionsFor<S>, 'layers'> & { readonly layers?: readonly number[] };

/** The options of a training of samples by a named solver that says what becomes of them before. */
type SampleOptions<S> = Omit<RowOptions<S>, Exclude<keyof FrontOptions, Before>>;
type Before = 'hidden' | 'validationShare' | 'validation' | 'test' | 'memory' | 'calibrate' | 'weights';

type Shaped = { readonly layers: readonly number[] } | { readonly hidden: readonly number[] };

type Classes = 'softmax-cross-entropy';
type Tags = 'sigmoid-cross-entropy';
/** The loss of samples where nobody says which: lists of labels are tags, labels classes, y values; a stream brings any of these. */
type LossOfSamples<D extends TrainingData> = D extends { readonly labels: LabelLists }
  ? Tags
  : D extends { readonly labels: NonNullable<TrainingData['labels']> }
    ? Classes
    : D extends { readonly y: NonNullable<TrainingData['y']> }
      ? 'squared-error'
      : Loss;
/** The same by a named solver, which has a loss of its own for labels. */
type LossOfTold<D extends TrainingData, S> = D extends { readonly labels: LabelLists }
  ? Tags
  : D extends { readonly y: NonNullable<TrainingData['y']> }
    ? 'squared-error'
    : LossFor<S>;
/** The loss of rows: the one that is named, else that of the task, where it is told. */
type RowsLoss<L extends Loss, T extends Task, C extends Loss, P = ColumnPlace> = [L] extends [never]
  ? [T] extends ['classification']
    ? C
    : [T] extends ['regression']
      ? 'squared-error'
      : [T] extends ['multi-label']
        ? Tags
        : P extends readonly ColumnPlace[]
          ? Tags | 'squared-error'
          : Loss
  : L;

/** What a call gives: a training that has begun, or one that is awaited to its end. */
type Given = 'training' | 'result';
type Plain<G extends Given, R extends ProgressRecord, M> = G extends 'training'
  ? Training<R, M>
  : Promise<FitResult<R, M>>;
type Auto<G extends Given, R extends ProgressRecord, M> = G extends 'training'
  ? AutoTraining<R, M>
  : Promise<AutoResult<R, M>>;

/** A store of samples, which knows its target. */
type Stored = StoredSamples | `${string}.samples`;

/** What may be trained on by which options, and what that gives. */
interface Trains<G extends Given> {
  <L extends Loss = Loss>(store: Stored, options?: AutoOptions<L>): Auto<G, EpochRecord, Model<L>>;
  <S extends Named<SampleSolver>, L extends Loss = Loss>(
    store: Stored,
    options: RowOptions<S> & { readonly solver: S; readonly loss?: L },
  ): Auto<G, RecordFor<S>, Model<L>>;
  <L extends Loss = never, T extends Task = Task, const P extends TargetPlaces = ColumnPlace>(
    rows: Rows,
    options: AutoOptions<L> & { readonly target: P; readonly task?: T },
  ): Auto<G, EpochRecord, Model<RowsLoss<L, T, Classes, P>>>;
  <D extends TrainingData, L extends Loss = LossOfSamples<D>>(
    data: D,
    options?: AutoOptions<L>,
  ): Auto<G, EpochRecord, Model<L>>;
  <S extends Named<GraphSolver> = 'dladmm', L extends Loss = LossFor<S, GraphSolver>>(
    data: GraphSamples,
    options: OptionsFor<S, GraphSolver> & { readonly loss?: L },
  ): Plain<G, RecordFor<S, GraphSolver>, GraphModel<L>>;
  <D extends TrainingData, S extends Named<SampleSolver> = 'dladmm', L extends Loss = LossOfTold<D, S>>(
    data: D,
    options: OptionsFor<S> & { readonly loss?: L },
  ): Plain<G, RecordFor<S>, Model<L>>;
  <D extends TrainingData, S extends Named<SampleSolver>, L extends Loss = LossOfTold<D, S>>(
    data: D,
    options: SampleOptions<S> & { readonly solver: S; readonly loss?: L } & Shaped,
  ): Auto<G, RecordFor<S>, Model<L>>;
  <
    S extends Named<SampleSolver>,
    L extends Loss = never,
    T extends Task = Task,
    const P extends TargetPlaces = ColumnPlace,
  >(
    rows: Rows,
    options: RowOptions<S> & { readonly target: P; readonly solver: S; readonly task?: T; readonly loss?: L },
  ): Auto<G, RecordFor<S>, Model<RowsLoss<L, T, LossFor<S>, P>>>;
}

/**
 * Begins a training. Options are checked here; data as the iteration begins.
 *
 *     for await (const record of training) console.log(record.iteration, record.loss, record.validation?.accuracy);
 *     const { model } = training.result;
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE for the options
 */
export const train = ((data: AnyData, options: object = {}) => begun(data, options)) as Trains<'training'>;

type AnyData = TrainingData | GraphSamples | Rows;
type BegunTraining = Training<ProgressRecord, AnyModel> | AutoTraining<ProgressRecord, AnyModel>;

function begun(data: AnyData, options: object): BegunTraining {
  checkObject(options, 'an object', 'options');
  if (isRevoked(data)) throw expected('samples', 'data', data);
  if (!isGraph(data) && isFront(data, options)) return new AutoTraining(data as Rows, options);
  const loss = (options as { readonly loss?: Loss }).loss ?? lossOf(data as Partial<TrainingData> | null);
  return begin(data as TrainingData, loss === undefined ? options : { ...options, loss });
}

/** The loss that samples speak for, where it is not that of the solver. */
function lossOf(data: Partial<TrainingData> | null): Loss | undefined {
  const { labels, y } = data ?? {};
  if (areLists(labels)) return 'sigmoid-cross-entropy';
  return labels === undefined && y !== undefined ? 'squared-error' : undefined;
}

/** As {@link train} with a named solver, where the compiler does not know which it is. */
export function begin<R extends ProgressRecord, M extends AnyModel>(
  data: TrainingData | GraphSamples,
  options: object,
): Training<R, M> {
  const plan = planOf<R>(options, isGraph(data) ? 'graph' : 'samples');
  checkObject(data, '{ x, labels }, { x, y } or { adjacency, features, labels, trainIndex }', 'data');
  checkWatched(data, plan);
  return new Training<R, M>(data, plan, storedOptionsOf(options, plan));
}

/**
 * Trains to the end and resolves to the model, its history and how the training ended; of a training that names no solver, and of
 * one of rows, to a report too.
 *
 *     const { model, report } = await fit(rows, { target: 'churned' });
 *
 * @param rows the path of a CSV, Parquet or Arrow file, records, a table, or a stream of records
 * @throws DlAdmmError rejects with any code that options or data can cause
 */
export const fit = (async (data: AnyData, options: object = {}): Promise<FitResult<ProgressRecord, AnyModel>> => {
  const training = begun(data, options);
  for await (const _ of training);
  return training.result;
}) as Trains<'result'>;
