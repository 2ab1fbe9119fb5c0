/** The formats of tables with named columns, told from each other by their first bytes: what is none of the others is CSV. */
import { expected } from '../core/errors.js';
import { pick } from '../network/schema.js';
import type { Frame } from '../samples/frame.js';
import { isArrow, parseArrow, parseArrowFrame } from './arrow.js';
import { isGzip } from './bytes.js';
import { type CsvDialect, type CsvOptions, DIALECT, parseCsv, parseCsvFrame } from './csv.js';
import type { CsvTable } from './labels.js';
import { isParquet, parseParquet, parseParquetFrame } from './parquet.js';

interface TableFormat {
  /** Features and labels. */
  readonly parse: (bytes: Uint8Array, name: string, options?: CsvOptions) => Promise<CsvTable>;
  /** All columns, as they are. */
  readonly parseFrame: (bytes: Uint8Array, name: string, options?: CsvOptions) => Promise<Frame>;
}

const CSV: TableFormat = { parse: parseCsv, parseFrame: parseCsvFrame };

const OTHERS: readonly (TableFormat & { readonly is: (bytes: Uint8Array) => boolean })[] = [
  { is: isParquet, parse: parseParquet, parseFrame: parseParquetFrame },
  { is: isArrow, parse: parseArrow, parseFrame: parseArrowFrame },
];

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for an option that says how CSV is written, where a file is none */
export function checkNoDialect(options: CsvDialect): void {
  for (const [name, value] of Object.entries(pick(DIALECT, options))) {
    throw expected(`no ${name}, which is for CSV,`, name, value);
  }
}

/** Whether a file that begins so can be read piece by piece. */
export const isPlainCsv = (head: Uint8Array): boolean => !isGzip(head) && !OTHERS.some(({ is }) => is(head));

/** @throws DlAdmmError as {@link checkNoDialect} */
export function tableFormatOf(bytes: Uint8Array, options: CsvDialect): TableFormat {
  const other = OTHERS.find(({ is }) => is(bytes));
  if (other) checkNoDialect(options);
  return other ?? CSV;
}
