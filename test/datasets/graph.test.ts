import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { parseGraph, readGraph, rowNormalised } from '../../src/datasets/graph.js';
import { splitGraph } from '../../src/datasets/graph-split.js';
import { graphNames, listGraphs, loadGraph } from '../../src/datasets/graphs.js';
import { encodeNpy, type NpyArray } from '../../src/formats/npy.js';
import { expectFailure, shared, temporaryFolder } from '../formats/support.js';

const list = (data: NpyArray['data']): NpyArray => ({ data, shape: [data.length] });

/**
 * Four nodes, 0 – 1 – 2 with 3 alone; two features, of which node 2 has none; node 3 has no class. As gnn-benchmark and
 * scipy write it: int32 indices, int64 shapes.
 */
const small = {
  adj_data: list(Float32Array.of(1, 1, 1, 1)),
  adj_indices: list(Int32Array.of(1, 0, 2, 1)),
  adj_indptr: list(Int32Array.of(0, 1, 3, 4, 4)),
  adj_shape: list(BigInt64Array.of(4n, 4n)),
  attr_data: list(Float32Array.of(3, 1, 2, 5)),
  attr_indices: list(Int32Array.of(0, 1, 1, 0)),
  attr_indptr: list(Int32Array.of(0, 2, 3, 3, 4)),
  attr_shape: list(BigInt64Array.of(4n, 2n)),
  labels: list(BigInt64Array.of(0n, 1n, 1n, -1n)),
  train_idx: list(BigInt64Array.of(0n, 1n)),
  test_idx: list(BigInt64Array.of(2n)),
} satisfies Readonly<Record<string, NpyArray>>;

/** The archive with some arrays in place of its own; null takes one away. */
function archive(changes: Readonly<Record<string, NpyArray | null>> = {}): Uint8Array {
  const entries = Object.entries({ ...small, ...changes });
  return zipSync(
    Object.fromEntries(entries.flatMap(([key, array]) => (array === null ? [] : [[`${key}.npy`, encodeNpy(array)]]))),
  );
}

const parse = (changes?: Parameters<typeof archive>[0]) => parseGraph(archive(changes), 'small.npz');
const refuses = (changes: Parameters<typeof archive>[0], ...parts: readonly (string | RegExp)[]) =>
  expectFailure(() => parse(changes), 'ERR_DLADMM_FORMAT', 'small.npz', ...parts);

describe('a graph file', () => {
  it('has an adjacency matrix, features, labels and the parts of its split', async () => {
    const graph = await parseGraph(archive(), 'folder/small.npz', { rowNormalise: false });
    expect(graph).toEqual({
      name: 'small.npz',
      classes: ['0', '1'],
      adjacency: {
        data: Float32Array.of(1, 1, 1, 1),
        indices: Int32Array.of(1, 0, 2, 1),
        indptr: Int32Array.of(0, 1, 3, 4, 4),
        rows: 4,
        columns: 4,
      },
      features: {
        data: Float32Array.of(3, 1, 2, 5),
        indices: Int32Array.of(0, 1, 1, 0),
        indptr: Int32Array.of(0, 2, 3, 3, 4),
        rows: 4,
        columns: 2,
      },
      labels: Int32Array.of(0, 1, 1, -1),
      trainIndex: Int32Array.of(0, 1),
      testIndex: Int32Array.of(2),
    });
  });

  it('has its features divided by their sum, node by node', async () => {
    const { features } = await parse();
    expect([...features.data]).toEqual([0.75, 0.25, 1, 1]);
  });

  it('may have dense features, indices of any width and values that are whole numbers', async () => {
    const { adjacency, features } = await parse({
      adj_data: list(Int8Array.of(1, 1, 1, 1)),
      adj_indices: list(BigInt64Array.of(1n, 0n, 2n, 1n)),
      adj_indptr: list(Uint16Array.of(0, 1, 3, 4, 4)),
      attr_data: null,
      attr_indices: null,
      attr_indptr: null,
      attr_shape: null,
      attr_matrix: { data: Float64Array.of(1, 3, 0, 0, -1, 1, 2, 0), shape: [4, 2] },
    });
    expect(adjacency).toMatchObject({ data: Float32Array.of(1, 1, 1, 1), indices: Int32Array.of(1, 0, 2, 1) });
    expect(features).toEqual({ data: Float64Array.of(0.25, 0.75, 0, 0, -0.5, 0.5, 1, 0), rows: 4, columns: 2 });
  });

  it('need not have a split', async () => {
    const graph = await parse({ train_idx: null, test_idx: null });
    expect(graph).not.toHaveProperty('trainIndex');
    expect(graph).not.toHaveProperty('testIndex');
  });

  it('is refused where an array is missing, by the name of the array', async () => {
    await refuses({ adj_indptr: null }, 'no adj_indptr', 'it holds adj_data, adj_indices');
    await refuses({ attr_data: null }, 'no attr_data');
    await refuses({ labels: null }, 'no labels');
    await refuses({ train_idx: null }, 'expected training nodes beside test_idx');
  });

  it('is refused where rows do not lie one after the other', async () => {
    await refuses({ adj_indptr: list(Int32Array.of(0, 3, 1, 4, 4)) }, 'array "adj_indptr"', 'from 3 to 1 after row 1');
    await refuses({ adj_indptr: list(Int32Array.of(1, 1, 3, 4, 4)) }, 'array "adj_indptr"', 'begins at 1');
    await refuses({ adj_indptr: list(Int32Array.of(0, 1, 3, 4, 3)) }, 'array "adj_indptr"', 'decrease');
    await refuses({ adj_indptr: list(Int32Array.of(0, 1, 3, 3, 3)) }, 'array "adj_indptr"', 'end at 4', 'ends at 3');
    await refuses({ adj_indptr: list(Int32Array.of(0, 1, 3, 4, 9)) }, 'array "adj_indptr"', 'ends at 9');
    await refuses(
      { adj_indptr: list(Int32Array.of(0, 1, 3, 4)) },
      'array "adj_indptr"',
      'expected 5 entries',
      'found 4',
    );
    await refuses({ attr_indptr: list(Int32Array.of(0, -1, 3, 3, 4)) }, 'array "attr_indptr"', 'entry 1 is -1');
  });

  it('is refused where a column lies outside the matrix', async () => {
    await refuses({ adj_indices: list(Int32Array.of(1, 0, 4, 1)) }, 'array "adj_indices"', '0 to 3', 'entry 2 is 4');
    await refuses({ adj_indices: list(Int32Array.of(1, -1, 2, 1)) }, 'array "adj_indices"', 'entry 1 is -1');
    await refuses({ attr_indices: list(Int32Array.of(0, 1, 2, 0)) }, 'array "attr_indices"', '0 to 1', 'entry 2 is 2');
    await refuses(
      { adj_indices: list(BigInt64Array.of(1n, 2n ** 40n, 2n, 1n)) },
      'array "adj_indices"',
      'entry 1 is 1099511627776',
    );
    await refuses({ adj_indices: list(Float32Array.of(1, 0, 2, 1)) }, 'array "adj_indices"', 'whole numbers');
  });

  it('is refused where shapes disagree', async () => {
    await refuses({ adj_shape: list(BigInt64Array.of(4n, 5n)) }, 'array "adj_shape"', '4 x 5');
    await refuses({ adj_shape: list(BigInt64Array.of(4n)) }, 'array "adj_shape"', 'two dimensions');
    await refuses({ adj_shape: list(BigInt64Array.of(0n, 0n)) }, 'array "adj_shape"', 'entry 0 is 0');
    await refuses(
      { attr_shape: list(BigInt64Array.of(3n, 2n)), attr_indptr: list(Int32Array.of(0, 2, 3, 4)) },
      '"attr_shape"',
      'expected 4 rows',
      'found 3',
    );
    await refuses({ adj_data: list(Float32Array.of(1, 1, 1)) }, 'array "adj_data"', 'expected 4 values', 'found 3');
    await refuses({ adj_data: { data: Float32Array.of(1, 1, 1, 1), shape: [2, 2] } }, 'array "adj_data"', '(2, 2)');
    await refuses({ labels: list(Int32Array.of(0, 1, 1)) }, 'array "labels"', 'expected 4 labels', 'found 3');
    await refuses({ labels: { data: Int32Array.of(0, 1, 1, 0), shape: [4, 1] } }, 'array "labels"', '(4, 1)');
  });

  it('is refused where a value is not finite, by its place', async () => {
    const bad = Float32Array.of(1, 1, Number.NaN, 1);
    await expectFailure(() => parse({ adj_data: list(bad) }), 'ERR_DLADMM_NON_FINITE', '"adj_data"', 'entry 2 is NaN');
    await expectFailure(
      () => parse({ attr_data: list(bad) }),
      'ERR_DLADMM_NON_FINITE',
      '"attr_data"',
      'entry 2 is NaN',
    );
    const matrix = { data: Float64Array.of(1, 3, 0, Number.POSITIVE_INFINITY, 0, 0, 0, 0), shape: [4, 2] };
    const dense = { attr_data: null, attr_indices: null, attr_indptr: null, attr_shape: null, attr_matrix: matrix };
    await expectFailure(() => parse(dense), 'ERR_DLADMM_NON_FINITE', '"attr_matrix"', 'row 1, column 1');
  });

  it('is refused where an edge has a weight below zero', async () => {
    await refuses({ adj_data: list(Float32Array.of(1, 1, -1, 1)) }, 'array "adj_data"', 'entry 2 is -1');
  });

  it('is refused where labels are no classes or no node has one', async () => {
    await refuses({ labels: list(Int32Array.of(0, 1, -2, 0)) }, 'array "labels"', 'entry 2 is -2');
    await refuses({ labels: list(Float32Array.of(0, 1, 1, 0)) }, 'array "labels"', 'whole numbers');
    await refuses({ labels: list(Int32Array.of(-1, -1, -1, -1)) }, 'array "labels"', 'at least one node');
  });

  it('is refused where a part of the split repeats a node, has none, or has one without a class', async () => {
    await refuses({ train_idx: list(Int32Array.of(0, 1, 0)) }, 'array "train_idx"', 'entry 2 repeats node 0');
    await refuses({ train_idx: list(Int32Array.of(0, 3)) }, 'array "train_idx"', 'node 3, entry 1, has the label -1');
    await refuses({ test_idx: list(Int32Array.of(4)) }, 'array "test_idx"', '0 to 3', 'entry 0 is 4');
    await refuses({ train_idx: list(new Int32Array(0)) }, 'array "train_idx"', 'at least one node');
  });

  it.each([
    ['train_mask', 'val_mask', 'test_mask'],
    ['training_mask', 'valid_mask', 'testing_mask'],
    ['mask_train', 'mask_validation', 'mask_test'],
    ['trainMask', 'valMask', 'testMask'],
  ])('may have flags for its split, called %s, %s, %s', async (train, validation, test) => {
    const without = { train_idx: null, test_idx: null };
    const flags = {
      [train]: list(Uint8Array.of(1, 0, 0, 0)),
      [validation]: list(Int32Array.of(0, 1, 0, 0)),
      [test]: { data: Uint8Array.of(0, 0, 1, 0), shape: [4, 1] },
    };
    const { trainIndex, validationIndex, testIndex } = await parse({ ...without, ...flags });
    expect([trainIndex, validationIndex, testIndex]).toEqual([Int32Array.of(0), Int32Array.of(1), Int32Array.of(2)]);
    const none = await parse({ ...without, ...flags, [validation]: list(new Uint8Array(4)) });
    expect(none).not.toHaveProperty('validationIndex');
  });

  it('may call the nodes of its parts by other names', async () => {
    const nodes = {
      idx_train: list(Int32Array.of(1)),
      valid_indices: list(Int32Array.of(0)),
      testIndex: list(Int32Array.of(2)),
    };
    const { trainIndex, validationIndex } = await parse({ train_idx: null, test_idx: null, ...nodes });
    expect([trainIndex, validationIndex]).toEqual([Int32Array.of(1), Int32Array.of(0)]);
  });

  it('is refused where flags are not one a node, are for many splits, or where a part is told twice or by another name', async () => {
    const without = { train_idx: null, test_idx: null };
    const flags = list(Uint8Array.of(1, 1, 0, 0));
    await refuses({ ...without, train_mask: list(Uint8Array.of(1, 1)) }, '"train_mask"', 'expected 4 flags', 'found 2');
    await refuses(
      { ...without, train_mask: { data: new Uint8Array(40), shape: [4, 10] } },
      '"train_mask"',
      '10 splits',
    );
    await refuses({ ...without, train_mask: list(Float32Array.of(1, 1, 0, 0)) }, '"train_mask"', 'whole numbers');
    await refuses({ ...without, train_mask: list(Uint8Array.of(1, 2, 0, 0)) }, '"train_mask"', 'entry 1 is 2');
    await refuses({ ...without, train_mask: list(new Uint8Array(4)) }, 'expected training nodes beside train_mask');
    await refuses(
      { ...without, train_mask: list(Uint8Array.of(1, 0, 0, 1)) },
      '"train_mask"',
      'node 3 has the label -1',
    );
    await refuses({ train_mask: flags }, 'both train_idx and train_mask');
    await refuses({ train_split: flags }, '"train_split"', 'train_mask');
  });

  it('is refused where a node is in two parts of its split', async () => {
    await refuses({ test_idx: list(Int32Array.of(2, 1)) }, 'node 1 is in train_idx and test_idx');
    await refuses({ val_mask: list(Uint8Array.of(0, 0, 1, 0)) }, 'node 2 is in val_mask and test_idx');
  });

  it('is refused where it says that it has the features of some nodes only, unless that is wanted', async () => {
    const partial = { feat_present: list(Uint8Array.of(1, 1, 0, 1)) };
    await refuses(partial, 'array "feat_present"', 'only 3 of the 4 nodes', 'no accuracy');
    expect((await parseGraph(archive(partial), 'small.npz', { partial: true })).labels).toHaveLength(4);
    expect((await parse({ feat_present: list(Uint8Array.of(1, 1, 1, 1)) })).labels).toHaveLength(4);
  });

  it('is refused whole where any byte of it is damaged', async () => {
    const whole = archive();
    const damaged = whole.slice();
    const at = Math.floor(whole.length / 3);
    damaged[at] = (damaged[at] as number) ^ 0x10;
    await expectFailure(() => parseGraph(damaged, 'small.npz'), 'ERR_DLADMM_FORMAT', 'small.npz');
    await expectFailure(() => parseGraph(whole.subarray(0, 500), 'small.npz'), 'ERR_DLADMM_FORMAT', 'small.npz');
  });
});

describe('row normalisation', () => {
  it('leaves rows of zeros as they are, the matrix given untouched, and what is normalised as it is', () => {
    const matrix = { data: Float64Array.of(1, 3, 0, 0), rows: 2, columns: 2 };
    const once = rowNormalised(matrix);
    expect([...once.data]).toEqual([0.25, 0.75, 0, 0]);
    expect([...matrix.data]).toEqual([1, 3, 0, 0]);
    expect(rowNormalised(once)).toEqual(once);
  });
});

describe('a random split', () => {
  const labels = Int32Array.from({ length: 400 }, (_, i) => (i % 10 === 9 ? -1 : i % 3));

  it('has 20 nodes of each class to learn from, 30 to watch, and all others with a class to test on', () => {
    const { trainIndex, validationIndex, testIndex } = splitGraph({ labels }, 1);
    const counts = (index: Int32Array) => [-1, 0, 1, 2].map((c) => [...index].filter((i) => labels[i] === c).length);
    expect(counts(trainIndex)).toEqual([0, 20, 20, 20]);
    expect(counts(validationIndex)).toEqual([0, 30, 30, 30]);
    expect(new Set([...trainIndex, ...validationIndex, ...testIndex])).toEqual(
      new Set([...labels.keys()].filter((i) => labels[i] !== -1)),
    );
    expect(trainIndex.length + validationIndex.length + testIndex.length).toBe(360);
    expect([...trainIndex]).toEqual([...trainIndex].sort((a, b) => a - b));
  });

  it('is the same for the same seed and another for another', () => {
    expect(splitGraph({ labels }, 7)).toEqual(splitGraph({ labels }, 7));
    expect(splitGraph({ labels }, 8).trainIndex).not.toEqual(splitGraph({ labels }, 7).trainIndex);
  });

  it('takes as many nodes a class as it is told', () => {
    const { trainIndex, validationIndex } = splitGraph({ labels }, 1, { trainPerClass: 2, validationPerClass: 0 });
    expect(trainIndex).toHaveLength(6);
    expect(validationIndex).toHaveLength(0);
  });

  it('is refused where a class has too few nodes, or a number is out of its range', async () => {
    const few = Int32Array.from(labels, (label, i) => (label === 2 && i > 150 ? -1 : label));
    await expectFailure(() => splitGraph({ labels: few }, 1), 'ERR_DLADMM_RANGE', 'more than 50', 'class 2 has 45');
    await expectFailure(() => splitGraph({ labels }, 1.5), 'ERR_DLADMM_RANGE', 'seed');
    await expectFailure(() => splitGraph({ labels }, 1, { trainPerClass: 0 }), 'ERR_DLADMM_RANGE', 'trainPerClass');
    await expectFailure(
      () => splitGraph({ labels: Int32Array.of(-1) }, 1, { trainPerClass: 1, validationPerClass: 0 }),
      'ERR_DLADMM_RANGE',
      'labels',
    );
  });
});

describe('named graphs', () => {
  const nowhere = async () => ({ env: { XDG_CACHE_HOME: await temporaryFolder() }, system: [] });

  it('are refused by a list of the known ones, and PubMed with the reason', async () => {
    await expectFailure(() => loadGraph('karate'), 'ERR_DLADMM_DATASET', 'karate', graphNames.join(', '));
    for (const name of ['pubmed', 'pubmed-partial'])
      await expectFailure(() => loadGraph(name), 'ERR_DLADMM_DATASET', '1,060 of its 19,717 nodes', 'dblp');
  });

  it('that are nowhere are told with every place that was looked in', async () => {
    const options = await nowhere();
    const folder = await temporaryFolder();
    await expectFailure(
      () => loadGraph('cora', { ...options, dataDir: folder }),
      'ERR_DLADMM_DATASET',
      join(folder, 'graphs'),
      options.env.XDG_CACHE_HOME,
      'graphs/cora.npz',
    );
    const listed = await listGraphs(options);
    expect(listed.map(({ name, folder: where }) => [name, where])).toEqual(graphNames.map((name) => [name, undefined]));
  });

  it('that are not what their name says are refused', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'cora.npz'), archive());
    await expectFailure(
      async () => loadGraph('cora', { ...(await nowhere()), dataDir: folder }),
      'ERR_DLADMM_FORMAT',
      'cora.npz',
      '2708 nodes',
      'found 4, 2, 2',
    );
  });

  describe.skipIf(!existsSync(join(shared, 'datasets/graphs')))('in the shared folder (skipped without it)', () => {
    const options = { dataDir: join(shared, 'datasets') };

    it.each([
      ['cora', 2708, 10_556, 1433, 49_216, 140, 500, 1000],
      ['citeseer', 3327, 9104, 3703, 105_165, 120, 500, 1000],
    ] as const)('%s has the split of Planetoid', async (name, nodes, links, width, words, train, validation, test) => {
      const graph = await loadGraph(name, options);
      expect(graph.adjacency).toMatchObject({ rows: nodes, columns: nodes });
      expect(graph.adjacency.indices).toHaveLength(links);
      expect(graph.features).toMatchObject({ rows: nodes, columns: width });
      expect(graph.features.data).toHaveLength(words);
      expect(graph.trainIndex).toHaveLength(train);
      expect(graph.validationIndex).toHaveLength(validation);
      expect(graph.testIndex).toHaveLength(test);
      const classes = graph.classes.map((_, c) => graph.trainIndex.filter((node) => graph.labels[node] === c).length);
      expect(classes).toEqual(graph.classes.map(() => 20));
    });

    it.each([
      ['coauthor-cs', 18_333, 6805, 15],
      ['coauthor-physics', 34_493, 8415, 5],
      ['dblp', 17_716, 1639, 4],
    ])('%s has features and classes but no split', async (name, nodes, width, classes) => {
      const graph = await loadGraph(name, options);
      expect([graph.adjacency.rows, graph.features.columns, graph.classes.length]).toEqual([nodes, width, classes]);
      expect(graph).not.toHaveProperty('trainIndex');
      const { trainIndex, validationIndex, testIndex } = splitGraph(graph, 1);
      expect(trainIndex).toHaveLength(20 * classes);
      expect(validationIndex).toHaveLength(30 * classes);
      expect(testIndex).toHaveLength(nodes - 50 * classes);
    });

    it('Citeseer has 15 nodes without features and without a class', async () => {
      const { features, labels } = await loadGraph('citeseer', options);
      expect(labels.filter((label) => label < 0)).toHaveLength(15);
      if (!('indptr' in features)) throw new Error('expected sparse features');
      const { indptr } = features;
      expect(labels.every((label, i) => label >= 0 || indptr[i] === indptr[i + 1])).toBe(true);
    });

    it('are found in a folder graphs or in the folder itself', async () => {
      const folder = await temporaryFolder();
      const file = join(options.dataDir, 'graphs/cora.npz');
      await copyFile(file, join(folder, 'cora.npz'));
      expect((await loadGraph('cora', { ...(await nowhere()), dataDir: folder })).labels).toHaveLength(2708);
      await mkdir(join(folder, 'graphs'));
      await copyFile(file, join(folder, 'graphs/cora.npz'));
      const [cora] = await listGraphs({ ...(await nowhere()), dataDir: folder });
      expect(cora).toMatchObject({ name: 'cora', folder: join(folder, 'graphs'), origin: 'dataDir' });
    });

    it('PubMed, which lacks most of its features, is read only where that is wanted', async () => {
      const file = join(options.dataDir, 'graphs/pubmed-partial.npz');
      await expectFailure(() => readGraph(file), 'ERR_DLADMM_FORMAT', 'only 1060 of the 19717 nodes');
      expect((await readGraph(file, { partial: true })).labels).toHaveLength(19_717);
    });
  });
});
