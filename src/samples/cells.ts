/** What the cells of a table of texts say. */
import { TOO_WIDE } from '../core/numbers.js';

/** The sign between a number's whole part and its fraction. */
export type Decimal = '.' | ',';

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** With decimal commas, points may stand between thousands. */
const GROUPED = /^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?$/;
/** No number is written by more characters. */
const LONGEST = 1000;
const DIGITS = /^[+-]?\d{16,}$/;

/** Whether a text of digits is a whole number that no double is, nor how one is written. */
function isInexact(cell: string): boolean {
  if (!DIGITS.test(cell)) return false;
  const value = Number(cell);
  return String(value) !== cell && !(Number.isFinite(value) && BigInt(cell) === BigInt(value));
}

/** The number a cell holds, or undefined: Number() alone would take blanks, hexadecimals, infinities, and whole numbers beyond 2^53. */
export function parseNumber(cell: string, decimal: Decimal = '.'): number | undefined {
  const plain = decimal === '.' ? cell : pointed(cell);
  if (plain.length > LONGEST || !NUMBER.test(plain) || isInexact(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

const pointed = (cell: string): string => {
  if (cell.length > LONGEST) return cell;
  if (GROUPED.test(cell)) return cell.replaceAll('.', '').replace(',', '.');
  return cell.includes('.') ? 'no number' : cell.replace(',', '.');
};

/** Whether a text is digits of which the first is one 0 too many: a code (a postcode, an article), which no number can tell. */
export const isCode = (text: string): boolean => /^\s*0\d+\s*$/.test(text);

/** What may help where a cell is no number, as the end of a sentence. */
export function numberHint(cell: string, decimal: Decimal): string {
  if (cell.length > LONGEST) return '';
  if (DIGITS.test(cell)) return `, ${TOO_WIDE}; ignore (--ignore) leaves an identifier out`;
  if (decimal === '.' && /^[+-]?\d*,\d+$/.test(cell)) return "; decimal: ',' (--decimal ,) reads decimal commas";
  if (decimal === ',' && /^[+-]?\d*\.\d+$/.test(cell)) return "; decimal: '.' (--decimal .) reads decimal points";
  return '';
}

const MISSING: ReadonlySet<string> = new Set(['', '?', 'na', 'n/a', '#n/a', 'nan', 'null', '\\n']);

export const missingCells = (): readonly string[] =>
  [...MISSING].flatMap((word) =>
    Array.from(word).reduce<readonly string[]>(
      (begun, letter) =>
        begun.flatMap((text) => [...new Set([letter, letter.toUpperCase()])].map((next) => text + next)),
      [''],
    ),
  );

/** Whether a cell says that there is no value. */
export const isMissing = (cell: string): boolean => cell.length <= 4 && MISSING.has(cell.toLowerCase());

const DATE = /^\d{4}-\d\d?-\d\d?(?:[T ]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;
const OTHER_DATE = /^(?:\d{1,2}[/.]\d{1,2}[/.]\d{2,4}|\d{4}\/\d\d?\/\d\d?)(?: \d\d?:\d\d(?::\d\d)?)?$/;
const TIME = /^\d\d?:\d\d(?::\d\d(?:\.\d+)?)?$/;

export type CellKind = 'missing' | 'number' | 'date' | 'boolean' | 'text';

export function kindOfCell(cell: string, decimal: Decimal): CellKind {
  if (isMissing(cell)) return 'missing';
  if (parseNumber(cell, decimal) !== undefined) return 'number';
  if (DATE.test(cell) || OTHER_DATE.test(cell) || TIME.test(cell)) return 'date';
  return /^(?:true|false)$/i.test(cell) ? 'boolean' : 'text';
}
