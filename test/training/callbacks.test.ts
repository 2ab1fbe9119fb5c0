import { expect, test } from 'vitest';
import { crossValidate, search } from '../../src/choosing.js';
import { compress } from '../../src/compress.js';
import { fit } from '../../src/index.js';

// A function of the caller's may be asynchronous: it is waited for, and what it rejects with is what a throw is.

const ROWS = Array.from({ length: 100 }, (_, i) => ({ a: i % 7, b: i % 5, kind: i % 7 > 3 ? 'p' : 'q' }));
const QUICK = { target: 'kind', threads: 1, epochs: 2, hidden: [2], solver: 'adam' } as const;
const { model } = await fit(ROWS, QUICK);

test.each<[string, (called: () => Promise<void>) => Promise<unknown>]>([
  ['onIteration', (called) => fit(ROWS, { ...QUICK, onIteration: called })],
  ['onTrial', (called) => search(ROWS, { ...QUICK, hidden: [[], [2]] }, { trials: 2, folds: 2, onTrial: called })],
  ['onFold', (called) => crossValidate(ROWS, QUICK, { folds: 2, onFold: called })],
  ['onStep', (called) => compress(model, ROWS, { sparsity: 0.5, onStep: called })],
  ['onStep of few bits', (called) => compress(model, ROWS, { quantise: 'int8', onStep: called })],
])('%s is waited for, and its rejection is the rejection', async (_, call) => {
  let under = 0;
  await call(async () => {
    under += 1;
    await new Promise((resolve) => setTimeout(resolve, 2));
    under -= 1;
  });
  expect(under).toBe(0);
  const error = new Error('no');
  await expect(call(() => Promise.reject(error))).rejects.toBe(error);
});
