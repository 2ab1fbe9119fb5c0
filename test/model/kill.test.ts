/** What becomes of a file of a model when the process that saves it is killed, or may not write. DLADMM_SOAK=1 asks for more. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Model } from '../../src/index.js';
import { drills } from '../children/drills.js';
import { run } from '../children/run.js';
import { said } from '../cli/support.js';

const root = mkdtempSync(join(tmpdir(), 'dladmm-kill-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const INDEX = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href);
/** Two models, large enough to be killed in the middle of: every weight of the first is 1, of the second 2. */
const MODELS = `
  const { DlAdmmError, Model, fit } = await import(${INDEX});
  const of = (value) => new Model({
    network: { layers: [500, 1000, 3], activation: 'relu', loss: 'softmax-cross-entropy' }, dtype: 'float32',
    weights: [new Float32Array(500_000).fill(value), new Float32Array(3000).fill(value)],
    biases: [new Float32Array(1000), new Float32Array(3)],
  });
  const models = [of(1), of(2)];`;
const program = (body: string): readonly string[] => ['--input-type=module', '--eval', `${MODELS} ${body}`];

test('killed in the middle of saving, a model is whole, and the next save takes away what was left', async () => {
  const path = join(root, 'model');
  const halves = () => readdirSync(root).filter((name) => name.endsWith('.tmp')).length;
  let left = 0;
  for (let kill = 0; kill < drills(6, 60); kill++) {
    const body = `await models[0].save(${JSON.stringify(path)}); console.log('begun');
      for (let i = 1; ; i++) await models[i % 2].save(${JSON.stringify(path)});`;
    const child = spawn(process.execPath, program(body), { stdio: ['ignore', 'pipe', 'inherit'] });
    await said(child.stdout, /begun/);
    await new Promise((resolve) => setTimeout(resolve, (kill * 7) % 40));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    left += halves();
    const { weights } = await Model.load(path);
    expect(new Set(weights[0]).size).toBe(1);
    await (await Model.load(path)).save(join(root, 'another'));
    expect(readdirSync(root).sort()).toEqual(['another', 'model']);
  }
  // Or the drill has shown nothing.
  if (process.env.DLADMM_SOAK === '1') expect(left).toBeGreaterThan(0);
});

test('killed while it learns from batches of other sizes, a learner leaves nothing in the folder of temporary files', async () => {
  const temporary = mkdtempSync(join(root, 'temporary-'));
  const body = `const batch = (rows) => ({ x: new Float32Array(500 * rows).map((_, i) => Math.sin(i)), labels: new Int32Array(rows) });
    const learner = models[0].learner({ solver: 'adam', threads: 1 });
    await learner.partialFit(batch(2)); console.log('begun');
    for (let i = 0; ; i++) await learner.partialFit(batch(3 + (i % 2)));`;
  for (let kill = 0; kill < drills(3, 30); kill++) {
    const env = { ...process.env, TMPDIR: temporary };
    const child = spawn(process.execPath, program(body), { stdio: ['ignore', 'pipe', 'inherit'], env });
    await said(child.stdout, /begun/);
    await new Promise((resolve) => setTimeout(resolve, (kill * 7) % 40));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    // Where the file system knows no files without a name, an empty one may be left that was about to lose it.
    expect(readdirSync(temporary).filter((name) => statSync(join(temporary, name)).size > 0)).toEqual([]);
  }
  rmSync(temporary, { recursive: true });
});

test.skipIf(process.platform === 'win32')(
  'a folder that may not be written to is an error before any work',
  async () => {
    const folder = join(mkdtempSync(join(root, 'closed-')), 'deep');
    const text = JSON.stringify(join(folder, 'model'));
    const outcome = await run('/bin/sh', ['-c', `mkdir ${folder} && chmod 555 ${folder}`]);
    expect(outcome.code).toBe(0);
    chmodSync(root, 0o755);
    chmodSync(join(folder, '..'), 0o755);
    const body = `
    const say = ({ code, message }) => console.log(code, message);
    await models[0].predict(new Float32Array(500));
    if (process.getuid() === 0) process.setuid(65534);
    await models[0].save(${text}).catch(say);
    let records = 0;
    const x = new Float32Array(500 * 6).map((_, i) => Math.sin(i));
    await fit({ x, labels: new Int32Array(6) }, { layers: [500, 3], onIteration: () => records++, checkpoint: { path: ${text} } }).catch(say);
    console.log('records', records);`;
    const { stdout, stderr } = await run(process.execPath, program(body));
    expect(stderr).toBe('');
    expect(stdout).toMatch(
      /^ERR_DLADMM_FILE Could not write .*permission denied.*\nERR_DLADMM_FILE Could not write .*permission denied.*\nrecords 0\n$/,
    );
    chmodSync(folder, 0o755);
  },
);

test.skipIf(process.platform === 'win32')(
  'a limit of the system in the middle of saving keeps the old model, and the process',
  async () => {
    const path = join(root, 'limited');
    const network = { layers: [1, 1], activation: 'relu', loss: 'squared-error' } as const;
    const old = { network, dtype: 'float32', weights: [Float32Array.of(7)], biases: [Float32Array.of(0)] } as const;
    await new Model(old).save(path);
    const body = `await models[0].save(${JSON.stringify(path)}).catch(({ code, message }) => console.log(code, message));`;
    const script = `trap '' XFSZ; ulimit -f 300; exec "$0" "$@"`;
    const { stdout, stderr } = await run('/bin/sh', ['-c', script, process.execPath, ...program(body)]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^ERR_DLADMM_FILE Could not write .*EFBIG/);
    expect((await Model.load(path)).weights).toEqual(old.weights);
    expect(readdirSync(root).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  },
);

test('a model takes the place of a model or of an empty file, and of nothing else', async () => {
  const network = { layers: [1, 1], activation: 'relu', loss: 'squared-error' } as const;
  const model = new Model({ network, dtype: 'float32', weights: [Float32Array.of(7)], biases: [Float32Array.of(0)] });
  const path = join(root, 'mine');
  for (const content of ['', await readFile(join(root, 'limited'))]) {
    writeFileSync(path, content);
    await model.save(path);
    expect((await Model.load(path)).weights).toEqual(model.weights);
  }
  const checkpoint = Buffer.from(`12345678{"__metadata__":{"checksum":"0"}}`);
  for (const content of [Buffer.from('years of work'), Buffer.from('1'), checkpoint, Buffer.from(model.toOnnx())]) {
    writeFileSync(path, content);
    const refused = {
      code: 'ERR_DLADMM_FILE',
      message: expect.stringMatching(/mine: it is there already, and no model/),
    };
    await expect(model.save(path)).rejects.toMatchObject(refused);
    expect(await readFile(path)).toEqual(content);
  }
});
