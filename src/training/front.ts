/** Samples as a person has them, made ready for a training: what is not said is inferred, here and by the rule of solvers/auto.ts. */
import { checkKeys, checkObject } from '../core/checks.js';
import { DISPOSE } from '../core/dispose.js';
import { expected, listed } from '../core/errors.js';
import { isFile, readFrame } from '../datasets/frame-file.js';
import { DIALECT } from '../formats/csv.js';
import { checkNoStore, type StoredSamples, storeOf } from '../formats/sample-file.js';
import { classCount, type Loss } from '../network/network.js';
import { completed, NOTHING, pick } from '../network/schema.js';
import { isNames } from '../samples/arrived.js';
import {
  type ArrivingSamples,
  areSamples,
  arrivingSamples,
  checkTold,
  isStream,
  type WeightedSamples,
} from '../samples/arriving.js';
import { encoded, encodedFor } from '../samples/encoded.js';
import { COLUMNS, type ColumnPlace, learntColumns } from '../samples/features.js';
import { type Frame, type FrameColumn, namedColumn, placeText, readable, takeRows, valueAt } from '../samples/frame.js';
import { frameOf } from '../samples/framing.js';
import { areHashed, tableColumns } from '../samples/hashed.js';
import { someRows } from '../samples/hold-out.js';
import { areLists, listedRows } from '../samples/label-lists.js';
import { LEARNING, learnColumns } from '../samples/learning.js';
import { tableOf } from '../samples/table.js';
import {
  checkKnown,
  type TargetPlaces,
  type Task,
  targetNames,
  targetText,
  taskOf,
  type Wanted,
  wantedOf,
} from '../samples/targets.js';
import { type WeightsLike, weightsOf } from '../samples/weights.js';
import { areSparseRows, inSteps, sparseWidth } from '../tensor/csr.js';
import {
  asSamples,
  breathe,
  checkRows,
  inTurns,
  isArray,
  isMatrix,
  isNumericArray,
  isRowSource,
  type LabelsLike,
  type RowSource,
  turn,
} from '../tensor/inputs.js';
import { alone, checkLabels, checkVaries, goalOf, numberedGoal } from './goal.js';
import { FRONT, type FrontOptions, type Rows } from './options.js';
import { type HeldOut, partsOf, rowsAt, some, toldOf } from './parts.js';
import { checkFinite, comparable, laidOut } from './passes.js';
import type { TrainingData } from './result.js';
import { fromStore } from './stored-samples.js';

export interface Given extends FrontOptions {
  readonly loss?: Loss;
  readonly layers?: readonly number[];
  readonly classes?: readonly string[];
  readonly seed: number;
  readonly standardise?: boolean;
  /** The loss of classes where nobody says. Default: softmax cross-entropy. */
  readonly classLoss?: Loss;
  /** Whether something is to be held out where nobody says. */
  readonly holdsOut: boolean;
  /** Whether the cells of a table are wanted, rather than its inputs laid out. */
  readonly packs?: boolean;
  /** A model is there that knows the classes, and the columns, so that a few rows of one class are something to learn from. */
  readonly goesOn?: boolean;
  readonly signal?: AbortSignal;
}

/** Samples that are ready, and what was inferred of them. */
export interface Ready {
  readonly data: TrainingData;
  readonly samples: number;
  readonly inputs: number;
  readonly features: number;
  readonly outputs: number;
  readonly loss: Loss;
  readonly standardise: boolean;
  /** Whether the features are sparse. */
  readonly sparse?: boolean;
  readonly task: Task;
  readonly because: string;
  readonly target?: string | readonly string[];
  /** The features of a table before they are inputs, where they were asked for. */
  readonly cells?: RowSource;
  /** What was held out, for the report. */
  readonly heldOut?: HeldOut;
  readonly warnings: readonly string[];
}

/** The same; at its end what was opened to be read as the training goes is given back. */
export type Open = Ready & { [DISPOSE](): void };

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkFront(options: FrontOptions, layers: unknown, distributed?: unknown): void {
  const { hidden, memory } = completed(FRONT, options, '', NOTHING);
  if (memory !== undefined && distributed)
    throw expected('none with memory (a store is read by one process),', 'distributed', distributed);
  if (hidden !== undefined && layers !== undefined)
    throw expected('one of hidden and layers, which say the same,', 'hidden', hidden);
}

const OF_ROWS: readonly string[] = Object.keys({ target: 0, columns: 0, ...LEARNING, ...DIALECT });

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for what is said of rows whose columns are yet to be read */
export function checkNoRows(options: FrontOptions, others: readonly string[] = []): void {
  const [odd, value] =
    Object.entries(options).find(
      ([key, value]) => value !== undefined && (OF_ROWS.includes(key) || others.includes(key)),
    ) ?? [];
  if (odd !== undefined) throw expected('none with samples, as it is for rows of columns,', odd, value);
}

/**
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_LABEL, ERR_DLADMM_SHAPE, …: whatever reading and encoding the rows can cause, and a
 *   target that is constant
 */
export async function readyOf(data: Rows | TrainingData, given: Given): Promise<Open> {
  await breathe();
  const stored = await storeOf(data);
  try {
    const ready = stored
      ? await fromStore(stored.store, given, (task) => DEFAULT_LOSS[task])
      : await inMemory(data as Exclude<typeof data, StoredSamples>, given);
    return { ...ready, [DISPOSE]: () => stored?.close() };
  } catch (error) {
    stored?.close();
    throw error;
  }
}

async function inMemory(data: Exclude<Rows, StoredSamples> | TrainingData, given: Given): Promise<Ready> {
  if (given.memory !== undefined)
    throw expected('none but with a store of samples (packSamples writes one),', 'memory', given.memory);
  if (!areSamples(data)) return fromRows(data, given);
  const { labels, y, weights = given.weights, ...rest } = data as TrainingData;
  if (areLists(labels)) {
    const { loss = DEFAULT_LOSS['multi-label'] } = given;
    const told = await listedRows(labels, loss, given.classes ?? data.classes, 'data.labels');
    const beside = { ...(weights !== undefined && { weights }), y: told.y, classes: told.names };
    return fromSamples({ ...rest, ...beside }, { ...given, loss }, 'data.labels');
  }
  checkTold(data as TrainingData);
  const named = typeof labels === 'string' ? labels : typeof y === 'string' || isNames(y) ? y : undefined;
  if (named === undefined || given.layers !== undefined) {
    return fromSamples({ ...(data as TrainingData), ...(weights !== undefined && { weights }) }, given);
  }
  checkKeys(rest, ['x', 'validation', 'test'], 'data');
  const task = given.loss ? taskOf(given.loss) : typeof labels === 'string' ? 'classification' : 'regression';
  const { validation, test } = data;
  return fromRows(
    data.x,
    { ...given, task, target: named, ...(weights !== undefined && { weights }) },
    { ...(validation && { validation }), ...(test && { test }) },
  );
}

/** What rows count for. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, … */
async function weightsIn(frame: Frame, weights: string | WeightsLike): Promise<Float64Array> {
  if (typeof weights !== 'string') return turn(weightsOf(weights, frame.rows, 'weights'));
  const column = readable(namedColumn(frame, weights, 'weights'));
  const called = `column ${JSON.stringify(weights)} of ${frame.name}`;
  const values = new Float64Array(frame.rows);
  await inTurns(frame.rows, (row) => {
    const value = valueAt(column, row);
    if (typeof value !== 'number') throw expected('a number from 0', `${placeText(frame, row)} of ${called}`, value);
    values[row] = value;
  });
  return turn(weightsOf(values, frame.rows, called));
}

export const DEFAULT_LOSS = {
  classification: 'softmax-cross-entropy',
  regression: 'squared-error',
  'multi-label': 'sigmoid-cross-entropy',
} as const;

/** Rows in any of their forms, by column, read as the options say. */
export async function frameFor(rows: Rows, given: Given, name: string): Promise<Frame> {
  const { target, signal } = given;
  const reading = {
    ...pick({ ...DIALECT, columns: COLUMNS }, given),
    ...(signal && { signal }),
    ...(target !== undefined && typeof target !== 'object' && { target }),
  };
  if (isFile(rows)) return readFrame(rows, reading);
  checkObject(rows, 'records, a table, a stream, or the path of a file', name);
  checkNoStore(rows, name);
  const known = tableColumns(learntColumns(pick({ columns: COLUMNS }, given)));
  return frameOf(rows as never, { name, ...(signal && { signal }), ...(known.length > 0 && { known }) });
}

/** What the target holds, by the options or by itself. */
export const wantedBy = (
  frame: Frame,
  target: TargetPlaces,
  { task, loss, classes }: Partial<Given>,
): Promise<Wanted> => wantedOf(frame, target, task ?? (loss && taskOf(loss)), classes);

type Learnt = Partial<Columns> & Omit<Columns, 'places'>;
type Columns = Awaited<ReturnType<typeof learnColumns>>;

/** The columns as a model knows them, or as these rows teach. */
async function learnt(frame: Frame, given: Given, places: TargetPlaces): Promise<Learnt> {
  const known = learntColumns(pick({ columns: COLUMNS }, given));
  if (known.length > 0) return { columns: known, notes: [] };
  const targets = typeof places === 'object' ? places : [places];
  const noFeatures = typeof given.weights === 'string' ? [...targets, given.weights] : targets;
  return learnColumns(frame, {
    ...pick(LEARNING, given),
    ...(given.columns && { columns: given.columns as readonly ColumnPlace[] }),
    target: noFeatures,
  });
}

async function fromRows(
  rows: Rows,
  given: Given,
  beside: Pick<TrainingData, 'validation' | 'test'> = {},
): Promise<Ready> {
  const { target: place, validation = beside.validation, test = beside.test } = given;
  const frame = await frameFor(rows, given, 'data');
  if (place === undefined) {
    const names = frame.columns.map(({ name }) => name);
    throw expected(`the column to predict (one of ${listed(names)})`, 'options.target', place);
  }
  const target = targetNames(frame, place);
  const wanted = await wantedBy(frame, place, given);
  const { task, because } = given.goesOn ? { ...wanted, because: 'the model says so' } : wanted;
  const weights = given.weights === undefined ? undefined : await weightsIn(frame, given.weights);
  const goal = await goalOf(wanted, targetText(frame, place), given);
  const parts = validation ? undefined : await partsOf(frame.rows, goal.labels, given);
  const rest = parts ? await takeRows(frame, parts.train) : frame;
  const { columns, notes, places } = await learnt(rest, given, place);
  /** The features of a table that is laid out as this one, in which others may have their names. */
  const featuresOf = (of: Frame): Frame =>
    !areHashed(columns) && places?.every((at, c) => of.columns[at]?.name === columns[c]?.name)
      ? { ...of, columns: places.map((at) => of.columns[at] as FrameColumn) }
      : of;
  const part = async (of: Frame, which: Int32Array | undefined) => {
    const { x: made, cells, notes: more } = await encoded(featuresOf(of), columns);
    if (given.packs && made.sparse) throw expected('none, as a store keeps dense features,', 'hash', given.hash);
    const x = given.packs ? made : await laidOut(await turn(made));
    const told = goal.labels
      ? { labels: await some(goal.labels, which), ...(goal.classes && { classes: goal.classes }) }
      : { y: rowsAt(goal.y, which), ...(goal.names && { classes: goal.names }) };
    return turn({ x, cells, more, data: { x: asSamples(x), columns, ...told } as WeightedSamples });
  };
  /** Rows of another table, whose labels are those that these have. */
  const other = async (set: Rows | ArrivingSamples, name: string) => {
    if (areSamples(set)) return { data: set, more: [] };
    const found = await frameFor(set, { ...given, columns }, name);
    const { x: made, notes: more } = await encodedFor(featuresOf(found), { columns, inputs: 0, target });
    const told = await wantedOf(found, target, task, goal.labels ? undefined : goal.names);
    const x = asSamples(await laidOut(made));
    if (told.task !== 'classification') return { more, data: { x, columns, y: told.y } as ArrivingSamples };
    const { values: labels } = told;
    checkKnown(labels, given.classes ?? [...new Set((goal.labels ?? []).map(String))], found, target);
    return { more, data: { x, columns, labels } as ArrivingSamples };
  };
  const train = await part(rest, parts?.train);
  const held = parts
    ? await part({ ...(await takeRows(frame, parts.held)), name: `the rows held out of ${frame.name}` }, parts.held)
    : validation === undefined
      ? undefined
      : await other(validation, 'validation');
  const tested = test === undefined ? undefined : await other(test, 'test');
  const counted = weights && (await some(weights, parts?.train));
  const few = await alone(goal.labels, goal.labels && goal.classes, parts, `column ${JSON.stringify(String(target))}`);
  return {
    data: {
      ...train.data,
      target,
      ...(counted && { weights: counted }),
      ...(held && { validation: held.data }),
      ...(tested && { test: tested.data }),
    },
    ...(given.packs && { cells: train.cells }),
    samples: rest.rows,
    inputs: train.x.columns,
    features: columns.length,
    outputs: goal.labels ? goal.count : goal.y.columns,
    loss: given.loss ?? (goal.labels && given.classLoss) ?? DEFAULT_LOSS[task],
    standardise: given.standardise ?? (areHashed(columns) || !(await comparable(train.x))),
    ...(train.x.sparse && { sparse: true }),
    task,
    because,
    target,
    ...toldOf(parts, given, goal.labels),
    warnings: [
      ...(wanted.doubt === undefined ? [] : [wanted.doubt]),
      ...few,
      // Of columns that are learnt here nothing is unseen in the rows that they are learnt from.
      ...[...notes, ...(places ? [] : train.more), ...(held?.more ?? []), ...(tested?.more ?? [])].map(
        ({ text }) => text,
      ),
    ],
  };
}

/** Entries of a row; 0 where the first row of a stream will tell. */
async function widthOf(rows: unknown, name: string): Promise<number> {
  if ((isMatrix(rows) || isRowSource(rows)) && typeof rows.columns === 'number') return rows.columns;
  if (isArray(rows)) checkRows(rows.length, name);
  if (areSparseRows(rows)) return inSteps(sparseWidth(rows));
  const first: unknown = isArray(rows) ? rows[0] : undefined;
  if (typeof first === 'number') return 1;
  if (isArray(first) || isNumericArray(first)) {
    if (first.length > 0) return first.length;
    throw expected('a row of at least one number', `${name}[0]`, first, 'ERR_DLADMM_SHAPE');
  }
  if (isStream(rows)) return 0;
  if (tableOf(rows, name))
    throw expected('rows of numbers (columns have their labels among them: fit(columns, { target }))', name, rows);
  if (rows === undefined) throw expected('rows of values, as these are to be learnt,', name, rows);
  throw expected(`layers, as how many numbers a row of ${name} has is not known before it comes,`, 'options', rows);
}

/** The classes that labels without names tell apart. */
const countOf = (labels: LabelsLike | undefined, named: readonly string[] | undefined): number =>
  named?.length ?? new Set<unknown>(labels).size;

const HELD = { classification: 'labels', regression: 'rows of values', 'multi-label': 'any number of labels' } as const;

/** Samples with labels or targets beside them. */
async function fromSamples(data: TrainingData, given: Given, called = 'data.y'): Promise<Ready> {
  if (!given.goesOn) checkNoRows(given);
  const { validation, test, ...samples } = data;
  const {
    layers,
    loss = given.task !== 'classification' && (given.task || (samples.labels === undefined && samples.y !== undefined))
      ? DEFAULT_LOSS[given.task ?? 'regression']
      : (given.classLoss ?? DEFAULT_LOSS.classification),
  } = given;
  const task = taskOf(loss);
  const inputs = layers?.[0] ?? (await widthOf(samples.x, 'data.x'));
  const carried = samples.y === undefined && isStream(samples.x);
  const width = async (y: unknown) => (isNumericArray(y) ? 1 : carried ? 0 : widthOf(y, 'data.y'));
  const wide = task === 'classification' ? 1 : (layers?.at(-1) ?? (await width(samples.y)));
  const rules = {
    network: { layers: [inputs, wide], activation: 'relu', loss },
    ...({ dtype: 'float64', exact: true, exactTargets: true } as const),
    ...(given.goesOn && given.columns === undefined && { nameless: 'the model' }),
    ...(given.signal && { signal: given.signal }),
  } as const;
  const { x, y, weights, ...arrived } = await arrivingSamples(data, rules, 'data', ['validation', 'test', 'weights']);
  const { labels } = arrived;
  if (labels && !isNumericArray(labels) && !isArray(labels))
    throw expected('an array of class numbers', 'data.labels', labels);
  const count = y?.rows ?? labels?.length ?? x.rows;
  if (count !== x.rows)
    throw expected(`${x.rows} of them, one a sample,`, y ? called : 'data.labels', count, 'ERR_DLADMM_SHAPE');
  await checkFinite(x);
  if (y) await (layers === undefined ? checkVaries(y, task, called) : checkFinite(y));
  const told = task === 'classification' && layers === undefined && !arrived.classes ? labels : undefined;
  const goal = told && numberedGoal(told, given.classes);
  const rest = goal?.labels
    ? { ...arrived, labels: goal.labels as LabelsLike, ...(goal.classes && { classes: goal.classes }) }
    : arrived;
  const parts = validation ? undefined : await partsOf(x.rows, rest.labels, given);
  const outputs =
    layers?.at(-1) ??
    (task === 'classification' ? countOf(rest.labels, given.classes ?? rest.classes) : (y?.columns ?? wide));
  // What is told of a label is its place among all of them, before some are held out.
  if (parts && !given.goesOn) await checkLabels(rest, given.classes, classCount(loss, outputs));
  const part = async (which: Int32Array | undefined): Promise<WeightedSamples> => ({
    ...rest,
    x: asSamples(which ? await someRows(x, which) : x),
    ...(rest.labels && which && { labels: await some<string | number | boolean>(rest.labels, which) }),
    ...(y && { y: asSamples(which ? await someRows(y, which) : y) }),
  });
  const held = parts ? await part(parts.held) : validation;
  const counted = weights && (await some(weights, parts?.train));
  return {
    data: {
      ...(await part(parts?.train)),
      ...(counted && { weights: counted }),
      ...(held && { validation: held }),
      ...(test && { test }),
    },
    samples: parts?.train.length ?? x.rows,
    features: inputs,
    inputs: x.columns,
    outputs,
    loss,
    standardise: given.standardise ?? !(await comparable(x)),
    ...(x.sparse && { sparse: true }),
    task,
    because: `the samples have ${HELD[task]}`,
    ...toldOf(parts, given, rest.labels),
    warnings: await alone(rest.labels, rest.classes ?? given.classes, parts, 'data.labels'),
  };
}
