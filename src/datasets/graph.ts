import { basename } from 'node:path';
import { checkOptions } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { isNumbers } from '../core/numbers.js';
import { formatError } from '../formats/bytes.js';
import { MAX_CLASSES, numberedClasses } from '../formats/labels.js';
import type { NpyArray } from '../formats/npy.js';
import { npzKeys, parseNpz } from '../formats/npz.js';
import { bytesReader, fileReader, reader } from '../formats/reader.js';
import { unzipEntry, zipEntries } from '../formats/zip.js';
import { flag, type OptionsOf, readOptions, type Schema, signalOption } from '../network/schema.js';
import { sharedNode } from '../samples/graph-samples.js';
import { type Csr, isCsr } from '../tensor/csr.js';
import { isMatrix } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';

/** A sparse matrix as a file is read to one. */
export interface SparseMatrix extends Csr {
  readonly data: Float32Array | Float64Array;
  readonly indices: Int32Array;
  readonly indptr: Int32Array;
}

/** Which nodes are to learn from, to watch, and to test on. */
export interface GraphSplit {
  readonly trainIndex: Int32Array;
  readonly validationIndex?: Int32Array;
  readonly testIndex?: Int32Array;
}

/** A graph of a file, with the split that the file brings along, if it brings one. */
export interface GraphDataset extends Partial<GraphSplit> {
  readonly name: string;
  /** nodes × nodes, as it stands in the file: not normalised, without self-loops where the file has none. */
  readonly adjacency: SparseMatrix;
  /** nodes × n_0. */
  readonly features: SparseMatrix | Matrix;
  /** The class of each node, −1 where it has none. */
  readonly labels: Int32Array;
  /** The names of the classes, in the order of their numbers. */
  readonly classes: readonly string[];
}

/** What `readGraph` accepts besides the path. */
export const GRAPH_FILE = {
  rowNormalise: flag({
    default: true,
    says: 'Whether the features of each node are divided by the sum of their sizes.',
  }),
  partial: flag({
    default: false,
    says: 'Whether a graph is taken that says itself that only some of its nodes have their features.',
  }),
  signal: signalOption('Ends the reading, which rejects with ERR_DLADMM_ABORTED.'),
} as const satisfies Schema;

/** What `readGraph` accepts besides the path. */
export type ReadGraphOptions = OptionsOf<typeof GRAPH_FILE>;

const LARGEST = 2 ** 31 - 1;

/** An array of the file, and how errors call it. */
interface Named extends NpyArray {
  readonly name: string;
}

type Arrays = (key: string) => Named;

const isFloat = ({ data }: NpyArray): boolean => isNumbers(data);

/** A list of whole numbers from `low` to `high`; each of them is what `code` says it must be. */
function wholeNumbers({ data, shape, name }: Named, low: number, high: number, what: string): Int32Array {
  if (shape.length !== 1) throw formatError(name, `expected a list of ${what} but the shape is (${shape.join(', ')})`);
  if (isFloat({ data, shape }))
    throw formatError(name, `expected ${what}, whole numbers, but found ${data.constructor.name}`);
  const out = new Int32Array(data.length);
  for (let i = 0; i < out.length; i += 1) {
    const value = Number(data[i]);
    if (value < low || value > high) {
      throw formatError(name, `expected ${what} from ${low} to ${high} but entry ${i} is ${data[i]}`);
    }
    out[i] = value;
  }
  return out;
}

function floats({ data }: NpyArray): Float32Array | Float64Array {
  if (isNumbers(data)) return data;
  return Float32Array.from({ length: data.length }, (_, i) => Number(data[i]));
}

function shapeOf(array: Named): readonly [number, number] {
  const [rows, columns, ...rest] = wholeNumbers(array, 1, LARGEST, 'dimensions');
  if (rows === undefined || columns === undefined || rest.length > 0)
    throw formatError(array.name, `expected two dimensions but found ${array.data.length}`);
  return [rows, columns];
}

/** The rows of a sparse matrix lie one after the other, and no entry is outside of them. */
function checkIndptr(indptr: Int32Array, rows: number, entries: number, name: string): void {
  if (indptr.length !== rows + 1)
    throw formatError(name, `expected ${rows + 1} entries, one a row and one more, but found ${indptr.length}`);
  if (indptr[0] !== 0) throw formatError(name, `expected it to begin at 0 but it begins at ${indptr[0]}`);
  for (let i = 0; i < rows; i += 1) {
    const [from, to] = [indptr[i] as number, indptr[i + 1] as number];
    if (to < from)
      throw formatError(name, `expected it never to decrease but it goes from ${from} to ${to} after row ${i}`);
  }
  if (indptr[rows] !== entries)
    throw formatError(name, `expected it to end at ${entries}, the number of entries, but it ends at ${indptr[rows]}`);
}

/** A sparse matrix of its arrays in an archive, which begin with `prefix`. */
function sparse(arrays: Arrays, prefix: string): SparseMatrix {
  const of = (part: string): Named => arrays(`${prefix}${part}`);
  const [rows, columns] = shapeOf(of('shape'));
  const indices = wholeNumbers(of('indices'), 0, columns - 1, 'columns');
  const indptr = wholeNumbers(of('indptr'), 0, LARGEST, 'places of entries');
  checkIndptr(indptr, rows, indices.length, of('indptr').name);
  const { name, shape } = of('data');
  if (shape.length !== 1) throw formatError(name, `expected a list of values but the shape is (${shape.join(', ')})`);
  const data = floats(of('data'));
  if (data.length !== indices.length)
    throw formatError(name, `expected ${indices.length} values, as many as indices, but found ${data.length}`);
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw nonFinite(name, `entry ${bad} is ${data[bad]}`);
  return { data, indices, indptr, rows, columns };
}

function adjacencyOf(arrays: Arrays): SparseMatrix {
  const matrix = sparse(arrays, 'adj_');
  const { rows, columns, data } = matrix;
  if (columns !== rows)
    throw formatError(arrays('adj_shape').name, `expected as many columns as rows but found ${rows} x ${columns}`);
  const negative = data.findIndex((weight) => weight < 0);
  if (negative >= 0)
    throw formatError(
      arrays('adj_data').name,
      `expected weights of at least 0 but entry ${negative} is ${data[negative]}`,
    );
  return matrix;
}

const nonFinite = (name: string, what: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_NON_FINITE', `${name}: expected finite numbers but ${what}`);

function dense(array: Named): Matrix {
  const [rows = 0, columns = 0, ...rest] = array.shape;
  if (rows === 0 || columns === 0 || rest.length > 0)
    throw formatError(array.name, `expected nodes x features but the shape is (${array.shape.join(', ')})`);
  const data = floats(array);
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const place = `row ${Math.floor(bad / columns)}, column ${bad % columns}`;
    throw nonFinite(array.name, `found ${data[bad]} in ${place}`);
  }
  return { data, rows, columns };
}

/** A class for each node, or −1. */
function labelsOf(array: Named, nodes: number): Int32Array {
  const labels = wholeNumbers(array, -1, MAX_CLASSES - 1, 'classes');
  if (labels.length !== nodes)
    throw formatError(array.name, `expected ${nodes} labels, one a node, but found ${labels.length}`);
  if (labels.every((label) => label < 0)) throw formatError(array.name, 'expected at least one node with a class');
  return labels;
}

/** Nodes of one part of the split: each has a class and is there once. */
function indexOf(array: Named, labels: Int32Array): Int32Array {
  const index = wholeNumbers(array, 0, labels.length - 1, 'nodes');
  if (index.length === 0) throw formatError(array.name, 'expected at least one node');
  const seen = new Set<number>();
  for (const [i, node] of index.entries()) {
    if (seen.has(node)) throw formatError(array.name, `expected each node once but entry ${i} repeats node ${node}`);
    seen.add(node);
    if ((labels[node] as number) < 0)
      throw formatError(array.name, `expected nodes with a class but node ${node}, entry ${i}, has the label -1`);
  }
  return index;
}

/** The nodes whose flag is set; none where none is. */
function maskedNodes(array: Named, labels: Int32Array): Int32Array | undefined {
  const { shape, name } = array;
  if (shape.length === 2 && (shape[1] ?? 0) > 1)
    throw formatError(name, `expected a flag for each node but found ${shape[1]} splits: keep one of them`);
  const flags = wholeNumbers({ ...array, shape: [array.data.length] }, 0, 1, 'flags');
  if (flags.length !== labels.length)
    throw formatError(name, `expected ${labels.length} flags, one a node, but found ${flags.length}`);
  const nodes = Int32Array.from([...flags.keys()].filter((node) => flags[node] === 1));
  const bare = nodes.find((node) => (labels[node] as number) < 0);
  if (bare !== undefined) throw formatError(name, `expected nodes with a class but node ${bare} has the label -1`);
  return nodes.length > 0 ? nodes : undefined;
}

/** The parts of a file's split, no node in two of them. */
function splitOf(keys: readonly PartKey[], arrays: Arrays, labels: Int32Array, path: string): Partial<GraphSplit> {
  const found = keys.flatMap(({ key, part, form }) => {
    const nodes = form === 'mask' ? maskedNodes(arrays(key), labels) : indexOf(arrays(key), labels);
    return nodes ? [[part, nodes] as const] : [];
  });
  const split: Partial<GraphSplit> = Object.fromEntries(found);
  if (split.trainIndex === undefined && keys.length > 0)
    throw formatError(path, `expected training nodes beside ${keys.map(({ key }) => key).join(', ')} but found none`);
  const shared = sharedNode(split);
  if (shared === undefined) return split;
  const keyOf = (which: keyof GraphSplit): string => keys.find(({ part }) => part === which)?.key ?? which;
  const both = `${keyOf(shared.first)} and ${keyOf(shared.second)}`;
  throw formatError(path, `expected no node in two parts but node ${shared.node} is in ${both}`);
}

/** A file may say itself that it has the features of some nodes only. */
function checkPresent(array: Named): void {
  const { length } = array.data;
  const present = Array.from({ length }, (_, i) => Number(array.data[i])).filter((flag) => flag !== 0).length;
  if (present === length) return;
  const text = `only ${present} of the ${length} nodes have their features, so no accuracy on this graph would mean anything`;
  throw formatError(array.name, text);
}

/**
 * A copy of node features in which the sizes of each row add up to 1; rows of zeros stay as they are.
 */
export function rowNormalised<M extends SparseMatrix | Matrix>(features: M): M {
  if (!isCsr(features) && !isMatrix(features)) throw expected('a matrix, sparse or dense,', 'features', features);
  const data = features.data.slice();
  const scale = (from: number, to: number): void => {
    let sum = 0;
    for (let k = from; k < to; k += 1) sum += Math.abs(data[k] as number);
    if (sum === 0) return;
    for (let k = from; k < to; k += 1) data[k] = (data[k] as number) / sum;
  };
  const { rows, columns } = features;
  for (let i = 0; i < rows; i += 1) {
    if (isCsr(features)) scale(features.indptr[i] as number, features.indptr[i + 1] as number);
    else scale(i * columns, (i + 1) * columns);
  }
  return { ...features, data };
}

interface Signalled {
  readonly signal?: AbortSignal;
}
const checkSparse = (options: Signalled): void => checkOptions(options, ['signal']);

/** What the archive of one sparse matrix holds beside its format. */
async function sparseOf(archive: Uint8Array, path: string, options: Signalled = {}): Promise<SparseMatrix> {
  checkSparse(options);
  const { signal } = options;
  const entry = zipEntries(archive, path).find(({ name }) => name === 'format.npy');
  const called =
    entry &&
    Buffer.from(await unzipEntry(archive, entry, path))
      .toString('latin1')
      .replaceAll('\0', '');
  if (!called?.endsWith('csr')) {
    const text = `expected a sparse matrix in compressed rows, as scipy.sparse.save_npz(path, x.tocsr()) writes it`;
    throw formatError(path, `${text}, but it ${called ? `is of the format ${called.slice(-3)}` : 'says no format'}`);
  }
  const found = await parseNpz(archive, path, { keys: CSR_PARTS, ...(signal && { signal }) });
  return sparse((key) => ({ ...(found.get(key) as NpyArray), name: `${path}, array "${key}"` }), '');
}

/** As {@link readSparse}, for an archive in memory; `path` is how errors call it. */
export const parseSparse = bytesReader(sparseOf, 'npz');

/**
 * Reads a sparse matrix from the NPZ file that `scipy.sparse.save_npz` writes of a `csr_matrix` or `csr_array`.
 *
 * @throws ERR_DLADMM_FORMAT for a damaged file, one of another format than csr, or arrays that do not fit together;
 *   ERR_DLADMM_NON_FINITE, ERR_DLADMM_FILE, ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED
 */
export const readSparse = fileReader(parseSparse, checkSparse, 'npz', 'gzip');

const CSR_PARTS: readonly string[] = ['data', 'indices', 'indptr', 'shape'];

/** How files call the parts of a split, and how they say which nodes are in one: by their numbers, or by a flag for each node. */
const PARTS: Readonly<Record<string, keyof GraphSplit>> = {
  ...{ train: 'trainIndex', training: 'trainIndex', test: 'testIndex', testing: 'testIndex' },
  ...{ val: 'validationIndex', valid: 'validationIndex', validation: 'validationIndex', dev: 'validationIndex' },
};
const FORMS: Readonly<Record<string, 'index' | 'mask'>> = {
  ...{ idx: 'index', index: 'index', indices: 'index', ids: 'index', nodes: 'index', mask: 'mask' },
};

interface PartKey {
  readonly key: string;
  readonly part: keyof GraphSplit;
  readonly form: 'index' | 'mask';
}

/**
 * `train_idx`, `val_mask`, `idx_test` and their kin.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT for one that is called after a part and says nothing that is known, and for two of a part
 */
function partKeys(present: readonly string[], path: string): readonly PartKey[] {
  const found = new Map<keyof GraphSplit, PartKey>();
  for (const key of present) {
    const words = key
      .replace(/([a-z])(?=[A-Z])/g, '$1_')
      .toLowerCase()
      .split('_');
    const part = words.map((word) => PARTS[word]).find((name) => name !== undefined);
    if (part === undefined) continue;
    const form = words.length === 2 ? words.map((word) => FORMS[word]).find((name) => name !== undefined) : undefined;
    const what = `an array ${JSON.stringify(key)}, which seems to say which nodes are to be in a part`;
    const names = 'train_idx, val_idx, test_idx or train_mask, val_mask, test_mask';
    if (form === undefined) throw formatError(path, `found ${what}; expected ${names}`);
    const other = found.get(part);
    if (other) throw formatError(path, `expected one array for each part but found both ${other.key} and ${key}`);
    found.set(part, { key, part, form });
  }
  return [...found.values()];
}

/** The arrays that are wanted of those that are there. */
function wantedKeys(
  present: readonly string[],
  path: string,
): { readonly keys: readonly string[]; readonly isDense: boolean; readonly parts: readonly PartKey[] } {
  const isDense = !present.includes('attr_data') && present.includes('attr_matrix');
  const needed = [
    ...CSR_PARTS.map((part) => `adj_${part}`),
    ...(isDense ? ['attr_matrix'] : CSR_PARTS.map((part) => `attr_${part}`)),
    'labels',
  ];
  const missing = needed.find((key) => !present.includes(key));
  if (missing !== undefined) {
    const text = `expected a graph, with the arrays adj_… and attr_… (data, indices, indptr, shape) and labels, but there is no ${missing}; it holds ${present.join(', ') || 'none'}`;
    throw formatError(path, text);
  }
  const parts = partKeys(present, path);
  const optional = [...parts.map(({ key }) => key), ...(present.includes('feat_present') ? ['feat_present'] : [])];
  return { keys: [...needed, ...optional], isDense, parts };
}

async function graphOf(archive: Uint8Array, path: string, options: ReadGraphOptions = {}): Promise<GraphDataset> {
  const { rowNormalise, partial, signal } = readOptions(GRAPH_FILE, options);
  const { keys, isDense, parts } = wantedKeys(npzKeys(archive, path), path);
  const found = await parseNpz(archive, path, { keys, ...(signal && { signal }) });
  const arrays: Arrays = (key) => ({ ...(found.get(key) as NpyArray), name: `${path}, array "${key}"` });

  const adjacency = adjacencyOf(arrays);
  const nodes = adjacency.rows;
  const features = isDense ? dense(arrays('attr_matrix')) : sparse(arrays, 'attr_');
  if (features.rows !== nodes) {
    const { name } = arrays(isDense ? 'attr_matrix' : 'attr_shape');
    throw formatError(name, `expected ${nodes} rows, one a node, but found ${features.rows}`);
  }
  const labels = labelsOf(arrays('labels'), nodes);
  if (found.has('feat_present') && !partial) checkPresent(arrays('feat_present'));
  const split = splitOf(parts, arrays, labels, path);
  return {
    name: basename(path),
    classes: numberedClasses(labels),
    adjacency,
    features: rowNormalise ? rowNormalised(features) : features,
    labels,
    ...split,
  };
}

/** As {@link readGraph}, for an archive in memory; `path` is how errors call it. */
export const parseGraph = reader(graphOf, 'npz');

/**
 * Reads a graph from an NPZ file with the arrays of gnn-benchmark (https://github.com/shchur/gnn-benchmark): the adjacency
 * matrix as `adj_data`, `adj_indices`, `adj_indptr`, `adj_shape`; the features of the nodes likewise as `attr_…`, or dense as
 * `attr_matrix`; `labels`, −1 for a node without a class; and, where there is a split, the nodes of its parts as `train_idx`, `val_idx`,
 * `test_idx`, or a flag for each node as `train_mask`, `val_mask`, `test_mask` (and names like these: `idx_train`,
 * `valid_mask`, …), no node in two of them. Features are divided by the sum of their sizes, node by node, unless `rowNormalise` is false.
 *
 * The adjacency matrix is given as it is: what is directed, repeated or a loop is made even by whoever trains on it.
 *
 * @throws ERR_DLADMM_FORMAT for a damaged file, one that lacks an array, or arrays that do not fit together (the message names
 *   the array and the entry), and for a graph that says by `feat_present` that some nodes lack their features, unless `partial`
 *   is set; ERR_DLADMM_NON_FINITE, ERR_DLADMM_FILE, ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED
 */
export const readGraph = fileReader(parseGraph, (options) => readOptions(GRAPH_FILE, options), 'npz', 'gzip');
