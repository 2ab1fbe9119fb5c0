/**
 * Neural-network training by ADMM: dlADMM on a C++ core over OpenBLAS, off the event loop.
 *
 * @packageDocumentation
 */

export { DlAdmmError, type ErrorCode } from './core/errors.js';
export { type Info, info } from './core/info.js';
export type { Dtype, Numbers } from './core/native.js';
export * from './datasets/index.js';
export { GraphModel } from './model/graph-model.js';
export { Model, type Prediction } from './model/model.js';
export { encodeOnnx as exportOnnx, type OnnxOptions, type OnnxParts } from './model/onnx/export.js';
export { type ImportOptions, importOnnx } from './model/onnx/import.js';
export type { GraphModelParts, ModelParts } from './model/parts.js';
export { importStateDict, type StateDictOptions } from './model/state-dict.js';
export type { GraphInitialisation } from './network/graph-initialisation.js';
export type { Initialisation, Parameters, ScaledScheme, Scheme, TrainedParameters } from './network/initialisation.js';
export type { Activation, Loss, Network } from './network/network.js';
export type {
  ArrivingSamples,
  LabelledBlock,
  LabelledRow,
  RowsLike,
  StreamItem,
} from './samples/arriving.js';
export type { LabelKind, Labels } from './samples/classes.js';
export type { Column } from './samples/columns.js';
export type { GraphLike, GraphSamples, NodesLike } from './samples/graph-samples.js';
export type { Standardisation } from './samples/standardise.js';
export type { ColumnLike, ColumnOptions, RecordLike, TableLike } from './samples/table.js';
export type { BadmOptions, SisaOptions } from './solvers/badm/algorithm.js';
export { BadmOptimizer, type BadmOptimizerOptions, type Tensors } from './solvers/badm/optimizer.js';
export { backward, dladmmSweep, forward } from './solvers/dladmm/algorithm.js';
export { DEFAULTS, type DladmmOptions, type OutputSolver } from './solvers/dladmm/options.js';
export { graphBackward, graphForward, graphSweep } from './solvers/dladmm-gcn/algorithm.js';
export { DLADMM_GRAPH_DEFAULTS, type DladmmGraphOptions, type GraphSchedule } from './solvers/dladmm-gcn/options.js';
export {
  GraphState,
  type GraphStateOptions,
  type GraphSweepPenalties,
  type GraphSweepResult,
} from './solvers/dladmm-gcn/state.js';
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
} from './solvers/gradient/algorithm.js';
export { GRADIENT_DEFAULTS, type GradientOptions } from './solvers/gradient/options.js';
export { GradientState, type GradientStateOptions, type StepsResult } from './solvers/gradient/state.js';
export {
  GRAPH_GRADIENT_DEFAULTS,
  type GraphGradientOptions,
  type WithoutDecay,
} from './solvers/gradient-gcn/options.js';
export {
  type EvaluatedNodes,
  GraphGradientState,
  type GraphGradientStateOptions,
} from './solvers/gradient-gcn/state.js';
export { firstWeights, inversionSweep, warmStartSweep } from './solvers/inversion/algorithm.js';
export { INVERSION_DEFAULTS, type InversionOptions } from './solvers/inversion/options.js';
export { minibatchSweep } from './solvers/minibatch/algorithm.js';
export type { MinibatchOptions } from './solvers/minibatch/options.js';
export {
  type BatchesResult,
  defaultBatchSize,
  defaultStep,
  MINIBATCH_DEFAULTS,
  type MinibatchMethod,
  MinibatchState,
  type MinibatchStateOptions,
} from './solvers/minibatch/state.js';
export type {
  LabelledSamples,
  StartOptions,
  StateOptions,
  SweepPenalties,
  SweepResult,
} from './solvers/shared/layered-state.js';
export { LayeredState } from './solvers/shared/layered-state.js';
export type { CommonOptions, EarlyStopping } from './solvers/shared/options.js';
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
} from './solvers/shared/record.js';
export type { Penalties, PenaltyRule, Schedule } from './solvers/shared/schedule.js';
export {
  cheaperStep,
  type StepChoice,
  type StepChoices,
  type StepKind,
  type StepKinds,
  stepFlops,
  type UpdateSizes,
} from './solvers/shared/step.js';
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
} from './solvers/shared/sweep.js';
export { sigmoidSweep } from './solvers/sigmoid/algorithm.js';
export { SIGMOID_DEFAULTS, type SigmoidOptions } from './solvers/sigmoid/options.js';
export {
  type ConstraintPenalties,
  type ConstraintSweepResult,
  ConstraintsState,
  type ConstraintsStateOptions,
} from './solvers/sigmoid/state.js';
export type { Csr } from './tensor/csr.js';
export type { LabelsLike, MatrixLike, NumericArray } from './tensor/inputs.js';
export type { Matrix } from './tensor/matrix.js';
export type { CheckpointOptions } from './training/checkpoint-options.js';
export {
  GRAPH_SOLVERS,
  type GraphTrainOptions,
  type LayeredOptions,
  SOLVERS,
  type TrainOptions,
} from './training/plan.js';
export { type CheckpointInfo, type ResumeOptions, readCheckpoint, resume, resumeTraining } from './training/resume.js';
export {
  type AnyTraining,
  type FitResult,
  fit,
  type GraphTraining,
  type Status,
  Training,
  type TrainingData,
  train,
} from './training/training.js';
