/** A text as samples: windows of characters, one-hot, each with the character that follows. */
import type { ClassificationSplit } from 'dladmm/data';

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
