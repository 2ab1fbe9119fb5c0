import { basename } from 'node:path';
import { types } from 'node:util';
import { DlAdmmError, expected, refused } from '../../core/errors.js';
import { present } from '../../core/objects.js';
import { READING } from '../../datasets/frame-file.js';
import type { GraphDataset } from '../../datasets/graph.js';
import { writeFileAtomic } from '../../formats/atomic-file.js';
import { encodeNpy } from '../../formats/npy.js';
import { isSampleFile, openSamples, type StoredSamples } from '../../formats/sample-file.js';
import type { Metric } from '../../judging/metrics.js';
import type { Prediction } from '../../model/answer.js';
import { GraphModel } from '../../model/graph-model.js';
import { type Importance, type ImportanceOptions, importance } from '../../model/importance.js';
import { Model } from '../../model/model.js';
import { readModelFile } from '../../model/model-file.js';
import { classifies, networkText } from '../../network/network.js';
import { pick } from '../../network/schema.js';
import type { Csr } from '../../tensor/csr.js';
import { interruptionOf } from '../interruption.js';
import { reading } from '../progress.js';
import { metricsText } from '../run.js';
import {
  barePart,
  checkSparse,
  checkStored,
  checkTarget,
  type DataFlags,
  type Demands,
  filesOf,
  LAST,
  labelledPart,
  sourceOf,
  type Which,
} from '../samples.js';
import { isLibsvm, sparseFor } from '../sparse.js';
import type { Terminal } from '../terminal.js';
import { givenOf } from '../without.js';
import { checkKind, type GraphFlags, graphOf, isGraphName, SPLITTING, withSplit } from './graph.js';

/** What `evaluate` and `predict` have in common. */
interface Asking {
  readonly model: string;
  readonly part?: Which;
}
type OnSamples = DataFlags & Asking;
type OnGraph = GraphFlags & Asking;

export type EvaluateFlags = (OnSamples | OnGraph) & {
  readonly json?: boolean;
  /** Whether to tell what each column is worth, by which metric. */
  readonly importance?: boolean;
  readonly metric?: Metric;
  /** Says which shuffles tell what columns are worth, or which nodes are in which part. */
  readonly seed?: number;
};

/** `out` is a CSV or NPY file, or `-`. */
export type PredictFlags = (OnSamples | OnGraph) & { readonly out: string; readonly seed?: number };

const isOnGraph = (flags: OnSamples | OnGraph): flags is OnGraph => 'graph' in flags && flags.graph !== undefined;

export function demandsOf({ network, classes }: Model, file: string): Demands {
  return {
    by: file,
    task: classifies(network.loss) ? 'classification' : 'regression',
    inputs: network.layers[0] ?? 0,
    outputs: network.layers.at(-1) ?? 0,
    ...(classes && { classes }),
  };
}

function nodesOf(graph: GraphDataset, part: Which, flags: GraphFlags): Int32Array {
  const { trainIndex, testIndex, name } = withSplit(graph, flags);
  if (graph.trainIndex !== undefined && flags.split !== 'random' && flags.seed !== undefined) {
    throw refused(`Expected --split random with --seed, as ${name} has a split of its own`);
  }
  if (part === 'train') return trainIndex;
  if (testIndex !== undefined) return testIndex;
  throw refused(`${name} has no test part: --part train, or --split random`);
}

function checkFits({ network }: GraphModel, graph: GraphDataset, file: string): void {
  const [inputs, outputs] = [network.layers[0], network.layers.at(-1) ?? 0];
  const { columns } = graph.features;
  if (columns !== inputs) {
    const text = `Expected ${inputs} features in ${graph.name}, to suit ${file}, but found ${columns}`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
  }
  if (graph.classes.length > outputs) {
    const text = `Expected at most ${outputs} classes in ${graph.name}, to suit ${file}, but found ${graph.classes.length}`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
  }
}

/** A model and its graph, which fits it. */
async function withGraph(flags: OnGraph, signal: AbortSignal): Promise<readonly [GraphModel, GraphDataset]> {
  const model = await GraphModel.load(flags.model);
  try {
    const graph = await graphOf(flags, signal);
    checkFits(model, graph, flags.model);
    return [model, graph];
  } catch (error) {
    model.close();
    throw error;
  }
}

const { target, ignore } = READING;

function checkNoPart({ part, data }: OnSamples): void {
  if (part !== undefined) throw refused(`${data} has no parts: leave --part out`);
}

/** Samples of libsvm's text, of which nothing can be said that is of tables. */
async function sparse(flags: OnSamples & { readonly importance?: boolean }, model: Model, signal: AbortSignal) {
  const { data, importance: asked } = flags;
  checkSparse(flags, data);
  checkNoPart(flags);
  if (asked) throw expected('none with libsvm text, as sparse features would be laid out,', '--importance', asked);
  return sparseFor(model, data, signal);
}

/** A store of samples, of which nothing can be said that was said as they were packed; undefined for other files. */
async function stored(flags: OnSamples): Promise<StoredSamples | undefined> {
  const { data } = flags;
  if (!(await isSampleFile(data))) return undefined;
  checkStored(flags, data);
  checkNoPart(flags);
  return openSamples(data);
}

/** What each column is worth, where that is asked for. */
const worth = async (
  model: Model,
  rows: Parameters<typeof importance>[1],
  { importance: asked, metric, seed }: EvaluateFlags,
  reading: ImportanceOptions,
): Promise<{ readonly columns?: Importance }> =>
  asked ? { columns: await importance(model, rows, { ...reading, ...present({ metric, seed }) }) } : {};

/** How good a model is on samples, or on nodes. */
async function judge(flags: EvaluateFlags, signal: AbortSignal) {
  if (isOnGraph(flags)) {
    const [own, graph] = await withGraph(flags, signal);
    using model = own;
    const nodes = nodesOf(graph, flags.part ?? 'test', flags);
    return { metrics: await model.evaluate(graph, nodes), samples: nodes.length, unit: 'nodes', name: graph.name };
  }
  using model = await Model.load(flags.model);
  if (isLibsvm(flags.data)) {
    const { data } = flags;
    const samples = await sparse(flags, model, signal);
    const metrics = await model.evaluate(samples, { signal });
    return { metrics, samples: (samples.x as Csr).rows, unit: 'samples', name: basename(data) };
  }
  using store = await stored(flags);
  if (store) {
    return {
      metrics: await model.evaluate(store, { signal }),
      ...(await worth(model, store, flags, { signal })),
      ...{ samples: store.rows, unit: 'samples', name: basename(flags.data) },
    };
  }
  const source = await sourceOf(flags, signal);
  const { name } = source;
  if (source.kind === 'table') {
    checkNoPart(flags);
    const told = { target: model.target ?? LAST, ...pick({ target, ignore }, flags), signal };
    return {
      metrics: await model.evaluate(source.frame, told),
      ...(await worth(model, source.frame, flags, told)),
      ...{ samples: source.frame.rows, unit: 'samples', name },
    };
  }
  const part = labelledPart(source.file, flags.part, demandsOf(model, flags.model));
  return {
    metrics: await model.evaluate(part, { signal }),
    ...(await worth(model, part, flags, { signal })),
    ...{ samples: part.x.rows, unit: 'samples', name },
  };
}

export async function evaluateCommand(flags: EvaluateFlags, terminal: Terminal): Promise<number> {
  checkKind(flags);
  if (flags.metric !== undefined && !flags.importance) {
    throw refused('Expected --importance with --metric, by which columns are judged');
  }
  if (flags.seed !== undefined && !isOnGraph(flags) && !flags.importance) {
    throw refused('Expected --graph or --importance with --seed: nothing else is drawn at random');
  }
  const judged = await reading(
    flags,
    terminal,
    (onBytes) => judge({ ...flags, onBytes }, terminal.signal),
    'judging by',
  );
  const { metrics, samples, unit, name, columns } = { columns: undefined, ...judged };
  await terminal.out(
    flags.json
      ? `${JSON.stringify({ ...metrics, samples, data: name, model: flags.model, ...(columns && { importance: columns }) })}\n`
      : `${metricsText(metrics)} on ${samples} ${unit} of ${name}\n\n${metrics}\n${columns ? `\n${columns}\n` : ''}`,
  );
  return interruptionOf(terminal.signal)?.exitCode ?? 0;
}

/** `dladmm report`: what a saved model is, what it takes in, and what was noted of its training. @throws DlAdmmError */
export async function reportCommand({ model: file }: Pick<Asking, 'model'>, terminal: Terminal): Promise<number> {
  const stored = await readModelFile(file);
  using model = stored.kind === 'gcn' ? new GraphModel(stored) : new Model(stored);
  const { note = {}, dtype, weights, classes = [] } = model;
  const described =
    'describe' in model
      ? model.describe()
      : `${networkText(model.network)}, of nodes of a graph: ${classes.join(', ')}`;
  const noted = Object.entries(note).map(([name, value]) => `${name}: ${value}`);
  const count = weights.reduce((sum, { length }) => sum + length, 0);
  await terminal.out(`${[described, `${count} weights in ${dtype}`, ...noted].join('\n')}\n`);
  return 0;
}

/** Rows of CSV that are handed on at a time. */
const ROWS = 1000;

/** As many digits as the type has, so that reading them back gives the same number. */
const digits = (value: number, table: Float32Array | Float64Array): string =>
  types.isFloat32Array(table) ? String(Number(value.toPrecision(9))) : String(value);

export const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** A column that says which sample each row is of. */
interface RowNumbers {
  readonly header: string;
  readonly of: (row: number) => number;
}

/** What a model calls its outputs. */
type Called = Pick<Model, 'classes' | 'target'>;

/** Predictions as CSV: the class (or the labels) and the probability of each class, or the outputs. */
function* predictionCsv(
  prediction: Prediction,
  { classes, target }: Called,
  rowNumbers?: RowNumbers,
): Generator<string> {
  const { outputs, labels, probabilities } = prediction;
  const { data, rows, columns } = probabilities ?? outputs;
  const numbers = Array.from({ length: columns }, (_, j) => j);
  const names = classes ?? numbers.map(String);
  const several = labels && typeof labels[0] === 'object';
  const targets = [target ?? []].flat();
  const values = targets.length === columns ? targets : numbers.map((j) => `output ${j + 1}`);
  const header = (labels ? [several ? 'labels' : 'class', ...names] : values).map(quoted);
  yield `${[...(rowNumbers ? [rowNumbers.header] : []), ...header].join(',')}\n`;
  for (let first = 0; first < rows; first += ROWS) {
    const lines: string[] = [];
    for (let i = first; i < Math.min(rows, first + ROWS); i += 1) {
      const values = numbers.map((j) => digits(data[i * columns + j] as number, data)).join(',');
      const label = labels?.[i];
      const which = rowNumbers ? `${rowNumbers.of(i)},` : '';
      const name = typeof label === 'number' ? names[label] : typeof label === 'object' ? label.join('|') : label;
      lines.push(which + (label === undefined ? values : `${quoted(String(name ?? label))},${values}`));
    }
    yield `${lines.join('\n')}\n`;
  }
}

async function* bytesOf(texts: Iterable<string>): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

/** What a model says of samples; of a graph: of all nodes, or those of a part. */
async function answer(flags: OnSamples | OnGraph, signal: AbortSignal) {
  if (isOnGraph(flags)) {
    const [own, graph] = await withGraph(flags, signal);
    using model = own;
    const nodes = flags.part && nodesOf(graph, flags.part, flags);
    const rowNumbers: RowNumbers = { header: 'node', of: (i) => nodes?.[i] ?? i };
    return { prediction: await model.predict(graph, nodes), model, rowNumbers };
  }
  using model = await Model.load(flags.model);
  if (isLibsvm(flags.data)) {
    const { x } = await sparse(flags, model, signal);
    return { prediction: await model.predict(x, { signal }), model };
  }
  using store = await stored(flags);
  if (store) return { prediction: await model.predict(store, { signal }), model };
  const source = await sourceOf(flags, signal);
  if (source.kind === 'arrays') {
    const x = barePart(source.file, flags.part, demandsOf(model, flags.model));
    return { prediction: await model.predict(x, { signal }), model };
  }
  checkNoPart(flags);
  return { prediction: await model.predict(source.frame, { ...pick({ target, ignore }, flags), signal }), model };
}

const inputsOf = (flags: OnSamples | OnGraph): readonly string[] =>
  isOnGraph(flags)
    ? [flags.model, ...(isGraphName(flags.graph) ? [] : [flags.graph])]
    : filesOf(flags.data, flags.labels, flags.model);

/** All nodes of a graph are predicted unless it is said which. */
function checkPart(flags: PredictFlags): void {
  if (!isOnGraph(flags)) {
    if (flags.seed !== undefined) throw refused('Expected --graph with --seed: nothing else is drawn at random');
    return;
  }
  const given = flags.part === undefined ? givenOf([...SPLITTING, 'seed'], flags) : undefined;
  if (given !== undefined) throw refused(`Expected --part with ${given}, which says which nodes are in it`);
}

export async function predictCommand(flags: PredictFlags, terminal: Terminal): Promise<number> {
  const { out } = flags;
  checkKind(flags);
  checkPart(flags);
  if (out !== '-') await checkTarget(out, inputsOf(flags));
  const { prediction, model, rowNumbers } = await reading(
    flags,
    terminal,
    (onBytes) => answer({ ...flags, onBytes }, terminal.signal),
    'predicting from',
  );
  const stopped = interruptionOf(terminal.signal);
  if (stopped) return stopped.exitCode;
  const lines = predictionCsv(prediction, model, rowNumbers);
  if (out === '-') {
    for (const text of lines) {
      if (terminal.signal.aborted) break;
      await terminal.out(text);
    }
  } else if (/\.npy$/i.test(out)) {
    const { data, rows, columns } = prediction.probabilities ?? prediction.outputs;
    await writeFileAtomic(out, encodeNpy({ data, shape: [rows, columns] }));
  } else {
    await writeFileAtomic(out, bytesOf(lines));
  }
  return interruptionOf(terminal.signal)?.exitCode ?? 0;
}
