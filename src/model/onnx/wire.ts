/**
 * The wire format of protocol buffers (https://protobuf.dev/programming-guides/encoding): a message is a row of fields, each a
 * number, a wire type and a value; what is nested is written as its length and its bytes.
 */
import { DlAdmmError } from '../../core/errors.js';

// ---------------------------------------------------------------------------------------------------------------- writing

/** Bytes that are not joined yet, so that a tensor is copied once, whatever it is nested in. */
export interface Chunk {
  readonly size: number;
  readonly parts: readonly Uint8Array[];
}

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

const sum = (chunks: readonly Chunk[]): Chunk => ({
  size: chunks.reduce((size, chunk) => size + chunk.size, 0),
  parts: chunks.flatMap(({ parts }) => parts),
});

const chunkOf = (bytes: Uint8Array): Chunk => ({ size: bytes.length, parts: [bytes] });

/** A whole number from 0 to 2^53, seven bits a byte, the lowest first. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.of(...bytes, rest);
}

const tag = (field: number, type: number): Chunk => chunkOf(varint(field * 8 + type));

/** A field that holds a whole number from 0 to 2^53. */
export const wholeField = (field: number, value: number): Chunk => sum([tag(field, VARINT), chunkOf(varint(value))]);

export const bytesField = (field: number, bytes: Uint8Array): Chunk =>
  sum([tag(field, LENGTH), chunkOf(varint(bytes.length)), chunkOf(bytes)]);

export const textField = (field: number, text: string): Chunk => bytesField(field, new TextEncoder().encode(text));

export const floatField = (field: number, value: number): Chunk =>
  sum([tag(field, FIXED32), chunkOf(new Uint8Array(Float32Array.of(value).buffer))]);

export function messageField(field: number, fields: readonly Chunk[]): Chunk {
  const message = sum(fields);
  return sum([tag(field, LENGTH), chunkOf(varint(message.size)), message]);
}

/** The bytes of a message of these fields, in a buffer of their own. */
export function messageBytes(fields: readonly Chunk[]): Uint8Array {
  const { size, parts } = sum(fields);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

// ---------------------------------------------------------------------------------------------------------------- reading

/** A field as it stands in a message. `bytes` is a window on the message. */
export type WireField =
  | { readonly number: number; readonly type: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly type: 'fixed64' | 'fixed32' | 'length'; readonly bytes: Uint8Array };

/** Bytes and a place in them. */
interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

const MAX_FIELD = 2 ** 29 - 1;

function damaged(what: string, where: string): DlAdmmError {
  return new DlAdmmError('ERR_DLADMM_FORMAT', `Expected protocol buffers in ${where}, but ${what}`);
}

function readVarint(cursor: Cursor, where: string): bigint {
  let low = 0;
  let high = 0n;
  for (let i = 0; i < 10; i += 1) {
    const byte = cursor.bytes[cursor.at];
    if (byte === undefined) throw damaged('a number is cut off', where);
    cursor.at += 1;
    // 49 bits are exact as a double.
    if (i < 7) low += (byte & 127) * 2 ** (7 * i);
    else high |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) return BigInt.asIntN(64, high | BigInt(low));
  }
  throw damaged('a number has more than ten bytes', where);
}

function take(cursor: Cursor, length: bigint, where: string): Uint8Array {
  const left = cursor.bytes.length - cursor.at;
  if (length < 0n || length > BigInt(left)) {
    throw damaged(`a field claims ${BigInt.asUintN(64, length)} bytes where ${left} are left`, where);
  }
  const bytes = cursor.bytes.subarray(cursor.at, cursor.at + Number(length));
  cursor.at += Number(length);
  return bytes;
}

/**
 * The fields of a message, one after the other. No length is believed.
 *
 * @param where what errors call the message
 * @throws DlAdmmError ERR_DLADMM_FORMAT
 */
export function* fieldsOf(bytes: Uint8Array, where: string): Generator<WireField, void, undefined> {
  const cursor: Cursor = { bytes, at: 0 };
  while (cursor.at < bytes.length) {
    const key = readVarint(cursor, where);
    const number = Number(key >> 3n);
    if (number < 1 || number > MAX_FIELD) throw damaged(`a field has the number ${number}`, where);
    switch (Number(key & 7n)) {
      case VARINT:
        yield { number, type: 'varint', value: readVarint(cursor, where) };
        break;
      case FIXED64:
        yield { number, type: 'fixed64', bytes: take(cursor, 8n, where) };
        break;
      case LENGTH:
        yield { number, type: 'length', bytes: take(cursor, readVarint(cursor, where), where) };
        break;
      case FIXED32:
        yield { number, type: 'fixed32', bytes: take(cursor, 4n, where) };
        break;
      default:
        throw damaged(`field ${number} has the unknown wire type ${key & 7n}`, where);
    }
  }
}

/** The field as nested bytes, a message or text. */
export function lengthOf(field: WireField, where: string): Uint8Array {
  if (field.type === 'length') return field.bytes;
  throw damaged(`field ${field.number} is a ${field.type} where bytes belong`, where);
}

export function textOf(field: WireField, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(lengthOf(field, where));
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    throw damaged(`field ${field.number} is not valid UTF-8`, where);
  }
}

/** The field as a whole number that a double holds exactly. */
export function wholeOf(field: WireField, where: string): number {
  if (field.type !== 'varint') throw damaged(`field ${field.number} is a ${field.type} where a number belongs`, where);
  return exactly(field.value, where);
}

function exactly(value: bigint, where: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw damaged(`${value} stands where a smaller number belongs`, where);
  return number;
}

export function floatOf(field: WireField, where: string): number {
  if (field.type === 'fixed32') return viewOf(field.bytes).getFloat32(0, true);
  throw damaged(`field ${field.number} is a ${field.type} where a float belongs`, where);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Whole numbers of a repeated field, whether they stand in one field (packed) or each in its own. */
export function wholesOf(field: WireField, where: string): readonly number[] {
  if (field.type === 'varint') return [wholeOf(field, where)];
  const cursor: Cursor = { bytes: lengthOf(field, where), at: 0 };
  const numbers: number[] = [];
  while (cursor.at < cursor.bytes.length) numbers.push(exactly(readVarint(cursor, where), where));
  return numbers;
}

/** The bytes of repeated numbers of `size` bytes each, packed or not. */
export function fixedOf(field: WireField, size: 4 | 8, where: string): Uint8Array {
  if (field.type === (size === 4 ? 'fixed32' : 'fixed64')) return field.bytes;
  const bytes = lengthOf(field, where);
  if (bytes.length % size === 0) return bytes;
  throw damaged(`field ${field.number} has ${bytes.length} bytes, which is no multiple of ${size}`, where);
}
