import { describe, expect, test } from 'vitest';
import { DlAdmmError } from '../../src/core/errors.js';
import * as data from '../../src/data.js';
import { isReader, reader } from '../../src/formats/reader.js';
import * as graph from '../../src/graph.js';
import * as main from '../../src/index.js';
import * as onnx from '../../src/onnx.js';

/** Named data are found, and then read by a reader. */
const FINDERS = ['loadDataset', 'loadGraph'];

test('every face of the package that takes a file or its bytes is made by reader', () => {
  const faces = Object.entries({ ...main, ...data, ...graph, ...onnx }).filter(
    ([name]) => /^(?:parse|read|import|load)[A-Z]/.test(name) && !FINDERS.includes(name),
  );
  expect(faces.length).toBeGreaterThan(15);
  expect(faces.filter(([, face]) => !isReader(face)).map(([name]) => name)).toEqual([]);
});

describe('what a reader throws that is no error of ours becomes one', () => {
  const own = new DlAdmmError('ERR_DLADMM_LABEL', 'mine');
  test.each([
    ['what its code did not foresee', new TypeError('x is not iterable'), 'ERR_DLADMM_FORMAT', 'a.csv cannot be read'],
    ['a full stack', new RangeError('Maximum call stack size exceeded'), 'ERR_DLADMM_FORMAT', 'call stack'],
    ['an array too long', new RangeError('Array buffer allocation failed'), 'ERR_DLADMM_MEMORY', 'fit into memory'],
    ['an error of the system', Object.assign(new Error('read'), { code: 'EIO', errno: -5 }), 'ERR_DLADMM_FILE', 'EIO'],
    ['what is no error at all', 'a text', 'ERR_DLADMM_FORMAT', 'a text'],
    ['an error of ours, which stays', own, 'ERR_DLADMM_LABEL', 'mine'],
  ])('%s', async (_, thrown, code, message) => {
    const fail = (): never => {
      throw thrown;
    };
    const expected = expect.objectContaining({ code, message: expect.stringContaining(message) });
    expect(() => reader((_bytes: Uint8Array, _name: string) => fail())(new Uint8Array(), 'a.csv')).toThrow(expected);
    await expect(reader(async (_name: string) => fail())('a.csv')).rejects.toThrow(expected);
  });
});
