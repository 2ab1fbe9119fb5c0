/**
 * Neural-network training by ADMM: dlADMM on a C++ core over OpenBLAS, off the event loop.
 *
 * @packageDocumentation
 */
export type {
  ArrivingSamples,
  LabelledBlock,
  LabelledRow,
  RowsLike,
  StreamItem,
} from './arriving.js';
export { BadmOptimizer, type BadmOptimizerOptions, type Tensors } from './badm-optimizer.js';
export type { CheckpointOptions } from './checkpoint-options.js';
export type { LabelKind, Labels } from './classes.js';
export type { Column } from './columns.js';
export {
  type ConstraintPenalties,
  type ConstraintSweepResult,
  ConstraintsState,
  type ConstraintsStateOptions,
} from './constraints-state.js';
export type { Csr } from './csr.js';
export * from './data/index.js';
export { DLADMM_GRAPH_DEFAULTS, type DladmmGraphOptions, type GraphSchedule } from './dladmm-graph-options.js';
export { DEFAULTS, type DladmmOptions, type OutputSolver } from './dladmm-options.js';
export { DlAdmmError, type ErrorCode } from './errors.js';
export { GRADIENT_DEFAULTS, type GradientOptions } from './gradient-options.js';
export { GradientState, type GradientStateOptions, type StepsResult } from './gradient-state.js';
export { GRAPH_GRADIENT_DEFAULTS, type GraphGradientOptions, type WithoutDecay } from './graph-gradient-options.js';
export {
  type EvaluatedNodes,
  GraphGradientState,
  type GraphGradientStateOptions,
} from './graph-gradient-state.js';
export type { GraphInitialisation } from './graph-initialisation.js';
export { GraphModel, type GraphModelParts } from './graph-model.js';
export type { GraphLike, GraphSamples, NodesLike } from './graph-samples.js';
export {
  GraphState,
  type GraphStateOptions,
  type GraphSweepPenalties,
  type GraphSweepResult,
} from './graph-state.js';
export { type Info, info } from './info.js';
export type { Initialisation, Parameters, ScaledScheme, Scheme, TrainedParameters } from './initialisation.js';
export type { LabelsLike, MatrixLike, NumericArray } from './inputs.js';
export { INVERSION_DEFAULTS, type InversionOptions } from './inversion-options.js';
export type { LabelledSamples, StartOptions, StateOptions, SweepPenalties, SweepResult } from './layered-state.js';
export { LayeredState } from './layered-state.js';
export type { Matrix } from './matrix.js';
export type { MinibatchOptions } from './minibatch-options.js';
export {
  type BatchesResult,
  defaultBatchSize,
  defaultStep,
  MINIBATCH_DEFAULTS,
  type MinibatchMethod,
  MinibatchState,
  type MinibatchStateOptions,
} from './minibatch-state.js';
export { Model, type ModelParts, type Prediction } from './model.js';
export type { Dtype, Numbers } from './native.js';
export type { Activation, Loss, Network } from './network.js';
export { encodeOnnx as exportOnnx, type OnnxOptions, type OnnxParts } from './onnx/export.js';
export { type ImportOptions, importOnnx } from './onnx/import.js';
export type { CommonOptions, EarlyStopping } from './options.js';
export { GRAPH_SOLVERS, type GraphTrainOptions, type LayeredOptions, SOLVERS, type TrainOptions } from './plan.js';
export type {
  AnyRecord,
  CheckpointRecord,
  ConstraintMeasures,
  ConstraintUpdateRecord,
  EpochRecord,
  GraphMeasures,
  GraphRecord,
  GraphUpdateRecord,
  IterationRecord,
  Measures,
  Metrics,
  ProgressRecord,
  SigmoidRecord,
  SweepWork,
  UpdateRecord,
} from './record.js';
export { type CheckpointInfo, type ResumeOptions, readCheckpoint, resume, resumeTraining } from './resume.js';
export type { Penalties, PenaltyRule, Schedule } from './schedule.js';
export { SIGMOID_DEFAULTS, type SigmoidOptions } from './sigmoid-options.js';
export type { BadmOptions, SisaOptions } from './solvers/badm.js';
export { backward, dladmmSweep, forward } from './solvers/dladmm.js';
export { graphBackward, graphForward, graphSweep } from './solvers/dladmm-gcn.js';
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
export { minibatchSweep } from './solvers/minibatch.js';
export { sigmoidSweep } from './solvers/sigmoid.js';
export type { Standardisation } from './standardise.js';
export { importStateDict, type StateDictOptions } from './state-dict.js';
export {
  cheaperStep,
  type StepChoice,
  type StepChoices,
  type StepKind,
  type StepKinds,
  stepFlops,
  type UpdateSizes,
} from './step.js';
export {
  type AnyBlock,
  a,
  type Block,
  b,
  type ConstraintBlock,
  type ConstraintSweep,
  type ConstraintUpdate,
  type GraphBlock,
  type GraphSweep,
  type GraphUpdate,
  Lambda,
  type Sweep,
  U,
  type Update,
  u,
  V,
  W,
  Z,
  z,
} from './sweep.js';
export type { ColumnLike, ColumnOptions, RecordLike, TableLike } from './table.js';
export {
  type AnyTraining,
  type FitResult,
  fit,
  type GraphTraining,
  type Status,
  Training,
  type TrainingData,
  train,
} from './training.js';
