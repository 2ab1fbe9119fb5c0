import { endianness } from 'node:os';
import { checkObject, checkOptions } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { arrayKind, isNumbers } from '../core/numbers.js';
import { elementCount, formatError, numbersAt, type TypedArrayConstructor } from './bytes.js';
import { bytesReader, fileReader } from './reader.js';

/** An array in C order: the last index runs fastest, and `data.length` is the product of `shape` (1 for `[]`). */
export interface NpyArray {
  readonly data:
    | Float32Array
    | Float64Array
    | Int8Array
    | Uint8Array
    | Int16Array
    | Uint16Array
    | Int32Array
    | Uint32Array
    | BigInt64Array
    | BigUint64Array;
  readonly shape: readonly number[];
}

type NpyData = NpyArray['data'];

const TYPES: Readonly<Record<string, TypedArrayConstructor<NpyData>>> = {
  b1: Uint8Array,
  i1: Int8Array,
  u1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  i8: BigInt64Array,
  u8: BigUint64Array,
  f4: Float32Array,
  f8: Float64Array,
};

const WRITTEN: ReadonlySet<string | undefined> = new Set([
  ...Object.values(TYPES).map(({ name }) => name),
  'Uint8ClampedArray',
]);

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const;
/** Headers of plain arrays have some hundred bytes; only structured types, which are refused, need more than this. */
const MAX_HEADER = 65_536;
/** NumPy's own limit. */
const MAX_DIMENSIONS = 64;

export const isNpy = (bytes: Uint8Array): boolean => MAGIC.every((byte, i) => bytes[i] === byte);

interface Header {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/** Where the header's text begins and ends; the values follow it. */
function headerBounds(bytes: Uint8Array, name: string): { start: number; end: number; encoding: 'latin1' | 'utf-8' } {
  if (!isNpy(bytes)) throw formatError(name, 'expected an NPY file, starting with \\x93NUMPY, but found other bytes');
  const major = bytes[6];
  const minor = bytes[7];
  if (major === undefined || minor === undefined) throw formatError(name, 'truncated: the NPY header has no version');
  if (major < 1 || major > 3 || minor !== 0)
    throw formatError(name, `expected NPY version 1.0, 2.0 or 3.0 but found ${major}.${minor}`);
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start) throw formatError(name, 'truncated: the NPY header has no length');
  const view = new DataView(bytes.buffer, bytes.byteOffset, start);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER)
    throw formatError(name, `expected an NPY header of at most ${MAX_HEADER} bytes but it claims ${length}`);
  if (start + length > bytes.length)
    throw formatError(name, `truncated: the NPY header claims ${length} bytes, the file has ${bytes.length} in all`);
  return { start, end: start + length, encoding: major === 3 ? 'utf-8' : 'latin1' };
}

function parseShape(text: string, name: string): readonly number[] {
  const parts = text.split(',').map((part) => part.trim());
  // A Python tuple of one number needs its comma, and any tuple may end with one.
  const lengths = parts.at(-1) === '' ? parts.slice(0, -1) : parts;
  const bad = () => formatError(name, `expected a tuple of dimensions in the NPY header but found (${text.trim()})`);
  if (lengths.length > MAX_DIMENSIONS || (lengths.length === 1 && parts.length === 1)) throw bad();
  return lengths.map((part) => {
    const length = /^\d+L?$/.test(part) ? Number(part.replace('L', '')) : Number.NaN;
    if (!Number.isSafeInteger(length)) throw bad();
    return length;
  });
}

/** Reads the header's Python dictionary: exactly the keys descr, fortran_order and shape, in any order. */
function parseHeader(text: string, name: string): Header {
  const bad = (what: string) =>
    formatError(name, `damaged NPY header: ${what} in ${JSON.stringify(text.slice(0, 120))}`);
  const body = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1];
  if (body === undefined) throw bad('expected a dictionary');
  const entry = /\s*'(\w{1,32})'\s*:\s*(?:'([^'\\]*)'|(True|False)|\(([^()]*)\)|(\[))\s*(?:,\s*|$)/y;
  const found: { descr?: string; fortranOrder?: boolean; shape?: readonly number[] } = {};
  while (entry.lastIndex < body.length) {
    const at = entry.lastIndex;
    const match = entry.exec(body);
    if (match === null) {
      if (/^\s*'descr'\s*:\s*\[/.test(body.slice(at)))
        throw formatError(
          name,
          'the array has a structured type; expected plain numbers: save its columns as arrays of their own',
        );
      throw bad('expected entries of descr, fortran_order and shape');
    }
    const [, key, string, boolean, tuple] = match;
    if (key === 'descr' && string !== undefined && found.descr === undefined) found.descr = string;
    else if (key === 'fortran_order' && boolean !== undefined && found.fortranOrder === undefined)
      found.fortranOrder = boolean === 'True';
    else if (key === 'shape' && tuple !== undefined && found.shape === undefined) found.shape = parseShape(tuple, name);
    else throw bad(`unexpected entry ${JSON.stringify(key)}`);
  }
  const { descr, fortranOrder, shape } = found;
  if (descr === undefined || fortranOrder === undefined || shape === undefined)
    throw bad('expected descr, fortran_order and shape');
  return { descr, fortranOrder, shape };
}

function parseDescr(descr: string, name: string): { type: TypedArrayConstructor<NpyData>; littleEndian: boolean } {
  const [, order, kind = ''] = /^([<>|=])([a-zA-Z]\d*)$/.exec(descr) ?? [];
  if (kind.startsWith('O'))
    throw formatError(
      name,
      'the array holds Python objects, which would need unpickling; array.astype(float) makes plain numbers of them',
    );
  const type = Object.hasOwn(TYPES, kind) ? TYPES[kind] : undefined;
  if (type === undefined || (order === '|' && type.BYTES_PER_ELEMENT > 1))
    throw formatError(
      name,
      `the array has the type ${JSON.stringify(descr)}; expected booleans, integers of 8 to 64 bits, float32 or float64`,
    );
  return { type, littleEndian: order === '<' || (order === '=' && endianness() === 'LE') };
}

/** The same values with the last index running fastest, where the first did. */
function toCOrder(data: NpyData, shape: readonly number[]): NpyData {
  const copy = data.slice();
  const last = shape.length - 1;
  const strides = shape.map((_, d) => shape.slice(0, d).reduce((product, length) => product * length, 1));
  const index = shape.map(() => 0);
  const move = (from: { readonly [i: number]: number | bigint }, to: { [i: number]: number | bigint }) => {
    let source = 0;
    for (let target = 0; target < copy.length; target++) {
      to[target] = from[source] as number | bigint;
      for (let d = last; d >= 0; d--) {
        const stride = strides[d] as number;
        index[d] = (index[d] as number) + 1;
        source += stride;
        if ((index[d] as number) < (shape[d] as number)) break;
        source -= stride * (shape[d] as number);
        index[d] = 0;
      }
    }
  };
  move(data, copy);
  return copy;
}

/**
 * Reads NumPy's NPY format, versions 1.0 to 3.0, of either byte order. Booleans become bytes of 0 and 1; a
 * `fortran_order` array is transposed into C order. Where byte order and alignment allow it `data` is a view on `bytes`.
 *
 * `name` is how errors call the file.
 *
 * @throws ERR_DLADMM_FORMAT if the file is damaged, is shorter or longer than its header says, or holds objects,
 *   strings, complex or half-precision numbers, or a structured type
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export const parseNpy = bytesReader((bytes: Uint8Array, name: string): NpyArray => {
  const { start, end, encoding } = headerBounds(bytes, name);
  const { descr, fortranOrder, shape } = parseHeader(
    new TextDecoder(encoding).decode(bytes.subarray(start, end)),
    name,
  );
  const { type, littleEndian } = parseDescr(descr, name);
  const count = elementCount(shape);
  const want = end + count * type.BYTES_PER_ELEMENT;
  if (bytes.length !== want)
    throw formatError(
      name,
      `${bytes.length < want ? 'truncated' : 'too long'}: the NPY header promises the shape (${shape.join(', ')}) of ` +
        `${descr}, ${want} bytes in all, but the file has ${bytes.length}`,
    );
  const data = numbersAt(type, bytes, end, count, littleEndian);
  // Where at most one dimension is longer than 1 both orders are the same.
  const transpose = fortranOrder && shape.filter((length) => length > 1).length > 1;
  return { data: transpose ? toCOrder(data, shape) : data, shape };
}, 'npy');

/**
 * Reads an NPY file, gzipped or plain.
 *
 * @throws ERR_DLADMM_FILE, ERR_DLADMM_FORMAT, ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED
 */
export const readNpy = fileReader<{ readonly signal?: AbortSignal }, NpyArray>(
  async (bytes, path) => parseNpy(bytes, path),
  (options) => checkOptions(options, ['signal']),
  'npy',
  'gzip',
);

function kindOf(data: NpyData): string {
  const size = data.BYTES_PER_ELEMENT;
  if (isNumbers(data)) return `f${size}`;
  // `Int8Array`, `BigInt64Array`, `Uint8ClampedArray`, …
  return `${/^(?:Big)?Int/.test(data[Symbol.toStringTag]) ? 'i' : 'u'}${size}`;
}

/**
 * The bytes of an NPY file (version 1.0, C order, the machine's own byte order) that holds `array`.
 *
 * @throws ERR_DLADMM_ARGUMENT; ERR_DLADMM_SHAPE if `array.data.length` is not the product of `array.shape`
 */
export function encodeNpy(array: NpyArray): Uint8Array {
  checkObject(array, '{ data, shape }', 'array');
  const { data, shape } = array;
  if (!WRITTEN.has(arrayKind(data))) throw expected('a typed array of numbers', 'array.data', data);
  if (!Array.isArray(shape)) throw expected('an array of whole numbers', 'array.shape', shape);
  if (
    shape.length > MAX_DIMENSIONS ||
    shape.some((length) => !Number.isSafeInteger(length) || length < 0) ||
    elementCount(shape) !== data.length
  )
    throw new DlAdmmError(
      'ERR_DLADMM_SHAPE',
      `Expected array.shape to describe ${data.length} values but received (${shape.slice(0, 8).join(', ')})`,
    );
  const order = data.BYTES_PER_ELEMENT === 1 ? '|' : endianness() === 'LE' ? '<' : '>';
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '${order}${kindOf(data)}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const bytes = Buffer.alloc(length + data.byteLength);
  bytes.set(MAGIC);
  bytes[6] = 1;
  bytes.writeUInt16LE(length - 10, 8);
  bytes.write(`${dictionary.padEnd(length - 11)}\n`, 10, 'latin1');
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), length);
  return bytes;
}
