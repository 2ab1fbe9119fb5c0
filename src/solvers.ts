/**
 * Solvers and what they are made of: sweeps, updates, sessions, and `defineSolver` for ones of your own.
 *
 * @packageDocumentation
 */
export type { Initialisation } from './network/initialisation.js';
export type { Metrics } from './network/metrics.js';
export { flag, group, number, option, perLayer, whole, word } from './network/schema.js';
export * from './solvers/badm/algorithm.js';
export { BadmOptimizer, type BadmOptimizerOptions, type Tensors } from './solvers/badm/optimizer.js';
export * from './solvers/dladmm/algorithm.js';
export { type DladmmOptions, dladmm } from './solvers/dladmm/solver.js';
export * from './solvers/dladmm-gcn/algorithm.js';
export { type DladmmGraphOptions, dladmmOnGraph } from './solvers/dladmm-gcn/solver.js';
export {
  type GraphMeasures,
  type GraphRecord,
  type GraphSession,
  type GraphSessionOptions,
  type GraphStart,
  type GraphSweepPenalties,
  type GraphUpdateRecord,
  graphLayered,
} from './solvers/dladmm-gcn/splitting.js';
export * from './solvers/gradient/algorithm.js';
export { GRAPH_SOLVERS, type GradientOptions, type GraphGradientOptions, SAMPLE_SOLVERS } from './solvers/index.js';
export * from './solvers/inversion/algorithm.js';
export { type InversionOptions, inversion } from './solvers/inversion/solver.js';
export { minibatchSweep } from './solvers/minibatch/algorithm.js';
export { defaultBatchSize, defaultRate, defaultTrustRegion } from './solvers/minibatch/gram-step.js';
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
  G,
  type GraphBlock,
  type GraphSweep,
  type GraphUpdate,
  Lambda,
  type MetricBlock,
  type MetricReading,
  type MetricUpdate,
  P,
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
export * from './solvers/sigmoid/algorithm.js';
export { type SigmoidOptions, sigmoid } from './solvers/sigmoid/solver.js';
export {
  type ConstraintMeasures,
  type ConstraintPenalties,
  type ConstraintsSession,
  type ConstraintUpdateRecord,
  constraints,
  type SigmoidRecord,
  type SweepWork,
} from './solvers/sigmoid/splitting.js';
export { type Damping, metricSweep } from './solvers/variable-metric/algorithm.js';
export { type VariableMetricOptions, variableMetric } from './solvers/variable-metric/solver.js';
export {
  type MetricMeasures,
  type MetricPenalties,
  type MetricRecord,
  type MetricSession,
  type MetricSessionOptions,
  type MetricUpdateRecord,
  metric,
} from './solvers/variable-metric/splitting.js';
export type { AnyTraining, OptionsFor } from './training/fit.js';
