import { DlAdmmError, expected } from '../core/errors.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import type { Matrix } from '../tensor/matrix.js';
import { type Column, inputsOf, MAX_CATEGORIES } from './columns.js';

/** Which columns of a file are features, and what becomes of texts among them. */
export interface FeatureOptions {
  /** A column of texts becomes a column for each text that occurs in it, 1 where it stands and 0 elsewhere. Default: texts are refused. */
  readonly categories?: 'one-hot';
  /**
   * The columns that a model was trained on (`model.columns`). They are found by name, in a file without a header line by
   * their order; all others are passed over.
   */
  readonly columns?: readonly Column[];
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

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkFeatureOptions({ categories, columns }: FeatureOptions): void {
  if (categories !== undefined && categories !== 'one-hot') throw expected("'one-hot'", 'categories', categories);
  if (columns !== undefined && !(Array.isArray(columns) && columns.every((c) => typeof c?.name === 'string'))) {
    throw expected('an array of { name, categories? }', 'columns', columns);
  }
}

/**
 * The features of a file in the order of a network's inputs.
 *
 * @param name how errors call the file
 * @throws DlAdmmError ERR_DLADMM_FORMAT where a column is missing
 */
export function featuresOf(
  { names, named, label, isText }: FileColumns,
  { categories, columns }: FeatureOptions,
  name: string,
): readonly Feature[] {
  const places = names.flatMap((_, column) => (column === label ? [] : [column]));
  if (columns === undefined) {
    return places.map((column) => ({
      column,
      name: names[column] as string,
      ...(categories === 'one-hot' && isText(column) && { texts: new Map<string, number>() }),
    }));
  }
  if (!named && places.length !== columns.length) {
    throw new DlAdmmError(
      'ERR_DLADMM_FORMAT',
      `${name}: expected ${columns.length} columns of features, as the model was trained on, but found ${places.length}`,
    );
  }
  return columns.map((column, i) => {
    const at = named ? names.indexOf(column.name) : (places[i] as number);
    if (at < 0) {
      throw new DlAdmmError(
        'ERR_DLADMM_FORMAT',
        `${name}: expected a column ${JSON.stringify(column.name)}, as the model was trained on, but its columns are ${names.slice(0, 50).join(', ')}`,
      );
    }
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
