/** A solver as it is declared: once. The lists, the checks, the command line and the documentation follow from it. */
import { checkFunction, checkKeys, checkObject, whole as checkWhole, oneOf } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import { isObject, present } from '../../core/objects.js';
import type { GraphInitialisation } from '../../network/graph-initialisation.js';
import { type Initialisation, initialisationOf } from '../../network/initialisation.js';
import { lossParameters, powerOf } from '../../network/network.js';
import {
  type About,
  type Complete,
  completed,
  NOTHING,
  type Option,
  type OptionsOf,
  type Schema,
  whole,
} from '../../network/schema.js';
import { checkOptionKeys, solverMeant } from './hints.js';
import { COMMON, type CommonOptions, type CommonPlan } from './options.js';
import type { ProgressRecord } from './record.js';
import type { Courses, Traits } from './splitting.js';

type Problem = Traits['data'];
type Abilities = Traits['can'];

/** Where every plan begins. */
export interface Begun {
  readonly initialisation: Initialisation | GraphInitialisation;
}

/** What a solver is: what it works on, its options, and what they come to. */
export interface Solver<
  N extends string = string,
  S extends Schema = Schema,
  P = Begun,
  R extends ProgressRecord = ProgressRecord,
  D extends Problem = Problem,
  C extends Abilities = Abilities,
> {
  readonly name: N;
  /** What it is, in a line. */
  readonly title: string;
  /** Where it was published. */
  readonly source?: string;
  readonly splitting: Courses<P, R, { readonly data: D; readonly can: C }>;
  /** Iterations (sweeps, epochs) at most, where nobody says. */
  readonly iterations: number;
  /** Its own options, and common ones that are other here. */
  readonly options: S;
  /** What the options come to; nothing has been allocated yet. */
  plan(own: Complete<S>, common: CommonPlan<R>): P;
}

/** A solver of any kind. */
export type AnySolver = Solver<string, Schema, Begun, never, Problem, Abilities> | Solver;

/**
 * Declares a solver: give it to `fit` as `solver`, or export it as the default of a module for `dladmm train --solver`.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function defineSolver<
  const N extends string,
  S extends Schema,
  P extends Begun,
  R extends ProgressRecord,
  D extends Problem,
  const C extends Abilities,
>(solver: Solver<N, S, P, R, D, C>): Solver<N, S, P, R, D, C> {
  checkSolver(solver, 'the solver');
  return solver;
}

const SOLVER_KEYS = ['name', 'title', 'source', 'splitting', 'iterations', 'options', 'plan'];

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT unless it has the form of a solver */
export function checkSolver(solver: unknown, name: string): asserts solver is Solver {
  checkObject(solver, 'a solver (see defineSolver)', name);
  const { name: called, title, splitting, options, plan, iterations } = solver as Partial<Solver>;
  if (typeof called !== 'string' || !/^[a-z][a-z0-9-]*$/.test(called)) {
    throw expected('a name of lower-case letters, digits and hyphens', `${name}.name`, called);
  }
  checkKeys(solver, SOLVER_KEYS, name);
  if (typeof title !== 'string') throw expected('a text', `${name}.title`, title);
  checkSplitting(splitting, `${name}.splitting`);
  if (!isObject(options)) throw expected('a schema of options', `${name}.options`, options);
  for (const [key, each] of Object.entries(options)) {
    if (isObject(each) && typeof each.read === 'function') continue;
    throw expected('an option (number, flag … declare one)', `${name}.options.${key}`, each);
  }
  checkFunction(plan, `${name}.plan`);
  checkWhole(iterations, 1, 1e9, `${name}.iterations`);
}

function checkSplitting(splitting: unknown, name: string): void {
  checkObject(splitting, 'a splitting', name);
  const { data, can, course } = splitting as Partial<Solver['splitting']>;
  oneOf(data, ['samples', 'graph'], `${name}.data`);
  checkObject(can, 'an object', `${name}.can`);
  checkFunction(course, `${name}.course`);
}

/** What the plan of a solver of one's own answers with. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
function checkPlan(plan: unknown, { network, dtype }: About): void {
  if (!isObject(plan) || 'then' in plan) throw expected('an object', 'what plan returns', plan);
  const how = plan.initialisation as Initialisation;
  if (!isObject(how) || !('weights' in how)) initialisationOf(how, network, dtype);
}

type Cannot<D extends Problem, C extends Abilities> =
  | (C['checkpoint'] extends false ? 'checkpoint' : never)
  | (C['distributed'] extends true ? never : 'distributed')
  | (C['standardise'] extends false ? 'standardise' | 'standardiseTargets' : never)
  | (D extends 'graph' ? 'standardiseTargets' : never);

type Flat<T> = { [K in keyof T]: T[K] };

/** The limits of a training; a solver whose iterations are epochs takes the one word or the other. */
type Limits<C extends Abilities> = C['epochs'] extends true
  ? {
      /** Epochs at most. */
      readonly iterations?: number;
      /** The same as iterations, in the word of the field. */
      readonly epochs?: number;
    }
  : {
      /** Sweeps at most. */
      readonly iterations?: number;
    };

export type OwnOptions<T> =
  T extends Solver<infer _N, infer S, infer _P, infer R, infer D, infer C>
    ? Flat<Omit<CommonOptions<R>, keyof S | Cannot<D, C>> & Limits<C> & OptionsOf<S>>
    : never;

/** The options of a solver of the package, by its name. */
export type SolverOptions<T> = T extends { readonly name: infer N }
  ? Flat<(N extends 'dladmm' ? { readonly solver?: N } : { readonly solver: N }) & OwnOptions<T>>
  : never;

/** The record of an iteration of a solver. */
export type RecordOf<T> =
  T extends Solver<infer _N, infer _S, infer _P, infer R extends ProgressRecord, infer _D, infer _C> ? R : never;

/** All options of a solver but `solver`. */
export function schemaOf(solver: AnySolver): Schema {
  const { can, data } = solver.splitting;
  const { checkpoint, distributed, standardise, standardiseTargets, ...common } = COMMON;
  const limit = can.epochs ? 'Epochs' : 'Sweeps';
  return {
    ...common,
    ...(can.checkpoint && { checkpoint }),
    ...(can.distributed && { distributed }),
    ...(can.standardise && { standardise }),
    // Nodes of a graph have classes.
    ...(can.standardise && data !== 'graph' && { standardiseTargets }),
    iterations: whole(1, { default: solver.iterations, says: `${limit} at most.` }),
    ...(can.epochs && {
      epochs: whole(1, { otherwise: 'iterations', says: 'The same as iterations, in the word of the field.' }),
    }),
    ...solver.options,
  };
}

type Defaults<S> = {
  readonly [K in keyof S as S[K] extends { readonly presence: 'default' } ? K : never]: S[K] extends Option<infer In>
    ? In
    : never;
};

/** The defaults of a solver: of all options that have one whatever the others are. */
export function defaultsOf<
  N extends string,
  S extends Schema,
  P,
  R extends ProgressRecord,
  D extends Problem,
  C extends Abilities,
>(
  solver: Solver<N, S, P, R, D, C>,
): Flat<Omit<Defaults<typeof COMMON>, keyof S> & { readonly iterations: number } & Defaults<S>> {
  const entries = Object.entries(schemaOf(solver as unknown as AnySolver));
  return Object.fromEntries(
    entries.flatMap(([name, { default: value }]) => (value === undefined ? [] : [[name, value]])),
  ) as never;
}

export type SolverPlan<P, R extends ProgressRecord> = P & CommonPlan<R>;

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function completePlan<S extends Schema, P, R extends ProgressRecord>(
  solver: Pick<Solver<string, S, P, R, Problem, Abilities>, 'name' | 'splitting' | 'iterations' | 'options' | 'plan'>,
  options: object,
): SolverPlan<P, R> {
  checkObject(options, 'an object', 'options');
  const schema = schemaOf(solver as unknown as AnySolver);
  const { solver: _, ...given } = options as Readonly<Record<string, unknown>>;
  checkOptionKeys(given, Object.keys(schema), solver.name);
  const read = <T>(name: string, about: About): T =>
    (schema[name] as Option<unknown, T>).read(given[name], name, about);
  const loss = read<About['network']['loss']>('loss', NOTHING);
  const network = {
    layers: read<readonly number[]>('layers', NOTHING),
    activation: read<About['network']['activation']>('activation', NOTHING),
    loss,
    ...lossParameters(loss, given),
  };
  const about = { network, dtype: read<About['dtype']>('dtype', NOTHING) };
  const all = completed(schema, given, '', about) as Complete<typeof COMMON> & { iterations: number; epochs?: number };
  if (given.iterations !== undefined && given.epochs !== undefined) {
    throw expected('one of iterations and epochs, which are the same,', 'epochs', given.epochs);
  }
  const { earlyStopping, classes, classWeights, checkpoint, signal, onIteration, distributed = false } = all;
  const common: CommonPlan<R> = {
    ...about,
    threads: all.threads,
    seed: all.seed,
    iterations: all.epochs ?? all.iterations,
    evaluateEvery: all.evaluateEvery,
    trainMetrics: all.trainMetrics,
    distributed,
    standardise: all.standardise ?? false,
    standardiseTargets: (all.standardiseTargets ?? false) && powerOf(network.loss) !== undefined,
    ...present({ earlyStopping, classes, classWeights, checkpoint, signal }),
    ...(onIteration && { onIteration: onIteration as unknown as (record: R) => void }),
  };
  const own = Object.fromEntries(
    Object.keys(solver.options).map((name) => [name, (all as Readonly<Record<string, unknown>>)[name]]),
  );
  const plan = solver.plan(own as Complete<S>, common);
  checkPlan(plan, about);
  return { ...common, ...plan };
}

/**
 * The solver that options name, dlADMM where they name none.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function chosenSolver(solver: unknown, known: readonly AnySolver[], data: Problem): AnySolver {
  const here = known.filter(({ splitting }) => splitting.data === data);
  if (typeof solver === 'object' && solver !== null) {
    checkSolver(solver, 'solver');
    if (solver.splitting.data === data) return ofOwnName(solver, here);
    const text = `Expected a solver for ${data === 'graph' ? 'a graph' : data} but ${solver.name} is none`;
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
  }
  const found = here.find(({ name }) => name === (solver ?? 'dladmm'));
  if (found !== undefined) return found;
  const names = here.map(({ name }) => name);
  const all = data === 'samples' ? ['auto', ...names] : names;
  const error = expected(all.map((name) => `'${name}'`).join(' or '), 'solver', solver);
  throw new DlAdmmError(error.code, error.message + (typeof solver === 'string' ? solverMeant(solver, names) : ''));
}

/** By its name a checkpoint would go on with the solver of the package. @throws DlAdmmError ERR_DLADMM_ARGUMENT */
function ofOwnName(solver: AnySolver, known: readonly AnySolver[]): AnySolver {
  const { name } = solver;
  if (name !== 'auto' && !known.some((each) => each.name === name && each !== solver)) return solver;
  throw expected('a name that no solver of the package has', 'solver.name', name);
}
