/**
 * Graphs: named ones, files, splits.
 *
 * @packageDocumentation
 */

export {
  type GraphDataset,
  type GraphSplit,
  parseGraph,
  type ReadGraphOptions,
  readGraph,
  rowNormalised,
  type SparseMatrix,
} from './datasets/graph.js';
export { type GraphSplitOptions, splitGraph } from './datasets/graph-split.js';
export {
  describeGraph,
  type GraphDescription,
  type GraphListing,
  type GraphName,
  graphNames,
  type LoadGraphOptions,
  listGraphs,
  loadGraph,
} from './datasets/graphs.js';
export type { GraphModelParts } from './model/parts.js';
export type { GraphInitialisation } from './network/graph-initialisation.js';
export type { GraphLike, GraphSamples, NodesLike } from './samples/graph-samples.js';
export type { GraphTrainOptions } from './solvers/index.js';
export type { Csr } from './tensor/csr.js';
export type { GraphTraining } from './training/fit.js';
