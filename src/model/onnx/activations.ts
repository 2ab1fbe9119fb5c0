/** Activations as operators of ONNX. Those that multiply their input by a gate are several nodes. */
import type { Activation, NamedActivation } from '../../network/network.js';
import { floatAttribute, type Graph, inRange, nameOf } from './graph.js';
import { attributeOf } from './proto.js';
import type { OnnxNode } from './schema.js';

/** The operators that are one node; `Gelu` is there from version 20 of the set on, `Swish` from version 24. */
export const OPERATORS: Readonly<Record<NamedActivation, string>> = {
  relu: 'Relu',
  identity: 'Identity',
  sigmoid: 'Sigmoid',
  tanh: 'Tanh',
  elu: 'Elu',
  silu: 'Swish',
  gelu: 'Gelu',
  softplus: 'Softplus',
};

/** The activation that a node is; Identity is none in particular. */
export function activationOf(graph: Graph, node: OnnxNode): Activation | undefined {
  if (node.op === 'LeakyRelu') return { leakyRelu: inRange(graph, node, 'alpha', floatAttribute(node, 'alpha', 0.01)) };
  const alpha = floatAttribute(node, 'alpha', 1);
  if (node.op === 'Elu' && alpha > 0 && alpha !== 1) return { elu: inRange(graph, node, 'alpha', alpha) };
  const form = attributeOf(node, 'approximate')?.text ?? 'none';
  if (form !== 'none')
    throw graph.refusal(`${nameOf(node)} is approximated by ${form}; networks here have the exact one`);
  if (['Elu', 'Swish'].includes(node.op) && alpha !== 1) {
    throw graph.refusal(`${nameOf(node)} has alpha ${alpha}, which networks here have not`);
  }
  return (Object.keys(OPERATORS) as NamedActivation[]).find(
    (name) => name !== 'identity' && OPERATORS[name] === node.op,
  );
}

/** An activation of several nodes, its last node, and the value that it makes. */
export interface Gated {
  readonly activation: NamedActivation;
  readonly node: OnnxNode;
  readonly output: string;
}

/** x · σ(x), or x (1 + erf(x / √2)) / 2 in the order in which PyTorch writes it, from `value` = x on. */
export function gatedOf(graph: Graph, value: string): Gated | undefined {
  const consumers = graph.consumersOf(value);
  const product = consumers.find(
    ({ op, inputs }) => op === 'Mul' && inputs.every((name) => !graph.constants.has(name)),
  );
  const gate = consumers.find((node) => node !== product);
  if (!product || !gate || consumers.length !== 2) return undefined;
  const factor = product.inputs.find((name) => name !== value);
  /** The one node behind `node`, if it is of this kind, with this constant. */
  const behind = (node: OnnxNode | undefined, op: string, number?: number): OnnxNode | undefined => {
    const [next, other] = graph.consumersOf(node?.outputs[0] ?? '');
    if (!next || other || next.op !== op) return undefined;
    return number === undefined || holds(graph, next, number) ? next : undefined;
  };
  const ends = (node: OnnxNode | undefined): boolean => node !== undefined && node.outputs[0] === factor;
  if (gate.op === 'Sigmoid') {
    return ends(gate) ? { activation: 'silu', node: product, output: product.outputs[0] ?? '' } : undefined;
  }
  const scaled =
    (gate.op === 'Div' && holds(graph, gate, Math.SQRT2)) || (gate.op === 'Mul' && holds(graph, gate, Math.SQRT1_2));
  if (!scaled || !ends(behind(behind(gate, 'Erf'), 'Add', 1))) return undefined;
  const half = behind(product, 'Mul', 0.5) ?? behind(product, 'Div', 2);
  return half && { activation: 'gelu', node: half, output: half.outputs[0] ?? '' };
}

/** Whether one input of a node is this number, as float32 has it. */
function holds(graph: Graph, node: OnnxNode, number: number): boolean {
  return node.inputs.some((name) => {
    const constant = graph.constants.get(name);
    const values = constant && graph.numbers(constant);
    return values?.length === 1 && Math.fround(values[0] as number) === Math.fround(number);
  });
}
