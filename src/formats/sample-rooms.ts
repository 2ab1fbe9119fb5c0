/** Rows of a store of samples on their way to who trains by them: read and unpacked by native code, encoded here where they are cells. */
import { messageOf, systemCode } from '../core/errors.js';
import { type Dtype, type Numbers, native } from '../core/native.js';
import { dtypeOf } from '../core/numbers.js';
import { present } from '../core/objects.js';
import type { Standardisation } from '../network/standardisation.js';
import type { Column } from '../samples/columns.js';
import { encoderOf } from '../samples/encoder.js';
import { standardise } from '../samples/standardise.js';
import type { Rooms } from '../samples/stored.js';
import { formatError } from './bytes.js';
import { failedFile } from './reader.js';

/** Where a block begins, its bytes, and its checksum. */
export type StoredBlock = readonly [offset: number, bytes: number, checksum: string];

interface Store {
  readonly path: string;
  readonly rows: number;
  readonly blockRows: number;
  readonly blocks: readonly StoredBlock[];
  /** Columns of a block that are features, and those behind them. */
  readonly features: number;
  readonly beside: number;
  readonly inputs: number;
  /** What the features are cells of, where they are not inputs. */
  readonly cells?: readonly Column[];
  /** What labels stand for, where there are such. */
  readonly codes: readonly number[];
  /** The number of the file. @throws DlAdmmError ERR_DLADMM_CLOSED */
  readonly file: () => number;
}

/** As `SampleBlocks.rooms` has them. @throws DlAdmmError from `read`: ERR_DLADMM_FORMAT, ERR_DLADMM_FILE, ERR_DLADMM_CLOSED */
export function roomsOf(
  store: Store,
  rows: number,
  dtype: Dtype,
  { rule, input }: { readonly rule: Standardisation | undefined; readonly input: object | undefined },
): Rooms {
  const { path, blockRows, features, beside: width, cells, codes } = store;
  const own = { dtype: cells ? 'float64' : dtype, features, columns: features + width, rows } as const;
  const reader = new native.RowReader({ ...own, ...(!cells && rule), ...present({ input }) });
  const encode = cells && encoding(path, store.inputs, cells, rule);
  return {
    async read(room, { blocks: some, places }, placeOf) {
      const file = store.file();
      const counts = Int32Array.from(some, (block) => Math.min(blockRows, store.rows - block * blockRows));
      const asked = new Int32Array(counts.reduce((sum, count) => sum + count, 0)).fill(-1);
      const starts = counts.map((_, i) => counts.subarray(0, i).reduce((sum, count) => sum + count, 0));
      for (const [k, place] of places.entries())
        asked[(starts[Math.floor(place / blockRows)] as number) + (place % blockRows)] = placeOf(k);
      const blocks = some.map((block) => {
        const [offset, bytes, checksum] = store.blocks[block] as StoredBlock;
        return { name: `block ${block}`, offset, bytes, checksum };
      });
      try {
        return await reader.read(room, file, blocks, counts, asked);
      } catch (error) {
        if (systemCode(error) !== 'ERR_DLADMM_FORMAT') throw failedFile('read', path, error);
        throw formatError(path, messageOf(error).replaceAll('"', ''), error);
      }
    },
    take(room, first, beside, x) {
      const found = encode ? new Float64Array((features * beside.length) / width) : x;
      reader.take(room, first, beside, found);
      if (encode && x) encode(found as Numbers, x);
      for (let k = 0; k < beside.length && codes.length > 0; k += width) beside[k] = codes[beside[k] as number] ?? -1;
    },
    close: () => reader.close(),
  };
}

/** Makes inputs of the cells of rows. */
function encoding(path: string, inputs: number, columns: readonly Column[], rule: Standardisation | undefined) {
  const encoder = encoderOf(columns, path);
  return (cells: Numbers, x: Numbers): void => {
    const out = rule ? new Float64Array(x.length) : x.fill(0);
    const rows = x.length / inputs;
    for (let row = 0, at = 0; row < rows; row += 1) {
      for (let c = 0; c < columns.length; c += 1, at += 1) encoder.write(cells[at] as number, c, out, row * inputs);
    }
    if (rule) x.set(standardise({ data: out, rows, columns: inputs }, rule, dtypeOf(x)).data);
  };
}
