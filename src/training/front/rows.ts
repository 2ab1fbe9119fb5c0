/** Rows with their target among them, made ready for a training: read, told apart, encoded. */
import { checkObject } from '../../core/checks.js';
import { expected, listed } from '../../core/errors.js';
import { isFile, readFrame } from '../../datasets/frame-file.js';
import { DIALECT } from '../../formats/csv.js';
import { checkNoStore } from '../../formats/sample-file.js';
import { pick } from '../../network/schema.js';
import { type ArrivingSamples, areSamples, type WeightedSamples } from '../../samples/arriving.js';
import { encoded, encodedFor } from '../../samples/encoded.js';
import { COLUMNS, type ColumnPlace, learntColumns } from '../../samples/features.js';
import {
  type Frame,
  type FrameColumn,
  namedColumn,
  placeText,
  readable,
  takeRows,
  valueAt,
} from '../../samples/frame.js';
import { frameOf } from '../../samples/framing.js';
import { areHashed, tableColumns } from '../../samples/hashed.js';
import { LEARNING, learnColumns } from '../../samples/learning.js';
import {
  checkKnown,
  type TargetPlaces,
  targetNames,
  targetText,
  taskOf,
  type Wanted,
  wantedOf,
} from '../../samples/targets.js';
import { type WeightsLike, weightsOf } from '../../samples/weights.js';
import { asSamples, inTurns, turn } from '../../tensor/inputs.js';
import type { Rows } from '../options.js';
import type { TrainingData } from '../result.js';
import { alone, goalOf } from './goal.js';
import { partsOf, rowsAt, some, toldOf } from './parts.js';
import { comparable, laidOut } from './passes.js';
import { DEFAULT_LOSS, type Given, type Ready } from './ready.js';

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

export async function fromRows(
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
