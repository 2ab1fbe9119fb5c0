/** The frame of every benchmark: options in, a table or one JSON object out, progress and errors on the standard error. */
import { parseArgs } from 'node:util';
import { DlAdmmError, type Dtype } from 'dladmm';
import { availableThreads, didYouMean } from './internals.js';
import { rounded } from './results.js';

/** An option: `dataDir` is `--data-dir`. What it reads is its value; without a fallback it may be left out. */
export interface Option<T> {
  /** What stands for the value in the help; a switch has none. */
  readonly value?: string;
  readonly fallback?: string;
  /** @throws DlAdmmError for a text that is no value */
  readonly read: (text: string, flag: string) => T;
  readonly about?: string;
}

type Options = Readonly<Record<string, Option<unknown>>>;
export type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never };

/** What a program found: an object for `--json`, and the same for a person. */
export interface Outcome {
  readonly result: unknown;
  readonly text: string;
  /** Exit status; 0 where none is given. */
  readonly code?: number;
}

export const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** For what a person asked that cannot be. */
export const refused = (what: string, flag: string, text: string, hint = ''): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_ARGUMENT', `Expected ${what} for ${flag} but received ${JSON.stringify(text)}${hint}`);

/** An option that takes a value. */
const option = <T>(value: string, fallback: string | undefined, read: Option<T>['read']): Option<T> => ({
  ...{ value, ...(fallback !== undefined && { fallback }), read },
});

export const text = (fallback: string): Option<string> => option('text', fallback, (given) => given);

/** A file or a folder. */
export const file: Option<string | undefined> = option('path', undefined, (given) => given);

/** Given or not. */
export const flag: Option<boolean> = { read: (given) => given === 'true' };

/** A whole number from 1 (or `low`) to `high`. */
export function count(fallback: number, low?: number, high?: number): Option<number>;
export function count(fallback?: number, low?: number, high?: number): Option<number | undefined>;
export function count(fallback?: number, low = 1, high = 1e10 - 1): Option<number | undefined> {
  const what = low === 1 && high === 1e10 - 1 ? 'a positive whole number' : `a whole number from ${low} to ${high}`;
  return option('n', fallback?.toString(), (given, name) => {
    const value = /^\d{1,10}$/.test(given) ? Number(given) : Number.NaN;
    if (value >= low && value <= high) return value;
    throw refused(what, name, given);
  });
}

/** Positive whole numbers such as `1,3`. */
export const counts = (fallback: string): Option<readonly number[]> => listed(fallback, ',', 'numbers');

/** Widths such as `784-1000-10`. */
export const layers = (fallback: string): Option<readonly number[]> => listed(fallback, '-', 'widths');

const listed = (fallback: string, separator: string, value: string): Option<readonly number[]> =>
  option(value, fallback, (given, name) => given.split(separator).map((each) => count(1).read(each, name)));

export const real = (fallback: number): Option<number> =>
  option('x', String(fallback), (given, name) => {
    if (given.trim() !== '' && Number.isFinite(Number(given))) return Number(given);
    throw refused('a number', name, given);
  });

/** One of a few names. */
export const choice = <const T extends string>(known: readonly T[], fallback: NoInfer<T>): Option<T> =>
  option(known.join('|'), fallback, (given, name) => oneOf(known, given, name, 'one of'));

/** Some of a few names, such as `x2,uv`, each once and in the order given; all of them where none is named. */
export const some = <T extends string>(known: readonly T[], fallback?: string): Option<readonly T[]> =>
  option('names', fallback ?? known.join(), (given, name) => chosen(given, known, name));

/** The names in a list, each once. @throws DlAdmmError ERR_DLADMM_ARGUMENT for one that is not known */
export const chosen = <T extends string>(list: string, known: readonly T[], name: string): readonly T[] => [
  ...new Set(list.split(',').map((each) => oneOf(known, each.trim(), name, 'some of'))),
];

function oneOf<T extends string>(known: readonly T[], given: string, name: string, what: string): T {
  const found = known.find((each) => each === given);
  if (found === undefined) throw refused(`${what} ${known.join(', ')}`, name, given, didYouMean(given, known));
  return found;
}

/** The same option where nothing need be given. */
export const maybe = <T>({ fallback: _, ...option }: Option<T>): Option<T | undefined> => option;

export const told = <T>(option: Option<T>, about: string): Option<T> => ({ ...option, about });

/** Options that many programs share. */
export const THREADS: Option<number> = count(availableThreads());
export const DTYPE: Option<Dtype> = choice(['float32', 'float64'], 'float32');
/** Those of a program that trains on a data set and keeps what it found. */
export const STUDY = { threads: THREADS, dataDir: file, out: file };

const flagOf = (key: string): string => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The values of the options as the command line gives them. @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function valuesOf<O extends Options>(
  options: O,
  args: readonly string[],
  allowPositionals = false,
): { readonly values: Values<O>; readonly positionals: readonly string[] } {
  const names = Object.keys(options).map((key) => [key, flagOf(key).slice(2)] as const);
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals,
    options: Object.fromEntries(
      names.map(([key, name]) => [name, { type: options[key]?.value === undefined ? 'boolean' : 'string' }] as const),
    ),
  });
  const read = ([key, name]: readonly [string, string]): readonly [string, unknown] => {
    const { value, fallback, read: reader } = options[key] as Option<unknown>;
    const given = values[name] ?? fallback;
    if (value === undefined) return [key, given === true];
    return [key, given === undefined ? undefined : reader(String(given), `--${name}`)];
  };
  return { values: Object.fromEntries(names.map(read)) as Values<O>, positionals };
}

function helpOf(options: Options): string {
  const lines = Object.entries(options).map(([key, { value, fallback, about }]) => {
    const head = `  ${flagOf(key)}${value === undefined ? '' : ` <${value}>`}`;
    const tail = [about, fallback === undefined ? undefined : `default: ${fallback}`].filter((part) => part);
    return tail.length === 0 ? head : `${head.padEnd(30)} ${tail.join('; ')}`;
  });
  return ['Options:', ...lines, '  --help'].join('\n');
}

interface Frame {
  /** Put before an error. */
  readonly name?: string;
  /** Whether there may be arguments that belong to no option. */
  readonly positionals?: boolean;
  /** The exit status where the work fails; any error is then told in a line. */
  readonly failure?: number;
}

/**
 * Runs a benchmark: reads its options, and prints what it found, as a table or with `--json` as one line. Ends with 2 where
 * an option was refused, with 1 where something else of ours went wrong, in one line each.
 */
export async function program<O extends Options>(
  options: O,
  main: (
    values: Values<O & { readonly json: Option<boolean> }>,
    positionals: readonly string[],
  ) => Promise<Outcome | undefined>,
  { name = '', positionals: allowed = false, failure }: Frame = {},
): Promise<void> {
  const all = { ...options, json: told(flag, 'one JSON object in place of the table') };
  const args = process.argv.slice(2);
  if (args.includes('--help')) return console.log(helpOf(all));
  let stage = 2;
  try {
    const { values, positionals } = valuesOf(all, args, allowed);
    stage = failure ?? 1;
    const outcome = await main(values, positionals);
    if (outcome === undefined) return;
    console.log(values.json ? JSON.stringify(rounded(outcome.result)) : outcome.text);
    process.exitCode = outcome.code ?? 0;
  } catch (error) {
    if (!(error instanceof Error && (isOurs(error) || failure !== undefined))) throw error;
    say(`${name}${error.message.split('\n')[0]}`);
    process.exitCode = stage;
  }
}

/** An error of the package, or one of `parseArgs`. */
const isOurs = (error: Error): boolean =>
  error instanceof DlAdmmError || ('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
