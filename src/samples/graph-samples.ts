import { checkObject } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { availableMemory } from '../core/info.js';
import type { Dtype, NativeCsr, Numbers } from '../core/native.js';
import { isObject } from '../core/objects.js';
import { classCount, classifies, type Network } from '../network/network.js';
import type { Standardisation } from '../network/standardisation.js';
import {
  type Csr,
  checkFiniteIn,
  featureRows,
  firstNonFinite,
  isCsr,
  nativeAdjacency,
  nativeCsr,
} from '../tensor/csr.js';
import { adjacencyOfEdges, areEdges, type Edges } from '../tensor/edges.js';
import {
  asSamples,
  checkAttached,
  isNumericArray,
  type LabelsLike,
  type MatrixLike,
  type NumericArray,
  nonFinite,
  rowSource,
} from '../tensor/inputs.js';
import { type ClassNames, classNumbers, learnClasses } from './classes.js';
import { standardised } from './standardise.js';
import { relative, type WeightsLike, weightsOf } from './weights.js';

/** Node numbers from 0. */
export type NodesLike = NumericArray | readonly number[];

/** A class for each node of a graph. */
type NodeLabels = LabelsLike | readonly (number | string | boolean | null)[];

/** A graph whose nodes have features. */
export interface GraphLike {
  /**
   * The edges, nodes × nodes: entry (i, j) is the weight of the edge from i to j, not negative; or pairs of nodes,
   * [from, to], each of weight 1. Given in one direction only, an edge counts in both; of two different weights the larger
   * counts. A self-loop adds to the one that every node gets. Entries at the same place add up.
   */
  readonly adjacency: Csr | Edges;
  /** nodes × n_0, sparse or dense. A node may have none, which is a row of zeros. */
  readonly features: Csr | MatrixLike;
}

/** A graph to train on: only the nodes of `trainIndex` take part in the loss. */
export interface GraphSamples extends GraphLike {
  /** The class of every node: a number from 0, a name, or true or false; −1 or null for a node without one. */
  readonly labels: NodeLabels;
  /** The names of the classes, where `labels` are numbers. */
  readonly classes?: readonly string[];
  /** The training nodes, each once, all of them with a label. */
  readonly trainIndex: NodesLike;
  /** What each node counts for among the training nodes, from 0; one for every node of the graph. Default: all the same. */
  readonly weights?: WeightsLike;
  /** Watched by early stopping. */
  readonly validationIndex?: NodesLike;
  /** Only reported. */
  readonly testIndex?: NodesLike;
}

/** Dense features as the addon takes them, row-major. */
interface DenseFeatures {
  readonly rows: number;
  readonly columns: number;
  readonly values: Numbers;
}

/** A graph as the addon takes it. */
export interface CheckedGraph {
  readonly adjacency: NativeCsr;
  readonly features: NativeCsr | DenseFeatures;
}

/** A graph to train on as the addon takes it. */
export interface CheckedGraphSamples extends CheckedGraph {
  readonly labels: Int32Array;
  readonly train: Int32Array;
  /** One a node; their mean over the training nodes is 1. */
  readonly weights?: Float64Array;
}

/** Whether data to train on are a graph. */
export const isGraph = (data: unknown): data is GraphSamples => isObject(data) && 'adjacency' in data;

function adjacencyOf(matrix: unknown, dtype: Dtype, name: string): NativeCsr {
  const adjacency = nativeAdjacency(matrix, name);
  checkFiniteIn(adjacency.values, dtype, `${name}.data`);
  return adjacency;
}

/**
 * Checks a graph that goes through a network of so many inputs; edges say nothing of how many nodes there are, features do.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
 * ERR_DLADMM_DETACHED; the message names the place
 */
export function checkedGraph(graph: unknown, inputs: number, dtype: Dtype, name: string): CheckedGraph {
  checkObject(graph, '{ adjacency, features }', name);
  const { adjacency: edges, features: values } = graph as GraphLike;
  const known = areEdges(edges) ? undefined : adjacencyOf(edges, dtype, `${name}.adjacency`);
  const features = featuresOf(values, inputs, dtype, `${name}.features`);
  const adjacency = known ?? adjacencyOfEdges(edges as Edges, features.rows, `${name}.adjacency`);
  if (features.rows !== adjacency.rows) {
    throw expected(`${adjacency.rows} rows, one a node,`, `${name}.features`, features.rows, 'ERR_DLADMM_SHAPE');
  }
  return { adjacency, features };
}

/**
 * Checks a graph to train on.
 *
 * @throws DlAdmmError as {@link checkedGraph}, and ERR_DLADMM_LABEL
 */
export function graphSamplesOf(network: Network, dtype: Dtype, samples: unknown, name: string): CheckedGraphSamples {
  if (!classifies(network.loss)) {
    throw expected('a loss over class labels (a graph has no rows of target values)', 'loss', network.loss);
  }
  const graph = checkedGraph(samples, network.layers[0] ?? 0, dtype, name);
  const nodes = graph.adjacency.rows;
  const { labels: given, trainIndex, validationIndex, testIndex, weights } = samples as GraphSamples;
  const labels = nodeLabels(given, nodes, classCount(network.loss, network.layers.at(-1) ?? 0), `${name}.labels`);
  const set = (index: unknown, key: string): Int32Array => labelledNodes(index, labels, `${name}.${key}`);
  const train = set(trainIndex, 'trainIndex');
  const shared = sharedNode({
    trainIndex: train,
    validationIndex: validationIndex && set(validationIndex, 'validationIndex'),
    testIndex: testIndex && set(testIndex, 'testIndex'),
  });
  if (shared) {
    const { node, first, second } = shared;
    throw expected(`nodes that are in no other part (${node} is in ${first} too)`, `${name}.${second}`, node);
  }
  return {
    ...graph,
    labels,
    train,
    ...(weights !== undefined && { weights: relative(weightsOf(weights, nodes, `${name}.weights`), train) }),
  };
}

export interface GraphParts {
  readonly trainIndex?: Int32Array | undefined;
  readonly validationIndex?: Int32Array | undefined;
  readonly testIndex?: Int32Array | undefined;
}

/** A node that is in two parts: what was learnt of it would be told of as if it had not been. */
export function sharedNode(parts: GraphParts) {
  const seen = new Map<number, keyof GraphParts>();
  for (const second of ['trainIndex', 'validationIndex', 'testIndex'] as const) {
    for (const node of parts[second] ?? []) {
      const first = seen.get(node);
      if (first !== undefined) return { node, first, second };
      seen.set(node, second);
    }
  }
  return undefined;
}

function featuresOf(features: unknown, inputs: number, dtype: Dtype, name: string): NativeCsr | DenseFeatures {
  if (isCsr(features)) {
    const matrix = nativeCsr(features, name);
    if (matrix.columns !== inputs) {
      throw expected(`${inputs} columns, the width of the first layer,`, name, matrix.columns, 'ERR_DLADMM_SHAPE');
    }
    checkFiniteIn(matrix.values, dtype, `${name}.data`);
    return matrix;
  }
  const source = rowSource(features, inputs, name);
  checkRoom(source.rows * inputs * (dtype === 'float32' ? 4 : 8), name);
  const values = source.chunk(0, source.rows);
  const at = firstNonFinite(values, dtype);
  if (at >= 0) throw nonFinite(source, 0, at, values[at]);
  return { rows: source.rows, columns: source.columns, values };
}

/** @throws DlAdmmError ERR_DLADMM_MEMORY */
function checkRoom(bytes: number, name: string): void {
  if (bytes <= availableMemory()) return;
  const text = `${name} would take ${(bytes / 2 ** 30).toFixed(2)} GiB, more than there is`;
  throw new DlAdmmError('ERR_DLADMM_MEMORY', text);
}

/** What stands for a node without a class. */
const isNone = (label: unknown): boolean => label === -1 || label === null;

/** Labels with those of nodes that have none replaced by that of one that has one; and which those are. */
function filledLabels(labels: NodeLabels, name: string) {
  if (!isNumericArray(labels) && !Array.isArray(labels)) throw expected('an array of labels', name, labels);
  const all: readonly (number | string | boolean | null)[] = Array.from(labels as LabelsLike);
  const first = all.find((label) => !isNone(label));
  if (first === undefined)
    throw new DlAdmmError('ERR_DLADMM_LABEL', `Expected a node with a class in ${name} but none has one`);
  return { filled: all.map((label) => (isNone(label) ? first : label)) as LabelsLike, lacking: all.map(isNone) };
}

/** What the labels of a graph say of its classes. @throws DlAdmmError as `learnClasses` */
export function learnNodeClasses(
  { labels, classes: own }: Pick<GraphSamples, 'labels' | 'classes'>,
  given: readonly string[] | undefined,
  count: number,
  name: string,
): ClassNames {
  if (isNumericArray(labels) && own === undefined) return given ? { classes: given } : {};
  return learnClasses(filledLabels(labels, name).filled, own, given, count, name);
}

/** The class of every node by its number, −1 for none. @throws DlAdmmError as `classNumbers` */
export function nodeNumbers(
  { labels, classes: own }: Pick<GraphSamples, 'labels' | 'classes'>,
  names: ClassNames,
  count: number,
  nodes: number | undefined,
  name: string,
): Int32Array {
  const plain = isNumericArray(labels) || (Array.isArray(labels) && typeof labels[0] === 'number');
  if (plain && !(own && names.classes)) return nodeLabels(labels, nodes ?? labels.length, count, name);
  const { filled, lacking } = filledLabels(labels, name);
  return classNumbers(filled, own, names, nodes ?? labels.length, count, name).map((number, i) =>
    lacking[i] ? -1 : number,
  );
}

/** Features as a network meets them that was trained on standardised ones; a sparse matrix becomes a dense one. */
export const standardisedFeatures = (
  features: Csr | MatrixLike,
  rule: Standardisation | undefined,
  inputs: number,
  dtype: Dtype,
  name: string,
): Csr | MatrixLike => (rule ? asSamples(standardised(featureRows(features, inputs, name), rule, dtype)) : features);

function nodeLabels(labels: unknown, nodes: number, classes: number, name: string): Int32Array {
  if (!isNumericArray(labels) && !Array.isArray(labels)) throw expected('an array of class numbers', name, labels);
  if (isNumericArray(labels)) checkAttached(labels, name);
  if (labels.length !== nodes) throw expected(`${nodes} labels, one a node,`, name, labels.length, 'ERR_DLADMM_SHAPE');
  return Int32Array.from({ length: nodes }, (_, i) => {
    const label: unknown = labels[i];
    if (isNone(label)) return -1;
    if (typeof label !== 'number' || !Number.isInteger(label) || label < 0 || label >= classes) {
      const what = `a whole number from 0 to ${classes - 1}, or −1 or null for none,`;
      throw expected(what, `${name}[${i}]`, label, 'ERR_DLADMM_LABEL');
    }
    return label;
  });
}

/**
 * Node numbers, checked; each once where `once` is asked for.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_DETACHED
 */
export function nodeIndex(index: unknown, nodes: number, name: string): Int32Array {
  if (!isNumericArray(index) && !Array.isArray(index)) throw expected('an array of node numbers', name, index);
  if (isNumericArray(index)) checkAttached(index, name);
  const numbers: readonly unknown[] | NumericArray = index;
  return Int32Array.from({ length: index.length }, (_, i) => {
    const node: unknown = numbers[i];
    if (typeof node !== 'number' || !Number.isInteger(node) || node < 0 || node >= nodes) {
      throw expected(`a node from 0 to ${nodes - 1}`, `${name}[${i}]`, node, 'ERR_DLADMM_RANGE');
    }
    return node;
  });
}

/** Nodes to train or to be judged on: at least one, none twice, each with a label. */
export function labelledNodes(index: unknown, labels: Int32Array, name: string): Int32Array {
  const nodes = nodeIndex(index, labels.length, name);
  if (nodes.length === 0) {
    throw new DlAdmmError('ERR_DLADMM_SHAPE', `Expected at least one node in ${name} but received none`);
  }
  const first = new Map<number, number>();
  for (const [i, node] of nodes.entries()) {
    const before = first.get(node);
    if (before !== undefined) {
      throw expected(`every node once (${node} is at ${before} too)`, `${name}[${i}]`, node, 'ERR_DLADMM_ARGUMENT');
    }
    first.set(node, i);
    if (labels[node] === -1) throw expected('a node with a label', `${name}[${i}]`, node, 'ERR_DLADMM_LABEL');
  }
  return nodes;
}
