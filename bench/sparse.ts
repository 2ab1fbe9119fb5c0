/**
 * The sparse product Ã X on a graph, as a share of what a copy of X reaches in the same run.
 *
 * Counted are, for every entry of Ã, its index, its value and a row of X, and every row of the result; for the copy, twice
 * the bytes of X.
 */
import { native } from './harness/internals.js';
import { count, DTYPE, file, program, THREADS, text as textOption } from './harness/program.js';
import { machine } from './harness/results.js';
import { graphOf } from './harness/samples.js';
import { pairs } from './harness/table.js';

const OPTIONS = {
  graph: textOption('coauthor-physics'),
  columns: count(128),
  dtype: DTYPE,
  threads: THREADS,
  rounds: count(20),
  dataDir: file,
};

await program(OPTIONS, async ({ graph: name, columns, dtype, threads, rounds: repeats, dataDir }) => {
  const { rows, columns: width, indptr, indices, data } = (await graphOf(name, dataDir)).adjacency;
  const adjacency = {
    rows,
    columns: width,
    indptr: Float64Array.from(indptr),
    indices: Int32Array.from(indices),
    values: Float64Array.from(data),
  };
  const measured = native.sparseProductSeconds({ dtype, adjacency, columns, threads, repeats });
  const { product, copy, entries, bytes } = measured;
  const operandBytes = rows * columns * (dtype === 'float32' ? 4 : 8);
  const result = {
    graph: name,
    nodes: rows,
    entries,
    columns,
    dtype,
    productSeconds: product,
    productBytes: bytes,
    productBytesPerSecond: bytes / product,
    operandBytes,
    copyBytesPerSecond: (2 * operandBytes) / copy,
    ratio: bytes / product / ((2 * operandBytes) / copy),
    ...machine(threads),
  };
  const rate = (perSecond: number): string => `${(perSecond / 1e9).toFixed(1)} GB/s`;
  const text = [
    `${name}: ${rows} nodes, ${entries} entries, ${columns} columns, ${dtype}, ${threads} threads\n`,
    pairs({
      product: `${(product * 1e3).toFixed(2)} ms  ${rate(result.productBytesPerSecond)}`,
      copy: `${(copy * 1e3).toFixed(2)} ms  ${rate(result.copyBytesPerSecond)}  (of ${(operandBytes / 1e6).toFixed(1)} MB)`,
      ratio: result.ratio.toFixed(2),
    }),
  ].join('\n');
  return { result, text };
});
