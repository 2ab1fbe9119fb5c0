/**
 * Rows by the names of their columns: records as they come, and tables, row by row. A column of numbers is one input of a
 * network; a column of texts is an input for each text that occurs in it, where that is asked for.
 */

import { repeated } from '../core/checks.js';
import { DlAdmmError, expected, listed } from '../core/errors.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import { type LabelsLike, type RowSource, rowSource, trusted } from '../tensor/inputs.js';
import { type RowStore, rowStore } from '../tensor/row-store.js';
import { type Arrived, type Arriving, checkInputs, isNames, targetColumns } from './arrived.js';
import { type Column, MAX_CATEGORIES, offsetsOf } from './columns.js';
import { badValue, columnOf, type Encoder, encoderOf, numberOf } from './encoder.js';
import { columnReader, fieldsOf, type Read, type TableLike } from './table.js';

/** The values of a row by the names of its columns. */
type Cells = (column: string) => unknown;

const plain = (names: readonly string[]): readonly Column[] => names.map((name) => ({ name }));

/** The columns of target values, where they are named. */
const targetNames = ({ samples: { y } }: Arriving): readonly string[] | undefined =>
  typeof y === 'string' ? [y] : isNames(y) ? y : undefined;

/** Whether labels or targets are columns too. */
export const isByName = (arriving: Arriving): boolean =>
  arriving.targets === 'labels'
    ? typeof arriving.samples.labels === 'string'
    : arriving.targets === 'y' && targetNames(arriving) !== undefined;

/** The features among some columns: those that a model has, or all that nobody names for something else. */
export function featuresAmong(fields: readonly string[], { samples, rules }: Arriving): readonly Column[] {
  const others = targetColumns(samples);
  return rules.columns ?? plain(fields.filter((field) => !others.includes(field)));
}

/** Rows under way to a network. */
export interface NamedRows {
  /** Entries that a row has. */
  readonly width: number;
  readonly rows: number;
  take(cells: Cells): void;
  finish(): Arrived;
}

/** Texts are numbered as they come, and become inputs once all of them are known. */
export function namedRows(fields: readonly string[], first: Cells, arriving: Arriving): NamedRows {
  const { samples, rules, targets, names } = arriving;
  const { layers } = rules.network;
  const [inputs, outputs] = [layers[0] ?? 0, layers.at(-1) ?? 0];
  const missing = targetColumns(samples).find((column) => !fields.includes(column));
  if (missing !== undefined) throw noColumn(missing, fields, names.x);
  const { labels: label, weights: weight } = samples;
  const wanted = targets === 'y' ? targetNames(arriving) : undefined;
  if (wanted && wanted.length !== outputs) {
    throw expected(`${outputs} columns, one an output,`, names.y, wanted, 'ERR_DLADMM_SHAPE');
  }
  const learning = samples.texts === 'one-hot' && rules.columns === undefined;
  const features = featuresAmong(fields, arriving);
  const texts = features.map(({ name }) =>
    learning && typeof first(name) === 'string' ? categoryCollector(name, names.x) : undefined,
  );
  if (texts.every((text) => text === undefined)) checkInputs(features, inputs, names.x);
  const encoder = encoderOf(features, names.x);
  const targetEncoder = wanted && encoderOf(plain(wanted), names.x);
  const numbers = texts.map(() => new Map<string, number>());
  const x = rowStore(encoder.inputs, rules.exact ? 'float64' : rules.dtype, names.x);
  const y = rowStore(outputs, rules.exactTargets ? 'float64' : rules.dtype, names.y);
  const labels: unknown[] = [];
  const weights: number[] = [];

  const room = { features: new Float64Array(encoder.inputs), targets: new Float64Array(targetEncoder?.inputs ?? 0) };

  function put(cells: Cells, by: Encoder, store: RowStore, row: number): void {
    const values = (by === encoder ? room.features : room.targets).fill(0);
    for (const [c, { name }] of by.columns.entries()) {
      const value = cells(name);
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
    width: encoder.inputs,
    get rows() {
      return x.rows;
    },
    take(cells) {
      const row = x.rows;
      put(cells, encoder, x, row);
      if (targets === 'labels' && typeof label === 'string') labels.push(labelOf(cells(label), row, label, names.x));
      if (targetEncoder) put(cells, targetEncoder, y, row);
      if (typeof weight === 'string') weights.push(numberOf(cells(weight)) ?? Number.NaN);
    },
    finish() {
      const columns = features.map((column, c) => {
        const categories = texts[c]?.sorted();
        return { ...column, ...(categories && { categories }) };
      });
      checkInputs(columns, inputs, names.x);
      return {
        x: learning ? oneHot(x.source(), columns, numbers) : x.source(),
        columns,
        ...(typeof weight === 'string' && { weights }),
        ...(targets === 'labels' && typeof label === 'string' && { labels: labels as readonly string[] }),
        ...(targetEncoder && { y: rowSource(y.source(), outputs, names.y) }),
      };
    },
  };
}

/** Values of one column that are looked at together. */
const STEP = 4096;

/**
 * The rows of a table, which are read when they are asked for.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL; from the rows also ERR_DLADMM_NON_FINITE
 */
export function fromTable(table: TableLike, arriving: Arriving): Arrived {
  const { samples, rules, targets, names } = arriving;
  const { labels, y, weights, texts: oneHot } = samples;
  const [inputs, outputs] = [rules.network.layers[0] ?? 0, rules.network.layers.at(-1) ?? 0];
  const fields = fieldsOf(table, names.x);
  const { numRows: rows } = table;
  if (!Number.isInteger(rows) || rows < 1) {
    throw expected('at least one row', `${names.x}.numRows`, rows, 'ERR_DLADMM_SHAPE');
  }
  const reader = (column: string): Read => {
    if (!fields.includes(column)) throw noColumn(column, fields, names.x);
    return columnReader(table, column, names.x);
  };
  for (const column of targetColumns(samples)) reader(column);
  const chosen = rules.columns?.map(({ name }) => name) ?? fields;
  const twice = repeated(fields.filter((field) => chosen.includes(field)));
  if (twice !== undefined) throw expected('columns with different names', names.x, twice);

  function eachValue(column: string, visit: (value: unknown, row: number) => void): void {
    const read = reader(column);
    for (let first = 0; first < rows; first += STEP) {
      const part = read(first, Math.min(STEP, rows - first));
      for (let i = 0; i < part.length; i += 1) visit(part[i], first + i);
    }
  }

  function labelsIn(column: string): LabelsLike {
    const found: unknown[] = [];
    eachValue(column, (value, row) => void found.push(labelOf(value, row, column, names.x)));
    return found as readonly string[];
  }

  function learnt(column: Column): Column {
    if (typeof reader(column.name)(0, 1)[0] !== 'string') return column;
    const collector = categoryCollector(column.name, names.x);
    eachValue(column.name, collector.add);
    return { ...column, categories: collector.sorted() };
  }

  function sourceOf(which: readonly Column[], name: string): RowSource {
    const encoder = encoderOf(which, name);
    const reads = which.map((column) => reader(column.name));
    return trusted({
      name,
      rows,
      columns: encoder.inputs,
      chunk(first, count) {
        const out = new Float64Array(count * encoder.inputs);
        for (const [c, read] of reads.entries()) {
          const part = read(first, count);
          for (let i = 0; i < count; i += 1) encoder.put(part[i], c, out, i * encoder.inputs, first + i);
        }
        return out;
      },
    });
  }

  const features = featuresAmong(fields, arriving);
  const columns = oneHot === 'one-hot' && rules.columns === undefined ? features.map(learnt) : features;
  checkInputs(columns, inputs, names.x);
  const arrived = {
    x: sourceOf(columns, names.x),
    columns,
    ...(typeof weights === 'string' && { weights: sourceOf(plain([weights]), names.x).chunk(0, rows) }),
  };
  if (targets === 'y') {
    const named = targetNames(arriving);
    return { ...arrived, y: rowSource(named ? sourceOf(plain(named), names.y) : y, outputs, names.y) };
  }
  if (targets === 'none' || labels === undefined) return arrived;
  return { ...arrived, labels: typeof labels === 'string' ? labelsIn(labels) : (labels as LabelsLike) };
}

/** The categories of a column, gathered value by value. */
function categoryCollector(column: string, name: string) {
  const seen = new Set<string>();
  return {
    add(value: unknown, row: number): void {
      if (typeof value !== 'string' || value === '') throw badValue('a text', value, row, column, name);
      seen.add(value);
      if (seen.size > MAX_CATEGORIES) {
        const what = `Expected at most ${MAX_CATEGORIES} categories in ${columnOf(name, column)} but row ${row} brings one more: it may be an identifier, to be left out`;
        throw new DlAdmmError('ERR_DLADMM_ARGUMENT', what);
      }
    },
    sorted: (): readonly string[] => [...seen].sort(),
  };
}

function labelOf(value: unknown, row: number, column: string, name: string): string | number | boolean {
  if (typeof value === 'string' || typeof value === 'boolean') if (value !== '') return value;
  const number = numberOf(value);
  if (number === undefined) throw badValue('a label', value, row, column, name);
  return number;
}

function noColumn(column: string, fields: readonly string[], name: string): DlAdmmError {
  return expected(`one of its columns (${listed(fields)})`, `a column of ${name}`, column);
}

/**
 * Rows in which every category is one number, as rows with an input for each: `columns` has the categories in their order,
 * `numbers` the number that each has in `source`.
 */
function oneHot(
  source: RowSource,
  columns: readonly Column[],
  numbers: readonly ReadonlyMap<string, number>[],
): RowSource {
  const { name, rows } = source;
  const { offsets, inputs } = offsetsOf(columns);
  const places = columns.map(({ categories }, c) => {
    const place = new Int32Array(categories?.length ?? 0);
    for (const [i, text] of (categories ?? []).entries()) place[numbers[c]?.get(text) ?? 0] = i;
    return categories && place;
  });
  return trusted({
    name,
    rows,
    columns: inputs,
    chunk(first, count) {
      const from = source.chunk(first, count);
      const out = zeros(dtypeOf(from), count * inputs);
      for (let i = 0; i < count; i += 1) {
        for (const [c, offset] of offsets.entries()) {
          const value = from[i * columns.length + c] as number;
          const place = places[c];
          if (place) out[i * inputs + offset + (place[value] as number)] = 1;
          else out[i * inputs + offset] = value;
        }
      }
      return out;
    },
    ...(source.release && { release: (row: number) => source.release?.(row) }),
  });
}
