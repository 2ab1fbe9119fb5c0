import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as choosing from '../../src/choosing.js';
import { compress } from '../../src/compress.js';
import * as data from '../../src/data.js';
import * as graph from '../../src/graph.js';
import * as root from '../../src/index.js';
import * as onnx from '../../src/onnx.js';
import * as solvers from '../../src/solvers.js';

// Whatever takes options refuses one that it does not know, and one that is of the wrong kind, by a typed error.

type Bad = Readonly<Record<string, unknown>>;
const ROWS = Array.from({ length: 60 }, (_, i) => ({ a: Math.sin(i), b: i % 7, y: i % 2 ? 'yes' : 'no' }));
const SAMPLES = { x: ROWS.map(({ a, b }) => [a, b]), labels: ROWS.map(({ y }) => y) };
const ENDS = { target: 'y', solver: 'adam', epochs: 1 } as const;
const NOTHING = new Uint8Array(8);

const folder = mkdtempSync(join(tmpdir(), 'dladmm-unknown-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
let model: root.Model;
let plain: root.Model;
beforeAll(async () => {
  await writeFile(at('rows.csv'), ['a,b,y', ...ROWS.map(({ a, b, y }) => [a, b, y])].join('\n'));
  model = (await root.fit(ROWS, { ...ENDS, checkpoint: { path: at('checkpoint'), every: 1 } })).model as root.Model;
  plain = (await root.fit(SAMPLES, { layers: [2, 2], solver: 'adam', epochs: 1 })).model as root.Model;
});

/** What takes options, called with those that it needs and a bad one; where it has one that can be of the wrong kind, its name. */
const TAKERS: Readonly<Record<string, readonly [(bad: never) => unknown, string?]>> = {
  fit: [(bad: Bad) => root.fit(ROWS, { ...ENDS, ...bad } as never), 'epochs'],
  train: [async (bad: Bad) => root.train(ROWS, { ...ENDS, ...bad } as never).result, 'hidden'],
  resume: [(bad: Bad) => root.resume(at('checkpoint'), ROWS, bad as never), 'signal'],
  resumeTraining: [(bad: Bad) => root.resumeTraining(at('checkpoint'), ROWS, bad as never), 'signal'],
  loadLearner: [(bad: Bad) => root.loadLearner(at('checkpoint'), bad as never), 'signal'],
  Learner: [(bad: Bad) => new root.Learner(model, bad), 'seed'],
  'model.fit': [(bad: Bad) => model.fit(ROWS as never, { epochs: 1, ...bad } as never), 'signal'],
  'model.predict': [(bad: Bad) => model.predict(ROWS as never, bad as never), 'signal'],
  'model.evaluate': [(bad: Bad) => model.evaluate(ROWS as never, bad as never), 'signal'],
  download: [(bad: Bad) => data.download('http://127.0.0.1:1/', at('none'), '0'.repeat(64), bad as never), 'timeout'],
  listDatasets: [(bad: Bad) => data.listDatasets(bad as never), 'dataDir'],
  loadDataset: [(bad: Bad) => data.loadDataset('iris', bad as never), 'signal'],
  packSamples: [(bad: Bad) => data.packSamples(at('samples'), ROWS, { target: 'y', ...bad } as never), 'signal'],
  searchPath: [(bad: Bad) => data.searchPath(bad as never), 'dataDir'],
  parseArrow: [(bad: Bad) => data.parseArrow(NOTHING, 'it', bad as never), 'signal'],
  parseCsv: [(bad: Bad) => data.parseCsv(Buffer.from('a,b\n1,2\n'), 'it', bad as never), 'header'],
  parseLibsvm: [(bad: Bad) => data.parseLibsvm(NOTHING, 'it', bad as never), 'columns'],
  parseNpz: [(bad: Bad) => data.parseNpz(NOTHING, 'it', bad as never), 'keys'],
  parseSparse: [(bad: Bad) => data.parseSparse(NOTHING, 'it', bad as never), 'signal'],
  parseParquet: [(bad: Bad) => data.parseParquet(NOTHING, 'it', bad as never), 'columns'],
  readArrow: [(bad: Bad) => data.readArrow(at('rows.csv'), bad as never), 'signal'],
  readCsv: [(bad: Bad) => data.readCsv(at('rows.csv'), bad as never), 'header'],
  readIdx: [(bad: Bad) => data.readIdx(at('rows.csv'), bad as never), 'signal'],
  readLibsvm: [(bad: Bad) => data.readLibsvm(at('rows.csv'), bad as never), 'columns'],
  readNpy: [(bad: Bad) => data.readNpy(at('rows.csv'), bad as never), 'signal'],
  readNpz: [(bad: Bad) => data.readNpz(at('rows.csv'), bad as never), 'keys'],
  readParquet: [(bad: Bad) => data.readParquet(at('rows.csv'), bad as never), 'columns'],
  readSparse: [(bad: Bad) => data.readSparse(at('rows.csv'), bad as never), 'signal'],
  readTable: [(bad: Bad) => data.readTable(at('rows.csv'), bad as never), 'signal'],
  listGraphs: [(bad: Bad) => graph.listGraphs(bad as never), 'dataDir'],
  loadGraph: [(bad: Bad) => graph.loadGraph('cora', bad as never), 'signal'],
  parseGraph: [(bad: Bad) => graph.parseGraph(NOTHING, 'it', bad as never), 'rowNormalise'],
  readGraph: [(bad: Bad) => graph.readGraph(at('rows.csv'), bad as never), 'rowNormalise'],
  splitGraph: [
    (bad: Bad) => graph.splitGraph({ labels: Int32Array.of(0, 1) } as never, 1, bad as never),
    'trainPerClass',
  ],
  exportOnnx: [(bad: Bad) => onnx.exportOnnx(plain, bad as never), 'output'],
  importOnnx: [(bad: Bad) => onnx.importOnnx(onnx.exportOnnx(plain) as never, bad as never), 'loss'],
  importStateDict: [(bad: Bad) => onnx.importStateDict(at('none'), bad as never), 'activation'],
  compress: [(bad: Bad) => compress(plain as never, ROWS, { sparsity: 0.5, ...bad } as never), 'rounds'],
  crossValidate: [(bad: Bad) => choosing.crossValidate(ROWS, ENDS as never, bad as never), 'folds'],
  path: [(bad: Bad) => choosing.path(ROWS, ENDS as never, { strengths: 1e-3, ...bad } as never), 'folds'],
  importance: [(bad: Bad) => choosing.importance(model, ROWS as never, bad as never), 'repeats'],
  search: [(bad: Bad) => choosing.search(ROWS, { ...ENDS, epochs: [1, 2] } as never, bad as never), 'trials'],
  BadmOptimizer: [(bad: Bad) => new solvers.BadmOptimizer({ solver: 'badm', ...bad } as never), 'learningRate'],
};
/** What has no options: it takes a path, bytes, numbers, or what else its signature says. */
const NONE = [
  ...['AutoTraining', 'DlAdmmError', 'GraphModel', 'Model', 'Training', 'info', 'loadModel', 'readCheckpoint'],
  ...[
    'StoredSamples',
    'cacheFolder',
    'describeDataset',
    'encodeNpy',
    'openSamples',
    'parseIdx',
    'parseNpy',
    'splitDataset',
    'sql',
  ],
  ...['describeGraph', 'rowNormalised', 'choice', 'integer', 'logUniform', 'uniform'],
];

test.each(['dtype', 'classes'])('what is imported refuses %s of the wrong kind', async (name) => {
  for (const read of [onnx.importOnnx, onnx.importStateDict])
    await expect(read(at('none'), { [name]: 7 } as never)).rejects.toMatchObject({
      code: 'ERR_DLADMM_ARGUMENT',
      message: expect.stringMatching(new RegExp(`^Expected .* for ${name} but received 7`)),
    });
});

test('every function of the package is here', () => {
  const faces = [root, data, graph, onnx, choosing, { compress }].flatMap((face) => Object.entries(face));
  const functions = faces.filter(([, value]) => typeof value === 'function').map(([name]) => name);
  const here = [...NONE, ...Object.keys(TAKERS)].filter((name) => !/^model\.|^Badm/.test(name));
  expect(here.toSorted()).toEqual(functions.toSorted());
});

describe.each(Object.entries(TAKERS))('%s', (_, [call, known]) => {
  const failed = async (bad: Bad): Promise<unknown> => {
    try {
      return await call(bad as never);
    } catch (error) {
      return error;
    }
  };
  test('refuses an option that it does not have, by its name', async () => {
    expect(await failed({ zzz: 2 })).toMatchObject({
      code: 'ERR_DLADMM_ARGUMENT',
      message: expect.stringMatching(/^Expected only .* zzz: 2 \(number\)/),
    });
  });
  test('refuses one of the wrong kind', async () => {
    const refused = await failed({ [known as string]: Symbol.iterator });
    expect(refused).toMatchObject({
      code: expect.stringMatching(/^ERR_DLADMM_(?:ARGUMENT|RANGE|SHAPE)$/),
      message: expect.stringContaining(known as string),
    });
  });
});

const { layered, minibatches, gradients, constraints, metric, graphGradients, graphLayered } = solvers;
test.each([layered, minibatches, gradients, constraints, metric, graphGradients, graphLayered])(
  'a session of $name refuses an option that it does not have',
  async ({ open }: { readonly open: unknown }) => {
    const opened = async (): Promise<unknown> => (open as (options: unknown) => unknown)({ network: {}, zzz: 2 });
    await expect(opened()).rejects.toMatchObject({
      code: 'ERR_DLADMM_ARGUMENT',
      message: expect.stringContaining('zzz: 2 (number)'),
    });
  },
);

test.each([
  ['dladmm', {}],
  ['inversion-admm', {}],
  ['sigmoid-admm', { activation: 'sigmoid', loss: 'one-hot-squared-error' }],
  ['variable-metric-admm', {}],
])('the loss that %s records is the mean of the sum that its Lagrangian has', async (solver, network) => {
  const options = { ...network, solver, layers: [2, 3, 2], iterations: 2 };
  const { history } = await root.fit(SAMPLES, options as never);
  const records = history as unknown as readonly { readonly loss: number; readonly lossSum: number }[];
  for (const { loss, lossSum } of records) expect(loss).toBeCloseTo(lossSum / ROWS.length, 12);
});
