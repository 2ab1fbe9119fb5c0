import { checkKeys, checkObject, oneOf } from '../core/checks.js';
import { expected } from '../core/errors.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import { checkDistinct, classifies, domainOf, domainText, type Loss } from '../network/network.js';
import { areSparseRows, featureRowsInTurns, isCsr } from '../tensor/csr.js';
import { isArray, isMatrix, isNumericArray, type RowSource, rowSource, trusted } from '../tensor/inputs.js';
import {
  type ArrivalRules,
  type Arrived,
  type Arriving,
  type ArrivingSamples,
  isRecord,
  type RowSamples,
  type RowsLike,
  type WeightedSamples,
} from './arrived.js';
import { type Column, checkColumns, placesOf } from './columns.js';
import { encoded } from './encoded.js';
import { frameOf } from './framing.js';
import { fromStream } from './gathering.js';
import { areHashed } from './hashed.js';
import { areLists, listedRows } from './label-lists.js';
import { fromTable } from './named-rows.js';
import { isTable, tableOf } from './table.js';
import { weightsOf } from './weights.js';

export type {
  ArrivalRules,
  Arrived,
  ArrivingSamples,
  LabelledBlock,
  LabelledRow,
  RowsLike,
  StreamItem,
  WeightedSamples,
} from './arrived.js';

/** Whether data are samples with their labels or targets beside, rather than rows of columns. */
export const areSamples = (data: unknown): data is ArrivingSamples =>
  typeof data === 'object' && data !== null && !isArray(data) && !isMatrix(data) && !isTable(data) && 'x' in data;

function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  try {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
    return Symbol.asyncIterator in value || Symbol.iterator in value;
  } catch {
    return false;
  }
}

/** Whether rows must be gathered: a stream, or an array of something richer than rows. */
export const isStream = (x: unknown): x is Iterable<unknown> | AsyncIterable<unknown> =>
  isArray(x) ? x.length > 0 && isRecord(x[0]) && !areSparseRows(x) : isIterable(x);

/**
 * Samples without labels, as a source of rows.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_DETACHED; for tables and streams also
 *   ERR_DLADMM_LABEL (a category that the model does not know), ERR_DLADMM_NON_FINITE, ERR_DLADMM_STREAM
 */
export async function arrivingRows(x: unknown, rules: ArrivalRules, name: string): Promise<RowSource> {
  const names = { x: name, labels: 'labels', y: 'y' };
  return (await arrive({ samples: { x: x as RowsLike }, rules, targets: 'none', names })).x;
}

const SAMPLE_KEYS: readonly string[] = ['x', 'labels', 'y', 'classes', 'columns', 'texts', 'target'];

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where samples have nothing to learn, or values that are none */
export function checkTold(samples: WeightedSamples): void {
  checkKeys(samples, [...SAMPLE_KEYS, 'validation', 'test', 'weights'], 'data');
  const { x, labels, y } = samples;
  if (labels === null) throw expected('an array of labels', 'data.labels', labels);
  if (labels === undefined && y === undefined && !isStream(x)) {
    throw expected('labels (of classes) or y (of values) beside x', 'data', { x });
  }
  const first: unknown = isArray(y) ? y[0] : undefined;
  const named = typeof first === 'string' && !(isArray(x) && !isRecord(x[0]));
  if (first === undefined || named || typeof first === 'number' || isArray(first) || isNumericArray(first)) return;
  throw expected('a number, or a row of numbers (classes stand in labels),', 'data.y[0]', first);
}

/**
 * Samples with their labels or targets.
 *
 * @param name how errors call them; their parts are called after it
 * @param more keys that they may have beside
 * @throws DlAdmmError as {@link arrivingRows}, ERR_DLADMM_ABORTED
 */
export async function arrivingSamples(
  samples: unknown,
  rules: ArrivalRules,
  name: string,
  more: readonly string[] = [],
): Promise<Arrived> {
  checkObject(samples, '{ x, labels } or { x, y }', name || 'samples');
  checkKeys(samples, [...SAMPLE_KEYS, ...more], name || 'samples');
  const part = (field: string): string => (name === '' ? field : `${name}.${field}`);
  const names = { x: part('x'), labels: part('labels'), y: part('y') };
  const given = await withRows(samples as WeightedSamples, rules, names.labels);
  if (given.texts !== undefined) oneOf(given.texts, ['one-hot'], part('texts'));
  checkNames(given.classes, part('classes'));
  const targets = classifies(rules.network.loss) ? 'labels' : 'y';
  const arrived = await arrive({ samples: given, rules, targets, names });
  const named = given.columns && namedColumns(given.columns, part('columns'));
  // What came by name is told of by its names.
  const columns = arrived.columns ?? named;
  if (columns)
    checkColumns(columns, arrived.x.columns, arrived.columns ? `the columns of ${names.x}` : part('columns'));
  const same = isArray(named) && named.every((column, c) => column === rules.columns?.[c]);
  const ordered = named && !arrived.columns && !same && rules.columns;
  const weights = typeof given.weights === 'string' ? arrived.weights : (given.weights ?? arrived.weights);
  if (given.weights !== undefined && weights === undefined) {
    throw expected('weights themselves, as x has no named columns,', part('weights'), given.weights);
  }
  if (weights !== undefined && !more.includes('weights')) {
    throw expected('no weights, as measures count all samples alike,', part('weights'), weights);
  }
  const { y } = arrived;
  return {
    ...arrived,
    ...(y && { y: inDomain(y, rules.network.loss) }),
    ...(ordered && { x: inOrder(arrived.x, placesOf(named, ordered, part('columns'))) }),
    ...(weights !== undefined && { weights: weightsOf(weights, arrived.x.rows, part('weights')) }),
    ...(given.classes && { classes: given.classes }),
    ...(columns && { columns: ordered || columns }),
  };
}

/** Samples whose lists of labels have become rows. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL */
async function withRows(
  samples: WeightedSamples,
  { network, labels: known }: ArrivalRules,
  name: string,
): Promise<RowSamples> {
  const { labels, ...rest } = samples;
  if (!areLists(labels)) return samples as RowSamples;
  const { loss, layers } = network;
  const { names, y } = await listedRows(labels, loss, known ?? samples.classes, name);
  const outputs = layers.at(-1) ?? 0;
  if (outputs > 0 && names.length !== outputs) {
    throw expected(`${outputs} different labels, one an output,`, name, names, 'ERR_DLADMM_SHAPE');
  }
  return { ...rest, y, classes: names };
}

/** Target values, each of which is refused that the loss does not take. */
function inDomain(source: RowSource, loss: Loss): RowSource {
  const [least, most] = domainOf(loss) ?? [];
  if (least === undefined || most === undefined) return source;
  return trusted({
    ...source,
    chunk(first, count) {
      const values = source.chunk(first, count);
      const bad = values.findIndex((value) => value < least || value > most);
      if (bad < 0) return values;
      const [row, column] = [first + Math.floor(bad / source.columns), bad % source.columns];
      throw expected(
        domainText(loss),
        `row ${row}, column ${column} of ${source.name}`,
        values[bad],
        'ERR_DLADMM_RANGE',
      );
    },
  });
}

/** Rows whose input j is that at places[j]. */
function inOrder(source: RowSource, places: Int32Array): RowSource {
  if (places.length === source.columns && places.every((place, j) => place === j)) return source;
  const { name, rows, columns } = source;
  const width = places.length;
  return trusted({
    name,
    rows,
    columns: width,
    chunk(first, count) {
      const from = source.chunk(first, count);
      const out = zeros(dtypeOf(from), count * width);
      for (let i = 0; i < count; i += 1) {
        for (let j = 0; j < width; j += 1) out[i * width + j] = from[i * columns + (places[j] as number)] as number;
      }
      return out;
    },
    ...(source.release && { release: (row: number) => source.release?.(row) }),
  });
}

export function checkNames(classes: unknown, name: string): void {
  if (classes === undefined) return;
  const isNames = isArray(classes) && classes.every((text) => typeof text === 'string');
  if (!isNames) throw expected('an array of class names', name, classes);
  checkDistinct(classes as readonly string[], name);
}

function namedColumns(columns: unknown, name: string): readonly Column[] {
  if (!isArray(columns)) throw expected('an array of names of columns', name, columns);
  return columns.map((column) => (typeof column === 'string' ? { name: column } : (column as Column)));
}

async function arrive(arriving: Arriving): Promise<Arrived> {
  const { samples, rules, targets, names } = arriving;
  const { x, labels, y } = samples;
  const { layers } = rules.network;
  const table = isCsr(x) ? undefined : tableOf(x, names.x);
  const { columns, signal } = rules;
  const hashed = areHashed(columns) && (table !== undefined || isStream(x)) ? columns : undefined;
  if (table && !hashed) return fromTable(table, arriving);
  if (isStream(x) && !hashed) return fromStream(x, arriving);
  const frame = hashed && (await frameOf(x as never, { name: names.x, ...(signal && { signal }) }));
  const source =
    frame && hashed ? (await encoded(frame, hashed)).x : await featureRowsInTurns(x, layers[0] ?? 0, names.x);
  const told = { x: source, ...(hashed && { columns: hashed }) };
  if (targets === 'labels') {
    if (typeof labels === 'string')
      throw expected('labels themselves, as x has no named columns,', names.labels, labels);
    return { ...told, ...(labels !== undefined && { labels }) };
  }
  return { ...told, ...(targets === 'y' && { y: rowSource(y, layers.at(-1) ?? 0, names.y) }) };
}
