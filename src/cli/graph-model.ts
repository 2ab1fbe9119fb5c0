import { DlAdmmError } from '../core/errors.js';
import type { GraphDataset } from '../datasets/graph.js';
import { writeFileAtomic } from '../formats/atomic-file.js';
import { encodeNpy } from '../formats/npy.js';
import { GraphModel } from '../model/graph-model.js';
import { checkKind, type GraphFlags, graphOf, isGraphName, withSplit } from './graph.js';
import { interruptionOf } from './interruption.js';
import { bytesOf, predictionCsv } from './model.js';
import { metricsText } from './run.js';
import { checkTarget, type Which } from './samples.js';
import type { Terminal } from './terminal.js';

/** What `evaluate` and `predict` have in common. */
interface GraphModelFlags extends GraphFlags {
  readonly model: string;
  readonly part?: Which;
}

export interface EvaluateGraphFlags extends GraphModelFlags {
  readonly json?: boolean;
}

export interface PredictGraphFlags extends GraphModelFlags {
  /** A CSV or NPY file, or `-`. */
  readonly out: string;
}

/** The nodes of a part. */
function nodesOf(graph: GraphDataset, part: Which, flags: GraphFlags): Int32Array {
  const { trainIndex, testIndex, name } = withSplit(graph, flags);
  if (part === 'train') return trainIndex;
  if (testIndex !== undefined) return testIndex;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `${name} has no test part: --part train, or --split random`);
}

function checkFits({ network }: GraphModel, graph: GraphDataset, flags: GraphModelFlags): void {
  const [inputs, outputs] = [network.layers[0], network.layers.at(-1) ?? 0];
  const { columns } = graph.features;
  if (columns !== inputs) {
    throw new DlAdmmError(
      'ERR_DLADMM_SHAPE',
      `Expected ${inputs} features in ${graph.name}, to suit ${flags.model}, but found ${columns}`,
    );
  }
  if (graph.classes.length > outputs) {
    throw new DlAdmmError(
      'ERR_DLADMM_SHAPE',
      `Expected at most ${outputs} classes in ${graph.name}, to suit ${flags.model}, but found ${graph.classes.length}`,
    );
  }
}

/** `dladmm evaluate --graph` */
export async function evaluateGraph(flags: EvaluateGraphFlags, terminal: Terminal): Promise<number> {
  checkKind(flags);
  using model = await GraphModel.load(flags.model);
  const graph = await graphOf(flags, terminal.signal);
  checkFits(model, graph, flags);
  const nodes = nodesOf(graph, flags.part ?? 'test', flags);
  const metrics = await model.evaluate(graph, nodes);
  await terminal.out(
    flags.json
      ? `${JSON.stringify({ ...metrics, samples: nodes.length, data: graph.name, model: flags.model })}\n`
      : `${metricsText(metrics)} on ${nodes.length} nodes of ${graph.name}\n\n${String(metrics)}\n`,
  );
  return interruptionOf(terminal.signal)?.exitCode ?? 0;
}

/** `dladmm predict --graph`: for all nodes, or those of a part. */
export async function predictGraph(flags: PredictGraphFlags, terminal: Terminal): Promise<number> {
  const { out, part } = flags;
  checkKind(flags);
  if (out !== '-') await checkTarget(out, [flags.model, ...(isGraphName(flags.graph) ? [] : [flags.graph])]);
  using model = await GraphModel.load(flags.model);
  const graph = await graphOf(flags, terminal.signal);
  checkFits(model, graph, flags);
  const nodes = part === undefined ? undefined : nodesOf(graph, part, flags);
  const prediction = await model.predict(graph, nodes);
  const stopped = interruptionOf(terminal.signal);
  if (stopped) return stopped.exitCode;
  const lines = predictionCsv(prediction, model.classes, { header: 'node', of: (i) => nodes?.[i] ?? i });
  if (out === '-') {
    for (const text of lines) {
      if (terminal.signal.aborted) break;
      await terminal.out(text);
    }
  } else if (/\.npy$/i.test(out)) {
    const table = prediction.probabilities ?? prediction.outputs;
    await writeFileAtomic(out, encodeNpy({ data: table.data, shape: [table.rows, table.columns] }));
  } else {
    await writeFileAtomic(out, bytesOf(lines));
  }
  return interruptionOf(terminal.signal)?.exitCode ?? 0;
}
