/**
 * The ONNX messages as they stand in a file: read, but not understood. A tensor's values stay where they are until they are
 * asked for.
 */
import { DlAdmmError } from '../../core/errors.js';
import type { Numbers } from '../../core/native.js';
import { fromBfloat16, fromFloat16 } from '../../tensor/half.js';
import { ATTRIBUTE, DATA_TYPE, GRAPH, MODEL, NODE, TENSOR, VALUE } from './schema.js';
import { fieldsOf, fixedOf, floatOf, lengthOf, textOf, type WireField, wholeOf, wholesOf } from './wire.js';

export interface OnnxTensor {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly number[];
  /** Whether the values lie in another file. */
  readonly external: boolean;
  /** The whole message, with the values in it. */
  readonly message: Uint8Array;
}

export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** What of an attribute there is; graphs and types are not read. */
export interface OnnxAttribute {
  readonly float?: number;
  readonly whole?: number;
  readonly tensor?: OnnxTensor;
  readonly floats: readonly number[];
  readonly wholes: readonly number[];
  readonly texts: readonly string[];
}

/** An input or output of the graph; an extent without a size is undefined, and so is a shape that is not known. */
export interface OnnxValue {
  readonly name: string;
  readonly shape: readonly (number | undefined)[] | undefined;
}

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly metadata: ReadonlyMap<string, string>;
}

const quoted = (name: string): string => JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name);

const refusal = (file: string, what: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_FORMAT', `${file} cannot be read as an ONNX network: ${what}`);

/** The last field of that number, as protocol buffers have it for what is not repeated. */
const last = (fields: readonly WireField[], number: number): WireField | undefined =>
  fields.findLast((field) => field.number === number);

const all = (fields: readonly WireField[], number: number): readonly WireField[] =>
  fields.filter((field) => field.number === number);

const textIn = (fields: readonly WireField[], number: number, where: string): string => {
  const field = last(fields, number);
  return field ? textOf(field, where) : '';
};

const wholeIn = (fields: readonly WireField[], number: number, where: string): number => {
  const field = last(fields, number);
  return field ? wholeOf(field, where) : 0;
};

const EXTERNAL = 1;
/** More than any network of layers has; a file of nothing but tiny fields must not take a hundred times its size. */
const MAX_FIELDS = 2 ** 16;

/** The fields of a message whose values are not numbers by the million. */
function fieldsIn(bytes: Uint8Array, where: string): readonly WireField[] {
  const fields: WireField[] = [];
  for (const field of fieldsOf(bytes, where)) {
    if (fields.length === MAX_FIELDS) throw refusal(where, `a message has more than ${MAX_FIELDS} fields`);
    fields.push(field);
  }
  return fields;
}

function readTensor(bytes: Uint8Array, file: string): OnnxTensor {
  const fields = fieldsIn(bytes, file);
  const name = textIn(fields, TENSOR.name, file);
  const where = `tensor ${quoted(name)} of ${file}`;
  return {
    name,
    type: wholeIn(fields, TENSOR.type, where),
    shape: all(fields, TENSOR.dims).flatMap((field) => wholesOf(field, where)),
    message: bytes,
    external: wholeIn(fields, TENSOR.location, where) === EXTERNAL || last(fields, TENSOR.external) !== undefined,
  };
}

function readAttribute(bytes: Uint8Array, file: string): readonly [string, OnnxAttribute] {
  const fields = fieldsIn(bytes, file);
  const f = last(fields, ATTRIBUTE.f);
  const i = last(fields, ATTRIBUTE.i);
  const t = last(fields, ATTRIBUTE.t);
  return [
    textIn(fields, ATTRIBUTE.name, file),
    {
      ...(f && { float: floatOf(f, file) }),
      ...(i && { whole: wholeOf(i, file) }),
      ...(t && { tensor: readTensor(lengthOf(t, file), file) }),
      floats: all(fields, ATTRIBUTE.floats).flatMap((field) => float32s([field], file)),
      wholes: all(fields, ATTRIBUTE.ints).flatMap((field) => wholesOf(field, file)),
      texts: all(fields, ATTRIBUTE.strings).map((field) => textOf(field, file)),
    },
  ];
}

function readNode(bytes: Uint8Array, file: string): OnnxNode {
  const fields = fieldsIn(bytes, file);
  const op = textIn(fields, NODE.op, file);
  const name = textIn(fields, NODE.name, file);
  const where = `node ${quoted(name || op)} of ${file}`;
  return {
    name,
    op,
    domain: textIn(fields, NODE.domain, where),
    inputs: all(fields, NODE.input).map((field) => textOf(field, where)),
    outputs: all(fields, NODE.output).map((field) => textOf(field, where)),
    attributes: new Map(all(fields, NODE.attribute).map((field) => readAttribute(lengthOf(field, where), where))),
  };
}

/** The field `number` of a message that is nested in `bytes`, or undefined. */
function nested(bytes: Uint8Array | undefined, number: number, where: string): Uint8Array | undefined {
  const field = bytes && last(fieldsIn(bytes, where), number);
  return field && lengthOf(field, where);
}

function readValue(bytes: Uint8Array, file: string): OnnxValue {
  const name = textIn(fieldsIn(bytes, file), VALUE.name, file);
  const where = `value ${quoted(name)} of ${file}`;
  const shape = nested(nested(nested(bytes, VALUE.type, where), VALUE.tensor, where), VALUE.shape, where);
  return {
    name,
    shape:
      shape &&
      all(fieldsIn(shape, where), VALUE.dimension).map((field) => {
        const size = last(fieldsIn(lengthOf(field, where), where), VALUE.dimensionSize);
        return size && wholeOf(size, where);
      }),
  };
}

function readMetadata(bytes: Uint8Array, file: string): readonly [string, string] {
  const fields = fieldsIn(bytes, file);
  return [textIn(fields, 1, file), textIn(fields, 2, file)];
}

/**
 * Reads the messages of an ONNX file, believing no length in it.
 *
 * @param file what errors call it
 * @throws DlAdmmError ERR_DLADMM_FORMAT
 */
export function decodeOnnx(bytes: Uint8Array, file: string): OnnxModel {
  const model = fieldsIn(bytes, file);
  const graphs = all(model, MODEL.graph);
  const [graph] = graphs;
  if (!graph || graphs.length > 1) throw refusal(file, `it has ${graphs.length} graphs where one belongs`);
  const fields = fieldsIn(lengthOf(graph, file), file);
  const messages = <M>(number: number, read: (message: Uint8Array, file: string) => M): readonly M[] =>
    all(fields, number).map((field) => read(lengthOf(field, file), file));
  if (last(fields, GRAPH.sparseInitializer)) throw refusal(file, 'it has sparse weights');
  return {
    nodes: messages(GRAPH.node, readNode),
    initializers: new Map(messages(GRAPH.initializer, readTensor).map((tensor) => [tensor.name, tensor])),
    inputs: messages(GRAPH.input, readValue),
    outputs: messages(GRAPH.output, readValue),
    metadata: new Map(all(model, MODEL.metadata).map((field) => readMetadata(lengthOf(field, file), file))),
  };
}

// ----------------------------------------------------------------------------------------------------------------- values

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function float32s(fields: readonly WireField[], where: string): readonly number[] {
  return fields.flatMap((field) => {
    const view = viewOf(fixedOf(field, 4, where));
    return Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
  });
}

/** The bytes of repeated numbers that stand in fields of their own, one after the other. */
function joined(fields: readonly WireField[], size: 4 | 8, where: string): Uint8Array {
  const parts = fields.map((field) => fixedOf(field, size, where));
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A copy, since the bytes need not lie on a boundary that the array can begin at. */
function floatArray(bytes: Uint8Array, size: 4 | 8): Numbers {
  const { buffer } = new Uint8Array(bytes);
  return size === 4 ? new Float32Array(buffer) : new Float64Array(buffer);
}

function halves(bytes: Uint8Array, convert: (bits: number) => number): Float32Array {
  const view = viewOf(bytes);
  const out = new Float32Array(bytes.length / 2);
  for (let i = 0; i < out.length; i += 1) out[i] = convert(view.getUint16(2 * i, true));
  return out;
}

function rawOf(fields: readonly WireField[], where: string): Uint8Array | undefined {
  const field = last(fields, TENSOR.raw);
  return field && lengthOf(field, where);
}

const BYTES: ReadonlyMap<number, number> = new Map([
  [DATA_TYPE.float, 4],
  [DATA_TYPE.double, 8],
  [DATA_TYPE.float16, 2],
  [DATA_TYPE.bfloat16, 2],
]);

/** How many values the shape asks for. */
export const sizeOf = ({ shape }: Pick<OnnxTensor, 'shape'>): number =>
  shape.reduce((size, extent) => size * extent, 1);

/**
 * The values of a tensor of floating-point numbers, row-major: float64 for doubles, float32 for the others.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT where they are not such, lie in another file, or are not as many as the shape says
 */
export function numbersOf(tensor: OnnxTensor, file: string): Numbers {
  const { name, type, message, shape, external } = tensor;
  const at = `tensor ${quoted(name)}`;
  if (external) {
    throw refusal(
      file,
      `the values of ${at} lie in another file; keep them in one, with torch.onnx.export(…, external_data=False) or onnx.save(onnx.load(path), path)`,
    );
  }
  const bytesEach = BYTES.get(type);
  if (bytesEach === undefined)
    throw refusal(file, `${at} has the element type ${type}, which is no floating-point type`);
  const fields = fieldsIn(message, file);
  const raw = rawOf(fields, `${at} of ${file}`);
  if (raw && raw.length % bytesEach !== 0) throw refusal(file, `${at} has ${raw.length} bytes of ${bytesEach} each`);
  const values = raw ? rawNumbers(type, raw) : fieldNumbers(type, fields, `${at} of ${file}`);
  if (shape.some((extent) => extent < 0) || values.length !== sizeOf(tensor)) {
    throw refusal(file, `${at} of shape [${shape.slice(0, 8).join(', ')}] has ${values.length} values`);
  }
  return values;
}

function rawNumbers(type: number, raw: Uint8Array): Numbers {
  if (type === DATA_TYPE.float) return floatArray(raw, 4);
  if (type === DATA_TYPE.double) return floatArray(raw, 8);
  return halves(raw, type === DATA_TYPE.float16 ? fromFloat16 : fromBfloat16);
}

function fieldNumbers(type: number, fields: readonly WireField[], where: string): Numbers {
  if (type === DATA_TYPE.float) return floatArray(joined(all(fields, TENSOR.floats), 4, where), 4);
  if (type === DATA_TYPE.double) return floatArray(joined(all(fields, TENSOR.doubles), 8, where), 8);
  const bits = all(fields, TENSOR.int32s).flatMap((field) => wholesOf(field, where));
  return Float32Array.from(bits, (value) => (type === DATA_TYPE.float16 ? fromFloat16 : fromBfloat16)(value & 0xffff));
}

/**
 * The values of a tensor of whole numbers, such as a shape.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT
 */
export function wholesIn(tensor: OnnxTensor, file: string): readonly number[] {
  const { name, type, message } = tensor;
  const where = `tensor ${quoted(name)} of ${file}`;
  const fields = fieldsIn(message, where);
  const raw = rawOf(fields, where);
  const size = type === DATA_TYPE.int64 ? 8 : type === DATA_TYPE.int32 ? 4 : undefined;
  if (size === undefined || tensor.external || (raw && raw.length % size !== 0)) {
    throw refusal(file, `tensor ${quoted(name)} holds no whole numbers`);
  }
  if (raw) {
    const view = viewOf(raw);
    return Array.from({ length: raw.length / size }, (_, i) =>
      size === 8 ? Number(view.getBigInt64(8 * i, true)) : view.getInt32(4 * i, true),
    );
  }
  return all(fields, size === 8 ? TENSOR.int64s : TENSOR.int32s).flatMap((field) => wholesOf(field, where));
}

/** The texts of a tensor of strings; none where it is of another type. */
export function textsIn({ type, message, name }: OnnxTensor, file: string): readonly string[] {
  if (type !== DATA_TYPE.string) return [];
  return all(fieldsIn(message, file), TENSOR.strings).map((field) =>
    textOf(field, `tensor ${quoted(name)} of ${file}`),
  );
}
