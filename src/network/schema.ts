/**
 * Options as they are declared: once. What they accept, their checks, their defaults, the flags of the command line and
 * the tables of the documentation follow from the declaration, and so do their types.
 */
import { isAbortSignal } from '../core/abort.js';
import {
  atLeast,
  flag as checkFlag,
  checkKeys,
  checkObject,
  whole as checkWhole,
  fraction,
  oneOf,
} from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import type { Dtype } from '../core/native.js';
import { isRevoked, present } from '../core/objects.js';
import type { Network } from './network.js';

/** What other options have decided before one is read. */
export interface About {
  readonly network: Network;
  readonly dtype: Dtype;
}

/** Where nothing has been decided. */
export const NOTHING = { network: { layers: [0, 0] } } as unknown as About;

export interface Told {
  /** One sentence. */
  readonly says: string;
  /** What the paper calls it. */
  readonly symbol?: string;
  /** The equation it stands in. */
  readonly equation?: string;
  readonly unit?: string;
  /** The flag of the command line, where it is not the name, and another name of it. */
  readonly flag?: string;
  readonly also?: string;
  /** What other libraries call it, in small letters, with blanks between. */
  readonly elsewhere?: string;
  /** What helps whoever gives another value, as the end of the error. */
  readonly help?: string;
}

/** What stands where nobody gives an option: a value, a rule told in words, or (words alone) nothing. */
export type Otherwise<In> =
  | { readonly default: In; readonly otherwise?: string }
  | { readonly derive: (about: About) => In; readonly otherwise: string }
  | { readonly otherwise: string }
  | { readonly required: true };

export type Typed =
  | {
      readonly as:
        | 'number'
        | 'whole'
        | 'numbers'
        | 'flag'
        | 'layers'
        | 'hidden'
        | 'activation'
        | 'initialisation'
        | 'classWeights'
        | 'regulariser'
        | 'share'
        | 'seconds'
        | 'columns'
        | 'target'
        | 'pairs'
        | 'groups'
        | 'delimiter'
        | 'text'
        | 'file'
        | 'names';
    }
  | { readonly as: 'word'; readonly words: readonly string[] }
  | { readonly as: 'group'; readonly fields: Schema }
  | { readonly as: 'code' };

/** A type of values: what a caller may give, and what a solver works with. */
export interface ValueType<In, Out = In> {
  /** For readers. */
  readonly type: string;
  /** Default: not at all. */
  readonly typed?: Typed;
  /** @throws DlAdmmError */
  readonly check: (value: unknown, name: string, about: About) => Out;
  /** Of the types alone. @internal */
  readonly accepts?: In;
}

/** The type of values of which a question holds; `what` is what errors expect. */
export const valueType = <T>(
  type: string,
  is: (value: unknown) => boolean,
  what: string,
  typed?: Typed,
): ValueType<T> => ({
  type,
  ...(typed && { typed }),
  check: (value, name) => {
    if (is(value)) return value as T;
    throw expected(what, name, value);
  },
});

/** Whether an option must be given, has a default, or is absent where nobody gives it. */
export type Presence = 'required' | 'default' | 'optional';

/** A declared option; `Std` is what stands where nobody gives it. */
export interface Option<In, Out = In, P extends Presence = Presence, Std = In> extends Told {
  readonly presence: P;
  readonly type: string;
  readonly typed: Typed;
  /** What stands where nobody gives it, for readers. */
  readonly otherwise?: string;
  readonly default?: Std;
  /** Of the types alone. @internal */
  readonly accepts?: In;
  /**
   * The value checked and completed; what stands for it, where it is undefined.
   *
   * @throws DlAdmmError
   */
  readonly read: (value: unknown, name: string, about: About) => Out;
}

export type Schema = { readonly [name: string]: Option<unknown> };

type Flat<T> = { [K in keyof T]: T[K] };
type InOf<O> = O extends Option<infer In, unknown> ? In : never;
type RequiredIn<S> = { [K in keyof S]: S[K] extends { readonly presence: 'required' } ? K : never }[keyof S];

/** What a caller may give. Mapped over `keyof` alone, so that a property's comment (scripts/hover.mjs) comes along. */
export type OptionsOf<S extends Schema> = Flat<
  { readonly [K in keyof Pick<S, RequiredIn<S>>]: InOf<S[K]> } & {
    readonly [K in keyof Omit<S, RequiredIn<S>>]?: InOf<S[K]>;
  }
>;

export type Complete<S extends Schema> = {
  readonly [K in keyof S]: S[K] extends Option<infer _, infer Out> ? Out : never;
};

export type Declared<In> = Told & Otherwise<In>;

/** The option of a declaration: where nothing may stand for it, a solver has to expect that. */
export type OptionFor<In, Out, D> = D extends { readonly required: true }
  ? Option<In, Out, 'required'>
  : D extends { readonly default: infer Std }
    ? Option<In, Out, 'default', Std extends string ? Std : In>
    : Option<In, D extends { readonly derive: unknown } ? Out : Out | undefined, 'optional'>;

const TOLD = 'default otherwise derive required says symbol equation unit flag also elsewhere help'.split(' ');

/** Declares an option. @throws DlAdmmError ERR_DLADMM_ARGUMENT for what no declaration has */
export function option<In, Out, const D extends Declared<In>>(of: ValueType<In, Out>, told: D): OptionFor<In, Out, D> {
  checkObject(told, '{ default, says, … }', 'the declaration of an option');
  checkKeys(told, TOLD, 'the declaration of an option');
  const { type, typed = { as: 'code' }, check } = of;
  const { derive, required, ...declared } = told as D & {
    readonly derive?: (about: About) => In;
    readonly required?: true;
    readonly default?: In;
  };
  const presence: Presence = required ? 'required' : 'default' in declared ? 'default' : 'optional';
  const otherwise = 'otherwise' in told ? told.otherwise : textOf(declared.default);
  const read = (value: unknown, name: string, about: About): Out | undefined => {
    const chosen = value === undefined ? (derive?.(about) ?? declared.default) : value;
    try {
      if (isRevoked(chosen)) throw expected(type, name, chosen);
      return chosen === undefined && !required ? undefined : check(chosen, name, about);
    } catch (error) {
      if (!(error instanceof DlAdmmError) || /; did you mean /.test(error.message)) throw error;
      const help =
        value === 'auto' && otherwise !== undefined ? 'left out, it is found by itself (docs/options.md)' : told.help;
      throw help === undefined ? error : new DlAdmmError(error.code, `${error.message}; ${help}`);
    }
  };
  return {
    ...declared,
    presence,
    type,
    typed,
    ...(otherwise !== undefined && { otherwise }),
    read,
  } as unknown as OptionFor<In, Out, D>;
}

/** A value as readers are shown it. */
function textOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'function') return value.name;
  if (typeof value === 'number' && value > 0 && value < 1e-3) return value.toExponential();
  return typeof value === 'object' ? JSON.stringify(value).replaceAll('"', '') : String(value);
}

export type Range = 'positive' | 'fraction' | { readonly min: number };

const rangeText = (range: Range): string => {
  if (range === 'positive') return 'number > 0';
  return range === 'fraction' ? 'number in [0, 1)' : `number ≥ ${range.min}`;
};

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
function inRange(range: Range, value: unknown, name: string): number {
  if (range === 'fraction') return fraction(value, name);
  return atLeast(value, range === 'positive' ? Number.MIN_VALUE : range.min, name);
}

/** A finite number. */
export const number = <const D extends Declared<number>>(range: Range, told: D): OptionFor<number, number, D> =>
  option<number, number, D>(
    { type: rangeText(range), typed: { as: 'number' }, check: (value, name) => inRange(range, value, name) },
    told,
  );

/** A whole number. */
export const whole = <const D extends Declared<number>>(
  min: number,
  told: D,
  max = 1e9,
): OptionFor<number, number, D> =>
  option<number, number, D>(
    {
      type: `whole number ≥ ${min}`,
      typed: { as: 'whole' },
      check: (value, name) => checkWhole(value, min, max, name),
    },
    told,
  );

/** What randomness begins with where nobody says. */
export const SEED = 1;

/** What something drawn at random begins with. */
export const seedOption = (says: string) => whole(0, { default: SEED, says }, 2 ** 32 - 1);

/** What ends something early. */
export const signalOption = (says: string) =>
  option(valueType<AbortSignal>('AbortSignal', isAbortSignal, 'an AbortSignal'), { otherwise: 'none', says });

/** A function that is called on the way. */
export const callbackOption = <F extends (...args: never) => unknown>(type: string, says: string) =>
  option(
    valueType<F>(type, (value) => typeof value === 'function', 'a function'),
    { otherwise: 'none', says },
  );

/** True or false. */
export const flag = <const D extends Declared<boolean>>(told: D): OptionFor<boolean, boolean, D> =>
  option<boolean, boolean, D>({ type: 'boolean', typed: { as: 'flag' }, check: checkFlag }, told);

const quoted = (words: readonly string[]): string => words.map((each) => `'${each}'`).join(' | ');

/** One of some words. */
export const word = <const W extends string, const D extends Declared<NoInfer<W>>>(
  words: readonly W[],
  told: D,
): OptionFor<W, W, D> =>
  option<W, W, D>(
    { type: quoted(words), typed: { as: 'word', words }, check: (value, name) => oneOf(value, words, name) },
    told,
  );

/**
 * A number for every layer, of one for each or one for all.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, and what `check` throws
 */
export function byLayer(
  value: unknown,
  layers: number,
  name: string,
  check: (value: unknown, name: string) => number,
): readonly number[] {
  if (typeof value === 'number') return new Array<number>(layers).fill(check(value, name));
  if (!Array.isArray(value)) throw expected(`a number, or an array of ${layers}, one a layer,`, name, value);
  if (value.length !== layers) throw expected(`${layers} numbers, one a layer,`, name, value, 'ERR_DLADMM_SHAPE');
  return value.map((each: unknown, i) => check(each, `${name}[${i}]`));
}

/** One number for all layers, or one each. */
export type PerLayer = number | readonly number[];

/** One number for all layers, or one each; a solver gets one each. */
export const perLayer = <const D extends Declared<PerLayer>>(
  range: Range,
  told: D,
): OptionFor<PerLayer, readonly number[], D> =>
  option<PerLayer, readonly number[], D>(
    {
      type: `${rangeText(range)}, or one a layer`,
      typed: { as: 'numbers' },
      check: (value, name, { network }) =>
        byLayer(value, network.layers.length - 1, name, (each, called) => inRange(range, each, called)),
    },
    told,
  );

/** Options within an option. */
export const group = <S extends Schema, const D extends Declared<OptionsOf<S>>>(
  fields: S,
  told: D,
  check: (value: Complete<S>, name: string, about: About) => void = () => undefined,
): OptionFor<OptionsOf<S>, Complete<S>, D> =>
  option<OptionsOf<S>, Complete<S>, D>(
    {
      type: `{ ${Object.keys(fields).join(', ')} }`,
      typed: { as: 'group', fields },
      check: (given, name, about) => {
        const value = complete(fields, given, name, about);
        check(value, name, about);
        return value;
      },
    },
    told,
  );

/** Some kinds of one thing by name, each with settings of its own. */
export type Kinds = { readonly [kind: string]: Schema };

/** What a caller may give for one of some kinds: its name, or `{ kind, … }` with its settings. */
export type OneOfKinds<V extends Kinds> =
  | (keyof V & string)
  | { readonly [K in keyof V]: Flat<{ readonly kind: K } & OptionsOf<V[K]>> }[keyof V];

/** The kind chosen, with its settings. */
export type ChosenKind<V extends Kinds> = {
  readonly [K in keyof V]: Flat<{ readonly kind: K } & Complete<V[K]>>;
}[keyof V];

/** One of some kinds; `also` says what may be given beside, for readers. */
export const kindsOf = <V extends Kinds>(of: V, also = ''): ValueType<OneOfKinds<V>, ChosenKind<V>> => ({
  type: `${kindsText(of)}${also}`,
  typed: { as: 'word', words: Object.keys(of) },
  check: (value, name, about) => {
    const what = `${quoted(Object.keys(of))}${also}`.replaceAll(' |', ' or');
    const asked: unknown = typeof value === 'string' ? { kind: value } : value;
    checkObject(asked, what, name);
    const { kind, ...settings } = asked as { readonly kind?: unknown };
    const fields = typeof kind === 'string' && Object.hasOwn(of, kind) ? of[kind] : undefined;
    if (fields === undefined) throw expected(what, name, typeof value === 'string' ? value : kind);
    return { kind, ...complete(fields, settings, name, about) } as unknown as ChosenKind<V>;
  },
});

function kindsText(of: Kinds): string {
  const settings = Object.entries(of).filter(([, fields]) => Object.keys(fields).length > 0);
  return [
    quoted(Object.keys(of)),
    ...settings.map(([kind, fields]) => `{ ${[`kind: '${kind}'`, ...Object.keys(fields)].join(', ')} }`),
  ].join(' | ');
}

/**
 * The values of all options of a schema; there may be no others.
 *
 * @throws DlAdmmError
 */
function complete<S extends Schema>(schema: S, values: unknown, name: string, about: About): Complete<S> {
  const keys = Object.keys(schema);
  checkObject(values, `{ ${keys.join(', ')} }`, name);
  checkKeys(values, keys, name, (key) => calledHere(schema, key));
  return completed(schema, values, `${name}.`, about);
}

/** As {@link complete}, of values that may have others beside. */
export function completed<S extends Schema>(schema: S, values: object, prefix: string, about: About): Complete<S> {
  const given = values as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(schema).map(([key, each]) => [key, each.read(given[key], prefix + key, about)]),
  ) as Complete<S>;
}

/**
 * The options of a call, checked and completed: what is undefined was left out.
 *
 * @throws DlAdmmError
 */
export function readOptions<S extends Schema>(schema: S, options: unknown, name = 'options'): Complete<S> {
  checkObject(options, 'an object', name);
  checkKeys(present(options), Object.keys(schema), name, (key) => calledHere(schema, key));
  return completed(schema, options, '', NOTHING);
}

/** The option that other libraries call so. */
export function calledHere(schema: Schema, name: string): string | undefined {
  const plain = name.replaceAll(/[_-]/g, '').toLowerCase();
  return Object.keys(schema).find((key) => schema[key]?.elsewhere?.split(' ').includes(plain));
}

/** Those of some options that a schema declares, where they are given. */
export const pick = <S extends Schema, T extends object>(schema: S, options: T): Pick<T, keyof S & keyof T> =>
  Object.fromEntries(
    Object.entries(options).filter(([key, value]) => value !== undefined && Object.hasOwn(schema, key)),
  ) as Pick<T, keyof S & keyof T>;
