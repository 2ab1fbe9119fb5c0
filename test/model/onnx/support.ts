import * as ort from 'onnxruntime-web';
import { ATTRIBUTE, GRAPH, MODEL, NODE, TENSOR, VALUE } from '../../../src/model/onnx/schema.js';
import {
  bytesField,
  type Chunk,
  floatField,
  messageBytes,
  messageField,
  textField,
  wholeField,
} from '../../../src/model/onnx/wire.js';

// One thread: more would each need a worker.
ort.env.wasm.numThreads = 1;

/** What onnxruntime says of rows: the first output, or the one of that name. */
export async function runtime(bytes: Uint8Array, x: Float32Array, columns: number, output?: string) {
  const session = await ort.InferenceSession.create(bytes);
  const input = session.inputNames[0] as string;
  const results = await session.run({ [input]: new ort.Tensor('float32', x, [x.length / columns, columns]) });
  const tensor = results[output ?? (session.outputNames[0] as string)] as ort.Tensor;
  await session.release();
  return { name: session.outputNames[0], input, dims: tensor.dims, data: tensor.data as Float32Array };
}

/** Repeatable numbers between −1 and 1. */
export function numbers(count: number, seed = 1): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export interface TestTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: number;
  readonly fields: readonly Chunk[];
}

const raw = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** A float32 tensor as raw data, which is how most exporters write one. */
export const tensor = (name: string, dims: readonly number[], values: ArrayLike<number>): TestTensor => ({
  name,
  dims,
  type: 1,
  fields: [bytesField(TENSOR.raw, raw(Float32Array.from(values)))],
});

export const tensorOf = (name: string, dims: readonly number[], type: number, ...fields: Chunk[]): TestTensor => ({
  name,
  dims,
  type,
  fields,
});

export const rawField = (data: ArrayBufferView): Chunk => bytesField(TENSOR.raw, raw(data));

export const tensorFields = ({ name, dims, type, fields }: TestTensor): readonly Chunk[] => [
  ...dims.map((extent) => wholeField(TENSOR.dims, extent)),
  wholeField(TENSOR.type, type),
  textField(TENSOR.name, name),
  ...fields,
];

type Attribute = number | { readonly float: number } | readonly number[] | TestTensor | { readonly texts: string[] };

function attributeFields(value: Attribute): readonly Chunk[] {
  if (typeof value === 'number') return [wholeField(ATTRIBUTE.i, value), wholeField(ATTRIBUTE.type, 2)];
  if ('float' in value) return [floatField(ATTRIBUTE.f, value.float), wholeField(ATTRIBUTE.type, 1)];
  if ('texts' in value)
    return [...value.texts.map((text) => textField(ATTRIBUTE.strings, text)), wholeField(ATTRIBUTE.type, 8)];
  if ('dims' in value) return [messageField(ATTRIBUTE.t, tensorFields(value)), wholeField(ATTRIBUTE.type, 4)];
  return [...value.map((number) => wholeField(ATTRIBUTE.ints, number)), wholeField(ATTRIBUTE.type, 7)];
}

export interface TestNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
}

export const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: TestNode['attributes'] = {},
  domain = '',
): TestNode => ({ op, inputs, output, attributes, domain });

const value = (field: number, name: string, shape: readonly (number | undefined)[]): Chunk =>
  messageField(field, [
    textField(VALUE.name, name),
    messageField(VALUE.type, [
      messageField(VALUE.tensor, [
        wholeField(VALUE.elementType, 1),
        messageField(
          VALUE.shape,
          shape.map((extent) =>
            messageField(VALUE.dimension, [
              extent === undefined ? textField(VALUE.dimensionName, 'N') : wholeField(VALUE.dimensionSize, extent),
            ]),
          ),
        ),
      ]),
    ]),
  ]);

/** An ONNX file as another tool would write it: input `x`, output as named. */
export function onnx(
  nodes: readonly TestNode[],
  tensors: readonly TestTensor[],
  {
    input = [undefined, 3],
    output = 'y',
    metadata = {},
  }: {
    readonly input?: readonly (number | undefined)[];
    readonly output?: string;
    readonly metadata?: Readonly<Record<string, string>>;
  } = {},
): Uint8Array {
  return messageBytes([
    wholeField(MODEL.irVersion, 8),
    messageField(MODEL.opset, [wholeField(2, 17)]),
    messageField(MODEL.graph, [
      textField(GRAPH.name, 'main_graph'),
      ...nodes.map(({ op, inputs, output: out, attributes = {}, domain = '' }) =>
        messageField(GRAPH.node, [
          ...inputs.map((name) => textField(NODE.input, name)),
          textField(NODE.output, out),
          textField(NODE.name, `/${out}/${op}`),
          textField(NODE.op, op),
          ...Object.entries(attributes).map(([name, attribute]) =>
            messageField(NODE.attribute, [textField(ATTRIBUTE.name, name), ...attributeFields(attribute)]),
          ),
          ...(domain === '' ? [] : [textField(NODE.domain, domain)]),
        ]),
      ),
      ...tensors.map((each) => messageField(GRAPH.initializer, tensorFields(each))),
      value(GRAPH.input, 'x', input),
      value(GRAPH.output, output, [undefined, undefined]),
    ]),
    ...Object.entries(metadata).map(([key, text]) =>
      messageField(MODEL.metadata, [textField(1, key), textField(2, text)]),
    ),
  ]);
}
