import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { openSamples, packSamples } from '../../src/data.js';
import { fit } from '../../src/index.js';
import { expectFailure } from '../formats/support.js';

// What becomes of a store on a disk that fails, or whose file is another than it was: a typed error, and nothing is lost.

/** What the disk answers to calls of that name: the first so many go well. */
const disk = vi.hoisted(() => ({ on: '', code: '', after: 0 }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const due = (on: string): void => {
    if (on !== disk.on) return;
    disk.after -= 1;
    if (disk.after < 0) throw Object.assign(new Error(`${disk.code}: simulated`), { code: disk.code });
  };
  return {
    ...real,
    open: async (...args: Parameters<typeof real.open>) => {
      if (args[1] === 'wx') due('make');
      const handle = await real.open(...args);
      const { write, sync } = handle;
      return Object.assign(handle, {
        write: async (...rest: unknown[]) => {
          due('write');
          return Reflect.apply(write, handle, rest);
        },
        sync: async () => {
          due('sync');
          return sync.call(handle);
        },
      });
    },
    rename: async (...args: Parameters<typeof real.rename>) => {
      due('rename');
      return real.rename(...args);
    },
  };
});
beforeEach(() => {
  disk.on = '';
});

const folder = mkdtempSync(join(tmpdir(), 'dladmm-stored-disk-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);
/** Three blocks of rows, and two classes. */
const ROWS = 200_000;
const samples = (shift: number) => ({
  x: { data: Float64Array.from({ length: 3 * ROWS }, (_, k) => ((k * 7919) % 1000) + shift), rows: ROWS, columns: 3 },
  labels: Int32Array.from({ length: ROWS }, (_, i) => i % 2),
});
const OPTIONS = { solver: 'adam', hidden: [2], epochs: 1, threads: 1, validationShare: 0 } as const;

test.each([
  ['make', 0, 'EROFS', /read-only/],
  ['write', 0, 'ENOSPC', /the disk is full/],
  ['write', 2, 'ENOSPC', /the disk is full/],
  ['sync', 0, 'EIO', /EIO/],
  ['rename', 0, 'EROFS', /read-only/],
])('as %s number %i says %s, what was there before stays, and nothing else is left', async (on, after, code, text) => {
  const before = path('kept.samples');
  await packSamples(before, samples(0));
  const bytes = readFileSync(before);
  const names = readdirSync(folder);
  Object.assign(disk, { on, after, code });
  await expectFailure(() => packSamples(before, samples(1)), 'ERR_DLADMM_FILE', text);
  expect(readFileSync(before).equals(bytes)).toBe(true);
  expect(readdirSync(folder)).toEqual(names);
});

test('a store of another version says which, and which are read', async () => {
  const file = path('version.samples');
  await packSamples(file, samples(0));
  const bytes = readFileSync(file);
  bytes.write('dladmm-samples-9', 8, 'latin1');
  writeFileSync(file, bytes);
  await expectFailure(
    () => openSamples(file),
    'ERR_DLADMM_FORMAT',
    /of the version "dladmm-samples-9"; this version of dladmm reads dladmm-samples-1 and dladmm-samples-2/,
  );
});

test('a store that is cut while it is open is a typed error wherever it is read, and one that is closed too', async () => {
  const file = path('cut.samples');
  await packSamples(file, samples(0));
  const { model } = await fit(file as 'cut.samples', OPTIONS);
  const store = await openSamples(file);
  truncateSync(file, 1_000_000);
  for (const work of [() => fit(store, OPTIONS), () => model.evaluate(store)])
    await expectFailure(work, 'ERR_DLADMM_FORMAT', /cut\.samples.*ends within block \d/);
  store.close();
  await expectFailure(() => fit(store, OPTIONS), 'ERR_DLADMM_CLOSED', /cut\.samples has been closed/);
});
