/** Samples that come one after the other: a stream is kept in blocks that are given back as they are loaded. */
import type { Readable } from 'node:stream';
import { untilAborted } from '../core/abort.js';
import { checkKeys } from '../core/checks.js';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import type { Dtype } from '../core/native.js';
import { isArray, isMatrix, isNumericArray, paced, rowSource } from '../tensor/inputs.js';
import { rowStore } from '../tensor/row-store.js';
import { type ArrivalRules, type Arrived, type Arriving, checkOrdered, isRecord, itemsOf } from './arrived.js';
import { beside, checkGiven, checkRoom, withGiven } from './beside.js';
import { checkRecord, readOf } from './encoder.js';
import { featuresAmong, isByName, namedRows } from './named-rows.js';
import type { Cells } from './table.js';

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
  arriving: Arriving,
): Promise<Arrived> {
  const { rules, names } = arriving;
  if ((stream as Partial<Readable>).readableObjectMode === false) {
    throw expected('a stream of rows (readCsv reads a stream of text)', names.x, stream);
  }
  let gathering: Gathering | undefined;
  await drain(
    stream,
    (item) => {
      gathering ??= gather(item, arriving);
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
  const pace = paced(ENTRIES);
  const said = () => `The signal was aborted after ${rows} rows of ${name}`;
  try {
    for await (const some of signal ? untilAborted(stream, signal, said) : stream) {
      for (const item of itemsOf(some)) {
        // The next item is the error.
        if (signal?.aborted) break;
        const gathering = take(item);
        const pausing = pace((gathering.rows - rows) * gathering.width);
        rows = gathering.rows;
        if (pausing) await pausing;
      }
    }
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    const text = `${name} failed where row ${rows} was to come: ${messageOf(error)}`;
    throw new DlAdmmError('ERR_DLADMM_STREAM', text, { cause: error });
  }
}

const isLabelled = (item: unknown): item is Cells => isRecord(item) && typeof item.x === 'object' && item.x !== null;

function gather(first: unknown, arriving: Arriving): Gathering {
  const { samples, rules, targets, names } = arriving;
  const { network, exact } = rules;
  const dtype: Dtype = exact ? 'float64' : rules.dtype;
  if (isRecord(first) && !isLabelled(first)) return gatherRecords(first, arriving);
  const carried = isLabelled(first);
  // Where nobody says how wide rows are the first of them does.
  const inputs = network.layers[0] || widthIn(carried ? first.x : first);
  const outputs = network.layers.at(-1) || widthIn(carried ? first.y : undefined);
  const x = rowStore(inputs, dtype, names.x);
  const y = rowStore(outputs, rules.exactTargets ? 'float64' : rules.dtype, names.y);
  const labels: unknown[] = [];
  const weights: unknown[] = [];
  if (!carried) checkGiven(arriving);
  else if (targets !== 'none' && beside(samples, targets) !== undefined) {
    throw expected('nothing beside a stream that carries them', names[targets], beside(samples, targets));
  }

  function target(item: Cells, count: number): void {
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
      const text = `${count} weights, one a sample as before,`;
      throw expected(text, `${where}.weights`, counted.length, 'ERR_DLADMM_SHAPE');
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
        checkRoom(arriving, x.rows);
        return;
      }
      if (!isLabelled(item)) throw expected('{ x, label }, as before,', `${names.x}[${before}]`, item);
      checkKeys(item, ['x', 'label', 'labels', 'y', 'weight', 'weights'], `${names.x}[${before}]`);
      x.add(rowsIn(item.x, inputs, `${names.x}[${before}].x`));
      target(item, x.rows - before);
    },
    finish() {
      if (!carried) return withGiven({ x: x.source() }, arriving);
      return {
        x: x.source(),
        ...(targets === 'labels' && { labels: labels as readonly string[] }),
        ...(targets === 'y' && { y: y.source() }),
        ...(weights.length > 0 && { weights: weights as readonly number[] }),
      };
    },
  };
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

/** Rows by the names of their columns. */
function gatherRecords(first: Cells, arriving: Arriving): Gathering {
  const { rules, names } = arriving;
  const fields = Object.keys(first);
  if (!isByName(arriving)) checkGiven(arriving);
  checkOrdered(rules, featuresAmong(fields, arriving), names.x);
  const rows = namedRows(fields, (column) => first[column], arriving);
  return {
    width: rows.width,
    get rows() {
      return rows.rows;
    },
    take(item) {
      const called = `${names.x}[${rows.rows}]`;
      if (isArray(item) && item.length === 0) return;
      if (!isRecord(item)) throw expected('a record, as before,', called, item);
      if (rules.columns) checkRecord(item, rules.columns, called);
      rows.take((column) => readOf(column)(item));
      checkRoom(arriving, rows.rows);
    },
    finish: () => (isByName(arriving) ? rows.finish() : withGiven(rows.finish(), arriving)),
  };
}
