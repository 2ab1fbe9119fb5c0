/** Trains on one graph, in a process of its own, so that the memory it takes is that of the method. */
import { type GraphDataset, type GraphSplit, loadGraph, splitGraph, train } from 'dladmm';
import { native } from '#native';
import { answer } from '../iteration/child.js';
import { median } from '../statistics.js';
import type { LoadReply, RunReply, RunRequest } from './messages.js';

let graph: GraphDataset | undefined;

answer<RunRequest, LoadReply | RunReply>((request) => (request.kind === 'load' ? load(request) : run(request)));

async function load({ graph: name, dataDir }: Extract<RunRequest, { kind: 'load' }>): Promise<LoadReply> {
  graph = await loadGraph(name, dataDir === undefined ? {} : { dataDir });
  const { adjacency, features, classes } = graph;
  return {
    nodes: adjacency.rows,
    edges: adjacency.indices.length / 2,
    features: features.columns,
    classes: classes.length,
    core: native.info().core,
  };
}

function partsOf(found: GraphDataset, seed: number): Required<GraphSplit> {
  const { trainIndex, validationIndex, testIndex } = found;
  if (trainIndex && validationIndex && testIndex) return { trainIndex, validationIndex, testIndex };
  return splitGraph(found, seed);
}

async function run({ setting, seed, threads }: Extract<RunRequest, { kind: 'run' }>): Promise<RunReply> {
  if (graph === undefined) throw new Error('no graph is loaded');
  const data = { ...graph, ...partsOf(graph, seed) };
  const layers = [graph.features.columns, setting.hidden, graph.classes.length];
  // Nothing is evaluated on the way: it would cost more than an iteration.
  const options = { ...setting.options, layers, seed, threads, evaluateEvery: 1e9, trainMetrics: true };
  const training = train(data, options);
  for await (const _ of training);
  const { model, status, iterations, history } = training.result;
  const last = history.at(-1);
  model.close();
  return {
    run: {
      seed,
      status: status.kind,
      iterations,
      testAccuracy: last?.test?.accuracy ?? Number.NaN,
      validationAccuracy: last?.validation?.accuracy ?? Number.NaN,
      trainAccuracy: last?.train?.accuracy ?? Number.NaN,
      secondsPerIteration: median(history.map(({ seconds }) => seconds)),
    },
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
}
