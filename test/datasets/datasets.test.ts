import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ClassificationDataset, Dataset, RegressionDataset } from '../../src/datasets/dataset.js';
import { listDatasets, loadDataset } from '../../src/datasets/datasets.js';
import { cacheFolder, searchPath } from '../../src/datasets/locate.js';
import { datasetNames, describeDataset, registry } from '../../src/datasets/registry.js';
import { expectFailure, shared, temporaryFolder } from '../formats/support.js';

afterEach(() => {
  vi.unstubAllGlobals();
});

/** A machine without data sets of its own: nothing of the system's or the user's is seen. */
async function emptyMachine() {
  const cache = await temporaryFolder();
  return { env: { XDG_CACHE_HOME: cache }, system: [], download: false };
}

const counts = (dataset: Dataset) => [dataset.train.x.rows, dataset.test.x.rows, dataset.train.x.columns];
function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
const histogram = ({ train, test }: ClassificationDataset, classes: number) =>
  Array.from({ length: classes }, (_, c) => [...train.labels, ...test.labels].filter((label) => label === c).length);

async function classification(name: string): Promise<ClassificationDataset> {
  const dataset = await loadDataset(name, await emptyMachine());
  if (dataset.task !== 'classification') throw new Error(`${name} is no classification`);
  return dataset;
}

describe('the bundled sets', () => {
  it('iris has 150 plants of three named species, 50 of each', async () => {
    const iris = await classification('iris');
    expect(counts(iris)).toEqual([100, 50, 4]);
    expect(iris.classes).toEqual(['setosa', 'versicolor', 'virginica']);
    expect(histogram(iris, 3)).toEqual([50, 50, 50]);
  });

  it('rows 0, 3, 6, … are for testing and the others for training, in their order', async () => {
    const { train, test } = await classification('iris');
    expect([...test.x.data.subarray(0, 8)].map((v) => +v.toFixed(1))).toEqual([5.1, 3.5, 1.4, 0.2, 4.6, 3.1, 1.5, 0.2]);
    expect([...train.x.data.subarray(0, 8)].map((v) => +v.toFixed(1))).toEqual([4.9, 3, 1.4, 0.2, 4.7, 3.2, 1.3, 0.2]);
  });

  it('wine has 59, 71 and 48 wines of 13 features', async () => {
    const wine = await classification('wine');
    expect(counts(wine)).toEqual([118, 60, 13]);
    expect(wine.classes).toEqual(['class_0', 'class_1', 'class_2']);
    expect(histogram(wine, 3)).toEqual([59, 71, 48]);
  });

  it('breast-cancer has 212 malignant and 357 benign cases of 30 features', async () => {
    const cancer = await classification('breast-cancer');
    expect(counts(cancer)).toEqual([379, 190, 30]);
    expect(cancer.classes).toEqual(['malignant', 'benign']);
    expect(histogram(cancer, 2)).toEqual([212, 357]);
  });

  it('digits has 1200 training and 597 test images, with pixels from 0 to 1', async () => {
    const digits = await classification('digits');
    expect(counts(digits)).toEqual([1200, 597, 64]);
    expect(digits.classes).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    expect(histogram(digits, 10)).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    expect([...digits.train.x.data.subarray(0, 8)]).toEqual([0, 0, 5 / 16, 13 / 16, 9 / 16, 1 / 16, 0, 0]);
    expect(Math.max(...digits.train.x.data.subarray(0, 6400))).toBe(1);
    expect([...digits.train.labels.subarray(0, 5)]).toEqual([0, 1, 2, 3, 4]);
  });

  it('diabetes has 442 patients of ten measures as they were taken, and a target for each', async () => {
    const diabetes = await loadDataset('diabetes', await emptyMachine());
    expect(counts(diabetes)).toEqual([294, 148, 10]);
    const { train, test, outputs } = diabetes as RegressionDataset;
    expect(outputs).toBe(1);
    expect([...test.x.data.subarray(0, 4)]).toEqual([59, 2, 32.1, 101]);
    expect([train.y.data[0], test.y.data[0]]).toEqual([75, 151]);
    // The mean target, 152.133, is well known.
    expect((sum(train.y.data) + sum(test.y.data)) / 442).toBeCloseTo(152.13348, 4);
  });

  it('are as their descriptions say', async () => {
    for (const { name, bundled, task, train, test, features, outputs } of registry) {
      if (!bundled) continue;
      const dataset = await loadDataset(name, await emptyMachine());
      expect([dataset.name, dataset.task, ...counts(dataset)]).toEqual([name, task, train, test, features]);
      expect(dataset.task === 'classification' ? dataset.classes.length : dataset.outputs).toBe(outputs);
    }
  });
});

describe('the registry', () => {
  it('describes each name once, in the order of datasetNames', () => {
    expect(registry.map(({ name }) => name)).toEqual([...datasetNames]);
  });

  it('has a source with a checksum and a length for every file of a set that is not bundled', () => {
    for (const { bundled, files } of registry)
      for (const { names, source } of files) {
        if (bundled) continue;
        expect(source?.sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(source?.length).toBeGreaterThan(1000);
        expect(names).toContain(source?.name);
      }
  });

  it('refuses an unknown name and lists the known ones', async () => {
    await expectFailure(() => describeDataset('mnits'), 'ERR_DLADMM_DATASET', '"mnits"', datasetNames.join(', '));
    await expectFailure(() => loadDataset('__proto__'), 'ERR_DLADMM_DATASET', '__proto__');
  });
});

describe('the search path', () => {
  it('is dataDir, DLADMM_DATA, the bundled data, the system, the cache', () => {
    const env = { DLADMM_DATA: '/from/env', XDG_CACHE_HOME: '/cache' };
    expect(searchPath({ dataDir: '/given', env })).toEqual([
      { origin: 'dataDir', folder: '/given' },
      { origin: 'DLADMM_DATA', folder: '/from/env' },
      { origin: 'bundled', folder: fileURLToPath(new URL('../../data', import.meta.url)) },
      { origin: 'system', folder: '/usr/share/datasets' },
      { origin: 'system', folder: '/usr/local/share/datasets' },
      { origin: 'cache', folder: '/cache/dladmm' },
    ]);
  });

  it('has the cache below the home folder where XDG_CACHE_HOME is not set, empty or relative', () => {
    for (const env of [{}, { XDG_CACHE_HOME: '' }, { XDG_CACHE_HOME: 'cache' }])
      expect(cacheFolder(env)).toMatch(/^\/.*\/\.cache\/dladmm$/);
  });

  it('has the folder that macOS has for caches, and still the one where downloads were kept there before', () => {
    const { platform } = process;
    Object.defineProperty(process, 'platform', { value: 'darwin' });
    try {
      const caches = searchPath({ env: {} }).flatMap(({ origin, folder }) => (origin === 'cache' ? [folder] : []));
      expect(caches).toEqual([join(homedir(), 'Library/Caches/dladmm'), join(homedir(), '.cache/dladmm')]);
      expect(cacheFolder({ XDG_CACHE_HOME: '/cache' })).toBe('/cache/dladmm');
    } finally {
      Object.defineProperty(process, 'platform', { value: platform });
    }
  });

  it.each(['', 3])('refuses the dataDir %j', async (dataDir) => {
    await expectFailure(() => searchPath({ dataDir: dataDir as string }), 'ERR_DLADMM_ARGUMENT', 'dataDir');
  });
});

const irisLike = (first: number) =>
  ['150,4,setosa,versicolor,virginica', ...Array.from({ length: 150 }, (_, i) => `${first},2,3,4,${i % 3}`)].join('\n');

describe('loadDataset', () => {
  it.each(['tabular/iris/iris.csv', 'iris/iris.csv', 'iris.csv', 'iris.csv.gz'])(
    'takes a file of a data folder at %s before the bundled one',
    async (place) => {
      const dataDir = await temporaryFolder();
      const path = join(dataDir, place);
      await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, place.endsWith('.gz') ? gzipSync(irisLike(77)) : irisLike(77));
      const { train } = await loadDataset('iris', { ...(await emptyMachine()), dataDir });
      expect(train.x.data[0]).toBe(77);
    },
  );

  it('looks into dataDir before DLADMM_DATA', async () => {
    const [dataDir, other] = [await temporaryFolder(), await temporaryFolder()];
    await writeFile(join(dataDir, 'iris.csv'), irisLike(1));
    await writeFile(join(other, 'iris.csv'), irisLike(2));
    const machine = await emptyMachine();
    const env = { ...machine.env, DLADMM_DATA: other };
    expect((await loadDataset('iris', { ...machine, env, dataDir })).train.x.data[0]).toBe(1);
    expect((await loadDataset('iris', { ...machine, env })).train.x.data[0]).toBe(2);
  });

  it('says everywhere it looked when a set is nowhere', async () => {
    const machine = { ...(await emptyMachine()), system: ['/nowhere/system'] };
    const dataDir = await temporaryFolder();
    await writeFile(join(dataDir, 'train-images-idx3-ubyte'), '');
    await expectFailure(
      () => loadDataset('mnist', { ...machine, dataDir }),
      'ERR_DLADMM_DATASET',
      `${join(dataDir, 'mnist')} (dataDir)`,
      `${dataDir} (dataDir; lacks train-labels-idx1-ubyte.gz or train-labels-idx1-ubyte)`,
      '(bundled)',
      '/nowhere/system/mnist (system)',
      `${join(machine.env.XDG_CACHE_HOME, 'dladmm', 'mnist')} (cache)`,
      'not allowed',
    );
  });

  it('names the file that is damaged, and does not look further', async () => {
    const dataDir = await temporaryFolder();
    const machine = { ...(await emptyMachine()), dataDir };
    const path = join(dataDir, 'iris.csv');
    for (const content of [
      '',
      '1,2,3\n',
      irisLike(1).slice(0, -20),
      irisLike(1).replace('4,1', '4,3'),
      gzipSync(irisLike(1)).subarray(0, -9),
    ]) {
      await writeFile(path, content);
      await expectFailure(() => loadDataset('iris', machine), 'ERR_DLADMM_FORMAT', path);
    }
  });

  it('stops if its signal is aborted', async () => {
    await expectFailure(() => loadDataset('iris', { signal: AbortSignal.abort() }), 'ERR_DLADMM_ABORTED');
  });
});

function idx(shape: readonly number[], value: (i: number) => number): Buffer {
  const count = shape.reduce((a, b) => a * b, 1);
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((length, d) => {
    header.writeUInt32BE(length, 4 + 4 * d);
  });
  return Buffer.concat([header, Buffer.from(Array.from({ length: count }, (_, i) => value(i)))]);
}

/** Four small files as MNIST has them: 3 training images and 2 for testing. */
const smallImages = (): Record<string, Buffer> => ({
  'train-images-idx3-ubyte': idx([3, 28, 28], (i) => i % 256),
  'train-labels-idx1-ubyte': idx([3], (i) => 9 - i),
  't10k-images-idx3-ubyte': idx([2, 28, 28], () => 255),
  't10k-labels-idx1-ubyte': idx([2], (i) => i),
});

async function write(folder: string, files: Record<string, Buffer>) {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

describe('image sets', () => {
  it('are read from plain or gzipped files, pixels scaled to [0, 1]', async () => {
    const dataDir = await temporaryFolder();
    const files = smallImages();
    await write(dataDir, { ...files, 'train-images-idx3-ubyte': Buffer.alloc(0) });
    await write(dataDir, { 'train-images-idx3-ubyte.gz': gzipSync(files['train-images-idx3-ubyte'] as Buffer) });
    const dataset = (await loadDataset('mnist', { ...(await emptyMachine()), dataDir })) as ClassificationDataset;
    expect(counts(dataset)).toEqual([3, 2, 784]);
    expect(dataset.train.x.data).toEqual(Float32Array.from({ length: 3 * 784 }, (_, i) => (i % 256) / 255));
    expect(dataset.test.x.data).toEqual(new Float32Array(2 * 784).fill(1));
    expect(dataset.train.labels).toEqual(Int32Array.of(9, 8, 7));
  });

  it.each<[string, string, Buffer]>([
    ['images of another size', 'train-images-idx3-ubyte', idx([3, 28, 27], () => 0)],
    ['images of no dimensions', 't10k-images-idx3-ubyte', idx([2], () => 0)],
    ['too few labels', 'train-labels-idx1-ubyte', idx([2], () => 0)],
    ['a label of 10', 't10k-labels-idx1-ubyte', idx([2], () => 10)],
    ['no images', 'train-images-idx3-ubyte', idx([0, 28, 28], () => 0)],
  ])('are refused with %s', async (_, name, content) => {
    const dataDir = await temporaryFolder();
    await write(dataDir, { ...smallImages(), [name]: content });
    const machine = await emptyMachine();
    await expectFailure(() => loadDataset('mnist', { ...machine, dataDir }), 'ERR_DLADMM_FORMAT', join(dataDir, name));
  });
});

const mnistFolder = join(shared, 'datasets', 'mnist');
const noMnist = !existsSync(join(mnistFolder, 't10k-labels-idx1-ubyte.gz'));

describe.skipIf(noMnist)('MNIST (skipped without the shared data folder)', () => {
  it('has 60000 + 10000 images of ten digits', async () => {
    const machine = await emptyMachine();
    const mnist = await loadDataset('mnist', { ...machine, dataDir: join(shared, 'datasets') });
    expect(counts(mnist)).toEqual([60_000, 10_000, 784]);
    expect(histogram(mnist as ClassificationDataset, 10)[0]).toBe(5923 + 980);
    // The mean pixel of the training images, 0.1307, is well known.
    expect(sum(mnist.train.x.data) / mnist.train.x.data.length).toBeCloseTo(0.13066, 4);
  });

  it('in a flat folder is not taken for Fashion-MNIST, whose files have the same names', async () => {
    const dataDir = await temporaryFolder();
    const labels = gunzipSync(await readFile(join(mnistFolder, 't10k-labels-idx1-ubyte.gz')));
    await write(dataDir, { ...smallImages(), 't10k-labels-idx1-ubyte': labels });
    const machine = { ...(await emptyMachine()), dataDir };
    await expectFailure(
      () => loadDataset('fashion-mnist', machine),
      'ERR_DLADMM_DATASET',
      `${dataDir} (dataDir; holds mnist)`,
    );
    await expectFailure(() => loadDataset('mnist', machine), 'ERR_DLADMM_FORMAT', 'expected 2 labels but found 10000');
  });

  it('is downloaded into the cache where it is nowhere else, and only what is missing', async () => {
    const machine = { ...(await emptyMachine()), download: true };
    const cache = join(machine.env.XDG_CACHE_HOME, 'dladmm', 'mnist');
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (url: string) => {
      asked.push(url);
      return new Response(await readFile(join(mnistFolder, url.split('/').at(-1) as string)));
    });
    await mkdir(cache, { recursive: true });
    await copyFile(join(mnistFolder, 'train-images-idx3-ubyte.gz'), join(cache, 'train-images-idx3-ubyte.gz'));
    await writeFile(join(cache, 't10k-labels-idx1-ubyte.gz'), 'damaged');
    expect(counts(await loadDataset('mnist', machine))).toEqual([60_000, 10_000, 784]);
    const base = 'https://storage.googleapis.com/cvdf-datasets/mnist/';
    const missing = ['train-labels-idx1-ubyte.gz', 't10k-images-idx3-ubyte.gz', 't10k-labels-idx1-ubyte.gz'];
    expect(asked).toEqual(missing.map((name) => base + name));
    expect((await readdir(cache)).length).toBe(4);
    await loadDataset('mnist', machine);
    expect(asked).toHaveLength(3);
  });
});

describe('a download that fails', () => {
  it('is told after all the places that were searched, and leaves no file', async () => {
    const machine = { ...(await emptyMachine()), download: true };
    vi.stubGlobal('fetch', async () => new Response('not found', { status: 404 }));
    const error = await expectFailure(
      () => loadDataset('california-housing', machine),
      'ERR_DLADMM_DATASET',
      '(cache)',
      'https://ndownloader.figshare.com/files/5976036',
      'HTTP 404',
    );
    expect(error.cause).toMatchObject({ code: 'ERR_DLADMM_DOWNLOAD' });
    const cache = join(machine.env.XDG_CACHE_HOME, 'dladmm', 'tabular', 'california_housing');
    expect(await readdir(cache)).toEqual([]);
  });

  it('because its file is another one, is told with both checksums', async () => {
    const machine = { ...(await emptyMachine()), download: true };
    vi.stubGlobal('fetch', async () => new Response(new Uint8Array(9_912_422)));
    await expectFailure(() => loadDataset('mnist', machine), 'ERR_DLADMM_DATASET', /SHA-256 440fcabf\w{56} but/);
  });

  it('because its signal is aborted, rejects as aborted', async () => {
    const controller = new AbortController();
    const machine = { ...(await emptyMachine()), download: true, signal: controller.signal };
    vi.stubGlobal('fetch', async () => {
      controller.abort();
      throw controller.signal.reason;
    });
    await expectFailure(() => loadDataset('mnist', machine), 'ERR_DLADMM_ABORTED');
  });
});

const fashionFolder = '/usr/share/datasets/fashion-mnist';

describe.skipIf(!existsSync(fashionFolder))(
  'Fashion-MNIST (skipped where the package dataset-fashion-mnist is not installed)',
  () => {
    it('is found in the system folder', async () => {
      const { system: _, ...machine } = await emptyMachine();
      const fashion = (await loadDataset('fashion-mnist', machine)) as ClassificationDataset;
      expect(counts(fashion)).toEqual([60_000, 10_000, 784]);
      expect(fashion.classes[9]).toBe('Ankle boot');
      expect(fashion.train.labels[0]).toBe(9);
      expect(histogram(fashion, 10)).toEqual(new Array(10).fill(7000));
    });

    it('is not taken for MNIST', async () => {
      const machine = { ...(await emptyMachine()), dataDir: fashionFolder };
      await expectFailure(() => loadDataset('mnist', machine), 'ERR_DLADMM_DATASET', 'holds fashion-mnist');
    });
  },
);

const housing = join(shared, 'datasets', 'tabular', 'california_housing', 'cal_housing.data.gz');

describe.skipIf(!existsSync(housing))('California housing (skipped without the shared data folder)', () => {
  it('has 20640 blocks of 8 features and the house value, unscaled', async () => {
    const machine = { ...(await emptyMachine()), dataDir: join(shared, 'datasets') };
    const dataset = (await loadDataset('california-housing', machine)) as RegressionDataset;
    expect(counts(dataset)).toEqual([13_760, 6_880, 8]);
    expect([...dataset.test.x.data.subarray(0, 8)].map((v) => +v.toFixed(4))).toEqual([
      -122.23, 37.88, 41, 880, 129, 322, 126, 8.3252,
    ]);
    expect(dataset.test.y.data[0]).toBe(452_600);
    expect((sum(dataset.train.y.data) + sum(dataset.test.y.data)) / 20_640).toBeCloseTo(206_855.8169, 3);
  });

  it('is the same from the archive that is downloaded', async () => {
    const dataDir = await temporaryFolder();
    const table = gunzipSync(await readFile(housing));
    const rows = table.subarray(table.indexOf('\n') + 1);
    await writeFile(join(dataDir, 'cal_housing.tgz'), gzipSync(tarOf('CaliforniaHousing/cal_housing.data', rows)));
    const machine = await emptyMachine();
    expect(await loadDataset('california-housing', { ...machine, dataDir })).toEqual(
      await loadDataset('california-housing', { ...machine, dataDir: join(shared, 'datasets') }),
    );
  });
});

function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name);
  header.write(content.length.toString(8).padStart(11, '0'), 124);
  header.fill(' ', 148, 156);
  header.write('0ustar', 156);
  header.write(`${sum(header).toString(8).padStart(6, '0')}\0`, 148);
  return Buffer.concat([header, content, Buffer.alloc(1536 - (content.length % 512))]);
}

describe('listDatasets', () => {
  it('says of every set whether and where it is found', async () => {
    const dataDir = await temporaryFolder();
    await write(join(dataDir, 'mnist'), smallImages());
    const { download: _, ...machine } = await emptyMachine();
    const list = await listDatasets({ ...machine, dataDir });
    expect(list.map(({ name }) => name)).toEqual([...datasetNames]);
    const found = Object.fromEntries(list.map(({ name, origin }) => [name, origin]));
    expect(found).toEqual({
      'fashion-mnist': undefined,
      mnist: 'dataDir',
      digits: 'bundled',
      iris: 'bundled',
      wine: 'bundled',
      'breast-cancer': 'bundled',
      diabetes: 'bundled',
      'california-housing': undefined,
    });
    expect(list[1]).toMatchObject({
      folder: join(dataDir, 'mnist'),
      downloadable: true,
      bundled: false,
      train: 60_000,
    });
  });
});
