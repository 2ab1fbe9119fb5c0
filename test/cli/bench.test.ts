import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { inFolder, jsonLines, said } from './support.js';

const { path, start } = inFolder();
// A benchmark is a process of its own, and writes where its parent does.
const run = (...args: readonly string[]) => start(...args).ended;

describe('dladmm bench complexity', () => {
  test('--quick measures every kind of step, and draws', async () => {
    const { code, out, err } = await run(
      'bench',
      'complexity',
      '--quick',
      '--json',
      '--svg',
      'it.svg',
      '--out',
      'it.json',
    );
    expect(err).toContain('wrote it.svg');
    expect(code).toBe(0);
    const [result, ...more] = jsonLines(out);
    expect(more).toEqual([]);
    expect(result).toMatchObject({
      dtype: 'float32',
      samples: 256,
      quadratic: { W: { ci: [expect.any(Number), expect.any(Number)] }, a: { fittedOver: [64, 128] } },
      inverse: { W: { exponent: expect.any(Number) }, a: { exponent: expect.any(Number) } },
      cholesky: { W: { exponent: expect.any(Number) }, a: { exponent: expect.any(Number) } },
      float64: { dtype: 'float64', quadratic: { W: { exponent: expect.any(Number) } } },
      samplesEqualN: { samples: 'n', float64: { samples: 'n' } },
    });
    for (const kind of ['inverse', 'cholesky', 'pseudoinverse'] as const) {
      expect(result).toMatchObject({
        [kind]: { W: { factorShare: expect.toSatisfy((share) => share > 0 && share < 1) } },
      });
    }
    expect(result).toMatchObject({ quadratic: { W: { factorShare: 0 }, a: { factorShare: 0 } } });
    expect(JSON.parse(await readFile(path('it.json'), 'utf8'))).toEqual(result);
    expect(await readFile(path('it.svg'), 'utf8')).toMatch(/^<svg .*<\/svg>$/s);
  });

  test('prints a table', async () => {
    const { code, out } = await run('bench', 'complexity', '--quick', '--dtype', 'float64', '--samples', '32');
    expect(code).toBe(0);
    expect(out).toContain('float64, 32 samples: milliseconds an update, medians');
    expect(out).not.toContain('float32');
  });

  test('tells its own options', async () => {
    const { code, out } = await run('bench', 'complexity', '--help');
    expect(code).toBe(0);
    expect(out).toContain('--samples <n>');
  });

  test.each([
    ['--max', '127'],
    ['--samples', 'many'],
    ['--dtype', 'float16'],
    ['--unknown', '1'],
  ])('refuses %s %s', async (option, value) => {
    const { code, out, err } = await run('bench', 'complexity', '--quick', option, value);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(option);
  });

  test('names a file that cannot be written before it measures', async () => {
    const { code, err } = await run('bench', 'complexity', '--quick', '--svg', 'nowhere/it.svg');
    expect(code).toBe(1);
    expect(err).toMatch(/^dladmm: Could not write nowhere\/it\.svg/);
    expect(err).not.toContain('n = 64');
  });

  test('ends with the command that started it', async () => {
    const { child, ended } = start('bench', 'complexity');
    await said(child.stderr, /n = 64/);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 143, out: '' });
  });
});
