/**
 * Trained networks as files: safetensors with the names that PyTorch gives to `nn.Sequential(Linear, ReLU, Linear, …)`,
 * which is `0.weight`, `0.bias`, `2.weight`, …, and the network itself as JSON in the metadata `network`.
 * `note`s are metadata of their own, called `note.` and their name.
 */

import { DlAdmmError, describe, expected } from '../core/errors.js';
import { readWholeFile, writeFileAtomic } from '../formats/atomic-file.js';
import { decodeSafetensors, encodeSafetensors, type Safetensors, type Tensor } from '../formats/safetensors.js';
import { classCount } from '../network/network.js';
import { checkStandardisation, type Standardisation } from '../network/standardisation.js';
import { LABEL_KINDS, type LabelKind } from '../samples/classes.js';
import { type Column, checkColumns } from '../samples/columns.js';

/** The function between the layers; the last layer has none, its values go into the loss as they are. */
export type StoredActivation = 'relu' | 'identity' | 'sigmoid' | 'tanh' | { readonly leakyRelu: number };

export type StoredLoss = 'softmax-cross-entropy' | 'squared-error' | 'hinge' | 'one-hot-squared-error';

/** A trained network. Layer l, from 1 to L, maps a row x of n_{l−1} values to f_l(x · W_lᵀ + b_l). */
export interface StoredModel {
  /** The widths n_0 … n_L: inputs first, outputs last. */
  readonly layers: readonly number[];
  readonly activation: StoredActivation;
  readonly loss: StoredLoss;
  readonly dtype: 'float32' | 'float64';
  /** W_1 … W_L, each row-major, n_l x n_{l−1}. */
  readonly weights: readonly (Float32Array | Float64Array)[];
  /** b_1 … b_L, each n_l. */
  readonly biases: readonly (Float32Array | Float64Array)[];
  /** The names of the classes: n_L of them, or two where the hinge loss has one output. */
  readonly classes?: readonly string[];
  /** What predictions are told in; numbers where it is left out. */
  readonly labelKind?: LabelKind;
  /** The network takes features that have been standardised by it; the tensors `standardisation.mean` and `.scale`. */
  readonly standardisation?: Standardisation;
  /** The columns of the table that it was trained on. */
  readonly columns?: readonly Column[];
  /** Anything worth keeping: the data set, the date, the accuracy. */
  readonly note?: Readonly<Record<string, string>>;
}

/**
 * Raised when a field is added or changes its meaning: an older version then refuses the file. A model without the fields
 * of format 2 (labelKind, standardisation, columns) is written in format 1.
 */
const FORMAT = 2;
export const NETWORK = 'network';
/** What the metadata of a graph convolutional network call it; a perceptron has no such word. */
export const GRAPH_KIND = 'gcn';
export const NOTE = 'note.';
const MAX_WIDTH = 2 ** 31 - 1;
const LOSSES: readonly unknown[] = [
  'softmax-cross-entropy',
  'squared-error',
  'hinge',
  'one-hot-squared-error',
] satisfies StoredLoss[];
const PLAIN_ACTIVATIONS = ['relu', 'identity', 'sigmoid', 'tanh'] as const satisfies readonly StoredActivation[];

const ARRAYS = { float32: Float32Array, float64: Float64Array } as const;
const DTYPES = { float32: 'F32', float64: 'F64' } as const;

/** How a thing is refused: as an argument on writing, as a damaged file on reading. */
export type Refuse = (what: string, name: string, received: unknown) => DlAdmmError;

const weightName = (l: number): string => `${2 * (l - 1)}.weight`;
const STANDARDISATION = { mean: 'standardisation.mean', scale: 'standardisation.scale' } as const;

const biasName = (l: number): string => `${2 * (l - 1)}.bias`;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isWidth = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_WIDTH;
const isText = (value: unknown): value is string => typeof value === 'string';

export function checkLayers(layers: unknown, refuse: Refuse): readonly number[] {
  if (!Array.isArray(layers) || layers.length < 2) throw refuse('an array of at least two widths', 'layers', layers);
  return layers.map((width: unknown, l) => {
    if (!isWidth(width)) throw refuse(`an integer from 1 to ${MAX_WIDTH}`, `layers[${l}]`, width);
    return width;
  });
}

function checkSlope(slope: unknown, refuse: Refuse): number {
  if (typeof slope !== 'number' || !Number.isFinite(slope))
    throw refuse('a finite number', 'the slope of leakyRelu', slope);
  return slope;
}

export function checkLoss(loss: unknown, refuse: Refuse): StoredLoss {
  if (!LOSSES.includes(loss)) throw refuse(`one of ${LOSSES.join(', ')}`, 'loss', loss);
  return loss as StoredLoss;
}

export function checkDtype(dtype: unknown, refuse: Refuse): StoredModel['dtype'] {
  if (dtype !== 'float32' && dtype !== 'float64') throw refuse('float32 or float64', 'dtype', dtype);
  return dtype;
}

export function checkClasses(classes: unknown, outputs: number, refuse: Refuse): readonly string[] {
  if (!Array.isArray(classes) || classes.length !== outputs || !classes.every(isText)) {
    throw refuse(`an array of ${outputs} strings, one a class`, 'classes', classes);
  }
  return classes;
}

function checkFinite(data: Float32Array | Float64Array, columns: number, name: string): void {
  const at = data.findIndex((value: number) => !Number.isFinite(value));
  if (at < 0) return;
  const place = columns === 1 ? `at ${at}` : `in row ${Math.floor(at / columns)}, column ${at % columns}`;
  throw new DlAdmmError(
    'ERR_DLADMM_NON_FINITE',
    `Expected finite values for ${name} but received ${data[at]} ${place}`,
  );
}

// ---------------------------------------------------------------------------------------------------------------- writing

export const refuseArgument: Refuse = (what, name, received) => expected(what, `model.${name}`, received);

export function checkedActivation(activation: StoredActivation): { readonly name: string; readonly slope?: number } {
  const plain = PLAIN_ACTIVATIONS.find((name) => name === activation);
  if (plain !== undefined) return { name: plain };
  if (!isObject(activation) || Object.keys(activation).join() !== 'leakyRelu') {
    throw refuseArgument("'relu', 'identity', 'sigmoid', 'tanh' or { leakyRelu: slope }", 'activation', activation);
  }
  return { name: 'leaky-relu', slope: checkSlope(activation.leakyRelu, refuseArgument) };
}

export function checkedArray(
  arrays: readonly unknown[],
  {
    name,
    l,
    dtype,
    rows,
    columns,
  }: { name: string; l: number; dtype: StoredModel['dtype']; rows: number; columns: number },
): Float32Array | Float64Array {
  const data = arrays[l - 1];
  const at = `model.${name}[${l - 1}]`;
  if (!(data instanceof ARRAYS[dtype])) throw expected(`a ${ARRAYS[dtype].name}`, at, data);
  if (data.length !== rows * columns) {
    const text = `Expected ${rows} x ${columns} values for ${at} but received ${data.length}`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
  }
  checkFinite(data, columns, at);
  return data;
}

function checkLabelKind(kind: unknown, classes: unknown, refuse: Refuse): LabelKind {
  const known = LABEL_KINDS.find((name) => name === kind);
  if (known === undefined) throw refuse(LABEL_KINDS.join(' or '), 'labelKind', kind);
  if (known !== 'number' && classes === undefined) throw refuse('classes, as labelKind has names,', 'classes', classes);
  return known;
}

export const tensor = (shape: readonly number[], data: Float32Array | Float64Array): Tensor =>
  data instanceof Float32Array ? { dtype: 'F32', shape, data } : { dtype: 'F64', shape, data };

/** Notes as they stand in the metadata. */
export function checkedNotes(note: unknown = {}): readonly (readonly [string, string])[] {
  if (!isObject(note)) throw refuseArgument('an object of strings', 'note', note);
  return Object.entries(note).map(([name, text]): readonly [string, string] => {
    if (!isText(text)) throw refuseArgument('a string', `note[${JSON.stringify(name)}]`, text);
    return [`${NOTE}${name}`, text];
  });
}

/**
 * The bytes of the file that `saveModel` writes. The values are copied.
 *
 * @throws DlAdmmError as `saveModel` does, but for the file.
 */
export function encodeModel(model: StoredModel): Uint8Array {
  if (!isObject(model)) throw expected('an object', 'model', model);
  const layers = checkLayers(model.layers, refuseArgument);
  const count = layers.length - 1;
  const dtype = checkDtype(model.dtype, refuseArgument);
  for (const name of ['weights', 'biases'] as const) {
    const arrays: unknown = model[name];
    if (!Array.isArray(arrays) || arrays.length !== count) {
      throw refuseArgument(`an array of ${count} typed arrays, one a layer`, name, arrays);
    }
  }
  const outputs = layers[count] ?? 0;
  const { classes, labelKind = 'number', standardisation, columns } = model;
  const inputs = layers[0] ?? 0;
  const extended = labelKind !== 'number' || standardisation !== undefined || columns !== undefined;
  const network = {
    format: extended ? FORMAT : 1,
    layers,
    activation: checkedActivation(model.activation),
    loss: checkLoss(model.loss, refuseArgument),
    dtype,
    ...(classes !== undefined && { classes: checkClasses(classes, classCount(model.loss, outputs), refuseArgument) }),
    ...(labelKind !== 'number' && { labelKind: checkLabelKind(labelKind, classes, refuseArgument) }),
    ...(columns !== undefined && { columns: checkColumns(columns, inputs, refuseArgument) }),
  };
  const notes = checkedNotes(model.note);

  const tensors = new Map<string, Tensor>();
  for (let l = 1; l <= count; l++) {
    const rows = layers[l] ?? 0;
    const columns = layers[l - 1] ?? 0;
    const weights = checkedArray(model.weights, { name: 'weights', l, dtype, rows, columns });
    const biases = checkedArray(model.biases, { name: 'biases', l, dtype, rows, columns: 1 });
    tensors.set(weightName(l), tensor([rows, columns], weights));
    tensors.set(biasName(l), tensor([rows], biases));
  }
  if (standardisation !== undefined) {
    const { mean, scale } = checkStandardisation(standardisation, inputs, refuseArgument);
    tensors.set(STANDARDISATION.mean, tensor([inputs], mean));
    tensors.set(STANDARDISATION.scale, tensor([inputs], scale));
  }
  return encodeSafetensors(tensors, Object.fromEntries([[NETWORK, JSON.stringify(network)], ...notes]));
}

/**
 * Writes a model so that `path` holds, at every moment, the whole of its old or of its new content. The model's values are
 * copied before the first wait: training may go on changing them.
 *
 * @throws DlAdmmError `ERR_DLADMM_ARGUMENT`, `ERR_DLADMM_SHAPE` or `ERR_DLADMM_NON_FINITE` when the parts of the model do not
 *   fit together; `ERR_DLADMM_FILE` when the file cannot be written.
 */
export async function saveModel(path: string, model: StoredModel): Promise<void> {
  await writeFileAtomic(path, encodeModel(model));
}

// ---------------------------------------------------------------------------------------------------------------- reading

export function refusalIn(name: string): Refuse {
  return (what, field, received) =>
    new DlAdmmError(
      'ERR_DLADMM_FORMAT',
      `${name} is not a dladmm model: ${field} is ${describe(received)}, expected ${what}`,
    );
}

export function storedActivation(value: unknown, refuse: Refuse): StoredActivation {
  const { name, slope, ...unknown } = isObject(value) ? value : {};
  const plain = slope === undefined ? PLAIN_ACTIVATIONS.find((known) => known === name) : undefined;
  if (Object.keys(unknown).length > 0 || (plain === undefined && name !== 'leaky-relu')) {
    const what = '{ name: relu, identity, sigmoid, tanh or leaky-relu, slope for the last }';
    throw refuse(what, 'activation', JSON.stringify(value));
  }
  return plain ?? { leakyRelu: checkSlope(slope, refuse) };
}

export function parseNetwork(
  text: string | undefined,
  name: string,
  refuse: Refuse,
): Readonly<Record<string, unknown>> {
  if (text === undefined) {
    throw new DlAdmmError('ERR_DLADMM_FORMAT', `${name} is not a dladmm model: its metadata has no "${NETWORK}"`);
  }
  let network: unknown;
  try {
    network = JSON.parse(text);
  } catch {
    throw refuse('JSON', `the metadata "${NETWORK}"`, text);
  }
  if (!isObject(network)) throw refuse('an object', `the metadata "${NETWORK}"`, text);
  if (network.format !== 1 && network.format !== FORMAT) {
    const newer = typeof network.format === 'number' && network.format > FORMAT;
    throw refuse(`1 or ${FORMAT}${newer ? ' (a newer dladmm wrote it)' : ''}`, 'format', network.format);
  }
  return network;
}

export function readNotes(
  metadata: Readonly<Record<string, string>>,
  refuse: Refuse,
): Readonly<Record<string, string>> | undefined {
  const rest = Object.entries(metadata).filter(([key]) => key !== NETWORK);
  const foreign = rest.find(([key]) => !key.startsWith(NOTE));
  if (foreign)
    throw refuse(`only "${NETWORK}" and names that start with "${NOTE}"`, 'a name in the metadata', foreign[0]);
  return rest.length === 0 ? undefined : Object.fromEntries(rest.map(([key, text]) => [key.slice(NOTE.length), text]));
}

export function storedArray(
  tensors: Safetensors['tensors'],
  tensorName: string,
  { dtype, shape, name }: { dtype: StoredModel['dtype']; shape: readonly number[]; name: string },
): Float32Array | Float64Array {
  const found = tensors.get(tensorName);
  const wanted = `${DTYPES[dtype]} [${shape.join(', ')}]`;
  const got = found ? `${found.dtype} [${found.shape.join(', ')}]` : 'missing';
  if (!found || !(found.data instanceof ARRAYS[dtype]) || got !== wanted) {
    const text = `${name} is not a dladmm model: tensor ${tensorName} is ${got}, expected ${wanted}`;
    throw new DlAdmmError('ERR_DLADMM_FORMAT', text);
  }
  checkFinite(found.data, shape[1] ?? 1, `tensor ${tensorName} of ${name}`);
  return found.data;
}

function storedStandardisation(
  tensors: Safetensors['tensors'],
  inputs: number,
  name: string,
  refuse: Refuse,
): Standardisation {
  const values = (tensorName: string) =>
    storedArray(tensors, tensorName, { dtype: 'float64', shape: [inputs], name }) as Float64Array;
  const rule = { mean: values(STANDARDISATION.mean), scale: values(STANDARDISATION.scale) };
  return checkStandardisation(rule, inputs, refuse);
}

/**
 * Reads the bytes of a model file, checks them one and all, and that shapes and types are those the network asks for.
 *
 * @param name what the errors call the file.
 * @throws DlAdmmError as `loadModelFile` does, but for the file.
 */
export function decodeModel(bytes: Uint8Array, name: string): StoredModel {
  const { tensors, metadata } = decodeSafetensors(bytes, name);
  const refuse = refusalIn(name);
  const note = readNotes(metadata, refuse);
  const { format, layers, activation, loss, dtype, classes, labelKind, columns, ...unknown } = parseNetwork(
    metadata[NETWORK],
    name,
    refuse,
  );
  if (unknown.kind === GRAPH_KIND) {
    throw new DlAdmmError('ERR_DLADMM_FORMAT', `${name} holds a graph convolutional network: load it with GraphModel`);
  }
  const fields = format === 1 ? { ...unknown, labelKind, columns } : unknown;
  const [extra] = Object.entries(fields).flatMap(([field, value]) => (value === undefined ? [] : [field]));
  if (extra !== undefined) throw refuse('no field of that name', 'a field of the network', extra);

  const widths = checkLayers(layers, refuse);
  const storedLoss = checkLoss(loss, refuse);
  const count = widths.length - 1;
  const type = checkDtype(dtype, refuse);
  const standardises = format !== 1 && tensors.has(STANDARDISATION.mean);
  if (tensors.size !== 2 * count + (standardises ? 2 : 0)) {
    const what = `${2 * count}, two a layer${standardises ? ', and two of the standardisation' : ''}`;
    throw refuse(what, 'the number of tensors', tensors.size);
  }
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const weights = numbers.map((l) => {
    const shape = [widths[l] ?? 0, widths[l - 1] ?? 0];
    return storedArray(tensors, weightName(l), { dtype: type, shape, name });
  });
  const biases = numbers.map((l) => storedArray(tensors, biasName(l), { dtype: type, shape: [widths[l] ?? 0], name }));
  return {
    layers: widths,
    activation: storedActivation(activation, refuse),
    loss: storedLoss,
    dtype: type,
    weights,
    biases,
    ...(classes === undefined
      ? {}
      : { classes: checkClasses(classes, classCount(storedLoss, widths[count] ?? 0), refuse) }),
    ...(labelKind === undefined ? {} : { labelKind: checkLabelKind(labelKind, classes, refuse) }),
    ...(standardises && { standardisation: storedStandardisation(tensors, widths[0] ?? 0, name, refuse) }),
    ...(columns === undefined ? {} : { columns: checkColumns(columns, widths[0] ?? 0, refuse) }),
    ...(note === undefined ? {} : { note }),
  };
}

/**
 * Reads a model that `saveModel` wrote.
 *
 * @throws DlAdmmError `ERR_DLADMM_FILE` when the file cannot be read; `ERR_DLADMM_FORMAT` when it is truncated, damaged or no
 *   model; `ERR_DLADMM_NON_FINITE` when a weight is not finite; `ERR_DLADMM_MEMORY` when it does not fit into memory.
 */
export async function loadModelFile(path: string): Promise<StoredModel> {
  return decodeModel(await readWholeFile(path), path);
}
