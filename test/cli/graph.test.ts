import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeNpy, type NpyArray, parseNpy } from '../../src/formats/npy.js';
import { shared } from '../formats/support.js';
import { inFolder, jsonLines, said } from './support.js';

const { path, run, start } = inFolder();

/** Small and short: what is learnt does not matter here. */
const QUICK = ['--threads', '1', '--quiet'];

const list = (data: NpyArray['data']): NpyArray => ({ data, shape: [data.length] });

/** Two rings of thirty nodes; what a ring's nodes have of the first two features tells which it is. */
function rings(changes: Readonly<Record<string, NpyArray>> = {}): Uint8Array {
  const nodes = 60;
  const neighbours = Array.from({ length: nodes }, (_, i) => {
    const ring = Math.floor(i / 30);
    return [(i + 1) % 30, (i + 29) % 30].map((j) => 30 * ring + j).sort((a, b) => a - b);
  });
  const features = Float32Array.from({ length: 3 * nodes }, (_, k) => {
    const [node, column] = [Math.floor(k / 3), k % 3];
    return column === 2 ? 1 : 1 + (column === Math.floor(node / 30) ? 2 : 0) + ((node * 7) % 5) / 10;
  });
  const arrays: Readonly<Record<string, NpyArray>> = {
    adj_data: list(new Float32Array(2 * nodes).fill(1)),
    adj_indices: list(Int32Array.from(neighbours.flat())),
    adj_indptr: list(Int32Array.from({ length: nodes + 1 }, (_, i) => 2 * i)),
    adj_shape: list(Int32Array.of(nodes, nodes)),
    attr_matrix: { data: features, shape: [nodes, 3] },
    labels: list(Int32Array.from({ length: nodes }, (_, i) => Math.floor(i / 30))),
    ...changes,
  };
  return zipSync(Object.fromEntries(Object.entries(arrays).map(([key, array]) => [`${key}.npy`, encodeNpy(array)])));
}

const PARTS = ['--train-per-class', '5', '--validation-per-class', '5'];

beforeAll(() => {
  writeFileSync(path('rings.npz'), rings());
  const split = { train_idx: list(Int32Array.of(0, 1, 2, 30, 31, 32)), test_idx: list(Int32Array.of(9, 10, 40, 41)) };
  writeFileSync(path('split.npz'), rings(split));
});

const LONG = ['--layers', '3-16-2', '--threads', '2', '--standardise', '--json'];

describe('a training on a graph that is interrupted', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'by %s goes on from its checkpoint to what would have come out, the saved model byte for byte',
    async (signal, exitCode) => {
      const given = ['train', '--graph', 'split.npz', ...LONG, '--iterations', '20000'];
      const first = start(...given, '--checkpoint', 'c', '--save', 'part.safetensors');
      await said(first.child.stdout, /"iteration":30,/);
      first.child.kill(signal);
      const { code, out } = await first.ended;
      expect(code).toBe(exitCode);
      const stopped = Number(jsonLines(out).at(-1)?.iterations);
      expect(stopped).toBeGreaterThanOrEqual(30);
      expect(existsSync(path('part.safetensors'))).toBe(true);

      const end = String(stopped + 5);
      const rest = await run(
        'train',
        '--graph',
        'split.npz',
        '--resume',
        'c',
        '--iterations',
        end,
        '--json',
        '--save',
        'rest.safetensors',
      );
      expect(rest.err).not.toMatch(/Expected/);
      expect(jsonLines(rest.out)[0]?.iteration).toBe(stopped + 1);
      const whole = [...given.slice(0, -1), end, '--save', 'whole.safetensors'];
      expect((await run(...whole)).code).toBe(0);
      expect(readFileSync(path('rest.safetensors'))).toEqual(readFileSync(path('whole.safetensors')));
    },
  );

  it('by a checkpoint that cannot be written leaves its model all the same', async () => {
    mkdirSync(path('going'));
    const { child, ended } = start(
      ...['train', '--graph', 'split.npz', ...LONG, '--iterations', '1000000', '--checkpoint-every', '50'],
      ...['--checkpoint', join('going', 'c'), '--save', 'kept.safetensors'],
    );
    await said(child.stdout, /"iteration":60,/);
    rmSync(path('going'), { recursive: true, maxRetries: 20 }); // a checkpoint may be made in it meanwhile
    const { code, err } = await ended;
    expect(code).toBe(1);
    expect(err).toMatch(/the model of iteration \d+ is saved to kept\.safetensors all the same/);
    expect((await run('evaluate', '--model', 'kept.safetensors', '--graph', 'split.npz')).code).toBe(0);
  });
});

describe('dladmm train --graph', () => {
  it.each(['dladmm', 'adam', 'badm', 'sisa', 'sgd'])(
    'trains on a file by %s, and tells the outcome last',
    async (solver) => {
      const count = solver === 'dladmm' ? '--iterations' : '--epochs';
      const { code, out, err } = await run(
        ...[
          'train',
          '--graph',
          'split.npz',
          '--layers',
          '3-4-2',
          '--solver',
          solver,
          count,
          '3',
          '--json',
          '--threads',
          '1',
        ],
      );
      expect(err).toBe('');
      expect(code).toBe(0);
      const lines = jsonLines(out);
      expect(lines.map(({ iteration }) => iteration)).toEqual([1, 2, 3, undefined]);
      for (const line of lines.slice(0, 3)) expect(line).toMatchObject({ test: { accuracy: expect.any(Number) } });
      expect(lines.at(-1)).toEqual({
        status: 'completed',
        iterations: 3,
        seconds: expect.any(Number),
        testAccuracy: expect.any(Number),
        testLoss: expect.any(Number),
        data: 'split.npz',
        layers: [3, 4, 2],
        model: null,
      });
    },
  );

  it('learns to tell the rings apart', async () => {
    const { out } = await run(
      'train',
      '--graph',
      'rings.npz',
      ...PARTS,
      '--solver',
      'adam',
      '--learning-rate',
      '0.1',
      ...QUICK,
      '--json',
    );
    expect(jsonLines(out).at(-1)).toMatchObject({ testAccuracy: 1, layers: [3, 16, 2], iterations: 200 });
  });

  it('splits by the seed where the file has no split, and where another one is wanted', async () => {
    const outcome = async (...args: readonly string[]) => {
      const { out } = await run('train', ...args, ...PARTS, '--solver', 'adam', '--epochs', '2', ...QUICK, '--json');
      return jsonLines(out).at(-1)?.testLoss;
    };
    expect(await outcome('--graph', 'rings.npz', '--seed', '3')).toBe(
      await outcome('--graph', 'rings.npz', '--seed', '3'),
    );
    expect(await outcome('--graph', 'split.npz', '--split', 'random')).toBe(await outcome('--graph', 'rings.npz'));
  });

  it('tells results on the standard output and the progress on the standard error', async () => {
    const { code, out, err } = await run(
      ...[
        'train',
        '--graph',
        'split.npz',
        '--solver',
        'adam',
        '--epochs',
        '3',
        '--threads',
        '1',
        '--save',
        'plain.safetensors',
      ],
    );
    expect(code).toBe(0);
    expect(out).toMatch(
      /^test accuracy [\d.]+ %, loss \S+ after 3 iterations in [\d.]+ s\nmodel saved to plain.safetensors\n$/,
    );
    expect(err).toMatch(/^1\/3 {2}loss .*\n2\/3 .*\n3\/3 .* test [\d.]+ %\n$/);
  });

  it('takes the options of graphs', async () => {
    const { code, err } = await run(
      ...['train', '--graph', 'split.npz', '--solver', 'adam', '--epochs', '2', '--dropout', '0.25', '--l2', '1e-3,0'],
      ...[
        '--no-row-normalize',
        '--dtype',
        'float64',
        '--reduction',
        'sum',
        '--train-metrics',
        '--evaluate-every',
        '2',
        ...QUICK,
      ],
    );
    expect(err).toBe('');
    expect(code).toBe(0);
  });

  it.each([
    [1, 'Expected no --target with --graph: it is for --data', ['--graph', 'rings.npz', '--target', 'x']],
    [1, 'Expected no --ignore with --graph: it is for --data', ['--graph', 'rings.npz', '--ignore', 'x']],
    [1, 'Expected no --data with --graph', ['--graph', 'rings.npz', '--data', 'iris']],
    [1, 'Expected --graph with --split', ['--data', 'iris', '--split', 'random']],
    [1, 'Expected --graph with --no-row-normalise', ['--data', 'iris', '--no-row-normalize']],
    [1, 'Expected --split random, as rings.npz has no split', ['--graph', 'rings.npz', '--split', 'standard']],
    [1, 'Expected --split random with --train-per-class', ['--graph', 'split.npz', '--train-per-class', '2']],
    [1, 'more than 50 nodes in every class', ['--graph', 'rings.npz']],
    [
      1,
      'Expected 3-…-2 for --layers, as split.npz has 3 features and 2 classes',
      ['--graph', 'split.npz', '--layers', '4-8-2'],
    ],
    [1, 'there is no such file; Unknown graph "karate"', ['--graph', 'karate']],
    [1, '1,060 of its 19,717 nodes', ['--graph', 'pubmed']],
    [1, 'Could not read none.npz: there is no such file', ['--graph', 'none.npz']],
    [1, 'dropout', ['--graph', 'split.npz', '--solver', 'adam', '--dropout', '1']],
    [1, '2 numbers, one a layer,', ['--graph', 'split.npz', '--solver', 'adam', '--l2', '1,2,3']],
    [1, 'is the file to read from', ['--graph', 'split.npz', '--save', 'split.npz']],
    [2, "option '--data <name|file>' not specified, nor --graph <name|file>", []],
    [2, 'Expected a number', ['--graph', 'split.npz', '--l2', '1,x']],
  ] as const)('ends with %i and says "%s"', async (exitCode, what, args) => {
    const { code, out, err } = await run('train', ...args);
    expect(err).toContain(what);
    expect([code, out]).toEqual([exitCode, '']);
  });

  it('says that a graph may lack features, and does not train on it', async () => {
    writeFileSync(path('partial.npz'), rings({ feat_present: list(new Uint8Array(60).fill(1, 10)) }));
    const { code, err } = await run('train', '--graph', 'partial.npz');
    expect(err).toContain('only 50 of the 60 nodes have their features');
    expect(code).toBe(1);
  });
});

describe('a saved graph model', () => {
  const MODEL = ['--model', 'model.safetensors', '--graph', 'split.npz'];

  it('is written by --save', async () => {
    const save = ['--learning-rate', '0.1', '--save', 'model.safetensors'];
    const { code } = await run('train', '--graph', 'split.npz', '--solver', 'adam', ...QUICK, ...save);
    expect(code).toBe(0);
    expect(existsSync(path('model.safetensors'))).toBe(true);
  });

  it('predicts a class and probabilities for every node', async () => {
    const { code, out } = await run('predict', ...MODEL);
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toBe('node,class,0,1');
    expect(lines).toHaveLength(61);
    expect(lines[1]).toMatch(/^0,0,0\.\d+,0\.\d+$/);
    expect(lines.slice(1).map((line) => line.split(',').slice(0, 2).map(Number))).toEqual(
      Array.from({ length: 60 }, (_, i) => [i, Math.floor(i / 30)]),
    );
  });

  it('predicts for a part of them, and into files', async () => {
    const { out } = await run('predict', ...MODEL, '--part', 'test');
    expect(
      out
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.split(',')[0]),
    ).toEqual(['9', '10', '40', '41']);
    await run('predict', ...MODEL, '--out', 'nodes.npy');
    expect(parseNpy(readFileSync(path('nodes.npy')), 'nodes.npy').shape).toEqual([60, 2]);
  });

  it('is judged by the nodes of a part', async () => {
    const { code, out } = await run('evaluate', ...MODEL, '--json');
    expect(code).toBe(0);
    expect(jsonLines(out)).toEqual([
      expect.objectContaining({ accuracy: 1, samples: 4, data: 'split.npz', model: 'model.safetensors' }),
    ]);
    expect(jsonLines((await run('evaluate', ...MODEL, '--part', 'train', '--json')).out)[0]).toMatchObject({
      samples: 6,
    });
  });

  it('takes no seed where the graph has its own split', async () => {
    const { code, err } = await run('evaluate', ...MODEL, '--seed', '2');
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/--split random with --seed, as split\.npz has a split of its/),
    ]);
    expect(await run('evaluate', ...MODEL, '--split', 'random', ...PARTS, '--seed', '2')).toMatchObject({ code: 0 });
  });

  it('is told from a model of samples', async () => {
    const { code, err } = await run('predict', '--model', 'model.safetensors', '--data', 'iris');
    expect(code).toBe(1);
    expect(err).toContain('model.safetensors holds a graph convolutional network');
  });
});

describe('dladmm datasets', () => {
  it('lists the graphs too', async () => {
    const { out } = await run('datasets');
    expect(out).toMatch(/^cora: .*\n {2}graph, 2,708 nodes and 5,278 edges, 1433 features, 7 classes/m);
    const sets = JSON.parse((await run('datasets', '--json')).out) as readonly Record<string, unknown>[];
    expect(sets.find(({ name }) => name === 'dblp')).toMatchObject({ task: 'graph', nodes: 17_716, split: false });
  });
});

describe.skipIf(!existsSync(join(shared, 'datasets/graphs')))('Cora (skipped without the shared data folder)', () => {
  it('is trained on by its name', async () => {
    const { code, out } = await run(
      ...[
        'train',
        '--graph',
        'cora',
        '--layers',
        '1433-128-7',
        '--iterations',
        '2',
        '--data-dir',
        join(shared, 'datasets'),
        '--json',
      ],
    );
    expect(code).toBe(0);
    expect(jsonLines(out).at(-1)).toMatchObject({
      testAccuracy: expect.any(Number),
      seconds: expect.any(Number),
      iterations: 2,
      data: 'cora',
      layers: [1433, 128, 7],
    });
  });
});

describe('a graph model that the version before wrote', () => {
  const kept = (name: string): string => join(import.meta.dirname, '../fixtures/before-rooms', name);
  const MODELS = JSON.parse(readFileSync(kept('models.json'), 'utf8'));

  it.each(['graph', 'graph-float64'])('(%s) is read by evaluate and predict as it was then', async (name) => {
    const { graph } = await import(kept('data.mjs'));
    const { adjacency, features, labels, trainIndex, testIndex } = graph();
    const bytes = rings({
      ...{ adj_data: list(adjacency.data), adj_indices: list(adjacency.indices), adj_indptr: list(adjacency.indptr) },
      adj_shape: list(Int32Array.of(adjacency.rows, adjacency.columns)),
      attr_matrix: { data: features.data, shape: [features.rows, features.columns] },
      labels: list(labels),
      train_idx: list(trainIndex),
      test_idx: list(testIndex),
    });
    writeFileSync(path('old.npz'), bytes);
    const of = ['--model', kept(`${name}.safetensors`), '--graph', 'old.npz', '--no-row-normalise'];
    const { probabilities } = MODELS[name].predicts;
    expect(await run('predict', ...of, '--out', 'old.npy')).toMatchObject({ code: 0 });
    const found = Array.from(parseNpy(readFileSync(path('old.npy')), 'old').data as Float64Array);
    expect(found).toEqual(probabilities.map((each: number) => expect.closeTo(each, 4)));
    const largest = Array.from(labels, (_, i) => {
      const row = probabilities.slice(3 * i, 3 * i + 3);
      return row.indexOf(Math.max(...row));
    });
    const right = [...testIndex].filter((i) => largest[i] === labels[i]).length;
    const { code, out } = await run('evaluate', ...of, '--json');
    expect([code, JSON.parse(out)]).toMatchObject([0, { accuracy: right / 2 }]);
  });
});
