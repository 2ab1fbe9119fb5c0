/** Samples that come one after the other: a stream is kept in blocks that are given back as they are loaded. */
import type { Readable } from 'node:stream';
import { onAbort } from '../core/abort.js';
import { checkKeys } from '../core/checks.js';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import type { Dtype } from '../core/native.js';
import { breathe, isArray, isMatrix, isNumericArray, type LabelsLike, rowSource } from '../tensor/inputs.js';
import { type RowStore, rowStore } from '../tensor/row-store.js';
import {
  type ArrivalRules,
  type Arrived,
  checkInputs,
  checkOrdered,
  isNames,
  isRecord,
  type Names,
  type Targets,
  targetColumns,
  type WeightedSamples,
} from './arrived.js';
import { checkRecord, type Encoder, encoderOf, numberOf, readOf } from './encoder.js';
import { categoryCollector, labelOf, noColumn, oneHot, type RecordLike } from './table.js';

/** Puts what a stream brings where it belongs; answers once there is no more. */
interface Gathering {
  readonly rows: number;
  /** Entries that a row has. */
  readonly width: number;
  take(item: unknown): void;
  finish(): Arrived;
}

export async function fromStream(
  stream: Iterable<unknown> | AsyncIterable<unknown>,
  samples: WeightedSamples,
  rules: ArrivalRules,
  targets: Targets,
  names: Names,
): Promise<Arrived> {
  if ((stream as Partial<Readable>).readableObjectMode === false) {
    throw expected('a stream of rows (readCsv reads a stream of text)', names.x, stream);
  }
  let gathering: Gathering | undefined;
  await drain(
    stream,
    (item) => {
      gathering ??= gather(item, samples, rules, targets, names);
      gathering.take(item);
      return gathering;
    },
    rules,
    names.x,
  );
  if (gathering === undefined) {
    throw new DlAdmmError('ERR_DLADMM_SHAPE', `Expected at least one sample in ${names.x} but received none`);
  }
  return gathering.finish();
}

/** Entries that are taken in between two turns of the event loop. */
const ENTRIES = 2 ** 15;

/** Takes a stream to its end, item by item; it is not asked for the next one before this one has its place. */
async function drain(
  stream: Iterable<unknown> | AsyncIterable<unknown>,
  take: (item: unknown) => Gathering,
  { signal }: ArrivalRules,
  name: string,
): Promise<void> {
  let rows = 0;
  let stopped = false;
  const pump = async (): Promise<void> => {
    let next = ENTRIES;
    try {
      for await (const item of stream) {
        if (stopped) return;
        const gathering = take(item);
        rows = gathering.rows;
        if (rows * gathering.width < next) continue;
        next = rows * gathering.width + ENTRIES;
        await breathe();
      }
    } catch (error) {
      if (error instanceof DlAdmmError) throw error;
      const why = messageOf(error);
      throw new DlAdmmError('ERR_DLADMM_STREAM', `${name} failed where row ${rows} was to come: ${why}`, {
        cause: error,
      });
    }
  };
  if (signal === undefined) return pump();
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      stopped = true;
      reject(
        new DlAdmmError('ERR_DLADMM_ABORTED', `The signal was aborted after ${rows} rows of ${name}`, {
          cause: signal.reason,
        }),
      );
      (stream as Partial<Readable>).destroy?.();
    };
  });
  const forget = onAbort(signal, () => stop());
  try {
    // A source that never answers must not keep a training that nobody wants any more.
    await Promise.race([pump(), aborted]);
  } finally {
    forget();
  }
}

const isLabelled = (item: unknown): item is RecordLike =>
  isRecord(item) && typeof item.x === 'object' && item.x !== null;

function gather(
  first: unknown,
  samples: WeightedSamples,
  rules: ArrivalRules,
  targets: Targets,
  names: Names,
): Gathering {
  const { network, exact } = rules;
  const dtype: Dtype = exact ? 'float64' : rules.dtype;
  if (isRecord(first) && !isLabelled(first)) return gatherRecords(first, samples, rules, targets, names);
  const carried = isLabelled(first);
  // Where nobody says how wide rows are the first of them does.
  const inputs = network.layers[0] || widthIn(carried ? first.x : first);
  const outputs = network.layers.at(-1) || widthIn(carried ? first.y : undefined);
  const x = rowStore(inputs, dtype, names.x);
  const y = rowStore(outputs, rules.exactTargets ? 'float64' : rules.dtype, names.y);
  const labels: unknown[] = [];
  const weights: unknown[] = [];
  if (!carried) checkGiven(samples, targets, names);
  else if (targets !== 'none' && beside(samples, targets) !== undefined) {
    throw expected('nothing beside a stream that carries them', names[targets], beside(samples, targets));
  }

  function target(item: RecordLike, count: number): void {
    const where = `${names.x}[${x.rows - count}]`;
    if (targets === 'y') {
      y.add(rowsIn(item.y, outputs, `${where}.y`));
      if (y.rows !== x.rows) throw expected(`${count} rows of targets`, `${where}.y`, item.y, 'ERR_DLADMM_SHAPE');
    } else if (targets === 'labels') {
      const block = 'labels' in item;
      const some: unknown = block ? item.labels : [item.label];
      if (!isArray(some) && !isNumericArray(some)) throw expected('an array of labels', `${where}.labels`, some);
      const what = `${count} labels, one a sample,`;
      if (some.length !== count) throw expected(what, `${where}.labels`, some.length, 'ERR_DLADMM_SHAPE');
      if (!block && item.label === undefined) throw expected('a label', `${where}.label`, item.label);
      for (const label of some) labels.push(label);
    }
    const counted: unknown = item.weights ?? (item.weight === undefined ? [] : [item.weight]);
    if (!isArray(counted) && !isNumericArray(counted))
      throw expected('an array of weights', `${where}.weights`, counted);
    for (const weight of counted) weights.push(weight);
    if (weights.length > 0 && weights.length !== x.rows) {
      throw expected(
        `${count} weights, one a sample as before,`,
        `${where}.weights`,
        counted.length,
        'ERR_DLADMM_SHAPE',
      );
    }
  }

  return {
    width: inputs,
    get rows() {
      return x.rows;
    },
    take(item) {
      const before = x.rows;
      if (!carried) {
        x.add(rowsIn(item, inputs, `${names.x}[${before}]`));
        checkRoom(samples, targets, x.rows, names);
        return;
      }
      if (!isLabelled(item)) throw expected('{ x, label }, as before,', `${names.x}[${before}]`, item);
      checkKeys(item, ['x', 'label', 'labels', 'y', 'weight', 'weights'], `${names.x}[${before}]`);
      x.add(rowsIn(item.x, inputs, `${names.x}[${before}].x`));
      target(item, x.rows - before);
    },
    finish() {
      if (!carried) return withGiven({ x: x.source() }, samples, rules, targets, names);
      return {
        x: x.source(),
        ...(targets === 'labels' && { labels: labels as readonly string[] }),
        ...(targets === 'y' && { y: y.source() }),
        ...(weights.length > 0 && { weights: weights as readonly number[] }),
      };
    },
  };
}

/** Labels or targets that stand beside a stream, rather than in it. */
const beside = ({ labels, y }: WeightedSamples, targets: Targets): unknown => (targets === 'labels' ? labels : y);

/** What is missing beside a stream is said before the stream is read. */
function checkGiven(samples: WeightedSamples, targets: Targets, names: Names): void {
  if (targets === 'none') return;
  const given = beside(samples, targets);
  if (typeof given === 'object' && given !== null) return;
  const what = targets === 'labels' ? 'labels, beside the stream or with each of its rows,' : 'rows of target values';
  throw expected(what, names[targets], given);
}

/** How many samples there are labels or targets for, where they stand beside the stream. */
function counted(samples: WeightedSamples, targets: Targets, outputs: number): number | undefined {
  const given = beside(samples, targets);
  if (targets === 'labels' && (isArray(given) || isNumericArray(given))) return given.length;
  if (targets === 'y' && isArray(given) && !isNames(given)) return given.length;
  if (targets === 'y' && isNumericArray(given)) return given.length / outputs;
  return undefined;
}

function checkRoom(samples: WeightedSamples, targets: Targets, rows: number, names: Names): void {
  const count = targets === 'labels' ? counted(samples, targets, 1) : undefined;
  if (count === undefined || rows <= count) return;
  throw new DlAdmmError(
    'ERR_DLADMM_SHAPE',
    `Expected ${count} rows of ${names.x}, as there are so many labels, but it brings row ${count}`,
  );
}

function withGiven(
  arrived: Arrived,
  samples: WeightedSamples,
  { network }: ArrivalRules,
  targets: Targets,
  names: Names,
): Arrived {
  if (targets === 'none') return arrived;
  const outputs = network.layers.at(-1) ?? 0;
  const count = counted(samples, targets, outputs);
  if (count !== undefined && arrived.x.rows < count) {
    throw new DlAdmmError(
      'ERR_DLADMM_STREAM',
      `${names.x} ended where row ${arrived.x.rows} was to come: ${names[targets]} is for ${count} rows`,
    );
  }
  if (targets === 'y') return { ...arrived, y: rowSource(samples.y, outputs, names.y) };
  return { ...arrived, labels: samples.labels as LabelsLike };
}

/** Entries of a row, of which an item of a stream is one, or has some. */
function widthIn(item: unknown): number {
  if (isMatrix(item)) return Number(item.columns);
  const row = isArray(item) && typeof item[0] !== 'number' ? item[0] : item;
  return isArray(row) || isNumericArray(row) ? row.length : 1;
}

/** The numbers of a row, or of a block of rows in any of its forms, row-major. */
function rowsIn(item: unknown, columns: number, name: string): ArrayLike<number> {
  if (typeof item === 'number' && columns === 1) return [item];
  if (isNumericArray(item)) {
    const whole = item.length > 0 && item.length % columns === 0;
    if (!whole) throw expected(`${columns} numbers a row`, name, item.length, 'ERR_DLADMM_SHAPE');
    return item;
  }
  if (isMatrix(item) || (isArray(item) && (isArray(item[0]) || isNumericArray(item[0])))) {
    const source = rowSource(item, columns, name);
    return source.chunk(0, source.rows);
  }
  if (!isArray(item)) throw expected(`a row of ${columns} numbers, or a block of rows,`, name, item);
  if (item.length !== columns) throw expected(`a row of ${columns} numbers`, name, item, 'ERR_DLADMM_SHAPE');
  for (let j = 0; j < columns; j += 1) {
    if (typeof item[j] !== 'number') throw expected('a number', `${name}[${j}]`, item[j]);
  }
  return item as readonly number[];
}

/** Rows by the names of their columns. Texts are numbered as they come, and become inputs once all of them are known. */
function gatherRecords(
  first: RecordLike,
  samples: WeightedSamples,
  rules: ArrivalRules,
  targets: Targets,
  names: Names,
): Gathering {
  const inputs = rules.network.layers[0] ?? 0;
  const outputs = rules.network.layers.at(-1) ?? 0;
  const others = targetColumns(samples);
  const fields = Object.keys(first);
  for (const column of others) if (!fields.includes(column)) throw noColumn(column, fields, names.x);
  const { labels: label, y: target } = samples;
  const targetNames = typeof target === 'string' ? [target] : isNames(target) ? target : undefined;
  if (targets === 'labels' ? typeof label !== 'string' : targetNames === undefined) checkGiven(samples, targets, names);
  if (targets === 'y' && targetNames && targetNames.length !== outputs) {
    throw expected(`${outputs} columns, one an output,`, names.y, targetNames, 'ERR_DLADMM_SHAPE');
  }
  const learning = samples.categories === 'one-hot' && rules.columns === undefined;
  const features = rules.columns ?? fields.filter((field) => !others.includes(field)).map((name) => ({ name }));
  checkOrdered(rules, features, names.x);
  const texts = features.map(({ name }) =>
    learning && typeof first[name] === 'string' ? categoryCollector(name, names.x) : undefined,
  );
  if (texts.every((text) => text === undefined)) checkInputs(features, inputs, names.x);
  const encoder = encoderOf(features, names.x);
  const targetEncoder =
    targetNames &&
    encoderOf(
      targetNames.map((name) => ({ name })),
      names.x,
    );
  const numbers = texts.map(() => new Map<string, number>());
  const width = encoder.inputs;
  const x = rowStore(width, rules.exact ? 'float64' : rules.dtype, names.x);
  const y = rowStore(outputs, rules.exactTargets ? 'float64' : rules.dtype, names.y);
  const labels: unknown[] = [];
  const { weights: weight } = samples;
  const weights: number[] = [];

  function put(record: RecordLike, by: Encoder, store: RowStore, row: number): void {
    const values = new Float64Array(by.inputs);
    for (const [c, { name }] of by.columns.entries()) {
      const value = readOf(name)(record);
      const text = by === encoder ? texts[c] : undefined;
      if (text) {
        text.add(value, row);
        const known = numbers[c] as Map<string, number>;
        if (!known.has(value as string)) known.set(value as string, known.size);
        values[c] = known.get(value as string) as number;
      } else {
        by.put(value, c, values, 0, row);
      }
    }
    store.add(values);
  }

  return {
    width,
    get rows() {
      return x.rows;
    },
    take(item) {
      const row = x.rows;
      if (!isRecord(item)) throw expected('a record, as before,', `${names.x}[${row}]`, item);
      if (rules.columns) checkRecord(item, rules.columns, `${names.x}[${row}]`);
      put(item, encoder, x, row);
      if (targets === 'labels' && typeof label === 'string')
        labels.push(labelOf(readOf(label)(item), row, label, names.x));
      if (targets === 'y' && targetEncoder) put(item, targetEncoder, y, row);
      if (typeof weight === 'string') weights.push(numberOf(readOf(weight)(item)) ?? Number.NaN);
      checkRoom(samples, targets, x.rows, names);
    },
    finish() {
      const columns = features.map(({ name, ...rest }, c) => {
        const categories = texts[c]?.sorted();
        return { name, ...rest, ...(categories && { categories }) };
      });
      checkInputs(columns, inputs, names.x);
      const source = learning ? oneHot(x.source(), columns, numbers) : x.source();
      const base: Arrived = { x: source, columns, ...(typeof weight === 'string' && { weights }) };
      if (targets === 'labels' && typeof label === 'string') return { ...base, labels: labels as readonly string[] };
      if (targets === 'y' && targetEncoder) return { ...base, y: rowSource(y.source(), outputs, names.y) };
      return withGiven(base, samples, rules, targets, names);
    },
  };
}
