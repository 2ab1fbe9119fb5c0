import { describe, expect, test } from 'vitest';
import { DlAdmmError } from '../../src/core/errors.js';
import * as data from '../../src/data.js';
import { isReader, reader } from '../../src/formats/reader.js';
import * as graph from '../../src/graph.js';
import * as main from '../../src/index.js';
import * as onnx from '../../src/onnx.js';
import { expectFailure } from './support.js';

/** Named data are found, and then read by a reader. */
const FINDERS = ['loadDataset', 'loadGraph'];

test('every face of the package that takes a file or its bytes is made by reader', () => {
  const faces = Object.entries({ ...main, ...data, ...graph, ...onnx }).filter(
    ([name]) => /^(?:parse|read|import|load)[A-Z]/.test(name) && !FINDERS.includes(name),
  );
  expect(faces.length).toBeGreaterThan(15);
  expect(faces.filter(([, face]) => !isReader(face)).map(([name]) => name)).toEqual([]);
});

test('what is no bytes is no damaged file', async () => {
  const { parseArrow, parseCsv, parseIdx, parseLibsvm, parseNpy, parseNpz, parseParquet, parseSparse } = data;
  for (const parse of [parseArrow, parseIdx, parseLibsvm, parseNpy, parseNpz, parseParquet, parseSparse] as const) {
    for (const wrong of ['1 1:2', null, undefined, [1], {}])
      await expectFailure(
        () => parse(wrong as never, 'it'),
        'ERR_DLADMM_ARGUMENT',
        /the bytes of a file, a Uint8Array,/,
      );
    const text = /new Uint8Array\(buffer\) is one/;
    await expectFailure(() => parse(new ArrayBuffer(8) as never, 'it'), 'ERR_DLADMM_ARGUMENT', text);
  }
  for (const wrong of [null, undefined, 5, {}])
    await expectFailure(() => parseCsv(wrong as never, 'it'), 'ERR_DLADMM_ARGUMENT', /a stream of text or bytes/);
});

test('what is in a file is no path of one, and errors show its beginning alone', async () => {
  for (const text of [`a,b\n${'1,2\n'.repeat(3000)}`, `[{ "a": 1 }, ${'{ "a": 2 }, '.repeat(3000)}]`]) {
    for (const read of [() => main.fit(text, { target: 'b' }), () => main.Model.load(text), () => data.readCsv(text)]) {
      const { message } = await expectFailure(read, 'ERR_DLADMM_FILE', /a text is a path: what is in a file is parsed/);
      expect(message.length).toBeLessThan(200);
    }
  }
});

test('every face that takes options refuses a slip in them, and what are none, before it reads', async () => {
  const bytes = new Uint8Array();
  const model = new main.Model({
    network: { layers: [1, 1], activation: 'relu', loss: 'squared-error' },
    dtype: 'float64',
    weights: [Float64Array.of(1)],
    biases: [Float64Array.of(0)],
  });
  const faces: readonly (readonly [string, (options: never) => unknown])[] = [
    ['readTable', (options) => data.readTable('nowhere', options)],
    ['readCsv', (options) => data.readCsv('nowhere', options)],
    ['readParquet', (options) => data.readParquet('nowhere', options)],
    ['readArrow', (options) => data.readArrow('nowhere', options)],
    ['readNpz', (options) => data.readNpz('nowhere', options)],
    ['parseCsv', (options) => data.parseCsv(bytes, 'x', options)],
    ['parseParquet', (options) => data.parseParquet(bytes, 'x', options)],
    ['parseArrow', (options) => data.parseArrow(bytes, 'x', options)],
    ['parseNpz', (options) => data.parseNpz(bytes, 'x', options)],
    ['readGraph', (options) => graph.readGraph('nowhere', options)],
    ['parseGraph', (options) => graph.parseGraph(bytes, 'x', options)],
    ['loadGraph', (options) => graph.loadGraph('cora', options)],
    ['listGraphs', (options) => graph.listGraphs(options)],
    ['splitGraph', async (options) => graph.splitGraph({ labels: Int32Array.of(0, 1) }, 1, options)],
    ['loadDataset', (options) => data.loadDataset('iris', options)],
    ['listDatasets', (options) => data.listDatasets(options)],
    ['download', (options) => data.download('http://127.0.0.1:9/x', '/nowhere/x', '0'.repeat(64), options)],
    ['importOnnx', (options) => onnx.importOnnx('nowhere', options)],
    ['importStateDict', (options) => onnx.importStateDict('nowhere', options)],
    ['searchPath', async (options) => data.searchPath(options)],
    ['predict', (options) => model.predict([[1]] as never, options)],
    ['evaluate', (options) => model.evaluate({ x: [[1]], y: [1] }, options)],
  ];
  for (const [name, face] of faces) {
    for (const options of [{ lable: 1 }, { signal: 5, lable: 1 }, null, 5, 'x']) {
      const refused = expect.objectContaining({
        code: 'ERR_DLADMM_ARGUMENT',
        message: expect.stringMatching(/options/),
      });
      await expect(face(options as never), `${name} ${JSON.stringify(options)}`).rejects.toEqual(refused);
    }
  }
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
