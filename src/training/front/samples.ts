/** Samples with labels or targets beside them, made ready for a training. */
import { expected } from '../../core/errors.js';
import { DIALECT } from '../../formats/csv.js';
import { classCount } from '../../network/network.js';
import { arrivingSamples, isStream, type WeightedSamples } from '../../samples/arriving.js';
import { someRows } from '../../samples/hold-out.js';
import { LEARNING } from '../../samples/learning.js';
import { tableOf } from '../../samples/table.js';
import { taskOf } from '../../samples/targets.js';
import { areSparseRows, inSteps, sparseWidth } from '../../tensor/csr.js';
import {
  asSamples,
  checkRows,
  isArray,
  isMatrix,
  isNumericArray,
  isRowSource,
  type LabelsLike,
} from '../../tensor/inputs.js';
import type { FrontOptions } from '../options.js';
import type { TrainingData } from '../result.js';
import { alone, checkLabels, checkVaries, numberedGoal } from './goal.js';
import { partsOf, some, toldOf } from './parts.js';
import { checkFinite, comparable } from './passes.js';
import { DEFAULT_LOSS, type Given, type Ready } from './ready.js';

const OF_ROWS: readonly string[] = Object.keys({ target: 0, columns: 0, ...LEARNING, ...DIALECT });

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for what is said of rows whose columns are yet to be read */
export function checkNoRows(options: FrontOptions, others: readonly string[] = []): void {
  const [odd, value] =
    Object.entries(options).find(
      ([key, value]) => value !== undefined && (OF_ROWS.includes(key) || others.includes(key)),
    ) ?? [];
  if (odd !== undefined) throw expected('none with samples, as it is for rows of columns,', odd, value);
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
export async function fromSamples(data: TrainingData, given: Given, called = 'data.y'): Promise<Ready> {
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
