/** The solvers, each by its folder: the one list of them. */
import { badm, badmOnGraph, sisa, sisaOnGraph } from './badm/algorithm.js';
import { dladmm } from './dladmm/solver.js';
import { dladmmOnGraph } from './dladmm-gcn/solver.js';
import {
  adadelta,
  adadeltaOnGraph,
  adagrad,
  adagradOnGraph,
  adam,
  adamOnGraph,
  gd,
  gdOnGraph,
  isaac,
  kfac,
  muon,
  nadamw,
  scheduleFree,
  sgd,
  sgdOnGraph,
  soap,
} from './gradient/algorithm.js';
import { inversion } from './inversion/solver.js';
import { minibatch } from './minibatch/solver.js';
import type { SolverOptions } from './shared/descriptor.js';
import type { MethodName } from './shared/methods.js';
import { sigmoid } from './sigmoid/solver.js';
import { variableMetric } from './variable-metric/solver.js';

/** The solvers that train on samples. */
export const SAMPLE_SOLVERS = [
  dladmm,
  inversion,
  sigmoid,
  minibatch,
  variableMetric,
  gd,
  sgd,
  adagrad,
  adadelta,
  adam,
  nadamw,
  scheduleFree,
  muon,
  soap,
  kfac,
  isaac,
  badm,
  sisa,
] as const;

/** The solvers that train on graphs. */
export const GRAPH_SOLVERS = [
  dladmmOnGraph,
  gdOnGraph,
  sgdOnGraph,
  adagradOnGraph,
  adadeltaOnGraph,
  adamOnGraph,
  badmOnGraph,
  sisaOnGraph,
] as const;

export type SampleSolver = (typeof SAMPLE_SOLVERS)[number];
export type GraphSolver = (typeof GRAPH_SOLVERS)[number];

/** The options of all solvers; `solver` tells them apart, and is dlADMM where it is left out. */
export type TrainOptions = SolverOptions<SampleSolver>;
/** The options of the solvers that train on a graph; `solver` tells them apart, and is dlADMM where it is left out. */
export type GraphTrainOptions = SolverOptions<GraphSolver>;

/** The options of the methods that step by gradients. */
export type GradientOptions = Extract<TrainOptions, { readonly solver: MethodName }>;
/** The same on a graph. */
export type GraphGradientOptions = Extract<GraphTrainOptions, { readonly solver: MethodName }>;
