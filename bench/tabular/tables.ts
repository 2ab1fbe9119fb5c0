/** Tables as people have them, each written once as a CSV file to train on and one to be judged by. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Matrix } from 'dladmm';
import { loadDataset } from 'dladmm/data';
import { seededRandom } from '../harness/random.js';
import { classesOf } from '../harness/samples.js';
import { churn, rare, skewed } from './synthetic.js';

export interface Table {
  readonly target: string;
  readonly task: 'classification' | 'regression';
  readonly header: readonly string[];
  readonly train: readonly (readonly string[])[];
  readonly test: readonly (readonly string[])[];
}

/** A table whose rows are drawn apart, a share of them to be judged by. */
function parted(table: Omit<Table, 'train' | 'test'>, rows: readonly (readonly string[])[], share: number): Table {
  const { uniform } = seededRandom(1);
  const judged = rows.map(() => uniform() < share);
  return { ...table, train: rows.filter((_, i) => !judged[i]), test: rows.filter((_, i) => judged[i]) };
}

/** A row for each sample, its answer last. */
const rowsOf = ({ data, columns }: Matrix, answers: readonly string[], shown: (value: number) => string = String) =>
  answers.map((answer, i) => [...Array.from(data.subarray(i * columns, (i + 1) * columns), shown), answer]);

async function bundled(name: string, share: number): Promise<Table> {
  const set = await loadDataset(name);
  const features = Array.from({ length: set.train.x.columns }, (_, j) => `feature_${j + 1}`);
  const rows = [set.train, set.test].flatMap((side) =>
    rowsOf(
      side.x,
      'y' in side ? Array.from(side.y.data, String) : Array.from(side.labels, (label) => `class ${label}`),
    ),
  );
  return parted({ target: 'answer', task: set.task, header: [...features, 'answer'] }, rows, share);
}

/** One that is drawn, a quarter of it to be judged by. */
function drawn(task: Table['task'], records: readonly Readonly<Record<string, string>>[]): Table {
  const header = Object.keys(records[0] ?? {});
  return parted({ target: header.at(-1) ?? '', task, header }, records.map(Object.values), 0.25);
}

/** The Adult census set as UCI gives it, `?` for what is missing. */
async function adult(folder: string): Promise<Table> {
  const header = [
    ...['age', 'workclass', 'fnlwgt', 'education', 'education_num', 'marital_status', 'occupation', 'relationship'],
    ...['race', 'sex', 'capital_gain', 'capital_loss', 'hours_per_week', 'native_country', 'income'],
  ];
  const lines = async (name: string) =>
    (await linesOf(folder, `adult/${name}`))
      .map((line) =>
        line
          .replace(/\.$/, '')
          .split(',')
          .map((field) => field.trim()),
      )
      .filter((fields) => fields.length === header.length);
  const [train, test] = [await lines('adult.data.gz'), await lines('adult.test.gz')];
  return { target: 'income', task: 'classification', header, train, test };
}

const linesOf = async (folder: string, name: string): Promise<readonly string[]> =>
  gunzipSync(await readFile(join(folder, 'tabular', name)))
    .toString('utf8')
    .trim()
    .split('\n');

async function housing(folder: string): Promise<Table> {
  const lines = await linesOf(folder, 'california_housing/cal_housing.data.gz');
  const [header = [], ...rows] = lines.map((line) => line.trim().split(','));
  return parted({ target: header.at(-1) ?? '', task: 'regression', header }, rows, 0.25);
}

async function digits(name: string, folder?: string): Promise<Table> {
  const { train, test } = await classesOf(name, folder);
  const header = [...Array.from({ length: train.x.columns }, (_, j) => `pixel_${j}`), 'digit'];
  const of = ({ x, labels }: typeof train) =>
    rowsOf(x, Array.from(labels, String), (value) => String(Math.round(value * 255)));
  return { target: 'digit', task: 'classification', header, train: of(train), test: of(test) };
}

export const TABLES = {
  iris: () => bundled('iris', 1 / 3),
  adult,
  'california-housing': housing,
  churn: async () => drawn('classification', churn(200_000)),
  rare: async () => drawn('classification', rare(140_000)),
  skewed: async () => drawn('regression', skewed(40_000)),
  mnist: (folder) => digits('mnist', folder),
} satisfies Readonly<Record<string, (folder: string) => Promise<Table>>>;
export type TableName = keyof typeof TABLES;

/** A table of classes as numbers: what counts standardised, of anything else a column a value; by the rows to train on alone. */
export async function samplesOf(name: TableName, folder: string) {
  const { header, target, train, test } = await TABLES[name](folder);
  const answer = header.indexOf(target);
  const values = (column: number) => train.map((row) => row[column] ?? '');
  const classes = [...new Set(values(answer))].sort();
  const columns = header.flatMap((_, column) => {
    if (column === answer) return [];
    const own = values(column);
    const counted = own.map(Number);
    if (counted.some(Number.isNaN))
      return [...new Set(own)].map((value) => (row: readonly string[]) => Number(row[column] === value));
    const mean = counted.reduce((sum, each) => sum + each, 0) / own.length;
    const deviation = Math.sqrt(counted.reduce((sum, each) => sum + (each - mean) ** 2, 0) / own.length) || 1;
    return [(row: readonly string[]) => (Number(row[column]) - mean) / deviation];
  });
  const of = (rows: Table['train']) => ({
    x: {
      data: Float32Array.from(rows.flatMap((row) => columns.map((each) => each(row)))),
      rows: rows.length,
      columns: columns.length,
    },
    labels: Int32Array.from(rows, (row) => classes.indexOf(row[answer] ?? '')),
  });
  return { train: of(train), test: of(test), classes };
}

export interface Files {
  readonly train: string;
  readonly test: string;
  readonly target: string;
  readonly task: Table['task'];
}

/** Writes the two files of a table into a folder. */
export async function writeTable(name: TableName, data: string, folder: string): Promise<Files> {
  const { header, target, task, ...sides } = await TABLES[name](data);
  await mkdir(folder, { recursive: true });
  const write = async (side: 'train' | 'test'): Promise<string> => {
    const path = join(folder, `${name}-${side}.csv`);
    await writeFile(path, `${[header, ...sides[side]].map((row) => row.join()).join('\n')}\n`);
    return path;
  };
  return { target, task, train: await write('train'), test: await write('test') };
}
