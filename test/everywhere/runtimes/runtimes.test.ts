/** The installed package on Bun and Deno, as docs/bundlers.md says. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { describeInstalled, type Outcome } from '../../package/installation.js';
import { execute } from '../execute.js';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const TRAINED = { kind: 'completed', good: true, same: true };
const ENDED = { code: 0, signal: null };

for (const [runtime, ...args] of [['bun'], ['deno', 'run', '--no-prompt', '--allow-all']] as const) {
  describeInstalled(runtime, ({ plain, addon }) => {
    const run = (program: string, ...words: readonly string[]): Promise<Outcome> =>
      execute(path(`node_modules/.bin/${runtime}`), [...args, program, ...words], {
        cwd: plain,
        env: { NO_COLOR: '1' },
      });
    const resultOf = ({ stdout, ...ended }: Outcome): unknown => {
      expect(ended).toEqual({ ...ENDED, stderr: '' });
      return JSON.parse(stdout);
    };

    beforeAll(() => {
      cpSync(path('../app'), plain, { recursive: true });
      cpSync(path('../../fixtures/columnar/pyarrow-decimal.parquet'), join(plain, 'table.parquet'));
    });

    test('trains, predicts, reads, is aborted, and all that in a worker too', async () => {
      expect(resultOf(await run('app.mjs'))).toEqual({
        ...TRAINED,
        aborted: 'aborted',
        rows: 12,
        writing: 'written',
        addon: join(plain, addon),
        inWorker: TRAINED,
      });
    });

    test('trains by solvers of each kind, resumes, saves, loads, and writes a report', async () => {
      expect(resultOf(await run('solvers.mjs'))).toEqual({
        solvers: [597, 597, 597, 597, 597],
        refused: 'ERR_DLADMM_RANGE',
        left: 2,
        resumed: 'completed',
        loaded: 597,
        table: 2,
        page: true,
      });
    });

    test('ends a worker in the middle of its training, and trains on', async () => {
      expect(resultOf(await run('terminate.mjs'))).toEqual(TRAINED);
    });

    test('exits in the middle of a training', async () => {
      expect(await run('long.mjs')).toMatchObject({ code: 7, signal: null });
    });

    test('has the command line', async () => {
      const cli = join('node_modules', 'dladmm', 'dist', 'cli', 'main.js');
      const trained = await run(cli, 'train', '--data', 'iris', '--layers', '4-3', '--iterations', '3', '--quiet');
      expect(trained).toMatchObject({ ...ENDED, stdout: expect.stringContaining('test accuracy') });
    });
  });
}

describeInstalled('deno without --allow-all', ({ plain }) => {
  const run = (...flags: readonly string[]): Promise<Outcome> =>
    execute(path('node_modules/.bin/deno'), ['run', '--no-prompt', ...flags, 'terminate.mjs'], {
      cwd: plain,
      env: { NO_COLOR: '1' },
    });
  const NEEDED = ['--allow-read', '--allow-env', '--allow-sys'];

  test('takes four flags', async () => {
    expect(await run(...NEEDED, '--allow-ffi')).toMatchObject(ENDED);
  });

  test('tells that the addon takes --allow-ffi', async () => {
    const { code, stderr } = await run(...NEEDED);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/addon of dladmm.*--allow-ffi/) });
  });
});
