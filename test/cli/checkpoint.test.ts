import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { readCheckpoint } from '../../src/index.js';
import { inFolder, jsonLines, said } from './support.js';

const { path, run, start } = inFolder();

const DIGITS = ['train', '--data', 'digits', '--layers', '64-20-10', '--threads', '2', '--nu', '1', '--rho', '1'];
const READ = ['train', '--data', 'digits'];

/** A table of two classes. */
const TWO = `a,b,kind\n${Array.from({ length: 120 }, (_, i) => `${Math.sin(i)},${Math.cos(3 * i)},${i % 3 ? 'up' : 'down'}`).join('\n')}\n`;

const refused = async (message: RegExp, ...args: readonly string[]) => {
  const { code, err } = await run(...args);
  expect(err).toMatch(message);
  expect(code).toBe(1);
};

/** What of an outcome does not depend on the clock. */
const learnt = (out: string) => {
  const { seconds: _, checkpoint: __, model: ___, ...rest } = jsonLines(out).at(-1) ?? {};
  return rest;
};

describe('dladmm train --checkpoint', () => {
  it('says how large a checkpoint is, and where it goes', async () => {
    const { code, out, err } = await run(
      ...DIGITS,
      '--iterations',
      '3',
      '--checkpoint',
      'said',
      '--checkpoint-every',
      '2',
    );
    expect(code).toBe(0);
    expect(err).toMatch(/^dladmm: a checkpoint of \d\.\d MB goes to said every 2 iterations$/m);
    expect(out).toMatch(/after 3 iterations/);
    expect(out).not.toMatch(/--resume/);
    expect((await readCheckpoint(path('said'))).iteration).toBe(3);
    expect((await run(...DIGITS, '--iterations', '3', '--checkpoint', 'said', '--quiet')).err).toBe('');
  });

  it('writes one at Ctrl-C; --resume goes on to what would have come out, the saved model byte for byte', async () => {
    const uninterrupted = await run(...DIGITS, '--iterations', '200', '--json', '--save', 'whole.safetensors');
    const first = start(...DIGITS, '--iterations', '200', '--json', '--checkpoint', 'c', '--save', 'part.safetensors');
    await said(first.child.stdout, /"iteration":30,/);
    first.child.kill('SIGINT');
    const stopped = await first.ended;
    expect(stopped.code).toBe(130);
    expect(stopped.err).toMatch(/stopping, with the last iteration in the checkpoint/);
    const outcome = jsonLines(stopped.out).at(-1);
    expect(outcome).toMatchObject({ status: 'aborted', checkpoint: 'c' });
    expect((await readCheckpoint(path('c'))).iteration).toBe(outcome?.iterations);

    const rest = await run(...READ, '--resume', 'c', '--json', '--save', 'rest.safetensors');
    expect(rest.code).toBe(0);
    expect(jsonLines(rest.out)[0]?.iteration).toBe(Number(outcome?.iterations) + 1);
    expect(learnt(rest.out)).toEqual(learnt(uninterrupted.out));
    expect(readFileSync(path('rest.safetensors'))).toEqual(readFileSync(path('whole.safetensors')));
  });

  it('takes the seed, the validation set and the solver from the checkpoint', async () => {
    const options = [
      '--solver',
      'adam',
      '--seed',
      '7',
      '--early-stopping',
      '30',
      '--epochs',
      '8',
      '--layers',
      '13-8-3',
    ];
    const whole = await run('train', '--data', 'wine', ...options, '--json');
    const limited = await run(
      'train',
      '--data',
      'wine',
      ...options,
      '--json',
      '--checkpoint',
      'w',
      '--time-limit',
      '1e-9',
    );
    expect(jsonLines(limited.out).at(-1)).toMatchObject({ status: 'time-limit', iterations: 1 });
    const rest = await run('train', '--data', 'wine', '--resume', 'w', '--json');
    expect(rest.err).toMatch(/goes to w every 25 iterations/);
    expect(learnt(rest.out)).toEqual(learnt(whole.out));
  });

  it('goes further with --iterations, and writes elsewhere with --checkpoint', async () => {
    await run(...DIGITS, '--iterations', '3', '--checkpoint', 'short');
    const further = await run(...READ, '--resume', 'short', '--iterations', '5', '--checkpoint', 'long', '--json');
    expect(jsonLines(further.out).at(-1)).toMatchObject({ status: 'completed', iterations: 5, checkpoint: 'long' });
    expect((await readCheckpoint(path('short'))).iteration).toBe(3);
    expect((await readCheckpoint(path('long'))).iteration).toBe(5);
  });

  it('tells how to go on when it was stopped', async () => {
    const { out } = await run(...DIGITS, '--iterations', '9', '--checkpoint', 'stopped', '--time-limit', '1e-9');
    expect(out).toMatch(/stopped at the time limit\nit goes on from here with --resume stopped and the same data\n$/);
  });
});

describe('what does not go together is refused', () => {
  test.each([
    ['Expected --checkpoint FILE', [...DIGITS, '--checkpoint-every', '3']],
    ['Expected --resume FILE', [...DIGITS, '--inexact']],
    ['two different files', [...DIGITS, '--checkpoint', 'x', '--save', './x']],
    ['does not exist', [...READ, '--resume', 'nothing']],
    ['does not exist', [...DIGITS, '--checkpoint', 'no/where']],
  ])('%s', async (message, args) => {
    const { code, err, out } = await run(...args);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(message);
  });

  it('another network, other data', async () => {
    await run(...DIGITS, '--iterations', '2', '--checkpoint', 'mine');
    const before = readFileSync(path('mine'));
    await refused(/options.layers/, ...READ, '--resume', 'mine', '--layers', '64-30-10');
    await refused(/options.solver/, ...READ, '--resume', 'mine', '--solver', 'adam');
    await refused(/training samples/, ...READ, '--resume', 'mine', '--train-samples', '100');
    await refused(/options.classes/, 'train', '--data', 'iris', '--resume', 'mine');
    expect(readFileSync(path('mine'))).toEqual(before);
  });

  it.each([
    ['--checkpoint', /no checkpoint/],
    ['--save', /no model/],
  ])('a file of another kind for %s, before anything is read: it stays as it was', async (flag, message) => {
    writeFileSync(path('table.csv'), 'kind,a\nx,1\n');
    const { code, err } = await run('train', 'nowhere.csv', flag, 'table.csv');
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(readFileSync(path('table.csv'), 'utf8')).toBe('kind,a\nx,1\n');
    expect(existsSync(path('x'))).toBe(false);
  });

  it('goes on with the rows of a table as they were held out, to a model that is calibrated by the same', async () => {
    writeFileSync(path('two.csv'), TWO);
    const told = ['--loss', 'hinge', '--calibrate', '--hidden', '4', '--solver', 'adam', '--validation-share', '0.3'];
    const read = ['train', '--data', 'two.csv', '--target', 'kind'];
    expect((await run(...read, ...told, '--epochs', '4', '--save', 'whole.safetensors')).code).toBe(0);
    expect((await run(...read, ...told, '--epochs', '2', '--checkpoint', 'two')).code).toBe(0);
    const { code } = await run(...read, '--resume', 'two', '--epochs', '4', '--save', 'rest.safetensors');
    expect(code).toBe(0);
    expect(readFileSync(path('rest.safetensors'))).toEqual(readFileSync(path('whole.safetensors')));
    await refused(
      /"kind", as the training that wrote two had it, for --target/,
      'train',
      '--data',
      'two.csv',
      '--target',
      'a',
      '--resume',
      'two',
    );
    await refused(/0.3 for options.validationShare/, ...read, '--validation-share', '0.2', '--resume', 'two');
  });
});

describe('dladmm train --resume on a table', () => {
  const TABLE = ['train', 'table.csv', '--quiet', '--threads', '1'];
  const write = async () => {
    const rows = Array.from({ length: 60 }, (_, i) => `${(i * 7) % 5},${i % 3},${i % 2 ? 'odd' : 'even'}`);
    writeFileSync(path('table.csv'), `a,b,y\n${rows.join('\n')}\n`);
    const adam = ['--solver', 'adam', '--hidden', '3', '--epochs', '2', '--checkpoint', 'table'];
    expect(await run(...TABLE, '--target', 'y', ...adam)).toMatchObject({ code: 0 });
  };

  it.each([
    [['--columns', 'a'], /nothing \(its default\) for options.columns/],
    [['--missing', 'error'], /"impute" for options.missing/],
    [['--bins', '4'], /nothing \(its default\) for options.bins/],
    [['--calibrate'], /false for options.calibrate/],
    [['--target', 'b'], /Expected "y", as the training that wrote table had it, for --target but received "b"/],
    [['--target', '#1'], /Expected "y", as the training/],
  ])('refuses %o, which it was not told', async (flags, message) => {
    await write();
    const { code, err } = await run(...TABLE, '--resume', 'table', '--epochs', '3', ...flags);
    expect(err).toMatch(message);
    expect(code).toBe(1);
  });

  it.each([['y'], ['#3'], ['#-1']])('takes the target that it had: %s', async (target) => {
    await write();
    expect(await run(...TABLE, '--resume', 'table', '--epochs', '3', '--target', target)).toMatchObject({ code: 0 });
  });
});
