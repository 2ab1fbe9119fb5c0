import { stat } from 'node:fs/promises';
import { DlAdmmError, expected } from '../core/errors.js';
import type { ClassificationSplit, RegressionSplit } from '../datasets/dataset.js';
import { loadDataset } from '../datasets/datasets.js';
import { parseTable, type TableFile, type TableFileOptions } from '../datasets/file.js';
import { datasetNames } from '../datasets/registry.js';
import { firstSamples, splitDataset } from '../datasets/split.js';
import { checkWritable } from '../formats/atomic-file.js';
import { readBytes } from '../formats/bytes.js';
import { isStandardInput } from '../formats/pipes.js';
import { alignLabels } from '../samples/align.js';
import type { Decimal } from '../samples/cells.js';
import type { Column } from '../samples/columns.js';
import type { Matrix } from '../tensor/matrix.js';
import { TEST_SHARE, VALIDATION_SHARE } from './defaults.js';

/** The options that say which samples are meant. */
export interface DataFlags {
  readonly data: string;
  readonly dataDir?: string;
  readonly download: boolean;
  /** For tables: CSV, Parquet, Arrow. */
  readonly label?: string | number | null;
  /** For tables: what becomes of texts among the features. */
  readonly categories?: 'one-hot';
  /** For tables: the columns that are features, or those that a model was trained on. */
  readonly columns?: TableFileOptions['columns'];
  /** For tables: the columns that are none. */
  readonly ignore?: TableFileOptions['ignore'];
  /** For CSV: how it is written, where it is not found by itself. */
  readonly delimiter?: string;
  readonly header?: boolean;
  readonly decimal?: Decimal;
  readonly encoding?: string;
  /** For NPY and IDX files. */
  readonly labels?: string;
  readonly task?: 'classification' | 'regression';
}

/** The options that say what a training makes of them. */
export interface SplitFlags extends DataFlags {
  readonly testData?: string;
  readonly testLabels?: string;
  readonly trainSamples?: number;
  readonly testShare?: number;
  readonly validationShare?: number;
  readonly earlyStopping?: number;
  /** Whether a share is held out for early stopping. */
  readonly watched?: boolean;
  readonly seed: number;
}

export type Part = ClassificationSplit | RegressionSplit;

/** Everything a training needs to know of its samples. */
export interface TrainingSamples {
  readonly name: string;
  /** The names of the outputs; absent for regression. */
  readonly classes?: readonly string[];
  /** What the features are called, where the file says so. */
  readonly columns?: readonly Column[];
  readonly outputs: number;
  readonly train: Part;
  readonly validation?: Part;
  readonly test?: Part;
}

type Labelled = Exclude<TableFile, { task: 'unlabelled' }>;

/** How a file is to be read, as the flags say. */
function tableOptions({ label, labels, task, categories, columns, ignore, ...flags }: DataFlags): TableFileOptions {
  const { delimiter, header, decimal, encoding } = flags;
  const told = { label, labels, task, categories, columns, ignore, delimiter, header, decimal, encoding };
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
}

const isName = (data: string): boolean => (datasetNames as readonly string[]).includes(data);

/** The files behind some options, none of which an output may take the place of. */
export const filesOf = (...paths: readonly (string | undefined)[]): readonly string[] =>
  paths.filter((path) => path !== undefined && !isStandardInput(path) && !isName(path)) as readonly string[];

/**
 * Finds out before a long work whether `target` can be written, and that it is none of the files that are read.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_ARGUMENT
 */
export async function checkTarget(target: string, inputs: readonly string[]): Promise<void> {
  await checkWritable(target);
  const identity = async (path: string) => {
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    return found && `${found.dev} ${found.ino}`;
  };
  const present = await identity(target);
  if (present === undefined) return;
  for (const input of inputs) {
    if ((await identity(input)) === present) {
      throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `Refused to write to ${target}: that is the file to read from`);
    }
  }
}

/** The content of the file that is meant. */
async function bytesOf({ data }: DataFlags, signal: AbortSignal): Promise<Uint8Array> {
  try {
    return await readBytes(data, signal);
  } catch (error) {
    const missing = error instanceof DlAdmmError && error.code === 'ERR_DLADMM_FILE' && /^[\w-]+$/.test(data);
    if (!missing || isStandardInput(data)) throw error;
    throw new DlAdmmError(
      error.code,
      `${error.message}; nor is it the name of a data set (those are ${datasetNames.join(', ')})`,
      { cause: error },
    );
  }
}

/** Labelled or unlabelled samples, by name or from a file. */
async function readSamples(flags: DataFlags, signal: AbortSignal): Promise<TableFile> {
  const { data, dataDir, download } = flags;
  if (!isName(data)) return parseTable(await bytesOf(flags, signal), data, { ...tableOptions(flags), signal });
  const [odd] = Object.keys(tableOptions(flags));
  if (odd)
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `Expected no --${odd} with the data set ${data}: it is for files`);
  return loadDataset(data, { signal, download, ...(dataDir !== undefined && { dataDir }) });
}

async function readLabelled(flags: DataFlags, signal: AbortSignal): Promise<Labelled> {
  const file = await readSamples(flags, signal);
  if (file.task !== 'unlabelled') return file;
  throw new DlAdmmError(
    'ERR_DLADMM_FORMAT',
    `${flags.data} has no labels: an NPZ file needs an array y, for an NPY or IDX file --labels names the file that has them`,
  );
}

/** `part` with its labels numbering `classes`, where both have classes. */
function aligned(file: Labelled, part: Part, classes: readonly string[] | undefined): Part {
  if (file.task !== 'classification' || classes === undefined || !('labels' in part)) return part;
  return { ...part, labels: alignLabels(part.labels, file.classes, classes, file.name), classes };
}

function split(part: Part, share: number, seed: number): { readonly rest: Part; readonly taken: Part } {
  const { train, test } =
    'labels' in part ? splitDataset(part.x, part.labels, share, seed) : splitDataset(part.x, part.y, share, seed);
  return { rest: train, taken: test };
}

/** Which part of a set is meant. */
export type Which = 'train' | 'test';

/** The named part, or without a name the test part where there is one, else all there is. */
function pick(file: Labelled, which: Which | undefined): Part {
  if (which === 'train') return file.train;
  if (file.test !== undefined) return file.test;
  if (which === 'test') throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `${file.name} has no test part: leave --part out`);
  return file.train;
}

/** What samples must be like to suit a model, or other samples. */
export interface Demands {
  /** Whose demands these are. */
  readonly by: string;
  readonly task: 'classification' | 'regression';
  readonly inputs: number;
  readonly outputs: number;
  readonly classes?: readonly string[];
  readonly columns?: readonly Column[];
}

const columnsOf = ({ columns }: Demands): Pick<DataFlags, 'columns'> => (columns ? { columns } : {});

const unsuited = (wanted: string, { by }: Demands, data: string, found: string | number): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_SHAPE', `Expected ${wanted} in ${data}, to suit ${by}, but found ${found}`);

/**
 * Labelled samples that suit a model or other samples, their labels numbering its classes.
 *
 * @throws DlAdmmError whatever reading them can cause, and where they do not suit
 */
export async function labelledSamples(
  flags: DataFlags,
  which: Which | undefined,
  demands: Demands,
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly part: Part }> {
  const { data } = flags;
  const { task, inputs, outputs, classes } = demands;
  const file = await readLabelled(isName(data) ? flags : { ...flags, ...columnsOf(demands), task }, signal);
  const part = pick(file, which);
  if (file.task !== task) throw unsuited(task, demands, data, file.task);
  if (part.x.columns !== inputs) throw unsuited(`${inputs} features`, demands, data, part.x.columns);
  if (file.task === 'regression' && file.outputs !== outputs) {
    throw unsuited(`${outputs} targets`, demands, data, file.outputs);
  }
  return { name: file.name, part: aligned(file, part, classes) };
}

async function testPart(flags: SplitFlags, file: Labelled, signal: AbortSignal): Promise<Part | undefined> {
  const { data, testData, testLabels, label, dataDir, download, delimiter, header, decimal, encoding, ignore } = flags;
  if (testData === undefined) return file.test;
  const demands: Demands = {
    by: flags.data,
    task: file.task,
    inputs: file.train.x.columns,
    ...(file.columns && { columns: file.columns }),
    ...(file.task === 'classification'
      ? { outputs: file.classes.length, classes: file.classes }
      : { outputs: file.outputs }),
  };
  if (testData !== undefined && isStandardInput(testData) && isStandardInput(data)) {
    throw new DlAdmmError(
      'ERR_DLADMM_ARGUMENT',
      'Expected one of --data and --test-data from the standard input, which is read once',
    );
  }
  const source: DataFlags = {
    ...(!isName(testData) && { delimiter, header, decimal, encoding, ignore, label }),
    data: testData,
    download,
    ...(dataDir !== undefined && { dataDir }),
    ...(testLabels !== undefined && { labels: testLabels }),
  } as DataFlags;
  return (await labelledSamples(source, undefined, demands, signal)).part;
}

/**
 * The samples to train on and to watch.
 *
 * @throws DlAdmmError whatever reading and splitting them can cause
 */
export async function trainingSamples(flags: SplitFlags, signal: AbortSignal): Promise<TrainingSamples> {
  const { data, testData, testShare, trainSamples, validationShare, watched, seed } = flags;
  // With a named set the column of labels can only be meant for the file to test on.
  const { label: _, ...unlabelled } = flags;
  const file = await readLabelled(isName(data) && testData !== undefined ? unlabelled : flags, signal);
  let test = await testPart(flags, file, signal);
  if (test !== undefined && testShare !== undefined) {
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected no --test-share as there is a test set already');
  }
  let train: Part = file.train;
  const share = testShare ?? TEST_SHARE;
  if (test === undefined && share > 0) {
    const { rest, taken } = split(train, share, seed);
    train = rest;
    test = taken;
  }
  if (trainSamples !== undefined) {
    if (trainSamples > train.x.rows)
      throw expected(
        `at most ${train.x.rows} (${data} has no more)`,
        '--train-samples',
        trainSamples,
        'ERR_DLADMM_RANGE',
      );
    train = firstSamples(train, trainSamples);
  }
  let validation: Part | undefined;
  if (watched) {
    const { rest, taken } = split(train, validationShare ?? VALIDATION_SHARE, seed);
    train = rest;
    validation = taken;
  }
  return {
    name: file.name,
    ...(file.task === 'classification'
      ? { classes: file.classes, outputs: file.classes.length }
      : { outputs: file.outputs }),
    ...('columns' in file && file.columns && { columns: file.columns }),
    train,
    ...(validation && { validation }),
    ...(test && { test }),
  };
}

/**
 * Samples for a model to predict from. A CSV file may have a column of labels or not: unless `label` says which, the last
 * column is taken for one if that is what makes the file suit the model.
 *
 * @throws DlAdmmError whatever reading them can cause, and where they do not suit
 */
export async function bareSamples(
  flags: DataFlags,
  which: Which | undefined,
  demands: Demands,
  signal: AbortSignal,
): Promise<Matrix> {
  // A pipe gives its content once.
  const bytes = isName(flags.data) ? undefined : await bytesOf(flags, signal);
  const read = async (how: Partial<DataFlags>): Promise<Matrix> => {
    const told = { ...flags, ...columnsOf(demands), ...how };
    const file = bytes
      ? await parseTable(bytes, flags.data, { ...tableOptions(told), signal })
      : await readSamples(told, signal);
    return file.task === 'unlabelled' ? file.x : pick(file, which).x;
  };
  const suits = (x: Matrix): boolean => x.columns === demands.inputs;
  const wanted = `${demands.inputs} features`;
  if (isName(flags.data) || flags.label !== undefined) {
    const x = await read({});
    if (!suits(x)) throw unsuited(wanted, demands, flags.data, x.columns);
    return x;
  }
  let refusal: unknown;
  try {
    const x = await read({ label: null });
    if (suits(x)) return x;
    refusal = unsuited(wanted, demands, flags.data, x.columns);
  } catch (error) {
    if (!(error instanceof DlAdmmError && error.code === 'ERR_DLADMM_FORMAT')) throw error;
    refusal = error;
  }
  // Classes may be texts, which are no features. If this does not help either, the first refusal tells the truth.
  for (const task of ['regression', 'classification'] as const) {
    const x = await read({ task }).catch(() => undefined);
    if (x && suits(x)) return x;
  }
  throw refusal;
}
