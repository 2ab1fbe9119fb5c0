/**
 * Texts by the hashes of their words, and pairs of columns by the hashes of both values, as sparse rows: nothing of samples × features is
 * laid out. Feature hashing is that of K. Weinberger et al. (ICML 2009) without signs, so that what a word counts for can be told by its input.
 */
import { expected } from '../core/errors.js';
import type { NativeCsr, Numbers } from '../core/native.js';
import { zeros } from '../core/numbers.js';
import { type Complete, option, type Schema, valueType, whole } from '../network/schema.js';
import type { Standardisation } from '../network/standardisation.js';
import { sparseRows } from '../tensor/csr.js';
import { paced, type RowSource, rowSource } from '../tensor/inputs.js';
import { areShares, type Column, inputsOfColumn, MAX_HASH, offsetsOf } from './columns.js';
import { encoderOf, hashOf, lacks, textOf } from './encoder.js';
import { type ColumnPlace, isPlace, placeOf } from './features.js';
import type { Frame } from './frame.js';
import { learnFrom } from './standardise.js';

/** How texts and pairs of columns become sparse inputs. */
export const HASHING = {
  hash: whole(
    1,
    {
      otherwise: 'texts enter by categories and buckets',
      says: 'Of a table: texts enter by their words, each column with so many inputs of which the hash of a word chooses one, weighed by TF-IDF; the features are sparse.',
    },
    MAX_HASH,
  ),
  pairs: option(
    valueType<readonly (readonly ColumnPlace[])[]>(
      'pairs of columns',
      (value) =>
        Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isPlace)),
      'an array of pairs of columns, such as [["city", "plan"]]',
      { as: 'pairs' },
    ),
    {
      otherwise: 'none',
      says: 'Of a table, with hash: pairs of columns, of whose values together the hash chooses an input, as of a word.',
    },
  ),
} as const satisfies Schema;

export const areHashed = (columns: readonly Column[] = []): boolean => columns.some(({ hash }) => hash !== undefined);

/** The columns of a table that one is made of. */
const sourcesOf = ({ name, pair }: Column): readonly string[] => pair ?? [name];

/** The columns that a table must have for some, those that make pairs by themselves. */
export const tableColumns = (columns: readonly Column[]): readonly Column[] =>
  columns.flatMap((column) => sourcesOf(column).map((name) => ({ ...column, name })));

/** Runs of letters and digits, in small letters. */
const wordsOf = (text: string): readonly string[] =>
  text
    .normalize('NFC')
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];

/** What a column has of a row: how often each of its inputs is hit. */
function hitsOf({ pair, hash = 1 }: Column, values: readonly unknown[]): ReadonlyMap<number, number> {
  const hits = new Map<number, number>();
  const texts = values.map((value) => (lacks(value) ? undefined : textOf(value)));
  const words = pair ? (texts.includes(undefined) ? [] : [texts.join('\0')]) : wordsOf(texts[0] ?? '');
  for (const word of words) {
    const at = hashOf(word) % hash;
    hits.set(at, (hits.get(at) ?? 0) + 1);
  }
  return hits;
}

/** Entries of a block. */
const BLOCK = 2 ** 12;

/** A place where entries of sparse rows gather: in blocks, as nothing large is to be moved at once. */
function growing(dtype: 'float32' | 'float64') {
  const room = (length: number) => ({ indices: new Int32Array(length), values: zeros(dtype, length) });
  const full: ReturnType<typeof room>[] = [];
  let block = room(BLOCK);
  let count = 0;
  return {
    get count(): number {
      return count;
    },
    add(index: number, value: number): void {
      const at = count % BLOCK;
      if (at === 0 && count > 0) {
        full.push(block);
        block = room(BLOCK);
      }
      block.indices[at] = index;
      block.values[at] = value;
      count += 1;
    },
    *all(): Generator<void, Pick<NativeCsr, 'indices' | 'values'>, undefined> {
      const all = room(count);
      for (const [i, { indices, values }] of [...full, block].entries()) {
        const first = i * BLOCK;
        all.indices.set(indices.subarray(0, count - first), first);
        all.values.set(values.subarray(0, count - first), first);
        yield;
      }
      return all;
    },
  };
}

/**
 * Rows one after the other as the inputs of columns some of which are hashed. The counts of the words of a text are divided by the root
 * of the sum of their squares, so that long texts are no louder than short ones.
 */
export function hashedRows(columns: readonly Column[], rows: number, name: string, rowName?: (row: number) => string) {
  const { offsets, inputs } = offsetsOf(columns);
  const plain = columns.flatMap((column, c) => (column.hash === undefined ? [c] : []));
  const own = plain.map((c) => columns[c] as Column);
  const encoder = encoderOf(own, name, rowName);
  const places = Int32Array.from(
    plain.flatMap((c) =>
      Array.from({ length: inputsOfColumn(columns[c] as Column) }, (_, i) => (offsets[c] as number) + i),
    ),
  );
  const shares = own.flatMap(areShares);
  const dense = new Float64Array(encoder.inputs);
  const entries = growing(plain.length > 0 ? 'float64' : 'float32');
  const indptr = new Float64Array(rows + 1);
  return {
    /** The next row, whose values are asked for by the names of their columns. Answers with its entries. */
    push(row: number, found: (column: string) => unknown): number {
      dense.fill(0);
      for (const [p, { name: column }] of own.entries()) encoder.put(found(column), p, dense, 0, row);
      for (const [i, place] of places.entries()) {
        // What is standardised stands in every row, as its mean is taken from it.
        if (dense[i] !== 0 || !shares[i]) entries.add(place, dense[i] as number);
      }
      for (const [c, column] of columns.entries()) {
        if (column.hash === undefined) continue;
        const hits = hitsOf(column, sourcesOf(column).map(found));
        let squares = 0;
        for (const count of hits.values()) squares += count * count;
        for (const [at, count] of hits) entries.add((offsets[c] as number) + at, count / Math.sqrt(squares));
      }
      indptr[row + 1] = entries.count;
      return entries.count - (indptr[row] as number);
    },
    /** All of them, in steps. */
    *all(): Generator<void, RowSource, undefined> {
      return sparseRows({ rows, columns: inputs, indptr, ...(yield* entries.all()) }, name);
    },
  };
}

/**
 * What standardises sparse rows, so that what is 0 stays 0: a word counts for ln((1 + n) / (1 + d)) + 1, where d of n rows have its
 * input, and for 0 where none has (TF-IDF); numbers and dates, which every row has, are standardised as ever.
 *
 * @throws DlAdmmError as {@link learnFrom}
 */
export async function learnHashed(
  { sparse, columns: inputs, rows, name }: RowSource,
  columns: readonly Column[],
): Promise<Standardisation> {
  const { indices, values } = sparse as NativeCsr;
  const mean = new Float64Array(inputs);
  const scale = new Float64Array(inputs).fill(1);
  const { offsets } = offsetsOf(columns);
  const places = Int32Array.from(
    columns.flatMap((column, c) =>
      column.hash === undefined
        ? areShares(column).flatMap((share, i) => (share ? [] : [(offsets[c] as number) + i]))
        : [],
    ),
  );
  const placeOf = new Map([...places].map((place, p) => [place, p]));
  const plain: Numbers = new Float64Array(rows * places.length);
  const among = new Float64Array(inputs);
  const { indptr } = sparse as NativeCsr;
  const pace = paced();
  for (let row = 0; row < rows; row += 1) {
    const [first, end] = [indptr[row] as number, indptr[row + 1] as number];
    for (let at = first; at < end; at += 1) {
      const index = indices[at] as number;
      const p = places.length > 0 ? placeOf.get(index) : undefined;
      if (p === undefined) among[index] = (among[index] as number) + 1;
      else plain[row * places.length + p] = values[at] as number;
    }
    const pausing = pace(1 + end - first);
    if (pausing) await pausing;
  }
  for (const [c, { hash = 0 }] of columns.entries()) {
    for (let i = 0; i < hash; i += 1) {
      const of = (offsets[c] as number) + i;
      scale[of] = among[of] === 0 ? 0 : Math.log((1 + rows) / (1 + (among[of] as number))) + 1;
    }
  }
  if (places.length > 0) {
    const rule = await learnFrom(rowSource({ data: plain, rows, columns: places.length }, places.length, name));
    for (const [p, place] of places.entries()) {
      mean[place] = rule.mean[p] as number;
      scale[place] = rule.scale[p] as number;
    }
  }
  return { mean, scale };
}

/** Pairs of columns, each a column of its own. @throws DlAdmmError ERR_DLADMM_ARGUMENT for one with the target, or without `hash` */
export function pairsOf(
  { columns, name: called }: Frame,
  { pairs = [], hash }: Complete<typeof HASHING>,
  targets: readonly ColumnPlace[],
): readonly Column[] {
  if (pairs.length > 0 && hash === undefined) throw expected('hash beside pairs, such as 2 ** 18,', 'hash', hash);
  const names = columns.map(({ name }) => name);
  const nameOf = (which: ColumnPlace): string => names[placeOf(which, names, 'pairs', called)] as string;
  const predicted = new Set(targets.map(nameOf));
  return pairs.map((pair) => {
    const [first = '', second = ''] = pair.map(nameOf);
    if (first === second || predicted.has(first) || predicted.has(second))
      throw expected('two columns that are features', 'pairs', pair);
    return { name: `${first} × ${second}`, pair: [first, second], hash: hash as number, fill: '' };
  });
}
