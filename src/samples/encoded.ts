/** The rows of a table as inputs of a network, by columns that have been learnt. */
import { didYouMean } from '../core/checks.js';
import { DlAdmmError, listed, quoted } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { inSteps } from '../tensor/csr.js';
import { paced, type RowSource, roomFor, trusted } from '../tensor/inputs.js';
import { type Column, inputsOfColumn, offsetsOf } from './columns.js';
import { type Encoder, encoderOf, numberSaid } from './encoder.js';
import type { ColumnPlace } from './features.js';
import { type Frame, type FrameColumn, namedColumn, placeText, renamed, saidBy, single, valueAt } from './frame.js';
import { areHashed, hashedRows, tableColumns } from './hashed.js';
import type { ColumnNote } from './learning.js';

/** Writes cells of a column, those of `count` rows from `first` on, to every `step`-th place of `out` from `at` on. */
type CellReader = (first: number, count: number, out: Numbers, at: number, step: number) => void;

function cellReader(values: FrameColumn, column: Column, c: number, encoder: Encoder): CellReader {
  const isText = values.kind === 'text';
  const dated = column.date !== undefined;
  const coded = column.categories !== undefined || column.buckets !== undefined;
  const plain =
    !isText && !coded && dated === (values.kind === 'date') && (values.missing === 0 || column.fill !== undefined);
  const said = isText && !coded && !dated;
  // Each text is looked up once.
  const known = new Float64Array(isText && coded ? values.texts.length : 0).fill(-1);
  return (first, count, out, at, step) => {
    const some = values.part?.(first, count) ?? (isText ? values.codes : values.values);
    const from = values.part ? 0 : first;
    if (plain) {
      for (let i = 0; i < count; i += 1) out[at + i * step] = some[from + i] as number;
      return;
    }
    for (let i = 0; i < count; i += 1) {
      const own = some[from + i] as number;
      const cell = known[own] ?? -1;
      if (cell >= 0) {
        out[at + i * step] = cell;
        continue;
      }
      const value = saidBy(values, own);
      const found = encoder.cell(said ? (numberSaid(value) ?? value) : value, c, first + i);
      out[at + i * step] = found;
      if (own >= 0 && own < known.length) known[own] = found;
    }
  };
}

/**
 * The rows of a table as inputs of a network, in float64, made a chunk at a time, and as cells, a number a column (encoder.ts says which);
 * `notes` tell what is not as the columns were learnt.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where a column is not there; from a chunk, ERR_DLADMM_ARGUMENT, ERR_DLADMM_LABEL, naming row and column
 */
export async function encoded(
  frame: Frame,
  columns: readonly Column[],
): Promise<{ readonly x: RowSource; readonly cells: RowSource; readonly notes: readonly ColumnNote[] }> {
  if (areHashed(columns)) return encodedSparse(frame, columns);
  const { name, rows } = frame;
  const notes: ColumnNote[] = [];
  const found = byName(frame, columns, notes);
  const encoder = encoderOf(columns, name, (row) => placeText(frame, row));
  const { inputs } = encoder;
  notes.push(...columns.flatMap((column, c) => unseen(column, found[c] as FrameColumn, rows)));
  const { offsets } = offsetsOf(columns);
  const readers = columns.map((column, c) => cellReader(found[c] as FrameColumn, column, c, encoder));
  // Made once: memory that comes and goes has the collector look through all that the process holds, step by step.
  let room = new Float64Array(0);
  const x = trusted({
    name,
    rows,
    columns: inputs,
    release(row: number) {
      for (const column of found) column.release?.(row);
    },
    chunk(first: number, count: number, spent?: Numbers) {
      const out = roomFor('float64', count * inputs, spent);
      if (room.length < count) room = new Float64Array(count);
      for (const [c, read] of readers.entries()) {
        const column = columns[c] as Column;
        const plain = inputsOfColumn(column) === 1 && !column.date && !column.categories && !column.buckets;
        if (plain && found[c]?.missing === 0) read(first, count, out, offsets[c] as number, inputs);
        else {
          read(first, count, room, 0, 1);
          for (let i = 0; i < count; i += 1) encoder.write(room[i] as number, c, out, i * inputs);
        }
      }
      return out;
    },
  });
  const cells = trusted({
    name,
    rows,
    columns: columns.length,
    chunk(first: number, count: number) {
      const out = new Float64Array(count * columns.length);
      for (const [c, read] of readers.entries()) read(first, count, out, c, columns.length);
      return out;
    },
  });
  return { x, cells, notes };
}

/** The same where columns are hashed: the rows are sparse, and there are no cells beside them. */
async function encodedSparse(frame: Frame, columns: readonly Column[]): ReturnType<typeof encoded> {
  const { name, rows } = frame;
  const notes: ColumnNote[] = [];
  const sources = tableColumns(columns);
  const found = byName(frame, sources, notes);
  const by = new Map(sources.map((source, i) => [source.name, found[i] as FrameColumn]));
  notes.push(...columns.flatMap((column) => unseen(column, by.get(column.name) as FrameColumn, rows)));
  const gathering = hashedRows(columns, rows, name, (row) => placeText(frame, row));
  const pace = paced();
  for (let row = 0; row < rows; row += 1) {
    const entries = gathering.push(row, (column) => valueAt(by.get(column) as FrameColumn, row));
    const pausing = pace(1 + entries);
    if (pausing) await pausing;
  }
  const x = await inSteps(gathering.all());
  return { x, cells: x, notes };
}

/** The columns of a table in the order of others of their names. */
function byName(frame: Frame, columns: readonly Column[], notes: ColumnNote[]): readonly FrameColumn[] {
  const places = new Map<string, FrameColumn | undefined>();
  for (const column of frame.columns) places.set(column.name, places.has(column.name) ? undefined : column);
  const names = frame.columns.map(({ name }) => name);
  return columns.map(({ name, fill }) => {
    const found = places.get(name);
    if (found) return single(found, frame.name);
    if (places.has(name)) return namedColumn(frame, name, 'columns');
    // What all of some records lack is missing in all of them, unless it stands there by another name.
    if (
      frame.records &&
      fill !== undefined &&
      didYouMean(name, names) === '' &&
      columns.some((each) => places.has(each.name))
    ) {
      notes.push({
        column: name,
        kind: 'all-missing',
        text: `column ${quoted(name)} is not there: ${fill} stands for it`,
      });
      return { name, kind: 'number', missing: frame.rows, values: new Float64Array(frame.rows).fill(Number.NaN) };
    }
    const what = `Expected a column ${quoted(name)} in ${frame.name}, as the model was trained on, but its columns are ${listed(names)}${didYouMean(name, names)}`;
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', what);
  });
}

/**
 * The rows of a table for a model, whose columns are found by name; in a file without a header line, and by a model without names, by
 * their order, the target's left out where there is one column too many.
 *
 * @param told the columns that are none of them
 * @throws DlAdmmError as {@link encoded}, and ERR_DLADMM_SHAPE where there are too few or too many
 */
export async function encodedFor(
  frame: Frame,
  {
    columns,
    inputs,
    target,
  }: { readonly columns?: readonly Column[]; readonly inputs: number; readonly target?: string | readonly string[] },
  told?: ColumnPlace | readonly ColumnPlace[],
): ReturnType<typeof encoded> {
  const names = new Set(frame.columns.map(({ name }) => name));
  if (columns && (frame.named || columns.every(({ name }) => names.has(name)))) return encoded(frame, columns);
  const single = columns?.filter(({ pair }) => !pair);
  const wanted = single?.length ?? inputs;
  const own: readonly string[] = typeof target === 'string' ? [target] : (target ?? []);
  const count = Math.max(1, own.length);
  const last = Array.from({ length: count }, (_, i) => i - count);
  const likely = own.length > 0 && own.every((name) => names.has(name)) ? own : last;
  const spare = told ?? (frame.columns.length === wanted + count ? likely : []);
  const places: readonly ColumnPlace[] = typeof spare === 'object' ? spare : [spare];
  const left = new Set(places.map((place) => namedColumn(frame, place, 'target')));
  const found = frame.columns.filter((column) => !left.has(column));
  if (found.length !== wanted) {
    const what = `Expected ${wanted} columns of features in ${frame.name}, as the model was trained on columns without names,`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', `${what} but found ${found.length}`);
  }
  const called = single ?? found.map(({ name }) => ({ name }));
  const inOrder = found.map((column, i) => renamed(column, (called[i] as Column).name));
  return encoded({ ...frame, columns: inOrder }, columns ?? called);
}

function unseen({ name, categories, other }: Column, column: FrameColumn, rows: number): readonly ColumnNote[] {
  if (!categories || !other || column.kind !== 'text') return [];
  const known = new Set(categories);
  const strange = column.texts.map((text) => !known.has(text));
  let count = 0;
  const { codes } = column;
  for (let i = 0; i < codes.length; i += 1) if (strange[codes[i] as number]) count += 1;
  if (count === 0) return [];
  const none = count === rows - column.missing;
  const all = none ? 'none of its texts is' : `${count} of ${rows} values are none`;
  return [
    {
      column: name,
      kind: none ? 'all-unseen' : 'unseen',
      text: `column ${quoted(name)}: ${all} of the ${categories.length} that the training set made inputs of`,
    },
  ];
}
