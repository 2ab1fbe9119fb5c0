/** Rows with `memory` are packed into a store that is nobody's, and learnt from as from any store. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openSamples, packSamples } from '../../src/data.js';
import { fit, type Model } from '../../src/index.js';
import { expectFailure } from '../formats/support.js';

const own = mkdtempSync(join(tmpdir(), 'dladmm-aside-'));
const folder = mkdtempSync(join(own, 'temporary-'));
beforeAll(() => void vi.stubEnv('TMPDIR', folder));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(own, { recursive: true, force: true });
});

const records = Array.from({ length: 3000 }, (_, i) => ({
  size: i % 13 === 0 ? null : (i * 7919) % 997,
  plan: ['pro', 'basic', 'team'][i % 3],
  id: i,
  churned: (i * 7919) % 997 > 500 ? 'yes' : 'no',
}));
async function* stream() {
  yield* records;
}
const options = { target: 'churned', solver: 'adam', hidden: [8], epochs: 2, threads: 1 } as const;
const bytesOf = ({ weights, biases }: Model) =>
  [...weights, ...biases].map((block) => Buffer.from(block.buffer).toString('base64'));

describe('rows that memory is said for', () => {
  test('teach the same bits as a store of them, and leave no file', async () => {
    const { model, report } = await fit(stream(), { ...options, memory: '4GB' });
    const path = join(own, 'rows.samples');
    const { warnings } = await packSamples(path, records, { target: 'churned' });
    using store = await openSamples(path);
    const other = await fit(store, { solver: 'adam', hidden: [8], epochs: 2, threads: 1, memory: '4GB' });
    expect(bytesOf(model as Model)).toEqual(bytesOf(other.model as Model));
    expect(report.samples).toBe(other.report.samples);
    expect(warnings.join()).toMatch(/"id" seems to be an identifier/);
    expect(report.warnings).toEqual(expect.arrayContaining([...warnings]));
    expect(model.classes).toEqual(['no', 'yes']);
    expect((await model.predict(records.slice(0, 3))).labels).toHaveLength(3);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('may be samples, and be learnt from by the solver of the default', async () => {
    const x = Array.from({ length: 600 }, (_, i) => [i % 7, (i * i) % 11]);
    const { report } = await fit(
      { x, labels: x.map(([a]) => Number((a as number) > 3)) },
      { memory: '4GB', epochs: 2 },
    );
    expect(report.samples).toBeGreaterThan(400);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('are watched and judged by the sets that stand beside them', async () => {
    const x = Array.from({ length: 600 }, (_, i) => [i % 7, (i * i) % 11]);
    const set = (from: number, to: number) => ({
      x: x.slice(from, to),
      labels: x.slice(from, to).map(([a]) => Number((a as number) > 3)),
    });
    const data = { ...set(0, 400), validation: set(400, 500), test: set(500, 600) };
    const told = { solver: 'adam', hidden: [4], epochs: 2, threads: 1 } as const;
    const aside = await fit(data, { ...told, memory: '4GB' });
    const { validation, test: last, ...rows } = data;
    const other = await fit(rows, { ...told, validation, test: last, memory: '4GB' });
    expect(bytesOf(aside.model as Model)).toEqual(bytesOf(other.model as Model));
    expect([aside.report.samples, aside.report.heldOut]).toEqual([400, undefined]);
    expect(aside.report.test).toEqual(await aside.model.evaluate(last));
    expect(aside.report.scores).toEqual(await aside.model.evaluate(validation));
    const path = join(own, 'sets.samples');
    await expectFailure(() => packSamples(path, data), 'ERR_DLADMM_ARGUMENT', /one set.*data\.validation/);
  });

  test('may be a Map of columns', async () => {
    const columns = new Map<string, readonly (string | number | null)[]>([
      ['size', records.map(({ size }) => size)],
      ['churned', records.map(({ churned }) => churned)],
    ]);
    const { report } = await fit(columns, { ...options, memory: '4GB' });
    expect(report.heldOut?.of).toBe(records.length);
  });

  test('leave no file where something is wrong with them, where they need more, or where they are aborted', async () => {
    const failing = async function* () {
      yield* records.slice(0, 100);
      throw new Error('the line is cut');
    };
    await expectFailure(() => fit(failing(), { ...options, memory: '4GB' }), 'ERR_DLADMM_STREAM', /the line is cut/);
    await expectFailure(() => fit(stream(), { ...options, memory: 1000 }), 'ERR_DLADMM_MEMORY', /memory allows/);
    await expectFailure(
      () => fit(stream(), { ...options, target: 'none' as never, memory: '4GB' }),
      'ERR_DLADMM_ARGUMENT',
      /target/,
    );
    const { status } = await fit(stream(), { ...options, memory: '4GB', signal: AbortSignal.abort() });
    expect(status.kind).toBe('aborted');
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ['a checkpoint, whose training is given the same store again', { checkpoint: { path: 'a.checkpoint', every: 1 } }],
    ['what needs all samples in memory', { classWeights: 'balanced' }],
    ['what needs all samples in memory', { trainMetrics: true }],
    ['rows to validate on, which are encoded as the others are', { validation: records.slice(0, 9) }],
    ['rows to test on', { test: records.slice(0, 9) }],
    ['other processes', { distributed: true }],
  ])('are refused with %s, before any is read', async (_, beside) => {
    let asked = 0;
    const rows = async function* () {
      asked += 1;
      yield* records;
    };
    await expectFailure(
      () => fit(rows(), { ...options, ...beside, memory: '4GB' } as never),
      'ERR_DLADMM_ARGUMENT',
      new RegExp(`with memory.*${Object.keys(beside)[0]}`, 's'),
    );
    expect(asked).toBe(0);
  });
});
