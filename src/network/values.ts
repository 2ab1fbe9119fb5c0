/** What options of more than one room are: activations and losses by their names, and lists of names. */
import { isRevoked } from '../core/objects.js';
import { ACTIVATION_NAMES, type Activation, checkActivation, checkLoss, LOSSES, type Loss } from './network.js';
import { type ValueType, valueType } from './schema.js';

export const ACTIVATION: ValueType<Activation> = {
  type: `${ACTIVATION_NAMES.map((name) => `'${name}'`).join(' | ')} | { leakyRelu: slope } | { elu: alpha }`,
  typed: { as: 'activation' },
  check: (value) => {
    checkActivation(value);
    return typeof value === 'object' ? { ...value } : value;
  },
};

export const LOSS: ValueType<Loss> = {
  type: LOSSES.map((known) => `'${known}'`).join(' | '),
  typed: { as: 'word', words: LOSSES },
  check: (value) => {
    checkLoss(value);
    return value;
  },
};

const areNames = (value: unknown): boolean =>
  !isRevoked(value) && Array.isArray(value) && value.every((name) => typeof name === 'string');

export const NAMES = valueType<readonly string[]>('array of names', areNames, 'an array of names', { as: 'names' });
