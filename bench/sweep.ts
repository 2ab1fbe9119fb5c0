/**
 * One iteration of dlADMM on a graph, as a ratio to the floor: the sparse and dense products (and the solve) that its
 * updates cannot do without, on the rows that they touch.
 *
 *     npm run --silent bench:sweep -- [--graph coauthor-physics] [--hidden 128] [--train-per-class 20] [--dtype float32]
 *                                     [--threads N] [--rounds 30] [--data-dir FOLDER] [--json]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { graphLayered, graphSweep, loadGraph, splitGraph } from 'dladmm';
import { native } from '#native';
import { seededRandom } from './random.js';
import { median } from './statistics.js';

const { values } = parseArgs({
  options: {
    graph: { type: 'string', default: 'coauthor-physics' },
    hidden: { type: 'string', default: '128' },
    'train-per-class': { type: 'string', default: '20' },
    dtype: { type: 'string', default: 'float32' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '30' },
    'data-dir': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const threads = Number(values.threads);
const rounds = Number(values.rounds);
const dtype = values.dtype === 'float64' ? 'float64' : 'float32';
const dataDir = values['data-dir'];
const graph = await loadGraph(values.graph, dataDir === undefined ? {} : { dataDir });
const layers = [graph.features.columns, ...values.hidden.split('-').map(Number), graph.classes.length];
const split = splitGraph(graph, 1, { trainPerClass: Number(values['train-per-class']) });
const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
const state = await graphLayered.open(
  { network, dtype, threads, outputWeights: 'cholesky' },
  { ...graph, trainIndex: split.trainIndex },
);
const { uniform } = seededRandom(1);
for (const [i, outputs] of layers.slice(1).entries()) {
  const inputs = layers[i] ?? 0;
  const reach = Math.sqrt(6 / (inputs + outputs));
  await state.write(
    'W',
    i + 1,
    Float64Array.from({ length: inputs * outputs }, () => reach * (2 * uniform() - 1)),
  );
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
const result = {
  graph: values.graph,
  layers,
  nodesOfLayers: state.rows,
  dtype,
  threads,
  secondsPerIteration: median(seconds),
  floorSeconds: median(floors),
  ratio: median(seconds) / median(floors),
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
  openblasCore: native.info().core,
};
state.close();
if (values.json) {
  console.log(JSON.stringify(result));
} else {
  console.log(
    `${values.graph}: ${layers.join('-')}, ${dtype}, ${threads} threads, OpenBLAS kernel ${result.openblasCore}`,
  );
  console.log(`nodes of layers 0 … ${layers.length - 1}: ${state.rows.join(', ')}\n`);
  console.log(`iteration    ${(result.secondsPerIteration * 1e3).toFixed(2)} ms`);
  console.log(`floor        ${(result.floorSeconds * 1e3).toFixed(2)} ms`);
  console.log(`ratio        ${result.ratio.toFixed(3)}`);
  console.log(`peak memory  ${(result.peakRssBytes / 1e9).toFixed(2)} GB`);
}
