import { types } from 'node:util';
import { writeFileAtomic } from '../formats/atomic-file.js';
import { encodeNpy } from '../formats/npy.js';
import type { Prediction } from '../model/answer.js';
import { Model } from '../model/model.js';
import { classifies } from '../network/network.js';
import { checkKind } from './graph.js';
import { interruptionOf } from './interruption.js';
import { metricsText } from './run.js';
import {
  bareSamples,
  checkTarget,
  type DataFlags,
  type Demands,
  filesOf,
  labelledSamples,
  type Which,
} from './samples.js';
import type { Terminal } from './terminal.js';

/** What `evaluate` and `predict` have in common. */
interface ModelFlags extends DataFlags {
  readonly model: string;
  readonly part?: Which;
}

export interface EvaluateFlags extends ModelFlags {
  readonly json?: boolean;
}

export interface PredictFlags extends ModelFlags {
  /** A CSV or NPY file, or `-`. */
  readonly out: string;
}

function demandsOf({ network, classes, columns }: Model, file: string): Demands {
  return {
    by: file,
    task: classifies(network.loss) ? 'classification' : 'regression',
    inputs: network.layers[0] ?? 0,
    outputs: network.layers.at(-1) ?? 0,
    ...(classes && { classes }),
    ...(columns && { columns }),
  };
}

/** `dladmm evaluate` */
export async function evaluateCommand(flags: EvaluateFlags, terminal: Terminal): Promise<number> {
  checkKind(flags);
  using model = await Model.load(flags.model);
  const { name, part } = await labelledSamples(flags, flags.part, demandsOf(model, flags.model), terminal.signal);
  const metrics = await model.evaluate(part);
  const samples = part.x.rows;
  await terminal.out(
    flags.json
      ? `${JSON.stringify({ ...metrics, samples, data: name, model: flags.model })}\n`
      : `${metricsText(metrics)} on ${samples} samples of ${name}\n\n${String(metrics)}\n`,
  );
  return interruptionOf(terminal.signal)?.exitCode ?? 0;
}

/** Rows of CSV that are handed on at a time. */
const ROWS = 1000;

/** As many digits as the type has, so that reading them back gives the same number. */
const digits = (value: number, table: Float32Array | Float64Array): string =>
  types.isFloat32Array(table) ? String(Number(value.toPrecision(9))) : String(value);

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** A column that says which sample each row is of. */
interface RowNumbers {
  readonly header: string;
  readonly of: (row: number) => number;
}

/** Predictions as CSV: the class and the probability of each class, or the outputs. */
export function* predictionCsv(
  prediction: Prediction,
  classes: readonly string[] | undefined,
  rowNumbers?: RowNumbers,
): Generator<string> {
  const { outputs, labels, probabilities } = prediction;
  const { data, rows, columns } = probabilities ?? outputs;
  const numbers = Array.from({ length: columns }, (_, j) => j);
  const names = classes ?? numbers.map(String);
  const header = labels ? ['class', ...names.map(quoted)] : numbers.map((j) => `output ${j + 1}`);
  yield `${[...(rowNumbers ? [rowNumbers.header] : []), ...header].join(',')}\n`;
  for (let first = 0; first < rows; first += ROWS) {
    const lines: string[] = [];
    for (let i = first; i < Math.min(rows, first + ROWS); i += 1) {
      const values = numbers.map((j) => digits(data[i * columns + j] as number, data)).join(',');
      const label = labels?.[i];
      const which = rowNumbers ? `${rowNumbers.of(i)},` : '';
      const name = typeof label === 'number' ? names[label] : label;
      lines.push(which + (label === undefined ? values : `${quoted(String(name ?? label))},${values}`));
    }
    yield `${lines.join('\n')}\n`;
  }
}

export async function* bytesOf(texts: Iterable<string>): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

/** `dladmm predict` */
export async function predictCommand(flags: PredictFlags, terminal: Terminal): Promise<number> {
  const { out, data, labels } = flags;
  checkKind(flags);
  if (out !== '-') await checkTarget(out, filesOf(data, labels, flags.model));
  using model = await Model.load(flags.model);
  const x = await bareSamples(flags, flags.part, demandsOf(model, flags.model), terminal.signal);
  const prediction = await model.predict(x);
  const stopped = interruptionOf(terminal.signal);
  if (stopped) return stopped.exitCode;
  if (out === '-') {
    for (const text of predictionCsv(prediction, model.classes)) {
      if (terminal.signal.aborted) break;
      await terminal.out(text);
    }
  } else if (/\.npy$/i.test(out)) {
    const table = prediction.probabilities ?? prediction.outputs;
    await writeFileAtomic(out, encodeNpy({ data: table.data, shape: [table.rows, table.columns] }));
  } else {
    await writeFileAtomic(out, bytesOf(predictionCsv(prediction, model.classes)));
  }
  return interruptionOf(terminal.signal)?.exitCode ?? 0;
}
