/**
 * Neural-network training by ADMM: dlADMM on a C++ core over OpenBLAS, off the event loop.
 *
 * @packageDocumentation
 */

export { DlAdmmError, type ErrorCode } from './core/errors.js';
export { type Info, info } from './core/info.js';
export type { Dtype, Numbers } from './core/native.js';
export * from './datasets/index.js';
export type { Prediction } from './model/answer.js';
export { GraphModel } from './model/graph-model.js';
export { loadModel } from './model/load.js';
export { Model } from './model/model.js';
export { encodeOnnx as exportOnnx, type OnnxOptions, type OnnxParts } from './model/onnx/export.js';
export { type ImportOptions, importOnnx } from './model/onnx/import.js';
export type { GraphModelParts, ModelParts } from './model/parts.js';
export { importStateDict, type StateDictOptions } from './model/state-dict.js';
export type { GraphInitialisation } from './network/graph-initialisation.js';
export type { Initialisation, ScaledScheme, Scheme, TrainedParameters } from './network/initialisation.js';
export type { Metrics } from './network/metrics.js';
export type { Activation, Loss, Network } from './network/network.js';
export type { Parameters } from './network/parameters.js';
export type { Standardisation } from './network/standardisation.js';
export type { ArrivingSamples, LabelledBlock, LabelledRow, RowsLike, StreamItem } from './samples/arriving.js';
export type { LabelKind, Labels } from './samples/classes.js';
export type { Column } from './samples/columns.js';
export type { GraphLike, GraphSamples, NodesLike } from './samples/graph-samples.js';
export type { LabelledSamples } from './samples/samples.js';
export type { ColumnLike, ColumnOptions, RecordLike, TableLike } from './samples/table.js';
export { badm, badmOnGraph, sisa, sisaOnGraph } from './solvers/badm/algorithm.js';
export { BadmOptimizer, type BadmOptimizerOptions, type Tensors } from './solvers/badm/optimizer.js';
export { backward, dladmmSweep, forward } from './solvers/dladmm/algorithm.js';
export { type DladmmOptions, dladmm } from './solvers/dladmm/solver.js';
export { graphBackward, graphForward, graphSweep } from './solvers/dladmm-gcn/algorithm.js';
export { type DladmmGraphOptions, dladmmOnGraph } from './solvers/dladmm-gcn/solver.js';
export type { GraphMeasures, GraphRecord, GraphUpdateRecord } from './solvers/dladmm-gcn/splitting.js';
export {
  type GraphSession,
  type GraphSessionOptions,
  type GraphStart,
  type GraphSweepPenalties,
  graphLayered,
} from './solvers/dladmm-gcn/splitting.js';
export {
  adadelta,
  adadeltaOnGraph,
  adagrad,
  adagradOnGraph,
  adam,
  adamOnGraph,
  gd,
  gdOnGraph,
  sgd,
  sgdOnGraph,
} from './solvers/gradient/algorithm.js';
export {
  GRAPH_SOLVERS,
  type GradientOptions,
  type GraphGradientOptions,
  type GraphTrainOptions,
  SAMPLE_SOLVERS,
  type TrainOptions,
} from './solvers/index.js';
export { firstWeights, inversionSweep, warmStartSweep } from './solvers/inversion/algorithm.js';
export { type InversionOptions, inversion } from './solvers/inversion/solver.js';
export { minibatchSweep } from './solvers/minibatch/algorithm.js';
export { defaultBatchSize, defaultRate } from './solvers/minibatch/gram-step.js';
export { type MinibatchOptions, minibatch } from './solvers/minibatch/solver.js';
export {
  type MinibatchMethod,
  type MinibatchSession,
  type MinibatchSessionOptions,
  minibatches,
} from './solvers/minibatch/splitting.js';
export type { AnyRecord } from './solvers/records.js';
export {
  type AnySolver,
  type Begun,
  completePlan,
  defaultsOf,
  defineSolver,
  type RecordOf,
  type Solver,
  type SolverOptions,
  schemaOf,
} from './solvers/shared/descriptor.js';
export type { LearningRate, Progress } from './solvers/shared/learning-rate.js';
export { type GradientMethod, methodOf } from './solvers/shared/methods.js';
export type { CheckpointOptions, CommonOptions, EarlyStopping } from './solvers/shared/options.js';
export type { Penalties } from './solvers/shared/penalties.js';
export type { CheckpointRecord, EpochRecord, ProgressRecord } from './solvers/shared/record.js';
export type { PenaltyRule } from './solvers/shared/schedule.js';
export { flag, group, number, option, perLayer, whole, word } from './solvers/shared/schema.js';
export type { Session, SessionOptions } from './solvers/shared/session.js';
export type { Splitting } from './solvers/shared/splitting.js';
export { type GradientSession, type GradientSessionOptions, gradients } from './solvers/shared/splittings/gradient.js';
export {
  type GraphGradientSession,
  type GraphGradientSessionOptions,
  graphGradients,
} from './solvers/shared/splittings/graph-gradient.js';
export {
  EXACT,
  type IterationRecord,
  type LayeredPlan,
  type LayeredSession,
  type LayeredSessionOptions,
  layered,
  layeredPlan,
  type Measures,
  type StartOptions,
  type SweepPenalties,
  type UpdateRecord,
} from './solvers/shared/splittings/layered.js';
export {
  cheaperStep,
  type StepChoice,
  type StepChoices,
  type StepKind,
  type StepKinds,
  stepFlops,
  type UpdateSizes,
} from './solvers/shared/step.js';
export type { StepSession, StepsResult } from './solvers/shared/step-session.js';
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
export type { SweepResult, SweepSession } from './solvers/shared/sweep-session.js';
export { sigmoidSweep } from './solvers/sigmoid/algorithm.js';
export { type SigmoidOptions, sigmoid } from './solvers/sigmoid/solver.js';
export type {
  ConstraintMeasures,
  ConstraintUpdateRecord,
  SigmoidRecord,
  SweepWork,
} from './solvers/sigmoid/splitting.js';
export { type ConstraintPenalties, type ConstraintsSession, constraints } from './solvers/sigmoid/splitting.js';
export type { Csr } from './tensor/csr.js';
export type { LabelsLike, MatrixLike, NumericArray } from './tensor/inputs.js';
export type { Matrix } from './tensor/matrix.js';
export { type AnyTraining, fit, type GraphTraining, train } from './training/fit.js';
export type { FitResult, Status, TrainingData } from './training/result.js';
export { type CheckpointInfo, type ResumeOptions, readCheckpoint, resume, resumeTraining } from './training/resume.js';
export { Training } from './training/training.js';
