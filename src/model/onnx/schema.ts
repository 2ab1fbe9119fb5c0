/** The ONNX messages that are used here, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. */
import { bytes, each, fixed, float, type Message, message, text, whole, wholes } from './wire.js';

/** What a tensor is; `external` is there where its values lie in another file. */
export const TENSOR_HEAD = {
  dims: [1, wholes],
  type: [2, whole],
  name: [8, text],
  external: [13, each(bytes)],
  location: [14, whole],
} as const;

/** Its values: in `raw`, little-endian, or in the field that its type has. */
export const TENSOR_VALUES = {
  floats: [4, fixed(4)],
  int32s: [5, wholes],
  strings: [6, each(text)],
  int64s: [7, wholes],
  raw: [9, bytes],
  doubles: [10, fixed(8)],
} as const;

export const TENSOR = { ...TENSOR_HEAD, ...TENSOR_VALUES } as const;

/** What of an attribute is read: graphs and types are not. `tensor` has the bytes of a TENSOR. */
const ATTRIBUTE = {
  name: [1, text],
  float: [2, float],
  whole: [3, whole],
  text: [4, text],
  tensor: [5, bytes],
  floats: [7, fixed(4)],
  wholes: [8, wholes],
  texts: [9, each(text)],
  type: [20, whole],
} as const;

const NODE = {
  inputs: [1, each(text)],
  outputs: [2, each(text)],
  name: [3, text],
  op: [4, text],
  attributes: [5, each(message(ATTRIBUTE))],
  domain: [7, text],
} as const;

/** An extent has a size or a name. */
const SHAPE = { dimensions: [1, each(message({ size: [1, whole], name: [2, text] }))] } as const;
const TENSOR_TYPE = { element: [1, whole], shape: [2, message(SHAPE)] } as const;
const VALUE = { name: [1, text], type: [2, message({ tensor: [1, message(TENSOR_TYPE)] })] } as const;

/** `initializers` are the bytes of TENSORs, whose values are read when they are asked for. */
const GRAPH = {
  nodes: [1, each(message(NODE))],
  name: [2, text],
  initializers: [5, each(bytes)],
  inputs: [11, each(message(VALUE))],
  outputs: [12, each(message(VALUE))],
  sparse: [15, each(bytes)],
} as const;

export const MODEL = {
  irVersion: [1, whole],
  producer: [2, text],
  graphs: [7, each(message(GRAPH))],
  opsets: [8, each(message({ domain: [1, text], version: [2, whole] }))],
  metadata: [14, each(message({ key: [1, text], value: [2, text] }))],
} as const;

export type TensorHead = Message<typeof TENSOR_HEAD>;
export type TensorValues = Message<typeof TENSOR_VALUES>;
export type Attribute = Message<typeof ATTRIBUTE>;
export type OnnxNode = Message<typeof NODE>;
export type OnnxValue = Message<typeof VALUE>;

export const ATTRIBUTE_TYPE = { float: 1, int: 2, wholes: 7, texts: 8 } as const;

export const DATA_TYPE = {
  ...{ float: 1, uint8: 2, int8: 3, int32: 6, int64: 7, string: 8, bool: 9 },
  ...{ float16: 10, double: 11, bfloat16: 16 },
} as const;
