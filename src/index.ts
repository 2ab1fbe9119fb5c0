/**
 * Neural-network training by ADMM: dlADMM on a C++ core over OpenBLAS, off the event loop.
 *
 * @packageDocumentation
 */
import './training/methods.js';

export {
  type CrossValidation,
  crossValidate,
  type Fold,
  type FoldOptions,
  type Spread,
  type Spreads,
} from './choosing/cross-validate.js';
export type { Data } from './choosing/divided.js';
export type { AnyOptions } from './choosing/options.js';
export { type RefittedSearch, type SearchOptions, type SearchResult, search } from './choosing/search.js';
export { choice, type Distribution, integer, logUniform, type SearchSpace, uniform } from './choosing/space.js';
export type { Trial } from './choosing/trial.js';
export { DlAdmmError, type ErrorCode } from './core/errors.js';
export { type Info, info } from './core/info.js';
export type { Dtype, Numbers } from './core/native.js';
export type { ClassEvaluation, Evaluation, ValueEvaluation } from './judging/evaluation.js';
export type { Metric } from './judging/metrics.js';
export type { Prediction } from './model/answer.js';
export { GraphModel } from './model/graph-model.js';
export { type ColumnImportance, type Importance, type ImportanceOptions, importance } from './model/importance.js';
export { loadModel } from './model/load.js';
export { Model } from './model/model.js';
export type { Initialisation } from './network/initialisation.js';
export type { Metrics } from './network/metrics.js';
export type { Activation, Loss, Network } from './network/network.js';
export type { ArrivingSamples } from './samples/arriving.js';
export type { GraphSamples } from './samples/graph-samples.js';
export type { GraphTrainOptions, TrainOptions } from './solvers/index.js';
export type { AnyRecord } from './solvers/records.js';
export type { CheckpointOptions, EarlyStopping } from './solvers/shared/options.js';
export type { ProgressRecord } from './solvers/shared/record.js';
export type { LabelsLike, MatrixLike } from './tensor/inputs.js';
export type { Matrix } from './tensor/matrix.js';
export { type AutoResult, AutoTraining } from './training/automatic.js';
export { type AnyTraining, type AutoOptions, fit, type GraphTraining, type OptionsFor, train } from './training/fit.js';
export type { FrontOptions, Rows } from './training/front.js';
export type { GoingOn } from './training/going-on.js';
export { Learner, type LearnerOptions, type LearnerRecord, loadLearner } from './training/learner.js';
export type { Report } from './training/report.js';
export type { FitResult, Status, TrainingData } from './training/result.js';
export { type CheckpointInfo, type ResumeOptions, readCheckpoint, resume, resumeTraining } from './training/resume.js';
export { Training } from './training/training.js';
