/**
 * The safetensors format: eight bytes with the header's length (little-endian), the header as JSON, then the tensors' values,
 * little-endian, row-major, without a gap. https://github.com/huggingface/safetensors describes it.
 *
 * Two checksums are added to the metadata, where other readers see them as plain text: `sha256` covers the values,
 * `header_sha256` covers what the header says. They are verified when present and not handed out.
 */
import { createHash, randomUUID } from 'node:crypto';
import { DlAdmmError, describe, expected, messageOf, quoted } from '../core/errors.js';
import { arrayKind } from '../core/numbers.js';
import { isObject } from '../core/objects.js';
import { formatError } from './bytes.js';
import { reader } from './reader.js';

/** The typed array of each type of values that JavaScript has an array for. */
interface Arrays {
  readonly F64: Float64Array;
  readonly F32: Float32Array;
  /** The bits of 16-bit floating-point numbers, which JavaScript has no array for; half.ts reads them. */
  readonly F16: Uint16Array;
  readonly BF16: Uint16Array;
  readonly I64: BigInt64Array;
  readonly U64: BigUint64Array;
  readonly I32: Int32Array;
  readonly U32: Uint32Array;
  readonly I16: Int16Array;
  readonly U16: Uint16Array;
  readonly I8: Int8Array;
  readonly U8: Uint8Array;
}

type Dtype = keyof Arrays;

/** A row-major array of any number of dimensions; `data.length` is the product of `shape` (1 for an empty shape). */
export type Tensor = {
  [D in Dtype]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: Arrays[D] };
}[Dtype];

/** What a safetensors file holds, the tensors in the order of their values. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

type ArrayConstructors = {
  readonly [D in Dtype]: {
    new (buffer: ArrayBuffer): Arrays[D];
    readonly name: string;
    readonly BYTES_PER_ELEMENT: number;
  };
};

const ARRAYS: ArrayConstructors = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  I32: Int32Array,
  U32: Uint32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
};

const METADATA = '__metadata__';
const DATA_CHECKSUM = 'sha256';
const HEADER_CHECKSUM = 'header_sha256';
const LENGTH_BYTES = 8;
export const MAX_HEADER_BYTES = 100_000_000;

/** One line of the header: where a tensor's values lie, in bytes from the end of the header. */
export interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const isDtype = (value: unknown): value is Dtype => typeof value === 'string' && Object.hasOwn(ARRAYS, value);
const isSize = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0 && !Object.is(value, -0);
const product = (shape: readonly number[]): number => shape.reduce((total, extent) => total * extent, 1);
const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;

// Node hashes at most 2 GiB in one call.
const MAX_HASHED = 1 << 30;

function sha256(bytes: Uint8Array): string {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += MAX_HASHED) hash.update(bytes.subarray(at, at + MAX_HASHED));
  return hash.digest('hex');
}

/** The checksum of all that a header says, whatever its spacing and order: of the entries by offset, then the metadata by name. */
function headerChecksum(entries: readonly Entry[], metadata: ReadonlyMap<string, string>): string {
  const tensors = entries.map(({ name, dtype, shape, begin, end }) => [name, dtype, shape, begin, end]);
  const texts = [...metadata].filter(([name]) => name !== HEADER_CHECKSUM).sort(byName);
  return sha256(new TextEncoder().encode(JSON.stringify([tensors, texts])));
}

// ---------------------------------------------------------------------------------------------------------------- writing

function checkTensor(name: string, { dtype, shape, data }: Tensor): void {
  const at = `tensor ${quoted(name)}`;
  if (name === METADATA) throw expected(`a name other than ${METADATA}`, 'a tensor', name);
  const given: unknown = dtype;
  if (!isDtype(given)) throw expected(`one of ${Object.keys(ARRAYS).join(', ')}`, `the dtype of ${at}`, given);
  if (arrayKind(data) !== ARRAYS[dtype].name)
    throw expected(`a ${ARRAYS[dtype].name}`, `the ${dtype} data of ${at}`, data);
  if (shape.some((extent) => !isSize(extent)))
    throw expected('non-negative integers', `the shape of ${at}`, shape.join(' x '));
  const size = product(shape);
  if (size !== data.length) {
    const text = `Expected ${size} values for ${at} of shape [${shape.join(', ')}] but received ${data.length}`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
  }
}

// Wide values first: with the header's length a multiple of eight, every tensor can then be used where it lies in the file.
const widestFirst = ([, a]: readonly [string, Tensor], [, b]: readonly [string, Tensor]): number =>
  b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT;

function headerText(entries: readonly Entry[], metadata: ReadonlyMap<string, string>): string {
  // Written by hand, since a JavaScript object would swallow a tensor called __proto__.
  const texts = [...metadata].map(([name, text]) => `${JSON.stringify(name)}:${JSON.stringify(text)}`);
  const tensors = entries.map(
    ({ name, dtype, shape, begin, end }) =>
      `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`,
  );
  return `{${[`${JSON.stringify(METADATA)}:{${texts.join(',')}}`, ...tensors].join(',')}}`;
}

/**
 * The bytes of a safetensors file with these tensors and this metadata, checksums added. The values are copied.
 *
 * @throws DlAdmmError `ERR_DLADMM_SHAPE` when a shape does not fit its data; `ERR_DLADMM_ARGUMENT` for an unknown dtype, data
 *   of another type, metadata that is not text, or a reserved name; `ERR_DLADMM_MEMORY` when the file does not fit into memory.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  for (const [name, tensor] of tensors) checkTensor(name, tensor);
  for (const [name, text] of Object.entries(metadata)) {
    if (typeof text !== 'string') throw expected('a string', `metadata ${quoted(name)}`, text);
    if (name === DATA_CHECKSUM || name === HEADER_CHECKSUM) {
      throw expected(`a name other than ${DATA_CHECKSUM} and ${HEADER_CHECKSUM}`, 'metadata', name);
    }
  }
  const sorted = [...tensors].sort(widestFirst);
  let size = 0;
  const entries = sorted.map(([name, { dtype, shape, data }]): Entry => {
    const begin = size;
    size += data.byteLength;
    return { name, dtype, shape, begin, end: size };
  });

  // The text's length does not depend on the digits of the checksums, so the values can be copied to their place first and
  // the copy be hashed: what another thread does to the originals in between cannot make a file that contradicts itself.
  const header = (digits: string): Uint8Array => {
    const texts = new Map([...Object.entries(metadata), [DATA_CHECKSUM, digits]]);
    texts.set(HEADER_CHECKSUM, headerChecksum(entries, texts));
    return new TextEncoder().encode(headerText(entries, texts));
  };
  const headerBytes = Math.ceil(header('0'.repeat(64)).length / 8) * 8;
  if (headerBytes > MAX_HEADER_BYTES) {
    const text = `Expected at most ${MAX_HEADER_BYTES} bytes of names and metadata but received ${headerBytes}`;
    throw new DlAdmmError('ERR_DLADMM_RANGE', text);
  }
  const bytes = allocate(LENGTH_BYTES + headerBytes + size);
  const values = bytes.subarray(LENGTH_BYTES + headerBytes);
  for (const [i, [, { data }]] of sorted.entries()) {
    values.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), entries[i]?.begin);
  }
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  bytes.set(header(sha256(values)), LENGTH_BYTES);
  return bytes;
}

function allocate(size: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new DlAdmmError('ERR_DLADMM_MEMORY', `A file of ${size} bytes does not fit into memory`, { cause });
  }
}

// ---------------------------------------------------------------------------------------------------------------- reading

/**
 * Reads the bytes of a safetensors file and believes none of them: the header's length and text, names, types, shapes, and
 * that the tensors cover the values exactly, and the checksums where there are any. The tensors are copies.
 *
 * @param name what the errors call the file.
 * @throws DlAdmmError `ERR_DLADMM_FORMAT`, saying what is wrong and where.
 */
export const decodeSafetensors = reader((bytes: Uint8Array, name: string): Safetensors => {
  const headerEnd = LENGTH_BYTES + readHeaderLength(bytes, name);
  const values = bytes.subarray(headerEnd);
  const { entries, metadata } = decodeHeader(bytes.subarray(LENGTH_BYTES, headerEnd), values.length, name);
  checkChecksum('the header', HEADER_CHECKSUM, metadata, () => headerChecksum(entries, metadata), name);
  checkChecksum('the values', DATA_CHECKSUM, metadata, () => sha256(values), name);
  return {
    tensors: new Map(entries.map((entry) => [entry.name, readTensor(entry, values)])),
    metadata: Object.fromEntries([...metadata].filter(([key]) => key !== HEADER_CHECKSUM && key !== DATA_CHECKSUM)),
  };
}, 'safetensors');

/**
 * What the header of a safetensors file says: the tensors by where they lie, which is without a gap in `size` bytes, and the
 * metadata.
 *
 * @throws DlAdmmError `ERR_DLADMM_FORMAT`
 */
export function decodeHeader(
  bytes: Uint8Array,
  size: number,
  name: string,
): { readonly entries: readonly Entry[]; readonly metadata: ReadonlyMap<string, string> } {
  const header = parseHeader(readText(bytes, name), name);
  const metadata = readMetadata(header[METADATA], name);
  const entries = Object.entries(header)
    .filter(([key]) => key !== METADATA)
    .map(([key, value]) => readEntry(key, value, name))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(entries, size, name);
  return { entries, metadata };
}

function damaged(name: string, what: string): DlAdmmError {
  return new DlAdmmError('ERR_DLADMM_FORMAT', `${name} is not a whole safetensors file: ${what}`);
}

/** What may be the matter where a file is too short for what it says of itself. */
export const CUT_OFF = 'it was cut off, or is of another kind';

function readHeaderLength(bytes: Uint8Array, name: string): number {
  if (bytes.length < LENGTH_BYTES) throw damaged(name, `it has ${bytes.length} bytes, too few for the header's length`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  const rest = bytes.length - LENGTH_BYTES;
  if (length > BigInt(rest))
    throw damaged(name, `its header should have ${length} bytes, but only ${rest} follow: ${CUT_OFF}`);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw damaged(name, `its header should have ${length} bytes, but ${MAX_HEADER_BYTES} are the most allowed`);
  }
  return Number(length);
}

function readText(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw damaged(name, 'its header is not valid UTF-8');
  }
}

/**
 * An object's text parsed. From version 13 on V8 takes an escaped key of one character for a backslash where an object before it had that key
 * in the same place; behind a key that no object has had it expects nothing.
 */
function parsedAfresh(text: string): unknown {
  if (!/"\\(?:u[\da-f]{4}|[^u])"\s*:/i.test(text)) return JSON.parse(text);
  const unseen = randomUUID();
  const { [unseen]: _, ...parsed } = JSON.parse(`{"${unseen}":0,${text.slice(1)}`);
  return parsed;
}

function parseHeader(text: string, name: string): Readonly<Record<string, unknown>> {
  if (!text.startsWith('{')) throw damaged(name, 'its header does not start with {');
  if (!/\} *$/.test(text.slice(text.lastIndexOf('}'))))
    throw damaged(name, 'its header does not end with } and spaces');
  let header: unknown;
  try {
    header = parsedAfresh(text);
  } catch (error) {
    throw damaged(name, `its header is not valid JSON (${messageOf(error)})`);
  }
  if (!isObject(header)) throw damaged(name, 'its header is not an object');
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw damaged(name, `its header has the name ${quoted(duplicate)} twice`);
  return header;
}

/** A key that occurs twice in one object of `json`. JSON.parse has accepted the text, and taken the last of the two. */
function findDuplicateKey(json: string): string | undefined {
  // The keys so far of every object that is open, none for an array.
  const open: (Set<string> | undefined)[] = [];
  let string = '';
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === '"') {
      const end = stringEnd(json, at);
      string = json.slice(at, end);
      at = end - 1;
    } else if (character === ':') {
      const keys = open.at(-1);
      // Parsed, since "a" and "\u0061" are one name.
      const key: string = JSON.parse(string);
      if (keys?.has(key)) return key;
      keys?.add(key);
    } else if (character === '{') open.push(new Set());
    else if (character === '[') open.push(undefined);
    else if (character === '}' || character === ']') open.pop();
  }
  return undefined;
}

/** The index behind the closing quote of the string that starts at `start`. */
function stringEnd(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

function readMetadata(value: unknown, name: string): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  if (!isObject(value)) throw damaged(name, `its ${METADATA} is ${describe(value)} where an object belongs`);
  return new Map(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== 'string')
        throw damaged(name, `its metadata ${quoted(key)} is ${describe(text)} where a string belongs`);
      return [key, text];
    }),
  );
}

function readEntry(tensor: string, value: unknown, name: string): Entry {
  const at = `tensor ${quoted(tensor)}`;
  if (!isObject(value)) throw damaged(name, `${at} is ${describe(value)} where an object belongs`);
  const { dtype, shape, data_offsets: offsets, ...unknown } = value;
  const [extra] = Object.keys(unknown);
  if (extra !== undefined) throw damaged(name, `${at} has an unknown field ${quoted(extra)}`);
  if (!isDtype(dtype)) {
    const known = `those that can be read are ${Object.keys(ARRAYS).join(', ')}`;
    // Other types of the format, of booleans and of eight bits, are no damage.
    if (typeof dtype === 'string' && /^(?:BOOL|C64|[FIU]\d+\w*)$/.test(dtype))
      throw formatError(name, `${at} has dtype ${quoted(dtype)}, but ${known}: leave it out, or convert it`);
    throw damaged(name, `${at} has dtype ${describe(dtype)}; ${known}`);
  }
  if (!Array.isArray(shape) || !shape.every(isSize))
    throw damaged(name, `the shape of ${at} is not an array of non-negative integers`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw damaged(name, `the data_offsets of ${at} are not two non-negative integers`);
  }
  const [begin, end]: number[] = offsets;
  if (begin === undefined || end === undefined) throw damaged(name, `the data_offsets of ${at} are missing`);
  const size = product(shape) * ARRAYS[dtype].BYTES_PER_ELEMENT;
  if (size !== end - begin) {
    const text = `${at} of shape [${shape.join(', ')}] and dtype ${dtype} takes ${size} bytes, but its data_offsets span ${end - begin}`;
    throw damaged(name, text);
  }
  return { name: tensor, dtype, shape, begin, end };
}

/** No gap, no overlap, nothing left over. `entries` are sorted by offset. */
function checkCoverage(entries: readonly Entry[], size: number, name: string): void {
  let covered = 0;
  for (const { name: tensor, begin, end } of entries) {
    if (begin !== covered) {
      throw damaged(name, `tensor ${quoted(tensor)} begins at byte ${begin} where ${covered} was due`);
    }
    covered = end;
  }
  if (covered !== size) throw damaged(name, `its tensors take ${covered} bytes, but ${size} follow the header`);
}

function checkChecksum(
  what: string,
  key: string,
  metadata: ReadonlyMap<string, string>,
  compute: () => string,
  name: string,
): void {
  const stored = metadata.get(key);
  if (stored === undefined) return;
  const computed = compute();
  if (stored !== computed)
    throw damaged(name, `the checksum of ${what} is ${computed}, but ${describe(stored)} is recorded`);
}

function readTensor(entry: Entry, values: Uint8Array): Tensor {
  // A buffer of its own: the values in the file need not lie on a boundary that the typed array can start at.
  const buffer = new ArrayBuffer(entry.end - entry.begin);
  new Uint8Array(buffer).set(values.subarray(entry.begin, entry.end));
  return tensorOf(entry.dtype, entry.shape, buffer);
}

function tensorOf<D extends Dtype>(dtype: D, shape: readonly number[], buffer: ArrayBuffer): Tensor {
  // The table pairs each dtype with its array, which the type system cannot follow through the union.
  return { dtype, shape, data: new ARRAYS[dtype](buffer) } as Tensor;
}
