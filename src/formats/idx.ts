import { checkOptions } from '../core/checks.js';
import { elementCount, formatError, numbersAt } from './bytes.js';
import { bytesReader, fileReader } from './reader.js';

/** An array as MNIST's files hold it; `data` is row-major and its length is the product of `shape`. */
export interface IdxArray {
  readonly shape: number[];
  readonly data: Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;
}

const TYPES = {
  8: Uint8Array,
  9: Int8Array,
  11: Int16Array,
  12: Int32Array,
  13: Float32Array,
  14: Float64Array,
} as const;

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`;

const isTypeCode = (code: number): code is keyof typeof TYPES => code in TYPES;

/**
 * Reads the IDX format: two zero bytes, a type code, the number of dimensions, the dimensions as big-endian 32-bit
 * numbers, then the values, big-endian. Arrays of bytes are views on `bytes`, not copies.
 *
 * `name` is how errors call the file.
 *
 * @throws ERR_DLADMM_FORMAT if the header is not IDX, or does not fit the number of bytes
 * @see http://yann.lecun.com/exdb/mnist/ (the format's own description)
 */
export const parseIdx = bytesReader((bytes: Uint8Array, name: string): IdxArray => {
  const [zero0, zero1, code, dimensions] = bytes;
  if (zero0 === undefined || zero1 === undefined || code === undefined || dimensions === undefined)
    throw formatError(name, `expected an IDX header of at least 4 bytes but the file has ${bytes.length}`);
  if (zero0 !== 0 || zero1 !== 0)
    throw formatError(
      name,
      `expected an IDX file, starting with two zero bytes, but found ${hex(zero0)} ${hex(zero1)}`,
    );
  if (!isTypeCode(code))
    throw formatError(name, `expected an IDX type code (0x08, 0x09, 0x0b … 0x0e) but found ${hex(code)}`);
  if (dimensions === 0) throw formatError(name, 'expected at least 1 dimension in the IDX header but found 0');

  const start = 4 + 4 * dimensions;
  if (bytes.length < start)
    throw formatError(
      name,
      `truncated: expected an IDX header of ${start} bytes (${dimensions} dimensions) but the file has ${bytes.length}`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, start);
  const shape = Array.from({ length: dimensions }, (_, d) => view.getUint32(4 + 4 * d));
  const type = TYPES[code];
  const count = elementCount(shape);
  const want = start + count * type.BYTES_PER_ELEMENT;
  if (bytes.length !== want)
    throw formatError(
      name,
      `${bytes.length < want ? 'truncated' : 'too long'}: the IDX header promises ${shape.join(' x ')} values of ` +
        `${type.BYTES_PER_ELEMENT} bytes, ${want} bytes in all, but the file has ${bytes.length}`,
    );
  return { shape, data: numbersAt<IdxArray['data']>(type, bytes, start, count, false) };
});

/**
 * Reads an IDX file, gzipped or plain.
 *
 * @throws ERR_DLADMM_FILE, ERR_DLADMM_FORMAT, ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED
 */
export const readIdx = fileReader<{ readonly signal?: AbortSignal }, IdxArray>(
  async (bytes, path) => parseIdx(bytes, path),
  (options) => checkOptions(options, ['signal']),
  'gzip',
);
