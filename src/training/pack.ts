/** Samples on their way into a store: read once, encoded as for a training, and written block by block. */
import { types } from 'node:util';
import { throwIfAborted, untilAborted } from '../core/abort.js';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import { present } from '../core/objects.js';
import { checkWritable, targetOf } from '../formats/atomic-file.js';
import { SAMPLES, type StoredFacts, storeOf, writeSamples } from '../formats/sample-file.js';
import { Spill } from '../formats/spill.js';
import { classifies, type Loss } from '../network/network.js';
import { type OptionsOf, pick, readOptions, SEED, signalOption, word } from '../network/schema.js';
import { trainingSet } from '../samples/arrival.js';
import { isRecord } from '../samples/arrived.js';
import { areSamples, arrivingSamples, isStream } from '../samples/arriving.js';
import { type ClassNames, classNumbers, learnClasses } from '../samples/classes.js';
import { areLists } from '../samples/label-lists.js';
import { isTable } from '../samples/table.js';
import type { Task } from '../samples/targets.js';
import { keptIn } from '../tensor/growing.js';
import {
  breathe,
  CHUNK_ENTRIES,
  isArray,
  isNumericArray,
  isRowSource,
  type LabelsLike,
  type RowSource,
  rowSource,
} from '../tensor/inputs.js';
import { readyOf } from './front/front.js';
import { numberedGoal } from './front/goal.js';
import { checkNoRows } from './front/samples.js';
import { FRONT, type FrontOptions, type Rows } from './options.js';
import type { TrainingData } from './result.js';

const {
  validation: _,
  test: __,
  validationShare: ___,
  calibrate: ____,
  hidden: _____,
  memory: ______,
  ...PACKED
} = FRONT;

/** What says how samples are packed, beside what says how rows become samples. */
export const PACK = {
  ...PACKED,
  precision: word(['exact', 'float32', 'float16'], {
    default: 'exact',
    says: 'What becomes of numbers that a shorter type does not hold: they are kept, or rounded to that type.',
  }),
  signal: signalOption('Ends the packing: the file stays as it was.'),
} as const;

/** What {@link packSamples} and `dladmm pack` take besides the rows. */
export type PackOptions = OptionsOf<typeof PACK>;

/** What a store turned out to be. */
export interface Packed {
  readonly path: string;
  readonly rows: number;
  readonly inputs: number;
  readonly task: Task;
  readonly bytes: number;
  /** What a person should look at in the columns that were packed. */
  readonly warnings: readonly string[];
}

const LOSSES: Readonly<Record<Task, Loss>> = {
  classification: 'softmax-cross-entropy',
  regression: 'squared-error',
  'multi-label': 'sigmoid-cross-entropy',
};

/**
 * Reads samples once and writes them to a store, from which `fit` trains without holding them in memory: rows of a file, records or a table
 * with their `target`, samples, or a stream. What comes as `{ x, label }` or `{ x, labels }`, numbers already, is written as it comes; columns
 * that are still to be encoded are held in memory until they are.
 *
 *     await packSamples('data.samples', 'data.parquet', { target: 'churned' });
 *
 * @throws DlAdmmError as `fit` for the rows; ERR_DLADMM_FILE
 */
export async function packSamples(path: string, data: Rows | TrainingData, options: PackOptions = {}): Promise<Packed> {
  const { precision } = readOptions(PACK, options);
  const front = pick({ ...PACKED, signal: PACK.signal }, options);
  throwIfAborted(front.signal, PACKING);
  await checkWritable(path, SAMPLES);
  using stored = await storeOf(data);
  if (stored) {
    const text = `Expected rows or samples for data but received ${stored.store.path}, a store, whose samples are packed already`;
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
  }
  for (const key of ['validation', 'test'] as const) {
    const set: unknown = areSamples(data) ? (data as TrainingData)[key] : undefined;
    if (set !== undefined) throw expected('none, as a store holds one set (pack each by itself),', `data.${key}`, set);
  }
  const stream = areSamples(data) ? (Object.keys(data).length === 1 ? data.x : undefined) : data;
  const isText =
    typeof stream === 'object' && stream !== null && 'readableObjectMode' in stream && !stream.readableObjectMode;
  if (
    isText ||
    !isStream(stream) ||
    types.isMap(stream) ||
    isTable(stream) ||
    (isArray(stream) && !isSample(stream[0]))
  )
    return whole(path, data, front, precision);
  const items = itemsOf(stream, front.signal);
  const first = await items.next();
  const rest = follow(first, items);
  if (!isSample(first.value))
    return whole(path, areSamples(data) ? { ...data, x: rest as never } : (rest as never), front, precision);
  try {
    checkNoRows(front, ['weights']);
    checkNoLists(first.value);
    return await carried(path, rest, first.value, front, precision);
  } finally {
    await items.return(undefined);
  }
}

const PACKING = 'Packing samples';

const isSample = (item: unknown): item is Readonly<Record<string, unknown>> => isRecord(item) && 'x' in item;

/** What the labels are called has to be known before one can be written. */
function checkNoLists({ label, labels }: Readonly<Record<string, unknown>>): void {
  const lists = isArray(label) ? label : areLists(labels) ? labels[0] : undefined;
  if (lists === undefined) return;
  const what = 'one label a sample of a stream (with several each: { x, labels }, which is taken whole)';
  throw expected(what, `data[0].${isArray(label) ? 'label' : 'labels[0]'}`, lists);
}

async function* itemsOf(
  stream: AsyncIterable<unknown> | Iterable<unknown>,
  signal: AbortSignal | undefined,
): AsyncGenerator<unknown, undefined> {
  let rows = 0;
  try {
    for await (const item of untilAborted(stream, signal, () => `${PACKING} was aborted`)) {
      yield item;
      rows += 1;
    }
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    const text = `data failed where item ${rows} was to come: ${messageOf(error)}`;
    throw new DlAdmmError('ERR_DLADMM_STREAM', text, { cause: error });
  }
  return undefined;
}

async function* follow(
  first: IteratorResult<unknown, undefined>,
  rest: AsyncIterable<unknown>,
): AsyncGenerator<unknown> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}

type Given = FrontOptions & { readonly signal?: AbortSignal };

/** Samples that have to be seen whole before they are numbers. */
async function whole(
  path: string,
  data: Rows | TrainingData,
  front: Given,
  precision: PackOptions['precision'] & string,
): Promise<Packed> {
  using spill = new Spill(await targetOf(path));
  const given = { ...front, seed: SEED, holdsOut: false, standardise: false, packs: true };
  using ready = await keptIn(spill, () => readyOf(data, given));
  const { inputs, outputs, loss, task, because, cells, warnings } = ready;
  const rules = { dtype: 'float64', standardise: false, standardiseTargets: false } as const;
  const { samples, learnt } = await trainingSet(ready.data, {
    ...rules,
    network: { layers: [inputs, outputs], activation: 'relu', loss },
  });
  const { labels, weights } = samples;
  const x = cells ?? rowSource(samples.x, inputs, 'data');
  const y = labels ? undefined : rowSource(samples.y, outputs, 'data.y');
  const beside = (y?.columns ?? 1) + (weights ? 1 : 0);
  async function* rows(): AsyncGenerator<Float64Array> {
    const step = Math.max(1, Math.floor(CHUNK_ENTRIES / (x.columns + beside)));
    for (let first = 0; first < x.rows; first += step) {
      throwIfAborted(front.signal, PACKING);
      const count = Math.min(step, x.rows - first);
      const given = x.chunk(first, count);
      yield sideBySide(count, [
        [given, x.columns],
        [
          labels ? (labels as Int32Array).subarray(first, first + count) : (y as RowSource).chunk(first, count),
          y?.columns ?? 1,
        ],
        ...(weights ? ([[(weights as Float64Array).subarray(first, first + count), 1]] as const) : []),
      ]);
      await breathe();
    }
  }
  const { columns, classes, labelKind, target } = learnt;
  const facts = {
    task,
    because,
    inputs,
    outputs,
    weighted: weights !== undefined,
    ...present({ columns, classes, labelKind, target }),
    ...(cells && { cells: true }),
  };
  const form = { features: x.columns, beside, labelled: labels !== undefined, precision };
  const written = await writeSamples(path, { ...form, columns: cells && columns }, rows(), () => facts);
  return { path, inputs, task, warnings, ...written };
}

/** Rows whose columns are those of some parts, one after the other. */
function sideBySide(
  rows: number,
  parts: readonly (readonly [values: ArrayLike<number>, columns: number])[],
): Float64Array {
  const width = parts.reduce((sum, [, columns]) => sum + columns, 0);
  const out = new Float64Array(rows * width);
  let at = 0;
  for (const [values, columns] of parts) {
    const whole = columns > 8 && isNumericArray(values) ? values : undefined;
    for (let i = 0; i < rows; i += 1)
      if (whole) out.set(whole.subarray(i * columns, (i + 1) * columns), i * width + at);
      else for (let j = 0; j < columns; j += 1) out[i * width + at + j] = values[i * columns + j] as number;
    at += columns;
  }
  return out;
}

/** An error of some items of a stream, behind others: as if all had been taken in at once. */
function numberedFrom(items: number, rows: number, error: unknown): unknown {
  if (!(error instanceof DlAdmmError)) return error;
  const text = error.message
    .replace(/\bdata\.x\[(\d+)\]/, (_, item: string) => `data[${Number(item) + items}]`)
    .replace(/\bdata\.x\b/, 'data')
    .replace(/\bin row (\d+)\b/, (_, row: string) => `in row ${Number(row) + rows}`);
  return new DlAdmmError(error.code, text, { cause: error.cause ?? error });
}

/** Items of a stream that are taken in at once. */
const ITEMS = 1024;

/** Samples that bring their labels or targets, written as they come; classes are numbered as they come, and called in the end. */
async function carried(
  path: string,
  items: AsyncIterable<unknown>,
  first: Readonly<Record<string, unknown>>,
  { task: asked }: Given,
  precision: PackOptions['precision'] & string,
): Promise<Packed> {
  const task = asked ?? (first.y === undefined ? 'classification' : 'regression');
  const loss = LOSSES[task];
  const codes = new Map<unknown, number>();
  let [inputs, outputs, weighted, rows, count] = [0, 0, false, 0, 0];

  async function taken(some: readonly unknown[]): Promise<Float64Array> {
    const rules = {
      network: { layers: [inputs, outputs], activation: 'relu', loss },
      dtype: 'float64',
      exact: true,
      exactTargets: true,
    } as const;
    const { x, y, labels, weights } = await arrivingSamples({ x: some }, rules, 'data', ['weights']).catch(
      (error: unknown) => {
        throw numberedFrom(count, rows, error);
      },
    );
    count += some.length;
    const counts = weights !== undefined;
    if (rows > 0 && counts !== weighted) throw expected('weights of all samples or of none', 'data', weights);
    [inputs, outputs, weighted, rows] = [x.columns, y?.columns ?? 0, counts, rows + x.rows];
    const numbers = Float64Array.from((labels ?? []) as ArrayLike<unknown>, (label) => {
      const code = codes.get(label) ?? codes.size;
      codes.set(label, code);
      return code;
    });
    return sideBySide(x.rows, [
      [x.chunk(0, x.rows), inputs],
      y ? [y.chunk(0, y.rows), outputs] : [numbers, 1],
      ...(weights ? ([[weights as ArrayLike<number>, 1]] as const) : []),
    ]);
  }
  async function* pieces(): AsyncGenerator<Float64Array> {
    let some: unknown[] = [];
    for await (const item of items) {
      some.push(item);
      // A block of rows is enough by itself.
      if (
        some.length < ITEMS &&
        !(isRecord(item) && ('labels' in item || isRowSource(item.x) || ArrayBuffer.isView(item.x)))
      )
        continue;
      yield await taken(some);
      some = [];
    }
    if (some.length > 0) yield await taken(some);
  }
  const source = pieces();
  const start = await source.next();
  if (start.done) throw new DlAdmmError('ERR_DLADMM_SHAPE', 'Expected at least one sample in data but received none');
  const form = { features: inputs, beside: start.value.length / rows - inputs, labelled: classifies(loss), precision };
  async function* all(): AsyncGenerator<Float64Array> {
    yield start.value as Float64Array;
    yield* source;
  }
  const facts = (): StoredFacts => ({
    task,
    because: `the samples have ${classifies(loss) ? 'labels' : 'rows of values'}`,
    inputs,
    weighted,
    ...(classifies(loss) ? called([...codes.keys()]) : { outputs }),
  });
  const written = await writeSamples(path, form, all(), facts);
  return { path, inputs, task, warnings: [], ...written };
}

/** The classes of labels in the order in which they came. */
function called(labels: readonly unknown[]): ClassNames & Pick<StoredFacts, 'outputs' | 'codes'> {
  const goal = numberedGoal(labels as LabelsLike, undefined);
  const found = (goal?.labels ?? labels) as LabelsLike;
  const own = goal?.labels ? goal.classes : undefined;
  const outputs = own?.length ?? labels.length;
  const names = learnClasses(found, own, undefined, outputs, 'data.labels');
  const codes = [...classNumbers(found, own, names, labels.length, outputs, 'data.labels')];
  return { ...names, outputs, codes };
}
