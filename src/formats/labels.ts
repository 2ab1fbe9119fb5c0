/** What labels a table has: which column they stand in, and whether they are classes or targets. */
import { types } from 'node:util';
import { DlAdmmError } from '../core/errors.js';
import { narrowed, TOO_WIDE } from '../core/numbers.js';
import { type OptionsOf, option, type Schema, signalOption, valueType, word } from '../network/schema.js';
import { parseNumber } from '../samples/cells.js';
import type { Column } from '../samples/columns.js';
import { type ColumnPlace, FEATURES, isPlace, placeOf } from '../samples/features.js';
import { checkNoIdentifier, inferTask } from '../samples/targets.js';
import { inTurns } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import { formatError } from './bytes.js';

/** How to read a table. */
export const TABLE = {
  ...FEATURES,
  target: option(
    valueType<ColumnPlace | null>(
      'name or place of a column | null',
      (value) => value === null || isPlace(value),
      "a column's name or number, or null",
    ),
    {
      otherwise: 'the last of those that are not in columns',
      says: 'The column that holds the classes or the values: its name in the header, or its place from 0, or from −1 counted from the end. With null every column is a feature.',
    },
  ),
  task: word(['classification', 'regression'], {
    otherwise:
      'classes if none of its values is a number, or if all are whole numbers from −1 to 99 of which there are at most 20 or all up to the largest',
    says: 'What the target means.',
  }),
  signal: signalOption('Ends the reading.'),
} as const satisfies Schema;

/** How to read a table. */
export type TableOptions = OptionsOf<typeof TABLE>;

export interface Features {
  /** Rows of the file x feature columns: float32 where that holds every number exactly, else float64. */
  readonly x: Matrix;
  /**
   * The names of the feature columns: from the header, or `column 1`, `column 2`, … by their place in the file. For a column
   * of texts, its name and its categories.
   */
  readonly columns: readonly (string | Column)[];
}

/** A table with a class for each row. */
export interface ClassificationTable extends Features {
  readonly task: 'classification';
  readonly target: string;
  readonly labels: Int32Array;
  readonly classes: readonly string[];
}

/** A table with a target for each row; `y` has one column. */
export interface RegressionTable extends Features {
  readonly task: 'regression';
  readonly target: string;
  readonly y: Matrix;
}

/** A table of features alone. */
export interface UnlabelledTable extends Features {
  readonly task: 'unlabelled';
}

/** What a table turned out to hold. */
export type CsvTable = ClassificationTable | RegressionTable | UnlabelledTable;

/** More classes than any network here could have outputs: such labels are targets or identifiers. */
export const MAX_CLASSES = 65_536;

const shown = (value: unknown): string =>
  typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : typeof value === 'object'
      ? 'another type'
      : `${value}${typeof value === 'bigint' ? ` (${TOO_WIDE})` : ''}`;

/** A cell that is no number, or no text where texts are, or no label; `hint` ends the sentence. */
export function badCell(where: string, value: unknown, what: string, hint = ''): DlAdmmError {
  const missing = value === null || value === undefined ? 'the value is missing' : 'the cell is empty';
  const why = `expected ${what} but ${value === '' || value == null ? missing : `found ${shown(value)}`}${hint}`;
  return formatError(where, why);
}

/**
 * The column to predict, −1 where there is none: by default the last that no model takes for a feature.
 *
 * @param named whether the names are the file's own
 */
export function targetColumn(
  names: readonly string[],
  named: boolean,
  { target, columns = [], ignore = [] }: TableOptions,
  name: string,
): number {
  if (target === null) return -1;
  if (target === undefined) {
    const own = columns.filter((column): column is ColumnPlace => typeof column !== 'object');
    const learnt = columns.flatMap((column) => (named && typeof column === 'object' ? [column.name] : []));
    const taken = [...own, ...ignore].map((which) => placeOf(which, names, 'columns', name));
    const column = names.findLastIndex((text, place) => !taken.includes(place) && !learnt.includes(text));
    if (column < 0) throw formatError(name, 'expected a column of labels beside the features but found none');
    return column;
  }
  return placeOf(target, names, 'target', named ? name : `${name}, which has no header line,`);
}

/** How errors call a row of the column of labels. */
type Where = (row: number) => string;

/** Labels, each once, in the order in which they come, and which of them each row has. */
export interface Coded<T> {
  readonly values: readonly T[];
  readonly codes: Int32Array;
}

/** Labels as a file has them: numbers, or texts. */
export type Cells = Float64Array | Coded<string>;

/** The event loop runs in between. */
export async function coded<T>(labels: ArrayLike<T>): Promise<Coded<T>> {
  const places = new Map<T, number>();
  const codes = new Int32Array(labels.length);
  await inTurns(labels.length, (i) => {
    const label = labels[i] as T;
    const known = places.get(label);
    if (known === undefined) places.set(label, places.size);
    codes[i] = known ?? places.size - 1;
  });
  return { values: [...places.keys()], codes };
}

/** What helps where numbers were asked to be classes. */
export const NO_CLASSES = ": task: 'regression' (--task regression) takes numbers for targets";

const rowOf = <T>({ values, codes }: Coded<T>, which: (value: T) => boolean): number => {
  const found = values.map(which);
  return codes.findIndex((code) => found[code] === true);
};

/** Numbers and texts in one column, of which nobody has said that all are classes. */
function mixed(cells: Coded<string>, numbers: readonly (number | undefined)[], where: Where): DlAdmmError {
  const isText = numbers.map((number) => number === undefined);
  const texts = cells.codes.reduce((count, code) => count + Number(isText[code]), 0);
  const rest = cells.codes.length - texts;
  const fewer = cells.codes.findIndex((code) => isText[code] === texts <= rest);
  const what = `${rest} numbers and ${texts} texts, and here ${shown(cells.values[cells.codes[fewer] as number])}`;
  const help = "task: 'classification' (--task classification) takes all of them for classes";
  return formatError(where(fewer), `expected labels of one kind, but the column holds ${what}: ${help}`);
}

/**
 * The classes that occur, in sorted order (texts by code unit), and which of them each of the labels is.
 *
 * @throws DlAdmmError ERR_DLADMM_LABEL for more classes than any network has outputs
 */
export async function classesOf<T extends string | number>({ values, codes }: Coded<T>, where: string) {
  const found = values.toSorted((a, b) => (typeof a === 'number' ? a - Number(b) : a < b ? -1 : 1));
  if (found.length > MAX_CLASSES) {
    const text = `${where}: expected at most ${MAX_CLASSES} classes but found ${found.length}`;
    throw new DlAdmmError('ERR_DLADMM_LABEL', text);
  }
  const index = new Map(found.map((label, i) => [label, i]));
  const places = values.map((label) => index.get(label) as number);
  const labels = new Int32Array(codes.length);
  await inTurns(codes.length, (i) => {
    labels[i] = places[codes[i] as number] as number;
  });
  return { classes: found.map(String) as readonly string[], labels };
}

/** So many rows tell an identifier from classes. */
const TELLING_ROWS = 20;

/**
 * Labels that were taken for classes: where most rows are a class of their own, they name the rows.
 *
 * @throws DlAdmmError ERR_DLADMM_LABEL
 */
export function checkShared<T>({ values, codes }: Coded<T>, where: string): void {
  const [rows, classes] = [codes.length, values.length];
  if (rows < TELLING_ROWS || classes <= rows / 2) return;
  const text = `${where}: expected classes, but of ${rows} rows nearly every one is a class of its own (${classes} classes), as with an identifier: name the column of labels by target, or say by task that these are classes or targets`;
  throw new DlAdmmError('ERR_DLADMM_LABEL', text);
}

/** The classes '0', '1', … up to the largest of `labels`. */
export function numberedClasses(labels: Int32Array): readonly string[] {
  const largest = labels.reduce((max, label) => Math.max(max, label), -1);
  return Array.from({ length: largest + 1 }, (_, i) => String(i));
}

/** Features with labels or targets, by what the labels are; the event loop runs in between. */
export async function labelledTable(
  features: Features & { readonly target: string },
  cells: Cells,
  task: TableOptions['task'],
  where: Where,
): Promise<ClassificationTable | RegressionTable> {
  const called = `column ${JSON.stringify(features.target)}`;
  if (!types.isFloat64Array(cells)) {
    const numbers = cells.values.map((cell) => parseNumber(cell));
    if (!numbers.includes(undefined)) {
      const all = new Float64Array(cells.codes.length);
      await inTurns(all.length, (i) => {
        all[i] = numbers[cells.codes[i] as number] as number;
      });
      return labelledTable(features, all, task, where);
    }
    const odd = cells.codes.findIndex((code) => numbers[code] === undefined);
    if (task === 'regression') throw badCell(where(odd), cells.values[cells.codes[odd] as number], 'a number');
    if (task === undefined) {
      if (numbers.some((number) => number !== undefined)) throw mixed(cells, numbers, where);
      checkNoIdentifier(cells.codes.length, cells.values.length, called);
    }
    return { task: 'classification', ...features, ...(await classesOf(cells, where(0))) };
  }
  if ((task ?? inferTask(cells, called).task) === 'classification') {
    const found = await coded(cells);
    if (task === undefined) checkShared(found, where(0));
    const bad = rowOf(found, (value) => !Number.isInteger(value));
    if (bad < 0) return { task: 'classification', ...features, ...(await classesOf(found, where(0))) };
    const text = `${where(bad)}: expected a class, a whole number, but found ${cells[bad]}${NO_CLASSES}`;
    throw new DlAdmmError('ERR_DLADMM_LABEL', text);
  }
  return { task: 'regression', ...features, y: { data: narrowed(cells), rows: cells.length, columns: 1 } };
}
