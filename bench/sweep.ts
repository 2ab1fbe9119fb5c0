/**
 * One iteration of dlADMM on a graph, as a ratio to the floor: the sparse and dense products (and the solve) that its
 * updates cannot do without, on the rows that they touch. Then the sparse product Ã Z on all nodes by itself, as a share of
 * what a copy of Z reaches: counted are, for every entry of Ã, its index, its value and a row of Z, and every row of the
 * result; for the copy, twice the bytes of Z.
 */
import type { Dtype } from 'dladmm';
import { type SparseMatrix, splitGraph } from 'dladmm/graph';
import { graphLayered, graphSweep } from 'dladmm/solvers';
import { peakRssBytes } from './harness/child.js';
import { native } from './harness/internals.js';
import { count, DTYPE, file, layers as layersOption, program, THREADS, text as textOption } from './harness/program.js';
import { measured } from './harness/results.js';
import { graphOf, uniform } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { gigabytes, pairs } from './harness/table.js';

const OPTIONS = {
  graph: textOption('coauthor-physics'),
  hidden: layersOption('128'),
  trainPerClass: count(20),
  dtype: DTYPE,
  threads: THREADS,
  rounds: count(30),
  dataDir: file,
};

await program(OPTIONS, async ({ graph: name, hidden, trainPerClass, dtype, threads, rounds, dataDir }) => {
  const graph = await graphOf(name, dataDir);
  const layers = [graph.features.columns, ...hidden, graph.classes.length];
  const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  const state = await graphLayered.open(
    { network, dtype, threads, outputWeights: 'cholesky' },
    { ...graph, ...splitGraph(graph, 1, { trainPerClass }) },
  );
  for (const [i, outputs] of layers.slice(1).entries()) {
    const inputs = layers[i] ?? 0;
    await state.write('W', i + 1, uniform(inputs * outputs, 'float64', Math.sqrt(6 / (inputs + outputs))));
  }
  await state.start({ dual: 'stationary' });
  const updates = [...graphSweep(layers.length - 1)];
  const l2 = layers.slice(1).map(() => 0.1);
  const penalties = { nu: 1, rho: 1, theta0: 1e-3, tau0: 1e-3, growth: 2, search: 'exact', l2 } as const;
  const seconds: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    seconds.push((await state.run(updates, penalties)).seconds);
    floors.push(await state.productSeconds(updates, 1));
  }
  const [columns = 1] = hidden;
  const sparse = sparseRates(graph.adjacency, columns, { dtype, threads, repeats: rounds });
  const [secondsPerIteration, floorSeconds] = [median(seconds), median(floors)];
  const ratio = secondsPerIteration / floorSeconds;
  const times = { secondsPerIteration, floorSeconds, ratio, peakRssBytes: peakRssBytes() };
  const found = { graph: name, layers, nodesOfLayers: state.rows, dtype, ...times, sparse };
  state.close();
  return measured(
    threads,
    found,
    `${name}: ${layers.join('-')}, ${dtype}`,
    `nodes of layers 0 … ${layers.length - 1}: ${found.nodesOfLayers.join(', ')}\n`,
    pairs({
      iteration: `${(secondsPerIteration * 1e3).toFixed(2)} ms`,
      floor: `${(floorSeconds * 1e3).toFixed(2)} ms`,
      ratio: ratio.toFixed(3),
      'peak memory': gigabytes(times.peakRssBytes),
      'sparse product': `${gigabytes(sparse.productBytesPerSecond)}/s with ${columns} columns`,
      copy: `${gigabytes(sparse.copyBytesPerSecond)}/s, ratio ${sparse.ratio.toFixed(2)}`,
    }),
  );
});

/** Bytes a second of Ã Z for a Z of so many columns, and of a copy of Z. */
function sparseRates(
  { rows, columns: width, indptr, indices, data }: SparseMatrix,
  columns: number,
  options: { readonly dtype: Dtype; readonly threads: number; readonly repeats: number },
) {
  const entries = { indices: Int32Array.from(indices), values: Float64Array.from(data) };
  const adjacency = { rows, columns: width, indptr: Float64Array.from(indptr), ...entries };
  const { product, copy, bytes } = native.sparseProductSeconds({ ...options, adjacency, columns });
  const operandBytes = rows * columns * (options.dtype === 'float32' ? 4 : 8);
  const [productBytesPerSecond, copyBytesPerSecond] = [bytes / product, (2 * operandBytes) / copy];
  return { columns, productBytesPerSecond, copyBytesPerSecond, ratio: productBytesPerSecond / copyBytesPerSecond };
}
