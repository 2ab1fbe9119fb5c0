/** Activations as operators of ONNX: what a file that is written has for each. */
import type { NamedActivation } from '../../network/network.js';

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
