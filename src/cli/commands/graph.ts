import { DlAdmmError, refused } from '../../core/errors.js';
import { type GraphDataset, type GraphSplit, readGraph } from '../../datasets/graph.js';
import { GRAPH_SPLIT, type GraphSplitOptions, splitGraph } from '../../datasets/graph-split.js';
import { describeGraph, graphNames, loadGraph } from '../../datasets/graphs.js';
import { pick, SEED } from '../../network/schema.js';
import { FRONT } from '../../training/options.js';
import { checkWithout, givenOf } from '../without.js';

/** The options that say which graph is meant, and which of its nodes. */
export interface GraphFlags extends GraphSplitOptions {
  readonly graph: string;
  readonly dataDir?: string;
  readonly rowNormalise: boolean;
  readonly split?: 'standard' | 'random';
  readonly seed?: number;
}

export type SplitGraph = GraphDataset & GraphSplit;

export const isGraphName = (graph: string): boolean => (graphNames as readonly string[]).includes(graph);

const { hidden: _, ...OF_ROWS } = FRONT;
/** The options of samples, none of which a graph has a use for. */
const FOR_SAMPLES = [
  ...Object.keys(OF_ROWS),
  ...['data', 'labels', 'from', 'testData', 'testLabels', 'testShare', 'trainSamples', 'importance'],
];

/** The options that say which nodes are in which part. */
export const SPLITTING: readonly string[] = ['split', ...Object.keys(GRAPH_SPLIT)];

/** The options of graphs, which samples have no use for. */
const FOR_GRAPHS = [...SPLITTING, 'rowNormalise'];

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where an option was given that belongs to the other kind of data */
export function checkKind(flags: object): void {
  if ('graph' in flags && flags.graph !== undefined) {
    checkWithout(FOR_SAMPLES, flags, '--graph', 'it is for --data');
    return;
  }
  // What is true by default was not given.
  const { rowNormalise, ...others } = { rowNormalise: true, ...flags };
  const given = givenOf(FOR_GRAPHS, rowNormalise ? others : flags);
  if (given !== undefined) throw refused(`Expected --graph with ${given}`);
}

/** @throws DlAdmmError whatever reading it can cause */
export async function graphOf(flags: GraphFlags, signal: AbortSignal): Promise<GraphDataset> {
  const { graph, dataDir, rowNormalise } = flags;
  if (isGraphName(graph)) return loadGraph(graph, { signal, rowNormalise, ...(dataDir !== undefined && { dataDir }) });
  try {
    return await readGraph(graph, { signal, rowNormalise });
  } catch (error) {
    const missing = error instanceof DlAdmmError && error.code === 'ERR_DLADMM_FILE' && /^[\w-]+$/.test(graph);
    if (!missing) throw error;
    throw notAGraph(graph, error);
  }
}

function notAGraph(graph: string, cause: DlAdmmError): DlAdmmError {
  try {
    describeGraph(graph);
    return cause;
  } catch (error) {
    const why = error instanceof DlAdmmError ? error.message : String(error);
    return new DlAdmmError('ERR_DLADMM_DATASET', `${cause.message}; ${why}`, { cause });
  }
}

/**
 * A graph with its own split or, where it has none or another is wanted, with one that the seed draws.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function withSplit(graph: GraphDataset, flags: GraphFlags): SplitGraph {
  const { split, trainPerClass, validationPerClass, seed = SEED } = flags;
  const { trainIndex } = graph;
  if (split === 'random' || (split === undefined && trainIndex === undefined)) {
    return {
      ...graph,
      ...splitGraph(graph, seed, pick(GRAPH_SPLIT, flags)),
    };
  }
  if (trainIndex === undefined) throw refused(`Expected --split random, as ${graph.name} has no split of its own`);
  const given = trainPerClass === undefined ? validationPerClass : trainPerClass;
  if (given !== undefined) {
    const name = trainPerClass === undefined ? 'validation-per-class' : 'train-per-class';
    throw refused(`Expected --split random with --${name}, as ${graph.name} has a split of its own`);
  }
  return { ...graph, trainIndex };
}
