import { describe, expect, it } from 'vitest';
import { alignLabels } from '../../src/samples/align.js';
import { expectFailure } from '../formats/support.js';

describe('alignLabels', () => {
  it('matches classes by their names', () => {
    const labels = Int32Array.of(0, 1, 1);
    expect([...alignLabels(labels, ['a', 'c'], ['c', 'b', 'a'], 'file')]).toEqual([2, 0, 0]);
    expect([...labels]).toEqual([0, 1, 1]);
  });

  it('does not mind a class that no label has', () => {
    expect([...alignLabels(Int32Array.of(1), ['unused', 'a'], ['a'], 'file')]).toEqual([0]);
  });

  it('takes plain numbers for the numbers of named classes', () => {
    expect([...alignLabels(Int32Array.of(1, 0), ['0', '1'], ['cat', 'dog', 'emu'], 'file')]).toEqual([1, 0]);
  });

  it('refuses a class that is not there', async () => {
    const align = (from: string[], to: string[], label: number) => () =>
      alignLabels(Int32Array.of(label), from, to, 'f');
    await expectFailure(
      align(['a', 'x'], ['a', 'b'], 1),
      'ERR_DLADMM_LABEL',
      'f has the class "x"; expected one of a, b',
    );
    await expectFailure(align(['0', '1', '2'], ['cat', 'dog'], 2), 'ERR_DLADMM_LABEL', 'cat, dog');
    await expectFailure(align(['0', '1', '2'], ['0', '1'], 2), 'ERR_DLADMM_LABEL', '"2"');
  });
});
