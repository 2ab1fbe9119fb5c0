/** Options as flags of the command line, derived from their declarations. */
import { type Command, Option as Flag, InvalidArgumentError } from 'commander';
import { DlAdmmError } from '../core/errors.js';
import type { Option, Schema, Typed } from '../network/schema.js';
import type { AnySolver } from '../solvers/shared/descriptor.js';
import { schemaOf } from '../solvers/shared/descriptor.js';
import { COMMON } from '../solvers/shared/options.js';
import * as parse from './arguments.js';

interface Declared {
  /** Whose option it is; nothing of those that have nothing to do with a solver. */
  readonly solver?: AnySolver;
  readonly option: Option<unknown>;
}

/** An option somewhere among those of some solvers. */
interface Place {
  /** Where it stands: ['step', 'W']. */
  readonly path: readonly string[];
  readonly long: string;
  readonly declared: readonly [Declared, ...Declared[]];
}

const longOf = (path: readonly string[], { flag }: Option<unknown>): string => flag ?? path.map(kebab).join('-');

export const kebab = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();

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

/**
 * Every option that can be typed, once, with the solvers that have it.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT for two options of one flag
 */
export function placesOf(solvers: readonly AnySolver[]): readonly Place[] {
  const places = new Map<string, Place>();
  for (const solver of solvers) {
    for (const { path, option } of placesIn(schemaOf(solver), [])) {
      const long = longOf(path, option);
      const here = { solver, option };
      const before = places.get(long);
      if (before !== undefined && before.path.join('.') !== path.join('.')) {
        const text = `Expected a flag of its own for the option ${path.join('.')} of ${solver.name} but received --${long}, that of ${before.path.join('.')}`;
        throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `${text}; flag: '…' in its declaration gives it another`);
      }
      places.set(long, { path, long, declared: before ? [...before.declared, here] : [here] });
    }
  }
  return [...places.values()];
}

const onGraph = ({ splitting }: AnySolver): boolean => splitting.data === 'graph';

/** Some solvers in few words: those on graphs are left out where the same is said of the solver on samples. */
function namesOf(solvers: readonly AnySolver[]): string {
  const names = solvers.filter((solver) => !onGraph(solver)).map(({ name }) => name);
  const rest = solvers.filter((solver) => onGraph(solver) && !names.includes(solver.name));
  const graphs = rest.length > 2 ? ['graphs'] : rest.map(({ name }) => `${name} on graphs`);
  return [...names, ...graphs].join(', ');
}

/** What help says of an option: a sentence, who takes it unless all do, and what stands where nobody gives it. */
function descriptionOf({ declared }: Place, everywhere: boolean): string {
  const says = declared[0].option.says.replace(/\.$/, '');
  const standing = new Map<string, AnySolver[]>();
  for (const { solver, option } of declared) {
    if (option.otherwise === undefined || option.otherwise === 'none') continue;
    standing.set(option.otherwise, [...(standing.get(option.otherwise) ?? []), ...(solver ? [solver] : [])]);
  }
  const defaults = [...standing].map(([value, solvers], i) => (i === 0 ? value : `${namesOf(solvers)} ${value}`));
  return [
    everywhere ? says : `${namesOf(declared.flatMap(({ solver }) => solver ?? []))}: ${says}`,
    ...(defaults.length === 0 ? [] : [`(default: ${defaults.join('; ')})`]),
  ].join(' ');
}

/** What stands for a value in help, and what makes a value of a text. */
const FORMS = {
  number: ['<number>', parse.parseNumber],
  whole: ['<n>', parse.parseWhole],
  numbers: ['<number>', parse.parseNumbers],
  seconds: ['<seconds>', parse.parseSeconds],
  share: ['<share>', parse.parseShare(true)],
  layers: ['<widths>', parse.parseLayers],
  hidden: ['<widths>', parse.parseHidden],
  activation: ['<name>', parse.parseActivation],
  initialisation: ['<how>', parse.parseInitialisation],
  classWeights: ['<how>', parse.parseClassWeights],
  regulariser: ['<terms>', parse.parseRegulariser],
  columns: ['<columns>', parse.parseColumns],
  target: ['<columns>', parse.parseTarget],
  pairs: ['<columns>', parse.parsePairs],
  groups: ['<columns>', parse.parseGroups],
  delimiter: ['<text>', parse.parseDelimiter],
  text: ['<name>', String],
  file: ['<file>', String],
  names: ['<names>', parse.parseNames],
} as const satisfies {
  readonly [K in Exclude<Typed['as'], 'word' | 'flag' | 'group' | 'code'>]: readonly [
    string,
    (text: string, before?: never) => unknown,
  ];
};

/** The flags of an option: two where it can be told to be true and to be false. */
function flagsOf(place: Place, everywhere: boolean): readonly Flag[] {
  const { long, declared } = place;
  const { also } = declared[0].option;
  const named = (prefix: string): string => [also, long].flatMap((name) => (name ? prefix + name : [])).join(', ');
  const description = descriptionOf(place, everywhere);
  const typed = declared.map(({ option }) => option.typed);
  if (typed.some(({ as }) => as === 'flag')) {
    // Where what stands is a rule, either can be told.
    const can = (value: boolean): boolean =>
      declared.some(({ option }) => option.default === !value || option.otherwise !== String(value));
    return [
      ...(can(true) ? [new Flag(named('--'), description)] : []),
      ...(can(false) ? [new Flag(named('--no-'), can(true) ? 'not so' : `not: ${description}`)] : []),
    ];
  }
  const words = [...new Set(typed.flatMap((each) => (each.as === 'word' ? each.words : [])))];
  if (typed.every(({ as }) => as === 'word')) return [new Flag(`${named('--')} <word>`, description).choices(words)];
  // One number for all where another solver takes one a layer is one number too.
  const as = (typed.find(({ as }) => as === 'numbers') ?? typed.find(({ as }) => as !== 'word'))
    ?.as as keyof typeof FORMS;
  const [placeholder, parser] = FORMS[as];
  return [
    new Flag(`${named('--')} ${placeholder}`, description).argParser(
      parser as (text: string, before: unknown) => unknown,
    ),
  ];
}

/** Gives a command the flags of some options. */
export function withOptions(command: Command, schema: Schema): Command {
  for (const { path, option } of placesIn(schema, [])) {
    const place = { path, long: longOf(path, option), declared: [{ option }] } as const;
    for (const each of flagsOf(place, true)) command.addOption(each);
  }
  return command;
}

/**
 * Gives a command the flags of all options of some solvers: those that are not a solver's own under `Training`, the others under the
 * name of the first that has them.
 */
export function withSolverFlags(command: Command, solvers: readonly AnySolver[], without: readonly string[]): Command {
  const places = placesOf(solvers).filter(({ path: [name = ''] }) => !without.includes(name));
  const isCommon = ({ path: [name = ''], declared }: Place): boolean =>
    Object.hasOwn(COMMON, name) || declared.length === solvers.length;
  const groups = new Map<string, Place[]>([['Training:', places.filter(isCommon)]]);
  for (const place of places.filter((each) => !isCommon(each))) {
    const { solver } = place.declared[0];
    const group = solver === undefined || onGraph(solver) ? 'On graphs:' : `${solver.name}:`;
    groups.set(group, [...(groups.get(group) ?? []), place]);
  }
  for (const [group, members] of groups) {
    command.optionsGroup(group);
    for (const place of members) for (const each of flagsOf(place, isCommon(place))) command.addOption(each);
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
    const names = ['auto', ...new Set(solvers.map(({ name }) => name))];
    if (isSolverFile(text) || names.includes(text)) return text;
    throw new InvalidArgumentError(`Allowed choices are ${names.join(', ')}, or a file such as ./my-solver.mjs.`);
  };

/** Whether `--solver` names a file. */
export const isSolverFile = (text: string): boolean => /[./\\]/.test(text);
