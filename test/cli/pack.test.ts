import { readdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { inFolder, jsonLines } from './support.js';

const { path, run } = inFolder();

test('dladmm pack writes what dladmm train trains from, and evaluates', async () => {
  const rows = Array.from({ length: 300 }, (_, i) => `${Math.sin(i)},${i % 4},${Math.sin(i) > 0.1 ? 'up' : 'down'}`);
  await writeFile(path('waves.csv'), `height,step,way\n${rows.join('\n')}\n`);
  const packed = await run('pack', 'waves.csv', '--target', 'way', '--out', 'waves.samples', '--json');
  expect(packed.err).toBe('');
  expect(jsonLines(packed.out)).toMatchObject([{ path: 'waves.samples', rows: 300, task: 'classification' }]);
  const trained = await run(
    ...[
      'train',
      'waves.samples',
      '--solver',
      'adam',
      '--hidden',
      '8',
      '--epochs',
      '30',
      '--batch-size',
      '8',
      '--learning-rate',
      '0.02',
      '--memory',
      '2GB',
      '--json',
    ],
  );
  expect(trained.code).toBe(0);
  expect(jsonLines(trained.out).at(-1)).toMatchObject({
    status: 'completed',
    validationAccuracy: expect.toSatisfy((accuracy) => accuracy > 0.8),
  });
  const little = await run('train', 'waves.samples', '--solver', 'adam', '--memory', '1MB');
  expect(little.err).toMatch(/memory allows 1 MB/);
  expect(little.code).toBe(1);
  const ours = await run('pack', 'waves.csv', '--target', 'way', '--out', 'waves.csv');
  expect(ours.err).toMatch(/Refused to write to waves.csv/);
  expect((await readdir(path('.'))).toSorted()).toEqual(['waves.csv', 'waves.samples']);
});

test.each([
  ['train', ['--target', 'step'], /Expected no --target with waves\.samples: it is said as samples are packed/],
  ['train', ['--delimiter', ';'], /no --delimiter with waves\.samples/],
  ['train', ['--no-header'], /no --no-header with waves\.samples/],
  ['train', ['--encoding', 'latin1'], /no --encoding with waves\.samples/],
  ['train', ['--decimal', ','], /no --decimal with waves\.samples/],
  ['train', ['--labels', 'x.npy'], /no --labels with waves\.samples/],
  ['train', ['--ignore', 'step'], /Expected no --ignore with waves\.samples/],
  ['train', ['--test-data', 'waves.samples', '--test-labels', 'x.npy'], /no --test-labels with waves\.samples/],
  ['train', ['--train-samples', '10'], /no --train-samples with waves\.samples: all of a store is trained on/],
  ['train', ['--test-share', '0.2'], /no --test-share with waves\.samples: .* --validation-share holds some out/],
  ['train', ['--test-data', 'waves.csv'], /a store of samples, as waves\.samples is one, for --test-data/],
])('%s refuses %o beside a store', async (command, flags, message) => {
  const { code, err } = await run(command, 'waves.samples', ...flags, '--epochs', '1', '--solver', 'adam', '--quiet');
  expect(err).toMatch(message);
  expect(code).toBe(1);
});

test('a store is tested on by a training from a store alone', async () => {
  const { code, err } = await run('train', 'waves.csv', '--test-data', 'waves.samples');
  expect(err).toMatch(/Expected a table, arrays or a named set, to go with waves\.csv, for --test-data/);
  expect(code).toBe(1);
});

test('a training from a store that goes on is judged by what it holds out', async () => {
  const adam = ['train', 'waves.samples', '--solver', 'adam', '--hidden', '4', '--threads', '1', '--json', '--quiet'];
  const watching = ['--early-stopping', '50'];
  for (const [more, part] of [
    [watching, 'validation'],
    [['--validation-share', '0'], 'train'],
    [['--test-data', 'waves.samples'], 'test'],
  ] as const) {
    const whole = await run(...adam, ...more, '--epochs', '6');
    await run(...adam, ...more, '--epochs', '3', '--checkpoint', `${part}.checkpoint`);
    const again = part === 'validation' ? [] : more;
    const going = ['--resume', `${part}.checkpoint`, ...again, '--epochs', '6', '--json', '--quiet'];
    const rest = await run('train', 'waves.samples', ...going);
    expect({ code: rest.code, err: rest.err }).toEqual({ code: 0, err: '' });
    const [wholly, resumed] = [jsonLines(whole.out).at(-1), jsonLines(rest.out).at(-1)];
    const others = ['validation', 'train', 'test'].filter((each) => each !== part);
    for (const other of others) expect(resumed).not.toHaveProperty(`${other}Accuracy`);
    expect(resumed?.[`${part}Accuracy`]).toBe(wholly?.[`${part}Accuracy`]);
    expect(resumed?.[`${part}Loss`]).toBeCloseTo(Number(wholly?.[`${part}Loss`]), 5);
  }
});

test('a training that diverged tells what its records say of the rows that it held out', async () => {
  const growing = [
    '--solver',
    'dladmm',
    '--rho',
    '1e38',
    '--schedule',
    'paper',
    '--iterations',
    '1000',
    '--hidden',
    '4',
  ];
  for (const data of [['waves.samples'], ['waves.csv', '--target', 'way']]) {
    const { code, out } = await run('train', ...data, ...growing, '--threads', '1', '--json');
    expect(code).toBe(1);
    const lines = jsonLines(out);
    const [last, outcome] = [lines.at(-2), lines.at(-1)];
    expect(outcome).toMatchObject({ status: 'diverged', validationLoss: expect.any(Number) });
    expect(outcome).not.toHaveProperty('trainLoss');
    expect(last).toMatchObject({
      validation: { loss: outcome?.validationLoss, accuracy: outcome?.validationAccuracy },
    });
  }
});

test('dladmm pack takes a named set, its training part alone, and a table that gzip has packed', async () => {
  const named = await run('pack', 'iris', '--out', 'iris.samples', '--json');
  expect(named.err).toBe('');
  expect(jsonLines(named.out)).toMatchObject([{ inputs: 4, task: 'classification' }]);
  const text = `a,b\n${Array.from({ length: 60 }, (_, i) => `${Math.sin(i)},${i % 2 ? 'x' : 'y'}`).join('\n')}\n`;
  await writeFile(path('t.csv'), text);
  await writeFile(path('t.csv.gz'), gzipSync(text));
  const [plain, packed] = [
    await run('pack', 't.csv', '--out', 'plain.samples'),
    await run('pack', 't.csv.gz', '--out', 'packed.samples'),
  ];
  expect([plain.err, packed.err]).toEqual(['', '']);
  expect(await readFile(path('plain.samples'))).toEqual(await readFile(path('packed.samples')));
  const again = await run('pack', 'plain.samples', '--out', 'again.samples');
  expect(again.err).toMatch(/packed already/);
});

test('what a person should look at in the columns is told, and rows train within memory by themselves', async () => {
  const rows = Array.from({ length: 300 }, (_, i) => `${i},${Math.sin(i)},${Math.sin(i) > 0.1 ? 'up' : 'down'}`);
  await writeFile(path('ids.csv'), `id,height,way\n${rows.join('\n')}\n`);
  const packed = await run('pack', 'ids.csv', '--target', 'way', '--out', 'ids.samples');
  expect(packed.out).toMatch(/^300 samples .*\nnote: column "id" seems to be an identifier/);
  const train = ['train', 'ids.csv', '--target', 'way', '--solver', 'adam', '--epochs', '2', '--memory', '4GB'];
  const trained = await run(...train);
  expect(trained.code).toBe(0);
  expect(`${trained.out}${trained.err}`).toMatch(/column "id" seems to be an identifier/);
});

test('dladmm evaluate and dladmm predict say of a store what they say of the table that was packed', async () => {
  await run('train', 'waves.samples', '--solver', 'adam', '--epochs', '4', '--quiet', '--save', 'waves.model');
  for (const more of [[], ['--json'], ['--importance']]) {
    const [table, store] = [
      await run('evaluate', 'waves.model', 'waves.csv', ...more),
      await run('evaluate', 'waves.model', 'waves.samples', ...more),
    ];
    expect(store).toEqual({ ...table, out: table.out.replace('waves.csv', 'waves.samples') });
    expect(store.code).toBe(0);
  }
  expect(await run('predict', 'waves.model', 'waves.samples')).toEqual(
    await run('predict', 'waves.model', 'waves.csv'),
  );
  const other = await run('evaluate', 'waves.model', 'iris.samples');
  expect(other.err).toMatch(/^dladmm: Expected a store with the columns of the model/);
  expect(other.code).toBe(1);
});

test.each([
  [['evaluate', '--target', 'way'], /Expected no --target with waves\.samples: it is said as samples are packed/],
  [['predict', '--ignore', 'step'], /Expected no --ignore with waves\.samples/],
  [['predict', '--decimal', ','], /Expected no --decimal with waves\.samples/],
  [['predict', '--labels', 'y.npy'], /Expected no --labels with waves\.samples/],
  [['evaluate', '--part', 'test'], /waves\.samples has no parts/],
  [['cross-validate'], /Expected rows or arrays, which can be parted, for --data/],
  [['search'], /Expected rows or arrays, which can be parted, for --data/],
  [['path', '--strengths', '1'], /Expected rows or arrays, which can be parted, for --data/],
])('%o refuses what a store has no answer to', async ([command = '', ...flags], message) => {
  const model = ['predict', 'evaluate'].includes(command) ? ['waves.model'] : [];
  const { code, err } = await run(command, ...model, 'waves.samples', ...flags);
  expect(err).toMatch(message);
  expect(err).not.toMatch(/openSamples/);
  expect(code).toBe(1);
});

test('dladmm pack takes text of libsvm, and gzipped text in another encoding', async () => {
  await writeFile(
    path('signs.svm'),
    Array.from({ length: 20 }, (_, i) => `${i % 2} ${1 + (i % 2)}:1 3:0.5\n`).join(''),
  );
  const signs = await run('pack', 'signs.svm', '--out', 'signs.samples', '--json');
  expect(signs.err).toBe('');
  expect(jsonLines(signs.out)).toMatchObject([{ rows: 20, inputs: 3, task: 'classification' }]);
  const text = `a,b\n${Array.from({ length: 60 }, (_, i) => `${Math.sin(i)},${i % 2 ? 'Zoë' : 'Ann'}`).join('\n')}\n`;
  await writeFile(path('latin.csv.gz'), gzipSync(Buffer.from(text, 'latin1')));
  const latin = await run('pack', 'latin.csv.gz', '--encoding', 'windows-1252', '--out', 'latin.samples');
  expect({ code: latin.code, err: latin.err }).toEqual({ code: 0, err: '' });
});

test.each([
  [['iris', '--weights', 'a'], /Expected no --weights with iris: it names a column of a table/],
  [['signs.svm', '--weights', 'a'], /Expected no --weights with signs\.svm/],
  [['signs.svm', '--bins', '4'], /Expected no --bins with signs\.svm: it is for tables/],
])('dladmm pack refuses %o', async (args, message) => {
  const { code, err } = await run('pack', ...args, '--out', 'no.samples');
  expect(err).toMatch(message);
  expect(code).toBe(1);
});
