import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { DlAdmmError, expected, refused } from '../core/errors.js';
import { present } from '../core/objects.js';
import type { ClassificationSplit, RegressionSplit } from '../datasets/dataset.js';
import { loadDataset } from '../datasets/datasets.js';
import { areArrays, type LabelledFile, parseTable, type TableFile, type TableFileOptions } from '../datasets/file.js';
import { parseFrame } from '../datasets/frame-file.js';
import { datasetNames } from '../datasets/registry.js';
import { firstSamples, splitDataset } from '../datasets/split.js';
import { checkWritable, type Ours } from '../formats/atomic-file.js';
import { DIALECT, parseCsvFrame, type TextStream } from '../formats/csv.js';
import { isStandardInput } from '../formats/pipes.js';
import { isSampleFile } from '../formats/sample-file.js';
import { contentOf, isStream } from '../formats/stream.js';
import { isPlainCsv } from '../formats/table-formats.js';
import { pick } from '../network/schema.js';
import { alignLabels } from '../samples/align.js';
import { encodedFor } from '../samples/encoded.js';
import { type Frame, takeRows } from '../samples/frame.js';
import { heldOut } from '../samples/hold-out.js';
import { LEARNING } from '../samples/learning.js';
import { type TargetPlaces, wantedOf } from '../samples/targets.js';
import { asSamples } from '../tensor/inputs.js';
import { FRONT, type FrontOptions } from '../training/options.js';
import type { TrainingData } from '../training/result.js';
import { TEST_SHARE } from './defaults.js';
import type { Far } from './progress.js';
import { isLibsvm, sparseSource } from './sparse.js';
import { checkWithout } from './without.js';

/** The options that say which samples are meant. */
export interface DataFlags extends Pick<TableFileOptions, 'labels'>, FrontOptions {
  readonly data: string;
  readonly dataDir?: string;
  readonly download: boolean;
  /** Told how much has been read or fetched. */
  readonly onBytes?: Far;
}

/** The options that say what a training makes of them. */
export interface SplitFlags extends DataFlags {
  readonly testData?: string;
  readonly testLabels?: string;
  readonly trainSamples?: number;
  readonly testShare?: number;
  /** Whether nothing is to be tested on where nobody says. */
  readonly whole?: boolean;
  readonly seed: number;
  /** What the model predicts that goes on: the target of a table where nobody says. */
  readonly known?: TargetPlaces | undefined;
}

const { target, columns } = FRONT;
/** What is for tables alone. */
const TABLES = Object.keys({ target, columns, ...LEARNING, ...DIALECT });

export type Part = ClassificationSplit | RegressionSplit;

/** What a name or a file turned out to hold. */
export type Source =
  | { readonly kind: 'table'; readonly name: string; readonly frame: Frame }
  | { readonly kind: 'arrays'; readonly name: string; readonly file: TableFile };

const isName = (data: string): boolean => (datasetNames as readonly string[]).includes(data);

/** The files behind some options, none of which an output may take the place of. */
export const filesOf = (...paths: readonly (string | undefined)[]): readonly string[] =>
  paths.filter((path) => path !== undefined && !isStandardInput(path) && !isName(path)) as readonly string[];

/**
 * Finds out before a long work whether `target` can be written, that it is none of the files that are read, and what is there `ours`.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_ARGUMENT
 */
export async function checkTarget(target: string, inputs: readonly string[], ours?: Ours): Promise<void> {
  const identity = async (path: string) => {
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    return found && `${found.dev} ${found.ino}`;
  };
  const present = await identity(target);
  for (const input of inputs) {
    if (present !== undefined && (await identity(input)) === present) {
      throw refused(`Refused to write to ${target}: that is the file to read from`);
    }
  }
  await checkWritable(target, ours);
}

/** The same pieces, of which it is told how many bytes they have been. */
async function* counted(stream: TextStream, all: number, onBytes: Far): AsyncGenerator<Uint8Array | string> {
  let done = 0;
  for await (const piece of stream) {
    done += piece.length;
    onBytes(done, all);
    yield piece;
  }
}

/** A file's content; as a stream where it is text, and long. */
async function contentIn({ data, onBytes }: DataFlags, signal: AbortSignal): Promise<Uint8Array | TextStream> {
  try {
    const content = await contentOf(data, signal, (head) => !areArrays(head) && isPlainCsv(head));
    return isStream(content) && onBytes ? counted(content, (await stat(data)).size, onBytes) : content;
  } catch (error) {
    const missing = error instanceof DlAdmmError && error.code === 'ERR_DLADMM_FILE' && /^[\w-]+$/.test(data);
    if (!missing || isStandardInput(data)) throw error;
    const text = `${error.message}; nor is it the name of a data set (those are ${datasetNames.join(', ')})`;
    throw new DlAdmmError(error.code, text, { cause: error });
  }
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where an option was given that is for tables */
export const checkNoTable = (flags: object, what: string): void =>
  checkWithout(TABLES, flags, what, 'it is for tables (CSV, Parquet, Arrow)');

const checkNoLabels = (flags: object, data: string): void =>
  checkWithout(['labels', 'testLabels'], flags, data, 'it holds its own');

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where an option was given that is not for libsvm's text */
export function checkSparse(flags: object, data: string): void {
  checkNoTable(flags, data);
  checkNoLabels(flags, data);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where an option was given that is not for a store of samples */
export function checkStored(flags: object, data: string): void {
  checkWithout(TABLES, flags, data, 'it is said as samples are packed');
  checkNoLabels(flags, data);
}

/**
 * What a name or a file holds; its content, not its name, says what it is.
 *
 * @throws DlAdmmError whatever reading it can cause
 */
export async function sourceOf(flags: DataFlags, signal: AbortSignal): Promise<Source> {
  const { data, dataDir, download, onBytes, target, labels, task } = flags;
  if (isName(data)) {
    checkNoTable(flags, `the data set ${data}`);
    checkWithout(['labels', 'task'], flags, `the data set ${data}`, 'it is for files');
    const file = await loadDataset(data, { signal, download, ...present({ dataDir, onBytes }) });
    return { kind: 'arrays', name: file.name, file };
  }
  const content = await contentIn(flags, signal);
  if (!isStream(content) && areArrays(content)) {
    checkNoTable(flags, data);
    if (task === 'multi-label') throw expected('--loss sigmoid-cross-entropy for arrays', '--task', task);
    const told = { ...(labels !== undefined && { labels }), ...(task && { task }) };
    const file = await parseTable(content, data, { ...told, signal });
    return { kind: 'arrays', name: file.name, file };
  }
  if (labels !== undefined) throw expected('no file of labels, as this file holds its own,', 'labels', labels);
  const one = typeof target === 'string' || typeof target === 'number';
  const reading = { ...pick({ ...DIALECT, columns }, flags), ...(one && { target }), signal };
  const frame = isStream(content)
    ? await parseCsvFrame(content, data, reading)
    : await parseFrame(content, data, reading);
  return { kind: 'table', name: isStandardInput(data) ? 'the standard input' : basename(data), frame };
}

function labelled(file: TableFile, data: string): LabelledFile {
  if (file.task !== 'unlabelled') return file;
  const text = `${data} has no labels: an NPZ file needs an array y, for an NPY or IDX file --labels names the file that has them`;
  throw new DlAdmmError('ERR_DLADMM_FORMAT', text);
}

export type Which = 'train' | 'test';

/** The named part, or without a name the test part where there is one, else all there is. */
function partOf(file: LabelledFile, which: Which | undefined): Part {
  if (which === 'train') return file.train;
  if (file.test !== undefined) return file.test;
  if (which === 'test') throw refused(`${file.name} has no test part: leave --part out`);
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
}

const unsuited = (wanted: string, { by }: Demands, data: string, found: string | number): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_SHAPE', `Expected ${wanted} in ${data}, to suit ${by}, but found ${found}`);

/** Features of arrays that suit. */
export function barePart(file: TableFile, which: Which | undefined, demands: Demands): Part['x'] {
  const { x } = file.task === 'unlabelled' ? file : partOf(file, which);
  if (x.columns !== demands.inputs) throw unsuited(`${demands.inputs} features`, demands, file.name, x.columns);
  return x;
}

/**
 * Labelled samples of arrays that suit a model or other samples, their labels numbering its classes.
 *
 * @throws DlAdmmError where they do not suit
 */
export function labelledPart(file: TableFile, which: Which | undefined, demands: Demands): Part {
  const found = labelled(file, file.name);
  const { task, inputs, outputs, classes } = demands;
  const part = partOf(found, which);
  if (found.task !== task) throw unsuited(task, demands, file.name, found.task);
  if (part.x.columns !== inputs) throw unsuited(`${inputs} features`, demands, file.name, part.x.columns);
  if (found.task === 'regression' && found.outputs !== outputs) {
    throw unsuited(`${outputs} targets`, demands, file.name, found.outputs);
  }
  if (found.task !== 'classification' || classes === undefined || !('labels' in part)) return part;
  return { ...part, labels: alignLabels(part.labels, found.classes, classes, file.name), classes };
}

/** The source of `--test-data`; none where it is not given. */
async function testSource(flags: SplitFlags, signal: AbortSignal): Promise<Source | undefined> {
  const { testData, testLabels, dataDir, download, target } = flags;
  if (testData === undefined) return undefined;
  if (isLibsvm(testData) || (await isSampleFile(testData))) {
    throw expected(`a table, arrays or a named set, to go with ${flags.data},`, '--test-data', testData);
  }
  if (isName(testData)) checkWithout(['testLabels'], flags, `the data set ${testData}`, 'it is for files');
  const told = { dataDir, ...(!isName(testData) && { target, ...pick(DIALECT, flags), labels: testLabels }) };
  const given = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
  return sourceOf({ ...given, data: testData, download }, signal);
}

/** What there is to train on and to test on. */
export interface TrainingSource {
  readonly name: string;
  /** A path is that of a store. */
  readonly data: Frame | TrainingData | string;
  /** Of a table: the column to predict, and the rows to test on. */
  readonly front: { readonly target?: TargetPlaces; readonly test?: Frame | string };
  /** Of samples without names: what they are, and their classes. */
  readonly task?: 'classification' | 'regression';
  readonly classes?: readonly string[];
}

const TESTED = 'Expected no --test-share as there is a test set already';

const tooFew = (rows: number, data: string, wanted: number): DlAdmmError =>
  expected(`at most ${rows} (${data} has no more)`, '--train-samples', wanted, 'ERR_DLADMM_RANGE');

/** The last column of a table is taken for its target where nobody says, and no model knows. */
export const LAST = -1;

async function fromTable(
  flags: SplitFlags,
  source: Extract<Source, { kind: 'table' }>,
  test?: Source,
): Promise<TrainingSource> {
  const { data, testShare = 0, trainSamples, seed, known = LAST, target = known, task } = flags;
  const { name, frame } = source;
  if (test?.kind === 'arrays') throw refused(`Expected a table for --test-data, as ${data} is one`);
  let rest = frame;
  let taken = test?.frame;
  if (testShare > 0) {
    const wanted = await wantedOf(frame, target, task);
    const classes = wanted.task === 'classification' ? wanted.values : undefined;
    const parts = await heldOut(frame.rows, classes, testShare, seed);
    if (parts.held.length > 0) taken = await takeRows(frame, parts.held);
    rest = await takeRows(frame, parts.train);
  }
  if (trainSamples !== undefined) {
    if (trainSamples > rest.rows) throw tooFew(rest.rows, data, trainSamples);
    rest = await takeRows(
      rest,
      Int32Array.from({ length: trainSamples }, (_, i) => i),
    );
  }
  return { name, data: rest, front: { target, ...(taken && { test: taken }) } };
}

/** A part of a table as samples for a network without names for its columns. */
async function tablePart(frame: Frame, { target = LAST }: SplitFlags, demands: Demands): Promise<TrainingData> {
  const { inputs, task, classes } = demands;
  const wanted = await wantedOf(frame, target, task, classes);
  const x = asSamples((await encodedFor(frame, { inputs }, target)).x);
  if (wanted.task !== 'classification') return { x, y: wanted.y };
  const { values } = wanted;
  // Classes may be told by their numbers.
  const numbered = values.every((value) => typeof value === 'number') && !classes?.includes(String(values[0]));
  return { x, labels: numbered ? Int32Array.from(values as readonly number[]) : values.map(String) };
}

async function fromArrays(flags: SplitFlags, file: LabelledFile, test?: Source): Promise<TrainingSource> {
  const { data, testShare = flags.whole ? 0 : TEST_SHARE, trainSamples, seed } = flags;
  const { name, task } = file;
  const outputs = file.task === 'classification' ? file.classes.length : file.outputs;
  const classes = file.task === 'classification' ? { classes: file.classes } : {};
  const demands: Demands = { by: data, task, inputs: file.train.x.columns, outputs, ...classes };
  let train: Part = file.train;
  let tested: TrainingData | undefined = file.test;
  if (test?.kind === 'table') tested = await tablePart(test.frame, flags, demands);
  else if (test) tested = labelledPart(test.file, undefined, demands);
  else if (tested === undefined && testShare > 0) {
    const { x } = train;
    const parts =
      'labels' in train ? splitDataset(x, train.labels, testShare, seed) : splitDataset(x, train.y, testShare, seed);
    train = parts.train;
    tested = parts.test;
  }
  if (trainSamples !== undefined) {
    if (trainSamples > train.x.rows) throw tooFew(train.x.rows, data, trainSamples);
    train = firstSamples(train, trainSamples);
  }
  return {
    ...{ name, task, ...classes, front: {} },
    data: { ...train, ...classes, ...(tested && { test: { ...classes, ...tested } }) },
  };
}

/** Samples that are read as the training goes, all of them. */
async function fromStore(flags: SplitFlags): Promise<TrainingSource> {
  const { data, testData } = flags;
  checkStored(flags, data);
  checkWithout(['trainSamples'], flags, data, 'all of a store is trained on');
  const others = '--test-data names a store to test on, and --validation-share holds some out';
  checkWithout(['testShare'], flags, data, others);
  if (testData !== undefined && !(await isSampleFile(testData))) {
    throw expected(`a store of samples, as ${data} is one,`, '--test-data', testData);
  }
  return { name: basename(data), data, front: { ...(testData !== undefined && { test: testData }) } };
}

/**
 * What to train on and to test on.
 *
 * @throws DlAdmmError whatever reading and splitting can cause
 */
export async function trainingSource(flags: SplitFlags, signal: AbortSignal): Promise<TrainingSource> {
  const { data, testData, testLabels, testShare } = flags;
  if (testData !== undefined && testShare !== undefined) throw refused(TESTED);
  if (testData === undefined && testLabels !== undefined) throw refused('Expected --test-data FILE with --test-labels');
  if (testData !== undefined && isStandardInput(testData) && isStandardInput(data)) {
    throw refused('Expected one of --data and --test-data from the standard input, which is read once');
  }
  if (isLibsvm(data)) {
    checkSparse(flags, data);
    return sparseSource(flags, signal);
  }
  if (await isSampleFile(data)) return fromStore(flags);
  // With a named set the column of labels can only be meant for the file to test on.
  const { target: _, ...unlabelled } = flags;
  const source = await sourceOf(isName(data) && testData !== undefined ? unlabelled : flags, signal);
  const test = await testSource(flags, signal);
  const own = source.kind === 'arrays' && source.file.task !== 'unlabelled' ? source.file.test : undefined;
  if (own !== undefined && testShare !== undefined) throw refused(TESTED);
  return source.kind === 'table'
    ? fromTable(flags, source, test)
    : fromArrays(flags, labelled(source.file, data), test);
}
