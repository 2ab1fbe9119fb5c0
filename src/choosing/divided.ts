/** Samples in any of their forms, taken in once, of which parts are trained on and judged by. */
import { checkKeys, checkObject } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { toJson } from '../core/json.js';
import { native } from '../core/native.js';
import { classCount, classifies, type Loss } from '../network/network.js';
import { SEED } from '../network/schema.js';
import { isNames } from '../samples/arrived.js';
import { areSamples } from '../samples/arriving.js';
import { classNumbers, learnClasses } from '../samples/classes.js';
import { type Frame, type FrameColumn, namedColumn, takeRows, valueAt } from '../samples/frame.js';
import { isGraph } from '../samples/graph-samples.js';
import { someRows } from '../samples/hold-out.js';
import { type Target, targetsOf, targetText, taskOf } from '../samples/targets.js';
import { type WeightsLike, weightsOf } from '../samples/weights.js';
import { allRows, asSamples, breathe, inTurns, type RowSource } from '../tensor/inputs.js';
import { readyOf } from '../training/front/front.js';
import { goalOf, ordered } from '../training/front/goal.js';
import { DEFAULT_LOSS } from '../training/front/ready.js';
import { frameFor, wantedBy } from '../training/front/rows.js';
import type { Rows } from '../training/options.js';
import type { TrainingData } from '../training/result.js';
import type { AnyOptions } from './options.js';

/** What trainings take. */
export type Data = Rows | TrainingData;

/** Samples of which parts can be had. */
export interface Divided {
  readonly samples: number;
  /** The class of each sample; of values nothing. */
  readonly labels: ArrayLike<unknown> | undefined;
  /** What a training makes small where its options do not say. */
  readonly loss: Loss;
  /** What a training of a part is told, so that it has the classes of the whole. */
  readonly told: AnyOptions;
  /** All of them, as they came. */
  readonly whole: Data;
  /** To judge by, all counting alike, or to train on by options, whose weights they then have. */
  part(rows: Int32Array, trains?: AnyOptions): Data | Promise<Data>;
  /** The options of a training on some of them. */
  optionsOn(rows: Int32Array, options: AnyOptions): AnyOptions;
  /** The values of a column. @throws DlAdmmError ERR_DLADMM_ARGUMENT */
  column(name: string): Promise<readonly unknown[]>;
  /** A checksum of everything that is learnt from. */
  checksum(): Promise<string>;
}

/** @throws DlAdmmError whatever taking the samples in can cause */
export async function divided(data: Data, options: AnyOptions): Promise<Divided> {
  if (typeof data !== 'string') checkObject(data, 'rows, { x, labels } or { x, y }', 'data');
  if (isGraph(data)) throw expected('samples, not a graph, whose nodes cannot be parted', 'data', data);
  if (!areSamples(data)) return ofRows(data, options);
  const { labels, y, x, weights, ...rest } = data as TrainingData;
  const named = typeof labels === 'string' ? labels : typeof y === 'string' || isNames(y) ? y : undefined;
  if (named !== undefined) {
    checkKeys(rest, [], 'data beside x and its target');
    const { loss } = options;
    const task = loss ? taskOf(loss) : typeof labels === 'string' ? 'classification' : 'regression';
    return ofRows(x, { ...options, ...(weights !== undefined && { weights }), target: named, task });
  }
  for (const name of ['validation', 'test'] as const) {
    if (data[name] !== undefined)
      throw expected('none, as folds are held out of the samples,', `data.${name}`, data[name]);
  }
  return ofSamples(data as TrainingData, options);
}

async function ofRows(rows: Rows, options: AnyOptions): Promise<Divided> {
  const given = { seed: SEED, holdsOut: false, ...options };
  const whole = await frameFor(rows, given, 'data');
  const { target } = options;
  if (target === undefined) throw expected('the column to predict', 'target', target);
  const wanted = await wantedBy(whole, target, given);
  const { task } = wanted;
  const told = { target, task, ...(typeof options.weights === 'string' && { weights: options.weights }) } as const;
  const weighed = (weights: unknown) => weightsOf(weights, whole.rows, 'weights');
  const weights = typeof options.weights === 'object' ? weighed(options.weights) : undefined;
  const optionsOn = (of: Int32Array, own: AnyOptions) => {
    const all = own.weights === undefined || own.weights === options.weights ? weights : own.weights;
    return typeof all === 'object' ? { ...own, weights: someOf(weighed(all), of) } : own;
  };
  const beside = {
    ...{ samples: whole.rows, whole, optionsOn, loss: options.loss ?? DEFAULT_LOSS[task] },
    checksum: async () => checksumOf([...whole.columns.map(bytesOfColumn), ...bytesOfAny(weights)]),
  };
  const column = async (which: string) => {
    const found = namedColumn(whole, which, 'groups');
    const values: unknown[] = [];
    await inTurns(whole.rows, (row) => values.push(valueAt(found, row)));
    return values;
  };
  // Here, as a part does not know where its rows stand.
  await goalOf(wanted, targetText(whole, target), given);
  if (wanted.task !== 'classification') {
    const labels = wanted.names && { classes: wanted.names };
    return { ...beside, column, labels: undefined, told: { ...told, ...labels }, part: (of) => takeRows(whole, of) };
  }
  const { values } = wanted;
  const { name } = targetsOf(whole, target)[0];
  // A part may lack a class, or the numbers that come before it: classes are told by their names.
  const classes = options.classes ?? [...new Set(values)].toSorted(ordered).map(String);
  await breathe();
  const named = await withTexts(whole, name, values, classes);
  return { ...beside, column, labels: values, told: { ...told, classes }, part: (of) => takeRows(named, of) };
}

/** A table in which a column holds the names of classes. */
async function withTexts(
  frame: Frame,
  name: string,
  values: readonly Target[],
  texts: readonly string[],
): Promise<Frame> {
  const places = new Map<Target, number>(texts.map((text, i) => [text, i]));
  const codes = new Int32Array(values.length);
  await inTurns(values.length, (i) => {
    const value = values[i] as Target;
    // Numbers may count the classes that the options name.
    const own = places.get(value) ?? places.get(String(value));
    const code = own ?? (typeof value === 'number' && value in texts ? value : undefined);
    if (code === undefined) throw expected(`one of ${texts.join(', ')}`, `column ${name}`, value, 'ERR_DLADMM_LABEL');
    places.set(value, code);
    codes[i] = code;
  });
  const column: FrameColumn = { name, missing: 0, kind: 'text', codes, texts };
  return { ...frame, columns: frame.columns.map((each) => (each.name === name ? column : each)) };
}

async function ofSamples(data: TrainingData, options: AnyOptions): Promise<Divided> {
  const ready = await readyOf(data, { seed: SEED, holdsOut: false, ...options, validationShare: 0 });
  const { x: rows, y: values, labels: given, classes: own, weights: counted, ...rest } = ready.data;
  const weights = counted as WeightsLike | undefined;
  const [x, y] = [rows, values] as unknown as readonly [RowSource, RowSource | undefined];
  const { loss, outputs } = ready;
  const names = classifies(loss) ? namesOf(given as never, own, options.classes, classCount(loss, outputs)) : undefined;
  const labels = names && classNumbers(given as never, own, names, x.rows, names.classes.length, 'data.labels');
  const classes = names?.classes;
  /** Those of the samples, or of options that the samples have not been taken in by. */
  const weightsBy = (own: AnyOptions) => {
    if (own.weights === undefined || own.weights === options.weights) return weights;
    if (weights === undefined) return weightsOf(own.weights, x.rows, 'weights');
    throw expected('none, as the samples have some,', 'weights', own.weights);
  };
  return {
    samples: x.rows,
    labels,
    loss,
    // Parts of rows of 0 and 1 do not say that they are labels.
    told: ready.task === 'multi-label' ? { loss } : {},
    whole: ready.data,
    async column(name) {
      const text = `Expected a group for each sample, as x has no column ${name} to group by`;
      throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
    },
    // Weights go with the samples.
    optionsOn(_, told) {
      weightsBy(told);
      const { weights: __, ...own } = told;
      return own;
    },
    part: async (of, trains) => {
      const counts = trains && weightsBy(trains);
      return {
        ...rest,
        x: asSamples(await someRows(x, of)),
        ...(labels && classes && { labels: Int32Array.from(of, (row) => labels[row] as number), classes }),
        ...(y && { y: asSamples(await someRows(y, of)), ...(own && { classes: own }) }),
        ...(counts && { weights: someOf(counts, of) }),
      };
    },
    async checksum() {
      const { indptr, indices, values } = x.sparse ?? {};
      const features = indptr && indices && values ? [indptr, indices, values] : [await allRows(x)];
      const targets = labels ?? (y && (await allRows(y)));
      const all = [...features, targets as Float64Array].map(bytesOf);
      return checksumOf([...all, encoder.encode(toJson(classes)), ...bytesOfAny(weights)]);
    },
  };
}

/** The classes of the whole by name; they count from 0 where they have none. */
function namesOf(
  labels: never,
  own: readonly string[] | undefined,
  given: readonly string[] | undefined,
  count: number,
) {
  const { classes = Array.from({ length: count }, (_, i) => String(i)), ...kind } = learnClasses(
    labels,
    own,
    given,
    count,
    'data.labels',
  );
  return { classes, ...kind };
}

const someOf = (weights: WeightsLike, rows: Int32Array): Float64Array =>
  Float64Array.from(rows, (row) => weights[row] as number);

/** Weights as bytes, where there are some. */
const bytesOfAny = (weights: WeightsLike | undefined): readonly Uint8Array[] =>
  weights ? [bytesOf(Float64Array.from(weights as ArrayLike<number>))] : [];

const encoder = new TextEncoder();
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function bytesOfColumn(column: FrameColumn): Uint8Array {
  const { name, kind } = column;
  const head = encoder.encode(toJson([name, kind, column.kind === 'text' ? column.texts : 0]));
  const body = bytesOf(column.kind === 'text' ? column.codes : column.values);
  const all = new Uint8Array(head.length + body.length);
  all.set(head);
  all.set(body, head.length);
  return all;
}

export function checksumOf(parts: readonly Uint8Array[]): string {
  const hash = new native.Hash64();
  for (const part of parts) hash.update(part);
  return hash.digest();
}
