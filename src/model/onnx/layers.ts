/** The layers of an ONNX graph: Gemm and MatMul, and what is folded into their weights. */
import type { Numbers } from '../../core/native.js';
import { dtypeOf, zeros } from '../../core/numbers.js';
import type { Activation } from '../../network/network.js';
import { swapped } from './constants.js';
import { floatAttribute, type Graph, inRange, nameOf, wholeAttribute } from './graph.js';
import { sizeOf } from './proto.js';
import type { OnnxNode } from './schema.js';
import type { OnnxScaling } from './steps.js';

/** A layer as the graph has it: z = x · Wᵀ + b, then the activation. */
export interface OnnxLayer {
  /** Where errors look. */
  readonly node: string;
  readonly inputs: number;
  readonly outputs: number;
  /** outputs × inputs, row-major. */
  readonly weights: Numbers;
  readonly bias: Numbers;
  readonly activation: Activation;
}

const SAMPLES_AS_ROWS = 'only samples as rows can be read: transpose the product';

/** The weights of a node, outputs × inputs. `input` × `output` is their order in the graph where `turned` is false. */
function weightsOf(graph: Graph, node: OnnxNode, turned: boolean, factor: number): Omit<OnnxLayer, 'bias'> {
  const constant = graph.constant(node, 1);
  const [rows, columns] = constant?.shape ?? [];
  if (constant?.shape.length !== 2 || rows === undefined || columns === undefined || rows * columns === 0) {
    const shape = constant ? `[${constant.shape.slice(0, 8).join(', ')}]` : 'left out';
    throw graph.refusal(`the weights of ${nameOf(node)} should be a matrix, but their shape is ${shape}`);
  }
  const numbers = graph.take(constant, node);
  const values = turned ? numbers : swapped(numbers, rows, columns);
  const [outputs, inputs] = turned ? [rows, columns] : [columns, rows];
  const weights = factor === 1 ? values : values.map((value: number) => factor * value);
  return { node: nameOf(node), inputs, outputs, weights: weights as Numbers, activation: 'identity' };
}

/** The third input of Gemm, which may be one number for all outputs. */
function biasOf(graph: Graph, node: OnnxNode, bias: Numbers, factor: number): Numbers {
  const constant = graph.constant(node, 2);
  if (!constant) return bias;
  const { shape } = constant;
  const size = sizeOf(shape);
  // Leading extents of 1 are the batch.
  if ((size !== 1 && size !== bias.length) || shape.slice(0, -1).some((extent) => extent !== 1)) {
    const text = `the bias of ${nameOf(node)} has shape [${shape.slice(0, 8).join(', ')}], expected [${bias.length}]`;
    throw graph.refusal(text);
  }
  const values = graph.numbers(constant);
  return bias.map((_: number, j: number) => factor * (values[size === 1 ? 0 : j] as number)) as Numbers;
}

export function layerOf(graph: Graph, node: OnnxNode): OnnxLayer {
  const isGemm = node.op === 'Gemm';
  if (graph.constants.has(node.inputs[0] ?? '') || (isGemm && wholeAttribute(node, 'transA', 0) !== 0)) {
    throw graph.refusal(`${nameOf(node)} takes samples as columns`, SAMPLES_AS_ROWS);
  }
  if (!isGemm) {
    const layer = weightsOf(graph, node, false, 1);
    return { ...layer, bias: zeros(dtypeOf(layer.weights), layer.outputs) };
  }
  const alpha = inRange(graph, node, 'alpha', floatAttribute(node, 'alpha', 1));
  const beta = inRange(graph, node, 'beta', floatAttribute(node, 'beta', 1));
  const layer = weightsOf(graph, node, wholeAttribute(node, 'transB', 0) !== 0, alpha);
  return { ...layer, bias: biasOf(graph, node, zeros(dtypeOf(layer.weights), layer.outputs), beta) };
}

/** The layer with a scaling behind it, before its activation: diag(factor) W, factor · b + shift. */
export function scaledAfter(layer: OnnxLayer, { factor, shift }: OnnxScaling): OnnxLayer {
  const { inputs, weights, bias } = layer;
  return {
    ...layer,
    weights: weights.map((w: number, i: number) => w * (factor[Math.floor(i / inputs)] as number)) as Numbers,
    bias: bias.map((b: number, row: number) => b * (factor[row] as number) + (shift[row] as number)) as Numbers,
  };
}

/** The layer with a scaling before it: W diag(factor), b + W shift. */
export function scaledBefore(layer: OnnxLayer, { factor, shift }: OnnxScaling): OnnxLayer {
  const { inputs, weights, bias } = layer;
  return {
    ...layer,
    weights: weights.map((w: number, i: number) => w * (factor[i % inputs] as number)) as Numbers,
    bias: bias.map((b: number, row: number) =>
      shift.reduce((sum, by, j) => sum + (weights[row * inputs + j] as number) * by, b),
    ) as Numbers,
  };
}
