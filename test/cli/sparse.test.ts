import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { inFolder } from './support.js';

const { path, run } = inFolder();

/** Class −1 or 1 by which of the first two features is there; the last line has none. */
const line = (i: number): string => `${i % 2 ? '1 2:1' : '-1 1:1'} ${3 + (i % 5)}:0.5`;
const LINES = Array.from({ length: 80 }, (_, i) => line(i));
const QUICK = ['--solver', 'adam', '--epochs', '20', '--hidden', '4', '--threads', '1', '--quiet'];
const COMPRESS = ['compress', 'signs.model', '--sparsity', '0.5', '--to', 'small.model', '--quiet', '--data'];

beforeAll(async () => {
  writeFileSync(path('train.svm'), `${LINES.join('\n')}\n`);
  writeFileSync(path('new.libsvm'), '1 2:1\n-1 1:1 3:0.5\n');
  const row = (i: number): string => `"${i % 2 ? 'a warm day' : 'a cold night'}",${i % 3},${i % 2 ? 'glad' : 'cross'}`;
  writeFileSync(path('texts.csv'), `text,size,mood\n${LINES.map((_, i) => row(i)).join('\n')}\n`);
  await run('pack', 'texts.csv', '--out', 'texts.samples');
});

describe('text of libsvm on the command line', () => {
  it('is trained on, judged and predicted, with as many columns as the model takes', async () => {
    const { code, err } = await run('train', 'train.svm', ...QUICK, '--save', 'signs.model');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const judged = await run('evaluate', 'signs.model', 'new.libsvm', '--json');
    expect(JSON.parse(judged.out)).toMatchObject({ accuracy: 1, samples: 2, data: 'new.libsvm' });
    const { out } = await run('predict', 'signs.model', 'new.libsvm', '--out', '-');
    expect(out.split('\n').map((each) => each.split(',')[0])).toEqual(['class', '1', '-1', '']);
  });

  test.each([
    ['evaluate', ['--target', 'x'], /Expected no --target with new\.libsvm: it is for tables/],
    ['evaluate', ['--importance'], /none with libsvm text/],
    ['predict', ['--part', 'test'], /new\.libsvm has no parts/],
  ])('%s refuses %o', async (command, flags, message) => {
    const { code, err } = await run(command, 'signs.model', 'new.libsvm', ...flags);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });

  test.each([
    [['train', 'train.svm', '--labels', 'y.npy'], /Expected no --labels with train\.svm: it holds its own/],
    [['train', 'train.svm', '--test-data', 'new.libsvm', '--test-labels', 'y.npy'], /no --test-labels with train\.svm/],
    [['train', 'texts.csv', '--test-data', 'new.libsvm'], /a table, arrays or a named set, to go with texts\.csv,/],
    [['evaluate', 'signs.model', 'new.libsvm', '--labels', 'y.npy'], /no --labels with new\.libsvm/],
    [['predict', 'signs.model', 'new.libsvm', '--labels', 'y.npy'], /no --labels with new\.libsvm/],
    [[...COMPRESS, 'train.svm', '--labels', 'y.npy'], /no --labels with train\.svm/],
    [[...COMPRESS, 'train.svm', '--delimiter', ';'], /no --delimiter with train\.svm/],
    [[...COMPRESS, 'texts.samples', '--labels', 'y.npy'], /no --labels with texts\.samples/],
    [[...COMPRESS, 'texts.samples', '--encoding', 'latin1'], /no --encoding with texts\.samples/],
  ])('is given no more than is heeded: %o', async (args, message) => {
    const { code, err } = await run(...args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });
});

it('--hash takes the words of a table, and --pairs two columns together', async () => {
  const words = ['--hash', '1024', '--pairs', 'text,size', '--learning-rate', '0.05'];
  const { code, err } = await run('train', 'texts.csv', ...words, ...QUICK, '--save', 'texts.model');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const judged = await run('evaluate', 'texts.model', 'texts.csv', '--json');
  expect(JSON.parse(judged.out)).toMatchObject({ accuracy: 1 });
  expect((await run('train', 'texts.csv', '--pairs', 'text', ...QUICK)).err).toMatch(/Expected two columns/);
});
