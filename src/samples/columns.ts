import { expected } from '../core/errors.js';

/** A column of a table that a network takes in: one number, or one of some categories, with an input for each of them. */
export interface Column {
  readonly name: string;
  /** The category that is present gives 1 to its input, the others are 0 (one-hot). */
  readonly categories?: readonly string[];
}

/** More categories than this are an identifier or free text. */
export const MAX_CATEGORIES = 1000;

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

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where `columns` do not describe `inputs` inputs, each by a name of its own */
export function checkColumns(columns: unknown, inputs: number): readonly Column[] {
  if (!Array.isArray(columns) || !columns.every(isColumn)) {
    throw expected('an array of { name, categories? }, one a column,', 'columns', columns);
  }
  if (new Set(columns.map(({ name }) => name)).size !== columns.length) {
    throw expected('columns with different names', 'columns', columns);
  }
  if (inputsOf(columns) !== inputs) throw expected(`columns of ${inputs} inputs`, 'columns', inputsOf(columns));
  return columns;
}
