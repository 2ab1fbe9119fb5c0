/**
 * Networks as ONNX (https://onnx.ai): a Gemm a layer with its activation behind it, in float32, for batches of any size.
 *
 * Input `x`, samples × n_0, or an input for each column (encoders.ts). Output `probabilities`, samples × n_L, for softmax cross-entropy; `outputs`, samples × n_L, for the
 * other losses, which have no probabilities: the values themselves (squared error), or a score for every class, of which the
 * largest names the class (hinge, one-hot squared error; a hinge network with one output says class 1 above ½).
 */

import { checkObject } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import type { Numbers } from '../../core/native.js';
import { present } from '../../core/objects.js';
import type { Calibration } from '../../judging/calibration.js';
import { type Activation, checkNetwork, classCount, type Loss, type Network } from '../../network/network.js';
import { checkParameters } from '../../network/parameters.js';
import { readOptions } from '../../network/schema.js';
import { retarget, type Standardisation } from '../../network/standardisation.js';
import type { LabelKind } from '../../samples/classes.js';
import type { Column } from '../../samples/columns.js';
import { ONNX, type OnnxOptions } from '../options.js';
import type { Divergence } from '../parts.js';
import { codesOf, type InputGrid, type Quantisation } from '../quantisation.js';
import { OPERATORS } from './activations.js';
import { codes, initializer, matrix, node, type Part, wholeAttribute, wholeNumbers } from './draft.js';
import { COLUMN, COLUMNS_KEY, encodersFor } from './encoders.js';
import { ATTRIBUTE_TYPE, MODEL, TENSOR } from './schema.js';
import { encode } from './wire.js';

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
  readonly standardisation?: Standardisation;
  /** What was done to target values: undone in the last layer. */
  readonly targetStandardisation?: Standardisation;
  /** What makes probabilities of scores. */
  readonly calibration?: Calibration;
  /** Of two classes: the second is told from this probability on, by who reads the file back. */
  readonly threshold?: number;
  /** The columns of a table that the inputs are made of. */
  readonly columns?: readonly Column[];
  /** What is predicted. */
  readonly target?: string | readonly string[];
  /** That the training met a value that is not finite. */
  readonly diverged?: Divergence;
  /** Of weights that are written as codes. */
  readonly quantisation?: Quantisation;
}

/** Nothing younger is used, so that older readers take the file. */
const IR_VERSION = 8;
/** What a protocol buffer may have. */
const MAX_BYTES = 2 ** 31 - 1;

/** The metadata that dladmm reads back: the network as JSON, and the names of the classes as a JSON array. */
export const NETWORK_KEY = 'dladmm.network';
export const CLASSES_KEY = 'classes';
/** How targets were standardised, of a loss whose δ is in units of that: the layers that are written make values as they are. */
export const TARGETS_KEY = 'dladmm.targets';

function slopeOf(slope: number): number {
  if (Number.isFinite(Math.fround(slope))) return slope;
  const text = 'a number finite in float32, which ONNX is written in,';
  throw expected(text, 'the slope of the activation', slope, 'ERR_DLADMM_NON_FINITE');
}

/** f from the value `input` to `output`; `name` begins the names of its nodes and values. */
function activationPart(activation: Activation, name: string, input: string, output: string): Part {
  if (activation === 'silu') {
    const nodes = [
      node('Sigmoid', `${name}.gate`, [input], `${name}.s`),
      node('Mul', name, [input, `${name}.s`], output),
    ];
    return { nodes, initializers: [] };
  }
  if (activation === 'gelu') {
    // x (1 + erf(x / √2)) / 2: readers older than the operator Gelu, of version 20, take it too.
    const numbers = { root: Math.SQRT2, one: 1, half: 0.5 };
    const of = (part: string): string => `${name}.${part}`;
    return {
      initializers: Object.entries(numbers).map(([part, number]) => initializer(of(part), [], [number])),
      nodes: [
        node('Div', of('scaling'), [input, of('root')], of('t')),
        node('Erf', of('erf'), [of('t')], of('e')),
        node('Add', of('gate'), [of('e'), of('one')], of('g')),
        node('Mul', of('product'), [input, of('g')], of('p')),
        node('Mul', name, [of('p'), of('half')], output),
      ],
    };
  }
  const one = (op: string, alpha?: number): Part => ({
    nodes: [
      node(
        op,
        name,
        [input],
        output,
        alpha === undefined ? [] : [{ name: 'alpha', float: slopeOf(alpha), type: ATTRIBUTE_TYPE.float }],
      ),
    ],
    initializers: [],
  });
  if (typeof activation === 'string') return one(OPERATORS[activation]);
  return 'elu' in activation ? one('Elu', activation.elu) : one('LeakyRelu', activation.leakyRelu);
}

/** (x − mean) · scale, as two nodes: folded into W_1 it would cost float32 the digits of a large mean. */
function standardisationPart({ standardisation }: OnnxParts): Part {
  if (!standardisation) return { nodes: [], initializers: [] };
  const { mean, scale } = standardisation;
  return {
    initializers: [initializer('mean', [1, mean.length], mean), initializer('scale', [1, scale.length], scale)],
    nodes: [
      node('Sub', 'centre', ['x', 'mean'], 'centred'),
      node('Mul', 'scaling', ['centred', 'scale'], 'standardised'),
    ],
  };
}

/** How the names of nodes begin that round what comes into a layer. */
export const ROUNDING = 'rounding';
/** What a neuron's weights are multiplied by. */
export const scaleName = (l: number): string => `${2 * (l - 1)}.scale`;

/** What comes into layer l as codes and back, from the value `input` to `output`: the codes are 0 … 127, and those of ONNX 0 … 255. */
function roundingPart({ scale, zero }: InputGrid, l: number, input: string, output: string): Part {
  const name = (part: string): string => `${ROUNDING}${l}.${part}`;
  const grid = [name('scale'), name('zero')];
  return {
    initializers: [
      initializer(name('least'), [], [-zero * scale]),
      initializer(name('most'), [], [(127 - zero) * scale]),
      initializer(name('scale'), [], [scale]),
      codes(name('zero'), [], Uint8Array.of(zero)),
    ],
    nodes: [
      node('Clip', name('clip'), [input, name('least'), name('most')], name('within')),
      node('QuantizeLinear', name('quantize'), [name('within'), ...grid], name('codes')),
      node('DequantizeLinear', name('dequantize'), [name('codes'), ...grid], output),
    ],
  };
}

/** Layer l, from the value `input` to `output`. */
function layerPart(
  { network, weights, biases, quantisation }: OnnxParts,
  l: number,
  input: string,
  output: string,
): Part {
  const { layers, activation } = network;
  const [inputs, outputs] = layers.slice(l - 1, l + 1) as [number, number];
  const [weight, bias] = [`${2 * (l - 1)}.weight`, `${2 * (l - 1)}.bias`];
  const z = l < layers.length - 1 && activation !== 'identity' ? `z${l}` : output;
  const values = weights[l - 1] as Numbers;
  const scales = quantisation?.scales[l - 1];
  const grid = quantisation?.activations?.[l - 1];
  const [W, h] = [scales ? `weights${l}` : weight, grid ? `rounded${l}` : input];
  const parts: readonly Part[] = [
    ...(grid ? [roundingPart(grid, l, input, h)] : []),
    {
      initializers: scales
        ? [codes(weight, [outputs, inputs], codesOf(values, scales)), initializer(scaleName(l), [outputs], scales)]
        : [initializer(weight, [outputs, inputs], values)],
      nodes: scales ? [node('DequantizeLinear', W, [weight, scaleName(l)], W, [wholeAttribute('axis', 0)])] : [],
    },
    {
      initializers: [initializer(bias, [outputs], biases[l - 1] as Numbers)],
      // onnxruntime rounds the bias of a Gemm of codes, but not one that is added behind it.
      nodes: grid
        ? [
            node('Gemm', `layer${l}`, [h, W], `sums${l}`, [wholeAttribute('transB', 1)]),
            node('Add', `bias${l}`, [`sums${l}`, bias], z),
          ]
        : [node('Gemm', `layer${l}`, [h, W, bias], z, [wholeAttribute('transB', 1)])],
    },
    ...(z === output ? [] : [activationPart(activation, `activation${l}`, z, output)]),
  ];
  return {
    initializers: parts.flatMap(({ initializers }) => initializers),
    nodes: parts.flatMap(({ nodes }) => nodes),
  };
}

/** Names of a finished graph: columns have theirs, and a value that would have the same gets underscores behind it. */
function namesBeside(inputs: readonly { readonly name?: string }[]): (name: string) => string {
  const columns = inputs.flatMap(({ name = '' }) => (name.startsWith(COLUMN) ? [name.slice(COLUMN.length)] : []));
  const taken = new Set(columns);
  return (name) => {
    if (name.startsWith(COLUMN)) return name.slice(COLUMN.length);
    let free = name;
    while (taken.has(free)) free += '_';
    return free;
  };
}

/** The node whose output are calibrated probabilities: what stands between the network and it is not read back, but the metadata. */
export const CALIBRATION_NODE = 'calibration';
/** The first of those nodes, whose input is what the network says. */
export const SCALING_NODE = 'calibration.scaling';

/** σ(slope · score + offset) of every class over their sum, of the outputs `input`; of two classes by the difference of their scores. */
function calibrationPart({ slope, offset }: Calibration, outputs: number, input: string): Part {
  const [a = 0] = slope;
  const [b = 0] = offset;
  const two = slope.length === 1;
  const scores = outputs === 1 ? [-a, a] : [a, -a, -a, a];
  const diagonal = slope.flatMap((by, j) => slope.map((_, k) => (j === k ? by : 0)));
  const count = two ? 2 : slope.length;
  return {
    initializers: [
      initializer('calibration.slope', [count, outputs], two ? scores : diagonal),
      initializer('calibration.offset', [count], two ? [-b, b] : offset),
      wholeNumbers('calibration.axes', [1]),
    ],
    nodes: [
      node('Gemm', SCALING_NODE, [input, 'calibration.slope', 'calibration.offset'], 'calibration.scaled', [
        wholeAttribute('transB', 1),
      ]),
      node('Sigmoid', 'calibration.squashing', ['calibration.scaled'], 'calibration.shares'),
      node('ReduceSum', 'calibration.summing', ['calibration.shares', 'calibration.axes'], 'calibration.sum'),
      node('Div', CALIBRATION_NODE, ['calibration.shares', 'calibration.sum'], 'probabilities'),
    ],
  };
}

/** The network whose outputs are values as they are. Of a quantised one scales change, and no code. */
function rescaled({ weights, biases, quantisation }: OnnxParts, targets: Standardisation): Partial<OnnxParts> {
  const parameters = retarget({ weights, biases }, targets, undefined);
  if (quantisation === undefined) return parameters;
  const { scales } = quantisation;
  const last = (scales.at(-1) as Float32Array).map((scale, j) => scale / (targets.scale[j] as number));
  return { ...parameters, quantisation: { ...quantisation, scales: scales.with(-1, last) } };
}

const targetsText = ({ mean, scale }: Standardisation): string =>
  JSON.stringify({ mean: Array.from(mean), scale: Array.from(scale) });

/** What stands behind the last layer, as a prediction has it. */
const ENDS: Readonly<Partial<Record<Loss, { readonly op: string; readonly output: 'probabilities' | 'outputs' }>>> = {
  'softmax-cross-entropy': { op: 'Softmax', output: 'probabilities' },
  'sigmoid-cross-entropy': { op: 'Sigmoid', output: 'probabilities' },
  poisson: { op: 'Exp', output: 'outputs' },
};

/**
 * The bytes of an ONNX file with this network.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for the options; ERR_DLADMM_NON_FINITE where a float64 value does
 * not fit into float32; ERR_DLADMM_MEMORY where the file would be larger than protocol buffers may be
 */
export function encodeOnnx(model: OnnxParts, options: OnnxOptions = {}): Uint8Array {
  checkObject(model, 'a model', 'model');
  checkNetwork(model.network, 'model.network');
  checkParameters(model, model.network.layers, 'float64', 'model.');
  const { network, weights, targetStandardisation: targets, classes, labelKind = 'number', columns } = model;
  const { output: wanted, opset, encoders: asked } = readOptions(ONNX, options);
  const bytes = weights.reduce((total, { length }) => total + 4 * length, 0);
  if (bytes > MAX_BYTES) {
    const text = `An ONNX file has at most ${MAX_BYTES} bytes, and the weights of this one alone would have ${bytes}`;
    throw new DlAdmmError('ERR_DLADMM_MEMORY', text);
  }
  const { calibration = undefined } = wanted === 'outputs' ? {} : model;
  const ended = ENDS[network.loss];
  const end = ended?.output === 'probabilities' && wanted === 'outputs' ? undefined : ended;
  const output = calibration ? 'probabilities' : (end?.output ?? 'outputs');
  const depth = network.layers.length - 1;
  const last = end || calibration ? `z${depth}` : output;
  const first = model.standardisation ? 'standardised' : 'x';
  const value = (l: number): string => (l === 0 ? first : l === depth ? last : `a${l}`);
  // In float32 the last layer says no less of values as they are than a scaling behind it would.
  const written = { ...model, ...(targets && rescaled(model, targets)) };
  const layers = Array.from({ length: depth }, (_, i) => layerPart(written, i + 1, value(i), value(i + 1)));
  const encoders = encodersFor(columns, asked);
  const width = network.layers[depth] as number;
  const behind = calibration ? [calibrationPart(calibration, width, last)] : [];
  const parts = [...(encoders ? [encoders] : []), standardisationPart(model), ...layers, ...behind];
  const axis = end?.op === 'Softmax' ? [wholeAttribute('axis', 1)] : [];
  const { layers: _, ...about } = network;
  const { quantisation, threshold, target, diverged } = model;
  const told = {
    ...about,
    labelKind,
    ...present({ calibration: model.calibration, threshold, target, diverged }),
    ...(quantisation && { quantisation: { ...quantisation, scales: undefined } }),
  };
  const ending = end ? [node(end.op, end.op.toLowerCase(), [last], output, axis)] : [];
  const inputs = encoders?.inputs ?? [matrix('x', network.layers[0] as number)];
  const beside = namesBeside(inputs);
  return encode(MODEL, {
    irVersion: IR_VERSION,
    producer: 'dladmm',
    opsets: [{ version: opset }, ...(encoders?.opsets ?? [])],
    graphs: [
      {
        name: 'dladmm',
        nodes: [...parts.flatMap(({ nodes }) => nodes), ...ending].map((each) => ({
          ...each,
          inputs: each.inputs?.map(beside) ?? [],
          outputs: each.outputs?.map(beside) ?? [],
        })),
        initializers: parts.flatMap(({ initializers }) =>
          initializers.map((each) => encode(TENSOR, { ...each, name: beside(each.name) })),
        ),
        inputs: inputs.map((each) => ({ ...each, name: beside(each.name ?? '') })),
        outputs: [matrix(beside(output), calibration ? classCount(network.loss, width) : width)],
      },
    ],
    metadata: [
      { key: NETWORK_KEY, value: JSON.stringify(told) },
      ...(classes ? [{ key: CLASSES_KEY, value: JSON.stringify(classes) }] : []),
      ...(columns ? [{ key: COLUMNS_KEY, value: JSON.stringify(columns) }] : []),
      ...(targets && network.loss === 'huber' ? [{ key: TARGETS_KEY, value: targetsText(targets) }] : []),
    ],
  });
}
