/** Rows of a table as a model takes them in: its columns encoded, and with them what it predicts, where it is to be judged. */
import { expected } from '../core/errors.js';
import { toJson } from '../core/json.js';
import {
  checkedReading,
  isFile,
  isRead,
  type ReadingOptions,
  readFrame,
  type SamplesLike,
  type TableReading,
} from '../datasets/frame-file.js';
import { checkNoStore, StoredSamples } from '../formats/sample-file.js';
import { checkNoDialect } from '../formats/table-formats.js';
import { checkOrdered, isRecord } from '../samples/arrived.js';
import type { ArrivingSamples, RowsLike } from '../samples/arriving.js';
import type { Column } from '../samples/columns.js';
import { encodedFor } from '../samples/encoded.js';
import { checkRecord, encoderOf, readOf } from '../samples/encoder.js';
import { type Frame, without } from '../samples/frame.js';
import { frameOf } from '../samples/framing.js';
import { areHashed, hashedRows, tableColumns } from '../samples/hashed.js';
import type { ColumnNote } from '../samples/learning.js';
import { StoredSet } from '../samples/stored.js';
import type { Cells } from '../samples/table.js';
import { checkKnown, taskOf, wantedOf } from '../samples/targets.js';
import { areSparseRows, atOnce, isCsr } from '../tensor/csr.js';
import { asSamples, isArray, isMatrix, isNumericArray, type MatrixLike, turn } from '../tensor/inputs.js';
import type { ModelParts } from './parts.js';

/** What a model knows of tables. */
type Knowing = Pick<ModelParts, 'network' | 'classes' | 'columns' | 'target'>;

/** Whether rows have no columns by their names; a stream only tells once it has begun. */
const isNameless = (rows: unknown): boolean =>
  StoredSamples.is(rows) ||
  isCsr(rows) ||
  isMatrix(rows) ||
  isNumericArray(rows) ||
  (isArray(rows) && (!isRecord(rows[0]) || areSparseRows(rows)));

/**
 * Options as readers take them.
 *
 * @param beside whether labels or values stand beside the rows
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT for one that is none, and for one that has no meaning for such rows
 */
export function readingOf(rows: unknown, options: TableReading, beside = false): ReadingOptions {
  const reading = checkedReading(options);
  if (!isRead(rows)) checkNoDialect(reading);
  for (const name of ['target', 'ignore'] as const) {
    if (options[name] === undefined || !(beside || isNameless(rows))) continue;
    throw expected('none, as these rows have no columns that a name would tell,', name, options[name]);
  }
  return reading;
}

/** The rows of a table, and what is to be known of its columns. */
interface Encoded {
  readonly x: MatrixLike;
  readonly notes: readonly ColumnNote[];
}

/** The rows of a table as the columns of a model take them in. */
async function encodedRows(frame: Frame, model: Knowing, { target, ignore = [] }: TableReading): Promise<Encoded> {
  const { columns, target: own, network } = model;
  const known = {
    ...(columns && { columns }),
    inputs: network.layers[0] ?? 0,
    ...(own !== undefined && { target: own }),
  };
  const { x, notes } = await encodedFor(without(frame, ignore), known, target);
  return { x: asSamples(x), notes };
}

/** The same, where columns of which the training set has seen nothing are told to the process. */
async function toldRows(frame: Frame, model: Knowing, reading: TableReading): Promise<MatrixLike> {
  const { x, notes } = await encodedRows(frame, model, reading);
  for (const { kind, text } of notes) {
    if (kind === 'all-unseen') process.emitWarning(text, { type: 'DlAdmmWarning', code: 'DLADMM_UNSEEN' });
  }
  return x;
}

/** The table of a file. A first line that has the names of the model's columns is one of names. */
const fileFrame = (
  file: Parameters<typeof readFrame>[0],
  { columns }: Knowing,
  reading: ReadingOptions,
): Promise<Frame> => readFrame(file, { ...reading, ...(columns && { columns }) });

/** Rows that come by the names of columns, in memory or in a stream. @throws DlAdmmError as `frameOf`, and ERR_DLADMM_ARGUMENT where none are known */
async function namedFrame(rows: unknown, name: string, { columns }: Knowing, reading: ReadingOptions): Promise<Frame> {
  checkNoStore(rows, name);
  const frame = await frameOf(rows as never, { name, ...reading, known: columns && tableColumns(columns) });
  const rules = { nameless: 'the model', ...(columns && { columns }) };
  if (frame.records) checkOrdered(rules, frame.columns, name);
  return frame;
}

/** Rows that options say more of than a model knows by itself, or that lie in a file; undefined for others. */
export async function rowsRead(
  rows: unknown,
  model: Knowing,
  options: TableReading,
  reading: ReadingOptions,
): Promise<MatrixLike | undefined> {
  if (isFile(rows)) return toldRows(await fileFrame(rows, model, reading), model, options);
  if (options.target === undefined && options.ignore === undefined) return undefined;
  return toldRows(await namedFrame(rows, 'x', model, reading), model, options);
}

/** Rows of a store, which are read as they are needed. @throws DlAdmmError ERR_DLADMM_ARGUMENT where it was packed with other columns */
export function storedRows(store: StoredSamples, { columns }: Knowing): MatrixLike {
  if (columns && toJson(store.columns ?? []) !== toJson(columns))
    throw expected(
      'a store with the columns of the model, in their order and encoded alike,',
      store.path,
      store.columns,
    );
  return asSamples(new StoredSet(store).features);
}

/** The same with labels or target values, which are in memory. */
async function storedSamples(store: StoredSamples, model: Knowing): Promise<ArrivingSamples> {
  const x = storedRows(store, model);
  return { ...(await new StoredSet(store).gathered(false)), x, ...(store.classes && { classes: store.classes }) };
}

/** Samples as they are; those of a store, or of a part of one, with its labels or target values. @throws DlAdmmError as {@link storedRows} */
export async function judgeable(
  samples: SamplesLike,
  store: StoredSamples | undefined,
  model: Knowing,
): Promise<SamplesLike> {
  if (store) return storedSamples(store, model);
  const part = StoredSet.within(samples);
  return part === undefined ? samples : { ...(samples as ArrivingSamples), ...(await part.gathered(false)) };
}

/** Rows with the columns that a model predicts among them, as samples. */
export async function labelledRows(
  rows: Exclude<SamplesLike, ArrivingSamples>,
  model: Knowing,
  options: TableReading,
  reading: ReadingOptions,
): Promise<{ readonly data: ArrivingSamples; readonly notes?: readonly ColumnNote[] }> {
  const { network, classes, columns } = model;
  const { target = model.target, ignore } = options;
  if (target === undefined) {
    throw expected('{ x, labels } or { x, y }, or a target, as the model does not know its own,', 'samples', rows);
  }
  const task = taskOf(network.loss);
  const file = isFile(rows);
  const plain = ignore === undefined && task !== 'multi-label' && !columns?.every(({ fill }) => fill !== undefined);
  if (!file && plain) {
    const told = typeof target === 'object' ? target.map(String) : String(target);
    return { data: { x: rows as RowsLike, ...(task === 'classification' ? { labels: String(target) } : { y: told }) } };
  }
  const frame = file ? await fileFrame(rows, model, reading) : await namedFrame(rows, 'samples', model, reading);
  const wanted = await wantedOf(frame, target, task, classes);
  if (wanted.task !== 'classification') {
    const { x, notes } = await encodedRows(frame, model, options);
    return { data: { x, y: wanted.y }, notes };
  }
  const { values: labels } = wanted;
  // Classes that are called by names may also be told by their numbers.
  if (classes && typeof labels[0] !== 'number') await turn(checkKnown(labels, classes, frame, target));
  const { x, notes } = await encodedRows(frame, model, options);
  return { data: { x, labels }, notes };
}

/** Records as the columns of a model take them in, at once. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_LABEL, ERR_DLADMM_NON_FINITE */
export function recordRows(columns: readonly Column[] | undefined, records: readonly Cells[]): MatrixLike {
  if (columns === undefined)
    throw expected('numbers, as the model was trained on columns without names,', 'x', records[0]);
  const hashed = areHashed(columns);
  const gathering = hashed ? hashedRows(columns, records.length, 'x') : undefined;
  const sources = hashed ? tableColumns(columns) : columns;
  const encoder = hashed ? undefined : encoderOf(columns, 'x');
  const inputs = encoder?.inputs ?? 0;
  const data = new Float64Array(records.length * inputs);
  for (const [row, record] of records.entries()) {
    if (!isRecord(record)) throw expected('a record', `x[${row}]`, record);
    checkRecord(record, sources, 'x');
    gathering?.push(row, (name) => readOf(name)(record));
    for (const [c, { name }] of encoder ? columns.entries() : [])
      encoder?.put(readOf(name)(record), c, data, row * inputs, row);
  }
  return gathering ? asSamples(atOnce(gathering.all())) : { data, rows: records.length, columns: inputs };
}
