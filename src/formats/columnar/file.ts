import { throwIfAborted } from '../../core/abort.js';
import { type DlAdmmError, messageOf } from '../../core/errors.js';
import { readOptions } from '../../network/schema.js';
import { featuresOf } from '../../samples/features.js';
import type { Frame, FrameColumn } from '../../samples/frame.js';
import { columnBuilder, finished } from '../../samples/framing.js';
import { paced } from '../../tensor/inputs.js';
import { formatError } from '../bytes.js';
import { type CsvTable, TABLE, type TableOptions, targetColumn } from '../labels.js';
import { tableFrom } from '../tables.js';

export interface ColumnPart {
  readonly column: number;
  readonly first: number;
  readonly values: ArrayLike<unknown>;
}

export interface FileColumn {
  readonly name: string;
  /** Its values: numbers (a bigint where no double holds one), true and false, texts, or Dates; null is a missing one. */
  readonly kind: 'number' | 'boolean' | 'text' | 'date';
  /** Whether it may hold numbers that float32 does not. */
  readonly wide: boolean;
  /** What it holds, where that cannot be read. */
  readonly refused?: string;
  /** It names the rows, as the index of a data frame does. */
  readonly index?: true;
}

/** A file that is stored by column. */
export interface ColumnarFile {
  readonly rows: number;
  readonly columns: readonly FileColumn[];
  /** All values of some columns, in parts of any order. */
  readonly parts: (columns: readonly number[]) => AsyncIterable<ColumnPart>;
}

/** Rows that a data frame has names for keep them to themselves, unless they are asked for. */
function visible({ columns }: ColumnarFile, options: TableOptions): readonly number[] {
  const asked = [
    options.target,
    ...(options.columns ?? []).map((column) => (typeof column === 'object' ? column.name : column)),
  ];
  return columns.flatMap(({ index, name }, place) => (index && !asked.includes(name) ? [] : [place]));
}

async function pushAll(
  builder: ReturnType<typeof columnBuilder>,
  values: ArrayLike<unknown>,
  name: string,
): Promise<void> {
  const pace = paced();
  try {
    for (let i = 0; i < values.length; i += 1) {
      builder.push(values[i]);
      const pausing = pace(1);
      if (pausing) await pausing;
    }
  } catch (error) {
    throw formatError(name, messageOf(error), error);
  }
}

/** Some columns of a file by their places, whole. */
async function framed(
  file: ColumnarFile,
  places: readonly number[],
  name: string,
  signal: AbortSignal | undefined,
): Promise<Frame> {
  const { rows } = file;
  const nameOf = (place: number): string => (file.columns[place] as FileColumn).name;
  const gathered = new Map(
    places.map((place) => [
      place,
      {
        builder: columnBuilder(nameOf(place), name, file.columns[place]?.kind === 'text'),
        rows: 0,
        waiting: [] as ColumnPart[],
      },
    ]),
  );
  for await (const part of file.parts([...gathered.keys()])) {
    throwIfAborted(signal, `Reading ${name}`);
    const column = gathered.get(part.column);
    if (column === undefined) continue;
    if (!(part.first >= column.rows && part.first + part.values.length <= rows))
      throw formatError(name, `damaged: column ${nameOf(part.column)} has too many values`);
    column.waiting.push(part);
    for (let next = part as ColumnPart | undefined; next; ) {
      if (next.first !== column.rows) break;
      await pushAll(column.builder, next.values, name);
      column.rows += next.values.length;
      column.waiting.splice(column.waiting.indexOf(next), 1);
      next = column.waiting.find(({ first }) => first === column.rows);
    }
  }
  const builders = places.map((place) => {
    const column = gathered.get(place);
    if (column?.rows !== rows)
      throw formatError(name, `damaged: expected ${rows} values in column ${nameOf(place)} but found ${column?.rows}`);
    return column.builder;
  });
  return { name, rows, named: true, columns: await finished(builders) };
}

const unreadable = ({ name, refused }: FileColumn, file: string): DlAdmmError =>
  formatError(
    file,
    `column ${JSON.stringify(name)} holds ${refused}; expected numbers, texts or dates: leave it out, or write it as columns of numbers`,
  );

/** All columns of a file but for the names of rows; one that cannot be read says so where it is needed. */
export async function frameFrom(file: ColumnarFile, name: string, options: TableOptions): Promise<Frame> {
  readOptions(TABLE, options);
  const { rows } = file;
  const shown = visible(file, options);
  const places = shown.filter((place) => file.columns[place]?.refused === undefined);
  if (rows === 0 || places.length === 0) throw formatError(name, 'expected at least one row but found none');
  const frame = await framed(file, places, name, options.signal);
  const found = new Map(places.map((place, i) => [place, frame.columns[i]]));
  const empty = (column: FileColumn): FrameColumn => ({
    ...{ name: column.name, kind: 'number', missing: rows, values: new Float32Array(rows).fill(Number.NaN) },
    refused: unreadable(column, name),
  });
  return { ...frame, columns: shown.map((place) => found.get(place) ?? empty(file.columns[place] as FileColumn)) };
}

/**
 * The features of a columnar file, float32 where that holds them all exactly and float64 elsewhere, and its labels.
 *
 * @throws ERR_DLADMM_FORMAT, ERR_DLADMM_LABEL, ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_ABORTED
 */
export async function readColumnar(file: ColumnarFile, name: string, options: TableOptions): Promise<CsvTable> {
  readOptions(TABLE, options);
  const places = visible(file, options);
  const shown = places.map((place) => file.columns[place] as FileColumn);
  const names = shown.map((column) => column.name);
  if (file.rows === 0 || names.length === 0)
    throw formatError(name, 'expected at least one row of numbers but found none');
  const target = targetColumn(names, true, options, name);
  const features = featuresOf({ names, named: true, target }, options, name);
  const wanted = target < 0 ? features : [...features, target];
  const odd = wanted.map((place) => shown[place] as FileColumn).find(({ refused }) => refused !== undefined);
  if (odd) throw unreadable(odd, name);
  const frame = await framed(
    file,
    wanted.map((place) => places[place] as number),
    name,
    options.signal,
  );
  const where = (column: string, row: number): string => `${name}, row ${row}, column ${JSON.stringify(column)}`;
  return tableFrom(frame, { name, target: target < 0 ? undefined : names[target], options, where });
}
