/** Samples as a person has them, made ready for a training: what is not said is inferred, here and by the rule of solvers/auto.ts. */
import { checkKeys, checkObject, fraction, oneOf } from '../core/checks.js';
import { expected } from '../core/errors.js';
import { readFrame } from '../datasets/frame-file.js';
import { classifies, type Loss } from '../network/network.js';
import { areSamples, arrivingSamples, isStream, type RowsLike, type WeightedSamples } from '../samples/arriving.js';
import { type Frame, frameOf, namedColumn, placeText, takeRows, valueAt } from '../samples/frame.js';
import { heldOut, type Parts, someRows } from '../samples/hold-out.js';
import { encoded, type LearningOptions, learnColumns } from '../samples/learning.js';
import { liesInUnitInterval } from '../samples/standardise.js';
import { inferTask, type Target, targetValues } from '../samples/targets.js';
import { type WeightsLike, weightsOf } from '../samples/weights.js';
import { heldOutShare } from '../solvers/auto.js';
import {
  allRows,
  asSamples,
  breathe,
  CHUNK_ENTRIES,
  isArray,
  isMatrix,
  isNumericArray,
  type LabelsLike,
  type RowSource,
  rowSource,
} from '../tensor/inputs.js';
import type { TrainingData } from './result.js';

/** What says how rows become samples, and how much of them is held out. */
export interface FrontOptions extends Omit<LearningOptions, 'target'> {
  /** The column to predict. */
  readonly target?: string;
  /** Default: classes where the target holds texts, true and false, or few whole numbers. */
  readonly task?: 'classification' | 'regression';
  /** The widths of the hidden layers; `[]` is a linear model. Default: by the number of samples (solvers/auto.ts). */
  readonly hidden?: readonly number[];
  /** What rows count for in the training, from 0: the column that says it, or one number a row. Measures count all rows alike. */
  readonly weights?: string | WeightsLike;
  /** The share of rows to hold out, which says when to stop and what the model is worth. Default 0.1; 0.2 of fewer than 2,000. */
  readonly validationShare?: number;
}

/** Their names. */
export const FRONT_KEYS: readonly (keyof FrontOptions)[] = [
  'target',
  'task',
  'hidden',
  'validationShare',
  'weights',
  'columns',
  'ignore',
  'missing',
  'categories',
  'buckets',
];

/** Rows: a file of them by its path, records, a table, a stream of records. */
export type Rows = string | RowsLike;

/** What is decided before samples are seen. */
export interface Given extends FrontOptions {
  readonly loss?: Loss;
  readonly layers?: readonly number[];
  readonly classes?: readonly string[];
  readonly seed: number;
  readonly standardise?: boolean;
  /** Whether something is to be held out where nobody says. */
  readonly holdsOut: boolean;
  readonly signal?: AbortSignal;
}

/** Samples that are ready, and what was inferred of them. */
export interface Ready {
  readonly data: TrainingData;
  readonly samples: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly loss: Loss;
  readonly standardise: boolean;
  readonly task: 'classification' | 'regression';
  readonly because: string;
  readonly target?: string;
  /** What was held out, for the report. */
  readonly heldOut?: { readonly samples: number; readonly of: number; readonly how: string };
  readonly warnings: readonly string[];
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkFront({ target, task, hidden, validationShare }: FrontOptions, layers: unknown): void {
  if (target !== undefined && typeof target !== 'string') throw expected('the name of a column', 'target', target);
  if (task !== undefined) oneOf(task, ['classification', 'regression'], 'task');
  if (validationShare !== undefined) fraction(validationShare, 'validationShare');
  if (hidden === undefined) return;
  if (layers !== undefined) throw expected('one of hidden and layers, which say the same,', 'hidden', hidden);
  const are = isArray(hidden) && hidden.every((width) => Number.isInteger(width) && width > 0);
  if (!are) throw expected('widths of hidden layers such as [100, 100]', 'hidden', hidden);
}

/**
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_LABEL, ERR_DLADMM_SHAPE, …: whatever reading and encoding the rows can cause, and a
 *   target that is constant
 */
export async function readyOf(data: Rows | TrainingData, given: Given): Promise<Ready> {
  if (!areSamples(data)) return fromRows(data, given);
  const { labels, y, weights = given.weights, ...rest } = data as TrainingData;
  const named = typeof labels === 'string' ? labels : typeof y === 'string' ? y : undefined;
  if (named === undefined || given.layers !== undefined) {
    return fromSamples({ ...(data as TrainingData), ...(weights !== undefined && { weights }) }, given);
  }
  checkKeys(rest, ['x', 'validation', 'test'], 'data');
  const task = typeof labels === 'string' ? 'classification' : 'regression';
  const { validation, test } = data;
  return fromRows(
    data.x,
    { ...given, task, target: named, ...(weights !== undefined && { weights }) },
    { ...(validation && { validation }), ...(test && { test }) },
  );
}

/** What is to be predicted: classes, as labels, or values. */
type Goal =
  | { readonly labels: readonly Target[]; readonly classes?: readonly string[]; readonly count: number }
  | { readonly labels?: undefined; readonly values: readonly number[] };

const ordered = (a: Target, b: Target): number =>
  typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1;

/** Classes in their order; whole numbers that do not count from 0 are classes by name. */
function classed(values: readonly Target[], called: string, given: readonly string[] | undefined): Goal {
  const distinct = [...new Set(values)].toSorted(ordered);
  if (distinct.length < 2) {
    throw expected('at least two classes', called, distinct[0], 'ERR_DLADMM_LABEL');
  }
  if (typeof distinct[0] !== 'number') return { labels: values, count: given?.length ?? distinct.length };
  const counts = distinct.every((value, i) => value === i);
  if (counts || given) return { labels: values, count: given?.length ?? distinct.length };
  const places = new Map(distinct.map((value, i) => [value, i]));
  const labels = values.map((value) => places.get(value) as number);
  return { labels, classes: distinct.map(String), count: distinct.length };
}

function valued(values: readonly Target[], called: string): Goal {
  const bad = values.findIndex((value) => typeof value !== 'number');
  if (bad >= 0) throw expected('a number', `row ${bad} of ${called}`, values[bad], 'ERR_DLADMM_LABEL');
  if (values.every((value) => value === values[0])) {
    throw expected('values that vary', called, values[0], 'ERR_DLADMM_LABEL');
  }
  return { values: values as readonly number[] };
}

/** What rows count for. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, … */
function weightsIn(frame: Frame, weights: string | WeightsLike): Float64Array {
  if (typeof weights !== 'string') return weightsOf(weights, frame.rows, 'weights');
  const column = namedColumn(frame, weights, 'weights');
  const called = `column ${JSON.stringify(weights)} of ${frame.name}`;
  const values = Array.from({ length: frame.rows }, (_, row) => valueAt(column, row));
  const bad = values.findIndex((value) => typeof value !== 'number');
  if (bad >= 0) throw expected('a number from 0', `${placeText(frame, bad)} of ${called}`, values[bad]);
  return weightsOf(values, frame.rows, called);
}

/** The samples of each part; undefined where nothing is held out. */
function partsOf(rows: number, labels: ArrayLike<unknown> | undefined, given: Given): Parts | undefined {
  const share = given.validationShare ?? (given.holdsOut ? heldOutShare(rows) : 0);
  const parts = share > 0 ? heldOut(rows, labels, share, given.seed) : undefined;
  return parts && parts.held.length > 0 ? parts : undefined;
}

const toldOf = (parts: Parts | undefined, { seed }: Given, labels: unknown): Pick<Ready, 'heldOut'> => {
  if (parts === undefined) return {};
  const [held, rest] = [parts.held.length, parts.train.length];
  const how = `drawn by seed ${seed}${labels === undefined ? '' : ', of every class its share'}`;
  return { heldOut: { samples: held, of: held + rest, how } };
};

const some = <T>(list: ArrayLike<T>, rows: Int32Array | undefined): readonly T[] =>
  rows ? Array.from(rows, (row) => list[row] as T) : Array.from(list);

const DEFAULT_LOSS = { classification: 'softmax-cross-entropy', regression: 'squared-error' } as const;

async function fromRows(
  rows: Rows,
  given: Given,
  beside: Pick<TrainingData, 'validation' | 'test'> = {},
): Promise<Ready> {
  const { target, signal } = given;
  const read = signal ? { signal } : {};
  if (typeof rows !== 'string') checkObject(rows, 'records, a table, a stream, or the path of a file', 'data');
  const frame = await (typeof rows === 'string'
    ? readFrame(rows, read)
    : frameOf(rows as never, { name: 'data', ...read }));
  if (target === undefined) {
    const names = frame.columns.map(({ name }) => name).slice(0, 50);
    throw expected(`the column to predict (one of ${names.join(', ')})`, 'options.target', target);
  }
  const values = targetValues(frame, target);
  const weights = given.weights === undefined ? undefined : weightsIn(frame, given.weights);
  const called = `column ${JSON.stringify(target)} of ${frame.name}`;
  const asked = given.task ?? (given.loss && (classifies(given.loss) ? 'classification' : 'regression'));
  const { task, because } = asked
    ? { task: asked, because: 'the options say so' }
    : inferTask(values, `column ${JSON.stringify(target)}`);
  const goal = task === 'classification' ? classed(values, called, given.classes) : valued(values, called);
  const parts = beside.validation ? undefined : partsOf(frame.rows, goal.labels, given);
  const learning = Object.fromEntries(
    LEARNING_KEYS.flatMap((key) => (given[key] === undefined ? [] : [[key, given[key]]])),
  );
  const rest = parts ? takeRows(frame, parts.train) : frame;
  const noFeatures = typeof given.weights === 'string' ? [target, given.weights] : target;
  const { columns, notes } = learnColumns(rest, { ...learning, target: noFeatures });
  const part = async (of: Frame, which: Int32Array | undefined) => {
    const { x: made, notes: more } = encoded(of, columns);
    const x = await laidOut(made);
    const wanted = goal.labels
      ? { labels: some(goal.labels, which), ...(goal.classes && { classes: goal.classes }) }
      : { y: some(goal.values, which) };
    return { x, more, data: { x: asSamples(x), columns, ...wanted } as WeightedSamples };
  };
  const train = await part(rest, parts?.train);
  const held = parts && (await part(takeRows(frame, parts.held), parts.held));
  return {
    data: {
      ...train.data,
      target,
      ...(weights && { weights: some(weights, parts?.train) }),
      ...(held && { validation: held.data }),
      ...beside,
    },
    samples: rest.rows,
    inputs: train.x.columns,
    outputs: goal.labels ? goal.count : 1,
    loss: given.loss ?? DEFAULT_LOSS[task],
    standardise: given.standardise ?? !(await liesInUnit(train.x)),
    task,
    because,
    target,
    ...toldOf(parts, given, goal.labels),
    warnings: [...notes, ...(held?.more ?? [])].map(({ text }) => text),
  };
}

const LEARNING_KEYS = ['columns', 'ignore', 'missing', 'categories', 'buckets'] as const;

/** Entries of a row; 0 where the first row of a stream will tell. */
function widthOf(rows: unknown, name: string): number {
  if (isMatrix(rows) && typeof rows.columns === 'number') return rows.columns;
  const first: unknown = isArray(rows) ? rows[0] : undefined;
  if (typeof first === 'number') return 1;
  if (isArray(first) || isNumericArray(first)) return first.length;
  if (isStream(rows)) return 0;
  throw expected(
    'layers, as how many numbers a row has is not known before it comes,',
    `options, with ${name}`,
    undefined,
  );
}

/** The classes that labels without names tell apart. */
function countOf(labels: LabelsLike | undefined, named: readonly string[] | undefined): number {
  if (named) return named.length;
  if (isNumericArray(labels) || typeof labels?.[0] === 'number') {
    let most = 0;
    for (let i = 0; i < labels.length; i += 1) most = Math.max(most, Number(labels[i]));
    return most + 1;
  }
  return new Set(labels).size;
}

/** Samples with labels or targets beside them. */
async function fromSamples(data: TrainingData, given: Given): Promise<Ready> {
  const { validation, test, ...samples } = data;
  const {
    layers,
    loss = DEFAULT_LOSS[
      given.task ?? (samples.labels === undefined && samples.y !== undefined ? 'regression' : 'classification')
    ],
  } = given;
  const task = classifies(loss) ? 'classification' : 'regression';
  const inputs = layers?.[0] ?? widthOf(samples.x, 'data.x');
  const carried = samples.y === undefined && isStream(samples.x);
  const wide = task === 'classification' ? 1 : (layers?.at(-1) ?? (carried ? 0 : widthOf(samples.y, 'data.y')));
  const rules = {
    network: { layers: [inputs, wide], activation: 'relu', loss },
    ...({ dtype: 'float64', exact: true, exactTargets: true } as const),
    ...(given.signal && { signal: given.signal }),
  } as const;
  const { x, y, weights, ...rest } = await arrivingSamples(data, rules, 'data', ['validation', 'test', 'weights']);
  const parts = validation ? undefined : partsOf(x.rows, rest.labels, given);
  const part = (which: Int32Array | undefined): WeightedSamples => ({
    ...rest,
    x: asSamples(which ? someRows(x, which) : x),
    ...(rest.labels && which && { labels: some<string | number | boolean>(rest.labels, which) }),
    ...(y && { y: asSamples(which ? someRows(y, which) : y) }),
  });
  const held = parts ? part(parts.held) : validation;
  return {
    data: {
      ...part(parts?.train),
      ...(weights && { weights: some(weights, parts?.train) }),
      ...(held && { validation: held }),
      ...(test && { test }),
    },
    samples: parts?.train.length ?? x.rows,
    inputs: x.columns,
    outputs:
      layers?.at(-1) ??
      (task === 'classification' ? countOf(rest.labels, given.classes ?? rest.classes) : (y?.columns ?? wide)),
    loss,
    standardise: given.standardise ?? !(await liesInUnit(x)),
    task,
    because: task === 'classification' ? 'the samples have labels' : 'the samples have rows of values',
    ...toldOf(parts, given, rest.labels),
    warnings: [],
  };
}

/** Whether every value lies in [0, 1], as pixels do that have been scaled: such features are comparable as they are. */
async function liesInUnit(source: RowSource): Promise<boolean> {
  const step = Math.max(1, Math.floor(CHUNK_ENTRIES / source.columns));
  for (let first = 0; first < source.rows; first += step) {
    const count = Math.min(step, source.rows - first);
    if (!liesInUnitInterval({ data: source.chunk(first, count), rows: count, columns: source.columns })) return false;
    await breathe();
  }
  return true;
}

/** Entries that are worth keeping, as they are asked for more than once: a gigabyte. */
const KEPT = 2 ** 27;

/** The rows of a source found once, where there are not too many of them. */
const laidOut = async (source: RowSource): Promise<RowSource> =>
  source.rows * source.columns > KEPT ? source : rowSource(await allRows(source), source.columns, source.name);
