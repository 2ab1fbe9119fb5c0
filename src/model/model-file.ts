/**
 * Trained networks as files: safetensors with the names that PyTorch gives to `nn.Sequential(Linear, ReLU, Linear, …)`,
 * which is `0.weight`, `0.bias`, `2.weight`, …, and the network itself as JSON in the metadata `network`. A graph convolutional
 * network has the tensors `0.weight`, `1.weight`, …, W_l being n_{l−1} × n_l, and the kind `gcn` in that JSON.
 * `note`s are metadata of their own, called `note.` and their name. Of a quantised model `0.weight` has codes, in I8, or two a byte in U8, and
 * `0.scale` what they are multiplied by, a number a neuron.
 */
import { DlAdmmError, describe } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
import { dtypeOf, inDtype } from '../core/numbers.js';
import { isObject, pathOf, present } from '../core/objects.js';
import { type Ours, readWholeFile, writeFileAtomic } from '../formats/atomic-file.js';
import { reader } from '../formats/reader.js';
import { decodeSafetensors, encodeSafetensors, type Safetensors, type Tensor } from '../formats/safetensors.js';
import { type Activation, checkLayers } from '../network/network.js';
import type { Standardisation } from '../network/standardisation.js';
import { checkParts, type GraphModelParts, type ModelParts, type NetworkKind, type Note } from './parts.js';
import { checkGrid, codesOf, dequantised, type Grid, gridOf, packed, packedWidth, unpacked } from './quantisation.js';

export type StoredModel = (ModelParts & { readonly kind: 'perceptron' }) | (GraphModelParts & { readonly kind: 'gcn' });

/**
 * Raised when a field is added or changes its meaning: an older version then refuses the file. A model is written in the first
 * format that has its fields: format 2 has labelKind, standardisation and columns, format 3 targetStandardisation, target, diverged,
 * threshold, calibration, and what columns have beside name and categories, format 4 quantisation.
 */
const FORMAT = 4;
const FORMATS: readonly number[] = [1, 2, 3, FORMAT];
const NETWORK = 'network';
const NOTE = 'note.';
/** How a file begins that a model may take the place of. */
export const MODEL: Ours = { begins: `{"__metadata__":{"${NETWORK}":"`, what: 'model of dladmm' };
const SECOND = ['classes', 'labelKind', 'columns'] as const;
const THIRD = [...SECOND, 'target', 'diverged', 'threshold', 'calibration', 'delta', 'quantile'] as const;
const FIELDS = { 1: ['classes'], 2: SECOND, 3: THIRD, 4: [...THIRD, 'quantisation'] } as const;
/** Rules of standardisation, whose tensors are NAME.mean and NAME.scale; what they are for, and since which format. */
const RULES = [
  { name: 'standardisation', since: 2, width: (layers: readonly number[]) => layers[0] ?? 0 },
  { name: 'targetStandardisation', since: 3, width: (layers: readonly number[]) => layers.at(-1) ?? 0 },
] as const;
const DTYPES = { float32: 'F32', float64: 'F64' } as const;

/** A tensor of a network, and where its values stand among the parts. */
interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly of: 'weights' | 'biases' | 'scales';
  readonly index: number;
}

const placesOf = (kind: NetworkKind, layers: readonly number[], grid: Grid | undefined): readonly Place[] =>
  layers.slice(1).flatMap((outputs, index): readonly Place[] => {
    const inputs = layers[index] ?? 0;
    if (kind === 'gcn') return [{ name: `${index}.weight`, shape: [inputs, outputs], of: 'weights', index }];
    const width = grid === undefined ? inputs : packedWidth(grid, inputs);
    return [
      { name: `${2 * index}.weight`, shape: [outputs, width], of: 'weights', index },
      ...(grid === undefined ? [] : [{ name: `${2 * index}.scale`, shape: [outputs], of: 'scales', index } as const]),
      { name: `${2 * index}.bias`, shape: [outputs], of: 'biases', index },
    ];
  });

const tensor = (shape: readonly number[], data: Numbers): Tensor =>
  ({ dtype: DTYPES[dtypeOf(data)], shape, data }) as Tensor;

/** The type of the codes of a grid. */
const packedType = (grid: Grid): 'I8' | 'U8' => (gridOf(grid).bits === 8 ? 'I8' : 'U8');

// ---------------------------------------------------------------------------------------------------------------- writing

function written(activation: Activation): { readonly name: string; readonly slope?: number } {
  if (typeof activation === 'string') return { name: activation };
  return 'elu' in activation
    ? { name: 'elu', slope: activation.elu }
    : { name: 'leaky-relu', slope: activation.leakyRelu };
}

const codesTensor = (grid: Grid, shape: readonly number[], codes: Int8Array, inputs: number): Tensor =>
  ({ dtype: packedType(grid), shape, data: packed(grid, codes, inputs) }) as Tensor;

const notesOf = (note: Note = {}): readonly (readonly [string, string])[] =>
  Object.entries(note).map(([name, text]) => [`${NOTE}${name}`, text]);

/**
 * The bytes of the file that `saveModel` writes. The values are copied.
 *
 * @throws DlAdmmError as `saveModel` does, but for the file.
 */
export function encodeModel(model: StoredModel): Uint8Array {
  const { kind, network, dtype, classes, labelKind = 'number', columns, target, note } = model;
  const { diverged, threshold, calibration } = model;
  const { quantisation } = model as ModelParts;
  checkParts(model, kind);
  const { layers, activation, loss, delta, quantile } = network;
  const rules = RULES.filter(({ name }) => model[name] !== undefined);
  const extended = labelKind !== 'number' || columns !== undefined;
  const learnt = columns?.some(({ name: _, categories: __, ...more }) => Object.keys(more).length > 0);
  const newer =
    [target, diverged, threshold, calibration, delta, quantile].some((part) => part !== undefined) ||
    labelKind === 'value' ||
    learnt === true;
  const header = {
    format: quantisation ? 4 : Math.max(newer ? 3 : extended ? 2 : 1, ...rules.map(({ since }) => since)),
    // What is undefined is no part of the JSON.
    kind: kind === 'gcn' ? kind : undefined,
    ...{ layers, activation: written(activation), loss, delta, quantile, dtype, classes },
    labelKind: labelKind === 'number' ? undefined : labelKind,
    ...{ columns, target, threshold, calibration, diverged },
    quantisation: quantisation && { ...quantisation, scales: undefined },
  };
  const tensors = new Map<string, Tensor>();
  for (const { name, shape, of, index } of placesOf(kind, layers, quantisation?.grid)) {
    const scales = quantisation?.scales[index];
    if (of === 'scales') tensors.set(name, tensor(shape, scales as Numbers));
    else {
      const values = (model as ModelParts)[of][index] as Numbers;
      tensors.set(
        name,
        quantisation && scales && of === 'weights'
          ? codesTensor(quantisation.grid, shape, codesOf(values, scales), layers[index] as number)
          : tensor(shape, inDtype(values, dtype)),
      );
    }
  }
  for (const { name, width } of rules) {
    for (const part of ['mean', 'scale'] as const) {
      tensors.set(`${name}.${part}`, tensor([width(layers)], (model[name] as Standardisation)[part]));
    }
  }
  return encodeSafetensors(tensors, Object.fromEntries([[NETWORK, JSON.stringify(header)], ...notesOf(note)]));
}

/**
 * Writes a model so that `path` holds, at every moment, the whole of its old or of its new content. The model's values are
 * copied before the first wait: training may go on changing them.
 *
 * @throws DlAdmmError as {@link checkParts} when the parts of the model do not fit together; `ERR_DLADMM_FILE` when the file
 *   cannot be written, or another that is no model is there.
 */
export async function saveModel(path: string, model: StoredModel): Promise<void> {
  await writeFileAtomic(path, encodeModel(model), MODEL);
}

// ---------------------------------------------------------------------------------------------------------------- reading

/** Makes of what is wrong in a file an error that says so. */
type Refuse = (what: string) => DlAdmmError;

function checked<T>(refuse: Refuse, name: string, check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof DlAdmmError)) throw cause;
    const { code, message } = cause;
    throw code === 'ERR_DLADMM_NON_FINITE' ? new DlAdmmError(code, `${name}: ${message}`, { cause }) : refuse(message);
  }
}

function networkIn(text: string | undefined, refuse: Refuse): Readonly<Record<string, unknown>> {
  if (text === undefined)
    throw refuse(`its metadata has no "${NETWORK}"; importStateDict reads a state dict of other tools`);
  let network: unknown;
  try {
    network = JSON.parse(text);
  } catch {
    throw refuse(`the metadata "${NETWORK}" is not JSON`);
  }
  if (!isObject(network)) throw refuse(`the metadata "${NETWORK}" is not an object`);
  const { format } = network;
  if (FORMATS.includes(format as number)) return network;
  const newer = typeof format === 'number' && format > FORMAT ? ' (a newer dladmm wrote it)' : '';
  throw refuse(`format is ${describe(format)}, expected one of ${FORMATS.join(', ')}${newer}`);
}

function activationIn(value: unknown, refuse: Refuse): Activation {
  const { name, slope, ...unknown } = isObject(value) ? value : {};
  const plain = typeof name === 'string' && name !== 'leaky-relu' && slope === undefined;
  if (Object.keys(unknown).length > 0 || !(plain || name === 'leaky-relu' || name === 'elu')) {
    throw refuse(`activation is ${JSON.stringify(value)}, expected { name, and a slope for leaky-relu and elu }`);
  }
  if (plain) return name as Activation;
  return name === 'elu' ? { elu: slope as number } : { leakyRelu: slope as number };
}

function notesIn(metadata: Safetensors['metadata'], refuse: Refuse): Note | undefined {
  const rest = Object.entries(metadata).filter(([key]) => key !== NETWORK);
  const foreign = rest.find(([key]) => !key.startsWith(NOTE));
  if (foreign)
    throw refuse(
      `it has the metadata ${JSON.stringify(foreign[0])}, expected "${NETWORK}" and names that start with "${NOTE}"`,
    );
  return rest.length === 0 ? undefined : Object.fromEntries(rest.map(([key, text]) => [key.slice(NOTE.length), text]));
}

/**
 * Reads the bytes of a model file, checks them one and all, and that shapes and types are those the network asks for.
 *
 * @param name what the errors call the file.
 * @throws DlAdmmError as `loadModelFile` does, but for the file.
 */
export const decodeModel = reader((bytes: Uint8Array, name: string): StoredModel => {
  const { tensors, metadata } = decodeSafetensors(bytes, name);
  const refuse: Refuse = (what) => new DlAdmmError('ERR_DLADMM_FORMAT', `${name} is not a dladmm model: ${what}`);
  if (metadata.format?.startsWith('dladmm-checkpoint-'))
    throw refuse('it is a checkpoint: resume goes on from it, loadLearner where it is that of a learner');
  const { format, kind = 'perceptron', ...network } = networkIn(metadata[NETWORK], refuse);
  const note = notesIn(metadata, refuse);
  const { layers, activation, loss, dtype, ...fields } = network;
  if (kind !== 'perceptron' && kind !== 'gcn') throw refuse(`kind is ${describe(kind)}, expected gcn or none`);
  const known: readonly string[] = FIELDS[format as keyof typeof FIELDS];
  const extra = Object.keys(fields).find((field) => !known.includes(field));
  if (extra !== undefined) throw refuse(`a field of the network is ${extra}, expected ${known.join(', ')}`);
  checked<void>(refuse, name, () => checkLayers(layers));
  const rules = RULES.filter(({ name, since }) => (format as number) >= since && tensors.has(`${name}.mean`));
  // Before their places are listed: a file may speak of millions.
  const { quantisation } = fields;
  const grid = quantisation === undefined ? undefined : checked(refuse, name, () => checkGrid(quantisation));
  if (grid && kind === 'gcn') throw refuse('quantisation is there, expected none of a gcn');
  const each = kind === 'gcn' ? 1 : grid ? 3 : 2;
  const count = ((layers as readonly number[]).length - 1) * each + 2 * rules.length;
  if (tensors.size !== count) throw refuse(`the number of tensors is ${tensors.size}, expected ${count}`);
  const places = placesOf(kind, layers as readonly number[], grid);

  const arrayIn = (tensorName: string, type: unknown, shape: readonly number[]): unknown => {
    const found = tensors.get(tensorName);
    const wanted = `${DTYPES[type as Dtype] ?? type} [${shape.join(', ')}]`;
    const got = found ? `${found.dtype} [${found.shape.join(', ')}]` : 'missing';
    if (got !== wanted) throw refuse(`tensor ${tensorName} is ${got}, expected ${wanted}`);
    return found?.data;
  };
  const numbersIn = arrayIn as (...of: Parameters<typeof arrayIn>) => Numbers;
  const arrays = (part: Place['of'], type = dtype): readonly Numbers[] =>
    places.flatMap(({ of, name: tensorName, shape }) => (of === part ? [numbersIn(tensorName, type, shape)] : []));
  const scales = arrays('scales', 'float32') as readonly Float32Array[];
  const weightsIn = (of: Grid): readonly Numbers[] =>
    arrays('weights', packedType(of)).map((bytes, l) => {
      const codes = unpacked(of, bytes as unknown as Int8Array, (layers as readonly number[])[l] as number);
      if (codes === undefined) throw refuse(`tensor ${2 * l}.weight has bytes that stand for no weight of ${of}`);
      return dequantised(codes, scales[l] as Float32Array, dtype as Dtype);
    });
  const ruleIn = ({ name: rule, width }: (typeof RULES)[number]) => {
    const shape = [width(layers as readonly number[])];
    return [
      rule,
      { mean: numbersIn(`${rule}.mean`, 'float64', shape), scale: numbersIn(`${rule}.scale`, 'float64', shape) },
    ];
  };
  const { delta, quantile, ...more } = fields;
  const parts = {
    network: { layers, activation: activationIn(activation, refuse), loss, ...present({ delta, quantile }) },
    dtype,
    weights: grid ? weightsIn(grid) : arrays('weights'),
    ...(kind === 'perceptron' && { biases: arrays('biases') }),
    ...more,
    ...(grid && { quantisation: { ...(quantisation as object), scales } }),
    ...Object.fromEntries(rules.map(ruleIn)),
  } as ModelParts;
  checked(refuse, name, () => checkParts(parts, kind));
  return { kind, ...parts, ...(note && { note }) };
}, 'safetensors');

/** A model of either kind. */
export async function readModelFile(from: string | URL): Promise<StoredModel> {
  const path = pathOf(from);
  return decodeModel(await readWholeFile(path), path);
}

/**
 * Reads a model that `saveModel` wrote.
 *
 * @throws DlAdmmError `ERR_DLADMM_FILE` when the file cannot be read; `ERR_DLADMM_FORMAT` when it is truncated, damaged, no
 *   model, or not of the `kind` asked for; `ERR_DLADMM_NON_FINITE` when a weight is not finite; `ERR_DLADMM_MEMORY` when it does
 *   not fit into memory.
 */
export async function loadModelFile<K extends NetworkKind>(
  from: string | URL,
  kind: K,
): Promise<Extract<StoredModel, { kind: K }>> {
  const model = await readModelFile(from);
  if (model.kind === kind) return model as Extract<StoredModel, { kind: K }>;
  const what = {
    perceptron: 'a multilayer perceptron: load it with Model',
    gcn: 'a graph convolutional network: load it with GraphModel',
  };
  throw new DlAdmmError('ERR_DLADMM_FORMAT', `${pathOf(from)} holds ${what[model.kind]}`);
}
