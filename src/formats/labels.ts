/** What labels a table has: which column they stand in, and whether they are classes or targets. */
import { oneOf } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { TOO_WIDE } from '../core/numbers.js';
import type { Column } from '../samples/columns.js';
import { checkFeatureOptions, type FeatureOptions } from '../samples/features.js';
import type { Matrix } from '../tensor/matrix.js';
import { formatError } from './bytes.js';

/** How to read a table. */
export interface TableOptions extends FeatureOptions {
  /**
   * The column that holds the label or target: its name in the header, or its number from 0, or from −1 counted from
   * the end. Default −1, the last column (of those that are not in `columns`). With `null` every column is a feature.
   */
  readonly label?: string | number | null;
  /**
   * What the label column means. By default: classes if no label is a number, or if all are whole numbers from 0 to 99,
   * otherwise regression targets.
   */
  readonly task?: 'classification' | 'regression';
  readonly signal?: AbortSignal;
}

/** What every table has. */
export interface Features {
  /** Rows of the file x feature columns, float32. */
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
  readonly label: string;
  readonly labels: Int32Array;
  readonly classes: readonly string[];
}

/** A table with a target for each row; `y` has one column. */
export interface RegressionTable extends Features {
  readonly task: 'regression';
  readonly label: string;
  readonly y: Matrix;
}

/** A table of features alone. */
export interface UnlabelledTable extends Features {
  readonly task: 'unlabelled';
}

/** What a table turned out to hold. */
export type CsvTable = ClassificationTable | RegressionTable | UnlabelledTable;

/** Whole numbers below this are taken for classes when the task is not told. */
const INFERRED_CLASSES = 100;
/** More classes than any network here could have outputs: a label this large is a target or an identifier. */
const MAX_CLASSES = 65_536;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** The number a cell holds, or undefined: Number() alone would take blanks, hexadecimals and infinities. */
export function parseNumber(cell: string): number | undefined {
  if (!NUMBER.test(cell)) return undefined;
  const value = Number(cell);
  return Number.isFinite(Math.fround(value)) ? value : undefined;
}

/** A label as text, and where it stands. */
export interface Label {
  readonly cell: string;
  readonly line: number;
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkTableOptions(options: TableOptions): void {
  const { label, task } = options;
  if (label !== undefined && label !== null && typeof label !== 'string' && typeof label !== 'number')
    throw expected("a column's name or number, or null", 'label', label);
  if (task !== undefined) oneOf(task, ['classification', 'regression'], 'task');
  checkFeatureOptions(options);
}

const shown = (value: unknown): string =>
  typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : typeof value === 'object'
      ? 'another type'
      : `${value}${typeof value === 'bigint' ? ` (${TOO_WIDE})` : ''}`;

/** A cell that is no number, or no text where texts are, or no label. */
export function badCell(where: string, value: unknown, what: string): DlAdmmError {
  const missing = value === null || value === undefined ? 'the value is missing' : 'the cell is empty';
  return formatError(
    where,
    `expected ${what} but ${value === '' || value == null ? missing : `found ${shown(value)}`}`,
  );
}

/**
 * The column of labels, −1 where there is none: by default the last that no model takes for a feature.
 *
 * @param named whether the names are the file's own
 */
export function labelColumn(
  names: readonly string[],
  named: boolean,
  { label, columns }: TableOptions,
  name: string,
): number {
  if (label === null) return -1;
  if (label === undefined) {
    const taken = (named && columns?.map((column) => column.name)) || [];
    const column = names.findLastIndex((text) => !taken.includes(text));
    if (column < 0) throw formatError(name, 'expected a column of labels beside the features but found none');
    return column;
  }
  if (typeof label === 'string') {
    const column = named ? names.indexOf(label) : -1;
    if (column >= 0) return column;
    const known = named ? `its columns are ${names.slice(0, 50).join(', ')}` : 'it has no header line';
    throw expected(`a column of ${name} (${known})`, 'label', label);
  }
  const column = label < 0 ? names.length + label : label;
  if (Number.isInteger(column) && column >= 0 && column < names.length) return column;
  const what = `a column number from ${-names.length} to ${names.length - 1} of ${name}`;
  throw expected(what, 'label', label, 'ERR_DLADMM_RANGE');
}

function inferTask(labels: readonly Label[], numbers: readonly (number | undefined)[], where: (l: Label) => string) {
  const odd = numbers.indexOf(undefined);
  if (odd < 0) {
    const classes = numbers.every((n) => Number.isInteger(n) && Number(n) >= 0 && Number(n) < INFERRED_CLASSES);
    return classes ? 'classification' : 'regression';
  }
  if (numbers.every((n) => n === undefined)) return 'classification';
  const label = labels[odd] as Label;
  throw badCell(where(label), label.cell, 'a number, as other labels are (or the task to be classification)');
}

/** Texts become numbers in sorted order; whole numbers stay what they are. */
function classify(labels: readonly Label[], numbers: readonly (number | undefined)[], where: (l: Label) => string) {
  if (numbers.includes(undefined)) {
    const classes = [...new Set(labels.map(({ cell }) => cell))].sort();
    if (classes.length > MAX_CLASSES)
      throw new DlAdmmError(
        'ERR_DLADMM_LABEL',
        `${where(labels[0] as Label)}: expected at most ${MAX_CLASSES} classes but found ${classes.length}`,
      );
    const index = new Map(classes.map((text, i) => [text, i]));
    return { labels: Int32Array.from(labels, ({ cell }) => index.get(cell) as number), classes };
  }
  const bad = numbers.findIndex((n) => !(Number.isInteger(n) && Number(n) >= 0 && Number(n) < MAX_CLASSES));
  if (bad >= 0) {
    const label = labels[bad] as Label;
    throw new DlAdmmError(
      'ERR_DLADMM_LABEL',
      `${where(label)}: expected a class, a whole number from 0 to ${MAX_CLASSES - 1}, but found ${label.cell}`,
    );
  }
  const classed = Int32Array.from(numbers as readonly number[]);
  return { labels: classed, classes: numberedClasses(classed) };
}

/** So many rows tell an identifier from classes. */
const TELLING_ROWS = 20;

/**
 * Labels that were taken for classes: where most rows are a class of their own, they name the rows.
 *
 * @throws DlAdmmError ERR_DLADMM_LABEL
 */
export function checkShared(labels: ArrayLike<string | number>, where: string): void {
  const rows = labels.length;
  const classes = new Set(Array.from(labels)).size;
  if (rows < TELLING_ROWS || classes <= rows / 2) return;
  throw new DlAdmmError(
    'ERR_DLADMM_LABEL',
    `${where}: expected classes, but of ${rows} rows nearly every one is a class of its own (${classes} classes), as with an identifier: name the column of labels by label, or say by task that these are classes or targets`,
  );
}

/** The classes '0', '1', … up to the largest of `labels`. */
export function numberedClasses(...labels: readonly Int32Array[]): readonly string[] {
  const largest = labels.reduce((max, part) => part.reduce((m, label) => Math.max(m, label), max), -1);
  return Array.from({ length: largest + 1 }, (_, i) => String(i));
}

/** Features with labels or targets, by what the labels are. */
export function labelledTable(
  features: Features & { readonly label: string },
  labels: readonly Label[],
  task: TableOptions['task'],
  where: (label: Label) => string,
): ClassificationTable | RegressionTable {
  const numbers = labels.map(({ cell }) => parseNumber(cell));
  if ((task ?? inferTask(labels, numbers, where)) === 'classification') {
    if (task === undefined)
      checkShared(
        labels.map(({ cell }) => cell),
        where(labels[0] as Label),
      );
    return { task: 'classification', ...features, ...classify(labels, numbers, where) };
  }
  const odd = numbers.indexOf(undefined);
  if (odd >= 0) throw badCell(where(labels[odd] as Label), (labels[odd] as Label).cell, 'a number (of float32 size)');
  const y = { data: Float32Array.from(numbers as readonly number[]), rows: labels.length, columns: 1 };
  return { task: 'regression', ...features, y };
}
