/** What `npm run test:fuzz` does in ten minutes, for less than one. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run } from '../children/run.js';

const main = fileURLToPath(new URL('main.mjs', import.meta.url));

test('no reader crashes, hangs, takes a gigabyte or throws anything but a DlAdmmError, whatever a file holds', async () => {
  const { code, stdout, stderr } = await run(
    process.execPath,
    [main, '--readers', '--seconds', '1', '--mutants', '100', '--seed', '7'],
    160_000,
  );
  expect(stderr).toBe('');
  expect(stdout).toMatch(/\d{4,} inputs, 0 findings/);
  expect(code).toBe(0);
}, 180_000);

test('the fuzzer finds what is planted: an error of another kind, a hang, two gigabytes, and a crash', async () => {
  const planted = ['error', 'hang', 'memory', 'crash'].map((what) => `planted-${what}`);
  const { code, stdout } = await run(
    process.execPath,
    [main, '--seconds', '10', '--mutants', '1', '--only', planted.join()],
    160_000,
  );
  expect(code).toBe(1);
  expect(stdout).toMatch(/FINDING planted-error 50: TypeError: Cannot read/);
  expect(stdout).toMatch(/FINDING planted-hang 50: hang/);
  expect(stdout).toMatch(/FINDING planted-memory 50: \d{4} MB/);
  expect(stdout).toMatch(/FINDING planted-crash 50: ended with SIGABRT/);
}, 180_000);
