import { basename } from 'node:path';
import { types } from 'node:util';
import { DlAdmmError, expected } from '../core/errors.js';
import { isNumbers, TOO_WIDE } from '../core/numbers.js';
import { formatError, readBytes } from '../formats/bytes.js';
import { CSV, parseCsv } from '../formats/csv.js';
import { parseIdx } from '../formats/idx.js';
import { type CsvTable, checkShared, classesOf, coded, NO_CLASSES } from '../formats/labels.js';
import { isNpy, type NpyArray, parseNpy } from '../formats/npy.js';
import { npzKeys, parseNpz } from '../formats/npz.js';
import { isStandardInput } from '../formats/pipes.js';
import { reader } from '../formats/reader.js';
import { contentOf, isStream } from '../formats/stream.js';
import { checkNoDialect, isPlainCsv, tableFormatOf } from '../formats/table-formats.js';
import { isZip } from '../formats/zip.js';
import { type OptionsOf, option, readOptions, type Schema, valueType } from '../network/schema.js';
import type { Column } from '../samples/columns.js';
import type { Matrix } from '../tensor/matrix.js';
import type { ClassificationSplit, RegressionSplit } from './dataset.js';
import { isFile } from './locate.js';
import { scaledImages } from './registry.js';

/** The file of labels beside one that has none. */
export const LABELS = option(
  valueType<string>('path', (value) => typeof value === 'string', 'the path of a file', { as: 'file' }),
  {
    otherwise: 'of train-images-idx3… the file beside it, else none',
    says: 'NPY, IDX: the file that holds the labels or targets, of either format.',
  },
);

/**
 * How to read a file of samples. `delimiter`, `header`, `decimal` and `encoding` are for CSV alone, `target`, `columns`, `ignore`
 * and `texts` for it and for Parquet and Arrow.
 */
export const FILE = { ...CSV, labels: LABELS } as const satisfies Schema;

/** How to read a file of samples; `delimiter`, `header`, `decimal` and `encoding` are for CSV alone. */
export type TableFileOptions = OptionsOf<typeof FILE>;

/** Labelled samples; `test` is there only if the file has a test part of its own. */
export type LabelledFile = Exclude<TableFile, { readonly task: 'unlabelled' }>;

/** Samples of a file, which may have no labels. */
export type TableFile =
  | {
      readonly task: 'classification';
      readonly name: string;
      readonly classes: readonly string[];
      /** What the features are called, where the file says so. */
      readonly columns?: readonly Column[];
      readonly train: ClassificationSplit;
      readonly test?: ClassificationSplit;
    }
  | {
      readonly task: 'regression';
      readonly name: string;
      readonly outputs: number;
      readonly columns?: readonly Column[];
      readonly train: RegressionSplit;
      readonly test?: RegressionSplit;
    }
  | {
      readonly task: 'unlabelled';
      readonly name: string;
      readonly columns?: readonly Column[];
      readonly x: Matrix;
    };

/** An array and how errors call it. */
interface Named extends NpyArray {
  readonly name: string;
}

/** The kinds of files that a table may be. */
const OWN = ['npz', 'npy', 'parquet', 'arrow', 'gzip', 'text'] as const;

const isIdx = ([zero0, zero1, type = 0]: Uint8Array): boolean => zero0 === 0 && zero1 === 0 && type >= 8 && type <= 14;

/** Integers of up to 16 bits are exact in float32, the wider ones in float64, or they are refused. */
function toFloats({ data, name }: Named): Float32Array | Float64Array {
  if (isNumbers(data)) return data;
  if (types.isBigInt64Array(data) || types.isBigUint64Array(data)) {
    return Float64Array.from({ length: data.length }, (_, i) => {
      const number = Number(data[i]);
      if (Number.isSafeInteger(number)) return number;
      throw formatError(name, `entry ${i} is ${data[i]}, ${TOO_WIDE}`);
    });
  }
  return data.BYTES_PER_ELEMENT > 2 ? Float64Array.from(data) : Float32Array.from(data);
}

/** Samples along the first dimension, everything else of a sample in one row. */
function toMatrix(array: Named): Matrix {
  const { shape, name } = array;
  const [rows = 0, ...rest] = shape;
  const columns = rest.reduce((product, length) => product * length, 1);
  if (rows === 0 || columns === 0)
    throw formatError(name, `expected at least one sample of one feature but the shape is (${shape.join(', ')})`);
  return { data: toFloats(array), rows, columns };
}

function toLabels({ data, shape, name }: Named): readonly number[] {
  if (shape.length === 0 || shape.slice(1).some((length) => length !== 1))
    throw formatError(name, `expected one class a sample but the shape is (${shape.join(', ')})`);
  return Array.from({ length: data.length }, (_, i) => {
    const label = Number(data[i]);
    if (Number.isSafeInteger(label)) return label;
    throw new DlAdmmError(
      'ERR_DLADMM_LABEL',
      `${name}: expected a class, a whole number, but label ${i} is ${data[i]}${NO_CLASSES}`,
    );
  });
}

/** Whether classes have names that say more than their numbers. */
const named = (classes: readonly string[]): boolean => classes.some((text, i) => text !== String(i));

const isFloat = ({ data }: NpyArray): boolean => isNumbers(data);

function inferTask(y: Named): 'classification' | 'regression' {
  return isFloat(y) || y.shape.slice(1).some((length) => length > 1) ? 'regression' : 'classification';
}

function checkRows(x: Matrix, rows: number, name: string): void {
  if (rows !== x.rows) throw formatError(name, `expected ${x.rows} labels, one a sample, but found ${rows}`);
}

interface Part {
  readonly x: Matrix;
  readonly y: Named;
}

async function assemble(
  name: string,
  task: TableFileOptions['task'],
  train: Part,
  test: Part | undefined,
): Promise<TableFile> {
  if (test !== undefined && test.x.columns !== train.x.columns)
    throw formatError(name, `expected ${train.x.columns} features in the test part too but found ${test.x.columns}`);
  if ((task ?? inferTask(train.y)) === 'classification') {
    const found = [train, ...(test ? [test] : [])].map(({ x, y }) => ({ x, labels: toLabels(y), name: y.name }));
    for (const { x, labels, name: called } of found) checkRows(x, labels.length, called);
    if (task === undefined) checkShared(await coded(found[0]?.labels ?? []), train.y.name);
    const all = found.flatMap((part) => part.labels);
    const { classes, labels } = await classesOf(await coded(all), train.y.name);
    const own = named(classes) && { classes };
    const trained = { x: train.x, labels: labels.slice(0, train.x.rows), ...own };
    const tested = test && { x: test.x, labels: labels.slice(train.x.rows), ...own };
    return { task: 'classification', name, classes, train: trained, ...(tested && { test: tested }) };
  }
  const part = ({ x, y }: Part): RegressionSplit => {
    const targets = toMatrix(y);
    checkRows(x, targets.rows, y.name);
    return { x, y: targets };
  };
  const trainPart = part(train);
  const testPart = test && part(test);
  const outputs = trainPart.y.columns;
  if (testPart !== undefined && testPart.y.columns !== outputs)
    throw formatError(name, `expected ${outputs} targets in the test part too but found ${testPart.y.columns}`);
  return { task: 'regression', name, outputs, train: trainPart, ...(testPart && { test: testPart }) };
}

async function fromNpz(bytes: Uint8Array, path: string, options: TableFileOptions): Promise<TableFile> {
  const present = npzKeys(bytes, path);
  const pick = (...keys: readonly string[]) => keys.find((key) => present.includes(key));
  const keys = {
    x: pick('x_train', 'X_train', 'x', 'X'),
    y: pick('y_train', 'y'),
    testX: pick('x_test', 'X_test'),
    testY: pick('y_test'),
  };
  if (keys.x === undefined)
    throw formatError(
      path,
      `expected arrays x and y, or x_train and y_train, but it holds ${present.join(', ') || 'none'}`,
    );
  if ((keys.testX === undefined) !== (keys.testY === undefined))
    throw formatError(path, 'expected both x_test and y_test, or neither');
  const wanted = Object.values(keys).filter((key) => key !== undefined);
  const arrays = await parseNpz(bytes, path, { keys: wanted, ...(options.signal && { signal: options.signal }) });
  const named = (key: string): Named => ({ ...(arrays.get(key) as NpyArray), name: `${path}, array "${key}"` });
  const x = toMatrix(named(keys.x));
  const name = basename(path);
  if (keys.y === undefined) return { task: 'unlabelled', name, x };
  const test =
    keys.testX === undefined || keys.testY === undefined
      ? undefined
      : { x: toMatrix(named(keys.testX)), y: named(keys.testY) };
  return assemble(name, options.task, { x, y: named(keys.y) }, test);
}

async function readArray(path: string, signal: AbortSignal | undefined): Promise<Named> {
  return parseArray(await readBytes(path, signal), path);
}

function parseArray(bytes: Uint8Array, path: string): Named {
  return { ...(isNpy(bytes) ? parseNpy(bytes, path) : parseIdx(bytes, path)), name: path };
}

/** IDX arrays of bytes with two or more dimensions a sample are images: their pixels are scaled to [0, 1]. */
async function toSamples(array: Named, isImage: boolean): Promise<Matrix> {
  const { data, shape } = array;
  return isImage && types.isUint8Array(data) && shape.length >= 3 && data.length > 0
    ? scaledImages({ data, shape: [...shape] }, 255)
    : toMatrix(array);
}

/** The file beside `path` whose name has `from` replaced by `to`, gzipped or not, if it is there. */
async function sibling(path: string, from: string, to: string): Promise<string | undefined> {
  const file = basename(path);
  if (!file.includes(from)) return undefined;
  const plain = path.slice(0, path.length - file.length) + file.replace(from, to).replace(/\.gz$/, '');
  for (const candidate of [plain, `${plain}.gz`]) if (await isFile(candidate)) return candidate;
  return undefined;
}

const siblingLabels = (path: string) => sibling(path, 'images-idx3', 'labels-idx1');

async function fromArray(bytes: Uint8Array, path: string, options: TableFileOptions): Promise<TableFile> {
  const { signal } = options;
  const name = basename(path);
  const idx = !isNpy(bytes);
  const x = await toSamples(parseArray(bytes, path), idx);
  const labels = options.labels ?? (await siblingLabels(path));
  if (labels === undefined) return { task: 'unlabelled', name, x };
  const y = await readArray(labels, signal);
  const testPath = options.labels === undefined ? await sibling(path, 'train-images', 't10k-images') : undefined;
  const testLabels = testPath && (await siblingLabels(testPath));
  const test =
    testPath === undefined || testLabels === undefined
      ? undefined
      : { x: await toSamples(await readArray(testPath, signal), true), y: await readArray(testLabels, signal) };
  return assemble(name, options.task, { x, y }, test);
}

/** The columns of a table, unless they are only numbered: a file without a header line says nothing of them. */
function columnsOf({ columns }: CsvTable): readonly Column[] | undefined {
  if (columns.every((column) => typeof column === 'string' && /^column \d+$/.test(column))) return undefined;
  return columns.map((column) => (typeof column === 'string' ? { name: column } : column));
}

/** A table as samples, which carry with them what a model should know of them. */
function fromTable(table: CsvTable, name: string): TableFile {
  const { x } = table;
  const columns = columnsOf(table);
  const known = columns && { columns };
  if (table.task === 'classification') {
    const { classes, labels } = table;
    return {
      task: 'classification',
      name,
      classes,
      ...known,
      train: { x, labels, ...(named(classes) && { classes }), ...known },
    };
  }
  if (table.task === 'regression')
    return { task: 'regression', name, outputs: 1, ...known, train: { x, y: table.y, ...known } };
  return { task: 'unlabelled', name, ...known, x };
}

interface ReadsTable {
  /** Who says what is predicted has it among the samples. */
  (path: string | URL, options: TableFileOptions & { readonly target: string | number }): Promise<LabelledFile>;
  (path: string | URL, options?: TableFileOptions): Promise<TableFile>;
}

/**
 * Reads samples from a user's file, from a pipe, or from the standard input (`-`). Its content, not its name, decides what it is;
 * it may be gzipped.
 *
 * - CSV: as `readCsv`.
 * - Parquet: as `readParquet`. Arrow and Feather: as `readArrow`.
 * - NPZ: arrays `x` and `y` (or `X`), or `x_train`, `y_train` and, together, `x_test`, `y_test`.
 * - NPY: the samples; `labels` names the file of their labels.
 * - IDX: the same. Without `labels`, labels are taken from the file beside it that is called after MNIST's pattern
 *   (`…images-idx3…`, `…labels-idx1…`), and `train-images` take their test part from `t10k-images`. Images of bytes
 *   are scaled to [0, 1].
 *
 * Labels of whole numbers are classes and others are targets, unless `task` says otherwise. Without labels the task is
 * `unlabelled`. No value but an image's pixels is scaled.
 *
 * @throws ERR_DLADMM_FORMAT for a damaged file or one of another format, ERR_DLADMM_LABEL for labels that cannot be
 *   classes, ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_FILE, ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED
 */
export const readTable = reader(
  async (path: string, options: TableFileOptions = {}): Promise<TableFile> => {
    readOptions(FILE, options);
    const content = await contentOf(path, options.signal, (head) => !areArrays(head) && isPlainCsv(head));
    if (!isStream(content)) return parseTable(content, path, options);
    checkNoLabels(options);
    return fromTable(await parseCsv(content, path, options), basename(path));
  },
  ...OWN,
) as ReadsTable;

/** Whether a file's content is arrays rather than a table of named columns. */
export const areArrays = (bytes: Uint8Array): boolean => isNpy(bytes) || isIdx(bytes) || isZip(bytes);

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for what is said of columns, which arrays have none of */
function checkNoColumns(options: TableFileOptions): void {
  checkNoDialect(options);
  for (const name of ['target', 'columns', 'ignore', 'texts'] as const) {
    const value = options[name] ?? undefined;
    if (value !== undefined) throw expected('none with arrays, as they have no columns,', name, value);
  }
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
function checkNoLabels({ labels }: TableFileOptions): void {
  if (labels !== undefined) throw expected('no file of labels, as this file holds its own,', 'labels', labels);
}

/** As {@link readTable}, for a file's content; `path` is how errors call it, and where files that belong to it are looked for. */
export const parseTable = reader(
  async (bytes: Uint8Array, path: string, options: TableFileOptions = {}): Promise<TableFile> => {
    readOptions(FILE, options);
    if (areArrays(bytes)) checkNoColumns(options);
    if (isNpy(bytes) || isIdx(bytes)) return fromArray(bytes, path, options);
    checkNoLabels(options);
    if (isZip(bytes)) return fromNpz(bytes, path, options);
    const table = await tableFormatOf(bytes, options).parse(bytes, path, options);
    return fromTable(table, isStandardInput(path) ? 'the standard input' : basename(path));
  },
  ...OWN,
);
