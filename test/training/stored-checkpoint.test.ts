import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/core/random.js';
import { openSamples, packSamples } from '../../src/data.js';
import { fit, type Model, resume, train } from '../../src/index.js';
import { expectFailure } from '../formats/support.js';

// A training from a store goes on from its checkpoint as one in memory does.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-stored-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);
const bytesOf = ({ weights, biases }: Model) =>
  [...weights, ...biases].map((block) => Buffer.from(block.buffer).toString('base64'));

/** Blocks of 127 rows, two groups of them. */
const [ROWS, INPUTS] = [5000, 2047];
async function pack(name: string, seed: number): Promise<'x.samples'> {
  const random = seededRandom(seed);
  const x = Array.from({ length: ROWS }, () => Uint8Array.from({ length: INPUTS }, () => 20 * random.uniform()));
  const labels = Int32Array.from(x, (row) => ((row[0] as number) > 9 ? 1 : 0));
  await packSamples(path(name), { x, labels });
  return path(name) as 'x.samples';
}
const samples = await pack('it.samples', 5);
const table = path('table.samples') as 'x.samples';
await packSamples(
  table,
  Array.from({ length: 3000 }, (_, i) => ({ plan: ['a', 'b', 'c'][i % 3], calls: i % 7, churned: i % 3 === 0 })),
  { target: 'churned' },
);

const common = { hidden: [4], threads: 1, seed: 3, batchSize: 160 } as const;
const whole = { hidden: [4], threads: 1, seed: 3 } as const;

describe('a training from a store', () => {
  test.each([
    ['minibatch-admm', samples, { ...common, gramEvery: 3 }],
    ['minibatch-admm', samples, { ...common, factors: 'both', scheduleFree: true }],
    ['adam', samples, common],
    ['schedule-free', samples, common],
    ['sisa', samples, { ...common, subBatches: 2 }],
    ['dladmm', samples, whole],
    ['adam', table, { ...common, batchSize: 64, earlyStopping: { patience: 4 } }],
  ] as const)('by %s goes on from a checkpoint to the same bits (%#)', async (solver, store, more) => {
    const told = { ...more, solver, iterations: 4 } as never;
    const straight = await fit(store, told);
    const file = path(`${solver}.checkpoint`);
    const training = train(store, { ...(told as object), checkpoint: { path: file, every: 100 } } as never);
    for await (const { iteration } of training) if (iteration === 2) break;
    const went = await resume(file, store);
    expect(went.history.map(({ iteration }) => iteration)).toEqual([3, 4]);
    expect(bytesOf(went.model as Model)).toEqual(bytesOf(straight.model as Model));
    expect(went.history.at(-1)?.validation).toEqual(straight.history.at(-1)?.validation);
  });

  test('goes on from the store where it is open already, and leaves it open', async () => {
    using open = await openSamples(table);
    const file = path('open.checkpoint');
    await fit(open, { ...common, batchSize: 64, solver: 'adam', epochs: 1, checkpoint: { path: file, every: 1 } });
    const { iterations } = await resume(file, open, { epochs: 2, memory: '2GB' });
    expect(iterations).toBe(2);
    expect((await fit(open, { ...common, batchSize: 64, solver: 'adam', epochs: 1 })).iterations).toBe(1);
  });

  test('does not go on from other samples, or from another part of them', async () => {
    const file = path('other.checkpoint');
    await fit(samples, { ...common, solver: 'adam', epochs: 1, checkpoint: { path: file, every: 1 } });
    const other = await pack('other.samples', 6);
    await expectFailure(() => resume(file, other, { epochs: 2 }), 'ERR_DLADMM_CHECKPOINT', /these are others/);
    await expectFailure(
      () => resume(file, samples, { epochs: 2, validationShare: 0.01 }),
      'ERR_DLADMM_CHECKPOINT',
      /nothing \(its default\) for options.validationShare/,
    );
    await expectFailure(() => resume(file, table, { epochs: 2 }), 'ERR_DLADMM_ARGUMENT', /2047/);
  });
});
