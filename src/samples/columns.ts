import { repeated } from '../core/checks.js';
import { DlAdmmError, expected, listed } from '../core/errors.js';
import { DATE_PARTS, type DatePart } from './dates.js';

/**
 * A column of a table that a network takes in, and how its values become inputs: a number as it is, a text as one of some
 * categories or by its hash, a moment in time by its parts. What it has beyond its name has been learnt from a training set.
 */
export interface Column {
  readonly name: string;
  /** The category that is present gives 1 to its input, the others are 0 (one-hot). */
  readonly categories?: readonly string[];
  /** Texts that are none of the categories have one more input, after theirs. Without it they are refused. */
  readonly other?: true;
  /** So many inputs, of which the hash of a text chooses the one that is 1. */
  readonly buckets?: number;
  /** So many inputs, of which the hashes of the words of a text choose, or that of the values of a pair (hashed.ts): rows are sparse. */
  readonly hash?: number;
  /** The columns of a table that it is made of, where it is two. */
  readonly pair?: readonly [string, string];
  /** Edges of bins of a number, rising: an input for each bin follows that of the number itself (bins.ts). */
  readonly bins?: readonly number[];
  /** An input for each of these parts of a moment in time. */
  readonly date?: readonly DatePart[];
  /** What stands for a missing value: a number, milliseconds since 1970, or a text. Without it they are refused. */
  readonly fill?: number | string;
  /** The last input is 1 where the value was missing. */
  readonly indicator?: true;
}

/** More categories than this are an identifier or free text. */
export const MAX_CATEGORIES = 1000;
/** Weights are a number an input and neuron. */
export const MAX_HASH: number = 2 ** 24;

export const inputsOfColumn = ({ categories, other, buckets, hash, date, bins, indicator }: Column): number =>
  (categories ? categories.length + (other ? 1 : 0) : (hash ?? buckets ?? date?.length ?? bins?.length ?? 1)) +
  (indicator ? 1 : 0);

/**
 * Which inputs of a column lie in [0, 1] by what they mean: categories, hashes, bins and what says that a value was missing. They stay as
 * they are where others are standardised, as deviation 1 would make rare ones loud.
 */
export function areShares(column: Column): readonly boolean[] {
  const { categories, buckets, hash, date, indicator } = column;
  const inputs = inputsOfColumn(column);
  const plain = categories || buckets || hash ? 0 : (date?.length ?? 1);
  return Array.from({ length: inputs }, (_, i) => i >= plain || (indicator === true && i === inputs - 1));
}

export const inputsOf = (columns: readonly Column[]): number =>
  columns.reduce((sum, column) => sum + inputsOfColumn(column), 0);

/** Where the inputs of each of them begin, and how many they take. */
export function offsetsOf(columns: readonly Column[]): {
  readonly offsets: readonly number[];
  readonly inputs: number;
} {
  let inputs = 0;
  const offsets = columns.map((column) => {
    inputs += inputsOfColumn(column);
    return inputs - inputsOfColumn(column);
  });
  return { offsets, inputs };
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isArrayOf = (value: unknown, test: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(test) && new Set(value).size === value.length;

const FIELDS: Readonly<Record<keyof Column, (value: unknown) => boolean>> = {
  name: isText,
  categories: (value) => isArrayOf(value, isText),
  other: (value) => value === true,
  buckets: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 2 ** 20,
  hash: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_HASH,
  pair: (value) => isArrayOf(value, isText) && (value as unknown[]).length === 2,
  date: (value) => isArrayOf(value, (part) => DATE_PARTS.some((known) => known === part)),
  bins: (value) =>
    isArrayOf(value, Number.isFinite) &&
    (value as number[]).every((edge, i, all) => i === 0 || edge > (all[i - 1] as number)),
  fill: (value) => isText(value) || Number.isFinite(value),
  indicator: (value) => value === true,
};

function isColumn(value: unknown): value is Column {
  if (typeof value !== 'object' || value === null || !('name' in value)) return false;
  const right = Object.entries(value).every(
    ([key, field]) => field === undefined || (Object.hasOwn(FIELDS, key) && FIELDS[key as keyof Column](field)),
  );
  const { categories, other, buckets, hash, pair, date, bins, fill, indicator } = value as Column;
  const texts = categories !== undefined || buckets !== undefined || hash !== undefined;
  const kinds = [categories, buckets, hash, date, bins].filter((kind) => kind !== undefined).length;
  return (
    right &&
    kinds < 2 &&
    (!other || !!categories) &&
    (!pair || hash !== undefined) &&
    (hash === undefined || (fill === '' && !indicator)) &&
    (!indicator || fill !== undefined) &&
    (fill === undefined || isText(fill) === texts) &&
    (!isText(fill) || !categories || other === true || categories.includes(fill))
  );
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE where `columns` do not describe `inputs` inputs, each by a name of its own */
export function checkColumns(columns: unknown, inputs: number, called = 'columns'): readonly Column[] {
  if (!Array.isArray(columns) || !columns.every(isColumn)) {
    throw expected('an array of { name, categories? }, one a column,', called, columns);
  }
  const twice = repeated(columns.map(({ name }) => name));
  if (twice !== undefined) throw expected('columns with different names', called, twice);
  if (inputsOf(columns) !== inputs) {
    throw expected(`columns of ${inputs} inputs`, called, inputsOf(columns), 'ERR_DLADMM_SHAPE');
  }
  return columns;
}

/** The columns in words, a line each: what becomes of their values; `weighed` where they are standardised. */
export function columnsText(columns: readonly Column[], weighed = false): readonly string[] {
  return columns.map((column) => {
    const { name, categories, other, buckets, hash, pair, date, bins, fill, indicator } = column;
    const what = hash
      ? `${pair ? 'two values together' : 'a text, its words'} by hash, ${weighed ? 'weighed by TF-IDF' : 'as they are counted'}`
      : categories
        ? `a text, one of ${categories.length}${other ? ' or another' : ''}`
        : buckets
          ? `a text, by its hash in ${buckets}`
          : date
            ? `a moment in time, by ${date.join(', ')}`
            : `a number${bins ? `, and where it lies in ${bins.length - 1} bins from ${bins[0]} to ${bins.at(-1)}` : ''}`;
    const shown = date && typeof fill === 'number' ? new Date(fill).toISOString() : String(fill).slice(0, 60);
    const missing =
      fill === undefined || hash ? '' : `; missing: ${shown}${indicator ? ', and an input that says so' : ''}`;
    return `${name.replace(/\p{Cc}/gu, ' ')}: ${what} (${inputsOfColumn(column)} ${inputsOfColumn(column) === 1 ? 'input' : 'inputs'})${missing}`;
  });
}

/** What each input of a column stands for: a category, a part of a date, …; undefined for the value itself. */
function inputNames({
  categories,
  other,
  buckets,
  hash = buckets,
  date,
  bins = [],
  indicator,
}: Column): readonly (string | undefined)[] {
  const number = [undefined, ...bins.slice(1).map((edge, t) => `${bins[t]} to ${edge}`)];
  const own = categories ?? date ?? (hash ? Array.from({ length: hash }, (_, i) => `hash ${i}`) : number);
  return [...own, ...(other ? ['(other)'] : []), ...(indicator ? ['(missing)'] : [])];
}

/**
 * Where the inputs of `wanted` stand among those of `columns`: both are columns by their names, and a category is one input.
 *
 * @throws DlAdmmError ERR_DLADMM_SHAPE where one is missing
 */
export function placesOf(columns: readonly Column[], wanted: readonly Column[], called: string): Int32Array {
  const inputs = (column: Column): readonly (readonly [key: string, says: string])[] =>
    inputNames(column).map((part) => [
      JSON.stringify([column.name, ...(part === undefined ? [] : [part])]),
      part === undefined ? column.name : `${column.name} = ${part}`,
    ]);
  const places = new Map(columns.flatMap(inputs).map(([key], place) => [key, place]));
  return Int32Array.from(wanted.flatMap(inputs), ([key, says]) => {
    const place = places.get(key);
    if (place !== undefined) return place;
    const found = columns.flatMap(inputs).map(([, each]) => each);
    const what = `a column ${JSON.stringify(says)}, as the model was trained on,`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', `Expected ${what} among ${called} but received ${listed(found)}`);
  });
}
