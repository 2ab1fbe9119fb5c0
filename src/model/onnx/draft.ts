/** Parts of an ONNX graph that is being written. */
import { DlAdmmError } from '../../core/errors.js';
import { inDtype } from '../../core/numbers.js';
import { checkAttached, isNumericArray } from '../../tensor/inputs.js';
import { ATTRIBUTE_TYPE, type Attribute, DATA_TYPE, type OnnxNode, type OnnxValue, type TENSOR } from './schema.js';
import type { Draft, Message } from './wire.js';

type Tensor = Draft<Message<typeof TENSOR>> & { readonly name: string };

/** A part of the graph, with the numbers that its nodes take. */
export interface Part {
  readonly nodes: readonly Draft<OnnxNode>[];
  readonly initializers: readonly Tensor[];
}

export const wholeAttribute = (name: string, whole: number): Draft<Attribute> => ({
  name,
  whole,
  type: ATTRIBUTE_TYPE.int,
});

export function node(
  op: string,
  name: string,
  inputs: readonly string[],
  output: string,
  attributes: readonly Draft<Attribute>[] = [],
  domain = '',
): Draft<OnnxNode> {
  return { op, name, inputs, outputs: [output], attributes, domain };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Values as float32, refused where that makes an infinity of them. */
export function initializer(name: string, dims: readonly number[], values: ArrayLike<number>): Tensor {
  if (isNumericArray(values)) checkAttached(values, name);
  const data = inDtype(values, 'float32');
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    const text = `Expected numbers finite in float32, which ONNX is written in, for ${name} but received ${values[at]} at ${at}`;
    throw new DlAdmmError('ERR_DLADMM_NON_FINITE', text);
  }
  return { dims, type: DATA_TYPE.float, name, raw: bytesOf(data) };
}

export const doubles = (name: string, values: readonly number[]): Tensor => ({
  ...{ dims: [values.length], type: DATA_TYPE.double, name },
  raw: bytesOf(Float64Array.from(values)),
});

/** Codes of eight bits. */
export const codes = (name: string, dims: readonly number[], values: Int8Array | Uint8Array): Tensor => ({
  ...{ dims, type: values.constructor === Uint8Array ? DATA_TYPE.uint8 : DATA_TYPE.int8, name },
  raw: bytesOf(values),
});

export const wholeNumbers = (name: string, values: readonly number[] | number): Tensor => ({
  ...{ dims: typeof values === 'number' ? [] : [values.length], type: DATA_TYPE.int64, name },
  raw: bytesOf(BigInt64Array.from(typeof values === 'number' ? [values] : values, BigInt)),
});

/** A matrix of any number of rows. */
export const matrix = (name: string, columns: number, element: number = DATA_TYPE.float): Draft<OnnxValue> => ({
  name,
  type: { tensor: { element, shape: { dimensions: [{ name: 'batch' }, { size: columns }] } } },
});
