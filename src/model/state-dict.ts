/** State dicts of PyTorch as safetensors: the weights and biases of linear layers, whatever their names. */
import { DlAdmmError, quoted } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { isNumbers } from '../core/numbers.js';
import { reader } from '../formats/reader.js';
import { decodeSafetensors, type Tensor } from '../formats/safetensors.js';
import { checkClasses, classCount } from '../network/network.js';
import type { Parameters } from '../network/parameters.js';
import { readOptions } from '../network/schema.js';
import { fromBfloat16, fromFloat16 } from '../tensor/half.js';
import { chainsOf, isSorted, type NamedLayer, naturally } from './layer-order.js';
import { Model } from './model.js';
import { bytesOf, typedParameters } from './onnx/import.js';
import { STATE_DICT, type StateDictOptions } from './options.js';

type Tensors = ReadonlyMap<string, Tensor>;

const WEIGHT = '.weight';
const BIAS = '.bias';

const refusal = (file: string, what: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_FORMAT', `${file} cannot be read as the state dict of a multilayer perceptron: ${what}`);

const shapeText = ({ shape }: Tensor): string => `[${shape.slice(0, 8).join(', ')}]`;

/** The values, 16-bit numbers as float32; undefined for whole numbers. */
function numbersOf({ dtype, data }: Tensor): Numbers | undefined {
  if (isNumbers(data)) return data;
  if (dtype === 'F16') return Float32Array.from(data, fromFloat16);
  if (dtype === 'BF16') return Float32Array.from(data, fromBfloat16);
  return undefined;
}

/** The values of a tensor of so many dimensions. */
function valuesOf(tensors: Tensors, name: string, dimensions: number, file: string): Numbers {
  const tensor = tensors.get(name) as Tensor;
  const values = numbersOf(tensor);
  if (!values)
    throw refusal(file, `tensor ${quoted(name)} is of type ${tensor.dtype}, expected floating-point numbers`);
  if (tensor.shape.length === dimensions && values.length > 0) return values;
  const what = dimensions === 2 ? 'the matrix of a linear layer' : 'the bias of a linear layer';
  throw refusal(file, `tensor ${quoted(name)} has shape ${shapeText(tensor)}, expected ${what}`);
}

/** The names of the layers as the file has them; nothing but layers may be there. */
function layerNames(tensors: Tensors, file: string): readonly string[] {
  const names = [...tensors.keys()].flatMap((name) => (name.endsWith(WEIGHT) ? [name.slice(0, -WEIGHT.length)] : []));
  const known = new Set(names.flatMap((name) => [name + WEIGHT, name + BIAS]));
  const stranger = [...tensors.keys()].find((name) => !known.has(name));
  if (stranger !== undefined) {
    throw refusal(file, `tensor ${quoted(stranger)} is neither the weight nor the bias of a linear layer`);
  }
  if (names.length === 0) throw refusal(file, 'it has no tensor whose name ends in .weight');
  return names;
}

interface Layer extends NamedLayer {
  readonly W: Numbers;
  readonly b: Numbers;
}

function layerOf(tensors: Tensors, name: string, file: string): Layer {
  const W = valuesOf(tensors, name + WEIGHT, 2, file);
  const [outputs = 0, inputs = 0] = tensors.get(name + WEIGHT)?.shape ?? [];
  const b = tensors.has(name + BIAS) ? valuesOf(tensors, name + BIAS, 1, file) : new Float32Array(outputs);
  if (b.length !== outputs) throw refusal(file, `${quoted(name + BIAS)} has ${b.length} values for ${outputs} outputs`);
  return { name, inputs, outputs, W, b };
}

function givenOrder(order: readonly string[], names: readonly string[]): readonly string[] {
  if (order.length === names.length && new Set([...order, ...names]).size === new Set(order).size) return order;
  const text = `Expected each of ${names.toSorted(naturally).map(quoted).join(', ')} once for options.order but received ${order.map(quoted).join(', ')}`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}

/** The order that names, widths and file make. */
function foundOrder(tensors: Tensors, layers: readonly Layer[], file: string): readonly string[] {
  const { chains, complete } = chainsOf(layers);
  const [chain, other] = chains;
  if (chain && !other && complete) return chain;
  const names = layers.map(({ name }) => name);
  // No chain, or none that was looked for: what is wrong is told of the order that people read.
  if (!chain && complete) return names.toSorted(naturally);
  const sorted = isSorted([...tensors].map(([name, { dtype }]) => [name, dtype]));
  const isFile = (one: readonly string[]): boolean => one.every((name, i) => name === names[i]);
  const written = sorted ? undefined : chains.find(isFile);
  if (written) return written;
  const said = chains.map((one) => {
    const widths = one.map((name) => layers.find((layer) => layer.name === name)?.outputs);
    const inputs = layers.find(({ name }) => name === one[0])?.inputs;
    return `order: [${one.map(quoted).join(', ')}] (${[inputs, ...widths].join('-')})`;
  });
  const text = `its layers fit together in more than one order, and ${sorted ? 'a file that is sorted by name' : 'their names'} cannot tell which is meant; give it: ${[...said, ...(complete ? [] : ['or another order: [names, inputs first]'])].join(', ')}`;
  throw refusal(file, text);
}

function parametersOf(
  layers: readonly Layer[],
  order: readonly string[],
  file: string,
): Parameters & { readonly layers: readonly number[] } {
  const named = new Map(layers.map((layer) => [layer.name, layer]));
  const chain = order.map((name) => named.get(name) as Layer);
  for (const [i, { name, inputs }] of chain.entries()) {
    const before = chain[i - 1]?.outputs ?? inputs;
    if (before === inputs) continue;
    const others = order.map(quoted).join(', ');
    const text = `${quoted(name)} takes ${inputs} values where ${before} come, in the order ${others}; another can be given as order: […]`;
    throw refusal(file, text);
  }
  return {
    weights: chain.map(({ W }) => W),
    biases: chain.map(({ b }) => b),
    layers: [chain[0]?.inputs ?? 0, ...chain.map(({ outputs }) => outputs)],
  };
}

/**
 * A multilayer perceptron from a state dict that `safetensors.torch.save_file(model.state_dict(), path)` wrote: tensors
 * `NAME.weight`, outputs × inputs, and `NAME.bias`, which may be missing. Float16, bfloat16, float32 and float64.
 *
 * `source` is a path, or the bytes of the file.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT for what is no chain of linear layers, naming the tensor; ERR_DLADMM_ARGUMENT,
 *   ERR_DLADMM_NON_FINITE, ERR_DLADMM_SHAPE, ERR_DLADMM_FILE
 */
export const importStateDict = reader(
  async (source: string | Uint8Array, options: StateDictOptions = {}): Promise<Model> => {
    readOptions(STATE_DICT, options);
    const { bytes, file } = await bytesOf(source, 'the state dict');
    return stateDictModel(bytes, file, options);
  },
  'safetensors',
);

/** The same from bytes, at once. */
export const stateDictModel = reader((bytes: Uint8Array, file: string, options: StateDictOptions): Model => {
  const { activation, loss, order, classes, dtype } = readOptions(STATE_DICT, options);
  const { tensors, metadata } = decodeSafetensors(bytes, file);
  if (metadata.network !== undefined) throw refusal(file, 'it is a model of dladmm, which is loaded as it is');
  const names = layerNames(tensors, file);
  const found = names.map((name) => layerOf(tensors, name, file));
  const { layers, ...parameters } = parametersOf(
    found,
    order === undefined ? foundOrder(tensors, found, file) : givenOrder(order, names),
    file,
  );
  checkClasses(classes, classCount(loss, layers.at(-1) ?? 0));
  return new Model({
    network: { layers, activation, loss },
    ...typedParameters(parameters, dtype),
    ...(classes && { classes }),
  });
}, 'safetensors');
