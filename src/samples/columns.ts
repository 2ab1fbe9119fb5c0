import { DlAdmmError, expected } from '../core/errors.js';

/** A column of a table that a network takes in: one number, or one of some categories, with an input for each of them. */
export interface Column {
  readonly name: string;
  /** The category that is present gives 1 to its input, the others are 0 (one-hot). */
  readonly categories?: readonly string[];
}

/** More categories than this are an identifier or free text. */
export const MAX_CATEGORIES = 1000;

/** So many columns are listed in an error. */
const LISTED = 50;

/** How many inputs some columns take. */
export const inputsOf = (columns: readonly Column[]): number =>
  columns.reduce((sum, { categories }) => sum + (categories?.length ?? 1), 0);

const isText = (value: unknown): value is string => typeof value === 'string';

function isColumn(value: unknown): value is Column {
  if (typeof value !== 'object' || value === null || !('name' in value) || !isText(value.name)) return false;
  if (Object.keys(value).some((key) => key !== 'name' && key !== 'categories')) return false;
  const categories: unknown = 'categories' in value ? value.categories : undefined;
  if (categories === undefined) return true;
  return (
    Array.isArray(categories) &&
    categories.length > 0 &&
    categories.every(isText) &&
    new Set(categories).size === categories.length
  );
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE where `columns` do not describe `inputs` inputs, each by a name of its own */
export function checkColumns(columns: unknown, inputs: number, called = 'columns'): readonly Column[] {
  if (!Array.isArray(columns) || !columns.every(isColumn)) {
    throw expected('an array of { name, categories? }, one a column,', called, columns);
  }
  const names = columns.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw expected('columns with different names', called, twice);
  if (inputsOf(columns) !== inputs) {
    throw expected(`columns of ${inputs} inputs`, called, inputsOf(columns), 'ERR_DLADMM_SHAPE');
  }
  return columns;
}

/**
 * Where the inputs of `wanted` stand among those of `columns`: both are columns by their names, and a category is one input.
 *
 * @throws DlAdmmError ERR_DLADMM_SHAPE where one is missing
 */
export function placesOf(columns: readonly Column[], wanted: readonly Column[], called: string): Int32Array {
  const inputs = (column: Column): readonly (readonly [key: string, says: string])[] =>
    column.categories?.map((text) => [JSON.stringify([column.name, text]), `${column.name} = ${text}`] as const) ?? [
      [JSON.stringify([column.name]), column.name],
    ];
  const places = new Map(columns.flatMap(inputs).map(([key], place) => [key, place]));
  return Int32Array.from(wanted.flatMap(inputs), ([key, says]) => {
    const place = places.get(key);
    if (place !== undefined) return place;
    const found = columns.flatMap(inputs).map(([, each]) => each);
    const listed = found.length > LISTED ? [...found.slice(0, LISTED), '…'] : found;
    const what = `a column ${JSON.stringify(says)}, as the model was trained on,`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', `Expected ${what} among ${called} but received ${listed.join(', ')}`);
  });
}
