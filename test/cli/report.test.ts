import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { inFolder } from './support.js';

const { path, run } = inFolder();

const train = (...more: string[]) =>
  run('train', 'iris', '--solver', 'dladmm', '--iterations', '3', '--quiet', ...more);

it('writes a page about a training, in a pipe and with --quiet, and again over one of its own', async () => {
  for (const iterations of ['2', '3']) {
    expect(await train('--iterations', iterations, '--report', 'run.html')).toMatchObject({ code: 0, err: '' });
    const page = readFileSync(path('run.html'), 'utf8');
    expect(page).toContain('<h1>iris</h1>');
    expect(page).toContain('<dt>solver</dt><dd>dladmm</dd>');
    expect(page).toContain(`completed after ${iterations} iterations`);
    expect(page).not.toContain('signal');
  }
});

it('refuses to write a page over another file, before anything is trained', async () => {
  writeFileSync(path('mine.html'), '<!doctype html><p>mine');
  const refused = await train('--report', 'mine.html');
  expect(refused.code).not.toBe(0);
  expect(refused.err).toMatch(/mine\.html/);
  expect(readFileSync(path('mine.html'), 'utf8')).toBe('<!doctype html><p>mine');
  expect((await train('--save', 'one', '--report', './one')).err).toMatch(
    /two different files for the model and the page/,
  );
});

it('writes a page of a training that diverged', async () => {
  const { code } = await run(
    'train',
    'iris',
    '--solver',
    'sgd',
    '--learning-rate',
    '1e9',
    '--epochs',
    '5',
    '--quiet',
    '--report',
    'bad.html',
  );
  expect(code).toBe(1);
  expect(readFileSync(path('bad.html'), 'utf8')).toContain('diverged; the model is the last finite one');
});
