import type { Matrix, TrainingData } from 'dladmm';
import {
  type ClassificationTable,
  type Dataset,
  type DatasetName,
  type LabelledSamples,
  loadDataset,
  parseCsv,
  type TableOptions,
} from 'dladmm/data';
import { learnStandardisation, standardise } from '../harness/internals.js';
import { inFolder } from '../harness/samples.js';
import { TABLES } from '../tabular/tables.js';

/** A data set as the study trains on it, and the network that learns it. */
export interface Task {
  readonly name: string;
  readonly layers: readonly number[];
  readonly loss: 'softmax-cross-entropy' | 'squared-error';
  readonly epochs: number;
  readonly data: TrainingData & { readonly x: Matrix };
}

/** The names of the tasks, in the order of the study. */
export const TASKS = ['digits', 'california-housing', 'adult', 'mnist', 'fashion-mnist'] as const;
export type TaskName = (typeof TASKS)[number];

interface Part extends LabelledSamples {
  readonly x: Matrix;
  readonly y?: Matrix;
}

/** Features, and targets where there are some, with mean 0 and deviation 1 over the training set. */
function standardised(train: Part, test: Part): { readonly train: Part; readonly test: Part } {
  const rule = learnStandardisation(train.x);
  const yRule = train.y && learnStandardisation(train.y);
  const apply = (part: Part): Part => ({
    ...part,
    x: standardise(part.x, rule, 'float32'),
    ...(part.y && yRule && { y: standardise(part.y, yRule, 'float32') }),
  });
  return { train: apply(train), test: apply(test) };
}

const hidden = {
  digits: [100, 100],
  'california-housing': [200, 200],
  adult: [200, 100],
  mnist: [500, 500],
  'fashion-mnist': [500, 500],
};
const epochs = { digits: 30, 'california-housing': 30, adult: 5, mnist: 3, 'fashion-mnist': 3 };

/**
 * @param folder of the data sets, where one was named
 * @returns undefined where the files are not there
 */
export async function loadTask(name: TaskName, folder: string | undefined): Promise<Task | undefined> {
  const parts = name === 'adult' ? await adult(folder) : await named(name, folder);
  if (parts === undefined) return undefined;
  const { train, test } = parts;
  const outputs = name === 'california-housing' ? 1 : name === 'adult' ? 2 : 10;
  return {
    name,
    layers: [train.x.columns, ...hidden[name], outputs],
    loss: name === 'california-housing' ? 'squared-error' : 'softmax-cross-entropy',
    epochs: epochs[name],
    data: { ...train, test },
  };
}

/** The Adult census set (UCI), eight of its columns as one column a category, of which what is missing is one. */
async function adult(folder = '') {
  const table = await TABLES.adult(folder).catch(() => undefined);
  if (table === undefined) return undefined;
  const samplesOf = async (rows: readonly (readonly string[])[], options: TableOptions = {}) => {
    const lines = [table.header, ...rows].map((row) => row.join().replaceAll('?', 'unknown'));
    const bytes = new TextEncoder().encode(lines.join('\n'));
    const read = await parseCsv(bytes, 'adult', { categories: 'one-hot', ...options });
    const { x, labels, columns } = read as ClassificationTable;
    return { x, labels, columns };
  };
  const { columns, ...train } = await samplesOf(table.train);
  const { columns: _, ...test } = await samplesOf(table.test, { columns });
  return standardised(train, test);
}

async function named(name: DatasetName, folder: string | undefined) {
  const set: Dataset = await loadDataset(name, inFolder(folder));
  // Pixels are comparable as they are.
  return set.task === 'regression' ? standardised(set.train, set.test) : set;
}
