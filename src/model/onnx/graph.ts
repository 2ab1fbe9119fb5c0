/** What of an ONNX graph can be looked up: the tensors that do not depend on its input, and who takes which value. */
import { DlAdmmError } from '../../core/errors.js';
import type { Numbers } from '../../core/native.js';
import { attributeOf, numbersOf, type OnnxModel, type OnnxTensor, tensorIn } from './proto.js';
import type { OnnxNode } from './schema.js';

/** A tensor that does not depend on the input. */
export interface Constant {
  /** The initializer or node that it comes from. */
  readonly origin: string;
  readonly shape: readonly number[];
  readonly tensor: OnnxTensor;
  /** Whether rows and columns are to be swapped; `shape` is the shape after that. */
  readonly transposed: boolean;
}

export const nameOf = ({ name, op }: OnnxNode): string => `node ${JSON.stringify(name.slice(0, 60) || op)} (${op})`;

/** What a walk over the graph looks things up in. */
export class Graph {
  readonly file: string;
  readonly constants: ReadonlyMap<string, Constant>;
  readonly #consumers: ReadonlyMap<string, readonly OnnxNode[]>;
  readonly #taken = new Set<string>();

  constructor(model: OnnxModel, file: string) {
    this.file = file;
    this.constants = constantsOf(model, file);
    const consumers = new Map<string, OnnxNode[]>();
    for (const node of model.nodes) {
      for (const input of new Set(node.inputs)) {
        const known = consumers.get(input);
        if (known) known.push(node);
        else consumers.set(input, [node]);
      }
    }
    this.#consumers = consumers;
  }

  consumersOf(value: string): readonly OnnxNode[] {
    return this.#consumers.get(value) ?? [];
  }

  refusal(what: string): DlAdmmError {
    return new DlAdmmError('ERR_DLADMM_FORMAT', `${this.file} cannot be read as an ONNX network: ${what}`);
  }

  /** The input of a node that is a tensor of numbers, or undefined where it is left out. */
  constant(node: OnnxNode, index: number): Constant | undefined {
    const name = node.inputs[index];
    if (name === undefined || name === '') return undefined;
    const constant = this.constants.get(name);
    if (constant) return constant;
    throw this.refusal(`input ${index} of ${nameOf(node)} is not constant`);
  }

  /** The values, which nothing else may take: a small file could make a large network of one tensor. */
  take(constant: Constant, node: OnnxNode): Numbers {
    if (this.#taken.has(constant.origin)) throw this.refusal(`${nameOf(node)} shares its numbers with another node`);
    this.#taken.add(constant.origin);
    return this.numbers(constant);
  }

  numbers({ tensor, transposed }: Constant): Numbers {
    const values = numbersOf(tensor, this.file);
    const [rows = 1, columns = 1] = tensor.dims;
    return transposed ? swapped(values, rows, columns) : values;
  }
}

/** columns × rows, from rows × columns. */
export function swapped(values: Numbers, rows: number, columns: number): Numbers {
  const out = values.slice();
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) out[j * rows + i] = values[i * columns + j] as number;
  }
  return out;
}

/** Initializers, constants, and what is only a form of one. */
function constantsOf({ initializers, nodes }: OnnxModel, file: string): ReadonlyMap<string, Constant> {
  const constants = new Map<string, Constant>();
  const add = (name: string, tensor: OnnxTensor): void =>
    void constants.set(name, { origin: name, shape: tensor.dims, tensor, transposed: false });
  for (const [name, tensor] of initializers) add(name, tensor);
  for (const node of nodes) {
    const [output] = node.outputs;
    const from = constants.get(node.inputs[0] ?? '');
    if (output === undefined) continue;
    if (node.op === 'Constant') {
      const tensor = tensorIn(node, 'value', file);
      if (tensor) add(output, tensor);
    } else if (from && (node.op === 'Identity' || node.op === 'Cast')) {
      constants.set(output, from);
    } else if (from && node.op === 'Transpose' && from.shape.length === 2) {
      const order = attributeOf(node, 'perm')?.wholes ?? [];
      const swaps = order.length === 0 || order.join() === '1,0';
      const shape = swaps ? [from.shape[1] as number, from.shape[0] as number] : from.shape;
      constants.set(output, { ...from, shape, transposed: swaps !== from.transposed });
    }
  }
  return constants;
}

/** The float attribute, as the shortest decimal that rounds to it: 0.01 stands for 0.009999999776… */
export function floatAttribute(node: OnnxNode, name: string, otherwise: number): number {
  const value = attributeOf(node, name)?.float ?? otherwise;
  for (let digits = 1; digits < 9; digits += 1) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === Math.fround(value)) return shorter;
  }
  return value;
}

export const wholeAttribute = (node: OnnxNode, name: string, otherwise: number): number =>
  attributeOf(node, name)?.whole ?? otherwise;

export function inRange(graph: Graph, node: OnnxNode, name: string, value: number): number {
  if (Number.isFinite(value)) return value;
  throw graph.refusal(`${name} of ${nameOf(node)} is ${value}`);
}
