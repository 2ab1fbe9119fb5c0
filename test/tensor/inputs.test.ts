import { expect, test } from 'vitest';
import { encoded } from '../../src/samples/encoded.js';
import { frameOf } from '../../src/samples/framing.js';
import { standardised } from '../../src/samples/standardise.js';
import { allRows, eachChunk, labelArray, rowSource, rowsOf } from '../../src/tensor/inputs.js';

const ROWS = 70_000;
const records = Array.from({ length: ROWS }, (_, i) => ({ age: i % 90, kind: i % 3 === 0 ? 'a' : 'b' }));
const frame = await frameOf(records, { name: 'rows' });
const columns = [{ name: 'age' }, { name: 'kind', categories: ['a', 'b'] }];
const rule = { mean: Float64Array.of(1, 0, 0), scale: Float64Array.of(2, 1, 1) };

test('rows that are made for a pass are made in the same memory, and are those of another pass', async () => {
  const { x } = await encoded(frame, columns);
  const { x: other } = await encoded(frame, columns);
  for (const source of [x, standardised(other, rule, 'float32')]) {
    const whole = await allRows(source);
    const seen = new Set<unknown>();
    await eachChunk(source, (chunk, first) => {
      seen.add(chunk.buffer);
      expect(whole.subarray(3 * first, 3 * first + chunk.length).every((value, i) => value === chunk[i])).toBe(true);
    });
    // The last has fewer rows.
    expect(seen.size).toBe(2);
  }
});

test('samples of the caller stay as they are, however they are gone through', async () => {
  const given = Float64Array.from({ length: 3 * ROWS }, (_, i) => i);
  const before = given.slice();
  for (const source of [rowSource(given, 3, 'x'), standardised(rowSource(given, 3, 'x'), rule, 'float64')]) {
    let spent: Awaited<ReturnType<typeof rowsOf>> | undefined;
    for (const count of [10, 10, 30_000, 30_000, 7]) spent = await rowsOf(source, 0, count, spent);
    await eachChunk(source, () => true);
    await allRows(source);
  }
  expect(given).toEqual(before);
});

test('class numbers are checked whatever they come in', () => {
  for (const labels of [Int32Array.of(0, 2), [0, 2], Float64Array.of(0, 2)]) {
    expect(labelArray(labels, 2, 3, 'labels')).toEqual(Int32Array.of(0, 2));
    expect(() => labelArray(labels, 2, 2, 'labels')).toThrow(/labels\[1\]/);
  }
  const own = Int32Array.of(1, 0);
  expect(labelArray(own, 2, 2, 'labels')).not.toBe(own);
});
