/** A file's table as features and labels: every value must be there, and be a number, or a text where texts are asked for. */
import { types } from 'node:util';
import { zeros } from '../core/numbers.js';
import { type Decimal, numberHint } from '../samples/cells.js';
import { type Column, MAX_CATEGORIES } from '../samples/columns.js';
import { encoded } from '../samples/encoded.js';
import { learntColumns } from '../samples/features.js';
import { type Frame, type FrameColumn, namedColumn, valueAt } from '../samples/frame.js';
import { eachChunk, inTurns } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import { provided } from '../tensor/provided.js';
import { formatError } from './bytes.js';
import { badCell, type Cells, type CsvTable, coded, labelledTable, type TableOptions } from './labels.js';

/** How errors call a value of a file, by its row in the frame. */
type Where = (column: string, row: number) => string;

export interface Reading {
  readonly name: string;
  /** The column to predict. */
  readonly target: string | undefined;
  readonly options: TableOptions;
  readonly where: Where;
  readonly decimal?: Decimal;
}

const firstMissing = (column: FrameColumn): number =>
  column.kind === 'text' ? column.codes.indexOf(-1) : column.values.findIndex(Number.isNaN);

/** A column as it is read where nobody has learnt anything of it. */
function plainColumn(column: FrameColumn, reading: Reading, texts: TableOptions['texts']): Column {
  const { where, options, decimal = '.' } = reading;
  const { name, kind, missing, mixture, refused } = column;
  if (refused) throw formatError(reading.name, refused.message, refused);
  const oneHot = texts === 'one-hot' && kind === 'text';
  const alone =
    mixture && mixture.texts <= mixture.numbers ? `, where ${mixture.numbers} cells hold ${mixture.most}` : '';
  const hint = alone || (options.texts || options.columns ? '' : "; texts: 'one-hot' takes columns of texts");
  const odd = (row: number, found: unknown): Error =>
    badCell(where(name, row), found, 'a number', (typeof found === 'string' && numberHint(found, decimal)) || hint);
  if (mixture && (!oneHot || mixture.texts <= mixture.numbers)) throw odd(mixture.row, mixture.text);
  if (kind === 'text' && !oneHot) {
    const row = column.codes.findIndex((code) => code >= 0);
    throw odd(row, valueAt(column, row));
  }
  if (kind === 'date')
    throw badCell(
      where(name, 0),
      new Date(column.values[0] as number).toISOString(),
      'a number',
      '; fit(path, { target }) takes dates',
    );
  if (missing > 0) {
    const what = oneHot ? 'a text' : 'a number';
    const why = '; fit(path, { target }) fills in what is missing';
    throw badCell(where(name, firstMissing(column)), null, what, why);
  }
  if (!oneHot) return { name };
  const categories = column.texts.toSorted((a, b) => (a < b ? -1 : 1));
  if (categories.length > MAX_CATEGORIES) {
    const row = column.codes.indexOf(MAX_CATEGORIES);
    const what = `expected at most ${MAX_CATEGORIES} categories but this is one more: the column may be an identifier`;
    throw formatError(where(name, row), what);
  }
  return { name, categories };
}

/** Rows of inputs, in float32 where that holds the values of all their columns. */
async function matrixOf(frame: Frame, columns: readonly Column[]): Promise<Matrix> {
  const { x } = await encoded(frame, columns);
  if (x.sparse)
    throw formatError(
      frame.name,
      'its texts enter by their hashes, for which a matrix has no room: model.predict takes the file',
    );
  const narrow = columns.every((column) => {
    const found = namedColumn(frame, column.name, 'columns');
    const filled = typeof column.fill !== 'number' || Math.fround(column.fill) === column.fill;
    return (
      !column.date && filled && (found.kind === 'text' || types.isFloat32Array(found.part?.(0, 0) ?? found.values))
    );
  });
  const data = zeros(narrow ? 'float32' : 'float64', x.rows * x.columns);
  const pages = provided(data.buffer);
  try {
    // Memory that is given back is there for the rows to come.
    await eachChunk(x, (chunk, first, count) => {
      pages.reached(first * x.columns * data.BYTES_PER_ELEMENT);
      data.set(chunk, first * x.columns);
      x.release?.(first + count);
    });
  } finally {
    await pages.end();
  }
  return { data, rows: x.rows, columns: x.columns };
}

/** Labels: of numbers no texts are made, but for −0, which is written 0. */
async function cellsOf(column: FrameColumn): Promise<Cells> {
  if (column.kind === 'text') return { values: column.texts, codes: column.codes };
  const { kind, values } = column;
  if (kind === 'boolean') {
    const found = await coded(values);
    return { ...found, values: found.values.map((value) => String(value === 1)) };
  }
  const out = new Float64Array(values.length);
  await inTurns(values.length, (i) => {
    out[i] = (values[i] as number) + 0;
  });
  return out;
}

/**
 * The table of a frame that holds the features in their order, and the labels.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT, ERR_DLADMM_LABEL
 */
export async function tableFrom(frame: Frame, reading: Reading): Promise<CsvTable> {
  const { name, target, options, where } = reading;
  const features = frame.columns.filter((column) => column.name !== target);
  if (features.length === 0) {
    const only =
      target === undefined
        ? ''
        : `: the only one is ${JSON.stringify(target)}; delimiter says what stands between cells`;
    throw formatError(name, `expected a column of features beside the target but found none${only}`);
  }
  const learnt = learntColumns(options);
  const columns = features.map((column, i) => {
    const known = learnt[i];
    if (known?.fill !== undefined) return known;
    if (known?.categories && column.missing === 0) return known;
    const plain = plainColumn(column, reading, known?.categories ? 'one-hot' : options.texts);
    return known ?? plain;
  });
  const x = await matrixOf(frame, columns);
  const told = { x, columns: columns.map((column) => (Object.keys(column).length > 1 ? column : column.name)) };
  if (target === undefined) return { task: 'unlabelled', ...told };
  const column = namedColumn(frame, target, 'target');
  if (column.missing > 0) throw badCell(where(target, firstMissing(column)), null, 'a label');
  return labelledTable({ ...told, target }, await cellsOf(column), options.task, (row) => where(target, row));
}
