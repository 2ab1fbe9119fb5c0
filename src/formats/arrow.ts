import { setImmediate as nextTurn } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { DlAdmmError, messageOf } from '../core/errors.js';
import { columnReader, isTable, type TableLike } from '../samples/table.js';
import { DEFLATE_LIMIT, formatError, readBytes } from './bytes.js';
import { type ColumnarFile, type ColumnPart, readColumnar } from './columnar.js';
import type { CsvTable, TableOptions } from './labels.js';
import { reader } from './reader.js';

const PART = 2 ** 16;
/** How long it may take to open a file. */
const OPENING_MS = 2000;
const BYTES_PER_MS = 50_000;

const startsWith = (bytes: Uint8Array, text: string): boolean =>
  Buffer.from(bytes.subarray(0, text.length)).toString('latin1') === text;

/** Arrow's file format, its stream format (which begins with a continuation mark), and Feather, which is one of them. */
export const isArrow = (bytes: Uint8Array): boolean =>
  startsWith(bytes, 'ARROW1') || startsWith(bytes, 'FEA1') || startsWith(bytes, '\xff\xff\xff\xff');

/** Reads the bytes by the package apache-arrow, which is loaded when it is first needed. */
async function tableFrom(bytes: Uint8Array, name: string): Promise<TableLike> {
  if (startsWith(bytes, 'FEA1'))
    throw formatError(name, 'Feather version 1; expected version 2, which is an Arrow file');
  // Not a literal, so that a build without the package has nothing to resolve.
  const packageName: string = 'apache-arrow';
  const arrow: unknown = await import(packageName).catch((cause: unknown) => {
    throw new DlAdmmError(
      'ERR_DLADMM_FILE',
      `Reading ${name} takes the package apache-arrow, which is not installed: npm install apache-arrow`,
      { cause },
    );
  });
  const { tableFromIPC } = arrow as { readonly tableFromIPC: (bytes: Uint8Array) => unknown };
  let table: unknown;
  try {
    // A damaged count of fields would be counted to; what opens a right file does not take long, as it copies nothing.
    const timeout = OPENING_MS + Math.ceil(bytes.length / BYTES_PER_MS);
    table = runInNewContext('open()', { open: () => tableFromIPC(bytes) }, { timeout });
  } catch (error) {
    throw formatError(name, `damaged Arrow file: ${messageOf(error)}`, error);
  }
  if (!isTable(table)) throw formatError(name, 'damaged Arrow file: it holds no table');
  // A value takes a bit at least.
  if (!(table.numRows <= 8 * DEFLATE_LIMIT * bytes.length)) {
    throw formatError(name, `damaged Arrow file: it promises ${table.numRows} rows in ${bytes.length} bytes`);
  }
  return table;
}

/** A table in memory as a columnar file; nothing is copied before it is read. */
function columnarOf(table: TableLike, name: string): ColumnarFile {
  const { numRows: rows } = table;
  const { fields } = table.schema;
  const names = fields.map((field) => field.name);
  const typeOf = (column: number): string => String(fields[column]?.type);

  async function* parts(wanted: readonly number[]): AsyncGenerator<ColumnPart> {
    for (const column of wanted) {
      for (let first = 0; first < rows; first += PART) {
        let values: ArrayLike<unknown>;
        try {
          const read = columnReader(table, names[column] as string, name);
          values = read(first, Math.min(PART, rows - first));
        } catch (error) {
          throw formatError(name, `damaged Arrow file: ${messageOf(error)}`, error);
        }
        yield { column, first, values };
        await nextTurn();
      }
    }
  }

  return {
    names,
    rows,
    isWide: (column) => !/^(?:Float(?:16|32)|U?int(?:8|16)|Bool)$/i.test(typeOf(column)),
    isText: (column) => /utf8/i.test(typeOf(column)),
    parts,
  };
}

/** As `readArrow`, for a file's content; `name` is how errors call it. */
export const parseArrow = reader(
  async (bytes: Uint8Array, name: string, options: TableOptions = {}): Promise<CsvTable> => {
    return readColumnar(columnarOf(await tableFrom(bytes, name), name), name, options);
  },
);

/**
 * Reads a table from an Arrow file or stream, or from Feather version 2, as `readParquet` does. It takes the package
 * apache-arrow, which has to be installed beside this one.
 *
 * @throws ERR_DLADMM_FORMAT naming row and column for a missing value or one that is no number, and for a damaged file;
 *   ERR_DLADMM_FILE also where apache-arrow is not installed; ERR_DLADMM_LABEL, ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE,
 *   ERR_DLADMM_ABORTED
 */
export const readArrow = reader(async (path: string, options: TableOptions = {}): Promise<CsvTable> => {
  return parseArrow(await readBytes(path, options.signal), path, options);
});
