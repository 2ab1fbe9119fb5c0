/**
 * Messages of protocol buffers as objects. A message is declared once, as a table of its fields; the bytes are read and written
 * by `@bufbuild/protobuf`.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { DlAdmmError, messageOf } from '../../core/errors.js';

/** What may still be read; counted over all that is nested. */
interface Budget {
  fields: number;
}

export interface Kind<T> {
  /** What a message has that lacks the field. */
  readonly absent?: T;
  /** `before` is what stood there so far: fields that are repeated gather. */
  read(reader: BinaryReader, type: WireType, before: T | undefined, budget: Budget): T;
  write(writer: BinaryWriter, field: number, value: T): void;
}

/** The same for what every message has. */
export interface Always<T> extends Kind<T> {
  readonly absent: T;
}

/** The fields of a message: number and kind of each. */
type Fields = Readonly<Record<string, readonly [number: number, kind: Kind<unknown>]>>;

export type Message<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends readonly [number, infer A]
    ? A extends Always<infer T>
      ? T
      : A extends Kind<infer T>
        ? T | undefined
        : never
    : never;
};

/** A message that is to be written: what it leaves out is not there. */
export type Draft<M> = M extends Uint8Array
  ? M
  : M extends readonly (infer E)[]
    ? readonly Draft<E>[]
    : { readonly [K in keyof M]?: Draft<M[K]> };

/** As many as 30,000 layers have; a file of nothing but tiny fields must not fill the memory. */
const MAX_FIELDS = 2 ** 20;

function scalar<T>(
  type: WireType,
  read: (reader: BinaryReader) => T,
  write: (writer: BinaryWriter, value: T) => void,
): Kind<T> {
  return {
    read(reader, found) {
      if (found !== type) throw new Error(`a field has the wire type ${found} where ${type} belongs`);
      return read(reader);
    },
    write: (writer, field, value) => write(writer.tag(field, type), value),
  };
}

/** A whole number that a double holds exactly. */
function readWhole(reader: BinaryReader): number {
  const number = Number(reader.int64());
  if (!Number.isSafeInteger(number)) throw new Error(`${number} stands where a smaller number belongs`);
  return number;
}

export const whole: Kind<number> = scalar(WireType.Varint, readWhole, (writer, value) => writer.int64(value));

export const float: Kind<number> = scalar(
  WireType.Bit32,
  (reader) => reader.float(),
  (writer, value) => writer.float(value),
);

export const text: Always<string> = {
  absent: '',
  ...scalar(
    WireType.LengthDelimited,
    (reader) => reader.string(true),
    (writer, value: string) => writer.string(value),
  ),
};

/** Read as a window on the message. */
export const bytes: Kind<Uint8Array> = scalar(
  WireType.LengthDelimited,
  (reader) => reader.bytes(),
  (writer, value) => writer.bytes(value),
);

export const message = <const F extends Fields>(fields: F): Kind<Message<F>> => ({
  read: (reader, type, _, budget) => readFields(fields, bytes.read(reader, type, undefined, budget), budget),
  write(writer, field, value) {
    writeFields(fields, writer.tag(field, WireType.LengthDelimited).fork(), value);
    writer.join();
  },
});

/** A field that stands as often as there are values. */
export const each = <T>(kind: Kind<T>): Always<readonly T[]> => ({
  absent: [],
  read(reader, type, before, budget) {
    const values = (before ?? []) as T[];
    values.push(kind.read(reader, type, undefined, budget));
    return values;
  },
  write(writer, field, values) {
    for (const value of values) kind.write(writer, field, value);
  },
});

/** Repeated whole numbers, read whether they stand in one field (packed) or each in its own. */
export const wholes: Always<readonly number[]> = {
  absent: [],
  read(reader, type, before) {
    const values = (before ?? []) as number[];
    if (type !== WireType.LengthDelimited) values.push(whole.read(reader, type, undefined, { fields: 0 }));
    else {
      const packed = new BinaryReader(reader.bytes());
      while (packed.pos < packed.len) values.push(readWhole(packed));
    }
    return values;
  },
  write: each(whole).write,
};

/** Repeated numbers of `size` bytes each, packed or not, as their bytes; read as windows on the message. */
export const fixed = (size: 4 | 8): Always<readonly Uint8Array[]> => ({
  absent: [],
  read(reader, type, before) {
    if (type !== WireType.LengthDelimited && type !== (size === 4 ? WireType.Bit32 : WireType.Bit64)) {
      throw new Error(`a field has the wire type ${type} where numbers of ${size} bytes belong`);
    }
    const part = type === WireType.LengthDelimited ? reader.bytes() : reader.skip(type);
    if (part.length % size !== 0) throw new Error(`${part.length} bytes are no multiple of ${size}`);
    const parts = (before ?? []) as Uint8Array[];
    parts.push(part);
    return parts;
  },
  write: each(bytes).write,
});

function readFields<F extends Fields>(fields: F, window: Uint8Array, budget: Budget): Message<F> {
  const names = Object.keys(fields);
  const reader = new BinaryReader(window);
  const found: Record<string, unknown> = {};
  while (reader.pos < reader.len) {
    if (budget.fields === 0) throw new Error(`they have more than ${MAX_FIELDS} fields`);
    budget.fields -= 1;
    const [number, type] = reader.tag();
    const name = names.find((known) => fields[known]?.[0] === number) ?? '';
    const kind = fields[name]?.[1];
    if (kind) found[name] = kind.read(reader, type, found[name], budget);
    else reader.skip(type, number);
  }
  for (const name of names) found[name] ??= fields[name]?.[1].absent;
  return found as Message<F>;
}

function writeFields(fields: Fields, writer: BinaryWriter, value: object): void {
  for (const [name, [number, kind]] of Object.entries(fields)) {
    const field = (value as Readonly<Record<string, unknown>>)[name];
    if (field !== undefined) kind.write(writer, number, field);
  }
}

/**
 * The fields of a message that are in the table. No length is believed.
 *
 * @param where what errors call the message
 * @throws DlAdmmError ERR_DLADMM_FORMAT
 */
export function decode<const F extends Fields>(fields: F, encoded: Uint8Array, where: string): Message<F> {
  try {
    return readFields(fields, encoded, { fields: MAX_FIELDS });
  } catch (cause) {
    const text = `Expected protocol buffers, as ONNX has them, in ${where}, but it is damaged, or of another kind: ${messageOf(cause)}`;
    throw new DlAdmmError('ERR_DLADMM_FORMAT', text, { cause });
  }
}

export function encode<const F extends Fields>(fields: F, value: Draft<Message<F>>): Uint8Array {
  const writer = new BinaryWriter();
  writeFields(fields, writer, value);
  return writer.finish();
}
