/** The tensors and nodes of an ONNX file, without what they mean. A tensor's values stay where they are until they are asked for. */
import { DlAdmmError, quoted } from '../../core/errors.js';
import type { Numbers } from '../../core/native.js';
import { fromBfloat16, fromFloat16 } from '../../tensor/half.js';
import {
  type Attribute,
  DATA_TYPE,
  MODEL,
  type OnnxNode,
  type OnnxValue,
  TENSOR_HEAD,
  TENSOR_VALUES,
  type TensorHead,
  type TensorValues,
} from './schema.js';
import { decode } from './wire.js';

export interface OnnxTensor extends TensorHead {
  /** The whole message, with the values in it. */
  readonly message: Uint8Array;
}

export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly metadata: ReadonlyMap<string, string>;
}

const refusal = (file: string, what: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_FORMAT', `${file} cannot be read as an ONNX network: ${what}`);

const EXTERNAL = 1;

const tensorOf = (message: Uint8Array, file: string): OnnxTensor => ({
  ...decode(TENSOR_HEAD, message, file),
  message,
});

/**
 * Reads the messages of an ONNX file, believing no length in it.
 *
 * @param file what errors call it
 * @throws DlAdmmError ERR_DLADMM_FORMAT
 */
export function decodeOnnx(bytes: Uint8Array, file: string): OnnxModel {
  const { graphs, metadata } = decode(MODEL, bytes, file);
  const [graph] = graphs;
  if (!graph || graphs.length > 1) throw refusal(file, `it has ${graphs.length} graphs where one belongs`);
  if (graph.sparse.length > 0) throw refusal(file, 'it has sparse weights');
  const tensors = graph.initializers.map((message) => tensorOf(message, file));
  return {
    ...graph,
    initializers: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    metadata: new Map(metadata.map(({ key, value }) => [key, value])),
  };
}

/** The attribute of a node by its name; of two the last. */
export const attributeOf = ({ attributes }: OnnxNode, name: string): Attribute | undefined =>
  attributes.findLast((attribute) => attribute.name === name);

export function tensorIn(node: OnnxNode, name: string, file: string): OnnxTensor | undefined {
  const message = attributeOf(node, name)?.tensor;
  return message && tensorOf(message, file);
}

export const floatsIn = (node: OnnxNode, name: string): Numbers =>
  floatArray(attributeOf(node, name)?.floats ?? [], DATA_TYPE.float);

// ----------------------------------------------------------------------------------------------------------------- values

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The numbers of a type that JavaScript has an array for. A copy: the bytes need not lie where the array can begin. */
function floatArray(parts: readonly Uint8Array[], type: number): Numbers {
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return type === DATA_TYPE.double ? new Float64Array(bytes.buffer) : new Float32Array(bytes.buffer);
}

/** How many bytes a number takes, and how it is made of its bits where JavaScript has no array for it. */
const FLOATS: ReadonlyMap<number | undefined, { readonly size: number; readonly convert?: (bits: number) => number }> =
  new Map([
    [DATA_TYPE.float, { size: 4 }],
    [DATA_TYPE.double, { size: 8 }],
    [DATA_TYPE.float16, { size: 2, convert: fromFloat16 }],
    [DATA_TYPE.bfloat16, { size: 2, convert: fromBfloat16 }],
  ]);

export const sizeOf = (dims: readonly number[]): number => dims.reduce((size, extent) => size * extent, 1);

const valuesOf = ({ name, message }: OnnxTensor, file: string): TensorValues =>
  decode(TENSOR_VALUES, message, `tensor ${quoted(name)} of ${file}`);

/**
 * The values of a tensor of floating-point numbers, row-major: float64 for doubles, float32 for the others.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT where they are not such, lie in another file, or are not as many as the shape says
 */
export function numbersOf(tensor: OnnxTensor, file: string): Numbers {
  const { name, type = 0, dims, external, location } = tensor;
  const at = `tensor ${quoted(name)}`;
  if (location === EXTERNAL || external.length > 0) {
    const text = `the values of ${at} lie in another file; keep them in one, with torch.onnx.export(…, external_data=False) or onnx.save(onnx.load(path), path)`;
    throw refusal(file, text);
  }
  const form = FLOATS.get(type);
  if (form === undefined) throw refusal(file, `${at} has the element type ${type}, which is no floating-point type`);
  const { raw, floats, doubles, int32s } = valuesOf(tensor, file);
  const { size, convert } = form;
  if (raw && raw.length % size !== 0) throw refusal(file, `${at} has ${raw.length} bytes of ${size} each`);
  const bits = raw && convert ? halvesOf(raw) : int32s;
  const parts = raw ? [raw] : type === DATA_TYPE.double ? doubles : floats;
  const values = convert ? Float32Array.from(bits, (value) => convert(value & 0xffff)) : floatArray(parts, type);
  if (dims.some((extent) => extent < 0) || values.length !== sizeOf(dims)) {
    throw refusal(file, `${at} of shape [${dims.slice(0, 8).join(', ')}] has ${values.length} values`);
  }
  return values;
}

function halvesOf(raw: Uint8Array): Uint16Array {
  const view = viewOf(raw);
  return Uint16Array.from({ length: raw.length / 2 }, (_, i) => view.getUint16(2 * i, true));
}

/** How many bytes one takes, and how it is read. */
const WHOLES: ReadonlyMap<number | undefined, readonly [size: number, (view: DataView, at: number) => number]> =
  new Map([
    [DATA_TYPE.int64, [8, (view, at) => Number(view.getBigInt64(at, true))]],
    [DATA_TYPE.int32, [4, (view, at) => view.getInt32(at, true)]],
    [DATA_TYPE.int8, [1, (view, at) => view.getInt8(at)]],
    [DATA_TYPE.uint8, [1, (view, at) => view.getUint8(at)]],
    [DATA_TYPE.bool, [1, (view, at) => view.getUint8(at)]],
  ]);

/**
 * The values of a tensor of whole numbers, such as a shape or the codes of weights, or of truth values.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT
 */
export function wholesIn(tensor: OnnxTensor, file: string): readonly number[] {
  const { type, external, location } = tensor;
  const { raw, int32s, int64s } = valuesOf(tensor, file);
  const [size, read] = WHOLES.get(type) ?? [];
  if (
    size === undefined ||
    read === undefined ||
    location === EXTERNAL ||
    external.length > 0 ||
    (raw && raw.length % size !== 0)
  ) {
    throw refusal(file, `tensor ${quoted(tensor.name)} holds no whole numbers`);
  }
  if (!raw) return size === 8 ? int64s : int32s;
  const view = viewOf(raw);
  return Array.from({ length: raw.length / size }, (_, i) => read(view, size * i));
}

/** The texts of a tensor of strings; none where it is of another type. */
export const textsIn = (tensor: OnnxTensor, file: string): readonly string[] =>
  tensor.type === DATA_TYPE.string ? valuesOf(tensor, file).strings : [];
