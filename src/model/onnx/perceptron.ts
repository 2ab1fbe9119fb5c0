/**
 * An ONNX graph as a multilayer perceptron: from its one input along the chain of nodes to its output. Whatever is not part of
 * such a chain is refused with the name of the node.
 */

import type { Numbers } from '../../core/native.js';
import { dtypeOf, zeros } from '../../core/numbers.js';
import type { Activation } from '../../network/network.js';
import { activationNamed, OPERATORS } from './activations.js';
import { floatAttribute, Graph, inRange, nameOf, swapped, wholeAttribute } from './graph.js';
import { attributeOf, floatsIn, type OnnxModel, sizeOf, textsIn, wholesIn } from './proto.js';
import type { OnnxNode, OnnxValue } from './schema.js';

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

/** What is done to every feature before the first layer: factor · x + shift. */
export interface OnnxScaling {
  readonly factor: Float64Array;
  readonly shift: Float64Array;
}

export interface OnnxPerceptron {
  readonly layers: readonly [OnnxLayer, ...OnnxLayer[]];
  readonly scaling: OnnxScaling | undefined;
  /** What turns the last layer's values into probabilities. */
  readonly end: 'softmax' | 'sigmoid' | 'none';
  /** Names of the classes, where nodes behind the network know some. */
  readonly classes: readonly string[] | undefined;
}

/** What happened to the features before the first layer, in order. */
interface Step {
  readonly node: OnnxNode;
  readonly kind: 'multiply' | 'add';
  readonly values: Numbers;
}

/** The chain as far as it has been followed. */
interface Chain {
  readonly steps: readonly Step[];
  readonly layers: readonly OnnxLayer[];
  /** What the last layer may still be given. */
  readonly open: 'bias' | 'activation' | 'layer';
  readonly end: OnnxPerceptron['end'];
}

/** Nodes that hand on what they are given. */
const PASSING = ['Identity', 'Dropout', 'Cast', 'Flatten', 'Reshape', 'Squeeze', 'Unsqueeze'];
/** Nodes that make class names of the answer, and what may follow them. */
const NAMING = ['ArgMax', 'ArrayFeatureExtractor', 'ZipMap', 'LabelEncoder'];
const AFTER_NAMING = [...NAMING, 'Cast', 'Reshape', 'Identity', 'Squeeze', 'Unsqueeze', 'Flatten'];
/** How the two probabilities are made of the one behind a sigmoid. */
const PAIRING = ['Sub', 'Concat'];

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

/** `bias` + factor · values, which may be one number for all outputs. */
function biasOf(graph: Graph, node: OnnxNode, bias: Numbers, index: number, factor: number): Numbers {
  const constant = graph.constant(node, index);
  if (!constant) return bias;
  const { shape } = constant;
  const size = sizeOf(shape);
  // Leading extents of 1 are the batch.
  if ((size !== 1 && size !== bias.length) || shape.slice(0, -1).some((extent) => extent !== 1)) {
    throw graph.refusal(
      `the bias of ${nameOf(node)} has shape [${shape.slice(0, 8).join(', ')}], expected [${bias.length}]`,
    );
  }
  const values = graph.numbers(constant);
  const wide = dtypeOf(values) === 'float64' ? Float64Array.from(bias) : bias.slice();
  return wide.map((value: number, j: number) => value + factor * (values[size === 1 ? 0 : j] as number)) as Numbers;
}

function gemm(graph: Graph, node: OnnxNode): OnnxLayer {
  if (graph.constants.has(node.inputs[0] ?? '') || wholeAttribute(node, 'transA', 0) !== 0) {
    throw graph.refusal(`${nameOf(node)} takes samples as columns; only samples as rows can be read`);
  }
  const alpha = inRange(graph, node, 'alpha', floatAttribute(node, 'alpha', 1));
  const beta = inRange(graph, node, 'beta', floatAttribute(node, 'beta', 1));
  const layer = weightsOf(graph, node, wholeAttribute(node, 'transB', 0) !== 0, alpha);
  return { ...layer, bias: biasOf(graph, node, zeros(dtypeOf(layer.weights), layer.outputs), 2, beta) };
}

function matMul(graph: Graph, node: OnnxNode): OnnxLayer {
  if (graph.constants.has(node.inputs[0] ?? '')) {
    throw graph.refusal(`${nameOf(node)} takes samples as columns; only samples as rows can be read`);
  }
  const layer = weightsOf(graph, node, false, 1);
  return { ...layer, bias: zeros(dtypeOf(layer.weights), layer.outputs) };
}

function activationOf(graph: Graph, node: OnnxNode): Activation | undefined {
  const named = activationNamed(node.op);
  if (named) return named;
  if (node.op !== 'LeakyRelu') return undefined;
  return { leakyRelu: inRange(graph, node, 'alpha', floatAttribute(node, 'alpha', 0.01)) };
}

// ------------------------------------------------------------------------------------------------------------------ chain

/** What a node between the input and the first layer does to the features. */
function stepsOf(graph: Graph, node: OnnxNode, value: string): readonly Step[] | undefined {
  if (node.op === 'Scaler') {
    const offset = floatsIn(node, 'offset');
    const scale = floatsIn(node, 'scale');
    return [
      { node, kind: 'add', values: Float64Array.from(offset, (number) => -number) },
      { node, kind: 'multiply', values: Float64Array.from(scale) },
    ];
  }
  if (!['Add', 'Sub', 'Mul', 'Div'].includes(node.op)) return undefined;
  const first = node.inputs[0] === value;
  if (!first && (node.op === 'Sub' || node.op === 'Div')) return undefined;
  const constant = graph.constant(node, first ? 1 : 0);
  if (!constant || constant.shape.slice(0, -1).some((extent) => extent !== 1)) {
    throw graph.refusal(`${nameOf(node)} should have one number for every feature`);
  }
  const values = graph.take(constant, node);
  if (node.op === 'Add') return [{ node, kind: 'add', values }];
  if (node.op === 'Mul') return [{ node, kind: 'multiply', values }];
  if (node.op === 'Sub') return [{ node, kind: 'add', values: Float64Array.from(values, (number) => -number) }];
  return [{ node, kind: 'multiply', values: Float64Array.from(values, (number) => 1 / number) }];
}

/** Reshapes and the like are nothing where every sample stays one row. */
function checkPassing(graph: Graph, node: OnnxNode, columns: number | undefined): void {
  if (node.op === 'Flatten' && ![1, -1].includes(wholeAttribute(node, 'axis', 1))) {
    throw graph.refusal(`${nameOf(node)} does not keep samples as rows`);
  }
  if (node.op !== 'Reshape') return;
  const constant = graph.constant(node, 1);
  const shape = constant ? wholesIn(constant.tensor, graph.file) : attributeOf(node, 'shape')?.wholes;
  const [, width = -1] = shape ?? [];
  // [−1] at the end: one number a sample.
  const line = columns === 1 && shape?.length === 1;
  if (!line && (shape?.length !== 2 || (columns !== undefined && width > 0 && width !== columns))) {
    throw graph.refusal(`${nameOf(node)} does not keep samples as rows`);
  }
}

function follow(graph: Graph, node: OnnxNode, value: string, chain: Chain): Chain {
  const { layers, open, end } = chain;
  const last = layers.at(-1);
  if (node.domain !== '' && node.domain !== 'ai.onnx' && node.domain !== 'ai.onnx.ml') {
    throw graph.refusal(
      `${nameOf(node)} is of the domain ${JSON.stringify(node.domain.slice(0, 60))}, which is not known`,
    );
  }
  if (PASSING.includes(node.op)) {
    checkPassing(graph, node, last?.outputs);
    return chain;
  }
  if (end === 'none' && (node.op === 'Gemm' || node.op === 'MatMul')) {
    const layer = node.op === 'Gemm' ? gemm(graph, node) : matMul(graph, node);
    if (last && last.outputs !== layer.inputs) {
      throw graph.refusal(`${layer.node} takes ${layer.inputs} values, but ${last.node} gives ${last.outputs}`);
    }
    return { ...chain, layers: [...layers, layer], open: 'bias' };
  }
  if (last && open === 'bias' && (node.op === 'Add' || (node.op === 'Sub' && node.inputs[0] === value))) {
    const index = node.inputs[0] === value ? 1 : 0;
    const bias = biasOf(graph, node, last.bias, index, node.op === 'Add' ? 1 : -1);
    return { ...chain, layers: [...layers.slice(0, -1), { ...last, bias }] };
  }
  const activation = activationOf(graph, node);
  if (last && activation && open !== 'layer' && end === 'none') {
    return { ...chain, layers: [...layers.slice(0, -1), { ...last, activation, node: nameOf(node) }], open: 'layer' };
  }
  if (last && open !== 'layer' && end === 'none' && (node.op === 'Softmax' || node.op === 'LogSoftmax')) {
    if (![1, -1].includes(wholeAttribute(node, 'axis', -1))) {
      throw graph.refusal(`${nameOf(node)} is over samples and not over classes`);
    }
    return { ...chain, end: 'softmax' };
  }
  const steps = last ? undefined : stepsOf(graph, node, value);
  if (steps) return { ...chain, steps: [...chain.steps, ...steps] };
  const known = `Gemm, MatMul and Add, LeakyRelu, ${Object.values(OPERATORS).join(', ')}, Softmax at the end`;
  throw graph.refusal(`${nameOf(node)} has no place in a multilayer perceptron here, which is made of ${known}`);
}

/** Whether a node stands behind the network: it, and all that depends on it, make names or pairs of the answer. */
function isAside(graph: Graph, node: OnnxNode, value: string): boolean {
  if (NAMING.includes(node.op)) return true;
  if (node.op === 'Concat') return true;
  return node.op === 'Sub' && node.inputs[1] === value && graph.constants.has(node.inputs[0] ?? '');
}

/** Nothing behind the network may compute; classes that a node names are what is looked for. */
function readAside(graph: Graph, nodes: readonly OnnxNode[], pairs: boolean): readonly string[] | undefined {
  const seen = new Set<OnnxNode>(nodes);
  const allowed = pairs ? [...AFTER_NAMING, ...PAIRING] : AFTER_NAMING;
  let classes: readonly string[] | undefined;
  for (const node of seen) {
    if (!allowed.includes(node.op)) {
      throw graph.refusal(`${nameOf(node)} has no place behind a multilayer perceptron`);
    }
    classes ??= classesIn(graph, node);
    for (const output of node.outputs) for (const next of graph.consumersOf(output)) seen.add(next);
  }
  return classes;
}

function classesIn(graph: Graph, node: OnnxNode): readonly string[] | undefined {
  const { op, inputs } = node;
  if (op === 'ZipMap') {
    const texts = attributeOf(node, 'classlabels_strings')?.texts ?? [];
    return texts.length > 0 ? texts : (attributeOf(node, 'classlabels_int64s')?.wholes.map(String) ?? []);
  }
  const constant = op === 'ArrayFeatureExtractor' ? graph.constants.get(inputs[0] ?? '') : undefined;
  if (!constant) return undefined;
  const texts = textsIn(constant.tensor, graph.file);
  return texts.length > 0 ? texts : wholesIn(constant.tensor, graph.file).map(String);
}

/** The steps as one, over `inputs` features. */
function scalingOf(graph: Graph, steps: readonly Step[], inputs: number): OnnxScaling | undefined {
  if (steps.length === 0) return undefined;
  const factor = new Float64Array(inputs).fill(1);
  const shift = new Float64Array(inputs);
  for (const { node, kind, values } of steps) {
    if (values.length !== 1 && values.length !== inputs) {
      throw graph.refusal(`${nameOf(node)} has ${values.length} numbers for ${inputs} features`);
    }
    for (let j = 0; j < inputs; j += 1) {
      const value = values[values.length === 1 ? 0 : j] as number;
      if (!Number.isFinite(value)) throw graph.refusal(`${nameOf(node)} has numbers that are not finite`);
      if (kind === 'multiply') factor[j] = (factor[j] as number) * value;
      shift[j] = kind === 'multiply' ? (shift[j] as number) * value : (shift[j] as number) + value;
    }
  }
  return { factor, shift };
}

/** How many values a sample has, NaN where an input does not say. */
function widthOf({ type }: OnnxValue): number {
  const [, ...extents] = type?.tensor?.shape?.dimensions ?? [];
  return extents.length === 0 ? NaN : extents.reduce((product, { size = Number.NaN }) => product * size, 1);
}

/**
 * Follows the graph from its input to its output.
 *
 * @param file what errors call it
 * @throws DlAdmmError ERR_DLADMM_FORMAT
 */
export function perceptronOf(model: OnnxModel, file: string): OnnxPerceptron {
  const graph = new Graph(model, file);
  const inputs = model.inputs.filter(({ name }) => !model.initializers.has(name));
  const [input] = inputs;
  if (!input || inputs.length > 1) throw graph.refusal(`it has ${inputs.length} inputs where one belongs`);

  let chain: Chain = { steps: [], layers: [], open: 'layer', end: 'none' };
  let value = input.name;
  const aside: OnnxNode[] = [];
  // Every node is met once at most: more steps than nodes would be a circle.
  for (let left = model.nodes.length; ; left -= 1) {
    const next: OnnxNode[] = [];
    for (const node of graph.consumersOf(value)) (isAside(graph, node, value) ? aside : next).push(node);
    const [node, other] = next;
    if (!node) break;
    if (other) throw graph.refusal(`${nameOf(node)} and ${nameOf(other)} branch off the same value`);
    if (left === 0) throw graph.refusal(`${nameOf(node)} is part of a circle`);
    chain = follow(graph, node, value, chain);
    value = node.outputs[0] ?? '';
  }

  const [first, ...rest] = chain.layers;
  const last = chain.layers.at(-1);
  if (!first || !last) throw graph.refusal('no layer follows its input');
  const end = chain.end === 'none' && last.activation === 'sigmoid' && last.outputs === 1 ? 'sigmoid' : chain.end;
  if (last.activation !== 'identity' && end !== 'sigmoid') {
    throw graph.refusal(`${last.node} follows the last layer, which is linear in networks here`);
  }
  const named = readAside(graph, aside, end === 'sigmoid');
  const reached = new Set([value, ...aside.flatMap(({ outputs }) => outputs)]);
  if (aside.length === 0 && !model.outputs.some(({ name }) => reached.has(name))) {
    throw graph.refusal('its output does not follow from its last layer');
  }
  const size = widthOf(input);
  if (Number.isFinite(size) && size !== first.inputs) {
    throw graph.refusal(`${first.node} takes ${first.inputs} values, but the input has ${size}`);
  }
  return {
    layers: [first, ...rest],
    scaling: scalingOf(graph, chain.steps, first.inputs),
    end,
    classes: named && named.length > 0 ? named : undefined,
  };
}
