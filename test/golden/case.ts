import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readNpy } from '../formats/npy.js';

/** A dense row-major float64 matrix; data have one sample a row. */
export interface Matrix64 {
  readonly data: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/** A recorded quantity: a number, `null` where it does not apply, or a list by iteration, then by layer or by call. */
export type Recorded = number | null | readonly Recorded[];

/** What one update left behind: Frobenius norm, sum and first eight entries of the variable it renewed. */
export interface Substep {
  readonly iter: number;
  readonly var: string;
  readonly fro: number;
  readonly sum: number;
  readonly first8: readonly number[];
  readonly call?: number;
  readonly theta?: number;
  readonly tau?: number;
  readonly fista?: number;
}

/** The settings of a dlADMM case, under the names of its case.json; `null` where the schedule is constant. */
export interface DladmmHyper {
  readonly system: 'dladmm';
  readonly rho0: number;
  readonly schedule: 'adaptive' | 'constant';
  readonly rhoFactor: number | null;
  readonly rhoCap: number | null;
  readonly tau0: number;
  readonly theta0: number;
  readonly tauThetaFactor: number | null;
  readonly backtrackingFactor: number;
  readonly fistaStep: number;
  readonly fistaTolerance: number;
  readonly fistaMaxIter: number;
}

/** The settings of a sigmoid-ADMM case: one penalty β a layer, and the weight decay λ. */
export interface SigmoidHyper {
  readonly system: 'sigmoid';
  readonly beta: readonly number[];
  readonly lambda: number;
}

/** The settings of an inversion-ADMM case. */
export interface InversionHyper {
  readonly system: 'inversion';
  readonly beta: number;
  readonly gamma: number;
  readonly warmStartIterations: number;
  readonly pinvRelativeThreshold: number;
}

export type Hyper = DladmmHyper | SigmoidHyper | InversionHyper;

/** Inputs (samples x features) with class numbers, or with target values (samples x outputs). */
export interface GoldenSplit {
  readonly x: Matrix64;
  readonly labels?: Int32Array;
  readonly y?: Matrix64;
}

/**
 * A golden case in memory. Lists by layer are in the order of the layers 1 … L, so `W[0]` is W_1.
 * W_l is n_l x n_{l-1} (with the bias in a last column more, in the inversion cases), b_l has n_l entries;
 * z_l, a_l, u and V_l are samples x n_l, the transpose of what the files hold.
 */
export interface GoldenCase {
  readonly name: string;
  readonly dims: readonly number[];
  readonly iterations: number;
  readonly hyper: Hyper;
  readonly train: GoldenSplit;
  readonly test?: GoldenSplit;
  /** `b` is empty for the inversion cases, whose W carry it; `z` and `a` are empty where the start is computed. */
  readonly initial: {
    readonly W: readonly Matrix64[];
    readonly b: readonly Float64Array[];
    readonly z: readonly Matrix64[];
    readonly a: readonly Matrix64[];
  };
  readonly callOrder: readonly string[];
  readonly records: Readonly<Record<string, Recorded>>;
  readonly substeps: readonly Substep[];
  /** The final matrices that the folder has, by their names: `W1`, `b3`, `z2`, `u`. A bias is one column. */
  readonly final: Readonly<Record<string, Matrix64>>;
  /** As written in case.json: the comparator reads it, and says no to what it does not know. */
  readonly tolerances: Readonly<Record<string, unknown>>;
}

/** `matrix` with its rows and columns exchanged. */
export function transposed(matrix: Matrix64): Matrix64 {
  const { data, rows, columns } = matrix;
  const result = new Float64Array(data.length);
  data.forEach((value, index) => {
    result[(index % columns) * rows + Math.floor(index / columns)] = value;
  });
  return { data: result, rows: columns, columns: rows };
}

/**
 * Reads the case in `folder` (one that holds a case.json). Throws an Error that names the file and what is wrong with it.
 */
export async function loadCase(folder: string): Promise<GoldenCase> {
  const path = join(folder, 'case.json');
  const json = parser(path).object(JSON.parse(await readFile(path, 'utf8')), 'the case');
  const files = json.object('files');
  const loaded = new Map<string, Matrix64>();
  for (const name of files.keys()) loaded.set(name, await loadMatrix(folder, files.object(name)));

  const dims = json.numbers('dims');
  const layers = dims.length - 1;
  const byLayer = (variable: string, suffix: string): Matrix64[] =>
    Array.from({ length: layers }, (_, i) => loaded.get(`${variable}${i + 1}_${suffix}`)).filter(
      (m) => m !== undefined,
    );
  const split = (suffix: string): GoldenSplit | undefined => {
    const x = loaded.get(`X_${suffix}`);
    const labels = loaded.get(`labels_${suffix}`);
    const y = loaded.get(`Y_${suffix}`);
    return (
      x && {
        x: transposed(x),
        ...(labels && { labels: Int32Array.from(labels.data) }),
        ...(y && { y: transposed(y) }),
      }
    );
  };
  const train = split('train');
  if (train === undefined) throw new Error(`${path}: expected an X_train among the files`);
  const test = split('test');
  const W = byLayer('W', 'init');
  const finals = [...loaded].filter(([name]) => name.endsWith('_final'));
  return {
    name: json.string('case'),
    dims,
    iterations: json.number('iterations'),
    hyper: readHyper(json.string('algorithm'), json.object('hyper'), layers, path),
    train,
    ...(test && { test }),
    initial: {
      W: W.length > 0 ? W : byLayer('W', 'start'),
      b: byLayer('b', 'init').map((b) => b.data),
      z: byLayer('z', 'init').map(transposed),
      a: byLayer('a', 'init').map(transposed),
    },
    callOrder: json.has('call_order') ? json.strings('call_order') : [],
    records: json.object('records').entries(isRecorded, 'numbers, nulls and lists of them'),
    substeps: json.list('substeps', isSubstep, 'updates with iter, var, fro, sum and first8'),
    final: Object.fromEntries(
      finals.map(([name, matrix]) => {
        const short = name.slice(0, -'_final'.length);
        return [short, /^[Wb]/.test(short) ? matrix : transposed(matrix)];
      }),
    ),
    tolerances: json.object('tolerances').entries((value): value is unknown => value !== undefined, 'limits'),
  };
}

const TYPES: Readonly<Record<string, string>> = { '<f8': 'Float64Array', '|u1': 'Uint8Array', '|i1': 'Int8Array' };

/** A matrix as its file lays it out (features x samples); what has a divisor is divided; a vector is one column. */
async function loadMatrix(folder: string, entry: Fields): Promise<Matrix64> {
  const path = join(folder, entry.string('file'));
  const { data, shape } = await readNpy(path);
  const [type, listed] = [entry.string('dtype'), entry.numbers('shape')];
  if (data.constructor.name !== TYPES[type] || shape.join() !== listed.join())
    throw new Error(`${path}: case.json lists ${type} [${listed}], the file has ${data.constructor.name} [${shape}]`);
  const divisor = entry.has('divisor') ? entry.number('divisor') : 1;
  const numbers = Float64Array.from({ length: data.length }, (_, i) => Number(data[i]) / divisor);
  return { data: numbers, rows: shape[0] ?? 1, columns: shape[1] ?? 1 };
}

function readHyper(algorithm: string, hyper: Fields, layers: number, path: string): Hyper {
  if (algorithm.startsWith('dlADMM')) {
    const schedule = hyper.string('schedule');
    if (schedule !== 'adaptive' && schedule !== 'constant') throw new Error(`${path}: unknown schedule ${schedule}`);
    return {
      system: 'dladmm',
      rho0: hyper.number('rho0'),
      schedule,
      rhoFactor: hyper.numberOrNull('rho_factor'),
      rhoCap: hyper.numberOrNull('rho_cap'),
      tau0: hyper.number('tau0'),
      theta0: hyper.number('theta0'),
      tauThetaFactor: hyper.numberOrNull('tau_theta_factor'),
      backtrackingFactor: hyper.number('backtracking_factor'),
      fistaStep: hyper.number('fista_step'),
      fistaTolerance: hyper.number('fista_tolerance'),
      fistaMaxIter: hyper.number('fista_max_iter'),
    };
  }
  if (algorithm.startsWith('sigmoid-ADMM')) {
    // The curvature of the published code lies above the function for sigmoid alone.
    const activation = hyper.has('activation') ? hyper.string('activation') : 'sigmoid';
    if (activation !== 'sigmoid') throw new Error(`${path}: expected the activation sigmoid, received ${activation}`);
    return { system: 'sigmoid', beta: hyper.numberByLayer('beta', layers), lambda: hyper.number('lambda') };
  }
  if (algorithm.startsWith('Taylor'))
    return {
      system: 'inversion',
      beta: hyper.number('beta'),
      gamma: hyper.number('gamma'),
      warmStartIterations: hyper.number('warm_start_iterations'),
      pinvRelativeThreshold: hyper.number('pinv_relative_threshold'),
    };
  throw new Error(`${path}: expected a dlADMM, sigmoid-ADMM or Taylor case, received ${algorithm}`);
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isRecorded = (value: unknown): value is Recorded =>
  value === null || isNumber(value) || (Array.isArray(value) && value.every(isRecorded));

function isSubstep(value: unknown): value is Substep {
  if (typeof value !== 'object' || value === null) return false;
  const has = (name: string, is: (entry: unknown) => boolean): boolean => is((value as Record<string, unknown>)[name]);
  const isNumberIfThere = (entry: unknown): boolean => entry === undefined || isNumber(entry);
  return (
    ['iter', 'fro', 'sum'].every((name) => has(name, isNumber)) &&
    ['call', 'theta', 'tau', 'fista'].every((name) => has(name, isNumberIfThere)) &&
    has('var', (entry) => typeof entry === 'string') &&
    has('first8', (entry) => Array.isArray(entry) && entry.every(isNumber))
  );
}

/** Checked access to the fields of a JSON object. */
interface Fields {
  has(name: string): boolean;
  keys(): string[];
  number(name: string): number;
  numberOrNull(name: string): number | null;
  string(name: string): string;
  numbers(name: string): number[];
  /** One number for every layer, or a list of as many as there are layers. */
  numberByLayer(name: string, layers: number): number[];
  strings(name: string): string[];
  list<T>(name: string, is: (value: unknown) => value is T, what: string): T[];
  object(name: string): Fields;
  entries<T>(is: (value: unknown) => value is T, what: string): Record<string, T>;
}

function parser(path: string): { object(value: unknown, where: string): Fields } {
  const fail = (what: string, where: string): Error => new Error(`${path}: expected ${what} for ${where}`);
  const object = (value: unknown, where: string): Fields => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fail('an object', where);
    const fields = value as Record<string, unknown>;
    const get = <T>(name: string, is: (entry: unknown) => entry is T, what: string): T => {
      const entry = fields[name];
      if (!is(entry)) throw fail(what, name);
      return entry;
    };
    const isString = (entry: unknown): entry is string => typeof entry === 'string';
    const list = <T>(name: string, is: (entry: unknown) => entry is T, what: string): T[] =>
      get(name, (entry): entry is T[] => Array.isArray(entry) && entry.every(is), `a list of ${what}`);
    return {
      has: (name) => fields[name] !== undefined,
      keys: () => Object.keys(fields),
      number: (name) => get(name, isNumber, 'a number'),
      numberOrNull: (name) =>
        get(name, (entry): entry is number | null => entry === null || isNumber(entry), 'a number or null'),
      string: (name) => get(name, isString, 'a string'),
      numbers: (name) => list(name, isNumber, 'numbers'),
      numberByLayer: (name, layers) => {
        const all = isNumber(fields[name])
          ? new Array<number>(layers).fill(get(name, isNumber, 'a number'))
          : list(name, isNumber, 'numbers');
        if (all.length !== layers) throw fail(`${layers} numbers, one a layer`, name);
        return all;
      },
      strings: (name) => list(name, isString, 'strings'),
      list,
      object: (name) => object(fields[name], name),
      entries: (is, what) => {
        const wrong = Object.keys(fields).find((name) => !is(fields[name]));
        if (wrong !== undefined) throw fail(what, wrong);
        return fields as Record<string, never>;
      },
    };
  };
  return { object };
}
