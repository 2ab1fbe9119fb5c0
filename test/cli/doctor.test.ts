import { describe, expect, it } from 'vitest';
import { inFolder } from './support.js';

const { run, runWith } = inFolder();

describe('dladmm doctor', () => {
  it('says what a bug report asks for, and ends with 0 where a training can run', async () => {
    const { code, out, err } = await run('doctor');
    expect([code, err]).toEqual([0, '']);
    for (const what of ['dladmm', 'system', 'addon', 'BLAS', 'self-test', 'own loops', 'processors', 'memory']) {
      expect(out).toMatch(new RegExp(`^${what} {2,}\\S`, 'm'));
    }
    expect(out).toContain(`Node ${process.version}`);
    expect(out).toMatch(/^apache-arrow .*installed/m);
    expect(out).toMatch(/All that a training needs is here\.\n$/);
  });

  it('says the same to programs', async () => {
    const { code, out } = await run('doctor', '--json');
    const { ready, findings } = JSON.parse(out) as { ready: boolean; findings: { what: string; is: string }[] };
    expect([code, ready]).toEqual([0, true]);
    expect(findings.map(({ what }) => what)).toEqual(expect.arrayContaining(['addon', 'BLAS', 'variables']));
  });

  it('says what helps where there is no addon, and ends with 1', async () => {
    const nowhere = { DLADMM_PREBUILD: '/nowhere' };
    const { code, out, err } = await runWith(nowhere, 'doctor');
    expect([code, err]).toEqual([1, '']);
    expect(out).toMatch(/^addon {2,}The native addon of dladmm could not be loaded/m);
    expect(out).toMatch(/^ {18}- in an application: npm rebuild dladmm/m);
    expect(out).toMatch(/^variables {2,}.*DLADMM_PREBUILD=\/nowhere/m);
    expect(out).toMatch(/No training can run before that is mended\.\n$/);
    const { ready } = JSON.parse((await runWith(nowhere, 'doctor', '--json')).out) as { ready: boolean };
    expect(ready).toBe(false);
  });

  it('is meant by those who ask for info', async () => {
    expect((await run('info')).err).toContain('did you mean doctor?');
  });
});
