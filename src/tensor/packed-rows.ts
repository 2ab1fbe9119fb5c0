/**
 * Rows as a store keeps them: each column in the smallest type that holds its values in this block exactly, each row in one piece. A block
 * begins with the type of every column, a byte each, filled up to a multiple of 8; in a row the wide types come first. They are read by
 * native/core/storage/packed_rows.hpp.
 */
import { toFloat16 } from './half.js';

/** What becomes of a number that a shorter type does not hold: it is kept, or rounded to the type. */
export type Precision = 'exact' | 'float32' | 'float16';

const [BIT, BYTE, HALF, SINGLE, DOUBLE] = [0, 1, 2, 3, 4] as const;
const BITS = [1, 8, 16, 32, 64] as const;
type Type = 0 | 1 | 2 | 3 | 4;
const ARRAYS = [Uint8Array, Uint8Array, Uint16Array, Float32Array, Float64Array] as const;

/** The columns of a type, and where their values begin in a row, in bytes. */
interface Run {
  readonly type: Type;
  readonly columns: Int32Array;
  readonly at: number;
}

function layoutOf(types: Uint8Array): {
  readonly head: number;
  readonly stride: number;
  readonly runs: readonly Run[];
} {
  const runs: Run[] = [];
  let at = 0;
  const room = new Int32Array(types.length);
  for (const type of [DOUBLE, SINGLE, HALF, BYTE, BIT] as const) {
    let count = 0;
    for (let j = 0; j < types.length; j += 1) if (types[j] === type) room[count++] = j;
    if (count === 0) continue;
    const columns = room.slice(0, count);
    runs.push({ type, columns, at });
    at += Math.ceil((columns.length * BITS[type]) / 8);
  }
  const unit = Math.ceil(BITS[runs[0]?.type ?? BYTE] / 8);
  return { head: Math.ceil(types.length / 8) * 8, stride: Math.ceil(at / unit) * unit, runs };
}

/** The shortest type of each column that holds all of it. */
function typesOf(
  data: Float64Array,
  columns: number,
  precision: Precision,
  isExact: (column: number) => boolean,
): Uint8Array {
  const types = new Uint8Array(columns);
  for (let k = 0; k < data.length; ) {
    for (let j = 0; j < columns; j += 1, k += 1) {
      const value = data[k] as number;
      const type = types[j] as number;
      if (value === 1 || Object.is(value, 0)) continue;
      // What came before are bytes at most, which every wider type holds.
      if (type <= BYTE && (value & 255) === value && value !== 0) types[j] = BYTE;
      else if (!Object.is(Math.fround(value), value)) types[j] = DOUBLE;
      else if (type < SINGLE) types[j] = SINGLE;
    }
  }
  return precision === 'exact'
    ? types
    : types.map((type, j) => (type < SINGLE || isExact(j) ? type : rounded(data, j, columns, precision)));
}

/** The type that a column is rounded to; one that holds all of it roughly. */
function rounded(data: Float64Array, column: number, columns: number, precision: Precision): Type {
  let largest = 0;
  for (let k = column; k < data.length; k += columns) largest = Math.max(largest, Math.abs(data[k] as number));
  if (precision === 'float16' && largest < 65_520) return HALF;
  return Number.isFinite(Math.fround(largest)) ? SINGLE : DOUBLE;
}

/** Whether columns follow each other, so that they are moved in one go. */
const areTogether = (type: Type, columns: Int32Array): boolean =>
  type !== BIT &&
  type !== HALF &&
  columns.length > 8 &&
  columns.length === (columns.at(-1) as number) - (columns[0] as number) + 1;

/** A block of rows of so many columns; those that are exact are not rounded. */
export function packRows(
  data: Float64Array,
  columns: number,
  precision: Precision,
  isExact: (column: number) => boolean,
): Uint8Array {
  const rows = data.length / columns;
  const types = typesOf(data, columns, precision, isExact);
  const { head, stride, runs } = layoutOf(types);
  const bytes = new Uint8Array(head + rows * stride);
  bytes.set(types);
  for (const { type, columns: places, at } of runs) {
    const view = new ARRAYS[type](bytes.buffer, head, Math.floor((rows * stride * 8) / Math.max(8, BITS[type])));
    const [from, step] = [at, stride].map((byte) => (byte * 8) / Math.max(8, BITS[type])) as [number, number];
    const [together, start] = [areTogether(type, places), places[0] as number];
    for (let row = 0; row < rows; row += 1) {
      const to = from + row * step;
      const own = row * columns;
      if (together) view.set(data.subarray(own + start, own + start + places.length), to);
      else
        for (let i = 0; i < places.length; i += 1) {
          const value = data[own + (places[i] as number)] as number;
          if (type === BIT) view[to + (i >> 3)] = (view[to + (i >> 3)] as number) | (value << (i & 7));
          else view[to + i] = type === HALF ? toFloat16(value) : value;
        }
    }
  }
  return bytes;
}
