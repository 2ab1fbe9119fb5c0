/** What a trained network is made of, and whether it fits together. */
import { checkKeys, checkObject, oneOf, whole } from '../core/checks.js';
import { expected } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
import { MAX_HEADER_BYTES } from '../formats/safetensors.js';
import { type Calibration, checkCalibration } from '../judging/calibration.js';
import { checkGraphWeights } from '../network/graph-initialisation.js';
import {
  checkClasses,
  checkNetwork,
  classCount,
  classifies,
  hasProbabilities,
  type Loss,
  MOST_THREADS,
  type Network,
  powerOf,
} from '../network/network.js';
import { checkParameters } from '../network/parameters.js';
import { checkStandardisation, type Standardisation } from '../network/standardisation.js';
import { areValues, LABEL_KINDS, type LabelKind } from '../samples/classes.js';
import { type Column, checkColumns } from '../samples/columns.js';
import { checkQuantisation, type Quantisation } from './quantisation.js';

/** What is saved with a model besides. */
export type Note = Readonly<Record<string, string>>;

interface CommonParts<L extends Loss> {
  readonly network: Network<L>;
  readonly dtype: Dtype;
  readonly classes?: readonly string[];
  /** What predictions are told in. Default `'number'`. */
  readonly labelKind?: LabelKind;
  /** What is done to features before they enter the network. */
  readonly standardisation?: Standardisation;
  /** Of regression: what was done to target values, and is undone in answers: outputs are z / scale + mean. */
  readonly targetStandardisation?: Standardisation;
  /** Of two classes that have probabilities: the second is told from this probability on; ½ if absent. */
  readonly threshold?: number;
  /** Of classes without probabilities: what makes probabilities of their scores. */
  readonly calibration?: Calibration;
  /** The columns that a table must have, in the order of the inputs. */
  readonly columns?: readonly Column[];
  /** The column that is predicted, where samples came by the names of their columns; or several. */
  readonly target?: string | readonly string[];
  /** That the training met a value that is not finite, and when: the parameters are the last finite ones. */
  readonly diverged?: Divergence;
  readonly threads?: number;
  readonly note?: Note;
}

export interface Divergence {
  readonly iteration: number;
}

/** What was learnt of samples before a training began, and is told by its model. */
const TAUGHT = [
  'network',
  'dtype',
  'classes',
  'labelKind',
  'standardisation',
  'targetStandardisation',
  'threshold',
  'calibration',
  'columns',
  'target',
] as const;
/** What a model may be made of; a file has a note beside. */
const PARTS: readonly string[] = [
  ...TAUGHT,
  'kind',
  'weights',
  'biases',
  'threads',
  'note',
  'diverged',
  'quantisation',
];

/** What a model is made of. */
export interface ModelParts<L extends Loss = Loss> extends CommonParts<L> {
  /** `weights[l − 1]` is W_l, n_l × n_{l−1} row-major. */
  readonly weights: readonly Numbers[];
  readonly biases: readonly Numbers[];
  /** Of weights that lie on a grid. */
  readonly quantisation?: Quantisation;
}

/** What the model of a graph convolutional network is made of. */
export interface GraphModelParts<L extends Loss = Loss> extends CommonParts<L> {
  /** `weights[l − 1]` is W_l, n_{l−1} × n_l row-major. */
  readonly weights: readonly Numbers[];
}

/** The kinds of networks: a multilayer perceptron, and a graph convolutional one. */
export type NetworkKind = 'perceptron' | 'gcn';

/**
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
 * ERR_DLADMM_DETACHED
 */
export function checkParts(parts: ModelParts | GraphModelParts, kind: NetworkKind): void {
  checkObject(parts, '{ network, dtype, weights, … }', 'parts');
  checkKeys(parts, PARTS, 'the parts of a model');
  checkTaught(parts);
  checkNote(parts.note);
  const { network, dtype, weights, diverged, threads } = parts;
  if (kind === 'gcn') checkGraphWeights(weights, network.layers, dtype, 'weights');
  else checkParameters(parts as ModelParts, network.layers, dtype, '');
  const { quantisation } = parts as ModelParts;
  if (quantisation !== undefined) {
    if (kind === 'gcn') throw expected('none for a graph', 'quantisation', quantisation);
    checkQuantisation(quantisation, parts);
  }
  checkDivergence(diverged);
  if (threads !== undefined) whole(threads, 1, MOST_THREADS, 'threads');
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkDivergence(diverged: Divergence | undefined): void {
  if (diverged === undefined) return;
  checkObject(diverged, '{ iteration }', 'diverged');
  whole(diverged.iteration, 1, Number.MAX_SAFE_INTEGER, 'diverged.iteration');
}

const isText = (value: unknown): value is string => typeof value === 'string';

function checkNote(note: unknown = {}): void {
  checkObject(note, 'an object of strings', 'note');
  for (const [name, text] of Object.entries(note)) {
    if (typeof text !== 'string') throw expected('a string', `note[${JSON.stringify(name)}]`, text);
  }
}

/**
 * As {@link checkParts}, of what is known before a training begins: what would be refused at its end is refused here.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE
 */
export function checkTaught(parts: Pick<ModelParts, (typeof TAUGHT)[number]>): void {
  const { network, dtype, classes, labelKind, standardisation, targetStandardisation, columns, target } = parts;
  const { threshold, calibration } = parts;
  checkNetwork(network, 'network');
  const { layers, loss } = network;
  oneOf(dtype, ['float32', 'float64'], 'dtype');
  const [inputs, outputs] = [layers[0] ?? 0, layers.at(-1) ?? 0];
  checkClasses(classes, classCount(loss, outputs));
  if (labelKind !== undefined && oneOf(labelKind, LABEL_KINDS, 'labelKind') !== 'number' && classes === undefined) {
    throw expected('the names of the classes, as labelKind is not number,', 'classes', classes);
  }
  if (labelKind === 'value' && !areValues(classes ?? [])) {
    throw expected('whole numbers, as labelKind is value,', 'classes', classes);
  }
  if (labelKind === 'boolean' && classes?.length !== 2) {
    throw expected('two classes, as labelKind is boolean,', 'classes', classes);
  }
  if (standardisation !== undefined) checkStandardisation(standardisation, inputs);
  if (targetStandardisation !== undefined) {
    if (powerOf(loss) === undefined) throw expected(`none for ${loss}`, 'targetStandardisation', targetStandardisation);
    checkStandardisation(targetStandardisation, outputs, 'targetStandardisation', 'positive');
  }
  const count = classCount(loss, outputs);
  if (calibration !== undefined) {
    if (!classifies(loss) || hasProbabilities(loss)) throw expected(`none for ${loss}`, 'calibration', calibration);
    checkCalibration(calibration, count);
  }
  if (threshold !== undefined) {
    if (!(loss === 'softmax-cross-entropy' || calibration) || count !== 2) {
      throw expected('none but for two classes with probabilities', 'threshold', threshold);
    }
    if (!(typeof threshold === 'number' && threshold >= 0 && threshold <= 1)) {
      throw expected('a probability from 0 to 1', 'threshold', threshold, 'ERR_DLADMM_RANGE');
    }
  }
  if (columns !== undefined) checkColumns(columns, inputs);
  const named = typeof target === 'object' ? target.length > 0 && target.every(isText) : isText(target);
  if (target !== undefined && !named) throw expected('the name of a column, or an array of names', 'target', target);
  checkTold({ classes, columns, target, calibration }, layers.length);
}

/** What a file says of its tensors, a layer, in bytes, at most. */
const LAYER_BYTES = 300;

/** That the header of a file holds what is told beside the weights. */
function checkTold(told: object, layers: number): void {
  const text = JSON.stringify(told);
  // Quotation marks and the like are escaped twice in it; a character has at most three bytes.
  const most = MAX_HEADER_BYTES - LAYER_BYTES * layers;
  if (12 * text.length < most || Buffer.byteLength(JSON.stringify(text)) < most) return;
  const what = `names of classes and columns that take at most ${most} bytes in a file`;
  throw expected(what, 'classes and columns', Buffer.byteLength(text), 'ERR_DLADMM_RANGE');
}
