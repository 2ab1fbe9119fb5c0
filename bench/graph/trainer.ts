/** Trains on one graph, in a process of its own, so that the memory it takes is that of the method. */
import { train } from 'dladmm';
import { type GraphDataset, splitGraph } from 'dladmm/graph';
import { answer, peakRssBytes } from '../harness/child.js';
import { follow, graphOf } from '../harness/samples.js';
import { median } from '../harness/statistics.js';
import type { GraphName, Setting } from './settings.js';

export interface RunRequest {
  readonly graph: GraphName;
  readonly dataDir: string | undefined;
  readonly setting: Setting;
  readonly seed: number;
  readonly threads: number;
}

/** One training. Accuracies are shares of the nodes of a part. */
export type RunReply = Awaited<ReturnType<typeof run>>;

let loaded: GraphDataset | undefined;

answer(run);

async function run({ graph: name, dataDir, setting, seed, threads }: RunRequest) {
  loaded ??= await graphOf(name, dataDir);
  const { trainIndex, validationIndex, testIndex } = loaded;
  const isSplit = trainIndex && validationIndex && testIndex;
  const data = isSplit ? { ...loaded, trainIndex } : { ...loaded, ...splitGraph(loaded, seed) };
  const layers = [loaded.features.columns, setting.hidden, loaded.classes.length];
  // Nothing is evaluated on the way: it would cost more than an iteration.
  const options = { ...setting.options, layers, seed, threads, evaluateEvery: 1e9, trainMetrics: true };
  const { model, status, iterations, history } = await follow(train(data, options), () => undefined);
  const last = history.at(-1);
  model.close();
  return {
    /** Of the initialisation, and of the split where the graph has none of its own. */
    seed,
    status: status.kind,
    iterations,
    testAccuracy: last?.test?.accuracy ?? Number.NaN,
    validationAccuracy: last?.validation?.accuracy ?? Number.NaN,
    trainAccuracy: last?.train?.accuracy ?? Number.NaN,
    /** The middle of the iterations' seconds, evaluation left out. */
    secondsPerIteration: median(history.map(({ seconds }) => seconds)),
    /** Of the process so far, loading included. */
    peakRssBytes: peakRssBytes(),
  };
}
