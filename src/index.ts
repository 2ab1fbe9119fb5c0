/**
 * Neural-network training by ADMM: dlADMM on a C++ core over OpenBLAS, off the event loop.
 *
 * @packageDocumentation
 */
import './training/methods.js';

export { DlAdmmError, type ErrorCode } from './core/errors.js';
export { type Info, info } from './core/info.js';
export type { Dtype } from './core/native.js';
export type { ClassEvaluation, Evaluation, ValueEvaluation } from './judging/evaluation.js';
export type { Metric } from './judging/metrics.js';
export type { Prediction } from './model/answer.js';
export { GraphModel } from './model/graph-model.js';
export { loadModel } from './model/load.js';
export { Model } from './model/model.js';
export type { Activation, Loss, Network } from './network/network.js';
export type { TrainOptions } from './solvers/index.js';
export type { Matrix } from './tensor/matrix.js';
export { type AutoResult, AutoTraining } from './training/automatic.js';
export { type CheckpointInfo, readCheckpoint } from './training/checkpoint/info.js';
export type { ResumeOptions } from './training/checkpoint/resumed-options.js';
export { type AutoOptions, fit, train } from './training/fit.js';
export type { GoingOn } from './training/going-on.js';
export { Learner, type LearnerOptions, type LearnerRecord, loadLearner } from './training/learner.js';
export type { FrontOptions, Rows } from './training/options.js';
export type { Report } from './training/report.js';
export type { FitResult, Status, TrainingData } from './training/result.js';
export { resume, resumeTraining } from './training/resume.js';
export { Training } from './training/training.js';
