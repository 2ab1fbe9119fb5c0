import * as ort from 'onnxruntime-web';
import {
  type Attribute as AttributeMessage,
  MODEL,
  TENSOR,
  type TensorHead,
  type TensorValues,
} from '../../../src/model/onnx/schema.js';
import { type Draft, encode } from '../../../src/model/onnx/wire.js';

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

export type TestTensor = Draft<TensorHead & TensorValues>;

/** The bytes of an array. */
export const raw = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** A float32 tensor as raw data, which is how most exporters write one. */
export const tensor = (name: string, dims: readonly number[], values: ArrayLike<number>): TestTensor =>
  tensorOf(name, dims, 1, { raw: raw(Float32Array.from(values)) });

export const tensorOf = (
  name: string,
  dims: readonly number[],
  type: number,
  values: Omit<TestTensor, 'name' | 'dims' | 'type'>,
): TestTensor => ({ name, dims, type, ...values });

type Attribute =
  | number
  | { readonly float: number }
  | { readonly text: string }
  | readonly number[]
  | TestTensor
  | { readonly texts: string[] };

function attributeOf(value: Attribute): Draft<AttributeMessage> {
  if (typeof value === 'number') return { whole: value, type: 2 };
  if ('float' in value) return { float: value.float, type: 1 };
  if ('text' in value) return { text: value.text, type: 3 };
  if ('texts' in value) return { texts: value.texts, type: 8 };
  if ('dims' in value) return { tensor: encode(TENSOR, value), type: 4 };
  return { wholes: value as readonly number[], type: 7 };
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

const value = (name: string, shape: readonly (number | undefined)[]) => ({
  name,
  type: {
    tensor: {
      element: 1,
      shape: { dimensions: shape.map((size) => (size === undefined ? { name: 'N' } : { size })) },
    },
  },
});

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
  return encode(MODEL, {
    irVersion: 8,
    opsets: [{ version: 20 }],
    graphs: [
      {
        name: 'main_graph',
        nodes: nodes.map(({ op, inputs, output: out, attributes = {}, domain = '' }) => ({
          ...{ op, inputs, outputs: [out], name: `/${out}/${op}`, domain },
          attributes: Object.entries(attributes).map(([name, attribute]) => ({ name, ...attributeOf(attribute) })),
        })),
        initializers: tensors.map((each) => encode(TENSOR, each)),
        inputs: [value('x', input)],
        outputs: [value(output, [undefined, undefined])],
      },
    ],
    metadata: Object.entries(metadata).map(([key, text]) => ({ key, value: text })),
  });
}
