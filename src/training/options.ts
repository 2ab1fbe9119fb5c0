/** The options of a training as they are declared beside those of the solvers: what says how rows become samples, and what stands where no solver is named. */
import { bytesSaid } from '../core/bytes.js';
import { DIALECT } from '../formats/csv.js';
import type { StoredSamples } from '../formats/sample-file.js';
import { flag, number, type OptionsOf, option, type Schema, valueType, whole, word } from '../network/schema.js';
import type { RowsLike } from '../samples/arriving.js';
import { COLUMNS } from '../samples/features.js';
import type { Frame } from '../samples/frame.js';
import { LEARNING } from '../samples/learning.js';
import type { ColumnsLike } from '../samples/table.js';
import { TASKS, targetOption } from '../samples/targets.js';
import type { WeightsLike } from '../samples/weights.js';
import { minibatch } from '../solvers/minibatch/solver.js';
import { COMMON } from '../solvers/shared/options.js';
import { isArray, isNumericArray } from '../tensor/inputs.js';

/** Rows: a file of them by its path or `file:` URL, a store of samples, records, a table, columns by their names, a stream of records, or of CSV (a Readable of text). */
export type Rows = string | URL | RowsLike | Frame | ColumnsLike | StoredSamples;

/** Rows are looked at where they are read. */
const rows = valueType<Rows>(
  'as the data',
  (value) => typeof value === 'string' || (typeof value === 'object' && value !== null),
  'records, a table, a stream, or the path of a file',
);
const SHARE = 'validationShare: 0.2 holds a share of the rows out';

/** What says how rows become samples, and how much of them is held out. */
export const FRONT = {
  target: targetOption('required for rows; on the command line the last column'),
  columns: COLUMNS,
  ...LEARNING,
  ...DIALECT,
  task: word(TASKS, {
    otherwise:
      'classes where the target holds texts, true and false, or few whole numbers; labels where it holds lists of them, or several columns hold 0 and 1 alone',
    says: 'What the target is; of a file, several labels stand in a text as a|b.',
    help: "classes, two or many, are 'classification', numbers are 'regression' (docs/quick-start.md)",
  }),
  hidden: option(
    valueType<readonly number[]>(
      'widths',
      (value) => isArray(value) && value.every((width) => Number.isInteger(width) && Number(width) > 0),
      'widths of hidden layers, whole numbers from 1 such as [100, 100],',
      { as: 'hidden' },
    ),
    {
      otherwise: 'by the number of samples',
      says: 'The widths of the hidden layers; [] (none on the command line) is a linear model.',
    },
  ),
  weights: option(
    valueType<string | WeightsLike>(
      'name of a column, or a number a row',
      (value) => typeof value === 'string' || isArray(value) || isNumericArray(value),
      'an array of numbers, one a sample, or the name of a column',
      { as: 'text' },
    ),
    {
      otherwise: 'all count alike',
      says: 'What rows count for in the training, from 0: the column that says it, or one number a row. Measures count all rows alike.',
    },
  ),
  validation: option(rows, {
    otherwise: 'some rows that are held out',
    says: 'Rows that say when to stop, in place of some that are held out.',
    help: SHARE,
  }),
  test: option(rows, { otherwise: 'none', says: 'Rows that are judged and nothing else.', help: SHARE }),
  validationShare: number('fraction', {
    otherwise: '0.1; of fewer than 2,000 rows 0.2',
    says: 'The share of rows to hold out, which says when to stop and what the model is worth.',
    help: '0.2 is a fifth, 20 %',
  }),
  memory: option(
    valueType<string | number>(
      'bytes',
      (value) => bytesSaid(value) !== undefined,
      "bytes, as a number or as '2GB' or '512MB'",
      { as: 'text' },
    ),
    {
      otherwise: 'what there is',
      says: "What the process may take at most, checked before the training starts; dladmm and inversion-admm leave on the disk what is more. Rows that are in no store of samples are packed first, into a file in the system's folder for such.",
    },
  ),
  calibrate: flag({
    default: false,
    says: "Of hinge and one-hot squared error: whether what is held out makes probabilities of the scores (Platt's sigmoid).",
  }),
} as const satisfies Schema;

/** What says how rows become samples, and how much of them is held out. */
export type FrontOptions = OptionsOf<typeof FRONT>;

const { batchSize, learningRate, l2, initialisation, regularise, monotone, equal } = minibatch.options;

const { distributed: _, ...ANYWHERE } = COMMON;

/** The options that a training takes without a solver, beside those of the front door. */
export const AUTO = {
  ...ANYWHERE,
  iterations: whole(1, { otherwise: 'by the number of samples', says: 'Epochs at most.' }),
  epochs: whole(1, { otherwise: 'iterations', says: 'The same as iterations, in the word of the field.' }),
  ...{ batchSize, initialisation, regularise, monotone, equal },
  learningRate: { ...learningRate, otherwise: 'by the loss' },
  l2: { ...l2, otherwise: 'by the loss and the number of samples' },
} as const satisfies Schema;

export const AUTO_KEYS: readonly string[] = [...Object.keys(AUTO), 'solver'];
