import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Training } from '../../src/index.js';
import { resumeTraining, train } from '../../src/index.js';
import { openTrace } from '../../src/report/trace.js';
import { report, traceEvents, traceLines } from '../../src/report.js';
import { ring } from './support.js';

const x = Array.from({ length: 80 }, (_, i) => [Math.sin(i), Math.cos(2 * i), (i % 7) / 7]);
const labels = x.map(([a = 0, b = 0]) => (a + b > 0 ? 1 : 0));
const SIGMOID = { activation: 'sigmoid', loss: 'one-hot-squared-error' };

interface Told {
  readonly iteration: number;
  readonly lagrangian: number;
  readonly penalties?: object;
  readonly residuals: readonly number[];
  readonly activationResiduals?: readonly number[];
  readonly updates: readonly { readonly lagrangianChange: number; readonly residualChange: number }[];
}

/** The records of a training, and its parameters. */
async function trained(data: object, options: object, measured: boolean) {
  return followed(train(data as never, { threads: 1, ...options } as never) as never, measured);
}

async function followed(training: Training, measured: boolean) {
  if (measured) training.measureUpdates();
  const records: Told[] = [];
  for await (const record of training) records.push(record as never);
  return { records, result: training.result, weights: training.result.model.weights.map((W) => [...W]) };
}

const residualOf = ({ residuals, activationResiduals = [] }: Told): number =>
  [...residuals, ...activationResiduals].reduce((sum, each) => sum + each, 0);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe('updates that are measured', () => {
  test.each([
    ['dladmm', { x, labels }, { layers: [3, 6, 4, 2], refreshEvery: 3, rho: 1, nu: 1 }],
    ['dladmm', { x, labels }, { layers: [3, 6, 4, 2], schedule: { kind: 'paper', every: 2 } }],
    ['inversion-admm', { x, labels }, { layers: [3, 6, 2] }],
    ['sigmoid-admm', { x, labels }, { layers: [3, 6, 2], ...SIGMOID }],
    ['dladmm', ring, { layers: [2, 4, 2] }],
  ])(
    'of %s change nothing of the iterates, and together come to what the iteration changed',
    async (solver, data, options) => {
      for (const dtype of ['float32', 'float64']) {
        const all = { solver, iterations: 7, dtype, ...options };
        const [plain, measured] = [await trained(data, all, false), await trained(data, all, true)];
        expect(measured.weights).toEqual(plain.weights);
        const close = dtype === 'float64' ? 1e-9 : 1e-4;
        for (const [i, record] of measured.records.entries()) {
          const before = measured.records[i - 1];
          // What a new penalty changes is no update's doing.
          if (before === undefined || JSON.stringify(before.penalties) !== JSON.stringify(record.penalties)) continue;
          const [changes, residuals] = (['lagrangianChange', 'residualChange'] as const).map((key) =>
            sum(record.updates.map((update) => update[key])),
          );
          expect(Math.abs((changes as number) - (record.lagrangian - before.lagrangian))).toBeLessThan(
            close * (1 + Math.abs(record.lagrangian)),
          );
          expect(Math.abs((residuals as number) - (residualOf(record) - residualOf(before)))).toBeLessThan(
            close * (1 + residualOf(before)),
          );
        }
      }
    },
  );

  // Duals of W = V that are scaled, and the sizes that searches begin with, are in no block that could be read.
  test.each([
    [
      'dladmm',
      { x, labels },
      { layers: [3, 6, 4, 2], step: { W: 'cholesky' }, regularise: { W: { l1: 0.05 } }, nu: 0.5, rho: 0.5 },
    ],
    [
      'dladmm',
      { x, labels },
      { layers: [3, 6, 2], regularise: { W: { l1: 0.05 } }, stepSearch: 'exact', nu: 0.5, rho: 0.5 },
    ],
    ['inversion-admm', { x, labels }, { layers: [3, 6, 2], regularise: { W: { l1: 0.05 } } }],
    ['sigmoid-admm', { x, labels }, { layers: [3, 6, 2], ...SIGMOID }],
    ['dladmm', ring, { layers: [2, 4, 2], step: { W: 'quadratic' } }],
    ['dladmm', ring, { layers: [2, 4, 2], schedule: { kind: 'published', every: 1, cap: 9 }, nu: 0.1, rho: 0.1 }],
  ])('of %s are the same where a training goes on from a checkpoint', async (solver, data, options) => {
    const folder = mkdtempSync(join(tmpdir(), 'dladmm-measured-'));
    try {
      const path = join(folder, 'run.checkpoint');
      const all = { solver, iterations: 6, dtype: 'float64', ...options };
      const { records: whole } = await trained(data, all, true);
      await trained(data, { ...all, iterations: 3, checkpoint: { path } }, false);
      const going = await resumeTraining(path, data as never, { iterations: 6 });
      const { records } = await followed(going as never, true);
      expect(records).toHaveLength(3);
      for (const [i, { updates, lagrangian }] of records.entries()) {
        const before = whole[i + 3] as Told;
        for (const [k, { lagrangianChange }] of updates.entries()) {
          const change = before.updates[k]?.lagrangianChange as number;
          expect(Math.abs(lagrangianChange - change)).toBeLessThan(1e-9 * (1 + Math.abs(lagrangian)));
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('of the first iteration begin where the updates before it have led', async () => {
    const options = { layers: [3, 6, 2], regularise: { W: { l1: 0.05 } }, dtype: 'float64', iterations: 1 };
    /** The augmented Lagrangian before the one update of the first iteration. */
    const lagrangianBefore = async (block: string) => {
      const all = { solver: 'inversion-admm', ...options, sweep: () => [{ block, layer: 1 }] };
      const [first] = (await trained({ x, labels }, all, true)).records;
      return (first?.lagrangian ?? Number.NaN) - (first?.updates[0]?.lagrangianChange ?? Number.NaN);
    };
    // W_1 has been found once by then, and its dual with it; z_1 knows nothing of that.
    const wanted = await lagrangianBefore('z');
    expect(Math.abs((await lagrangianBefore('W')) - wanted)).toBeLessThan(1e-9 * wanted);
  });

  test('of matrix penalties tell what they do otherwise, as they have a meaning only together', async () => {
    const all = { solver: 'variable-metric-admm', layers: [3, 5, 2], iterations: 3 };
    const [plain, measured] = [await trained({ x, labels }, all, false), await trained({ x, labels }, all, true)];
    expect(measured.weights).toEqual(plain.weights);
    expect(Object.keys(measured.records[0]?.updates[0] ?? {})).toEqual(Object.keys(plain.records[0]?.updates[0] ?? {}));
  });

  test('are refused of a solver that has none', async () => {
    const error = expect.objectContaining({ code: 'ERR_DLADMM_ARGUMENT', message: expect.stringMatching(/sweeps/) });
    await expect(trained({ x, labels }, { solver: 'adam', layers: [3, 2], epochs: 1 }, true)).rejects.toEqual(error);
  });
});

describe('a trace', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dladmm-trace-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const options = { solver: 'dladmm', layers: [3, 5, 2], iterations: 2 };

  test('in lines has block, layer, seconds, size, changes and penalties of every update', async () => {
    const { records } = await trained({ x, labels }, options, true);
    const path = join(folder, 'run.jsonl');
    const trace = openTrace(path, 'circles');
    for (const record of records) trace.write(record as never);
    trace.close();
    const lines = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual(records.flatMap((record) => traceLines(record as never)));
    expect(lines).toHaveLength(2 * (records[0]?.updates.length ?? 0));
    expect(lines.find(({ block }) => block === 'W')).toMatchObject({ iteration: 1, size: expect.any(Number) });
    for (const line of lines) {
      expect(line).toMatchObject({ seconds: expect.any(Number), lagrangianChange: expect.any(Number) });
      expect(line).toMatchObject({ residualChange: expect.any(Number), penalties: { rho: expect.any(Number) } });
    }
  });

  test('for chrome://tracing has iterations with their updates within them, and is whole after a kill', async () => {
    const { records } = await trained({ x, labels }, options, false);
    const path = join(folder, 'run.json');
    const trace = openTrace(path, '<circles>');
    for (const record of records) trace.write(record as never);
    const killed = JSON.parse(`${readFileSync(path, 'utf8')}]`);
    trace.close();
    const [head, ...events] = JSON.parse(readFileSync(path, 'utf8'));
    expect(killed).toEqual([head, ...events]);
    expect(head).toMatchObject({ ph: 'M', name: 'process_name', args: { name: '<circles>' } });
    expect(events).toEqual(records.flatMap((record) => traceEvents(record as never)));
    const [iteration, ...updates] = traceEvents(records[0] as never) as readonly {
      ts: number;
      dur: number;
      ph: string;
    }[];
    let at = iteration?.ts ?? 0;
    for (const { ts, dur, ph } of updates) {
      expect([ts, ph]).toEqual([at, 'X']);
      at = ts + dur;
    }
    expect(at).toBeLessThanOrEqual(1 + (iteration?.ts ?? 0) + (iteration?.dur ?? 0));
  });

  test('for chrome://tracing has the fields that the Trace Event Format asks for, and each event within another or beside it, to the last bit', async () => {
    const { records } = await trained({ x, labels }, { ...options, iterations: 20 }, true);
    const path = join(folder, 'run.json');
    const trace = openTrace(path, 'circles');
    for (const record of records) trace.write(record as never);
    // A clock may see nothing of a short update.
    const updates = records[0]?.updates.map((update) => ({ ...update, seconds: 0 }));
    trace.write({ ...records[0], iteration: 21, elapsed: 0.1 + 0.2 + 1e6, updates } as never);
    trace.close();
    const [head, ...events] = JSON.parse(readFileSync(path, 'utf8'));
    expect(head).toEqual({ name: 'process_name', ph: 'M', pid: 1, args: { name: 'circles' } });
    const fields = {
      name: expect.any(String),
      cat: expect.any(String),
      ph: 'X',
      pid: 1,
      tid: 1,
      args: expect.any(Object),
    };
    const open: number[] = [];
    let before = 0;
    for (const event of events) {
      expect(event).toEqual({ ...fields, ts: expect.any(Number), dur: expect.any(Number) });
      const { ts, dur } = event;
      expect([ts >= before, dur > 0]).toEqual([true, true]);
      while (open.length > 0 && (open.at(-1) as number) <= ts) open.pop();
      expect(open.at(-1) ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(ts + dur);
      open.push(ts + dur);
      before = ts;
    }
  });

  test('is in the page as the timeline of the last iteration', async () => {
    const { result } = await trained({ x, labels }, options, true);
    const page = report(result as never);
    expect(page).toContain('Iteration 2 as a timeline');
    expect(page).toContain('change of L');
    const { result: plain } = await trained({ x, labels }, options, false);
    expect(report(plain as never)).not.toContain('change of L');
  });
});

test('what is no record has no updates', () => {
  for (const wrong of [undefined, null, {}, { iteration: 1 }]) {
    for (const told of [traceLines, traceEvents])
      expect(() => told(wrong as never)).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_ARGUMENT' }));
  }
});
