/** What a search draws the options of a training from. */
import { checkObject } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { isObject } from '../core/objects.js';
import { type Random, seededRandom } from '../core/random.js';
import type { Parameters } from '../network/parameters.js';
import type { AnyOptions } from './options.js';

/** How a value is drawn; plain data. */
export type Distribution<T> =
  | { readonly draw: 'choice'; readonly of: readonly T[] }
  | { readonly draw: 'uniform' | 'log-uniform' | 'integer'; readonly low: number; readonly high: number };

/** One of some values. */
export const choice = <const T>(of: readonly T[]): Distribution<T> => ({ draw: 'choice', of });
/** A number from `low` to `high`. */
export const uniform = (low: number, high: number): Distribution<number> => ({ draw: 'uniform', low, high });
/** The same, with a uniform logarithm: for learning rates and penalties. */
export const logUniform = (low: number, high: number): Distribution<number> => ({ draw: 'log-uniform', low, high });
/** A whole number from `low` to `high`, both included. */
export const integer = (low: number, high: number): Distribution<number> => ({ draw: 'integer', low, high });

/**
 * The options of a training, each as it is, or what it is drawn from. An array is a choice between its elements; of `hidden`, `target` and the
 * other options that are arrays themselves, an array of such arrays is.
 */
export type SearchSpace = {
  readonly [K in keyof AnyOptions]?: AnyOptions[K] | readonly AnyOptions[K][] | Distribution<AnyOptions[K]>;
};

const isDistribution = (value: unknown): value is Distribution<unknown> =>
  typeof value === 'object' && value !== null && 'draw' in value;

/** How many arrays deep the values of options are that are arrays themselves: of them one array is a value, and so it is of rows. */
const DEPTHS: Readonly<Record<string, number>> = {
  ...{ layers: 1, hidden: 1, columns: 1, ignore: 1, classes: 1, target: 1, sweep: 1, weights: 1 },
  ...{ pairs: 2, equal: 2 },
  ...{ validation: Number.POSITIVE_INFINITY, test: Number.POSITIVE_INFINITY },
} satisfies { readonly [K in keyof AnyOptions]?: number };

const isDeep = (value: unknown, depth: number): boolean =>
  depth === 0 || (Array.isArray(value) && value.every((each) => isDeep(each, depth - 1)));

const asDistribution = (name: string, value: unknown): Distribution<unknown> | undefined => {
  if (isDistribution(value)) return value;
  if (!Array.isArray(value)) return undefined;
  const { [name]: depth = 0 } = DEPTHS;
  if (depth > 0 && (value.length === 0 || !value.every((each) => isDeep(each, depth)))) return undefined;
  return choice(value);
};

export const varying = (space: SearchSpace): readonly string[] =>
  Object.entries(space).flatMap(([name, value]) => (asDistribution(name, value) ? [name] : []));

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkSpace(space: unknown): asserts space is SearchSpace {
  checkObject(space, 'an object of options', 'space');
  for (const [name, value] of Object.entries(space)) {
    const from = asDistribution(name, value);
    if (from && ['target', 'task', 'classes'].includes(name))
      throw expected(`one ${name} for all, as trials are compared by what they predict,`, `space.${name}`, value);
    if (from?.draw === 'choice') {
      if (!Array.isArray(from.of) || from.of.length === 0)
        throw expected('at least one value', `space.${name}`, from.of);
    } else if (from) {
      const { draw, low, high } = from;
      const right = ['uniform', 'log-uniform', 'integer'].includes(draw) && Number.isFinite(low) && low <= high;
      if (!right || !Number.isFinite(high))
        throw expected('choice, uniform, logUniform or integer with low ≤ high', `space.${name}`, value);
      if (draw === 'log-uniform' && low <= 0)
        throw expected('numbers above 0', `space.${name}`, low, 'ERR_DLADMM_RANGE');
      if (draw === 'integer' && !(Number.isInteger(low) && Number.isInteger(high))) {
        throw expected('whole numbers', `space.${name}`, Number.isInteger(low) ? high : low, 'ERR_DLADMM_RANGE');
      }
    }
  }
  if (varying(space).length > 0) return;
  const text =
    'Expected an option in space that varies, as an array of values or by choice, uniform, logUniform or integer, but received none';
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}

function drawn(from: Distribution<unknown>, random: Random): unknown {
  const share = random.uniform();
  if (from.draw === 'choice') return from.of[Math.floor(share * from.of.length)];
  const { draw, low, high } = from;
  if (draw === 'integer') return low + Math.floor(share * (high - low + 1));
  return draw === 'uniform' ? low + share * (high - low) : low * (high / low) ** share;
}

/** What JSON has nothing of, or of many things the same. */
export type Nameless = bigint | ((...args: never) => unknown) | Parameters;

const isNameless = (value: unknown): value is Nameless =>
  typeof value === 'bigint' ||
  typeof value === 'function' ||
  (isObject(value) && 'weights' in value && 'biases' in value);

/** JSON of options, in which `nameOf` stands in for functions, and for parameters and models. */
export const optionsJson = (value: unknown, nameOf: (value: Nameless) => unknown): string =>
  JSON.stringify(value, function (this: Readonly<Record<string, unknown>>, key, entry: unknown) {
    // As it is before its toJSON is asked.
    const { [key]: own } = this;
    return isNameless(own) ? nameOf(own) : entry;
  });

/** What is nameless is the same where it is the same thing. */
function byIdentity() {
  const met = new Map<Nameless, number>();
  return (value: Nameless) => {
    const { size } = met;
    if (!met.has(value)) met.set(value, size);
    return { met: met.get(value) };
  };
}

/** Draws that may be the same as one before, in a row, before the space is taken for exhausted. */
const TRIES = 1000;

/** Options after options, no two the same, decided by the seed alone; ends where there are no others. */
export function* drawnOptions(space: SearchSpace, seed: number): Generator<Readonly<Record<string, unknown>>> {
  const random = seededRandom(seed);
  const before = new Set<string>();
  const nameOf = byIdentity();
  for (let tries = 0; tries < TRIES; tries += 1) {
    const options = Object.fromEntries(
      Object.entries(space).map(([name, value]) => {
        const from = asDistribution(name, value);
        return [name, from ? drawn(from, random) : value];
      }),
    );
    const key = optionsJson(Object.fromEntries(varying(space).map((name) => [name, options[name]])), nameOf);
    if (before.has(key)) continue;
    before.add(key);
    tries = 0;
    yield options;
  }
}
