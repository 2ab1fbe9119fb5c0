import { didYouMean } from '../core/checks.js';
import { DlAdmmError, expected, listed, quoted } from '../core/errors.js';
import { type OptionsOf, option, type Schema, valueType, word } from '../network/schema.js';
import type { Column } from './columns.js';

/** A column of a file: its name, or its place from 0, or from −1 counted from the end. */
export type ColumnPlace = string | number;

export const isPlace = (value: unknown): value is ColumnPlace => typeof value === 'string' || typeof value === 'number';
const isChosen = (value: unknown): boolean => isPlace(value) || typeof (value as Column | null)?.name === 'string';

/** Columns that are no features. */
export const IGNORE = option(
  valueType<readonly ColumnPlace[]>(
    'names or places of columns',
    (value) => Array.isArray(value) && value.every(isPlace),
    "an array of columns' names or numbers",
    { as: 'columns' },
  ),
  { otherwise: 'none', says: 'Of a table: columns to pass over, such as one of two of one name.' },
);

/** Columns that are features. */
export const COLUMNS = option(
  valueType<readonly (ColumnPlace | Column)[]>(
    'names or places of columns | model.columns',
    (value) => Array.isArray(value) && value.length > 0 && value.every(isChosen),
    "an array of columns' names or numbers, or of { name, categories? },",
    { as: 'columns' },
  ),
  {
    otherwise: 'all others',
    says: 'Of a table: the columns that are features, in this order; or those of a model, whose encodings are then taken, found by name, in a file without a header line by their order.',
  },
);

/** Which columns of a file are features, and what becomes of texts among them. */
export const FEATURES = {
  texts: word(['one-hot'], {
    otherwise: 'texts are refused',
    says: 'A column of texts becomes a column for each text that occurs in it, 1 where it stands and 0 elsewhere.',
  }),
  columns: COLUMNS,
  ignore: IGNORE,
} as const satisfies Schema;

/** Which columns of a file are features, and what becomes of texts among them. */
export type FeatureOptions = OptionsOf<typeof FEATURES>;

const indices = new WeakMap<readonly string[], ReadonlyMap<string, readonly number[]>>();

/** Where each name stands for the first and the second time, found once for all names of a table. */
function indexOf(names: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const known = indices.get(names);
  if (known) return known;
  const index = new Map<string, number[]>();
  for (const [place, name] of names.entries()) {
    const places = index.get(name);
    if (places === undefined) index.set(name, [place]);
    else if (places.length === 1) places.push(place);
  }
  indices.set(names, index);
  return index;
}

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
  const [place, second] = indexOf(names).get(which) ?? [];
  if (place === undefined) {
    const hint = didYouMean(which, names);
    throw expected(`a column of ${name} (its columns are ${listed(names)}${hint})`, option, which);
  }
  if (second !== undefined) throw sameName(names, place, second, name);
  return place;
}

const sameName = (names: readonly string[], first: number, second: number, name: string): DlAdmmError =>
  new DlAdmmError(
    'ERR_DLADMM_FORMAT',
    `${name}: columns ${first + 1} and ${second + 1} are both called ${quoted(names[first] as string)}: give them different names, or leave one of them out by its place, ignore: [${second}] (--ignore '#${second + 1}')`,
  );

/** @throws DlAdmmError ERR_DLADMM_FORMAT where two of some columns have one name */
export function checkDifferent(places: readonly number[], names: readonly string[], name: string): void {
  const seen = new Map<string, number>();
  for (const place of places) {
    const before = seen.get(names[place] as string);
    if (before === place) throw expected('every column once', 'columns', names[place]);
    if (before !== undefined) throw sameName(names, before, place, name);
    seen.set(names[place] as string, place);
  }
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where a column that is left out is one to predict, or to learn from */
export function checkLeft(
  left: readonly number[],
  targets: readonly number[],
  features: readonly number[],
  names: readonly string[],
): void {
  const both = left.find((place) => targets.includes(place) || features.includes(place));
  if (both === undefined) return;
  const what = targets.includes(both) ? 'the target (target names another)' : 'those that columns names';
  throw expected(`columns other than ${what}`, 'ignore', names[both]);
}

export interface FileColumns {
  readonly names: readonly string[];
  /** Whether the names are the file's own. */
  readonly named: boolean;
  /** The place of the column to predict, or −1. */
  readonly target: number;
}

/** The columns that were learnt, where some of those that are asked for are: names beside them are of numeric columns. */
export const learntColumns = ({ columns = [] }: FeatureOptions): readonly Column[] =>
  columns.every(isPlace) ? [] : columns.map((column) => (isPlace(column) ? { name: String(column) } : column));

/**
 * The places of the features of a file in the order of a network's inputs.
 *
 * @param name how errors call the file
 * @throws DlAdmmError ERR_DLADMM_FORMAT where a column is missing or there are two of its name; ERR_DLADMM_ARGUMENT,
 *   ERR_DLADMM_RANGE for one that is not there
 */
export function featuresOf(
  { names, named, target }: FileColumns,
  options: FeatureOptions,
  name: string,
): readonly number[] {
  const { columns, ignore = [] } = options;
  const left = ignore.map((which) => placeOf(which, names, 'ignore', name));
  const rest = names.flatMap((_, column) => (column === target || left.includes(column) ? [] : [column]));
  const learnt = learntColumns(options);
  if (learnt.length === 0) {
    const chosen = columns?.map((which) => placeOf(which as ColumnPlace, names, 'columns', name)) ?? rest;
    checkLeft(left, target < 0 ? [] : [target], columns ? chosen : [], names);
    if (target >= 0 && chosen.includes(target))
      throw expected('features other than the target', 'columns', names[target]);
    checkDifferent(target < 0 ? chosen : [...chosen, target], names, name);
    return chosen;
  }
  if (!named && rest.length !== learnt.length) {
    const text = `${name}: expected ${learnt.length} columns of features, as the model was trained on, but found ${rest.length}`;
    throw new DlAdmmError('ERR_DLADMM_FORMAT', text);
  }
  return learnt.map((column, i) => {
    if (!named) return rest[i] as number;
    if (indexOf(names).has(column.name)) return placeOf(column.name, names, 'columns', name);
    const text = `${name}: expected a column ${JSON.stringify(column.name)}, as the model was trained on, but its columns are ${listed(names)}`;
    throw new DlAdmmError('ERR_DLADMM_FORMAT', text);
  });
}
