/** A text as samples: windows of characters, one-hot, each with the character that follows. */
import type { ClassificationSplit } from 'dladmm/data';
import { seededRandom } from '../harness/random.js';

/** The characters that a text is folded to. */
export const ALPHABET = ` abcdefghijklmnopqrstuvwxyz.,;:'"!?-`;

/** Lower case, dashes and quotation marks in their plain form; what is not in the alphabet is a gap, and gaps are one blank. */
export function fold(text: string): string {
  return text
    .toLowerCase()
    .replace(/[\u2012-\u2015]/g, '-')
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"')
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .replace(/[^a-z.,;:'"!?-]+/g, ' ')
    .trim();
}

/** The place of each character of a folded text in the alphabet. */
export const encode = (text: string): Int32Array => Int32Array.from(text, (character) => ALPHABET.indexOf(character));

/** The reverse of {@link encode}. */
export const decode = (codes: Iterable<number>): string => Array.from(codes, (code) => ALPHABET[code] ?? '').join('');

/**
 * One sample for each of `codes` that has `history` before it: those as one-hot vectors in their order (history ×
 * alphabet columns), labelled with the character itself.
 */
export function windows(codes: Int32Array, history: number): ClassificationSplit {
  const size = ALPHABET.length;
  const rows = Math.max(0, codes.length - history);
  const columns = history * size;
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i += 1) data.set(oneHot(codes.subarray(i, i + history)), i * columns);
  return { x: { data, rows, columns }, labels: codes.slice(codes.length - rows) };
}

/** codes.length × alphabet entries, a single 1 for each code. */
export function oneHot(codes: Int32Array): Float32Array {
  const row = new Float32Array(codes.length * ALPHABET.length);
  for (const [i, code] of codes.entries()) row[i * ALPHABET.length + code] = 1;
  return row;
}

/**
 * What a code costs in bits that knows nothing but how often each character occurs in `train` (each counted once more
 * than it does, so that none is impossible): what a network that ignores its input can reach.
 */
export function frequencyBits(train: Int32Array, test: Int32Array): number {
  const counts = new Float64Array(ALPHABET.length).fill(1);
  for (const code of train) counts[code] = (counts[code] ?? 0) + 1;
  const total = train.length + counts.length;
  return test.reduce((sum, code) => sum - Math.log2((counts[code] ?? 0) / total), 0) / test.length;
}

/** The index that a uniform number in [0, 1) draws from probabilities that add up to about 1. */
export function drawn(probabilities: ArrayLike<number>, uniform: number): number {
  let below = 0;
  for (let i = 0; i < probabilities.length; i += 1) {
    below += probabilities[i] ?? 0;
    if (uniform < below) return i;
  }
  // Rounding may leave the sum short of 1: the last one that can occur.
  let last = probabilities.length - 1;
  while (last > 0 && probabilities[last] === 0) last -= 1;
  return last;
}

/** Goes on after `start` for `count` characters; `next` gives the probabilities of the one after its history. */
export async function written(
  start: Int32Array,
  count: number,
  seed: number,
  next: (history: Int32Array) => Promise<ArrayLike<number>>,
): Promise<Int32Array> {
  const history = start.length;
  const codes = new Int32Array(history + count);
  codes.set(start);
  const { uniform } = seededRandom(seed);
  for (let i = 0; i < count; i += 1) {
    codes[history + i] = drawn(await next(codes.subarray(i, history + i)), uniform());
  }
  return codes.subarray(history);
}
