/**
 * The sparse product Ã X on a graph, as a share of what a copy of X reaches in the same run.
 *
 *     npm run --silent bench:sparse -- [--graph coauthor-physics] [--columns 128] [--dtype float32] [--threads N] [--rounds 20] [--data-dir FOLDER] [--json]
 *
 * Counted are, for every entry of Ã, its index, its value and a row of X, and every row of the result; for the copy, twice
 * the bytes of X.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { loadGraph } from 'dladmm';
import { native } from '#native';

const { values } = parseArgs({
  options: {
    graph: { type: 'string', default: 'coauthor-physics' },
    columns: { type: 'string', default: '128' },
    dtype: { type: 'string', default: 'float32' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '20' },
    'data-dir': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const columns = Number(values.columns);
const threads = Number(values.threads);
const dtype = values.dtype === 'float64' ? 'float64' : 'float32';
const dataDir = values['data-dir'];
const graph = await loadGraph(values.graph, dataDir === undefined ? {} : { dataDir });
const { rows, columns: width, indptr, indices, data } = graph.adjacency;
const adjacency = {
  rows,
  columns: width,
  indptr: Float64Array.from(indptr),
  indices: Int32Array.from(indices),
  values: Float64Array.from(data),
};
const repeats = Number(values.rounds);
const { product, copy, entries, bytes } = native.sparseProductSeconds({ dtype, adjacency, columns, threads, repeats });
const operand = adjacency.rows * columns * (dtype === 'float32' ? 4 : 8);
const result = {
  graph: values.graph,
  nodes: adjacency.rows,
  entries,
  columns,
  dtype,
  threads,
  productSeconds: product,
  productBytes: bytes,
  productBytesPerSecond: bytes / product,
  operandBytes: operand,
  copyBytesPerSecond: (2 * operand) / copy,
  ratio: bytes / product / ((2 * operand) / copy),
};
if (values.json) {
  console.log(JSON.stringify(result));
} else {
  const rate = (perSecond: number): string => `${(perSecond / 1e9).toFixed(1)} GB/s`;
  console.log(
    `${values.graph}: ${result.nodes} nodes, ${entries} entries, ${columns} columns, ${dtype}, ${threads} threads\n`,
  );
  console.log(`product  ${(product * 1e3).toFixed(2)} ms  ${rate(result.productBytesPerSecond)}`);
  console.log(
    `copy     ${(copy * 1e3).toFixed(2)} ms  ${rate(result.copyBytesPerSecond)}  (of ${(operand / 1e6).toFixed(1)} MB)`,
  );
  console.log(`ratio    ${result.ratio.toFixed(2)}`);
}
