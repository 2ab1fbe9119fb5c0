/** What of an ONNX graph can be looked up: what does not depend on its input, and who makes and takes which value. */
import { DlAdmmError } from '../../core/errors.js';
import type { Numbers } from '../../core/native.js';
import { type Constant, constantsOf, valuesOf, wholesOf } from './constants.js';
import { attributeOf, type OnnxModel, sizeOf } from './proto.js';
import type { OnnxNode } from './schema.js';

export const nameOf = ({ name, op }: OnnxNode): string => `node ${JSON.stringify(name.slice(0, 60) || op)} (${op})`;

/** What helps in general. */
const SIMPLIFY =
  'export it with model.eval() and torch.onnx.export(…, do_constant_folding=True), or simplify it with onnxsim';

/** What a walk over the graph looks things up in. */
export class Graph {
  readonly file: string;
  readonly constants: ReadonlyMap<string, Constant>;
  readonly #consumers: ReadonlyMap<string, readonly OnnxNode[]>;
  readonly #makers: ReadonlyMap<string, OnnxNode>;
  readonly #taken = new Set<string>();

  constructor(model: OnnxModel, file: string) {
    this.file = file;
    this.constants = constantsOf(model, file);
    const consumers = new Map<string, OnnxNode[]>();
    const makers = new Map<string, OnnxNode>();
    for (const node of model.nodes) {
      for (const output of node.outputs) makers.set(output, node);
      for (const input of new Set(node.inputs)) {
        const known = consumers.get(input);
        if (known) known.push(node);
        else consumers.set(input, [node]);
      }
    }
    this.#makers = makers;
    this.#consumers = consumers;
  }

  consumersOf(value: string): readonly OnnxNode[] {
    return this.#consumers.get(value) ?? [];
  }

  /** Who takes the values themselves, and not only their shape. */
  takersOf(value: string): readonly OnnxNode[] {
    return this.consumersOf(value).filter((node) => !this.#asksForShape(node));
  }

  #asksForShape(node: OnnxNode, depth = 0): boolean {
    if (node.op === 'Shape' || node.op === 'Size') return true;
    if (!['Gather', 'Slice', 'Identity'].includes(node.op) || depth > 4) return false;
    const next = this.consumersOf(node.outputs[0] ?? '');
    return next.length > 0 && next.every((consumer) => this.#asksForShape(consumer, depth + 1));
  }

  makerOf(value: string): OnnxNode | undefined {
    return this.#makers.get(value);
  }

  /** An error that says what stands in the way, and what helps. */
  refusal(what: string, remedy = SIMPLIFY): DlAdmmError {
    const text = `${this.file} cannot be read as an ONNX network: ${what}; ${remedy}`;
    return new DlAdmmError('ERR_DLADMM_FORMAT', text);
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
    if (sizeOf(constant.shape) > 1) {
      if (this.#taken.has(constant.origin)) {
        const why = 'layers here have weights of their own: import the layers from a state dict';
        throw this.refusal(`${nameOf(node)} shares its numbers with another node`, why);
      }
      this.#taken.add(constant.origin);
    }
    return this.numbers(constant);
  }

  numbers(constant: Constant): Numbers {
    return valuesOf(constant, this.file);
  }

  /** The one number of a constant that has one. */
  scalar(name: string): number | undefined {
    const constant = this.constants.get(name);
    if (!constant || sizeOf(constant.shape) !== 1) return undefined;
    return wholesOf(constant, this.file)?.[0] ?? this.numbers(constant)[0];
  }

  /** Whole numbers that do not depend on the input, such as a shape. */
  wholes(name: string): readonly number[] | undefined {
    const constant = this.constants.get(name);
    if (constant) return wholesOf(constant, this.file);
    const maker = this.makerOf(name);
    if (maker?.op !== 'Constant') return undefined;
    const one = attributeOf(maker, 'value_int')?.whole;
    return one === undefined ? attributeOf(maker, 'value_ints')?.wholes : [one];
  }
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
