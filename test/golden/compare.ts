/**
 * Holds a replay against a golden case, within the limits that the case states under `tolerances` and, for single updates,
 * those of section 7 of the golden folder's README. Whatever is missing, NaN, of another shape or of an unknown form counts
 * as a miss: nothing is left out in silence.
 */
import type { GoldenCase, Matrix64, Recorded, Substep } from './case.js';

/** What a program under test recorded for a case. */
export interface Replay {
  /** The names and the nesting of the case's `records`; only those with a tolerance are needed. */
  readonly records: Readonly<Record<string, Recorded>>;
  /**
   * After the last iteration, in the order of the layers 1 … L: W_l is n_l x n_{l-1} (with the bias as a last column in
   * the inversion cases), b_l has n_l entries, z_l, a_l and u are samples x units.
   */
  readonly final: {
    readonly W: readonly Matrix64[];
    readonly b: readonly Float64Array[];
    readonly z?: readonly Matrix64[];
    readonly a?: readonly Matrix64[];
    readonly u?: Matrix64;
  };
  /** The updates of (at least) the iterations that the case has; compared if given. */
  readonly substeps?: readonly Omit<Substep, 'call'>[];
}

/** How far a quantity is off, in the unit of its tolerance; the miss is the first one that does not hold. */
export interface Quantity {
  readonly largestDeviation: number;
  readonly tolerance: number;
  /** The iteration of the largest deviation; `null` for what has none (final matrices). */
  readonly iteration: number | null;
  readonly holds: boolean;
  /** The iteration of the first miss, where there is one. */
  readonly firstMiss?: number;
  /** What is wrong where no deviation can be given, or which update is off. */
  readonly problem?: string;
}

export interface Comparison {
  readonly case: string;
  readonly holds: boolean;
  readonly quantities: Readonly<Record<string, Quantity>>;
}

/** The comparison of `replay` with `golden`. Pure, and never throws for what a replay may hold. */
export function compare(golden: GoldenCase, replay: Replay): Comparison {
  const found: [string, Quantity][] = [];
  for (const [form, limits] of Object.entries(golden.tolerances)) {
    const check = Object.hasOwn(FORMS, form) ? FORMS[form] : undefined;
    found.push(...(check === undefined ? [refused(form, 'unknown form of tolerance')] : check(limits, golden, replay)));
  }
  if (found.length === 0) found.push(refused('tolerances', 'the case states none'));
  if (replay.substeps !== undefined) found.push(...compareSubsteps(golden, replay.substeps));
  const quantities: Record<string, Quantity> = {};
  for (const [name, quantity] of found) {
    // A quantity under two forms keeps both results.
    const key = Object.hasOwn(quantities, name) ? `${name} (${Object.keys(quantities).length})` : name;
    quantities[key] = quantity;
  }
  return { case: golden.name, holds: found.every(([, { holds }]) => holds), quantities };
}

/** Frobenius norm, sum and first eight entries of a matrix as the golden files lay it out: one unit a row. */
export function summarise(matrix: Matrix64): Pick<Substep, 'fro' | 'sum' | 'first8'> {
  let squares = 0;
  let sum = 0;
  for (const value of matrix.data) {
    squares += value * value;
    sum += value;
  }
  return { fro: Math.sqrt(squares), sum, first8: [...matrix.data.subarray(0, 8)] };
}

type Found = [name: string, quantity: Quantity];
type Form = (limits: unknown, golden: GoldenCase, replay: Replay) => Found[];

/** One reference value with its iteration and the places within it (layer or call), and what the replay has there. */
interface Pair {
  readonly reference: number;
  readonly actual: number;
  readonly iteration: number;
  readonly place: readonly number[];
}

type Deviation = (pair: Pair) => number;

/** The forms of a tolerance, by the names that case.json gives them. */
const FORMS: Readonly<Record<string, Form>> = {
  exact: (names, golden, replay) =>
    Array.isArray(names)
      ? names.map((name) =>
          typeof name === 'string'
            ? worst(name, 0, golden, replay, ({ reference, actual }) => Math.abs(actual - reference))
            : refused('exact', 'expected names'),
        )
      : [refused('exact', 'expected a list of names')],

  relative: eachLimit('relative', (name, limit, golden, replay) =>
    worst(name, limit, golden, replay, ({ reference, actual }) => ratio(actual - reference, reference)),
  ),

  absolute: eachLimit('absolute', (name, limit, golden, replay) =>
    worst(name, limit, golden, replay, ({ reference, actual }) => Math.abs(actual - reference)),
  ),

  relative_to_largest_so_far: eachLimit('relative_to_largest_so_far', (name, limit, golden, replay) =>
    worst(name, limit, golden, replay, ({ reference, actual, iteration, place }) => {
      const earlier = Array.from({ length: iteration + 1 }, (_, i) => value(golden, name, [i, ...place]));
      return ratio(actual - reference, Math.max(...earlier.map(Math.abs)));
    }),
  ),

  // The value itself is bounded, it has no reference to be near to.
  of_max_1_and_last_V_fro: eachLimit('of_max_1_and_last_V_fro', (name, limit, golden, replay) =>
    worst(name, limit, golden, replay, ({ actual, iteration }) =>
      ratio(actual, Math.max(1, value(golden, 'V_fro', [iteration, golden.dims.length - 2]))),
    ),
  ),

  absolute_from_iteration: (limits, golden, replay) =>
    entriesOf('absolute_from_iteration', limits, (name, spec) => {
      const { limit, from, ...others } = isObject(spec) ? spec : {};
      if (!isLimit(limit) || !isLimit(from) || Object.keys(others).length > 0)
        return refused(name, 'expected { limit, from } in absolute_from_iteration');
      return worst(name, limit, golden, replay, ({ actual, iteration }) => (iteration < from ? 0 : Math.abs(actual)));
    }),

  root: (limits, golden, replay) => entriesOf('root', limits, (name, spec) => rootForm(name, spec, golden, replay)),

  final_frobenius: eachLimit('final_frobenius', finalForm),
};

/** |√x − √x_ref| as a share of what is allowed: relative · √x_ref + a share of the norm of z_l or a_l. */
function rootForm(name: string, spec: unknown, golden: GoldenCase, replay: Replay): Found {
  const limits = isObject(spec) ? spec : {};
  const shares = Object.keys(limits).filter((key) => key !== 'relative');
  if (!Object.values(limits).every(isLimit) || limits.relative === undefined || shares.length === 0)
    return refused(name, 'expected limits named relative and of_… in root');
  const layers = golden.dims.length - 1;
  const { relative, ...ofNorm } = limits as Record<string, number>;
  const floor = (iteration: number, layer: number): number => {
    const place = layer === layers - 1 ? 'output' : 'hidden';
    const applying = Object.entries(ofNorm).flatMap(([key, share]) => {
      const parts = /^of_(z_fro|a_fro)(?:_(hidden|output))?$/.exec(key);
      if (parts === null) return [Number.NaN];
      return parts[2] === undefined || parts[2] === place
        ? [share * value(golden, String(parts[1]), [iteration, layer])]
        : [];
    });
    return applying.length === 1 ? Number(applying[0]) : Number.NaN;
  };
  return worst(name, 1, golden, replay, ({ reference, actual, iteration, place }) => {
    const allowed = Number(relative) * Math.sqrt(reference) + floor(iteration, place[0] ?? Number.NaN);
    return ratio(Math.sqrt(actual) - Math.sqrt(reference), allowed);
  });
}

/** The largest relative Frobenius distance of the final matrices of a variable, for the layers that the folder has. */
function finalForm(variable: string, limit: number, golden: GoldenCase, { final }: Replay): Found {
  const name = `final ${variable}`;
  const ours: Partial<Record<string, readonly (Matrix64 | undefined)[]>> = {
    W: final.W,
    b: final.b.map((b) => ({ data: b, rows: b.length, columns: 1 })),
    z: final.z ?? [],
    a: final.a ?? [],
    u: [final.u],
  };
  const list = ours[variable];
  if (list === undefined) return refused(name, 'unknown variable in final_frobenius');
  const references = Object.entries(golden.final).filter(([key]) => new RegExp(`^${variable}\\d*$`).test(key));
  if (references.length === 0)
    return [name, { ...NOTHING, tolerance: limit, problem: 'not compared: the folder has no such matrix' }];
  let largest = 0;
  for (const [key, reference] of references) {
    const layer = key === variable ? 1 : Number(key.slice(variable.length));
    const actual = list[layer - 1];
    if (actual === undefined) return refused(name, `${key} is missing`);
    if (
      actual.rows !== reference.rows ||
      actual.columns !== reference.columns ||
      actual.data.length !== reference.data.length
    )
      return refused(
        name,
        `${key} is ${actual.rows} x ${actual.columns}, expected ${reference.rows} x ${reference.columns}`,
      );
    largest = upper(largest, ratio(distance(actual, reference), summarise(reference).fro));
  }
  return [name, { largestDeviation: largest, tolerance: limit, iteration: null, holds: largest <= limit }];
}

const NOTHING: Quantity = { largestDeviation: 0, tolerance: 0, iteration: null, holds: true };

function distance(A: Matrix64, B: Matrix64): number {
  let squares = 0;
  A.data.forEach((x, i) => {
    squares += (x - (B.data[i] ?? Number.NaN)) ** 2;
  });
  return Math.sqrt(squares);
}

/** Walks the record `name` of the case and of the replay together, and keeps the largest deviation. */
function worst(name: string, tolerance: number, golden: GoldenCase, replay: Replay, deviation: Deviation): Found {
  const reference = Object.hasOwn(golden.records, name) ? golden.records[name] : undefined;
  const actual = Object.hasOwn(replay.records, name) ? replay.records[name] : undefined;
  if (reference === undefined) return refused(name, 'the case has no such record');
  if (actual === undefined) return refused(name, 'missing in the replay');
  if (!Array.isArray(reference)) return refused(name, 'the case has no list by iteration');
  const pairs = paired(reference, actual, []);
  if (typeof pairs === 'string') return refused(name, pairs);
  let largest = { size: 0, iteration: null as number | null };
  let firstMiss: number | undefined;
  for (const pair of pairs) {
    const measured = deviation(pair);
    const size = Number.isNaN(measured) ? Number.POSITIVE_INFINITY : measured;
    if (largest.iteration === null || size > largest.size) largest = { size, iteration: pair.iteration };
    if (size > tolerance) firstMiss ??= pair.iteration;
  }
  return [
    name,
    {
      largestDeviation: largest.size,
      tolerance,
      iteration: largest.iteration,
      holds: largest.size <= tolerance,
      ...(firstMiss !== undefined && { firstMiss }),
    },
  ];
}

/** All pairs of numbers of two equally nested records, or what keeps them apart. `null` agrees with `null` alone. */
function paired(reference: Recorded, actual: unknown, path: readonly number[]): Pair[] | string {
  const here = path.length === 0 ? '' : ` at [${path.join('][')}]`;
  if (reference === null) return actual === null ? [] : `expected null${here}`;
  if (typeof reference === 'number') {
    const [iteration, ...place] = path;
    if (typeof actual !== 'number' || iteration === undefined) return `expected a number${here}`;
    return [{ reference, actual, iteration, place }];
  }
  if (!Array.isArray(actual)) return `expected a list${here}`;
  if (actual.length !== reference.length)
    return `expected ${reference.length} entries${here}, received ${actual.length}`;
  const all: Pair[] = [];
  for (const [i, part] of reference.entries()) {
    const pairs = paired(part, actual[i], [...path, i]);
    if (typeof pairs === 'string') return pairs;
    all.push(...pairs);
  }
  return all;
}

/** A recorded number of the case, NaN where there is none. */
function value(golden: GoldenCase, name: string, path: readonly number[]): number {
  let found: Recorded | undefined = golden.records[name];
  for (const index of path) found = Array.isArray(found) ? found[index] : undefined;
  return typeof found === 'number' ? found : Number.NaN;
}

// ------------------------------------------------------------------------------------------------- single updates

/** Limits of one update: of `fro` relative, of the first entries as a share of `fro`, of the sum as a share of fro √n. */
interface SubstepLimits {
  readonly fro?: number;
  readonly first8: number;
  readonly sum?: number;
}

/** README section 7; B1 has limits of its own for each variable. */
const B1_FIRST8: Readonly<Record<string, number>> = { W: 1e-4, b: 1e-2, V: 1e-9, Lambda: 1e-3 };
const NORM_RECORDS: Readonly<Record<string, string>> = { W: 'W_fro', b: 'b_norm', V: 'V_fro', Lambda: 'Lambda_fro' };

function substepLimits(golden: GoldenCase, variable: string): SubstepLimits | undefined {
  switch (golden.hyper.system) {
    case 'dladmm':
      return { fro: 1e-10, first8: 1e-10, sum: 1e-11 };
    case 'inversion':
      // Section 7 gives none of its own; single updates are held to the limit of the norms and final matrices.
      return { fro: 1e-7, first8: 1e-7, sum: 1e-7 };
    case 'sigmoid': {
      const norms = golden.tolerances.relative;
      const own =
        golden.name === 'B1' ? B1_FIRST8[variable] : isObject(norms) ? norms[NORM_RECORDS[variable] ?? ''] : undefined;
      return isLimit(own) ? { first8: own } : undefined;
    }
  }
}

/** The number of entries of a variable of layer l, biases included where W carries them. */
function entriesIn(golden: GoldenCase, variable: string, layer: number): number {
  const units = golden.dims[layer] ?? Number.NaN;
  if (variable === 'b') return units;
  if (variable !== 'W') return units * golden.train.x.rows;
  return units * ((golden.dims[layer - 1] ?? Number.NaN) + (golden.hyper.system === 'inversion' ? 1 : 0));
}

/** Every update of the case against the replay's, in units of the limits; theta, tau and fista must be equal. */
function compareSubsteps(golden: GoldenCase, substeps: NonNullable<Replay['substeps']>): Found[] {
  const iterations = [...new Set(golden.substeps.map(({ iter }) => iter))];
  return iterations.map((iteration) => {
    const name = `updates of iteration ${iteration}`;
    const references = golden.substeps.filter(({ iter }) => iter === iteration);
    const actual = substeps.filter(({ iter }) => iter === iteration);
    const order = (list: readonly { var: string }[]): string => list.map((step) => step.var).join(' ');
    if (order(references) !== order(actual))
      return refused(name, `expected ${order(references)}, received ${order(actual)}`);
    let largest = 0;
    let miss: string | undefined;
    for (const [call, reference] of references.entries()) {
      const step = actual[call];
      const off =
        step === undefined
          ? { size: Number.POSITIVE_INFINITY, what: 'missing' }
          : substepDeviation(golden, reference, step);
      if (off.size > 1) miss ??= `call ${call}, ${reference.var}: ${off.what}`;
      largest = upper(largest, off.size);
    }
    return [
      name,
      {
        largestDeviation: largest,
        tolerance: 1,
        iteration,
        holds: miss === undefined,
        ...(miss !== undefined && { firstMiss: iteration, problem: miss }),
      },
    ];
  });
}

/** The largest share of a limit that an update uses, and by what. */
function substepDeviation(
  golden: GoldenCase,
  reference: Substep,
  actual: Omit<Substep, 'call'>,
): { readonly size: number; readonly what: string } {
  const [, variable = '', layer] = /^([A-Za-z]+)(\d+)$/.exec(reference.var) ?? [];
  const limits = substepLimits(golden, variable);
  if (limits === undefined) return { size: Number.POSITIVE_INFINITY, what: 'no limit known' };
  const { fro } = reference;
  const parts: [string, number][] = [];
  for (const key of ['theta', 'tau', 'fista'] as const)
    parts.push([key, reference[key] === actual[key] ? 0 : Number.POSITIVE_INFINITY]);
  if (actual.first8.length !== reference.first8.length) parts.push(['number of entries', Number.POSITIVE_INFINITY]);
  reference.first8.forEach((x, i) => {
    parts.push([`entry ${i}`, ratio((actual.first8[i] ?? Number.NaN) - x, limits.first8 * fro)]);
  });
  if (limits.fro !== undefined) parts.push(['fro', ratio(actual.fro - fro, limits.fro * fro)]);
  if (limits.sum !== undefined) {
    const root = Math.sqrt(entriesIn(golden, variable, Number(layer)));
    parts.push(['sum', ratio(actual.sum - reference.sum, limits.sum * fro * root)]);
  }
  return parts.reduce((most, [what, share]) => (share > most.size ? { size: share, what } : most), {
    size: 0,
    what: '',
  });
}

// ---------------------------------------------------------------------------------------------------- small parts

/** |part| / |whole|; zero for nothing of nothing, and infinite for anything that is not a number. */
function ratio(part: number, whole: number): number {
  const share = part === 0 && !Number.isNaN(whole) ? 0 : Math.abs(part) / Math.abs(whole);
  return Number.isNaN(share) ? Number.POSITIVE_INFINITY : share;
}

/** The larger of two deviations, where NaN counts as infinite. */
const upper = (a: number, b: number): number => (Number.isNaN(b) ? Number.POSITIVE_INFINITY : Math.max(a, b));

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isLimit = (value: unknown): value is number => typeof value === 'number' && value >= 0;

function refused(name: string, problem: string): Found {
  return [name, { largestDeviation: Number.POSITIVE_INFINITY, tolerance: 0, iteration: null, holds: false, problem }];
}

function entriesOf(form: string, limits: unknown, check: (name: string, spec: unknown) => Found): Found[] {
  if (!isObject(limits)) return [refused(form, 'expected an object of quantities')];
  return Object.entries(limits).map(([name, spec]) => check(name, spec));
}

/** A form that gives one number a quantity. */
function eachLimit(
  form: string,
  check: (name: string, limit: number, golden: GoldenCase, replay: Replay) => Found,
): Form {
  return (limits, golden, replay) =>
    entriesOf(form, limits, (name, limit) =>
      isLimit(limit) ? check(name, limit, golden, replay) : refused(name, `expected a limit in ${form}`),
    );
}
