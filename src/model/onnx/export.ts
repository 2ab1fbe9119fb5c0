/**
 * Networks as ONNX (https://onnx.ai): a Gemm a layer with its activation behind it, in float32, for batches of any size.
 *
 * Input `x`, samples × n_0. Output `probabilities`, samples × n_L, for softmax cross-entropy; `outputs`, samples × n_L, for the
 * other losses, which have no probabilities: the values themselves (squared error), or a score for every class, of which the
 * largest names the class (hinge, one-hot squared error; a hinge network with one output says class 1 above ½).
 */
import { checkKeys, checkObject, oneOf, whole } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import type { Numbers } from '../../core/native.js';
import type { Activation, Network } from '../../network/network.js';
import type { LabelKind } from '../../samples/classes.js';
import { ATTRIBUTE, ATTRIBUTE_TYPE, DATA_TYPE, GRAPH, MODEL, NODE, TENSOR, VALUE } from './schema.js';
import { bytesField, type Chunk, floatField, messageBytes, messageField, textField, wholeField } from './wire.js';

/** What is written of a model. */
export interface OnnxParts {
  readonly network: Network;
  /** W_l, n_l × n_{l−1} row-major. */
  readonly weights: readonly Numbers[];
  readonly biases: readonly Numbers[];
  readonly classes?: readonly string[];
  /** What predictions tell classes by; `'number'` if absent. */
  readonly labelKind?: LabelKind;
  /** What is done to every feature before the first layer: (x − mean) · scale. */
  readonly standardisation?: { readonly mean: ArrayLike<number>; readonly scale: ArrayLike<number> };
}

/** How a model is written. */
export interface OnnxOptions {
  /** What a softmax cross-entropy network gives: `'probabilities'` (default), or `'outputs'`, the values before the softmax. */
  readonly output?: 'probabilities' | 'outputs';
  /**
   * The version of the operator set that the file names, 13 to 26; 26 if absent. What is used means the same in all of them:
   * a lower one lets older readers in.
   */
  readonly opset?: number;
}

const OPSETS = { low: 13, high: 26 } as const;
/** Nothing younger is used, so that older readers take the file. */
const IR_VERSION = 8;
/** What a protocol buffer may have. */
const MAX_BYTES = 2 ** 31 - 1;

/** The metadata that dladmm reads back: the network as JSON, and the names of the classes as a JSON array. */
export const NETWORK_KEY = 'dladmm.network';
export const CLASSES_KEY = 'classes';

const attribute = (name: string, type: number, value: Chunk): Chunk =>
  messageField(NODE.attribute, [textField(ATTRIBUTE.name, name), value, wholeField(ATTRIBUTE.type, type)]);

const wholeAttribute = (name: string, value: number): Chunk =>
  // −1, the last axis, does not occur: axes are written out.
  attribute(name, ATTRIBUTE_TYPE.int, wholeField(ATTRIBUTE.i, value));

const floatAttribute = (name: string, value: number): Chunk =>
  attribute(name, ATTRIBUTE_TYPE.float, floatField(ATTRIBUTE.f, value));

function node(
  op: string,
  name: string,
  inputs: readonly string[],
  output: string,
  attributes: readonly Chunk[] = [],
): Chunk {
  return messageField(GRAPH.node, [
    ...inputs.map((input) => textField(NODE.input, input)),
    textField(NODE.output, output),
    textField(NODE.name, name),
    textField(NODE.op, op),
    ...attributes,
  ]);
}

/** Values as float32, refused where that makes an infinity of them. */
function floats(values: ArrayLike<number>, name: string): Uint8Array {
  const data = values instanceof Float32Array ? values : Float32Array.from(values);
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new DlAdmmError(
      'ERR_DLADMM_NON_FINITE',
      `Expected numbers finite in float32, which ONNX is written in, for ${name} but received ${values[at]} at ${at}`,
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

const initializer = (name: string, dims: readonly number[], values: ArrayLike<number>): Chunk =>
  messageField(GRAPH.initializer, [
    ...dims.map((extent) => wholeField(TENSOR.dims, extent)),
    wholeField(TENSOR.type, DATA_TYPE.float),
    textField(TENSOR.name, name),
    bytesField(TENSOR.raw, floats(values, name)),
  ]);

/** A float32 matrix of any number of rows. */
const matrixValue = (field: number, name: string, columns: number): Chunk =>
  messageField(field, [
    textField(VALUE.name, name),
    messageField(VALUE.type, [
      messageField(VALUE.tensor, [
        wholeField(VALUE.elementType, DATA_TYPE.float),
        messageField(VALUE.shape, [
          messageField(VALUE.dimension, [textField(VALUE.dimensionName, 'batch')]),
          messageField(VALUE.dimension, [wholeField(VALUE.dimensionSize, columns)]),
        ]),
      ]),
    ]),
  ]);

function slopeOf(slope: number): number {
  if (Number.isFinite(Math.fround(slope))) return slope;
  throw expected(
    'a number finite in float32, which ONNX is written in,',
    'the slope of leakyRelu',
    slope,
    'ERR_DLADMM_NON_FINITE',
  );
}

/** The node of an activation; none for the identity. */
function activationNode(activation: Activation, name: string, input: string, output: string): Chunk | undefined {
  switch (activation) {
    case 'identity':
      return undefined;
    case 'relu':
      return node('Relu', name, [input], output);
    case 'sigmoid':
      return node('Sigmoid', name, [input], output);
    case 'tanh':
      return node('Tanh', name, [input], output);
    default:
      return node('LeakyRelu', name, [input], output, [floatAttribute('alpha', slopeOf(activation.leakyRelu))]);
  }
}

/** (x − mean) · scale, as two nodes: folded into W_1 it would cost float32 the digits of a large mean. */
function standardisationFields({ standardisation }: OnnxParts): readonly Chunk[] {
  if (!standardisation) return [];
  const { mean, scale } = standardisation;
  return [
    initializer('mean', [1, mean.length], mean),
    initializer('scale', [1, scale.length], scale),
    node('Sub', 'centre', ['x', 'mean'], 'centred'),
    node('Mul', 'scaling', ['centred', 'scale'], 'standardised'),
  ];
}

function layerFields({ network, weights, biases, standardisation }: OnnxParts, last: string): readonly Chunk[] {
  const depth = network.layers.length - 1;
  const fields: Chunk[] = [];
  let value = standardisation ? 'standardised' : 'x';
  for (let l = 1; l <= depth; l += 1) {
    const inputs = network.layers[l - 1] as number;
    const outputs = network.layers[l] as number;
    const [weight, bias] = [`${2 * (l - 1)}.weight`, `${2 * (l - 1)}.bias`];
    const z = l === depth ? last : `z${l}`;
    fields.push(
      initializer(weight, [outputs, inputs], weights[l - 1] as Numbers),
      initializer(bias, [outputs], biases[l - 1] as Numbers),
      node('Gemm', `layer${l}`, [value, weight, bias], z, [wholeAttribute('transB', 1)]),
    );
    const activation = l === depth ? undefined : activationNode(network.activation, `activation${l}`, z, `a${l}`);
    if (activation) fields.push(activation);
    value = activation ? `a${l}` : z;
  }
  return fields;
}

const metadata = (key: string, value: unknown): Chunk =>
  messageField(MODEL.metadata, [textField(1, key), textField(2, JSON.stringify(value))]);

/**
 * The bytes of an ONNX file with this network.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for the options; ERR_DLADMM_NON_FINITE where a float64 value does
 * not fit into float32; ERR_DLADMM_MEMORY where the file would be larger than protocol buffers may be
 */
export function encodeOnnx(parts: OnnxParts, options: OnnxOptions = {}): Uint8Array {
  const { network, classes, labelKind = 'number' } = parts;
  checkObject(options, 'an object', 'options');
  checkKeys(options, ['output', 'opset'], 'options');
  const opset = whole(options.opset ?? OPSETS.high, OPSETS.low, OPSETS.high, 'options.opset');
  const wanted = oneOf(options.output ?? 'probabilities', ['probabilities', 'outputs'], 'options.output');
  const softmax = network.loss === 'softmax-cross-entropy' && wanted === 'probabilities';
  const output = softmax ? 'probabilities' : 'outputs';
  const columns = network.layers.at(-1) as number;
  const last = softmax ? `z${network.layers.length - 1}` : output;
  const fields = [
    wholeField(MODEL.irVersion, IR_VERSION),
    textField(MODEL.producer, 'dladmm'),
    messageField(MODEL.opset, [wholeField(2, opset)]),
    messageField(MODEL.graph, [
      textField(GRAPH.name, 'dladmm'),
      ...standardisationFields(parts),
      ...layerFields(parts, last),
      ...(softmax ? [node('Softmax', 'softmax', [last], output, [wholeAttribute('axis', 1)])] : []),
      matrixValue(GRAPH.input, 'x', network.layers[0] as number),
      matrixValue(GRAPH.output, output, columns),
    ]),
    metadata(NETWORK_KEY, { activation: network.activation, loss: network.loss, labelKind }),
    ...(classes ? [metadata(CLASSES_KEY, classes)] : []),
  ];
  const size = fields.reduce((total, field) => total + field.size, 0);
  if (size > MAX_BYTES) {
    throw new DlAdmmError(
      'ERR_DLADMM_MEMORY',
      `An ONNX file has at most ${MAX_BYTES} bytes, and this one would have ${size}`,
    );
  }
  return messageBytes(fields);
}
