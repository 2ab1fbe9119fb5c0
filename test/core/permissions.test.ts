/** Under Node's permission model everything that is denied is told in a line that names the flag. */
import { chmodSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { deniedBecause } from '../../src/core/errors.js';
import { loadModel } from '../../src/index.js';
import { run } from '../children/run.js';

const dist = (path: string): string => fileURLToPath(new URL(`../../dist/${path}`, import.meta.url));
const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dladmm-permission-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is said beside Node's own warnings. */
const said = (stderr: string): string => stderr.replace(/^\(node:.*\n|^\(Use `node.*\n/gm, '');
const cli =
  (...allowed: readonly string[]) =>
  async (...args: readonly string[]) => {
    const { code, stderr } = await run(process.execPath, [flag, ...allowed, dist('cli/main.js'), ...args]);
    return { code, said: said(stderr) };
  };
const TRAIN = ['train', '--data', 'iris', '--layers', '4-3', '--iterations', '2', '--threads', '1', '--quiet'] as const;

test('the addon: one line that names --allow-addons, and no stack', async () => {
  const { code, said } = await cli('--allow-fs-read=*')(...TRAIN);
  expect(code).toBe(1);
  expect(said).toMatch(/^dladmm: The native addon of dladmm could not be loaded: .*start node with --allow-addons\n$/);
});

test('the addon, where no addons are wanted: the flag that forbids them', async () => {
  const { code, stderr } = await run(process.execPath, ['--no-addons', dist('cli/main.js'), ...TRAIN]);
  expect({ code, said: said(stderr) }).toEqual({
    code: 1,
    said: expect.stringMatching(/^dladmm: The native addon .* node was started with --no-addons; start it without\n$/),
  });
});

test('a file that is to be written: its folder', async () => {
  const { code, said } = await cli('--allow-fs-read=*', '--allow-addons')(...TRAIN, '--save', join(folder, 'm'));
  expect(code).toBe(1);
  expect(said).toMatch(/^dladmm: Could not write .*--allow-fs-write=.*\n$/);
});

test('a file that is to be read: itself; and with what is named, all goes well', async () => {
  writeFileSync(join(folder, 'a.csv'), 'a,b\n1,x\n2,y\n3,x\n');
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `const [index, data] = await Promise.all([import(${JSON.stringify(dist('index.js'))}), import(${JSON.stringify(dist('data.js'))})]);
     const tell = (work) => work().then(() => 'done', ({ code, message }) => [code, message]);
     console.log(JSON.stringify([
       await tell(() => data.readCsv('/etc/hostname')),
       await tell(() => index.loadModel('/etc/hostname')),
       await tell(() => index.fit({ x: [[0], [1]], labels: [0, 1] }, { layers: [1, 2], iterations: 2, threads: 1 })),
       await tell(async () => {
         const { model } = await index.fit({ x: [[0], [1]], labels: [0, 1] }, { layers: [1, 2], solver: 'adam', epochs: 1, threads: 1 });
         const learner = model.learner({ solver: 'adam', threads: 1 });
         for (const x of [[[0], [1]], [[0]]]) await learner.partialFit({ x, labels: x.flat() });
       }),
     ]));`,
  );
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const readable = [program, root, realpathSync(join(root, 'node_modules')), '/etc/alpine-release'];
  const flags = [flag, '--allow-addons', ...readable.map((path) => `--allow-fs-read=${path}`)];
  const { stdout } = await run(process.execPath, [...flags, program]);
  const denied = ['ERR_DLADMM_FILE', expect.stringContaining('start node with --allow-fs-read=/etc/hostname')];
  // What a learner hands over passes through a file.
  const temporary = ['ERR_DLADMM_FILE', expect.stringContaining(`start node with --allow-fs-read=${tmpdir()}`)];
  expect(JSON.parse(stdout)).toEqual([denied, denied, 'done', temporary]);
});

test('a file that takes the place of another: it keeps its mode, though Node has no fchmod then', async () => {
  const [program, saved] = [join(folder, 'twice.mjs'), join(folder, 'twice.safetensors')];
  writeFileSync(saved, '');
  chmodSync(saved, 0o604);
  writeFileSync(
    program,
    `const { fit } = await import(${JSON.stringify(dist('index.js'))});
     const options = { layers: [1, 2], iterations: 2, threads: 1, checkpoint: { path: ${JSON.stringify(`${saved}.checkpoint`)}, every: 1 } };
     const { model } = await fit({ x: [[0], [1]], labels: [0, 1] }, options);
     await model.save(${JSON.stringify(saved)}, { time: 'first' });
     await model.save(${JSON.stringify(saved)}, { time: 'second' });`,
  );
  const flags = [flag, '--allow-addons', '--allow-fs-read=*', `--allow-fs-write=${folder}/*`];
  const { code, stderr } = await run(process.execPath, [...flags, program]);
  expect({ code, said: said(stderr) }).toEqual({ code: 0, said: '' });
  expect(statSync(saved).mode & 0o777).toBe(0o604);
  expect((await loadModel(saved)).note).toEqual({ time: 'second' });
});

test('child processes and worker threads', () => {
  const error = (permission: string) => Object.assign(new Error(), { code: 'ERR_ACCESS_DENIED', permission });
  expect(deniedBecause(error('ChildProcess'))).toMatch(/--allow-child-process$/);
  expect(deniedBecause(error('WorkerThreads'))).toMatch(/--allow-worker$/);
  expect(deniedBecause(new Error('another'))).toBeUndefined();
});
