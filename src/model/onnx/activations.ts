/** The operators of ONNX that are activations here; a leaky ReLU has an attribute besides. */
import type { NamedActivation } from '../../network/network.js';

export const OPERATORS: Readonly<Record<NamedActivation, string>> = {
  relu: 'Relu',
  identity: 'Identity',
  sigmoid: 'Sigmoid',
  tanh: 'Tanh',
};

/** The activation that an operator is; Identity is none in particular. */
export const activationNamed = (operator: string): NamedActivation | undefined =>
  (Object.keys(OPERATORS) as NamedActivation[]).find((name) => name !== 'identity' && OPERATORS[name] === operator);
