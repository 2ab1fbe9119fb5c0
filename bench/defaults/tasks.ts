import type { Matrix } from 'dladmm';
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

const SETTINGS = {
  digits: { hidden: [100, 100], outputs: 10, epochs: 30 },
  diabetes: { hidden: [50], outputs: 1, epochs: 50 },
  'california-housing': { hidden: [200, 200], outputs: 1, epochs: 30 },
  adult: { hidden: [200, 100], outputs: 2, epochs: 5 },
  mnist: { hidden: [500, 500], outputs: 10, epochs: 3 },
  'fashion-mnist': { hidden: [500, 500], outputs: 10, epochs: 3 },
};
export type TaskName = keyof typeof SETTINGS;

/** The names of the tasks, in the order of the study. */
export const TASKS = Object.keys(SETTINGS) as readonly TaskName[];

/** A data set as the study trains on it, and the network that learns it. */
export type Task = NonNullable<Awaited<ReturnType<typeof loadTask>>>;

/** From the folder of the data sets, where one was named; undefined where the files are not there. */
export async function loadTask(name: TaskName, folder: string | undefined) {
  const parts = name === 'adult' ? await adult(folder) : await named(name, folder);
  if (parts === undefined) return undefined;
  const { train, test } = parts;
  const { hidden, outputs, epochs } = SETTINGS[name];
  const loss = outputs === 1 ? ('squared-error' as const) : ('softmax-cross-entropy' as const);
  return { name, layers: [train.x.columns, ...hidden, outputs], loss, epochs, data: { ...train, test } };
}

/** The Adult census set (UCI), eight of its columns as one column a category, of which what is missing is one. */
async function adult(folder = '') {
  const table = await TABLES.adult(folder).catch(() => undefined);
  if (table === undefined) return undefined;
  const samplesOf = async (rows: readonly (readonly string[])[], options: TableOptions = {}) => {
    const lines = [table.header, ...rows].map((row) => row.join().replaceAll('?', 'unknown'));
    const bytes = new TextEncoder().encode(lines.join('\n'));
    const read = await parseCsv(bytes, 'adult', { texts: 'one-hot', ...options });
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
