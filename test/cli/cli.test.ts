import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { loadDataset } from '../../src/datasets/datasets.js';
import { parseNpy } from '../../src/formats/npy.js';
import { Model } from '../../src/model/model.js';
import { dladmm } from '../../src/solvers/dladmm/solver.js';
import { defaultsOf } from '../../src/solvers/shared/descriptor.js';
import { inFolder, jsonLines, MAIN, said } from './support.js';

const { path, run, runWith, start } = inFolder();

/** Small and short: what is learnt does not matter here. */
const QUICK = ['--iterations', '3', '--threads', '1'];

/** Two clouds in a table whose label comes first and is a text; the features are far from zero. */
function writeClouds(name: string, rows: number, classes: readonly string[]): void {
  const lines = Array.from({ length: rows }, (_, i) => {
    const at = i % classes.length;
    return `${classes[at]},${1000 + 100 * at + (i % 7)},${(i % 5) - 50 * at},7`;
  });
  writeFileSync(path(name), `kind,height,width,constant\n${lines.join('\n')}\n`);
}

describe('dladmm train', () => {
  it('prints one JSON object an iteration, then the outcome', async () => {
    const { code, out, err } = await run(
      ...['train', '--data', 'iris', '--solver', 'dladmm', ...QUICK, '--json', '--save', 'iris.safetensors'],
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    const lines = jsonLines(out);
    expect(lines.map(({ iteration }) => iteration)).toEqual([1, 2, 3, undefined]);
    for (const line of lines.slice(0, 3)) {
      expect(line).toMatchObject({
        lagrangian: expect.any(Number),
        residuals: expect.any(Array),
        penalties: { nu: defaultsOf(dladmm).nu },
        elapsed: expect.any(Number),
        test: { accuracy: expect.any(Number), loss: expect.any(Number) },
      });
    }
    const [first, last] = [lines[0], lines.at(-1)] as const;
    expect(last).toEqual({
      status: 'completed',
      iterations: 3,
      seconds: expect.any(Number),
      testAccuracy: expect.any(Number),
      testLoss: expect.any(Number),
      data: 'iris',
      layers: expect.arrayContaining([4, 3]),
      model: 'iris.safetensors',
    });
    expect(first).not.toHaveProperty('status');
    // The outcome is the saved model's, on raw features.
    const { loss } = (lines[2] as unknown as { test: { loss: number } }).test;
    expect(Math.abs(Number(last?.testLoss) - loss)).toBeLessThanOrEqual(0.01 * loss + 1e-6);
  });

  it('saves the same bytes for the same seed and others for another', async () => {
    const save = async (seed: string, file: string) => {
      await run('train', '--data', 'wine', ...QUICK, '--quiet', '--seed', seed, '--save', file);
      return readFileSync(path(file));
    };
    const first = await save('5', 'first.safetensors');
    expect((await save('5', 'second.safetensors')).equals(first)).toBe(true);
    expect((await save('6', 'third.safetensors')).equals(first)).toBe(false);
  });

  it('tells results on the standard output and the progress, in plain lines, on the standard error', async () => {
    const { code, out, err } = await run('train', '--data', 'iris', ...QUICK, '--save', 'plain.safetensors');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^classification by softmax-cross-entropy: .*\nnetwork 4-32-3 on .*\n\ntest set:\n50 samples\naccuracy [\s\S]*\ntest accuracy [\d.]+ %, loss \S+ after 3 iterations in [\d.]+ s\nmodel saved to plain.safetensors\n$/,
    );
    expect(err).toMatch(/^1\/3 {2}loss .*\n2\/3 .*\n3\/3 .* test [\d.]+ %\n$/);
    expect(out + err).not.toContain('\u001b');
    expect(out + err).not.toContain('\r');
  });

  it('says only the outcome with --quiet', async () => {
    const { out, err } = await run('train', '--data', 'iris', ...QUICK, '--quiet', '--json');
    expect(err).toBe('');
    expect(jsonLines(out)).toEqual([expect.objectContaining({ status: 'completed', model: null })]);
  });

  it('trains regressions with the squared error', async () => {
    const { code, out } = await run(
      'train',
      '--data',
      'diabetes',
      ...QUICK,
      '--json',
      '--save',
      'diabetes.safetensors',
    );
    expect(code).toBe(0);
    const outcome = jsonLines(out).at(-1);
    expect(outcome).toHaveProperty('testLoss');
    expect(outcome).not.toHaveProperty('testAccuracy');
    using model = await Model.load(path('diabetes.safetensors'));
    expect(model.network.loss).toBe('squared-error');
  });

  it('takes every option of the library', async () => {
    const { code, err } = await run(
      ...['train', '--data', 'breast-cancer', '--layers', '30-8-2', '--iterations', '2', '--quiet', '--threads', '1'],
      ...[
        '--activation',
        'leaky-relu:0.1',
        '--init',
        'gaussian:0.1',
        '--dtype',
        'float64',
        '--nu',
        '1e-3',
        '--rho',
        '1e-2',
      ],
      ...[
        '--schedule',
        'reference',
        '--step-search',
        'backtracking',
        '--theta0',
        '2',
        '--tau0',
        '3',
        '--growth',
        '1.5',
      ],
      ...[
        '--l2',
        '0.001',
        '--output-solver',
        'fista',
        '--softmax',
        'reference',
        '--seed',
        '9',
        '--evaluate-every',
        '2',
      ],
      ...['--train-metrics', '--solver', 'dladmm', '--train-samples', '100', '--save', 'all.safetensors'],
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    using model = await Model.load(path('all.safetensors'));
    expect(model.network).toEqual({
      layers: [30, 8, 2],
      activation: { leakyRelu: 0.1 },
      loss: 'softmax-cross-entropy',
    });
    expect(model.dtype).toBe('float64');
  });

  it.each([
    ['sgd', '--momentum', '0.9', '--nesterov', '--l2', '1e-4', '--reduction', 'mean'],
    ['adam', '--learning-rate', '0.01'],
    ['badm', '--sigma', '5', '--rho', '50'],
    ['sisa', '--rho', '100', '--sub-batches', '2'],
    [
      'minibatch-admm',
      '--learning-rate',
      '0.2',
      '--relative-damping',
      '2',
      '--rank',
      '3',
      '--gram-every',
      '4',
      '--gram-memory',
      '0.9',
    ],
    ['minibatch-admm', '--gram', 'full', '--momentum', '0.5', '--l2', '1e-3'],
  ])('trains by gradients: %s', async (solver, ...more) => {
    const flags = ['--epochs', '20', '--batch-size', '10', '--threads', '1', '--json', ...more];
    const { code, out, err } = await run('train', '--data', 'iris', '--solver', solver, ...flags);
    expect(err).toBe('');
    expect(code).toBe(0);
    const lines = jsonLines(out);
    expect(lines.length).toBe(21);
    expect(lines[0]).toMatchObject({ iteration: 1, steps: 10 });
    expect(lines.at(-1)).toMatchObject({ status: 'completed', iterations: 20 });
  });

  it('evaluates when asked to, on the training set too', async () => {
    const { out } = await run(
      'train',
      '--data',
      'iris',
      ...QUICK,
      '--json',
      '--evaluate-every',
      '2',
      '--train-metrics',
    );
    const [first, second, third] = jsonLines(out);
    expect(first).not.toHaveProperty('test');
    expect(first).not.toHaveProperty('train');
    expect(second).toHaveProperty('test.accuracy');
    expect(third).toHaveProperty('train.accuracy');
  });

  it('stops early on a validation share of the training set', async () => {
    const { code, out } = await run(
      ...['train', '--data', 'iris', '--iterations', '100000', '--threads', '1', '--early-stopping', '4', '--json'],
    );
    expect(code).toBe(0);
    const lines = jsonLines(out);
    const outcome = lines.at(-1) as { bestIteration: number; iterations: number };
    expect(outcome).toMatchObject({ status: 'early-stopped' });
    expect(outcome.iterations).toBe(outcome.bestIteration + 4);
    expect(lines[0]).toHaveProperty('validation.accuracy');
  });

  it('stops at a time limit', async () => {
    const { code, out } = await run(
      ...['train', '--data', 'iris', '--iterations', '100000000', '--threads', '1', '--time-limit', '0.01'],
      ...['--json', '--quiet', '--save', 'limit.safetensors'],
    );
    expect(code).toBe(0);
    expect(jsonLines(out)).toEqual([expect.objectContaining({ status: 'time-limit', model: 'limit.safetensors' })]);
  });

  it('tells of a divergence, keeps the last finite model and fails', async () => {
    // ρ grows tenfold every 100 iterations until float32 cannot hold it.
    const { code, out, err } = await run(
      ...[
        'train',
        '--data',
        'iris',
        '--layers',
        '4-4-3',
        '--rho',
        '1e38',
        '--schedule',
        'paper',
        '--iterations',
        '1000',
      ],
      ...['--threads', '1', '--json', '--quiet', '--save', 'diverged.safetensors'],
    );
    expect(code).toBe(1);
    const [outcome] = jsonLines(out);
    expect(outcome).toMatchObject({
      status: 'diverged',
      diverged: { iteration: Number(outcome?.iterations) + 1, block: expect.any(String), layer: expect.any(Number) },
      model: 'diverged.safetensors',
    });
    expect(Number(outcome?.iterations)).toBeGreaterThan(0);
    expect(err).toMatch(/^dladmm: diverged in iteration \d+: the update of \w_\d met a value that is not finite/m);
    using model = await Model.load(path('diverged.safetensors'));
    expect(model.weights.every((block) => block.every(Number.isFinite))).toBe(true);
  });

  it('leaves an older model alone when no iteration came to its end', async () => {
    const network = { layers: [1, 1], activation: 'relu', loss: 'squared-error' } as const;
    const weights = [Float32Array.of(7)];
    await new Model({ network, dtype: 'float32', weights, biases: weights }).save(path('older.safetensors'));
    const { code, out } = await run(
      ...[
        'train',
        '--data',
        'iris',
        '--init',
        'gaussian:1e25',
        ...QUICK,
        '--json',
        '--quiet',
        '--save',
        'older.safetensors',
      ],
    );
    expect(code).toBe(1);
    expect(jsonLines(out)).toEqual([expect.objectContaining({ status: 'diverged', iterations: 0, model: null })]);
    expect((await Model.load(path('older.safetensors'))).weights).toEqual(weights);
  });
});

describe('a training on a file', () => {
  it('splits it by share and seed, and evaluates the saved model on raw features', async () => {
    writeClouds('clouds.csv', 100, ['blue', 'red']);
    const { code, out, err } = await run(
      ...[
        'train',
        '--data',
        'clouds.csv',
        '--target',
        'kind',
        '--test-share',
        '0.3',
        '--iterations',
        '3',
        '--threads',
        '1',
      ],
      ...['--json', '--quiet', '--save', 'clouds.safetensors'],
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(jsonLines(out)[0]).toMatchObject({ layers: [2, 32, 2], data: 'clouds.csv' });
    using model = await Model.load(path('clouds.safetensors'));
    expect(model.classes).toEqual(['blue', 'red']);
    // The constant column has nothing to teach.
    expect(model.columns?.map(({ name }) => name)).toEqual(['height', 'width']);
  });

  it('matches the classes of a test file by name', async () => {
    writeClouds('three.csv', 90, ['blue', 'green', 'red']);
    writeClouds('two.csv', 20, ['red', 'green']);
    const common = [
      'train',
      '--data',
      'three.csv',
      '--target',
      '#1',
      ...QUICK,
      '--json',
      '--quiet',
      '--save',
      'three.safetensors',
    ];
    const trained = await run(...common, '--test-data', 'two.csv');
    const evaluated = await run(
      'evaluate',
      '--model',
      'three.safetensors',
      '--data',
      'two.csv',
      '--target',
      'kind',
      '--json',
    );
    expect(trained.code).toBe(0);
    expect(jsonLines(evaluated.out)[0]).toMatchObject({
      accuracy: jsonLines(trained.out)[0]?.testAccuracy,
      samples: 20,
    });

    writeClouds('purple.csv', 20, ['purple', 'red']);
    const refused = await run(...common, '--test-data', 'purple.csv');
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(
      /Expected one of the classes blue, green, red for line 2 of column "kind" of purple.csv but received "purple"/,
    );
  });

  it('tells of what is held out where nothing is tested, and without it of the training set', async () => {
    writeClouds('untested.csv', 20, ['a', 'b']);
    const args = ['train', '--data', 'untested.csv', '--target', '#1', ...QUICK, '--json', '--quiet'];
    const outcome = jsonLines((await run(...args)).out)[0];
    expect(outcome).toHaveProperty('validationAccuracy');
    expect(outcome).not.toHaveProperty('testAccuracy');
    const alone = jsonLines((await run(...args, '--validation-share', '0')).out)[0];
    expect(alone).toHaveProperty('trainAccuracy');
    expect(alone).not.toHaveProperty('validationAccuracy');
  });

  it('standardises unless told not to', async () => {
    writeClouds('raw.csv', 40, ['a', 'b']);
    const train = async (...more: string[]) => {
      await run(
        'train',
        '--data',
        'raw.csv',
        '--target',
        '#1',
        ...QUICK,
        '--quiet',
        '--save',
        'raw.safetensors',
        ...more,
      );
      return readFileSync(path('raw.safetensors'));
    };
    const byDefault = await train();
    for (const flag of ['--standardize', '--standardise']) expect((await train(flag)).equals(byDefault)).toBe(true);
    for (const flag of ['--no-standardize', '--no-standardise'])
      expect((await train(flag)).equals(byDefault)).toBe(false);
  });

  it('is never overwritten by the model', async () => {
    writeClouds('precious.csv', 20, ['a', 'b']);
    const before = readFileSync(path('precious.csv'), 'utf8');
    const { code, err } = await run(
      'train',
      '--data',
      'precious.csv',
      '--target',
      '#1',
      ...QUICK,
      '--save',
      './precious.csv',
    );
    expect(code).toBe(1);
    expect(err).toContain('Refused to write');
    expect(readFileSync(path('precious.csv'), 'utf8')).toBe(before);
  });
});

describe('dladmm evaluate and dladmm predict', () => {
  it.each(['digits', 'wine'])('give for %s what the training said of its test set', async (data) => {
    const model = `${data}.safetensors`;
    const trained = await run('train', '--data', data, ...QUICK, '--json', '--quiet', '--save', model);
    const outcome = jsonLines(trained.out)[0];
    const set = await loadDataset(data);
    const samples = set.test.x.rows;

    const evaluated = await run('evaluate', '--model', model, '--data', data, '--json');
    expect(jsonLines(evaluated.out)).toEqual([
      expect.objectContaining({ loss: expect.any(Number), accuracy: outcome?.testAccuracy, samples, data, model }),
    ]);

    const { out } = await run('predict', '--model', model, '--data', data);
    const [header, ...lines] = out
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','));
    if (set.task !== 'classification') throw new Error(`${data} is no classification`);
    expect(header).toEqual(['class', ...set.classes]);
    const correct = lines.filter(([name], i) => name === set.classes[set.test.labels[i] ?? -1]).length;
    expect(lines).toHaveLength(samples);
    expect(correct / samples).toBe(outcome?.testAccuracy);
  });

  it('write CSV and NPY files of the same numbers', async () => {
    await run('train', '--data', 'diabetes', ...QUICK, '--quiet', '--save', 'd.safetensors');
    const csv = await run('predict', '--model', 'd.safetensors', '--data', 'diabetes', '--out', 'd.csv');
    const npy = await run(
      'predict',
      '--model',
      'd.safetensors',
      '--data',
      'diabetes',
      '--part',
      'train',
      '--out',
      'd.npy',
    );
    const test = await run(
      'predict',
      '--model',
      'd.safetensors',
      '--data',
      'diabetes',
      '--part',
      'test',
      '--out',
      't.npy',
    );
    expect([csv.code, npy.code, test.code]).toEqual([0, 0, 0]);
    expect(csv.out + csv.err + npy.out + npy.err).toBe('');
    const [header, ...lines] = readFileSync(path('d.csv'), 'utf8').trimEnd().split('\n');
    const table = parseNpy(readFileSync(path('t.npy')), 't.npy');
    expect(header).toBe('output 1');
    expect(table.shape).toEqual([lines.length, 1]);
    expect(Float64Array.from(lines, Number)).toEqual(table.data);
    expect(parseNpy(readFileSync(path('d.npy')), 'd.npy').shape).toEqual([442 - lines.length, 1]);
  });

  it('take a CSV file with its column of labels, numbers or texts, or without', async () => {
    await run('train', '--data', 'iris', ...QUICK, '--quiet', '--save', 'i.safetensors');
    writeFileSync(path('bare.csv'), 'a,b,c,d\n5.1,3.5,1.4,0.2\n6.2,2.9,4.3,1.3\n');
    writeFileSync(path('numbered.csv'), 'a,b,c,d,label\n5.1,3.5,1.4,0.2,0\n6.2,2.9,4.3,1.3,1\n');
    writeFileSync(path('named.csv'), 'a,b,c,d,label\n5.1,3.5,1.4,0.2,setosa\n6.2,2.9,4.3,1.3,what else\n');
    writeFileSync(path('first.csv'), 'label,a,b,c,d\nx,5.1,3.5,1.4,0.2\nx,6.2,2.9,4.3,1.3\n');
    const predict = (file: string, ...more: string[]) =>
      run('predict', '--model', 'i.safetensors', '--data', file, ...more);
    const bare = await predict('bare.csv');
    expect(bare.code).toBe(0);
    expect(bare.out.split('\n')).toHaveLength(4);
    expect((await predict('numbered.csv')).out).toBe(bare.out);
    expect((await predict('named.csv')).out).toBe(bare.out);
    expect((await predict('first.csv', '--target', 'label')).out).toBe(bare.out);

    writeFileSync(path('broken.csv'), 'a,b,c,d\n5.1,3.5,1.4,0.2\n6.2,2.9,4.3,oops\n');
    expect((await predict('broken.csv')).err).toMatch(/line 3 of column "d" of broken\.csv .*"oops"/);
    writeFileSync(path('narrow.csv'), 'a,b\n1,2\n3,4\n');
    expect((await predict('narrow.csv')).err).toContain(
      'Expected 4 columns of features in narrow.csv, as the model was trained on columns without names, but found 2',
    );
    const refused = await predict('bare.csv', '--out', 'bare.csv');
    expect(refused.err).toContain('Refused to write to bare.csv');
  });

  it('refuse samples that do not suit the model', async () => {
    await run('train', '--data', 'iris', ...QUICK, '--quiet', '--save', 's.safetensors');
    const evaluate = (data: string) => run('evaluate', '--model', 's.safetensors', '--data', data);
    expect(await evaluate('wine')).toMatchObject({
      code: 1,
      err: expect.stringContaining('Expected 4 features in wine'),
    });
    expect(await evaluate('diabetes')).toMatchObject({
      code: 1,
      err: expect.stringContaining('Expected classification'),
    });
  });

  it('put quotation marks around class names that need them', async () => {
    writeClouds('odd.csv', 20, ['"a, b"', 'c']);
    await run('train', '--data', 'odd.csv', '--target', '#1', ...QUICK, '--quiet', '--save', 'odd.safetensors');
    const { out } = await run('predict', '--model', 'odd.safetensors', '--data', 'odd.csv', '--target', '#1');
    expect(out).toMatch(/^class,"a, b",c\n/);
  });
});

describe('dladmm datasets', () => {
  it('lists every set, for people and for programs', async () => {
    const json = await run('datasets', '--json');
    const sets = JSON.parse(json.out) as { name: string; folder: string | null }[];
    const plain = await run('datasets');
    expect([json.code, plain.code]).toEqual([0, 0]);
    expect(sets.map(({ name }) => name)).toEqual(expect.arrayContaining(['fashion-mnist', 'digits', 'diabetes']));
    for (const { name } of sets) expect(plain.out).toMatch(new RegExp(`^${name}: `, 'm'));
    expect(sets.find(({ name }) => name === 'iris')).toMatchObject({
      bundled: true,
      origin: 'bundled',
      train: 100,
      test: 50,
    });
    expect(plain.out).toMatch(/iris: .*\n {2}classification, 100 samples .*\n {2}comes with the package/);
  });
});

describe('an interrupted training', () => {
  const ENDLESS = ['train', '--data', 'digits', '--layers', '64-20-10', '--iterations', '100000000', '--threads', '1'];

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('saves its model after %s and ends with %i', async (signal, exitCode) => {
    const file = `${signal}.safetensors`;
    const { child, ended } = start(...ENDLESS, '--json', '--save', file);
    await said(child.stdout, /"iteration":3,/);
    child.kill(signal);
    const { code, out, err } = await ended;
    expect(code).toBe(exitCode);
    expect(err).toMatch(/^dladmm: stopping .*\n$/);
    const outcome = jsonLines(out).at(-1);
    expect(outcome).toMatchObject({ status: 'aborted', model: file });
    const evaluated = await run('evaluate', '--model', file, '--data', 'digits', '--json');
    expect(jsonLines(evaluated.out)[0]?.accuracy).toBe(outcome?.testAccuracy);
  });

  it('takes a Ctrl-C that npm passes on once more for one', async () => {
    const { child, ended } = start(...ENDLESS, '--save', 'npm.safetensors');
    await said(child.stderr, /^ *3\//m);
    child.kill('SIGINT');
    child.kill('SIGINT');
    const { code, out } = await ended;
    expect(code).toBe(130);
    expect(out).toMatch(/stopped on request\nmodel saved to npm\.safetensors\n$/);
    expect(existsSync(path('npm.safetensors'))).toBe(true);
  });

  it('saves its model and ends quietly when nobody reads on', async () => {
    const { child, ended } = start(...ENDLESS, '--json', '--save', 'pipe.safetensors');
    await said(child.stdout, /"iteration":2,/);
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 0, signal: null, err: '' });
    using model = await Model.load(path('pipe.safetensors'));
    expect(model.network.layers).toEqual([64, 20, 10]);
  });
});

describe('errors', () => {
  beforeAll(() => void vi.stubEnv('XDG_CACHE_HOME', path('cache')));

  it.each([
    [1, 'there is no such file; nor is it the name of a data set', ['train', '--data', 'nothing']],
    [1, 'there is no such file', ['train', '--data', './iris']],
    [1, 'it is an address', ['train', 'https://example.com/iris.csv']],
    [1, 'Expected a positive finite number for nu but received -1', ['train', '--data', 'iris', '--nu', '-1']],
    [1, 'Expected 4-…-3 for --layers', ['train', '--data', 'iris', '--layers', '5-6-3']],
    [1, 'Could not write no/where', ['train', '--data', 'iris', '--save', 'no/where']],
    [1, 'it is a folder', ['train', '--data', 'iris', '--save', '.']],
    [1, 'Expected at most 100 (iris has no more)', ['train', '--data', 'iris', '--train-samples', '101']],
    [1, 'there is a test set already', ['train', '--data', 'iris', '--test-share', '0.5']],
    [1, 'Expected no --target with the data set iris', ['train', '--data', 'iris', '--target', 'x']],
    [1, 'Expected no --no-header with the data set iris', ['train', '--data', 'iris', '--no-header']],
    [1, 'Expected no --labels with the data set iris', ['train', '--data', 'iris', '--labels', 'x.npy']],
    [
      1,
      'Expected no --test-labels with the data set wine',
      [...'train iris --test-data wine --test-labels x'.split(' ')],
    ],
    [1, 'Could not read none.safetensors', ['evaluate', '--model', 'none.safetensors', '--data', 'iris']],
    [1, 'downloading was not allowed', ['train', '--data', 'california-housing', '--no-download']],
    [2, "option '--data <name|file>' not specified", ['train']],
    [2, "unknown option '--iteration'", ['train', '--data', 'iris', '--iteration', '3']],
    [2, "unknown command 'fit'", ['fit']],
    [2, "unknown command 'fit'; did you mean train?", ['help', 'fit']],
    [2, "unknown command 'nope'", ['help', 'nope', 'all']],
    [2, "unknown command 'nope'", ['nope', '--help']],
    [2, "unknown command 'nope'", ['nope', 'data.csv', '-h']],
    [2, 'no quasi-Newton method', ['train', '--data', 'iris', '--solver', 'lbfgs']],
    [2, 'dladmm says --validation-share', ['train', '--data', 'iris', '--validation-split', '0.2']],
    [2, 'dladmm says --hidden', ['train', '--data', 'iris', '--hidden-layer-sizes', '100']],
    [2, 'belongs to trees', ['train', '--data', 'iris', '--n-estimators', '100']],
    [2, "'squared-error'", ['train', '--data', 'iris', '--loss', 'mse']],
    [2, 'evaluations without gain', ['train', '--data', 'iris', '--early-stopping', 'true']],
    [2, 'missing; --hidden: The widths', ['train', '--data', 'iris', '--hidden']],
    [2, 'dladmm train takes --time-limit', ['train', '--data', 'iris', '--timeout', '60']],
    [2, 'leaky-relu:0.01', ['train', '--data', 'iris', '--activation', 'leaky-relu']],
    [1, '--iterations 3', ['train', '--data', 'iris', '--solver', 'dladmm', '--epochs', '3']],
    [1, 'Expected only', ['train', '--data', 'iris', '--solver', 'adam', '--nu', '3']],
    [1, 'that divides the batch size 10', ['train', '--data', 'iris', '--solver', 'sisa', '--batch-size', '10']],
    [2, 'Expected a number', ['train', '--data', 'iris', '--rho', 'small']],
    [2, 'Expected a whole number', ['train', '--data', 'iris', '--iterations', '1.5']],
    [2, 'Expected widths with hyphens', ['train', '--data', 'iris', '--layers', '4,3']],
    [2, 'softplus, leaky-relu:SLOPE or elu:ALPHA', ['train', '--data', 'iris', '--activation', 'softsign']],
    [
      2,
      'Expected he, glorot, gaussian:SD, or he, glorot, lecun, msra, orthogonal with :GAIN',
      ['train', '--data', 'iris', '--init', 'xavier'],
    ],
    [2, 'Expected a number between 0 and 1', ['train', '--data', 'iris', '--test-share', '1']],
    [2, 'ends in .csv or .npy', ['predict', '--model', 'm', '--data', 'iris', '--out', 'x.txt']],
  ])('end with %i and say: %s', async (exitCode, message, args) => {
    const { code, out, err } = await run(...args);
    expect(err).toContain(message);
    expect(err).toMatch(/^dladmm: /);
    expect(err).not.toMatch(/^\s+at /m);
    expect(out).toBe('');
    expect(code).toBe(exitCode);
  });

  it('show their stack with DLADMM_DEBUG', async () => {
    const { code, err } = await runWith({ DLADMM_DEBUG: '1' }, 'train', '--data', 'nothing');
    expect(code).toBe(1);
    expect(err).toMatch(/^\s+at .*readBytes/m);
  });

  it.runIf(existsSync('/dev/full'))('tell of output that cannot be written', () => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'datasets'], { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    expect(status).toBe(1);
    expect(String(stderr)).toMatch(/^dladmm: could not write to the standard output: ENOSPC/);
  });

  it('leave nothing behind but what was asked for', () => {
    expect(readdirSync(path('.')).filter((name) => name.includes('.tmp'))).toEqual([]);
  });
});

describe('help', () => {
  it.each([[], ['train'], ['predict'], ['evaluate'], ['datasets'], ['start']])(
    'of dladmm %s has an example',
    async (...args) => {
      const { code, out, err } = await run(...args, '--help');
      expect(code).toBe(0);
      expect(err).toBe('');
      expect(out).toMatch(/^Usage: dladmm/);
      expect(out).toMatch(/Examples?:\n {2}dladmm /);
    },
  );

  it('of a training has ten options, and with all every one; help train is the same', async () => {
    const first = await run('train', '--help');
    expect(first.out.match(/^ {2}--/gm)).toHaveLength(10);
    expect(first.out).toMatch(/--solver <name\|file> .*[\s\S]*default: auto/);
    expect(first.out).toContain('dladmm train --help all');
    expect((await run('help', 'train')).out).toBe(first.out);
    const all = await run('train', '--help', 'all');
    expect(all.out.match(/^ {2}--/gm)?.length).toBeGreaterThan(60);
    expect((await run('help', 'train', 'all')).out).toBe(all.out);
    for (const command of ['predict', 'evaluate']) {
      expect((await run(command, '--help')).out.match(/^ {2}--/gm)?.length).toBeLessThanOrEqual(10);
    }
  });

  it('states the defaults of the library', async () => {
    const { out } = await run('train', '--help', 'all');
    const text = out.replaceAll(/\s+/g, ' ');
    expect(text).toContain(`Penalty of the hidden constraints (default: ${defaultsOf(dladmm).nu.toExponential()};`);
    expect(text).toContain(`Sweeps at most (default: ${defaultsOf(dladmm).iterations};`);
  });

  it('comes without a command too, as a usage error', async () => {
    const { code, err } = await run();
    expect(code).toBe(2);
    expect(err).toMatch(/^Usage: dladmm/);
  });

  it('has the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await run('--version')).toMatchObject({ code: 0, out: `${version}\n` });
  });
});
