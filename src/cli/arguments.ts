import { InvalidArgumentError } from 'commander';
import { type Initialisation, SCHEMES } from '../network/initialisation.js';
import { ACTIVATION_NAMES, type Activation } from '../network/network.js';
import type { ClassWeights } from '../samples/weights.js';

/** Texts of the command line as values. What is not of the right form is a usage error; ranges are the library's. */

const FORM = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

export function parseNumber(text: string): number {
  const value = FORM.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
}

/** One number, or several with commas between them. */
export function parseNumbers(text: string): number | readonly number[] {
  const numbers = text.split(',').map(parseNumber);
  return numbers.length === 1 ? (numbers[0] as number) : numbers;
}

export function parseWhole(text: string): number {
  const value = parseNumber(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('Expected a whole number.');
  return value;
}

export function parseCount(text: string): number {
  const value = parseWhole(text);
  if (value < 1) throw new InvalidArgumentError('Expected a whole number of at least 1.');
  return value;
}

export function parseSeconds(text: string): number {
  const value = parseNumber(text);
  if (!(value > 0)) throw new InvalidArgumentError('Expected a positive number of seconds.');
  return value;
}

/** A share of all samples; `0` only where there may be none. */
export const parseShare =
  (mayBeZero: boolean) =>
  (text: string): number => {
    const value = parseNumber(text);
    if (value > 0 && value < 1) return value;
    if (mayBeZero && value === 0) return value;
    throw new InvalidArgumentError(`Expected a number between 0 and 1${mayBeZero ? ', or 0 for none' : ''}.`);
  };

export function parseLayers(text: string): readonly number[] {
  if (!/^\d+(-\d+)+$/.test(text)) {
    throw new InvalidArgumentError('Expected widths with hyphens between them, inputs first: 784-256-10.');
  }
  return text.split('-').map(Number);
}

/** Widths of hidden layers; `none` is a linear model. */
export function parseHidden(text: string): readonly number[] {
  if (text === 'none') return [];
  if (!/^\d+([-,]\d+)*$/.test(text)) {
    throw new InvalidArgumentError('Expected widths with hyphens between them, such as 100-100, or none.');
  }
  return text.split(/[-,]/).map(Number);
}

export function parseActivation(text: string): Activation {
  const named = ACTIVATION_NAMES.find((name) => name === text);
  if (named) return named;
  const [, name, number] = /^(leaky-relu|elu):(.+)$/.exec(text) ?? [];
  if (number === undefined)
    throw new InvalidArgumentError(`Expected ${ACTIVATION_NAMES.join(', ')}, leaky-relu:SLOPE or elu:ALPHA.`);
  return name === 'elu' ? { elu: parseNumber(number) } : { leakyRelu: parseNumber(number) };
}

export function parseInitialisation(text: string): Initialisation {
  if (text === 'he' || text === 'glorot') return text;
  const [, name, size = ''] = /^([a-z]+):(.+)$/.exec(text) ?? [];
  if (name === 'gaussian') return { gaussian: parseNumber(size) };
  const scheme = SCHEMES.find((known) => known === name);
  if (scheme === undefined)
    throw new InvalidArgumentError(`Expected he, glorot, gaussian:SD, or ${SCHEMES.join(', ')} with :GAIN.`);
  return { scheme, gain: parseNumber(size) };
}

/** `balanced`, or NAME=WEIGHT with commas between them. */
export function parseClassWeights(text: string): ClassWeights {
  if (text === 'balanced') return text;
  const pairs = text.split(',').map((pair): [string, number] => {
    const [, name = '', weight = ''] = /^(.+)=([^=]+)$/.exec(pair.trim()) ?? [];
    if (name === '') throw new InvalidArgumentError('Expected balanced, or NAME=WEIGHT with commas between them.');
    return [name, parseNumber(weight)];
  });
  return Object.fromEntries(pairs);
}

/** Groups of places from 0: `0+1/2+3`. */
const parsePlaces = (text: string): readonly (readonly number[])[] =>
  text.split('/').map((group) => group.split('+').map((place) => parseNumber(place.trim())));

/** TERM=NUMBER with commas between them, layers with semicolons: `l1=1e-4,min=0;l1=0`; a term alone is true, `equal=0+1/2+3` has groups of inputs. */
export function parseRegulariser(text: string): object {
  const layers = text.split(';').map((layer) => {
    const terms = layer.split(',').filter((term) => term.trim() !== '');
    return Object.fromEntries(
      terms.map((term) => {
        const [, name, value] = /^\s*([a-z][a-z0-9-]*)\s*(?:=(.*))?$/i.exec(term) ?? [];
        if (name === undefined) throw new InvalidArgumentError('Expected terms such as l1=1e-4,min=0.');
        const key = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
        if (key === 'equal') return [key, parsePlaces(value ?? '')];
        return [key, value === undefined ? true : parseNumber(value.trim())];
      }),
    );
  });
  return layers.length === 1 ? (layers[0] as object) : layers;
}

/** A column of a table: its name, or its place from #1, or from #-1 counted from the end. */
function parseColumn(text: string): string | number {
  const [, place] = /^#(-?\d+)$/.exec(text) ?? [];
  if (place === undefined) return text;
  if (Number(place) === 0)
    throw new InvalidArgumentError('Expected a place from #1, or from #-1 counted from the end.');
  return Number(place) > 0 ? Number(place) - 1 : Number(place);
}

/** Columns with commas between them, behind those `before`; a name with a comma in it stands in quotation marks, as in CSV. */
export function parseColumns(text: string, before: readonly (string | number)[] = []): readonly (string | number)[] {
  const names = text.match(/"(?:[^"]|"")*"|[^,]+/g) ?? [];
  const columns = names.map((name) =>
    name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : parseColumn(name.trim()),
  );
  if (columns.length === 0 || columns.includes(''))
    throw new InvalidArgumentError('Expected columns with commas between them.');
  return [...before, ...columns];
}

/** Two columns with a comma between them, behind those pairs `before`. */
export function parsePairs(
  text: string,
  before: readonly (readonly (string | number)[])[] = [],
): readonly (readonly (string | number)[])[] {
  const pair = parseColumns(text);
  if (pair.length !== 2) throw new InvalidArgumentError('Expected two columns with a comma between them: city,plan.');
  return [...before, pair];
}

/** A column, or several with commas between them. */
export function parseTarget(text: string): string | number | readonly (string | number)[] {
  if (!text.includes(',')) return parseColumn(text);
  const columns = parseColumns(text);
  return columns.length === 1 ? (columns[0] as string | number) : columns;
}

export const parseDelimiter = (text: string): string => (/^(?:tab|\\t)$/i.test(text) ? '\t' : text);

/** The kinds of file that predictions can be written to, by the end of the name; `-` is the standard output. */
export function parseOutput(text: string): string {
  if (text === '-' || /\.(csv|npy)$/i.test(text)) return text;
  throw new InvalidArgumentError('Expected a name that ends in .csv or .npy, or - for the standard output.');
}

export function parseNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === '')) throw new InvalidArgumentError('Expected names with commas between them.');
  return names;
}

/** Names of columns with commas between them, behind those groups `before`. */
export function parseGroups(text: string, before: readonly (readonly string[])[] = []): readonly (readonly string[])[] {
  const group = parseColumns(text).map((column) => {
    if (typeof column === 'string') return column;
    throw new InvalidArgumentError('Expected names of columns with commas between them: left,right.');
  });
  if (group.length < 2)
    throw new InvalidArgumentError('Expected two columns at least, with commas between them: left,right.');
  return [...before, group];
}
