/** The field numbers of the ONNX messages that are used here, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. */

export const MODEL = { irVersion: 1, producer: 2, graph: 7, opset: 8, metadata: 14 } as const;

export const GRAPH = {
  node: 1,
  name: 2,
  initializer: 5,
  input: 11,
  output: 12,
  sparseInitializer: 15,
} as const;

export const NODE = { input: 1, output: 2, name: 3, op: 4, attribute: 5, domain: 7 } as const;

export const ATTRIBUTE = { name: 1, f: 2, i: 3, s: 4, t: 5, floats: 7, ints: 8, strings: 9, type: 20 } as const;

export const ATTRIBUTE_TYPE = { float: 1, int: 2 } as const;

export const TENSOR = {
  dims: 1,
  type: 2,
  segment: 3,
  floats: 4,
  int32s: 5,
  strings: 6,
  int64s: 7,
  name: 8,
  raw: 9,
  doubles: 10,
  external: 13,
  location: 14,
} as const;

/** ValueInfoProto, and the types and shapes that are nested in it. */
export const VALUE = {
  name: 1,
  type: 2,
  tensor: 1,
  elementType: 1,
  shape: 2,
  dimension: 1,
  dimensionSize: 1,
  dimensionName: 2,
} as const;

export const DATA_TYPE = { float: 1, int32: 6, int64: 7, string: 8, float16: 10, double: 11, bfloat16: 16 } as const;
