import { readOptions } from '../../network/schema.js';
import type { Frame } from '../../samples/frame.js';
import type { Own } from '../kinds.js';
import { type CsvTable, TABLE, type TableOptions } from '../labels.js';
import { bytesReader, fileReader, reader } from '../reader.js';
import { withColumnarFile } from './apart.js';
import type { ColumnarFormat } from './decoders.js';
import { frameFrom, readColumnar } from './file.js';

/** The readers of a format that is stored by column: of a file's content as a table, or as its columns are, and of a file. */
export function columnarReaders(format: ColumnarFormat, kind: Own) {
  const parse = bytesReader(async (bytes: Uint8Array, name: string, options: TableOptions = {}): Promise<CsvTable> => {
    readOptions(TABLE, options);
    return withColumnarFile(format, bytes, name, options.signal, (file) => readColumnar(file, name, options));
  }, kind);
  const parseFrame = reader(
    async (bytes: Uint8Array, name: string, options: TableOptions = {}): Promise<Frame> =>
      withColumnarFile(format, bytes, name, options.signal, (file) => frameFrom(file, name, options)),
    kind,
  );
  return { parse, parseFrame, read: fileReader(parse, (options) => readOptions(TABLE, options), kind, 'gzip') };
}
