import { DlAdmmError } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
import { zeros } from '../core/numbers.js';
import { checkRows, nonFinite, type RowSource, trusted } from './inputs.js';

/** Rows that arrive in unknown number, in one type; nothing is ever moved to make room. */
export interface RowStore {
  readonly rows: number;
  /** Appends rows, row-major; a value that is not finite is refused with its row and column. */
  add(values: ArrayLike<number>): void;
  /** All rows, once there are no more to come. */
  source(): RowSource;
}

interface Block {
  readonly first: number;
  readonly rows: number;
  readonly data: Numbers;
}

const FIRST_ROWS = 64;
const BLOCK_ENTRIES = 2 ** 20;

/**
 * Rows of `columns` entries each, kept in blocks that grow with their number up to a few megabytes.
 *
 * @param name how errors call the rows
 */
export function rowStore(columns: number, dtype: Dtype, name: string): RowStore {
  const largest = Math.max(1, Math.floor(BLOCK_ENTRIES / columns));
  const blocks: (Block | undefined)[] = [];
  let rows = 0;
  let current: Block | undefined;

  function grow(): Block {
    const count = Math.min(largest, Math.max(FIRST_ROWS, rows));
    const data = allocate(count * columns, dtype, rows, name);
    const block = { first: rows, rows: count, data };
    blocks.push(block);
    return block;
  }

  /** Entries from `at` on, which hold `values` from `from` on in the type of the block. */
  function check({ data, first }: Block, at: number, values: ArrayLike<number>, from: number, count: number): void {
    for (let i = 0; i < count; i += 1) {
      if (!Number.isFinite(data[at + i])) throw nonFinite({ name, columns }, first, at + i, values[from + i]);
    }
  }

  return {
    get rows() {
      return rows;
    },
    add(values) {
      const count = values.length / columns;
      checkRows(rows + count, name);
      for (let taken = 0; taken < count; ) {
        if (current === undefined || rows === current.first + current.rows) current = grow();
        const part = Math.min(count - taken, current.first + current.rows - rows);
        const at = (rows - current.first) * columns;
        if (part === count) current.data.set(values, at);
        else for (let i = 0; i < part * columns; i += 1) current.data[at + i] = values[taken * columns + i] as number;
        check(current, at, values, taken * columns, part * columns);
        taken += part;
        rows += part;
      }
    },
    source() {
      checkRows(rows, name);
      return blockSource(blocks, rows, columns, dtype, name);
    },
  };
}

function allocate(entries: number, dtype: Dtype, rows: number, name: string): Numbers {
  const bytes = entries * (dtype === 'float32' ? 4 : 8);
  const full = (cause?: unknown): DlAdmmError =>
    new DlAdmmError('ERR_DLADMM_MEMORY', `${name} does not fit into memory: ${rows} rows have arrived and more come`, {
      cause,
    });
  if (bytes > process.availableMemory()) throw full();
  try {
    return zeros(dtype, entries);
  } catch (error) {
    throw full(error);
  }
}

function blockSource(
  blocks: (Block | undefined)[],
  rows: number,
  columns: number,
  dtype: Dtype,
  name: string,
): RowSource {
  const overlapping = (first: number, count: number): readonly Block[] =>
    blocks.filter((block) => block && block.first < first + count && block.first + block.rows > first) as Block[];
  let released = 0;
  return trusted({
    name,
    rows,
    columns,
    chunk(first, count) {
      const parts = overlapping(first, count);
      if (first < released) throw new DlAdmmError('ERR_DLADMM_CLOSED', `Row ${first} of ${name} has been given back`);
      const [only] = parts;
      if (parts.length === 1 && only) {
        return only.data.subarray((first - only.first) * columns, (first - only.first + count) * columns);
      }
      const out = zeros(dtype, count * columns);
      for (const block of parts) {
        const from = Math.max(first, block.first);
        const to = Math.min(first + count, block.first + block.rows);
        const part = block.data.subarray((from - block.first) * columns, (to - block.first) * columns);
        out.set(part, (from - first) * columns);
      }
      return out;
    },
    release(row) {
      released = Math.max(released, row);
      for (const [i, block] of blocks.entries()) if (block && block.first + block.rows <= row) blocks[i] = undefined;
    },
  });
}
