/** How much a model leans on each column of its table: by how much it is worse where the values of one are shuffled among the rows. */
import { throwIfAborted, unlessAborted } from '../core/abort.js';
import { expected } from '../core/errors.js';
import { READING, type SamplesLike } from '../datasets/frame-file.js';
import { shuffledIndices } from '../datasets/split.js';
import { storeOf } from '../formats/sample-file.js';
import { checkMetric, METRICS, type Metric, scoreOf } from '../judging/metrics.js';
import { aligned, numberText, printable } from '../judging/text.js';
import { METRIC, type Metrics, metricsOfLoss } from '../network/metrics.js';
import { type OptionsOf, option, readOptions, type Schema, seedOption, whole } from '../network/schema.js';
import type { ArrivingSamples } from '../samples/arriving.js';
import { inputsOfColumn } from '../samples/columns.js';
import { areHashed } from '../samples/hashed.js';
import { asSamples, eachChunk, type RowSource, roomFor, rowSource, trusted, turn } from '../tensor/inputs.js';
import { judgeable } from './labelled.js';
import type { Model } from './model.js';
import { checkModel } from './own.js';

/** How importance is found. */
export const IMPORTANCE = {
  ...READING,
  metric: option(METRIC, { default: 'loss', says: 'What the model is judged by.' }),
  repeats: whole(1, { default: 5, says: 'How often each column is shuffled.' }, 1e6),
  samples: whole(
    1,
    {
      otherwise: 'all',
      elsewhere: 'maxsamples',
      says: 'So many samples at most are looked at, evenly chosen from all.',
    },
    2 ** 31 - 1,
  ),
  seed: seedOption('Of the shuffling.'),
} as const satisfies Schema;

/** How importance is found. */
export type ImportanceOptions = OptionsOf<typeof IMPORTANCE>;

/** What one column is worth. */
export interface ColumnImportance {
  readonly column: string;
  /** By how much the metric is worse without what the column says, on average; about 0, or below it, where it says nothing. */
  readonly mean: number;
  /** The standard deviation over the repeats (divided by their number). */
  readonly sd: number;
  readonly values: readonly number[];
}

/** What every column is worth: plain data. */
export interface Importance {
  readonly metric: Metric;
  /** What the model is worth with all its columns. */
  readonly value: number;
  /** The most important column first. */
  readonly columns: readonly ColumnImportance[];
  /** A table for people. */
  toString(): string;
}

/** Rows of which the inputs from `at` on, as many as `width`, are those of other rows. */
const shuffled = (source: RowSource, data: Float64Array, at: number, width: number, order: Int32Array): RowSource =>
  trusted({
    ...source,
    chunk(first, count, spent) {
      const { columns } = source;
      const out = roomFor('float64', count * columns, spent);
      out.set(data.subarray(first * columns, (first + count) * columns));
      for (let i = 0; i < count; i += 1) {
        const from = (order[first + i] as number) * columns + at;
        out.set(data.subarray(from, from + width), i * columns + at);
      }
      return out;
    },
  });

/**
 * The permutation importance of the columns that a model was trained on (Breiman, 2001; the definition of scikit-learn's
 * `permutation_importance`): all the inputs that a column became are shuffled together. Of columns that say the same each seems to
 * be worth little, as the other stands in for it.
 *
 *     console.log(String(await importance(model, 'held-out.csv', { metric: 'rocAuc' })));
 *
 * @param rows samples that the model was not trained on, as `model.evaluate` takes them
 * @throws DlAdmmError as `model.evaluate`, and ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for the options, ERR_DLADMM_ABORTED
 */
export async function importance(
  model: Model,
  rows: SamplesLike,
  options: ImportanceOptions = {},
): Promise<Importance> {
  const { repeats, seed } = readOptions(IMPORTANCE, options);
  return importanceBy(model, rows, options, function* (count) {
    for (let i = 0; i < repeats; i += 1) yield shuffledIndices(count, (seed + i) % 2 ** 32);
  });
}

/** What is done at most where nobody has asked for it: shuffles of a column, samples, of which `few` say too little, predictions and their products. */
const CHEAP = { repeats: 3, few: 100, samples: 2000, predictions: 6e4, products: 5e9 } as const;

/**
 * What the columns of a table are worth, where that is soon found: of so many samples that it takes about a second at most; nothing where
 * those would be too few, where there are hashes of words among the columns, and where somebody stops it.
 *
 * @internal
 */
export async function cheapImportance(
  model: Model,
  rows: ArrivingSamples,
  signal: AbortSignal | undefined,
): Promise<Importance | undefined> {
  const { columns, weights } = model;
  if (columns === undefined || areHashed(columns)) return undefined;
  const { repeats, few, predictions, products } = CHEAP;
  const size = weights.reduce((sum, { length }) => sum + length, 0);
  const most = Math.min(predictions, products / size) / (columns.length * repeats);
  const samples = Math.min(CHEAP.samples, Math.floor(most));
  if (samples < few) return undefined;
  return unlessAborted(signal, () => importance(model, rows, { repeats, samples, ...(signal && { signal }) }));
}

/** Rows of a source whose numbers rise, in float64; the event loop runs in between. */
async function chosenRows(source: RowSource, rows: Int32Array): Promise<Float64Array> {
  const { columns } = source;
  const data = new Float64Array(rows.length * columns);
  let done = 0;
  await eachChunk(source, (chunk, first, count) => {
    for (; done < rows.length && (rows[done] as number) < first + count; done += 1) {
      const at = ((rows[done] as number) - first) * columns;
      data.set(chunk.subarray(at, at + columns), done * columns);
    }
  });
  return data;
}

/** The same by orders of the rows, which each column is put into one after the other. @internal */
export async function importanceBy(
  model: Model,
  rows: SamplesLike,
  options: ImportanceOptions,
  ordersOf: (rows: number) => Iterable<Int32Array>,
): Promise<Importance> {
  checkModel(model);
  const { metric: asked = 'loss', samples: most, repeats: _, seed: __, ...reading } = options;
  const { signal } = reading;
  const metric = checkMetric(asked, metricsOfLoss(model.network.loss, model.calibration !== undefined), 'metric');
  using stored = await storeOf(rows);
  const given = await judgeable(rows, stored?.store, model);
  const { x, y, labels, columns: ___, ...rest } = await model.arrived(given, reading);
  if (x.sparse)
    throw expected('rows of few features, as sparse ones would be laid out,', 'rows', `${x.columns} features`);
  const count = Math.min(x.rows, most ?? x.rows);
  const chosen = Int32Array.from({ length: count }, (_, i) => Math.floor((i * x.rows) / count));
  const data = await chosenRows(x, chosen);
  const values = y && { y: asSamples(rowSource(await chosenRows(y, chosen), y.columns, y.name)) };
  const beside = { ...rest, ...(labels && { labels: Array.from(chosen, (row) => labels[row] as never) }), ...values };
  const judged = async (source: RowSource): Promise<number> => {
    throwIfAborted(signal, 'Finding what columns are worth');
    const value = ((await model.evaluate({ ...beside, x: asSamples(source) })) as Metrics)[metric];
    if (value !== undefined) return value;
    throw expected(`samples that ${metric} can be told of (of at least two classes)`, 'rows', undefined);
  };
  const all = rowSource(data, x.columns, x.name);
  const value = await judged(all);
  const orders: Int32Array[] = [];
  for (const order of ordersOf(count)) orders.push(await turn(order));
  const found: ColumnImportance[] = [];
  let at = 0;
  for (const { column, width } of groupsOf(model, x.columns)) {
    const values: number[] = [];
    for (const order of orders) {
      const worse = await judged(shuffled(all, data, at, width, order));
      values.push(scoreOf(metric, value) - scoreOf(metric, worse));
    }
    found.push({ column, ...spreadOf(values), values });
    at += width;
  }
  return printable({ metric, value, columns: found.toSorted((a, b) => b.mean - a.mean) }, textOf);
}

/** The columns as the user has them, and how many inputs each became. */
const groupsOf = (
  { columns }: Model,
  inputs: number,
): readonly { readonly column: string; readonly width: number }[] =>
  columns
    ? columns.map((column) => ({ column: column.name, width: inputsOfColumn(column) }))
    : Array.from({ length: inputs }, (_, j) => ({ column: `x[${j}]`, width: 1 }));

function spreadOf(values: readonly number[]): { readonly mean: number; readonly sd: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, sd: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) };
}

function textOf({ metric, value, columns }: Omit<Importance, 'toString'>): string {
  const table = [
    ['column', 'importance', '±'],
    ...columns.map(({ column, mean, sd }) => [column, numberText(mean), numberText(sd)]),
  ];
  return [
    `${METRICS[metric].title} ${numberText(value)}; by how much it is worse where a column is shuffled:`,
    '',
    ...aligned(table),
  ].join('\n');
}
