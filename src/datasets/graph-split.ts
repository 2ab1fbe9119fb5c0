import { checkObject, whole } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { type OptionsOf, whole as option, readOptions, type Schema } from '../network/schema.js';
import { isNumericArray } from '../tensor/inputs.js';
import type { GraphDataset, GraphSplit } from './graph.js';
import { shuffledIndices } from './split.js';

/** Nodes of each class in the parts of a random split. */
export const GRAPH_SPLIT = {
  trainPerClass: option(1, { default: 20, says: 'Random split: nodes of each class to train on.' }),
  validationPerClass: option(0, { default: 30, says: 'Random split: nodes of each class to watch.' }),
} as const satisfies Schema;

/** Nodes of each class in the parts of a random split. */
export type GraphSplitOptions = OptionsOf<typeof GRAPH_SPLIT>;

/**
 * A random split of the nodes that have a class: `trainPerClass` of every class to learn from, `validationPerClass` to watch,
 * all others to test on. Each part is in ascending order. The same seed gives the same split everywhere.
 *
 * @param seed a whole number from 0 to 2³² − 1
 * @throws ERR_DLADMM_RANGE for a number outside its range, or where a class has too few nodes to leave one to test on
 */
export function splitGraph(
  graph: Pick<GraphDataset, 'labels'>,
  seed: number,
  options: GraphSplitOptions = {},
): Required<GraphSplit> {
  checkObject(graph, 'a graph with labels', 'graph');
  const { labels } = graph;
  if (!isNumericArray(labels)) throw expected('an Int32Array', 'graph.labels', labels);
  whole(seed, 0, 2 ** 32 - 1, 'seed');
  const { trainPerClass: train, validationPerClass: validation } = readOptions(GRAPH_SPLIT, options);
  const classes = 1 + labels.reduce((largest, label) => Math.max(largest, label), -1);
  if (classes === 0) throw expected('labels with at least one class', 'labels', labels, 'ERR_DLADMM_RANGE');

  const taken = new Uint32Array(classes);
  const parts: { readonly [part in keyof GraphSplit]-?: number[] } = {
    trainIndex: [],
    validationIndex: [],
    testIndex: [],
  };
  for (const node of shuffledIndices(labels.length, seed)) {
    const label = labels[node] as number;
    if (label < 0) continue;
    const before = taken[label] as number;
    taken[label] = before + 1;
    if (before < train) parts.trainIndex.push(node);
    else if (before < train + validation) parts.validationIndex.push(node);
    else parts.testIndex.push(node);
  }
  const few = taken.findIndex((count) => count > 0 && count <= train + validation);
  if (few >= 0) {
    const text = `Expected more than ${train + validation} nodes in every class, to train on ${train} and watch ${validation} of each, but class ${few} has ${taken[few]}`;
    throw new DlAdmmError('ERR_DLADMM_RANGE', text);
  }
  const ascending = (nodes: readonly number[]): Int32Array => Int32Array.from(nodes).sort();
  return {
    trainIndex: ascending(parts.trainIndex),
    validationIndex: ascending(parts.validationIndex),
    testIndex: ascending(parts.testIndex),
  };
}
