/**
 * kill −9 at random moments of a checkpointed training. DLADMM_SOAK=1 asks for fifty of them, else there are five.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { readCheckpoint, type TrainOptions } from '../../../src/index.js';
import { said } from '../../cli/support.js';
import { scratch } from './support.js';

const CHILD = fileURLToPath(new URL('../../children/checkpointed.mjs', import.meta.url));
const KILLS = process.env.DLADMM_SOAK === '1' ? 50 : 5;
const file = scratch();

const COMMON = { layers: [40, 60, 50, 10], threads: 2 } as const;
const TRAININGS: readonly TrainOptions[] = [
  { ...COMMON, iterations: 24, nu: 1, rho: 1, theta0: 1e-3, tau0: 1e-3, refreshEvery: 4 },
  { ...COMMON, solver: 'inversion-admm', iterations: 16 },
  { ...COMMON, solver: 'sigmoid-admm', iterations: 12, dtype: 'float32', l2: 1e-2 },
  { ...COMMON, solver: 'variable-metric-admm', iterations: 20 },
  { ...COMMON, solver: 'adam', epochs: 20 },
  { ...COMMON, solver: 'badm', epochs: 20, subBatches: 4, duals: true },
];

/** A process that begins the training, or goes on where a checkpoint is; it prints a checksum of what it has learnt. */
function begin(path: string, options: TrainOptions) {
  const child = spawn(process.execPath, [CHILD, path, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  const ended = once(child, 'close').then(() => ({ signal: child.signalCode, learnt: /learnt (\w+)/.exec(out)?.[1] }));
  return { child, begun: said(child.stdout, /begun/), ended };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test.each(TRAININGS.map((options) => [options.solver ?? 'dladmm', options] as const))(
  '%s: killed at random moments, it goes on to the same parameters, bit for bit',
  async (_, options) => {
    const path = join(file('folder'), 'run.checkpoint');
    await mkdir(dirname(path));
    const undisturbed = begin(path, options);
    await undisturbed.begun;
    const from = performance.now();
    const { learnt } = await undisturbed.ended;
    const span = performance.now() - from;
    expect(learnt).toMatch(/^[0-9a-f]{64}$/);

    let killed = 0;
    for (let drill = 0; killed < KILLS / TRAININGS.length; drill += 1) {
      expect(drill, 'drills that ended before they were killed').toBeLessThan(10 * KILLS);
      await rm(path, { force: true });
      // A training may be killed more than once before it comes to its end.
      for (;;) {
        const training = begin(path, options);
        await training.begun;
        await sleep(Math.random() * span);
        training.child.kill('SIGKILL');
        const { signal, learnt: early } = await training.ended;
        if (existsSync(path)) expect((await readCheckpoint(path)).iteration).toBeGreaterThan(0);
        if (signal === 'SIGKILL' && early === undefined) killed += 1;
        if (early !== undefined || killed % 3 !== 1) break;
      }
      const last = await begin(path, options).ended;
      expect(last, `kill ${killed}`).toEqual({ signal: null, learnt });
      expect(await readdir(dirname(path))).toEqual(['run.checkpoint']);
    }
  },
  KILLS * 60_000,
);

test('killed while a checkpoint is written: half a file is left beside, never under the name, and the next run takes it away', async () => {
  const path = join(file('folder'), 'run.checkpoint');
  const folder = dirname(path);
  await mkdir(folder);
  const options: TrainOptions = { ...COMMON, iterations: 1000, nu: 1, rho: 1, refreshEvery: 0 };
  const halves = async () => (await readdir(folder)).filter((name) => name.endsWith('.tmp'));
  for (let attempt = 0; (await halves()).length === 0; attempt += 1) {
    expect(attempt).toBeLessThan(50);
    const training = begin(path, options);
    await training.begun;
    // From the second on, so that there is a good one to be lost.
    while (!existsSync(path)) await sleep(1);
    while ((await halves()).length === 0) await sleep(0);
    training.child.kill('SIGKILL');
    await training.ended;
    expect((await readCheckpoint(path)).iteration).toBeGreaterThan(0);
  }
  const left = await halves();
  const { iteration } = await readCheckpoint(path);
  const next = begin(path, options);
  await next.begun;
  while ((await readCheckpoint(path)).iteration === iteration) await sleep(5);
  next.child.kill('SIGKILL');
  await next.ended;
  // It may have left one of its own.
  expect((await halves()).filter((name) => left.includes(name))).toEqual([]);
});
