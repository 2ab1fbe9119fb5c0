/** What the columns that are to be predicted hold: classes, values, or any number of labels a row. */
import { repeated } from '../core/checks.js';
import { DlAdmmError, expected, listed } from '../core/errors.js';
import { goalOf, type Loss } from '../network/network.js';
import { option, valueType } from '../network/schema.js';
import { inTurns, turn } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import { type ColumnPlace, isPlace } from './features.js';
import { type Frame, type FrameColumn, namedColumn, placeText, readable, valueAt } from './frame.js';
import { type LabelRows, labelRows, splitLabels } from './label-lists.js';

export type Target = string | number | boolean;

/** What is to be predicted: one of several classes, any number of labels, or values. */
export type Task = 'classification' | 'multi-label' | 'regression';
const TASK_OF = { classes: 'classification', labels: 'multi-label', values: 'regression' } as const;
export const TASKS: readonly Task[] = Object.values(TASK_OF);

/** What a loss is for. */
export const taskOf = (loss: Loss): Task => TASK_OF[goalOf(loss)];

/** The column to predict, or several: of values, or of labels that a row has or has not. */
export type TargetPlaces = ColumnPlace | readonly ColumnPlace[];

/** The option that names them; `otherwise` is what stands where nobody does. */
export const targetOption = (otherwise: string) =>
  option(
    valueType<TargetPlaces>(
      'name or place of a column, or several',
      (value) => (Array.isArray(value) ? value.length > 0 && value.every(isPlace) : isPlace(value)),
      'the name of a column, or an array of names',
      { as: 'target' },
    ),
    {
      otherwise,
      says: 'Of a table: the column to predict: its name, or its place from 0, or from −1 counted from the end (#1, #-1 on the command line); or several, of values, or of labels that a row has or has not.',
    },
  );

/** What the target of a table turned out to hold: classes, or rows of values, or of 0 and 1 for labels that have names. */
export type Wanted = { readonly because: string; readonly doubt?: string } & (
  | { readonly task: 'classification'; readonly values: readonly Target[] }
  | { readonly task: 'regression'; readonly y: Matrix; readonly names?: undefined }
  | ({ readonly task: 'multi-label' } & LabelRows)
);

const listOf = (target: TargetPlaces): readonly ColumnPlace[] => (typeof target === 'object' ? target : [target]);

/** The columns that somebody names as targets. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_FORMAT */
export function targetsOf(frame: Frame, target: TargetPlaces): readonly [FrameColumn, ...FrameColumn[]] {
  const [first, ...more] = listOf(target).map((place) => readable(namedColumn(frame, place, 'target')));
  const twice = repeated([first, ...more]);
  if (first === undefined || twice) throw expected('columns, each once,', 'target', twice?.name ?? target);
  return [first, ...more];
}

/** The names of the columns, as a model keeps them. */
export function targetNames(frame: Frame, target: TargetPlaces): string | readonly string[] {
  const names = targetsOf(frame, target).map(({ name }) => name);
  return typeof target === 'object' ? names : (names[0] as string);
}

const columnText = (columns: readonly FrameColumn[]): string =>
  `${columns.length === 1 ? 'column' : 'columns'} ${columns.map(({ name }) => JSON.stringify(name)).join(', ')}`;

/** How errors call the columns. */
export const targetText = (frame: Frame, target: TargetPlaces): string =>
  `column ${targetsOf(frame, target).map(({ name }) => JSON.stringify(name))} of ${frame.name}`;

/**
 * What is to be predicted of each row.
 *
 * @param asked the task, where somebody says it
 * @param known the names of labels that there may be
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where there is no such column, or it is not of the task; ERR_DLADMM_LABEL, naming the row
 */
export async function wantedOf(
  frame: Frame,
  target: TargetPlaces,
  asked: Task | undefined,
  known?: readonly string[],
): Promise<Wanted> {
  const columns = targetsOf(frame, target);
  const [first, ...more] = columns;
  await first.fetch?.();
  const called = columnText(columns);
  if (frame.columns.length === columns.length && !frame.records) {
    const why = `Expected columns beside the target in ${frame.name} but found ${called} alone: delimiter (--delimiter) says what stands between cells`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', why);
  }
  const because = asked ? 'the options say so' : `${called} holds lists`;
  if (first.lists && asked && asked !== 'multi-label')
    throw expected(`'multi-label', as ${called} holds lists,`, 'task', asked);
  if (first.kind === 'text' && more.length === 0 && (first.lists || asked === 'multi-label')) {
    return { task: 'multi-label', because, ...(await labelsIn(frame, first, known)) };
  }
  if (more.length > 0 || asked === 'multi-label') return severalOf(frame, listOf(target), asked);
  const values = await targetValues(frame, listOf(target)[0] as ColumnPlace);
  const found: ReturnType<typeof inferTask> = asked
    ? { task: asked, because }
    : await turn(inferTask(values, called, first.kind === 'text' ? first.texts.length : undefined));
  if (found.task === 'classification') return { task: 'classification', because: found.because, values };
  const data = new Float64Array(values.length);
  let bad = -1;
  await inTurns(values.length, (i) => {
    const value = values[i];
    data[i] = typeof value === 'number' ? value : Number.NaN;
    if (bad < 0 && Number.isNaN(data[i])) bad = i;
  });
  if (bad >= 0)
    throw expected(
      'a number',
      `${first.mixture?.place ?? placeText(frame, first.mixture?.row ?? bad)} of ${called} of ${frame.name}`,
      first.mixture?.text ?? values[bad],
      'ERR_DLADMM_LABEL',
    );
  return { ...found, task: 'regression', y: { data, rows: frame.rows, columns: 1 } };
}

/** Several columns: numbers, or labels where all hold 0 and 1 (false and true) alone. */
async function severalOf(frame: Frame, places: readonly ColumnPlace[], asked: Task | undefined): Promise<Wanted> {
  const columns = targetsOf(frame, places);
  if (asked === 'classification') {
    throw expected(
      "one column of classes ('multi-label' and 'regression' take several)",
      'target',
      columns.map(({ name }) => name),
    );
  }
  const { rows } = frame;
  const width = columns.length;
  const data = new Float64Array(rows * width);
  let odd: { readonly value: Target; readonly where: string } | undefined;
  for (const [j, { name }] of columns.entries()) {
    const where = (i: number): string => `${placeText(frame, i)} of column ${JSON.stringify(name)} of ${frame.name}`;
    const values = await targetValues(frame, places[j] as ColumnPlace);
    await inTurns(rows, (i) => {
      const value = values[i] as Target;
      if (typeof value === 'string')
        throw expected(
          'a number, or true or false, as there are several targets,',
          where(i),
          value,
          'ERR_DLADMM_LABEL',
        );
      const number = Number(value);
      if (odd === undefined && number !== 0 && number !== 1) odd = { value, where: where(i) };
      data[i * width + j] = number;
    });
  }
  if (odd && asked === 'multi-label')
    throw expected('0 or 1, or true or false,', odd.where, odd.value, 'ERR_DLADMM_LABEL');
  const task = asked ?? (odd ? 'regression' : 'multi-label');
  const because = asked ? 'the options say so' : `${columnText(columns)} hold ${odd ? 'numbers' : '0 and 1 alone'}`;
  const y = { data, rows, columns: width };
  return task === 'regression' ? { task, because, y } : { task, because, y, names: columns.map(({ name }) => name) };
}

/** The labels in a column of lists, or of texts that name some; a text that is missing names none. */
function labelsIn(
  frame: Frame,
  column: Extract<FrameColumn, { kind: 'text' }>,
  known: readonly string[] | undefined,
): Promise<LabelRows> {
  const { codes, texts, lists, missing, name } = column;
  const where = (row: number): string => `${placeText(frame, row)} of column ${JSON.stringify(name)} of ${frame.name}`;
  if (lists && missing > 0)
    throw expected('a list, as others are ([] has no label),', where(codes.indexOf(-1)), null, 'ERR_DLADMM_LABEL');
  const named = texts.map((text) => (lists ? (JSON.parse(text) as readonly string[]) : splitLabels(text)));
  return labelRows(named, codes, known, where);
}

/** So many different whole numbers are classes. */
const FEW_CLASSES = 20;
/** Whole numbers are classes only within these, or where there are two of them. */
const LEAST = -1;
const MOST = 99;
/** In so few rows nothing is said by each of them being another class. */
const FEW_ROWS = 20;

/** @throws DlAdmmError ERR_DLADMM_LABEL where texts are taken for classes and nearly every row has one of its own */
export function checkNoIdentifier(rows: number, classes: number, name: string): void {
  if (rows < FEW_ROWS || classes <= rows / 2) return;
  const text = `Expected several rows of each class in ${name} but of its ${rows} rows nearly every one is a class of its own (${classes} classes): it may be an identifier; name another column as label, or say the task`;
  throw new DlAdmmError('ERR_DLADMM_LABEL', text);
}

/**
 * Whether values are classes or numbers to come close to, and why.
 *
 * @param name how errors call them
 * @param texts how many different ones there are, where somebody knows
 * @throws DlAdmmError ERR_DLADMM_LABEL for texts of which nearly every one is its own class
 */
export function inferTask(
  values: readonly Target[] | Float64Array,
  name: string,
  texts?: number,
): { readonly task: 'classification' | 'regression'; readonly because: string; readonly doubt?: string } {
  if (typeof values[0] === 'boolean') return { task: 'classification', because: `${name} holds true and false` };
  if (typeof values[0] === 'string') {
    checkNoIdentifier(values.length, texts ?? new Set<unknown>(values).size, name);
    return { task: 'classification', because: `${name} holds texts` };
  }
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isInteger(value)) return { task: 'regression', because: `${name} holds numbers that are not whole` };
    low = Math.min(low, value as number);
    high = Math.max(high, value as number);
  }
  const distinct = new Set<Target>();
  for (let i = 0; i < values.length && distinct.size <= MOST - LEAST + 1; i += 1) distinct.add(values[i] as Target);
  const { size } = distinct;
  const because = `${name} holds ${size > MOST - LEAST + 1 ? 'many' : size} different whole numbers from ${low} to ${high}`;
  const complete = low <= 1 && size === high - low + 1;
  const many = values.length >= FEW_ROWS;
  if (low >= LEAST && high <= MOST ? size <= FEW_CLASSES || complete : size === 2 && many)
    return { task: 'classification', because };
  if (size > FEW_CLASSES || size < 2 || values.length < FEW_ROWS * size) return { task: 'regression', because };
  const doubt = `${because}, which are taken for values; task: 'classification' (--task classification) takes them for classes`;
  return { task: 'regression', because, doubt };
}

/**
 * The values of the column that is to be predicted; the event loop runs in between.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where there is no such column; ERR_DLADMM_LABEL, naming the row, where a value is missing
 */
export async function targetValues(frame: Frame, target: ColumnPlace): Promise<readonly Target[]> {
  const column = readable(namedColumn(frame, target, 'target'));
  const called = `column ${JSON.stringify(column.name)} of ${frame.name}`;
  const { mixture } = column;
  if (mixture && mixture.most !== 'booleans' && mixture.texts < mixture.numbers / 20) {
    const why = `Expected ${mixture.most}, as others are, in ${called} but found ${JSON.stringify(mixture.text)} in ${mixture.place ?? placeText(frame, mixture.row)}`;
    throw new DlAdmmError('ERR_DLADMM_LABEL', why);
  }
  const { missing } = column;
  if (column.kind === 'date' && missing < frame.rows) {
    const why = `Expected classes or numbers in ${called} but found dates: days since one of them are numbers`;
    throw new DlAdmmError('ERR_DLADMM_LABEL', why);
  }
  const values: Target[] = [];
  await inTurns(frame.rows, (row) => {
    const value = valueAt(column, row);
    if (value === null) {
      const of = missing === frame.rows ? `all ${missing}` : `${missing} of ${frame.rows}`;
      const what = `Expected a value to predict in every row of ${called} but ${of} are missing, the first in ${placeText(frame, row)}: ${missing === frame.rows ? 'name another column by target' : 'leave such rows out'}`;
      throw new DlAdmmError('ERR_DLADMM_LABEL', what);
    }
    values.push(value);
  });
  return values;
}

/** @throws DlAdmmError ERR_DLADMM_LABEL, naming the row, for a class that is none of those that are known by name */
export function checkKnown(
  values: readonly Target[],
  classes: readonly string[],
  frame: Frame,
  target: TargetPlaces,
): void {
  const known = new Set(classes);
  const row = values.findIndex((value) => !known.has(String(value)));
  if (row < 0) return;
  const where = `${placeText(frame, row)} of column ${JSON.stringify(targetsOf(frame, target)[0].name)} of ${frame.name}`;
  throw expected(`one of the classes ${listed(classes, 20)}`, where, values[row], 'ERR_DLADMM_LABEL');
}

/** As many rows as say how frequent a target is. */
const TOLD = 10_000;

/** Rows whose target is not the most frequent one, by a sample: where they are few, few things can be told apart. */
export function tellingRows(frame: Frame, target: ColumnPlace | undefined): number {
  const { rows } = frame;
  if (target === undefined) return rows;
  const column = namedColumn(frame, target, 'target');
  const values = column.kind === 'text' ? column.codes : column.values;
  const counts = new Map<number, number>();
  // Odd, as what alternates is not to be missed.
  const step = Math.ceil(rows / TOLD) | 1;
  for (let i = 0; i < rows; i += step) counts.set(values[i] as number, (counts.get(values[i] as number) ?? 0) + step);
  return rows - Math.min(rows, Math.max(...counts.values()));
}
