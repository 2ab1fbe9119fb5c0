import { mkdir, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, test, vi } from 'vitest';
import { native } from '../../../src/core/native.js';
import { fit as fitModel, readCheckpoint, resume, train } from '../../../src/index.js';
import { type DladmmOptions, layered } from '../../../src/solvers.js';
import { run, runProgram } from '../../children/run.js';
import { failure, samples, scratch } from './support.js';

// What happens to files, in order; and what the disk answers to the next call of that name.
const disk = vi.hoisted(() => ({
  calls: [] as string[],
  failures: new Map<string, string>(),
  free: undefined as number | undefined,
}));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const note = (call: string) => {
    disk.calls.push(call);
    const code = disk.failures.get(call);
    if (code === undefined) return;
    disk.failures.delete(call);
    throw Object.assign(new Error(`${code}: simulated`), { code });
  };
  return {
    ...real,
    open: async (...args: Parameters<typeof real.open>) => {
      const [path, flags] = args;
      if (flags === 'wx') note('make');
      const handle = await real.open(...args);
      const { sync } = handle;
      return Object.assign(handle, {
        sync: async () => {
          note(flags === 'wx' ? 'sync' : `sync ${(await real.stat(path)).isDirectory() ? 'folder' : 'file'}`);
          return sync.call(handle);
        },
      });
    },
    rename: async (...args: Parameters<typeof real.rename>) => {
      note('rename');
      return real.rename(...args);
    },
    statfs: async (...args: Parameters<typeof real.statfs>) => {
      const found = await real.statfs(...args);
      return disk.free === undefined ? found : { ...found, bavail: disk.free, bsize: 1, blocks: 1 };
    },
  };
});
beforeEach(() => {
  disk.calls.length = 0;
  disk.failures.clear();
  disk.free = undefined;
});

const file = scratch();
const data = samples(40);
const classes = { x: data.x, labels: data.labels };
const OPTIONS: DladmmOptions = { layers: [4, 6, 3], iterations: 6, nu: 1, rho: 1, threads: 1, refreshEvery: 2 };

const temporaries = async (path: string) =>
  (await readdir(dirname(path))).filter((name) => name.startsWith('.dladmm-'));

test('the bytes are on the disk before the file has its name, and the name before it is told of', async () => {
  const path = file();
  const training = train(classes, { ...OPTIONS, checkpoint: { path, every: 2 } });
  for await (const { iteration, checkpoint } of training) {
    if (iteration === 1) expect(disk.calls).toEqual([]);
    if (!checkpoint) continue;
    expect(disk.calls).toEqual(['make', 'sync', 'rename', 'sync folder']);
    disk.calls.length = 0;
  }
});

describe('when a checkpoint cannot be written', () => {
  test.each([
    ['make', 'EACCES', /permission denied/],
    ['sync', 'ENOSPC', /the disk is full/],
    ['sync', 'EIO', /EIO/],
    ['rename', 'EROFS', /read-only/],
  ])('as %s says %s, the last good one stays, and the model is there', async (call, code, message) => {
    const path = file();
    const training = train(classes, { ...OPTIONS, checkpoint: { path, every: 2 } });
    const loop = async () => {
      for await (const { iteration } of training) if (iteration === 3) disk.failures.set(call, code);
    };
    await expect(loop()).rejects.toEqual(failure('ERR_DLADMM_FILE', message));
    expect((await readCheckpoint(path)).iteration).toBe(2);
    expect(await temporaries(path)).toEqual([]);
    expect(training.result).toMatchObject({ iterations: 4 });
    const { model } = await resume(path, classes);
    expect(model.weights).toEqual((await fitModel(classes, OPTIONS)).model.weights);
  });

  it('is said before the work where it can be known: a missing folder, a folder in its place, too little room', async () => {
    const checkpoint = (path: string) => fitModel(classes, { ...OPTIONS, checkpoint: { path } });
    await expect(checkpoint(join(file(), 'no folder', 'c'))).rejects.toEqual(
      failure('ERR_DLADMM_FILE', /does not exist/),
    );
    const folder = file();
    await mkdir(folder);
    await expect(checkpoint(folder)).rejects.toEqual(failure('ERR_DLADMM_FILE', /folder/));
    disk.free = 1000;
    await expect(checkpoint(file())).rejects.toEqual(failure('ERR_DLADMM_FILE', /takes .* MB, but only/));
  });

  it('by a limit of the system, in the middle of the values, the error says so and the process lives on', async () => {
    const path = file();
    const options = JSON.stringify({
      ...OPTIONS,
      layers: [100, 200, 10],
      iterations: 4,
      checkpoint: { path, every: 2 },
    });
    const body = `
      const { fit } = await import(${JSON.stringify(new URL('../../../dist/index.js', import.meta.url).href)});
      const x = new Float32Array(200 * 100).map((_, i) => Math.sin(i));
      const labels = new Int32Array(200).map((_, i) => i % 10);
      await fit({ x, labels }, ${options}).catch(({ code, message }) => console.log(code, message));`;
    // In blocks of 512 or 1024 bytes; the signal that would come with it is ignored, as in many a service.
    const script = `trap '' XFSZ; ulimit -f 300; exec "$0" --input-type=module -e "$1"`;
    const { stdout, stderr } = await run('/bin/sh', ['-c', script, process.execPath, body]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^ERR_DLADMM_FILE Could not write .*larger than the file system or a limit.*EFBIG/);
    expect(await temporaries(path)).toEqual([]);
  });
});

test('a training whose limit was told in epochs goes on to so many iterations', async () => {
  const path = file('epochs');
  await fitModel(classes, { layers: [4, 6, 3], solver: 'adam', epochs: 2, threads: 1, checkpoint: { path } });
  expect((await resume(path, classes, { iterations: 3 })).iterations).toBe(3);
  expect((await resume(path, classes, { epochs: 4 })).iterations).toBe(4);
});

describe('files', () => {
  it('may have any name, and be reached by a symbolic link', async () => {
    for (const name of ['with spaces', 'ünïcödé 模型', 'quotes \' and " ones', '-dash', '.hidden']) {
      const path = file(name);
      await fitModel(classes, { ...OPTIONS, iterations: 2, checkpoint: { path } });
      expect((await resume(path, classes, { iterations: 3 })).iterations).toBe(3);
    }
    const target = file('target');
    const link = file('link');
    await symlink(target, link);
    await writeFile(target, '');
    await fitModel(classes, { ...OPTIONS, checkpoint: { path: link } });
    expect((await readCheckpoint(target)).iteration).toBe(6);
    expect((await resume(link, classes)).iterations).toBe(6);
  });

  it('keep their permissions', async () => {
    const path = file();
    await writeFile(path, '', { mode: 0o600 });
    await fitModel(classes, { ...OPTIONS, checkpoint: { path } });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('of killed processes are removed, those that are being written are not', async () => {
    const path = join(file('folder'), 'c');
    await mkdir(dirname(path));
    const leftovers = ['.dladmm-checkpoint-0123456789abcdef.tmp', '.dladmm-0123456789abcdef.tmp'];
    for (const name of leftovers) await writeFile(join(dirname(path), name), 'half a file');
    const held = join(dirname(path), '.dladmm-fedcba9876543210.tmp');
    const writing = await open(held, 'wx');
    expect(native.lockFile(writing.fd)).toBe(true);
    await Promise.all(
      Array.from({ length: 4 }, (_, i) =>
        fitModel(classes, { ...OPTIONS, iterations: 30, checkpoint: { path: `${path}${i}`, every: 1 } }),
      ),
    );
    expect((await readdir(dirname(path))).sort()).toEqual([basename(held), 'c0', 'c1', 'c2', 'c3'].sort());
    await writing.close();
  });

  it('of trainings at the same time do not disturb each other, nor does one file that two write', async () => {
    const whole = await fitModel(classes, { ...OPTIONS, iterations: 12 });
    const shared = file('shared');
    const paths = [file(), file(), shared, shared];
    const results = await Promise.all(
      paths.map((path) => fitModel(classes, { ...OPTIONS, iterations: 12, checkpoint: { path, every: 1 } })),
    );
    for (const { model } of results) expect(model.weights).toEqual(whole.model.weights);
    for (const path of paths) expect((await readCheckpoint(path)).iteration).toBe(12);
  });

  it('that are replaced between a look and the reading are noticed', async () => {
    const path = file();
    await fitModel(classes, { ...OPTIONS, iterations: 2, checkpoint: { path } });
    const { resumeTraining } = await import('../../../src/index.js');
    const training = await resumeTraining(path, classes);
    await resume(path, classes, { iterations: 4 });
    await expect(
      (async () => {
        for await (const _ of training);
      })(),
    ).rejects.toEqual(failure('ERR_DLADMM_CHECKPOINT', /replaced/));
  });
});

test('a state that is closed while it is written ends the writing, with an error', async () => {
  const path = file();
  const state = await layered.open(
    {
      network: { layers: [4, 3000, 3], activation: 'relu', loss: 'softmax-cross-entropy' },
      ...{ dtype: 'float64', softmax: 'stable', threads: 1, gram: false, fista: false },
    },
    samples(3000),
  );
  await state.start({ output: 'forward', dual: 'zero' });
  const handle = await open(path, 'w+');
  try {
    const writing = state.native.saveSections(handle.fd, '', true, []);
    while ((await handle.stat()).size === 0) await new Promise((resolve) => setImmediate(resolve));
    state.close();
    // It may just have come to its end.
    const [outcome] = await Promise.allSettled([writing]);
    if (outcome?.status === 'rejected') expect(outcome.reason).toEqual(failure('ERR_DLADMM_CLOSED', /called off/));
    await expect(readCheckpoint(path)).rejects.toEqual(failure('ERR_DLADMM_FORMAT'));
    expect(() => state.native.fingerprint(-1)).toThrow(failure('ERR_DLADMM_CLOSED'));
  } finally {
    await handle.close();
  }
});

test('a worker that is terminated, and a process that exits, in the middle of writing leave the last good file', async () => {
  const path = file();
  const path2 = file();
  const outcome = await runProgram(`
    const path = ${JSON.stringify(path)};
    const begin = (file) => spawn(\`await fit(DATA, { ...OPTIONS, checkpoint: { path: \${JSON.stringify(file)}, every: 1 } });\`);
    const exists = (file) => stat(file).then(() => true, () => false);
    for (let i = 0; i < 8; i++) {
      const worker = begin(path);
      while (!(await exists(path))) await sleep(5);
      await sleep((i * 37) % 90);
      await worker.terminate();
    }
    void fit(DATA, { ...OPTIONS, checkpoint: { path: ${JSON.stringify(path2)}, every: 1 } });
    while (!(await exists(${JSON.stringify(path2)}))) await sleep(5);
    await sleep(50);
    console.log('exits');
    process.exit(0);
  `);
  expect(outcome).toEqual({ code: 0, signal: null, stdout: 'exits\n', stderr: '' });
  for (const each of [path, path2]) {
    expect((await readCheckpoint(each)).iteration).toBeGreaterThan(0);
    expect((await readFile(each)).length).toBeGreaterThan(1e6);
  }
  await fitModel(classes, { ...OPTIONS, checkpoint: { path: file() } });
  expect(await temporaries(path)).toEqual([]);
});
