import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { firstOf, heldOut, type Samples } from '../../dist/bench/harness/samples.js';
import { autoencoder } from '../../dist/bench/tasks/task.js';
import { ALPHABET, encode, fold, windows } from '../../dist/bench/tasks/text.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('a text', () => {
  test('is folded to the alphabet', () => {
    expect(fold('“Call me\n\n Ishmael” — 1851,\tthe whale’s Café*\n')).toBe(`"call me ishmael" - , the whale's cafe`);
    expect(fold(' \n')).toBe('');
  });

  test('is the places of its characters', () => {
    expect(Array.from(encode(' ab'))).toEqual([0, 1, 2]);
  });

  test('that the project ships has no character outside the alphabet once folded, and all within', async () => {
    const codes = encode(fold(await readFile(join(root, 'data/text/moby-dick.txt'), 'utf8')));
    expect(codes.length).toBeGreaterThan(190_000);
    expect([...new Set(codes)].sort((left, right) => left - right)).toEqual(Array.from(ALPHABET, (_, i) => i));
  });
});

describe('the windows of a text', () => {
  const { x, labels } = windows(encode('abac'), 2);

  test('are as many as characters have enough before them, each labelled with what follows', () => {
    expect([x.rows, x.columns]).toEqual([2, 2 * ALPHABET.length]);
    expect(labels).toEqual(encode('ac'));
    expect(windows(encode('ab'), 2).x.rows).toBe(0);
    expect(windows(encode('a'), 2)).toMatchObject({ x: { rows: 0 }, labels: new Int32Array() });
  });

  test('are one-hot, in the order of the characters', () => {
    const ones = Array.from(x.data.entries()).flatMap(([i, value]) => (value === 0 ? [] : [[i, value]]));
    const size = ALPHABET.length;
    const [a, b] = [1, 2];
    expect(ones).toEqual([
      [a, 1],
      [size + b, 1],
      [2 * size + b, 1],
      [3 * size + a, 1],
    ]);
  });
});

describe('the samples', () => {
  const x = { data: Float32Array.from({ length: 42 }, (_, i) => i), rows: 21, columns: 2 };
  const labels = Int32Array.from({ length: 21 }, (_, i) => i);

  test('are cut with their labels or targets', () => {
    const { x: cut, labels: kept, y } = firstOf<Samples>({ x, labels }, 2);
    expect([Array.from(cut.data), cut.rows, Array.from(kept ?? []), y]).toEqual([[0, 1, 2, 3], 2, [0, 1], undefined]);
    expect(firstOf({ x, y: x }, 2).y?.data).toEqual(Float32Array.of(0, 1, 2, 3));
    expect(firstOf({ x, labels }, 100).x.rows).toBe(21);
  });

  test('lose their last tenth to the choice of settings', () => {
    const { train, test: held } = heldOut({ x, labels });
    expect([train.x.rows, held.x.rows]).toEqual([18, 3]);
    expect(Array.from(held.labels ?? [])).toEqual([18, 19, 20]);
    expect(Array.from(held.x.data)).toEqual([36, 37, 38, 39, 40, 41]);
  });
});

test('the pixels of an autoencoder are in [0, 1], inputs and targets alike', async () => {
  const { layers, train } = await autoencoder('digits', undefined);
  expect(layers).toEqual([64, 256, 32, 256, 64]);
  expect(train.y).toBe(train.x);
  expect(Math.max(...train.x.data)).toBe(1);
  await expect(autoencoder('wine', undefined)).rejects.toMatchObject({ code: 'ERR_DLADMM_DATASET' });
});
