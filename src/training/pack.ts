/** Samples on their way into a store: read once, encoded as for a training, and written block by block. */
import { DlAdmmError, expected, quoted } from '../core/errors.js';
import { present } from '../core/objects.js';
import { checkWritable } from '../formats/atomic-file.js';
import { SAMPLES, type StoredFacts, storeOf, writeSamples } from '../formats/sample-file.js';
import { classifies, type Loss } from '../network/network.js';
import { completed, NOTHING, type OptionsOf, pick, SEED, word } from '../network/schema.js';
import { trainingSet } from '../samples/arrival.js';
import { isRecord } from '../samples/arrived.js';
import { areSamples, arrivingSamples, isStream } from '../samples/arriving.js';
import { type ClassNames, classNumbers, learnClasses } from '../samples/classes.js';
import type { Task } from '../samples/targets.js';
import {
  breathe,
  CHUNK_ENTRIES,
  isNumericArray,
  isRowSource,
  type LabelsLike,
  type RowSource,
  rowSource,
} from '../tensor/inputs.js';
import { readyOf } from './front.js';
import { numberedGoal } from './goal.js';
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
export async function packSamples(
  path: string,
  data: Rows | TrainingData,
  options: PackOptions & { readonly signal?: AbortSignal } = {},
): Promise<Packed> {
  const { signal, ...own } = options;
  const { precision } = completed(PACK, own, '', NOTHING);
  using stored = await storeOf(data);
  if (stored) {
    const what = `${quoted(stored.store.path)} is a store of samples already: copy that file`;
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `Expected samples that are in no store yet for data, but ${what}`);
  }
  await checkWritable(path, SAMPLES);
  const front = pick(FRONT, own) as FrontOptions;
  const stream = areSamples(data) ? (Object.keys(data).length === 1 ? data.x : undefined) : data;
  if (
    typeof stream === 'object' &&
    isStream(stream) &&
    !('readableObjectMode' in stream && !stream.readableObjectMode)
  ) {
    const items = itemsOf(stream as AsyncIterable<unknown>);
    const first = await items.next();
    const rest = follow(first, items);
    if (isRecord(first.value) && 'x' in first.value) return carried(path, rest, first.value, front, precision);
    return whole(
      path,
      areSamples(data) ? { ...data, x: rest as never } : (rest as never),
      { ...front, ...present({ signal }) },
      precision,
    );
  }
  return whole(path, data, { ...front, ...present({ signal }) }, precision);
}

async function* itemsOf(stream: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<unknown, undefined> {
  yield* stream;
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

/** Samples that have to be seen whole before they are numbers. */
async function whole(
  path: string,
  data: Rows | TrainingData,
  front: FrontOptions,
  precision: PackOptions['precision'] & string,
): Promise<Packed> {
  using ready = await readyOf(data, { ...front, seed: SEED, holdsOut: false });
  const { inputs, outputs, loss, task, because } = ready;
  const rules = { dtype: 'float64', standardise: false, standardiseTargets: false } as const;
  const { samples, learnt } = await trainingSet(ready.data, {
    ...rules,
    network: { layers: [inputs, outputs], activation: 'relu', loss },
  });
  const { labels, weights } = samples;
  const x = rowSource(samples.x, inputs, 'data');
  const y = labels ? undefined : rowSource(samples.y, outputs, 'data.y');
  const width = inputs + (y?.columns ?? 1) + (weights ? 1 : 0);
  async function* rows(): AsyncGenerator<Float64Array> {
    const step = Math.max(1, Math.floor(CHUNK_ENTRIES / width));
    for (let first = 0; first < x.rows; first += step) {
      const count = Math.min(step, x.rows - first);
      const given = x.chunk(first, count);
      yield sideBySide(count, [
        [given, inputs],
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
  };
  const written = await writeSamples(path, { width, inputs, precision }, rows(), () => facts);
  return { path, inputs, task, ...written };
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
  { task: asked, classes: given }: FrontOptions & { readonly classes?: readonly string[] },
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
  const width = start.value.length / rows;
  async function* all(): AsyncGenerator<Float64Array> {
    yield start.value as Float64Array;
    yield* source;
  }
  const facts = (): StoredFacts => ({
    task,
    because: `the samples have ${classifies(loss) ? 'labels' : 'rows of values'}`,
    inputs,
    weighted,
    ...(classifies(loss) ? called([...codes.keys()], given) : { outputs }),
  });
  const written = await writeSamples(path, { width, inputs, precision }, all(), facts);
  return { path, inputs, task, ...written };
}

/** The classes of labels in the order in which they came. */
function called(
  labels: readonly unknown[],
  given: readonly string[] | undefined,
): ClassNames & Pick<StoredFacts, 'outputs' | 'codes'> {
  const goal = numberedGoal(labels as LabelsLike, given);
  const found = (goal?.labels ?? labels) as LabelsLike;
  const own = goal?.labels ? goal.classes : undefined;
  const outputs = given?.length ?? own?.length ?? labels.length;
  const names = learnClasses(found, own, given, outputs, 'data.labels');
  const codes = [...classNumbers(found, own, names, labels.length, outputs, 'data.labels')];
  return { ...names, outputs, codes };
}
