import { checkObject } from '../core/checks.js';
import type { GraphModel } from '../model/graph-model.js';
import type { Model } from '../model/model.js';
import { type GraphSamples, isGraph } from '../samples/graph-samples.js';
import type { DladmmGraphOptions } from '../solvers/dladmm-gcn/options.js';
import type { GraphRecord } from '../solvers/dladmm-gcn/splitting.js';
import type { GradientOptions } from '../solvers/gradient/options.js';
import type { GraphGradientOptions } from '../solvers/gradient-gcn/options.js';
import type { MinibatchOptions } from '../solvers/minibatch/options.js';
import type { EpochRecord, ProgressRecord } from '../solvers/shared/record.js';
import type { SigmoidOptions } from '../solvers/sigmoid/options.js';
import type { SigmoidRecord } from '../solvers/sigmoid/splitting.js';
import { storedOptionsOf } from './checkpoint.js';
import {
  type GraphTrainOptions,
  graphPlanOf,
  type LayeredOptions,
  type Plan,
  planOf,
  type TrainOptions,
} from './plan.js';
import type { FitResult, TrainingData } from './result.js';
import { checkWatched, Training } from './training.js';

/** A training on a graph by any solver. */
export type GraphTraining = Training<GraphRecord, GraphModel> | Training<EpochRecord, GraphModel>;
/** A training by any solver. */
export type AnyTraining = Training | Training<SigmoidRecord> | Training<EpochRecord>;

/**
 * Begins a training. Options are checked here; data as the iteration begins.
 *
 *     for await (const record of training) console.log(record.iteration, record.lagrangian, record.test?.accuracy);
 *     const { model } = training.result;
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE for the options
 */
export function train(data: GraphSamples, options: DladmmGraphOptions): Training<GraphRecord, GraphModel>;
export function train(data: GraphSamples, options: GraphGradientOptions): Training<EpochRecord, GraphModel>;
export function train(data: GraphSamples, options: GraphTrainOptions): GraphTraining;
export function train(data: TrainingData, options: LayeredOptions): Training;
export function train(data: TrainingData, options: SigmoidOptions): Training<SigmoidRecord>;
export function train(data: TrainingData, options: GradientOptions | MinibatchOptions): Training<EpochRecord>;
export function train(data: TrainingData, options: TrainOptions): AnyTraining;
export function train(
  data: TrainingData | GraphSamples,
  options: TrainOptions | GraphTrainOptions,
): AnyTraining | GraphTraining {
  const plan = isGraph(data) ? graphPlanOf(options as GraphTrainOptions) : planOf(options as TrainOptions);
  checkObject(data, '{ x, labels }, { x, y } or { adjacency, features, labels, trainIndex }', 'data');
  checkWatched(data, plan);
  // One class for all; which record it tells of follows from the options.
  return new Training<ProgressRecord, Model | GraphModel>(
    data,
    plan as unknown as Plan<ProgressRecord>,
    storedOptionsOf(options, plan),
  ) as unknown as AnyTraining | GraphTraining;
}

/**
 * Trains to the end and resolves to the model, its history and how the training ended.
 *
 * @throws DlAdmmError rejects with any code that options or data can cause
 */
export async function fit(data: GraphSamples, options: DladmmGraphOptions): Promise<FitResult<GraphRecord, GraphModel>>;
export async function fit(
  data: GraphSamples,
  options: GraphGradientOptions,
): Promise<FitResult<EpochRecord, GraphModel>>;
export async function fit(data: GraphSamples, options: GraphTrainOptions): Promise<GraphTraining['result']>;
export async function fit(data: TrainingData, options: LayeredOptions): Promise<FitResult>;
export async function fit(data: TrainingData, options: SigmoidOptions): Promise<FitResult<SigmoidRecord>>;
export async function fit(
  data: TrainingData,
  options: GradientOptions | MinibatchOptions,
): Promise<FitResult<EpochRecord>>;
export async function fit(data: TrainingData, options: TrainOptions): Promise<AnyTraining['result']>;
export async function fit(
  data: TrainingData | GraphSamples,
  options: TrainOptions | GraphTrainOptions,
): Promise<(AnyTraining | GraphTraining)['result']> {
  const training = train(data as TrainingData, options as TrainOptions);
  for await (const _ of training);
  return training.result;
}
