import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import * as files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { zipSync } from 'fflate';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GraphDataset } from '../../src/datasets/graph.js';
import { splitGraph } from '../../src/datasets/graph-split.js';
import { encodeNpy, type NpyArray } from '../../src/formats/npy.js';
import { fit as fitModel } from '../../src/index.js';
import { numbers } from '../reference/addon.js';
import { examples, ROOT } from './blocks.js';

// Every example of the README and of the pages of docs/ is run as it stands, with what it takes for granted around it, on little data and for a few
// iterations. A name that it imports must be there to import.

const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
};
/** What there is to import, by its path. */
const FACES: Readonly<Record<string, object>> = Object.fromEntries(
  await Promise.all(
    Object.entries(exports).flatMap(([path, target]) =>
      typeof target === 'string'
        ? []
        : [
            import(join(ROOT, target.default.replace('dist', 'src').replace(/js$/, 'ts'))).then((face: object) => [
              path.replace('.', 'dladmm'),
              face,
            ]),
          ],
    ),
  ),
);

/** What of Node.js examples import. */
const NODE: Readonly<Record<string, object>> = { 'node:fs/promises': files };

const next = numbers(3);
const floats = (count: number): Float32Array => Float32Array.from({ length: count }, next);
const ROWS = 150;
const rows = Array.from({ length: ROWS }, () => [next(), next(), next(), next()]);
const KINDS = ['oak', 'ash', 'elm'];
const kinds = rows.map((_, i) => KINDS[i % 3] as string);

/** Samples for a network of so many inputs and classes. */
const samples = (inputs: number, classes: number) => ({
  x: { data: floats(ROWS * inputs), rows: ROWS, columns: inputs },
  labels: Int32Array.from({ length: ROWS }, (_, i) => i % classes),
});

/** A graph of few nodes for a network of so many inputs and classes. */
const graph = (inputs: number, classes: number) => ({
  adjacency: {
    data: new Float32Array(60).fill(1),
    indices: Int32Array.from({ length: 60 }, (_, i) => (i + 1) % 60),
    indptr: Int32Array.from({ length: 61 }, (_, i) => i),
    rows: 60,
    columns: 60,
  },
  features: { data: floats(60 * inputs), rows: 60, columns: inputs },
  labels: Int32Array.from({ length: 60 }, (_, i) => i % classes),
  classes: Array.from({ length: classes }, (_, i) => `field ${i}`),
});

/** What an example may take for granted. */
const given = (code: string): Readonly<Record<string, unknown>> => ({
  data: {
    ...(/\b784\b/.test(code) ? samples(784, 10) : samples(64, 10)),
    test: samples(/\b784\b/.test(code) ? 784 : 64, 10),
  },
  batches: [samples(64, 10), samples(64, 10)],
  rows,
  row: Array.from(floats(64)),
  mails: kinds.map((kind, i) => ({ text: `you have ${i % 9} ${kind} prizes`, spam: i % 3 === 0 ? 'yes' : 'no' })),
  cursor: rows.map(([a, b, c, d], i) => ({ a, b, c, d, species: kinds[i] })),
  options: { layers: [4, 8, 3] },
  x: floats(ROWS),
  y: floats(ROWS),
  connection,
});

type Options = Readonly<Record<string, unknown>>;

/** The package with trainings of at most three iterations, labels for the rows there are, and graphs that need no file. */
function small(face: Options): Options {
  const begun =
    (how: unknown) =>
    (data: Options | string, options: Options = {}) => {
      if (typeof data === 'string' || Array.isArray(data))
        return (how as (data: unknown, options: Options) => unknown)(data, options);
      const limit =
        'epochs' in options || /^(?:adam|minibatch-admm)$/.test(String(options.solver)) ? 'epochs' : 'iterations';
      const listed = Array.isArray(data.labels) && Array.isArray(data.labels[0]);
      const labels = Array.isArray(data.labels) && !listed ? kinds : data.labels;
      return (how as (data: unknown, options: Options) => unknown)(
        { ...data, ...(labels !== undefined && { labels }) },
        { ...options, [limit]: 2 },
      );
    };
  return {
    ...face,
    fit: begun(face.fit),
    train: begun(face.train),
    loadGraph: async () => ({ ...graph(1433, 7), ...splitGraph(graph(1433, 7), 1, FEW) }),
    splitGraph: (papers: GraphDataset, seed: number) => splitGraph(papers, seed, FEW),
  };
}
const FEW = { trainPerClass: 3, validationPerClass: 2 };

const duck = await DuckDBInstance.create(':memory:');
const connection = await duck.connect();
const folder = mkdtempSync(join(tmpdir(), 'dladmm-readme-'));
const home = process.cwd();

/** The files that examples read. */
beforeAll(async () => {
  process.chdir(folder);
  const columns = ['a', 'b', 'c', 'd'].map((name, j) => ({ name, data: rows.map((row) => row[j] as number) }));
  const table = parquetWriteBuffer({ columnData: [...columns, { name: 'species', data: kinds }] });
  await files.writeFile('flowers.parquet', new Uint8Array(table));
  const customers = rows.map((_, i) => [
    ...[['basic', 'plus'][i % 2], ['Norway', 'Chile', ''][i % 3], i % 7, i % 5 === 0 ? 'yes' : 'no'],
  ]);
  await files.writeFile('customers.csv', ['plan,country,calls,churned', ...customers].join('\n'));
  await files.writeFile('news.svm', rows.map((_, i) => `${i % 2} ${1 + (i % 7)}:0.5 ${9 + (i % 3)}:1\n`).join(''));
  await files.mkdir('trips');
  const trips = `select i % 9 as distance, timestamp '2024-01-01' + to_hours(i) as started_at, 3 + 2 * (i % 9) as fare from range(${ROWS}) t(i)`;
  await connection.run(`create table trips as ${trips}; copy trips to 'trips/january.parquet'`);
  const { adjacency, features, labels } = graph(500, 3);
  const shape = (array: NpyArray['data']): NpyArray => ({ data: array, shape: [array.length] });
  const arrays: Readonly<Record<string, NpyArray>> = {
    adj_data: shape(adjacency.data),
    adj_indices: shape(adjacency.indices),
    adj_indptr: shape(adjacency.indptr),
    adj_shape: shape(Int32Array.of(60, 60)),
    attr_matrix: { data: features.data, shape: [60, 500] },
    labels: shape(labels),
  };
  const members = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, encodeNpy(array)]);
  await files.writeFile('papers.npz', zipSync(Object.fromEntries(members)));
  const { model } = await fitModel(samples(64, 10), { layers: [64, 10], iterations: 1 });
  await model.save('digits.safetensors');
  await files.writeFile('network.onnx', model.toOnnx());
  const dict = join(ROOT, 'test/fixtures/before-rooms/state-dict.safetensors');
  await files.writeFile('state.safetensors', readFileSync(dict));
});
afterAll(() => {
  connection.closeSync();
  duck.closeSync();
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

test('there are examples, and each that imports names what there is', () => {
  expect(examples.length).toBeGreaterThan(10);
  for (const { code } of examples) {
    for (const [, names = '', path = ''] of code.matchAll(/^import \{ (.*) \} from '(.*)';$/gm)) {
      expect(Object.keys({ ...FACES, ...NODE }[path] ?? {})).toEqual(expect.arrayContaining(names.split(', ')));
    }
  }
});

test.for(examples)('the example at $place runs', async ({ code }, { skip }) => {
  const body = code
    .replace(/^import (\{ .* \}) from '(.*)';$/gm, "const $1 = faces['$2'];")
    .replace(/, …/g, '')
    // Two lines that show two ways may name what they give alike.
    .replace(/^const (\{ .* \}) = /gm, 'var $1 = ');
  const face = small(Object.assign({}, ...Object.values(FACES)) as Options);
  const faces = { ...Object.fromEntries(Object.keys(FACES).map((path) => [path, face])), ...NODE };
  const around = { ...face, ...given(code), faces };
  const declared = new Set(
    [...body.matchAll(/(?:const|var) \{ (.*?) \}/g)].flatMap(([, names = '']) => names.split(', ')),
  );
  const names = Object.keys(around).filter((name) => !declared.has(name));
  const quiet = { log: () => undefined };
  const AsyncFunction = (async () => undefined).constructor as new (
    ...texts: string[]
  ) => (...values: unknown[]) => Promise<void>;
  const program = new AsyncFunction(...names, 'console', body);
  const { error } = await program(...names.map((name) => (around as Options)[name]), quiet).then(
    () => ({ error: undefined }),
    (error: unknown) => ({ error }),
  );
  skip(String(error).includes('but found none of libmpi'), 'there is no MPI here');
  if (error !== undefined) throw error;
});
