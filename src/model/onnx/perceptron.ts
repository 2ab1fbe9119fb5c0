/**
 * An ONNX graph as a multilayer perceptron: from its one input along the chain of nodes to its output. Whatever is not part of
 * such a chain is refused with the name of the node, the reason, and what helps.
 */
import { isAside, readAside } from './aside.js';
import { castsToFloats, foreignActivation, recognised } from './elementwise.js';
import { type Batch, type Extent, extentsOf, product, reshaped } from './extents.js';
import { Graph, nameOf, wholeAttribute } from './graph.js';
import { layerOf, type OnnxLayer, scaledAfter, scaledBefore } from './layers.js';
import { attributeOf, type OnnxModel } from './proto.js';
import type { OnnxNode, OnnxValue } from './schema.js';
import { type OnnxScaling, type Step, scalingOf, stepOf } from './steps.js';

export type { OnnxLayer } from './layers.js';
export type { OnnxScaling } from './steps.js';

export interface OnnxPerceptron {
  readonly layers: readonly [OnnxLayer, ...OnnxLayer[]];
  /** What is done to every feature before the first layer. */
  readonly scaling: OnnxScaling | undefined;
  /** What turns the last layer's values into probabilities. */
  readonly end: 'softmax' | 'sigmoid' | 'exponential' | 'none';
  /** Names of the classes, where nodes behind the network know some. */
  readonly classes: readonly string[] | undefined;
}

/** The chain as far as it has been followed. */
interface Chain {
  readonly layers: readonly OnnxLayer[];
  readonly scaling: OnnxScaling | undefined;
  /** What is still to go into the next layer. */
  readonly steps: readonly Step[];
  /** Whether the last layer has its activation. */
  readonly activated: boolean;
  readonly end: OnnxPerceptron['end'];
}

/** What the values of the chain look like. */
interface Shapes {
  readonly of: Map<string, readonly Extent[]>;
  readonly batch: Batch;
}

const ROWS = 'every sample must stay one row: flatten with nn.Flatten(), or x.view(x.size(0), -1)';

/** The shape behind a node that hands on what it is given; undefined where that is not known. */
function passed(graph: Graph, node: OnnxNode, value: string, { of, batch }: Shapes, last: OnnxLayer | undefined) {
  const shape = of.get(value);
  const size = last?.outputs ?? (shape && product(shape.slice(1)));
  const width = typeof size === 'number' ? size : undefined;
  const refuse = () => graph.refusal(`${nameOf(node)} does not keep samples as rows`, ROWS);
  const axes = (): readonly number[] | undefined =>
    node.inputs[1] === undefined ? attributeOf(node, 'axes')?.wholes : graph.wholes(node.inputs[1]);
  switch (node.op) {
    case 'Flatten': {
      const axis = wholeAttribute(node, 'axis', 1);
      if (axis !== 1 && !(axis === -1 && (shape?.length ?? 2) === 2)) throw refuse();
      return ['n', width] as const;
    }
    case 'Reshape': {
      const asked =
        node.inputs[1] === undefined ? attributeOf(node, 'shape')?.wholes : extentsOf(graph, node.inputs[1], of);
      if (!asked) {
        throw graph.refusal(`the shape that ${nameOf(node)} makes is not known before there are samples`, ROWS);
      }
      const made = reshaped(asked, shape, width, batch, wholeAttribute(node, 'allowzero', 0) === 0);
      if (!made) throw refuse();
      return made;
    }
    case 'Squeeze': {
      const gone = axes()?.map((axis) => (axis < 0 && shape ? axis + shape.length : axis));
      if (gone?.includes(0)) throw refuse();
      return shape?.filter((extent, i) => i === 0 || (gone ? !gone.includes(i) : extent !== 1));
    }
    case 'Unsqueeze': {
      const rank = shape && shape.length + (axes()?.length ?? 0);
      const made = axes()?.map((axis) => (axis < 0 && rank ? axis + rank : axis));
      if (made?.includes(0)) throw refuse();
      const rest = [...(shape ?? [])];
      return rank && made && rank < 16
        ? Array.from({ length: rank }, (_, i) => (made.includes(i) ? 1 : rest.shift()))
        : undefined;
    }
    case 'Cast':
      if (!castsToFloats(node)) {
        const text = `${nameOf(node)} turns numbers into others than floating-point ones`;
        throw graph.refusal(text, 'leave it out of the export');
      }
      return shape;
    case 'Dropout':
      if (graph.wholes(node.inputs[2] ?? '')?.[0]) {
        const text = `${nameOf(node)} drops values at random, as in training`;
        throw graph.refusal(text, 'export it with model.eval() and without training=…');
      }
      return shape;
    default:
      return shape;
  }
}

/** Nodes that hand on what they are given. */
const PASSING = ['Identity', 'Dropout', 'Cast', 'Flatten', 'Reshape', 'Squeeze', 'Unsqueeze'];

/** Operators that people have tried, why they have no place here, and what helps. */
const FOREIGN: readonly (readonly [ops: RegExp, why: string, remedy: string])[] = [
  [
    /Conv|Pool|Pad$|Resize/,
    'works on images',
    'export the fully connected part alone, and give it what the part before makes',
  ],
  [
    /^(?:RNN|LSTM|GRU|Attention|.*Attention|Scan|Loop|If)$/,
    'works on sequences or steers',
    'export the fully connected part alone',
  ],
  [
    /^(?:Layer|Instance|Group|RMS|Lp|MeanVariance)Normalization$/,
    'normalises every sample by itself, which fixed weights cannot',
    'use BatchNorm1d, or none',
  ],
  [/Linear$|Quant|Integer$/, 'works on quantised numbers', 'export the network before it is quantised'],
  [
    /^(?:Gather|OneHot|Embedding\w*|LabelEncoder|StringNormalizer|TfIdf\w*)$/,
    'looks values up',
    'give the network numbers: one-hot columns and the like',
  ],
  [/^Tree|^SVM|^Linear(?:Classifier|Regressor)/, 'is another kind of model', 'only multilayer perceptrons can be read'],
];

function noPlace(graph: Graph, node: OnnxNode): Error {
  const [, why, remedy = 'leave it out, or import the layers alone, from a state dict'] =
    FOREIGN.find(([ops]) => ops.test(node.op)) ?? [];
  const known =
    'linear layers (Gemm, MatMul) with one activation (relu, leakyRelu, elu, gelu, silu, sigmoid, tanh, softplus), batch normalisation, factors and shifts between them, and a softmax, a sigmoid or an exponential at the end';
  const text = `${nameOf(node)} has no place in a multilayer perceptron${why ? `: it ${why}` : ` here, which is made of ${known}`}`;
  return graph.refusal(text, remedy);
}

/** The chain with the layer that a Gemm or MatMul is; what was done to the values before it is folded in, or is the scaling. */
function withLayer(graph: Graph, node: OnnxNode, chain: Chain): Chain {
  const { layers, steps } = chain;
  const layer = layerOf(graph, node);
  const last = layers.at(-1);
  if (last && last.outputs !== layer.inputs) {
    throw graph.refusal(`${layer.node} takes ${layer.inputs} values, but ${last.node} gives ${last.outputs}`, ROWS);
  }
  const scaling = steps.length > 0 ? scalingOf(graph, steps, layer.inputs) : undefined;
  const next = { ...chain, steps: [], activated: false };
  if (last) return { ...next, layers: [...layers, scaling ? scaledBefore(layer, scaling) : layer] };
  return { ...next, layers: [layer], scaling };
}

/** The chain with what is done to every value by itself: into the layer that awaits its activation, or for the next. */
function withStep(graph: Graph, step: Step, chain: Chain): Chain {
  const { layers, steps, activated } = chain;
  const last = layers.at(-1);
  if (!last || activated) return { ...chain, steps: [...steps, step] };
  return { ...chain, layers: [...layers.slice(0, -1), scaledAfter(last, scalingOf(graph, [step], last.outputs))] };
}

function follow(graph: Graph, node: OnnxNode, value: string, chain: Chain, shapes: Shapes): Chain {
  const { layers, activated, end } = chain;
  const last = layers.at(-1);
  const [output = ''] = node.outputs;
  if (node.domain !== '' && node.domain !== 'ai.onnx' && node.domain !== 'ai.onnx.ml') {
    const text = `${nameOf(node)} is of the domain ${JSON.stringify(node.domain.slice(0, 60))}, which is not known`;
    throw graph.refusal(text, 'export it without operators of one runtime or one’s own');
  }
  const become = (shape: readonly Extent[] | undefined): void => void (shape && shapes.of.set(output, shape));
  if (PASSING.includes(node.op)) {
    become(passed(graph, node, value, shapes, last));
    return chain;
  }
  if (end === 'none' && (node.op === 'Gemm' || node.op === 'MatMul')) {
    const next = withLayer(graph, node, chain);
    become([...(shapes.of.get(value)?.slice(0, -1) ?? ['n' as const]), next.layers.at(-1)?.outputs]);
    return next;
  }
  if (last && !activated && end === 'none' && (node.op === 'Softmax' || node.op === 'LogSoftmax')) {
    if (![1, -1].includes(wholeAttribute(node, 'axis', -1))) {
      throw graph.refusal(`${nameOf(node)} is over samples and not over classes`, 'take the softmax over dim=1');
    }
    return { ...chain, end: 'softmax' };
  }
  if (last && !activated && end === 'none' && node.op === 'Exp' && graph.consumersOf(output).length === 0) {
    return { ...chain, end: 'exponential' };
  }
  const step = end === 'none' ? stepOf(graph, node, value, shapes.of.get(value)) : undefined;
  if (step) {
    become(shapes.of.get(value));
    return withStep(graph, step, chain);
  }
  throw last && !activated && end === 'none' ? notAnActivation(graph, value, node) : noPlace(graph, node);
}

/** Why what follows a layer is not one of the activations. */
function notAnActivation(graph: Graph, value: string, node: OnnxNode): Error {
  const why = foreignActivation(graph, value);
  if (why === undefined) return noPlace(graph, node);
  return graph.refusal(`${nameOf(node)} and what follows it ${why}`, 'train the network with one that both have');
}

/** The chain with the activation behind `value`, and the value after it; undefined where none stands there. */
function activate(graph: Graph, value: string, chain: Chain): readonly [Chain, string] | undefined {
  const { layers, activated, end, steps } = chain;
  const last = layers.at(-1);
  const found = last && !activated && end === 'none' ? recognised(graph, value) : undefined;
  const [node] = found?.nodes ?? [];
  if (!last || !found || !node) return undefined;
  const { activation, factor, output } = found;
  const layer: OnnxLayer = { ...last, activation, node: nameOf(graph.makerOf(output) ?? node) };
  const scaled: readonly Step[] =
    factor === 1 ? [] : [{ node, of: undefined, factor: { shape: [], values: [factor] } }];
  return [{ ...chain, layers: [...layers.slice(0, -1), layer], activated: true, steps: [...steps, ...scaled] }, output];
}

/** The shape of an input, samples first, and how many of them it is for. */
function shapesOf({ name, type }: OnnxValue): Shapes {
  const extents = type?.tensor?.shape?.dimensions.map(({ size }): Extent => size);
  const of = new Map<string, readonly Extent[]>(extents ? [[name, ['n', ...extents.slice(1)]]] : []);
  return { of, batch: typeof extents?.[0] === 'number' ? extents[0] : undefined };
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
  if (!input || inputs.length > 1) {
    throw graph.refusal(`it has ${inputs.length} inputs where one belongs`, 'join them to one before the first layer');
  }
  const shapes = shapesOf(input);
  let chain: Chain = { layers: [], scaling: undefined, steps: [], activated: false, end: 'none' };
  let value = input.name;
  const aside: OnnxNode[] = [];
  // Every node is met once at most: more steps than nodes would be a circle.
  for (let left = model.nodes.length; ; left -= 1) {
    const activated = left > 0 ? activate(graph, value, chain) : undefined;
    if (activated) {
      const shape = shapes.of.get(value);
      [chain, value] = activated;
      if (shape) shapes.of.set(value, shape);
      continue;
    }
    const mayPair = chain.layers.at(-1)?.activation === 'sigmoid';
    const next: OnnxNode[] = [];
    for (const node of graph.takersOf(value)) (isAside(graph, node, value, mayPair) ? aside : next).push(node);
    const [node, other] = next;
    if (!node) break;
    if (other) throw branching(graph, value, chain, node, other);
    if (left === 0) throw graph.refusal(`${nameOf(node)} is part of a circle`);
    chain = follow(graph, node, value, chain, shapes);
    value = node.outputs[0] ?? '';
  }
  const [first, ...rest] = chain.layers;
  const last = chain.layers.at(-1);
  if (!first || !last) throw graph.refusal('no layer follows its input');
  const end = chain.end === 'none' && last.activation === 'sigmoid' ? 'sigmoid' : chain.end;
  if ((last.activation !== 'identity' && end !== 'sigmoid') || chain.steps.length > 0) {
    const text = `${last.node} follows the last layer, which is linear in networks here`;
    throw graph.refusal(text, 'cut it off, and do to the outputs what it does');
  }
  const named = readAside(graph, aside, end === 'sigmoid' && last.outputs === 1);
  const reached = new Set([value, ...aside.flatMap(({ outputs }) => outputs)]);
  if (aside.length === 0 && !model.outputs.some(({ name }) => reached.has(name))) {
    throw graph.refusal('its output does not follow from its last layer');
  }
  const size = product(shapes.of.get(input.name)?.slice(1) ?? [undefined]);
  if (typeof size === 'number' && (shapes.of.get(input.name)?.length ?? 0) > 1 && size !== first.inputs) {
    throw graph.refusal(`${first.node} takes ${first.inputs} values, but the input has ${size}`, ROWS);
  }
  const { scaling } = chain;
  return { layers: [first, ...rest], scaling, end, classes: named && named.length > 0 ? named : undefined };
}

function branching(graph: Graph, value: string, chain: Chain, node: OnnxNode, other: OnnxNode): Error {
  const why = chain.layers.length > 0 && !chain.activated ? foreignActivation(graph, value) : undefined;
  if (why !== undefined) return notAnActivation(graph, value, node);
  const text = 'only chains of layers can be read, without skip connections or heads beside each other';
  return graph.refusal(`${nameOf(node)} and ${nameOf(other)} branch off the same value`, text);
}
