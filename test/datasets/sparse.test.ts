import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { strToU8, unzipSync, zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { encodeNpy, parseSparse, readSparse } from '../../src/data.js';
import { expectFailure, resultOrRefusal, withBit } from '../formats/support.js';

/** What SciPy 1.17.1 wrote of [[0, 1.5, 0, 0], [0, 0, 0, 0], [2, 0, 0, -3]]. */
const path = (format: string): string => fileURLToPath(new URL(`../fixtures/sparse/${format}.npz`, import.meta.url));
const MATRIX = { rows: 3, columns: 4, data: Float64Array.of(1.5, 2, -3), indices: Int32Array.of(1, 0, 3) };

describe('a sparse matrix of SciPy', () => {
  test('is read as it was saved', async () => {
    expect(await readSparse(path('csr'))).toEqual({ ...MATRIX, indptr: Int32Array.of(0, 1, 1, 3) });
  });

  test('is refused where its rows are not compressed', async () => {
    await expectFailure(
      () => readSparse(path('csc')),
      'ERR_DLADMM_FORMAT',
      'expected a sparse matrix in compressed rows, as scipy.sparse.save_npz(path, x.tocsr()) writes it, but it is of the format csc',
    );
  });

  test.each<[string, Record<string, Uint8Array>, string]>([
    ['an index out of range', { 'indices.npy': encodeNpy({ data: Int32Array.of(1, 0, 4), shape: [3] }) }, 'indices'],
    [
      'a place that decreases',
      { 'indptr.npy': encodeNpy({ data: Int32Array.of(0, 2, 1, 3), shape: [4] }) },
      'decrease',
    ],
    ['too few rows', { 'indptr.npy': encodeNpy({ data: Int32Array.of(0, 3), shape: [2] }) }, 'one a row'],
    ['too few values', { 'data.npy': encodeNpy({ data: Float64Array.of(1), shape: [1] }) }, '3 values'],
    ['no format', { 'format.npy': strToU8('') }, 'says no format'],
  ])('is refused with %s', async (_, damage, message) => {
    const entries = unzipSync(new Uint8Array(await readFile(path('csr'))));
    await expectFailure(() => parseSparse(zipSync({ ...entries, ...damage }), 'm.npz'), 'ERR_DLADMM_FORMAT', message);
  });

  test('is refused with NaN, and without one of its arrays', async () => {
    const { 'indptr.npy': _, ...entries } = unzipSync(new Uint8Array(await readFile(path('csr'))));
    await expectFailure(() => parseSparse(zipSync(entries), 'm.npz'), 'ERR_DLADMM_FORMAT', 'indptr');
    const bad = { 'data.npy': encodeNpy({ data: Float64Array.of(1, Number.NaN, 2), shape: [3] }) };
    const whole = unzipSync(new Uint8Array(await readFile(path('csr'))));
    await expectFailure(() => parseSparse(zipSync({ ...whole, ...bad }), 'm.npz'), 'ERR_DLADMM_NON_FINITE', 'NaN');
  });

  test('with any bit turned, or cut anywhere, is read or refused', async () => {
    const bytes = new Uint8Array(await readFile(path('csr')));
    for (let bit = 0; bit < 8 * bytes.length; bit += 3)
      await resultOrRefusal(() => parseSparse(withBit(bytes, bit), 'm.npz'));
    for (let end = 0; end < bytes.length; end += 1) {
      expect(await resultOrRefusal(() => parseSparse(bytes.slice(0, end), 'm.npz'))).toBeUndefined();
    }
  });
});
