/** Tables as people have them, each written once as a CSV file to train on and one to be judged by. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
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

async function bundled(name: string, share: number): Promise<Table> {
  const set = await loadDataset(name);
  const sides = [set.train, set.test];
  const features = Array.from({ length: set.train.x.columns }, (_, j) => `feature_${j + 1}`);
  const rows = sides.flatMap((side) => {
    const { x } = side;
    const answers =
      'labels' in side ? Array.from(side.labels, (label) => `class ${label}`) : Array.from(side.y.data, String);
    return answers.map((answer, i) =>
      [...x.data.subarray(i * x.columns, (i + 1) * x.columns)].map(String).concat(answer),
    );
  });
  return parted({ target: 'answer', task: set.task, header: [...features, 'answer'] }, rows, share);
}

/** The Adult census set as UCI gives it, `?` for what is missing. */
async function adult(folder: string): Promise<Table> {
  const header =
    'age,workclass,fnlwgt,education,education_num,marital_status,occupation,relationship,race,sex,capital_gain,capital_loss,hours_per_week,native_country,income'.split(
      ',',
    );
  const rowsOf = async (name: string): Promise<readonly (readonly string[])[]> =>
    gunzipSync(await readFile(join(folder, 'tabular/adult', name)))
      .toString('utf8')
      .split('\n')
      .map((line) =>
        line
          .replace(/\.$/, '')
          .split(',')
          .map((field) => field.trim()),
      )
      .filter((fields) => fields.length === header.length);
  const [train, test] = [await rowsOf('adult.data.gz'), await rowsOf('adult.test.gz')];
  return { target: 'income', task: 'classification', header, train, test };
}

async function housing(folder: string): Promise<Table> {
  const file = join(folder, 'tabular/california_housing/cal_housing.data.gz');
  const [header = [], ...rows] = gunzipSync(await readFile(file))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => line.trim().split(','));
  return parted({ target: header.at(-1) ?? '', task: 'regression', header }, rows, 0.25);
}

async function digits(name: string, folder?: string): Promise<Table> {
  const { train, test } = await classesOf(name, folder);
  const header = [...Array.from({ length: train.x.columns }, (_, j) => `pixel_${j}`), 'digit'];
  const rowsOf = ({ x, labels }: typeof train): readonly (readonly string[])[] =>
    Array.from(labels, (label, i) => [
      ...Array.from(x.data.subarray(i * x.columns, (i + 1) * x.columns), (value) => String(Math.round(value * 255))),
      String(label),
    ]);
  return { target: 'digit', task: 'classification', header, train: rowsOf(train), test: rowsOf(test) };
}

export const TABLES = {
  iris: () => bundled('iris', 1 / 3),
  adult,
  'california-housing': housing,
  churn: async () =>
    parted({ target: 'churned', task: 'classification', header: churn.header }, churn.rows(200_000), 0.25),
  rare: async () => parted({ target: 'bought', task: 'classification', header: rare.header }, rare.rows(140_000), 0.25),
  skewed: async () => parted({ target: 'claim', task: 'regression', header: skewed.header }, skewed.rows(40_000), 0.25),
  mnist: (folder) => digits('mnist', folder),
} satisfies Readonly<Record<string, (folder: string) => Promise<Table>>>;
export type TableName = keyof typeof TABLES;

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
