import { didYouMean } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import type { Matrix } from '../tensor/matrix.js';
import { type Column, inputsOf, MAX_CATEGORIES } from './columns.js';

/** A column of a file: its name, or its place from 0, or from −1 counted from the end. */
export type ColumnPlace = string | number;

/** Which columns of a file are features, and what becomes of texts among them. */
export interface FeatureOptions {
  /** A column of texts becomes a column for each text that occurs in it, 1 where it stands and 0 elsewhere. Default: texts are refused. */
  readonly categories?: 'one-hot';
  /**
   * The columns that are features, in this order; or those that a model was trained on (`model.columns`), which are found by
   * name, in a file without a header line by their order. All others are passed over. Default: all but the label's.
   */
  readonly columns?: readonly (ColumnPlace | Column)[];
  /** Columns that are no features. */
  readonly ignore?: readonly ColumnPlace[];
}

/** A column of a file that is a feature. */
export interface Feature {
  /** Its place in the file. */
  readonly column: number;
  readonly name: string;
  /** The number of each text in a column of texts, in the order they came. */
  readonly texts?: Map<string, number>;
  /** The texts that there may be. */
  readonly known?: readonly string[];
}

/** What a file says of its columns. */
export interface FileColumns {
  readonly names: readonly string[];
  /** Whether the names are the file's own. */
  readonly named: boolean;
  /** The place of the column of labels, or −1. */
  readonly label: number;
  readonly isText: (column: number) => boolean;
}

const isPlace = (value: unknown): value is ColumnPlace => typeof value === 'string' || typeof value === 'number';

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkFeatureOptions({ categories, columns, ignore }: FeatureOptions): void {
  if (categories !== undefined && categories !== 'one-hot') throw expected("'one-hot'", 'categories', categories);
  const isChosen = (c: unknown): boolean => isPlace(c) || typeof (c as Column | null)?.name === 'string';
  if (columns !== undefined && !(Array.isArray(columns) && columns.length > 0 && columns.every(isChosen))) {
    throw expected("an array of columns' names or numbers, or of { name, categories? },", 'columns', columns);
  }
  if (ignore !== undefined && !(Array.isArray(ignore) && ignore.every(isPlace))) {
    throw expected("an array of columns' names or numbers", 'ignore', ignore);
  }
}

const listed = (names: readonly string[]): string =>
  (names.length > 50 ? [...names.slice(0, 50), '…'] : names).join(', ');

/**
 * Where the column stands that somebody names.
 *
 * @param option who names it
 * @param name how errors call the file
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE; ERR_DLADMM_FORMAT where several columns have that name
 */
export function placeOf(which: ColumnPlace, names: readonly string[], option: string, name: string): number {
  if (typeof which === 'number') {
    const place = which < 0 ? names.length + which : which;
    if (Number.isInteger(place) && place >= 0 && place < names.length) return place;
    const what = `a column number from ${-names.length} to ${names.length - 1} (#1 to #${names.length}) of ${name}`;
    throw expected(what, option, which, 'ERR_DLADMM_RANGE');
  }
  const place = names.indexOf(which);
  if (place < 0) {
    const hint = didYouMean(which, names);
    throw expected(`a column of ${name} (its columns are ${listed(names)}${hint})`, option, which);
  }
  const second = names.indexOf(which, place + 1);
  if (second >= 0) throw sameName(names, place, second, name);
  return place;
}

const sameName = (names: readonly string[], first: number, second: number, name: string): DlAdmmError =>
  new DlAdmmError(
    'ERR_DLADMM_FORMAT',
    `${name}: columns ${first + 1} and ${second + 1} are both called ${JSON.stringify(names[first])}: give them different names, or leave one of them out by its place, ignore: [${second}] (--drop '#${second + 1}')`,
  );

/** Refuses two columns of one name among those that are used. */
function checkNames(places: readonly number[], names: readonly string[], name: string): void {
  const seen = new Map<string, number>();
  for (const place of places) {
    const before = seen.get(names[place] as string);
    if (before !== undefined) throw sameName(names, before, place, name);
    seen.set(names[place] as string, place);
  }
}

/**
 * The features of a file in the order of a network's inputs.
 *
 * @param name how errors call the file
 * @throws DlAdmmError ERR_DLADMM_FORMAT where a column is missing or there are two of its name; ERR_DLADMM_ARGUMENT,
 *   ERR_DLADMM_RANGE for one that is not there
 */
export function featuresOf(
  { names, named, label, isText }: FileColumns,
  { categories, columns, ignore = [] }: FeatureOptions,
  name: string,
): readonly Feature[] {
  const left = ignore.map((which) => placeOf(which, names, 'ignore', name));
  const rest = names.flatMap((_, column) => (column === label || left.includes(column) ? [] : [column]));
  const learnt = (columns ?? []).filter((column): column is Column => !isPlace(column));
  if (columns === undefined || learnt.length === 0) {
    const chosen = columns?.map((which) => placeOf(which as ColumnPlace, names, 'columns', name)) ?? rest;
    if (label >= 0 && chosen.includes(label))
      throw expected("features other than the label's column", 'columns', names[label]);
    checkNames(label < 0 ? chosen : [...chosen, label], names, name);
    return chosen.map((column) => ({
      column,
      name: names[column] as string,
      ...(categories === 'one-hot' && isText(column) && { texts: new Map<string, number>() }),
    }));
  }
  if (!named && rest.length !== learnt.length) {
    throw new DlAdmmError(
      'ERR_DLADMM_FORMAT',
      `${name}: expected ${learnt.length} columns of features, as the model was trained on, but found ${rest.length}`,
    );
  }
  return learnt.map((column, i) => {
    if (named && !names.includes(column.name)) {
      throw new DlAdmmError(
        'ERR_DLADMM_FORMAT',
        `${name}: expected a column ${JSON.stringify(column.name)}, as the model was trained on, but its columns are ${listed(names)}`,
      );
    }
    const at = named ? placeOf(column.name, names, 'columns', name) : (rest[i] as number);
    const known = column.categories;
    return {
      column: at,
      name: column.name,
      ...(known && { known, texts: new Map(known.map((text, number) => [text, number])) }),
    };
  });
}

/**
 * The number of a text in its column.
 *
 * @param where how errors call the cell
 * @throws DlAdmmError ERR_DLADMM_LABEL, ERR_DLADMM_FORMAT
 */
export function numberOfText({ texts, known }: Feature, text: string, where: () => string): number {
  const number = texts?.get(text);
  if (number !== undefined) return number;
  const count = texts?.size ?? 0;
  if (known !== undefined) {
    const listed = known.length > 20 ? [...known.slice(0, 20), '…'] : known;
    throw new DlAdmmError(
      'ERR_DLADMM_LABEL',
      `${where()}: expected one of ${listed.join(', ')} but found ${JSON.stringify(text.slice(0, 40))}`,
    );
  }
  if (count === MAX_CATEGORIES) {
    const what = `expected at most ${MAX_CATEGORIES} categories but this is one more: the column may be an identifier`;
    throw new DlAdmmError('ERR_DLADMM_FORMAT', `${where()}: ${what}`);
  }
  texts?.set(text, count);
  return count;
}

/** Rows in which a text stands as its number, as rows with a column for each text; categories are sorted by code unit. */
export function encodeTexts(raw: Matrix, features: readonly Feature[]): { x: Matrix; columns: readonly Column[] } {
  const columns = features.map(({ name, texts, known }): Column => {
    const categories = known ?? (texts && [...texts.keys()].sort());
    return { name, ...(categories && { categories }) };
  });
  if (features.every(({ texts }) => texts === undefined)) return { x: raw, columns };
  const width = inputsOf(columns);
  const data = zeros(dtypeOf(raw.data), raw.rows * width);
  let offset = 0;
  for (const [c, { texts }] of features.entries()) {
    const categories = columns[c]?.categories;
    const place = categories && Int32Array.from([...(texts ?? [])], ([text]) => categories.indexOf(text));
    for (let i = 0; i < raw.rows; i += 1) {
      const value = raw.data[i * raw.columns + c] as number;
      data[i * width + offset + (place ? (place[value] as number) : 0)] = place ? 1 : value;
    }
    offset += categories?.length ?? 1;
  }
  return { x: { data, rows: raw.rows, columns: width }, columns };
}
