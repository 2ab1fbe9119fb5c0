/** What a column that is to be predicted holds: classes, or values. */
import { DlAdmmError, expected, listed } from '../core/errors.js';
import type { ColumnPlace } from './features.js';
import { type Frame, namedColumn, placeText, readable, valueAt } from './frame.js';

export type Target = string | number | boolean;

/** So many different whole numbers are classes, wherever they lie. */
const FEW_CLASSES = 20;
/** Whole numbers are classes only within these. */
const LEAST = -1;
const MOST = 99;
/** In so few rows nothing is said by each of them being another class. */
const FEW_ROWS = 20;

/**
 * Whether values are classes or numbers to come close to, and why.
 *
 * @param name how errors call them
 * @throws DlAdmmError ERR_DLADMM_LABEL for texts of which nearly every one is its own class
 */
export function inferTask(
  values: readonly Target[],
  name: string,
): { readonly task: 'classification' | 'regression'; readonly because: string } {
  const distinct = new Set(values);
  if (typeof values[0] === 'boolean') return { task: 'classification', because: `${name} holds true and false` };
  if (typeof values[0] === 'string') {
    if (values.length >= FEW_ROWS && distinct.size > values.length / 2) {
      const text = `Expected several rows of each class in ${name} but of its ${values.length} rows nearly every one is a class of its own (${distinct.size} classes): it may be an identifier; name another column as label, or say the task`;
      throw new DlAdmmError('ERR_DLADMM_LABEL', text);
    }
    return { task: 'classification', because: `${name} holds texts` };
  }
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of distinct) {
    if (!Number.isInteger(value)) return { task: 'regression', because: `${name} holds numbers that are not whole` };
    low = Math.min(low, value as number);
    high = Math.max(high, value as number);
  }
  const span = `whole numbers from ${low} to ${high}`;
  const complete = low <= 1 && distinct.size === high - low + 1;
  if (low >= LEAST && high <= MOST && (distinct.size <= FEW_CLASSES || complete)) {
    return { task: 'classification', because: `${name} holds ${distinct.size} different ${span}` };
  }
  return { task: 'regression', because: `${name} holds many different ${span}` };
}

/**
 * The values of the column that is to be predicted.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where there is no such column; ERR_DLADMM_LABEL, naming the row, where a value is missing
 */
export function targetValues(frame: Frame, target: ColumnPlace): readonly Target[] {
  const column = readable(namedColumn(frame, target, 'target'));
  const called = `column ${JSON.stringify(column.name)} of ${frame.name}`;
  const { mixture } = column;
  if (mixture && mixture.most !== 'booleans' && mixture.texts < mixture.numbers / 20) {
    const why = `Expected ${mixture.most}, as others are, in ${called} but found ${JSON.stringify(mixture.text)} in ${mixture.place ?? placeText(frame, mixture.row)}`;
    throw new DlAdmmError('ERR_DLADMM_LABEL', why);
  }
  const { missing } = column;
  if (column.kind === 'date' && missing < frame.rows) {
    const why = `Expected classes or numbers in ${called} but found dates: days since one of them are numbers`;
    throw new DlAdmmError('ERR_DLADMM_LABEL', why);
  }
  return Array.from({ length: frame.rows }, (_, row) => {
    const value = valueAt(column, row);
    if (value !== null) return value;
    const of = missing === frame.rows ? `all ${missing}` : `${missing} of ${frame.rows}`;
    const what = `Expected a value to predict in every row of ${called} but ${of} are missing, the first in ${placeText(frame, row)}: leave such rows out`;
    throw new DlAdmmError('ERR_DLADMM_LABEL', what);
  });
}

/** @throws DlAdmmError ERR_DLADMM_LABEL, naming the row, for a class that is none of those that are known by name */
export function checkKnown(
  values: readonly Target[],
  classes: readonly string[],
  frame: Frame,
  target: ColumnPlace,
): void {
  const known = new Set(classes);
  const row = values.findIndex((value) => !known.has(String(value)));
  if (row < 0) return;
  const where = `${placeText(frame, row)} of column ${JSON.stringify(namedColumn(frame, target, 'target').name)} of ${frame.name}`;
  throw expected(`one of the classes ${listed(classes, 20)}`, where, values[row], 'ERR_DLADMM_LABEL');
}

/** As many rows as say how frequent a target is. */
const TOLD = 10_000;

/** Rows whose target is not the most frequent one, by a sample: where they are few, few things can be told apart. */
export function tellingRows(frame: Frame, target: ColumnPlace | undefined): number {
  const { rows } = frame;
  if (target === undefined) return rows;
  const column = namedColumn(frame, target, 'target');
  const values = column.kind === 'text' ? column.codes : column.values;
  const counts = new Map<number, number>();
  // Odd, as what alternates is not to be missed.
  const step = Math.ceil(rows / TOLD) | 1;
  for (let i = 0; i < rows; i += step) counts.set(values[i] as number, (counts.get(values[i] as number) ?? 0) + step);
  return rows - Math.min(rows, Math.max(...counts.values()));
}
