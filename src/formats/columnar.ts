import { encodeTexts, type Feature, featuresOf, numberOfText } from '../samples/features.js';
import { numberOf } from '../samples/table.js';
import type { Matrix } from '../tensor/matrix.js';
import { formatError, throwIfAborted } from './bytes.js';
import {
  badCell,
  type CsvTable,
  checkTableOptions,
  type Label,
  labelColumn,
  labelledTable,
  type TableOptions,
} from './labels.js';

/** Some values of one column. */
export interface ColumnPart {
  readonly column: number;
  readonly first: number;
  readonly values: ArrayLike<unknown>;
}

/** What a file says of a column. */
export interface FileColumn {
  readonly name: string;
  /** Its values: numbers (a bigint where no double holds one), true and false, texts, or Dates; null is a missing one. */
  readonly kind: 'number' | 'boolean' | 'text' | 'date';
  /** Whether it may hold numbers that float32 does not. */
  readonly wide: boolean;
  /** What it holds, where that cannot be read. */
  readonly refused?: string;
  /** It names the rows, as the index of a data frame does. */
  readonly index?: true;
}

/** A file that is stored by column. */
export interface ColumnarFile {
  readonly rows: number;
  readonly columns: readonly FileColumn[];
  /** All values of some columns, in parts of any order. */
  readonly parts: (columns: readonly number[]) => AsyncIterable<ColumnPart>;
}

/** Rows that a data frame has names for keep them to themselves, unless they are asked for. */
function visible({ columns }: ColumnarFile, options: TableOptions): readonly number[] {
  const asked = [
    options.label,
    ...(options.columns ?? []).map((column) => (typeof column === 'object' ? column.name : column)),
  ];
  return columns.flatMap(({ index, name }, place) => (index && !asked.includes(name) ? [] : [place]));
}

function labelText(value: unknown, where: string): string {
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'boolean') return String(value);
  const number = numberOf(value);
  if (number === undefined) throw badCell(where, value, 'a label');
  return String(number);
}

/**
 * The features of a columnar file, float32 where that holds them all exactly and float64 elsewhere, and its labels.
 *
 * @throws ERR_DLADMM_FORMAT, ERR_DLADMM_LABEL, ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_ABORTED
 */
export async function readColumnar(file: ColumnarFile, name: string, options: TableOptions): Promise<CsvTable> {
  const { task, signal } = options;
  checkTableOptions(options);
  const { rows } = file;
  const places = visible(file, options);
  const shown = places.map((place) => file.columns[place] as FileColumn);
  const names = shown.map((column) => column.name);
  if (rows === 0 || names.length === 0) throw formatError(name, 'expected at least one row of numbers but found none');
  const target = labelColumn(names, true, options, name);
  const isText = (column: number): boolean => shown[column]?.kind === 'text';
  const features = featuresOf({ names, named: true, label: target, isText }, options, name);
  if (features.length === 0) throw formatError(name, 'expected a column of features beside the label but found none');
  const width = features.length;
  const wide = features.some((feature) => !feature.texts && shown[feature.column]?.wide);
  const data = wide ? new Float64Array(rows * width) : new Float32Array(rows * width);
  const labels: Label[] = [];
  const filled = names.map(() => 0);
  const where = (row: number, column: number): string => `${name}, row ${row}, column ${JSON.stringify(names[column])}`;
  const wanted = [...new Set([...features.map(({ column }) => column), ...(target < 0 ? [] : [target])])];
  for (const column of wanted) {
    const { kind, refused = kind === 'date' ? 'dates' : undefined } = shown[column] as FileColumn;
    if (refused !== undefined) {
      const what = `column ${JSON.stringify(names[column])} holds ${refused}; expected numbers or texts`;
      throw formatError(name, `${what}: leave it out, or write it as columns of numbers`);
    }
  }
  for await (const { column: place, first, values } of file.parts(wanted.map((column) => places[column] as number))) {
    throwIfAborted(signal, `Reading ${name}`);
    const column = places.indexOf(place);
    const count = values.length;
    if (!(first >= 0 && first + count <= rows))
      throw formatError(name, `damaged: column ${names[column]} has too many values`);
    filled[column] = (filled[column] ?? 0) + count;
    for (const [c, feature] of features.entries()) {
      if (feature.column === column) put(feature, c, first, values);
    }
    if (column !== target) continue;
    for (let i = 0; i < count; i += 1) {
      const line = first + i;
      labels[line] = { cell: labelText(values[i], where(line, column)), line };
    }
  }
  const short = wanted.find((column) => filled[column] !== rows);
  if (short !== undefined)
    throw formatError(name, `damaged: expected ${rows} values in column ${names[short]} but found ${filled[short]}`);

  function put(feature: Feature, c: number, first: number, values: ArrayLike<unknown>): void {
    for (let i = 0; i < values.length; i += 1) {
      const value = values[i];
      const at = (): string => where(first + i, feature.column);
      if (feature.texts) {
        if (typeof value !== 'string' || value === '') throw badCell(at(), value, 'a text');
        data[(first + i) * width + c] = numberOfText(feature, value, at);
        continue;
      }
      const number = numberOf(value);
      if (number === undefined || !Number.isFinite(wide ? number : Math.fround(number))) {
        const hint =
          typeof value === 'string' && !options.categories ? " (categories: 'one-hot' takes columns of texts)" : '';
        throw badCell(at(), value, `a finite number${hint}`);
      }
      data[(first + i) * width + c] = number;
    }
  }

  const raw: Matrix = { data, rows, columns: width };
  const encoded = encodeTexts(raw, features);
  const columns = encoded.columns.map((column) => (column.categories ? column : column.name));
  if (target < 0) return { task: 'unlabelled', x: encoded.x, columns };
  const table = { x: encoded.x, columns, label: names[target] as string };
  return labelledTable(table, labels, task, ({ line }) => where(line, target));
}
