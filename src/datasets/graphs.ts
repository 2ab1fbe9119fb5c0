import { throwIfAborted } from '../core/abort.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { readOptions, type Schema } from '../network/schema.js';
import { GRAPH_FILE, type GraphDataset, type GraphSplit, type ReadGraphOptions, readGraph } from './graph.js';
import { LOCATE, type LocateOptions, locate } from './locate.js';

/** The names that `loadGraph` knows. */
export const graphNames = ['cora', 'citeseer', 'coauthor-cs', 'coauthor-physics', 'dblp'] as const;

/** A graph that is known by name. */
export type GraphName = (typeof graphNames)[number];

/** What is known of a named graph before its file is opened. */
export interface GraphDescription {
  readonly name: GraphName;
  readonly title: string;
  readonly nodes: number;
  /** Undirected. */
  readonly edges: number;
  readonly features: number;
  readonly classes: number;
  /** Whether its file says which nodes to train and to test on. */
  readonly split: boolean;
  readonly licence: string;
}

/** A named graph and where on this machine it is. */
export interface GraphListing extends GraphDescription {
  /** The folder that holds it, or undefined. */
  readonly folder: string | undefined;
  /** Whose folder that is: `dataDir`, `DLADMM_DATA`, `bundled`, `system` or `cache`. */
  readonly origin: string | undefined;
}

const { partial: _, ...READ } = GRAPH_FILE;
/** What `loadGraph` accepts besides the name. */
const LOAD_GRAPH = { ...LOCATE, ...READ } as const satisfies Schema;

/** What `loadGraph` accepts besides the name. */
export type LoadGraphOptions = LocateOptions & Omit<ReadGraphOptions, 'partial'>;

const GNN_BENCHMARK = 'MIT (shchur/gnn-benchmark; Microsoft Academic Graph)';

const PLANETOID = 'MIT (kimiyoung/planetoid; LINQS)';

/** `counts`: nodes, edges, features, classes. */
function graph(
  name: GraphName,
  title: string,
  counts: readonly [number, number, number, number],
  licence: string,
): GraphDescription {
  const [nodes, edges, features, classes] = counts;
  return { name, title, nodes, edges, features, classes, split: licence === PLANETOID, licence };
}

const CITATIONS = 'papers and their citations, words of each paper, its field';
const AUTHORS = 'authors, who wrote together, keywords of their papers, their field';

const graphs: readonly GraphDescription[] = [
  graph('cora', `Cora: ${CITATIONS} (Planetoid split)`, [2708, 5278, 1433, 7], PLANETOID),
  graph('citeseer', `Citeseer: ${CITATIONS} (Planetoid split)`, [3327, 4552, 3703, 6], PLANETOID),
  graph('coauthor-cs', `Coauthor CS: ${AUTHORS}`, [18_333, 81_894, 6805, 15], GNN_BENCHMARK),
  graph('coauthor-physics', `Coauthor Physics: ${AUTHORS}`, [34_493, 247_962, 8415, 5], GNN_BENCHMARK),
  graph('dblp', `DBLP: ${CITATIONS}`, [17_716, 52_867, 1639, 4], 'MIT (EdisonLeeeee/GraphData)'),
];

const fileOf = (name: string) => ({ folders: ['graphs', '.'], files: [{ names: [`${name}.npz`] }] });

/** Graphs that are asked for and cannot be had, and why. */
const REFUSED: ReadonlyMap<string, string> = new Map(
  ['pubmed', 'pubmed-partial'].map((name) => [
    name,
    'the file that is about has features for 1,060 of its 19,717 nodes only, so no accuracy on it would mean anything; dblp has about its size',
  ]),
);

/**
 * What is known of the graph `name`.
 *
 * @throws ERR_DLADMM_DATASET if the name is unknown; the message lists the known ones
 */
export function describeGraph(name: string): GraphDescription {
  if (typeof name !== 'string') throw expected('the name of a graph', 'name', name);
  const description = graphs.find((candidate) => candidate.name === name);
  if (description !== undefined) return description;
  const why = REFUSED.get(name);
  throw new DlAdmmError(
    'ERR_DLADMM_DATASET',
    why === undefined
      ? `Unknown graph ${JSON.stringify(name)}; the known ones are ${graphNames.join(', ')}`
      : `There is no graph ${name}: ${why}`,
  );
}

/**
 * Loads a graph by its name (`graphNames` lists them) from `graphs/NAME.npz`, or `NAME.npz`, in the first folder of the search
 * path of `loadDataset` that holds it. Features are row-normalised unless `rowNormalise` is false. Cora and Citeseer have the
 * split of Planetoid; `splitGraph` makes one for the others.
 *
 * @throws ERR_DLADMM_DATASET for an unknown name, or for a graph that is nowhere (the message lists where it looked);
 *   ERR_DLADMM_FORMAT for a damaged file; ERR_DLADMM_ARGUMENT, ERR_DLADMM_FILE, ERR_DLADMM_ABORTED
 */
export async function loadGraph(
  name: 'cora' | 'citeseer',
  options?: LoadGraphOptions,
): Promise<GraphDataset & Required<GraphSplit>>;
export async function loadGraph(name: string, options?: LoadGraphOptions): Promise<GraphDataset>;
export async function loadGraph(name: string, options: LoadGraphOptions = {}): Promise<GraphDataset> {
  const { nodes, features, classes, split } = describeGraph(name);
  const { signal, rowNormalise } = readOptions(LOAD_GRAPH, options);
  throwIfAborted(signal, `Loading ${name}`);
  const location = await locate(fileOf(name), options);
  throwIfAborted(signal, `Loading ${name}`);
  if (!location.found) {
    const text = `Found the graph ${name} nowhere; looked in ${location.looked.join(', ')}; its file is graphs/${name}.npz`;
    throw new DlAdmmError('ERR_DLADMM_DATASET', text);
  }
  const path = location.paths[0] as string;
  const graph = await readGraph(path, {
    rowNormalise,
    ...(signal && { signal }),
  });
  const found = [graph.adjacency.rows, graph.features.columns, graph.classes.length];
  if (found.join() !== [nodes, features, classes].join() || (split && graph.testIndex === undefined)) {
    const text = `${path}: expected ${nodes} nodes, ${features} features, ${classes} classes${split ? ' and a split' : ''} but found ${found.join(', ')}`;
    throw new DlAdmmError('ERR_DLADMM_FORMAT', text);
  }
  return { ...graph, name };
}

/** All named graphs in a fixed order, with the folder that holds each. */
export async function listGraphs(options: LocateOptions = {}): Promise<readonly GraphListing[]> {
  readOptions(LOCATE, options);
  return Promise.all(
    graphs.map(async (description) => {
      const location = await locate(fileOf(description.name), options);
      const { folder, origin } = location.found ? location : { folder: undefined, origin: undefined };
      return { ...description, folder, origin };
    }),
  );
}
