/** Weights that are to be equal: inputs of a layer, in groups, whose columns of W_l are one. */
import { repeated } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import type { NativeRegulariser } from '../../core/native-faces.js';
import { isRevoked } from '../../core/objects.js';
import { option, type ValueType } from '../../network/schema.js';

/** Inputs, by name or by place from 0, in groups of two and more. */
export type Groups = readonly (readonly (string | number)[])[];

const isPlace = (one: unknown): boolean =>
  typeof one === 'number' ? Number.isInteger(one) && one >= 0 : typeof one === 'string' && one !== '';

const groups: ValueType<Groups> = {
  type: '[[input, input, …], …]',
  typed: { as: 'groups' },
  check(value, name) {
    if (!Array.isArray(value)) throw expected('lists of inputs that are equal, [[0, 1], …],', name, value);
    for (const [i, group] of value.entries()) {
      const good = !isRevoked(group) && Array.isArray(group) && group.length > 1 && group.every(isPlace);
      if (!good) throw expected('two or more inputs, by name or place from 0,', `${name}[${i}]`, group);
    }
    const twice = repeated((value as Groups).flat().map(String));
    if (twice !== undefined) throw expected('every input once', name, twice, 'ERR_DLADMM_RANGE');
    return value as Groups;
  },
};

/** A term of one layer. */
export const EQUAL_TERM = option(groups, {
  otherwise: 'none',
  says: 'Inputs in groups, by place from 0: W_·k is one for all k of a group.',
});

/** Of the first layer, by the names of columns. */
export const EQUAL = option(groups, {
  otherwise: 'none',
  says: 'Inputs in groups, whose weights in the first layer are equal: by the names of numeric columns, or by places from 0 (docs/regularisers.md).',
});

/**
 * As the addon takes it: the number of its group from 1 for each input, 0 where it is alone.
 *
 * @throws DlAdmmError ERR_DLADMM_RANGE
 */
export function numbered(of: Groups, inputs: number, name: string): Int32Array {
  const found = new Int32Array(inputs);
  for (const [i, group] of of.entries()) {
    for (const one of group) {
      const known = /^\d+$/.test(String(one)) && Number(one) < inputs;
      const what = `numeric columns by name, or places of inputs from 0 to ${inputs - 1},`;
      if (!known) throw expected(what, name, one, 'ERR_DLADMM_RANGE');
      found[Number(one)] = i + 1;
    }
  }
  return found;
}

/** Whether every two that are equal have one sign. */
export const agrees = ({ equal }: NativeRegulariser, signs: Int32Array): boolean => {
  const first = new Map<number, number | undefined>();
  return (equal ?? new Int32Array(0)).every((group, k) => {
    if (group === 0) return true;
    if (!first.has(group)) first.set(group, signs[k]);
    return first.get(group) === signs[k];
  });
};
