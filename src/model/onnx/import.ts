import { types } from 'node:util';
import { checkObject, oneOf } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import type { Dtype, Numbers } from '../../core/native.js';
import { dtypeOf, inDtype, zeros } from '../../core/numbers.js';
import { present } from '../../core/objects.js';
import { readWholeFile } from '../../formats/atomic-file.js';
import { reader } from '../../formats/reader.js';
import {
  type Activation,
  checkActivation,
  checkClasses,
  checkLoss,
  classCount,
  goalOf,
  isSameActivation,
  type Loss,
  lossParameters,
  type Network,
} from '../../network/network.js';
import type { Parameters } from '../../network/parameters.js';
import { readOptions } from '../../network/schema.js';
import {
  checkStandardisation,
  foldStandardisation,
  retarget,
  type Standardisation,
} from '../../network/standardisation.js';
import { LABEL_KINDS, type LabelKind } from '../../samples/classes.js';
import { type Column, checkColumns } from '../../samples/columns.js';
import { Model } from '../model.js';
import { IMPORT, type ImportOptions } from '../options.js';
import { checkDivergence, checkTaught, type ModelParts } from '../parts.js';
import { checkQuantisation, codesOf, dequantised, type Quantisation } from '../quantisation.js';
import { COLUMNS_KEY, ENCODERS_NODE } from './encoders.js';
import {
  CALIBRATION_NODE,
  CLASSES_KEY,
  NETWORK_KEY,
  ROUNDING,
  SCALING_NODE,
  scaleName,
  TARGETS_KEY,
} from './export.js';
import { type OnnxPerceptron, type OnnxScaling, perceptronOf } from './perceptron.js';
import { decodeOnnx, numbersOf, type OnnxModel } from './proto.js';

/** The bytes of a file, or those given, and what errors call them. */
export async function bytesOf(
  source: string | Uint8Array,
  name: string,
): Promise<{ readonly bytes: Uint8Array; readonly file: string }> {
  if (typeof source === 'string') return { bytes: await readWholeFile(source), file: source };
  if (types.isUint8Array(source)) return { bytes: source, file: name };
  throw expected('a path or a Uint8Array', 'source', source);
}

/** In the type that is asked for, or that holds every digit there is. */
export function typedParameters(
  { weights, biases }: Parameters,
  dtype: Dtype | undefined,
): Parameters & { readonly dtype: Dtype } {
  const wide = [...weights, ...biases].some((values) => dtypeOf(values) === 'float64');
  const type = dtype ?? (wide ? 'float64' : 'float32');
  const typed = (values: Numbers): Numbers => inDtype(values, type);
  return { weights: weights.map(typed), biases: biases.map(typed), dtype: type };
}

/** What dladmm itself has written down, or undefined. */
interface Written extends Pick<Network, 'loss' | 'delta' | 'quantile'> {
  /** What the outputs mean, of this loss. */
  readonly answers: Pick<ModelParts, 'calibration' | 'threshold'>;
  readonly about: Pick<ModelParts, 'target' | 'diverged'>;
  readonly activation: Activation;
  readonly labelKind: LabelKind;
  readonly quantisation?: Omit<Quantisation, 'scales'>;
}

function writtenIn(metadata: ReadonlyMap<string, string>, file: string): Written | undefined {
  const text = metadata.get(NETWORK_KEY);
  if (text === undefined) return undefined;
  return checkWritten(file, NETWORK_KEY, () => {
    const network: unknown = JSON.parse(text);
    checkObject(network, 'an object', NETWORK_KEY);
    const { loss, activation, labelKind, quantisation, ...more } = network as Partial<Record<string, unknown>>;
    const { calibration, threshold, target, diverged } = more as Partial<ModelParts>;
    checkLoss(loss);
    checkActivation(activation);
    return {
      loss,
      ...lossParameters(loss, more),
      answers: present({ calibration, threshold }),
      about: present({ target, diverged }),
      ...(quantisation !== undefined && { quantisation: quantisation as Quantisation }),
      activation,
      labelKind: oneOf(labelKind ?? 'number', LABEL_KINDS, 'labelKind'),
    };
  });
}

/** The columns that dladmm has written down: encoders are made of these, and not of the nodes that stand for them. */
function columnsIn(metadata: ReadonlyMap<string, string>, inputs: number, file: string): readonly Column[] | undefined {
  const text = metadata.get(COLUMNS_KEY);
  if (text === undefined) return undefined;
  return checkWritten(file, COLUMNS_KEY, () => checkColumns(JSON.parse(text), inputs, COLUMNS_KEY));
}

/** How targets were standardised, where a parameter of the loss is in units of that. */
function targetsIn(
  metadata: ReadonlyMap<string, string>,
  loss: Loss,
  outputs: number,
  file: string,
): Standardisation | undefined {
  const text = metadata.get(TARGETS_KEY);
  if (text === undefined || loss !== 'huber') return undefined;
  return checkWritten(file, TARGETS_KEY, () => {
    const rule: unknown = JSON.parse(text);
    checkObject(rule, 'an object', TARGETS_KEY);
    const typed = Object.entries(rule).map(([field, values]) => [field, Float64Array.from(values as number[])]);
    return checkStandardisation(Object.fromEntries(typed), outputs, TARGETS_KEY, 'positive');
  });
}

/** The last layer for targets that are standardised so. Of a quantised one the scales change, and no code. */
function aimed<P extends Parameters & { readonly dtype: Dtype }>(
  parameters: P,
  quantisation: Quantisation | undefined,
  targets: Standardisation,
): { readonly parameters: P; readonly quantisation: Quantisation | undefined } {
  const made = { ...parameters, ...retarget(parameters, undefined, targets) };
  if (quantisation === undefined) return { parameters: made, quantisation };
  const before = quantisation.scales.at(-1) as Float32Array;
  const last = before.map((scale, j) => scale * (targets.scale[j] as number));
  const W = dequantised(codesOf(parameters.weights.at(-1) as Numbers, before), last, parameters.dtype);
  return {
    parameters: { ...made, weights: made.weights.with(-1, W) },
    quantisation: { ...quantisation, scales: quantisation.scales.with(-1, last) },
  };
}

/** What metadata say, where they are sound. @throws DlAdmmError ERR_DLADMM_FORMAT */
function checkWritten<T>(file: string, key: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const message = `${file} cannot be read as an ONNX network: its metadata ${key} is damaged`;
    throw new DlAdmmError('ERR_DLADMM_FORMAT', message, { cause });
  }
}

/** The graph behind the encoders that dladmm wrote. */
function behindEncoders(model: OnnxModel): OnnxModel {
  const { nodes, metadata } = model;
  const at = metadata.has(COLUMNS_KEY) ? nodes.findIndex(({ name }) => name === ENCODERS_NODE) : -1;
  const [x] = nodes[at]?.outputs ?? [];
  return x === undefined ? model : { ...model, nodes: nodes.slice(at + 1), inputs: [{ name: x, type: undefined }] };
}

/** The graph before the calibration that dladmm wrote. */
function beforeCalibration(model: OnnxModel, written: Written | undefined): OnnxModel {
  const { nodes } = model;
  const end = written?.answers.calibration ? nodes.findIndex(({ name }) => name === CALIBRATION_NODE) : -1;
  const first = nodes.findIndex(({ name }) => name === SCALING_NODE);
  const [scores] = nodes[first]?.inputs ?? [];
  if (end < 0 || scores === undefined) return model;
  return { ...model, nodes: nodes.slice(0, first), outputs: [{ name: scores, type: undefined }] };
}

/** The graph of a quantised network without what rounds the values: that is among the metadata. */
function withoutRounding(model: OnnxModel, written: Written | undefined): OnnxModel {
  if (!written?.quantisation) return model;
  const [rounds, others] = [true, false].map((is) =>
    model.nodes.filter(({ name }) => name.startsWith(ROUNDING) === is),
  );
  const from = new Map<string, string>();
  for (const { inputs, outputs } of rounds ?? []) {
    const [input = '', output = ''] = [inputs[0], outputs[0]];
    from.set(output, from.get(input) ?? input);
  }
  const nodes = (others ?? []).map((node) => ({ ...node, inputs: node.inputs.map((name) => from.get(name) ?? name) }));
  return { ...model, nodes };
}

/** The scales of the layers, where they are those of `quantisation`. */
function quantisationIn({ initializers }: OnnxModel, written: Written, file: string, depth: number): Quantisation {
  const scales = Array.from({ length: depth }, (_, l) => {
    const tensor = initializers.get(scaleName(l + 1));
    if (tensor) return Float32Array.from(numbersOf(tensor, file));
    throw new DlAdmmError(
      'ERR_DLADMM_FORMAT',
      `${file} cannot be read as an ONNX network: it has no ${scaleName(l + 1)}`,
    );
  });
  return { ...(written.quantisation as Quantisation), scales };
}

/** The names of the classes as the metadata have them; anything else under that name is not ours. */
function namesIn(metadata: ReadonlyMap<string, string>): readonly string[] | undefined {
  try {
    const names: unknown = JSON.parse(metadata.get(CLASSES_KEY) ?? 'null');
    return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined;
  } catch {
    return undefined;
  }
}

/** The losses whose answers end so: a sigmoid over one value tells two classes, over more each is a label. */
function lossesOf({ end, layers }: OnnxPerceptron): readonly Loss[] {
  if (end === 'softmax') return ['softmax-cross-entropy'];
  if (end === 'exponential') return ['poisson'];
  if (end === 'none') return [];
  return layers.at(-1)?.outputs === 1 ? ['softmax-cross-entropy', 'sigmoid-cross-entropy'] : ['sigmoid-cross-entropy'];
}

function lossOf(perceptron: OnnxPerceptron, given: Loss | undefined, written: Written | undefined, file: string): Loss {
  const losses = lossesOf(perceptron);
  const loss = given ?? written?.loss ?? losses[0];
  if (loss === undefined) {
    const text = `Expected options.loss, as ${file} ends in a linear layer and does not say what its outputs are: 'softmax-cross-entropy' for logits of classes, 'squared-error' for values`;
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
  }
  if (losses.length > 0 && !losses.includes(loss)) {
    const named = losses.map((name) => `'${name}'`).join(' or ');
    throw expected(`${named}, as ${file} ends in a ${perceptron.end},`, 'options.loss', loss);
  }
  return loss;
}

/** f_l, which is the same for all hidden layers. */
function activationOf({ layers }: OnnxPerceptron, written: Written | undefined, file: string): Activation {
  const [first, ...others] = layers.slice(0, -1);
  if (!first) return written?.activation ?? 'relu';
  const other = others.find(({ activation }) => !isSameActivation(activation, first.activation));
  if (other) {
    const text = `${file} cannot be read as an ONNX network: ${other.node} makes another activation than ${first.node}, but all hidden layers have the same here; train it with one for all, and join linear layers that follow one another`;
    throw new DlAdmmError('ERR_DLADMM_FORMAT', text);
  }
  return written && isSameActivation(written.activation, first.activation) ? written.activation : first.activation;
}

/** The scaling as (x − mean) · scale, as a model keeps it; undefined where it cannot be written so. */
function standardisationOf(scaling: OnnxScaling | undefined): Standardisation | undefined {
  if (!scaling) return undefined;
  const { factor: scale, shift } = scaling;
  if (scale.some((factor, j) => factor < 0 || (factor === 0 && shift[j] !== 0))) return undefined;
  const mean = scale.map((factor, j) => (factor === 0 ? 0 : -(shift[j] as number) / factor));
  return mean.every(Number.isFinite) ? { mean, scale } : undefined;
}

/** Weights and biases, the scaling folded in; a sigmoid over one value becomes the softmax over 0 and that value, which is the same. */
function parametersOf({ layers, end }: OnnxPerceptron, loss: Loss, scaling: OnnxScaling | undefined): Parameters {
  const weights = layers.map((layer) => layer.weights);
  const biases = layers.map(({ bias }) => bias);
  if (end === 'sigmoid' && loss === 'softmax-cross-entropy') {
    const last = weights.length - 1;
    weights[last] = secondOfTwo(weights[last] as Numbers);
    biases[last] = secondOfTwo(biases[last] as Numbers);
  }
  if (!scaling) return { weights, biases };
  const { factor, shift } = scaling;
  const bias = biases[0] as Numbers;
  const first = weights[0] as Numbers;
  const inputs = factor.length;
  const shifted = bias.map((b: number, row: number) =>
    shift.reduce((sum, by, j) => sum + (first[row * inputs + j] as number) * by, b),
  ) as Numbers;
  const rule = { mean: new Float64Array(inputs), scale: factor };
  return foldStandardisation({ weights, biases: [shifted, ...biases.slice(1)] }, rule);
}

function secondOfTwo(values: Numbers): Numbers {
  const out = zeros(dtypeOf(values), 2 * values.length);
  out.set(values, values.length);
  return out;
}

/**
 * A multilayer perceptron from an ONNX file, to predict with or to go on training from: Gemm (or MatMul and Add), one of the
 * activations between the layers, in whatever nodes it is written, and at the end a softmax, a sigmoid over one value (read as
 * two classes), or nothing. Factors and shifts by constants, batch normalisations among them, are folded into the layers; those
 * before the first layer are kept as the model's standardisation. Nodes that leave every sample one row are passed over:
 * Flatten, Reshape to a shape that the graph computes, Dropout, Cast, Identity.
 *
 * `source` is a path, or the bytes of the file.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT for anything else, naming the node; ERR_DLADMM_ARGUMENT where `loss` is needed;
 *   ERR_DLADMM_NON_FINITE, ERR_DLADMM_SHAPE, ERR_DLADMM_FILE
 */
export const importOnnx = reader(async (source: string | Uint8Array, options: ImportOptions = {}): Promise<Model> => {
  readOptions(IMPORT, options);
  const { bytes, file } = await bytesOf(source, 'the ONNX file');
  return onnxModel(bytes, file, options);
}, 'onnx');

/** The same from bytes, at once. */
export const onnxModel = reader((bytes: Uint8Array, file: string, options: ImportOptions): Model => {
  const read = decodeOnnx(bytes, file);
  const written = writtenIn(read.metadata, file);
  const decoded = withoutRounding(beforeCalibration(behindEncoders(read), written), written);
  const perceptron = perceptronOf(decoded, file);
  const loss = lossOf(perceptron, options.loss, written, file);
  const standardisation = standardisationOf(perceptron.scaling);
  const parameters = parametersOf(perceptron, loss, standardisation ? undefined : perceptron.scaling);
  const widths = [perceptron.layers[0].inputs, ...parameters.biases.map(({ length }) => length)];
  const count = classCount(loss, widths.at(-1) as number);
  const found = namesIn(decoded.metadata) ?? perceptron.classes;
  const classes = options.classes ?? (found?.length === count && goalOf(loss) !== 'values' ? found : undefined);
  checkClasses(classes, count);
  const columns = columnsIn(decoded.metadata, widths[0] as number, file);
  const network = {
    layers: widths,
    activation: activationOf(perceptron, written, file),
    loss,
    ...(written?.loss === loss && lossParameters(loss, written)),
  };
  const told = { ...(written?.loss === loss && written.answers), ...written?.about };
  const asWritten = typedParameters(parameters, options.dtype);
  const exact = asWritten.dtype === 'float32' && written?.quantisation;
  const grid = exact ? quantisationIn(decoded, written, file, widths.length - 1) : undefined;
  const targets = written?.loss === loss ? targetsIn(decoded.metadata, loss, widths.at(-1) as number, file) : undefined;
  const { parameters: typed, quantisation } = targets
    ? aimed(asWritten, grid, targets)
    : { parameters: asWritten, quantisation: grid };
  checkWritten(file, NETWORK_KEY, () => {
    checkTaught({ network, dtype: typed.dtype, ...present({ classes, columns }), ...told });
    checkDivergence(told.diverged);
  });
  if (quantisation) checkWritten(file, NETWORK_KEY, () => checkQuantisation(quantisation, { network, ...typed }));
  return new Model({
    network,
    ...typed,
    ...(quantisation && { quantisation }),
    ...(classes && { classes, labelKind: written?.labelKind ?? 'number' }),
    ...(standardisation && { standardisation }),
    ...(targets && { targetStandardisation: targets }),
    ...(columns && { columns }),
    ...told,
  });
}, 'onnx');
