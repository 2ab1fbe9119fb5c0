import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startCommand } from '../../src/cli/commands/start.js';
import type { Terminal } from '../../src/cli/terminal.js';
import { DlAdmmError } from '../../src/core/errors.js';
import * as datasets from '../../src/datasets/datasets.js';
import { failure } from '../formats/support.js';

// Whether this machine has Fashion-MNIST must not matter here.
vi.mock('../../src/datasets/datasets.js', { spy: true });

const load = vi.mocked(datasets.loadDataset);
const missing = () => new DlAdmmError('ERR_DLADMM_DATASET', 'nowhere');
const words = { out: '', err: '' };
const place = { folder: '' };
let controller = new AbortController();

const terminal = (): Terminal => ({
  signal: controller.signal,
  live: false,
  colours: false,
  columns: () => 80,
  out: async (text) => {
    words.out += text;
  },
  err: (text) => {
    words.err += text;
  },
});

const flags = (more: object = {}) => ({
  download: true,
  iterations: 2,
  timeLimit: 1000,
  threads: 1,
  save: join(place.folder, 'model.safetensors'),
  ...more,
});

beforeEach(async () => {
  words.out = '';
  words.err = '';
  controller = new AbortController();
  place.folder = await mkdtemp(join(tmpdir(), 'dladmm-start-'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  load.mockClear();
  await rm(place.folder, { recursive: true, force: true });
});

/** Fashion-MNIST is found nowhere; what a download does is for the test to say. */
function withoutFashion(downloading: (signal: AbortSignal) => Promise<never>): void {
  load.mockImplementation(async (name, options = {}) => {
    if (name !== 'fashion-mnist') {
      return (await vi.importActual<typeof datasets>('../../src/datasets/datasets.js')).loadDataset(name, options);
    }
    if (options.download === false) throw missing();
    return downloading(options.signal ?? AbortSignal.abort());
  });
}

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const end = () => reject(new DlAdmmError('ERR_DLADMM_ABORTED', 'aborted', { cause: signal.reason }));
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });

const names = () => load.mock.calls.map(([name]) => name);

describe('dladmm start', () => {
  it('trains on the digits where Fashion-MNIST cannot be had, and says so', async () => {
    withoutFashion(() => Promise.reject(missing()));
    expect(await startCommand(flags(), terminal())).toBe(0);
    expect(names()).toEqual(['fashion-mnist', 'fashion-mnist', 'digits']);
    expect(words.err).toContain('Fashion-MNIST could not be had');
    expect(words.err).toMatch(/^2\/2 {2}loss .* test /m);
    expect(words.out).toMatch(/^test accuracy .* after 2 iterations/m);
    expect(words.out).toContain('Try next:');
    expect(existsSync(join(place.folder, 'model.safetensors'))).toBe(true);
  });

  it('writes a page about its training beside the model, and says where', async () => {
    withoutFashion(() => Promise.reject(missing()));
    expect(await startCommand(flags(), terminal())).toBe(0);
    const page = join(place.folder, 'model.html');
    expect(words.out).toContain(`a page about it is ${page}`);
    expect(await readFile(page, 'utf8')).toContain('<h1>digits</h1>');
  });

  it('waits for a download a few seconds only', async () => {
    const limits: number[] = [];
    const timeout = new AbortController();
    vi.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => {
      limits.push(milliseconds);
      timeout.abort();
      return timeout.signal;
    });
    withoutFashion(untilAborted);
    expect(await startCommand(flags(), terminal())).toBe(0);
    expect(limits).toHaveLength(1);
    expect(limits[0]).toBeLessThanOrEqual(10_000);
    expect(words.err).toContain('Fashion-MNIST could not be had');
  });

  it('downloads nothing when told not to', async () => {
    withoutFashion(() => Promise.reject(new Error('a download')));
    expect(await startCommand(flags({ download: false }), terminal())).toBe(0);
    expect(names()).toEqual(['fashion-mnist', 'digits']);
  });

  it('ends on Ctrl-C during the download', async () => {
    withoutFashion((signal) => {
      controller.abort({ why: 'SIGINT', exitCode: 130 });
      return untilAborted(signal);
    });
    expect((await failure(() => startCommand(flags(), terminal()))).code).toBe('ERR_DLADMM_ABORTED');
    expect(names()).not.toContain('digits');
  });

  it('does not hide that the files of Fashion-MNIST are damaged', async () => {
    load.mockRejectedValueOnce(new DlAdmmError('ERR_DLADMM_FORMAT', 'damaged'));
    expect((await failure(() => startCommand(flags(), terminal()))).code).toBe('ERR_DLADMM_FORMAT');
  });

  it('stops at its time limit with the model saved', async () => {
    withoutFashion(() => Promise.reject(missing()));
    expect(await startCommand(flags({ iterations: 1e6, timeLimit: 0.01 }), terminal())).toBe(0);
    expect(words.out).toContain('stopped at the time limit');
    expect(existsSync(join(place.folder, 'model.safetensors'))).toBe(true);
  });
});
