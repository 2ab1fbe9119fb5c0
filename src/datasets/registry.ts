import { types } from 'node:util';
import { DlAdmmError, expected } from '../core/errors.js';
import { present } from '../core/objects.js';
import { formatError, readBytes } from '../formats/bytes.js';
import { type CsvOptions, parseCsv } from '../formats/csv.js';
import { type IdxArray, readIdx } from '../formats/idx.js';
import type { CsvTable } from '../formats/labels.js';
import { tarMember } from '../formats/tar.js';
import type { Matrix } from '../tensor/matrix.js';
import type { ClassificationDataset, Dataset, RegressionDataset } from './dataset.js';
import { selectLabels, selectRows } from './split.js';

/** Where a file can be had, and how to know that it is the right one. */
export interface DatasetSource {
  /** The file's name in the cache. */
  readonly name: string;
  readonly url: string;
  readonly sha256: string;
  /** In bytes. */
  readonly length: number;
}

/** One file of a data set, under any of several names. */
export interface DatasetFile {
  readonly names: readonly string[];
  readonly source?: DatasetSource;
}

/** What is known of a named data set before any of its files is opened. */
export interface DatasetDescription {
  readonly name: DatasetName;
  readonly title: string;
  readonly task: 'classification' | 'regression';
  readonly train: number;
  readonly test: number;
  readonly features: number;
  /** Classes, or target columns. */
  readonly outputs: number;
  readonly licence: string;
  /** Whether the package brings it along. */
  readonly bundled: boolean;
  /** Where in a data folder its files may lie. */
  readonly folders: readonly string[];
  readonly files: readonly DatasetFile[];
  /** Two sets name their files alike: the SHA-256 of one unpacked file, `files[file]`, tells which of them it is. */
  readonly identity?: { readonly file: number; readonly sha256: string };
  /** Reads the set from its files, given in the order of `files`. */
  readonly read: (paths: readonly string[], signal?: AbortSignal) => Promise<Dataset>;
}

/** The names that `loadDataset` knows. */
export const datasetNames = [
  'fashion-mnist',
  'mnist',
  'digits',
  'iris',
  'wine',
  'breast-cancer',
  'diabetes',
  'california-housing',
] as const;

/** A data set that `loadDataset` knows. */
export type DatasetName = (typeof datasetNames)[number];

/** What the set of a name is: of one that no compiler knows, either. */
export type DatasetOf<N extends string> =
  N extends Extract<DatasetName, 'diabetes' | 'california-housing'>
    ? RegressionDataset
    : N extends DatasetName
      ? ClassificationDataset
      : Dataset;

const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'] as const;

const CLOTHES = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
] as const;

// Images: four IDX files

const SLICE = 2 ** 22;

/** Bytes over `full`, as samples x features; in slices, so that the event loop lives on. */
export async function scaledImages({ shape, data }: IdxArray, full: number): Promise<Matrix> {
  const [rows = 0, ...rest] = shape;
  const table = Float32Array.from({ length: 256 }, (_, byte) => byte / full);
  const scaled = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += SLICE) {
    const end = Math.min(data.length, start + SLICE);
    for (let i = start; i < end; i++) scaled[i] = table[data[i] as number] as number;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { data: scaled, rows, columns: rest.reduce((product, length) => product * length, 1) };
}

async function readImages(path: string, signal: AbortSignal | undefined): Promise<Matrix> {
  const images = await readIdx(path, present({ signal }));
  const { shape, data } = images;
  if (!types.isUint8Array(data) || shape.length !== 3 || shape[0] === 0 || shape[1] !== 28 || shape[2] !== 28)
    throw formatError(
      path,
      `expected images of 28 x 28 bytes but found ${shape.join(' x ')} of ${data.constructor.name}`,
    );
  return scaledImages(images, 255);
}

async function readLabels(path: string, count: number, classes: number, signal: AbortSignal | undefined) {
  const { shape, data } = await readIdx(path, present({ signal }));
  if (!types.isUint8Array(data) || shape.length !== 1 || shape[0] !== count)
    throw formatError(path, `expected ${count} labels but found ${shape.join(' x ')} of ${data.constructor.name}`);
  const bad = data.findIndex((label) => label >= classes);
  if (bad >= 0) throw formatError(path, `expected labels below ${classes} but label ${bad} is ${data[bad]}`);
  return Int32Array.from(data);
}

function idxReader(name: string, classes: readonly string[]) {
  const split = async (images: string, labels: string, signal: AbortSignal | undefined) => {
    const x = await readImages(images, signal);
    return { x, labels: await readLabels(labels, x.rows, classes.length, signal) };
  };
  return async (paths: readonly string[], signal?: AbortSignal): Promise<ClassificationDataset> => {
    const [trainImages = '', trainLabels = '', testImages = '', testLabels = ''] = paths;
    const train = await split(trainImages, trainLabels, signal);
    const test = await split(testImages, testLabels, signal);
    return { task: 'classification', name, classes, train, test };
  };
}

/** `checksums`: name of the unpacked file, SHA-256 and length of its gzipped form at `base`. */
function idxFiles(base: string, checksums: readonly (readonly [string, string, number])[]): readonly DatasetFile[] {
  return checksums.map(([name, sha256, length]) => {
    const packed = `${name}.gz`;
    return { names: [packed, name], source: { name: packed, url: `${base}${packed}`, sha256, length } };
  });
}

// Tables

/** Row i is for training if i mod 3 is not 0. */
const interleaved = (i: number): boolean => i % 3 !== 0;

function rowsWhere(rows: number, keep: (row: number) => boolean): Int32Array {
  return Int32Array.from({ length: rows }, (_, i) => i).filter(keep);
}

function splitRows<T>(rows: number, isTrain: (row: number) => boolean, part: (rows: Int32Array) => T) {
  return { train: part(rowsWhere(rows, isTrain)), test: part(rowsWhere(rows, (row) => !isTrain(row))) };
}

function classification(
  name: string,
  classes: readonly string[],
  x: Matrix,
  labels: Int32Array,
  isTrain: (row: number) => boolean,
): ClassificationDataset {
  const part = (rows: Int32Array) => ({ x: selectRows(x, rows), labels: selectLabels(labels, rows) });
  return { task: 'classification', name, classes, ...splitRows(x.rows, isTrain, part) };
}

function regression(name: string, x: Matrix, y: Matrix): RegressionDataset {
  const part = (rows: Int32Array) => ({ x: selectRows(x, rows), y: selectRows(y, rows) });
  return { task: 'regression', name, outputs: y.columns, ...splitRows(x.rows, interleaved, part) };
}

function checkShape(path: string, { rows, columns }: Matrix, want: readonly [number, number]): void {
  if (rows !== want[0] || columns !== want[1])
    throw formatError(path, `expected ${want[0]} rows of ${want[1]} features but found ${rows} of ${columns}`);
}

async function parseTable<T extends CsvTable['task']>(
  task: T,
  path: string,
  bytes: Uint8Array,
  options: Omit<CsvOptions, 'task'> & { readonly fromLine?: number },
): Promise<Extract<CsvTable, { task: T }>> {
  const table = await parseCsv(bytes, path, task === 'unlabelled' ? options : { ...options, task });
  return table as Extract<CsvTable, { task: T }>;
}

const withSignal = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal });

/** A table whose first line is not column names but its counts of rows and features, then the names of its classes. */
function namedClassesReader(name: string, rows: number, features: number) {
  return async ([path = '']: readonly string[], signal?: AbortSignal): Promise<ClassificationDataset> => {
    const bytes = await readBytes(path, signal);
    const end = bytes.indexOf(0x0a);
    const [rowCount, featureCount, ...classes] = Buffer.from(bytes.subarray(0, Math.max(0, end)))
      .toString('utf8')
      .trim()
      .split(',');
    if (Number(rowCount) !== rows || Number(featureCount) !== features || classes.length < 2)
      throw formatError(path, `expected a first line of ${rows},${features} and class names`);
    const table = await parseTable('classification', path, bytes, {
      header: false,
      fromLine: 2,
      ...withSignal(signal),
    });
    checkShape(path, table.x, [rows, features]);
    const bad = table.labels.findIndex((label) => label >= classes.length);
    if (bad >= 0)
      throw formatError(
        `${path}, line ${bad + 2}`,
        `expected a label below ${classes.length}, found ${table.labels[bad]}`,
      );
    return classification(name, classes, table.x, table.labels, interleaved);
  };
}

async function readDigits([path = '']: readonly string[], signal?: AbortSignal): Promise<ClassificationDataset> {
  const bytes = await readBytes(path, signal);
  const { x, labels } = await parseTable('classification', path, bytes, { header: false, ...withSignal(signal) });
  checkShape(path, x, [1797, 64]);
  const bad = labels.findIndex((label) => label > 9);
  if (bad >= 0) throw formatError(`${path}, line ${bad + 1}`, `expected a digit as label but found ${labels[bad]}`);
  const scaled = { ...x, data: x.data.map((value) => value / 16) };
  return classification('digits', DIGITS, scaled, labels, (row) => row < 1200);
}

async function readDiabetes([data = '', target = '']: readonly string[], signal?: AbortSignal) {
  const options = { delimiter: ' ', header: false, target: null, ...withSignal(signal) } as const;
  const { x } = await parseTable('unlabelled', data, await readBytes(data, signal), options);
  const { x: y } = await parseTable('unlabelled', target, await readBytes(target, signal), options);
  checkShape(data, x, [442, 10]);
  checkShape(target, y, [442, 1]);
  return regression('diabetes', x, y);
}

async function readCaliforniaHousing([path = '']: readonly string[], signal?: AbortSignal): Promise<RegressionDataset> {
  const content = await readBytes(path, signal);
  const bytes = path.endsWith('.tgz') ? tarMember(content, 'CaliforniaHousing/cal_housing.data', path) : content;
  const { x, y } = await parseTable('regression', path, bytes, withSignal(signal));
  checkShape(path, x, [20_640, 8]);
  return regression('california-housing', x, y);
}

/** A small table that the package brings along in its own data folder; `shape`: training rows, test rows, features, outputs. */
function bundledTable(
  name: DatasetName,
  title: string,
  task: DatasetDescription['task'],
  [train, test, features, outputs]: readonly [number, number, number, number],
  read: DatasetDescription['read'],
  ...files: readonly string[]
): DatasetDescription {
  const folder = name.replace('-', '_');
  return {
    ...{ name, title, task, train, test, features, outputs, read },
    licence: "BSD-3-Clause (scikit-learn's copy)",
    bundled: true,
    folders: [`tabular/${folder}`, folder, '.'],
    files: files.map((file) => ({ names: [`${file}.gz`, file] })),
  };
}

const MNIST_SHAPE = { task: 'classification', train: 60_000, test: 10_000, features: 784, outputs: 10 } as const;

/** Every named data set, in the order of `datasetNames`. */
export const registry: readonly DatasetDescription[] = [
  {
    name: 'fashion-mnist',
    title: 'Fashion-MNIST: 28 x 28 images of clothes (Zalando)',
    ...MNIST_SHAPE,
    licence: 'MIT',
    bundled: false,
    folders: ['fashion-mnist', '.'],
    files: idxFiles('http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/', [
      ['train-images-idx3-ubyte', '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84', 26_421_880],
      ['train-labels-idx1-ubyte', 'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845', 29_515],
      ['t10k-images-idx3-ubyte', '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073', 4_422_102],
      ['t10k-labels-idx1-ubyte', '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5', 5_148],
    ]),
    identity: { file: 3, sha256: '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34' },
    read: idxReader('fashion-mnist', CLOTHES),
  },
  {
    name: 'mnist',
    title: 'MNIST: 28 x 28 images of handwritten digits (LeCun, Cortes, Burges)',
    ...MNIST_SHAPE,
    licence: 'CC BY-SA 3.0 (as usually given)',
    bundled: false,
    folders: ['mnist', '.'],
    files: idxFiles('https://storage.googleapis.com/cvdf-datasets/mnist/', [
      ['train-images-idx3-ubyte', '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609', 9_912_422],
      ['train-labels-idx1-ubyte', '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c', 28_881],
      ['t10k-images-idx3-ubyte', '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6', 1_648_877],
      ['t10k-labels-idx1-ubyte', 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6', 4_542],
    ]),
    identity: { file: 3, sha256: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2' },
    read: idxReader('mnist', DIGITS),
  },
  bundledTable(
    'digits',
    'Optical recognition of handwritten digits, 8 x 8 images (UCI)',
    'classification',
    [1200, 597, 64, 10],
    readDigits,
    'digits.csv',
  ),
  bundledTable(
    'iris',
    'Iris plants, four measures of three species (Fisher; UCI)',
    'classification',
    [100, 50, 4, 3],
    namedClassesReader('iris', 150, 4),
    'iris.csv',
  ),
  bundledTable(
    'wine',
    'Wine recognition, chemical analyses of three cultivars (UCI)',
    'classification',
    [118, 60, 13, 3],
    namedClassesReader('wine', 178, 13),
    'wine_data.csv',
  ),
  bundledTable(
    'breast-cancer',
    'Breast cancer Wisconsin (diagnostic), measures of cell nuclei (UCI)',
    'classification',
    [379, 190, 30, 2],
    namedClassesReader('breast-cancer', 569, 30),
    'breast_cancer.csv',
  ),
  bundledTable(
    'diabetes',
    'Diabetes progression from ten baseline measures (Efron et al. 2004)',
    'regression',
    [294, 148, 10, 1],
    readDiabetes,
    'diabetes_data_raw.csv',
    'diabetes_target.csv',
  ),
  {
    name: 'california-housing',
    title: 'California housing, median house values of census block groups (Pace and Barry 1997)',
    task: 'regression',
    train: 13_760,
    test: 6_880,
    features: 8,
    outputs: 1,
    licence: 'CC BY 4.0 (the Figshare deposit)',
    bundled: false,
    folders: ['tabular/california_housing', 'california_housing', 'california-housing', '.'],
    files: [
      {
        names: ['cal_housing.data.gz', 'cal_housing.data', 'cal_housing.tgz'],
        source: {
          name: 'cal_housing.tgz',
          url: 'https://ndownloader.figshare.com/files/5976036',
          sha256: 'aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681',
          length: 441_963,
        },
      },
    ],
    read: readCaliforniaHousing,
  },
];

/**
 * What is known of the data set `name`.
 *
 * @throws ERR_DLADMM_DATASET if the name is unknown; the message lists the known ones
 */
export function describeDataset(name: string): DatasetDescription {
  if (typeof name !== 'string') throw expected('the name of a data set', 'name', name);
  const description = registry.find((candidate) => candidate.name === name);
  if (description === undefined)
    throw new DlAdmmError(
      'ERR_DLADMM_DATASET',
      `Unknown data set ${JSON.stringify(name)}; the known ones are ${datasetNames.join(', ')}`,
    );
  return description;
}
