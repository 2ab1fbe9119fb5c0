/**
 * Neural-network training by ADMM: dlADMM on a C++ core over OpenBLAS, off the event loop.
 *
 * @packageDocumentation
 */
export { BadmOptimizer, type BadmOptimizerOptions, type Tensors } from './badm-optimizer.js';
export * from './data/index.js';
export { DEFAULTS, type DladmmOptions, type OutputSolver } from './dladmm-options.js';
export { DlAdmmError, type ErrorCode } from './errors.js';
export { GRADIENT_DEFAULTS, type GradientOptions } from './gradient-options.js';
export { GradientState, type GradientStateOptions, type StepsResult } from './gradient-state.js';
export type { Initialisation, Parameters } from './initialisation.js';
export type { LabelsLike, MatrixLike, NumericArray } from './inputs.js';
export { INVERSION_DEFAULTS, type InversionOptions } from './inversion-options.js';
export type { LabelledSamples, StartOptions, StateOptions, SweepPenalties, SweepResult } from './layered-state.js';
export { LayeredState } from './layered-state.js';
export type { Matrix } from './matrix.js';
export { Model, type ModelParts, type Prediction } from './model.js';
export type { Activation, Loss, Network } from './network.js';
export type { CommonOptions, EarlyStopping } from './options.js';
export { type LayeredOptions, SOLVERS, type TrainOptions } from './plan.js';
export type { EpochRecord, IterationRecord, Measures, Metrics, ProgressRecord, UpdateRecord } from './record.js';
export type { Penalties, PenaltyRule, Schedule } from './schedule.js';
export type { BadmOptions, SisaOptions } from './solvers/badm.js';
export { backward, dladmmSweep, forward } from './solvers/dladmm.js';
export type {
  AdadeltaOptions,
  AdagradOptions,
  AdamOptions,
  GdOptions,
  GradientMethod,
  GradientSolver,
  LearningRate,
  Progress,
  SgdOptions,
} from './solvers/gradient.js';
export { firstWeights, inversionSweep, warmStartSweep } from './solvers/inversion.js';
export {
  cheaperStep,
  type StepChoice,
  type StepChoices,
  type StepKind,
  type StepKinds,
  stepFlops,
  type UpdateSizes,
} from './step.js';
export { a, type Block, b, type Sweep, type Update, u, W, z } from './sweep.js';
export { type FitResult, fit, type Status, Training, type TrainingData, train } from './training.js';
