import { isAbortSignal } from './abort.js';
import { DlAdmmError, describe, expected, shortened } from './errors.js';
import { isRevoked } from './objects.js';

/** `value`, or `otherwise` where none was given. Null is not nothing: it is refused like any other wrong type. */
export const given = <T>(value: T | undefined, otherwise: T): T => (value === undefined ? otherwise : value);

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where `value` is not one of the words */
export function oneOf<T extends string>(value: unknown, allowed: readonly T[], name: string): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  const { code, message } = expected(allowed.map((word) => `'${word}'`).join(' or '), name, value);
  throw new DlAdmmError(code, message + (typeof value === 'string' ? didYouMean(value, allowed) : ''));
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function flag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw expected('true or false', name, value);
  return value;
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function whole(value: unknown, low: number, high: number, name: string): number {
  if (typeof value !== 'number') throw expected('a number', name, value);
  if (!Number.isInteger(value) || value < low || value > high) {
    throw expected(`a whole number from ${low} to ${high}`, name, value, 'ERR_DLADMM_RANGE');
  }
  return value;
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function atLeast(value: unknown, low: number, name: string): number {
  if (typeof value !== 'number') throw expected('a number', name, value);
  if (!(value >= low) || !Number.isFinite(value)) {
    const what = low > 0 && low < 1e-300 ? 'a positive finite number' : `a finite number of at least ${low}`;
    throw expected(what, name, value, 'ERR_DLADMM_RANGE');
  }
  return value;
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkObject(value: unknown, what: string, name: string): asserts value is object {
  if (typeof value !== 'object' || value === null || isRevoked(value)) throw expected(what, name, value);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') throw expected('a function', name, value);
}

/**
 * A misspelt name must not pass as one left out.
 *
 * @param meant what a name is called here that is another library's
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function checkKeys(
  object: object,
  known: readonly string[],
  name: string,
  meant: (key: string) => string | undefined = () => undefined,
): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const value = describe((object as Record<string, unknown>)[unknown]);
  const called = meant(unknown);
  const hint = called === undefined ? didYouMean(unknown, known) : `; did you mean ${called}?`;
  const text = `Expected only ${known.join(', ')} for ${name} but received ${shortened(unknown)}: ${value}${hint}`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}

/**
 * As {@link checkKeys}, of options: what is undefined was left out, and a signal is one.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function checkOptions(options: unknown, known: readonly string[], name = 'options'): void {
  checkObject(options, 'an object', name);
  checkKeys(Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)), known, name);
  const { signal } = options as { readonly signal?: unknown };
  if (signal !== undefined && !isAbortSignal(signal)) throw expected('an AbortSignal', 'signal', signal);
}

/** Letters as they are compared: é may be one sign or two. */
const plain = (word: string): string =>
  word
    .normalize('NFC')
    .replaceAll(/[\s_-]/g, '')
    .toLowerCase();

/** Nobody writes a longer word by a slip, and to compare two takes a time that grows as the square of their letters. */
const LONGEST = 200;

/** The known word that a slip of a letter or two, or a word cut short, may have been meant for, as the end of a sentence; or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const said = plain(word);
  const candidates = known.map((name) => ({ name, said: plain(name) }));
  const whole =
    candidates.find((candidate) => candidate.said === said) ??
    candidates.find((candidate) => word.length > 3 && candidate.said.startsWith(said));
  if (whole !== undefined) return `; did you mean ${shortened(whole.name)}?`;
  if (said.length > LONGEST) return '';
  const most = Math.min(Math.max(1, Math.floor(word.length / 3)), said.length - 1);
  const [nearest] = candidates
    .filter((candidate) => Math.abs(candidate.said.length - said.length) <= most)
    .map((candidate) => ({ name: candidate.name, away: editDistance(said, candidate.said) }))
    .toSorted((one, other) => one.away - other.away);
  return nearest !== undefined && nearest.away <= most ? `; did you mean ${shortened(nearest.name)}?` : '';
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other. */
function editDistance(from: string, to: string): number {
  let before: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row.push(
        Math.min(
          (last[j] ?? 0) + 1,
          (row[j - 1] ?? 0) + 1,
          (last[j - 1] ?? 0) + same,
          swapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    [before, last] = [last, row];
  }
  return last[to.length] ?? 0;
}

/** The first that stands in a list for the second time. */
export function repeated<T>(list: readonly T[]): T | undefined {
  const seen = new Set<T>();
  return list.find((item) => seen.size === seen.add(item).size);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE where `value` is not a finite number above 0 */
export const positive = (value: unknown, name: string): number => atLeast(value, Number.MIN_VALUE, name);

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE where `value` is not in [0, 1) */
export function fraction(value: unknown, name: string): number {
  if (typeof value !== 'number') throw expected('a number', name, value);
  if (!(value >= 0 && value < 1)) throw expected('a number from 0 to below 1', name, value, 'ERR_DLADMM_RANGE');
  return value;
}
