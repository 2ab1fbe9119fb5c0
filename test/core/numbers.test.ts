import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { DlAdmmError, messageOf, systemCode } from '../../src/core/errors.js';
import { arrayKind, dtypeOf, inDtype, isNumbers } from '../../src/core/numbers.js';
import { encodeNpy, parseNpy } from '../../src/formats/npy.js';
import { decodeSafetensors, encodeSafetensors } from '../../src/formats/safetensors.js';
import { nativeCsr } from '../../src/tensor/csr.js';
import { isNumericArray, rowSource } from '../../src/tensor/inputs.js';

// What a vm context, jest or an iframe makes is no instance of our classes, and is as good.
const elsewhere = <T>(code: string): T => runInNewContext(code) as T;
const floats = elsewhere<Float32Array>('new Float32Array([1, 2, 3, 4])');

it('typed arrays of another realm are what they are', () => {
  expect(floats instanceof Float32Array).toBe(false);
  expect([isNumbers(floats), dtypeOf(floats), arrayKind(floats)]).toEqual([true, 'float32', 'Float32Array']);
  expect(inDtype(floats, 'float32')).toBe(floats);
  expect(isNumericArray(elsewhere('new Int16Array(2)'))).toBe(true);
  for (const code of ['new DataView(new ArrayBuffer(8))', 'new BigInt64Array(1)', '[1]', 'null']) {
    expect(isNumericArray(elsewhere(code))).toBe(false);
  }
});

it('and are taken as samples, sparse matrices and tensors', () => {
  expect([...rowSource(floats, 2, 'x').chunk(1, 1)]).toEqual([3, 4]);
  const parts = { data: floats, indices: elsewhere<Int32Array>('new Int32Array([0, 1, 0, 1])') };
  const csr = nativeCsr({ ...parts, indptr: Int32Array.of(0, 2, 4), rows: 2, columns: 2 }, 'A');
  expect([csr.values, csr.indices]).toEqual([floats, parts.indices]);
  expect(parseNpy(encodeNpy({ data: floats, shape: [2, 2] }), 'a.npy').data).toEqual(Float32Array.of(1, 2, 3, 4));
  const tensor = { dtype: 'F32', shape: [4], data: floats } as const;
  const { tensors } = decodeSafetensors(encodeSafetensors(new Map([['W', tensor]]), {}), 'a.safetensors');
  expect(tensors.get('W')?.data).toEqual(Float32Array.of(1, 2, 3, 4));
});

it('errors of another realm say what they say, and anything thrown is shown', () => {
  expect(messageOf(elsewhere('new TypeError("no")'))).toBe('no');
  expect(systemCode(elsewhere('Object.assign(new Error("gone"), { code: "ENOENT" })'))).toBe('ENOENT');
  expect(messageOf(new DlAdmmError('ERR_DLADMM_FILE', 'ours'))).toBe('ours');
  expect([messageOf('text'), messageOf(undefined), systemCode(null)]).toEqual([
    '"text" (string)',
    'undefined',
    undefined,
  ]);
});
