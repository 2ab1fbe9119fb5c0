import { checkObject } from '../core/checks.js';
import type { GraphModel } from '../model/graph-model.js';
import type { Model } from '../model/model.js';
import type { Loss } from '../network/network.js';
import { type GraphSamples, isGraph } from '../samples/graph-samples.js';
import type { GraphSolver, SampleSolver } from '../solvers/index.js';
import type { AnySolver, OwnOptions, RecordOf } from '../solvers/shared/descriptor.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import type { Option } from '../solvers/shared/schema.js';
import { storedOptionsOf } from './checkpoint.js';
import { planOf } from './plan.js';
import type { FitResult, TrainingData } from './result.js';
import { checkWatched, Training } from './training.js';

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

/**
 * Begins a training. Options are checked here; data as the iteration begins.
 *
 *     for await (const record of training) console.log(record.iteration, record.lagrangian, record.test?.accuracy);
 *     const { model } = training.result;
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE for the options
 */
export function train<S extends Named<GraphSolver> = 'dladmm', L extends Loss = LossFor<S, GraphSolver>>(
  data: GraphSamples,
  options: OptionsFor<S, GraphSolver> & { readonly loss?: L },
): Training<RecordFor<S, GraphSolver>, GraphModel<L>>;
export function train<S extends Named<SampleSolver> = 'dladmm', L extends Loss = LossFor<S>>(
  data: TrainingData,
  options: OptionsFor<S> & { readonly loss?: L },
): Training<RecordFor<S>, Model<L>>;
export function train(data: TrainingData | GraphSamples, options: object): Training<ProgressRecord, AnyModel> {
  return begin(data, options);
}

/** As {@link train}, where the compiler does not know which solver it is. */
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
 * Trains to the end and resolves to the model, its history and how the training ended.
 *
 * @throws DlAdmmError rejects with any code that options or data can cause
 */
export async function fit<S extends Named<GraphSolver> = 'dladmm', L extends Loss = LossFor<S, GraphSolver>>(
  data: GraphSamples,
  options: OptionsFor<S, GraphSolver> & { readonly loss?: L },
): Promise<FitResult<RecordFor<S, GraphSolver>, GraphModel<L>>>;
export async function fit<S extends Named<SampleSolver> = 'dladmm', L extends Loss = LossFor<S>>(
  data: TrainingData,
  options: OptionsFor<S> & { readonly loss?: L },
): Promise<FitResult<RecordFor<S>, Model<L>>>;
export async function fit(
  data: TrainingData | GraphSamples,
  options: object,
): Promise<FitResult<ProgressRecord, AnyModel>> {
  const training = begin(data, options);
  for await (const _ of training);
  return training.result;
}
