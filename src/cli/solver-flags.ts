/** The options of all solvers as flags of the command line, derived from their declarations. */
import { type Command, Option as Flag, InvalidArgumentError } from 'commander';
import type { AnySolver } from '../solvers/shared/descriptor.js';
import { schemaOf } from '../solvers/shared/descriptor.js';
import type { Option, Schema, Typed } from '../solvers/shared/schema.js';
import * as parse from './arguments.js';

/** Options that the command line has other ways to say, or that the data decide. */
const ELSEWHERE = ['classes', 'signal', 'onIteration', 'standardise', 'checkpoint', 'earlyStopping'];

/** An option somewhere among those of some solvers. */
interface Place {
  /** Where it stands: ['step', 'W']. */
  readonly path: readonly string[];
  readonly long: string;
  readonly declared: readonly { readonly solver: string; readonly option: Option<unknown> }[];
}

const kebab = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();

/** The name that a flag's value has among those of Commander. */
const attribute = (long: string): string => new Flag(`--${long}`).attributeName();

function* placesIn(
  schema: Schema,
  path: readonly string[],
): Generator<{ readonly path: readonly string[]; readonly option: Option<unknown> }> {
  for (const [name, option] of Object.entries(schema)) {
    const here = [...path, name];
    if (option.typed.as === 'group') yield* placesIn(option.typed.fields, here);
    else if (option.typed.as !== 'code') yield { path: here, option };
  }
}

/** Every option that can be typed, once, with the solvers that have it. */
export function placesOf(solvers: readonly AnySolver[]): readonly Place[] {
  const places = new Map<string, Place>();
  for (const solver of solvers) {
    const fields = Object.fromEntries(Object.entries(schemaOf(solver)).filter(([name]) => !ELSEWHERE.includes(name)));
    const name = solver.splitting.data === 'graph' ? `${solver.name} on a graph` : solver.name;
    for (const { path, option } of placesIn(fields, [])) {
      const long = option.flag ?? path.map(kebab).join('-');
      const before = places.get(long)?.declared ?? [];
      places.set(long, { path, long, declared: [...before, { solver: name, option }] });
    }
  }
  return [...places.values()];
}

/** Some of the solvers in few words. */
function together<T>(entries: readonly { readonly solver: string; readonly said: T }[]): readonly [T, string][] {
  const bySaying = new Map<T, string[]>();
  for (const { solver, said } of entries) bySaying.set(said, [...(bySaying.get(said) ?? []), solver]);
  return [...bySaying].map(([said, names]) => [said, names.join(', ')]);
}

/** What help says of an option: a sentence and a default, and which solvers have other ones. */
function descriptionOf({ declared }: Place, everywhere: boolean): string {
  const sayings = together(declared.map(({ solver, option }) => ({ solver, said: option.says.replace(/\.$/, '') })));
  const text = sayings.map(([said, names], i) => (everywhere && i === 0 ? said : `${names}: ${said}`)).join('; ');
  const defaults = together(declared.map(({ solver, option }) => ({ solver, said: option.otherwise }))).filter(
    ([said]) => said !== undefined,
  );
  const stands = defaults.map(([said, names], i) => (i === 0 ? said : `${names} ${said}`)).join('; ');
  return stands === '' ? text : `${text} (default: ${stands})`;
}

const PARSERS: { readonly [K in Exclude<Typed['as'], 'word' | 'flag' | 'group' | 'code'>]: (text: string) => unknown } =
  {
    number: parse.parseNumber,
    whole: parse.parseWhole,
    numbers: parse.parseNumbers,
    layers: parse.parseLayers,
    activation: parse.parseActivation,
    initialisation: parse.parseInitialisation,
  };

const PLACEHOLDERS: { readonly [K in keyof typeof PARSERS]: string } = {
  number: '<number>',
  whole: '<n>',
  numbers: '<number>',
  layers: '<widths>',
  activation: '<name>',
  initialisation: '<how>',
};

/** The flags of an option: two where it can be told to be true and to be false. */
function flagsOf(place: Place, everywhere: boolean): readonly Flag[] {
  const { long, declared } = place;
  const description = descriptionOf(place, everywhere);
  const typed = declared.map(({ option }) => option.typed);
  if (typed.some(({ as }) => as === 'flag')) {
    const standing = new Set(declared.map(({ option }) => option.default));
    return [
      ...(standing.has(false) ? [new Flag(`--${long}`, description)] : []),
      ...(standing.has(true) ? [new Flag(`--no-${long}`, standing.has(false) ? 'not so' : `not: ${description}`)] : []),
    ];
  }
  const words = [...new Set(typed.flatMap((each) => (each.as === 'word' ? each.words : [])))];
  if (words.length > 0) return [new Flag(`--${long} <word>`, description).choices(words)];
  // One number for all where another solver takes one a layer is one number too.
  const as = (typed.find((each) => each.as === 'numbers') ?? typed[0])?.as as keyof typeof PARSERS;
  return [new Flag(`--${long} ${PLACEHOLDERS[as]}`, description).argParser(PARSERS[as])];
}

/**
 * Gives a command the flags of all options of some solvers: those that all have under `Training`, the others under the
 * name of the first that has them.
 */
export function withSolverFlags(command: Command, solvers: readonly AnySolver[]): Command {
  const places = placesOf(solvers);
  const isCommon = ({ declared }: Place): boolean => declared.length === solvers.length;
  const add = (place: Place): void => {
    for (const flag of flagsOf(place, isCommon(place))) command.addOption(flag);
  };
  command.optionsGroup('Training:');
  for (const place of places.filter(isCommon)) add(place);
  for (const { name } of solvers.filter(({ splitting }) => splitting.data === 'samples')) {
    command.optionsGroup(`${name}:`);
    for (const place of places.filter((each) => !isCommon(each) && each.declared[0]?.solver === name)) add(place);
  }
  command.optionsGroup('On a graph:');
  for (const place of places.filter((each) => !isCommon(each) && / on a graph$/.test(each.declared[0]?.solver ?? ''))) {
    add(place);
  }
  return command;
}

/** The options that were typed, as a training takes them. */
export function typedOptions(
  values: Readonly<Record<string, unknown>>,
  solvers: readonly AnySolver[],
): Readonly<Record<string, unknown>> {
  const options: Record<string, unknown> = {};
  for (const { path, long } of placesOf(solvers)) {
    const value = values[attribute(long)];
    if (value === undefined) continue;
    const [outer = '', inner] = path;
    options[outer] = inner === undefined ? value : { ...(options[outer] as object | undefined), [inner]: value };
  }
  return options;
}

/** The parser of `--solver`: a name, or the file of a solver of one's own, which has been read. */
export const parseSolver =
  (solvers: readonly AnySolver[]) =>
  (text: string): string => {
    if (isSolverFile(text) || solvers.some(({ name }) => name === text)) return text;
    const names = [...new Set(solvers.map(({ name }) => name))];
    throw new InvalidArgumentError(`Allowed choices are ${names.join(', ')}, or a file such as ./my-solver.mjs.`);
  };

/** Whether `--solver` names a file. */
export const isSolverFile = (text: string): boolean => /[./\\]/.test(text);
