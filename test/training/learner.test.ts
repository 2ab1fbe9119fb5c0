import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fit, loadLearner, type Model, type ResumeOptions, readCheckpoint, resume } from '../../src/index.js';
import { expectFailure } from '../formats/support.js';

// A stream of batches: the optimiser's memory and its count of steps go on from call to call.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-learner-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);

const ROWS = 230;
const x = Array.from({ length: ROWS }, (_, i) => [Math.sin(i), Math.cos(1.7 * i), 10 * Math.sin(2.3 * i) + 4]);
const labels = x.map(([a = 0, b = 0]) => (a + b > 0.2 ? 'yes' : 'no'));
const part = (from: number, to: number) => ({ x: x.slice(from, to), labels: labels.slice(from, to) });

const model: Model = (
  await fit(part(0, 60), { layers: [3, 8, 2], solver: 'sgd', epochs: 2, standardise: true, threads: 1 })
).model as Model;
const parametersOf = ({ weights, biases }: Model) => [...weights, ...biases].map((block) => [...block]);

/** One training over all rows in their order, which begins as the model ends. */
async function atOnce(options: object): Promise<Model> {
  const { standardisation, weights, biases } = model;
  const scaled = x.map((row) =>
    row.map((value, j) => (value - (standardisation?.mean[j] as number)) * (standardisation?.scale[j] as number)),
  );
  const training = { layers: [3, 8, 2], shuffle: false, epochs: 1, threads: 1, initialisation: { weights, biases } };
  return (await fit({ x: scaled, labels }, { ...training, ...options } as never)).model as Model;
}

const SOLVERS = [
  ['adam', { solver: 'adam', batchSize: 20, learningRate: 0.01 }, {}],
  ['sgd with momentum', { solver: 'sgd', batchSize: 20, momentum: 0.9, learningRate: 0.1 }, {}],
  [
    'mini-batch dlADMM',
    { solver: 'minibatch-admm', batchSize: 20, gramEvery: 3 },
    { learningRateSchedule: 'constant' },
  ],
  [
    'mini-batch dlADMM, full Gram',
    { solver: 'minibatch-admm', batchSize: 20, gram: 'full' },
    { learningRateSchedule: 'constant' },
  ],
  [
    'mini-batch dlADMM, schedule-free',
    { solver: 'minibatch-admm', batchSize: 20, scheduleFree: true },
    { learningRateSchedule: 'constant' },
  ],
  [
    'mini-batch dlADMM, both factors',
    { solver: 'minibatch-admm', batchSize: 20, factors: 'both' },
    { learningRateSchedule: 'constant' },
  ],
  [
    'a rate that falls',
    { solver: 'adam', batchSize: 20, learningRate: ({ step }: { step: number }) => 0.1 / step },
    {},
  ],
  ['sisa', { solver: 'sisa', batchSize: 20, subBatches: 4 }, {}],
  ['schedule-free', { solver: 'schedule-free', batchSize: 20 }, { warmUp: 0 }],
  ['nadamw', { solver: 'nadamw', batchSize: 20 }, { learningRateSchedule: 'constant', warmUp: 0 }],
  ['soap', { solver: 'soap', batchSize: 20 }, { learningRateSchedule: 'constant', warmUp: 0 }],
  ['kfac', { solver: 'kfac', batchSize: 20 }, {}],
  ['isaac', { solver: 'isaac', batchSize: 20 }, {}],
  ['muon', { solver: 'muon', batchSize: 20 }, { learningRateSchedule: 'constant' }],
] as const;

describe.each(SOLVERS)('%s', (name, options, more) => {
  const whole = atOnce({ ...options, ...more });

  test.each([
    ['a batch at a time', [20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 220, 230]],
    ['several batches at a time, as many as there are', [40, 100, 120, 220, 230]],
  ])('learns bit for bit what one training learns from the same batches, %s', async (_, ends) => {
    using learner = model.learner({ ...options, threads: 1 } as never);
    for (const [i, end] of ends.entries()) {
      const record = await learner.partialFit(part(ends[i - 1] ?? 0, end));
      expect(record).toMatchObject({ step: Math.ceil(end / 20), diverged: false });
    }
    expect(learner.steps).toBe(12);
    expect(parametersOf(await learner.model())).toEqual(parametersOf(await whole));
  });

  test('goes on from a file as if nothing had been in between', async () => {
    using before = model.learner({ ...options, threads: 1 } as never);
    await before.partialFit(part(0, 120));
    const file = path(`${name}.checkpoint`);
    await before.save(file);
    const { learningRate } = options as { readonly learningRate?: unknown };
    const functions = typeof learningRate === 'function' && { learningRate };
    using after = await loadLearner(file, { ...functions } as ResumeOptions);
    expect([after.steps, parametersOf(await after.model())]).toEqual([6, parametersOf(await before.model())]);
    await after.partialFit(part(120, 230));
    expect(parametersOf(await after.model())).toEqual(parametersOf(await whole));
  });
});

/** The same rows, of which a third are zeros that are left out. */
const sparse = (from: number, to: number) => {
  const kept = (i: number) => [0, 1, 2].filter((j) => (from + i + j) % 3 > 0);
  const rows = x.slice(from, to).map((row, i) => ({ indices: kept(i), values: kept(i).map((j) => row[j] as number) }));
  return { x: rows, labels: labels.slice(from, to) };
};
const weighted = (from: number, to: number) => ({
  ...part(from, to),
  weights: x.slice(from, to).map((_, i) => 1 + (i % 3)),
});
type Part = (from: number, to: number) => object;

describe.each([{ solver: 'adam' }, { solver: 'minibatch-admm' }, { solver: 'sisa', subBatches: 4 }])(
  'with %o, rows',
  (solver) => {
    // Not standardised, as sparse rows are not.
    const plain = fit(part(0, 60), { layers: [3, 8, 2], solver: 'sgd', epochs: 1, threads: 1 });
    /** What is learnt of rows 0 … 40, 40 … 80, … of these kinds, each in as many calls as these; from a file each time where that is said. */
    async function learnt(kinds: readonly Part[], calls: number, stored = false) {
      let learner = ((await plain).model as Model).learner({ ...solver, batchSize: 20, threads: 1 } as never);
      for (const [i, rows] of kinds.entries()) {
        for (let at = 40 * i; at < 40 * (i + 1); at += 40 / calls)
          await learner.partialFit(rows(at, at + 40 / calls) as never);
        if (!stored) continue;
        await learner.save(path('kinds.checkpoint'));
        learner.close();
        learner = await loadLearner(path('kinds.checkpoint'), { threads: 1 });
      }
      const model = await learner.model();
      learner.close();
      return parametersOf(model);
    }

    test.each<[string, readonly Part[]]>([
      ['all sparse', [sparse, sparse, sparse]],
      ['sparse, then dense', [sparse, part, sparse]],
      ['dense, then sparse', [part, sparse, part]],
      ['some of them weighted', [part, weighted, part, weighted]],
      ['sparse and weighted', [weighted, sparse, weighted, sparse]],
    ])('teach the same, as many as before or not, stored in between or not: %s', async (_, kinds) => {
      const whole = await learnt(kinds, 1);
      expect(whole.flat().every(Number.isFinite)).toBe(true);
      expect(await learnt(kinds, 1, true)).toEqual(whole);
      // Weights are beside those of the same call.
      if (!kinds.includes(weighted)) expect(await learnt(kinds, 2)).toEqual(whole);
    });
  },
);

test('a learner of hashed texts goes on from its file with as many rows as it had', async () => {
  const mails = Array.from({ length: 96 }, (_, i) => ({ text: `word${i % 7} word${i % 5} mail${i}`, spam: i % 7 < 3 }));
  const { model: hashed } = await fit(mails, { target: 'spam', hash: 64, epochs: 1, threads: 1 });
  using learner = (hashed as Model).learner({ solver: 'adam', threads: 1 } as never);
  await learner.partialFit(mails.slice(0, 48));
  await learner.save(path('hashed.checkpoint'));
  using again = await loadLearner(path('hashed.checkpoint'), { threads: 1 });
  for (const each of [learner, again]) await each.partialFit(mails.slice(48));
  expect(parametersOf(await again.model())).toEqual(parametersOf(await learner.model()));
});

test('sparse rows are taken up from a file that no memory would hold as dense ones', async () => {
  const [rows, columns] = [2 ** 17, 2 ** 17];
  const indices = Int32Array.from({ length: rows }, (_, i) => (i * 7919) % columns);
  const indptr = Int32Array.from({ length: rows + 1 }, (_, i) => i);
  const wide = {
    x: { data: new Float32Array(rows).fill(1), indices, indptr, rows, columns },
    labels: Array.from(indices, (column) => column % 2),
  };
  const options = { solver: 'sgd', batchSize: rows, threads: 1 } as const;
  const { model: begun } = await fit(wide, { ...options, layers: [columns, 2], epochs: 1 });
  using before = (begun as Model).learner(options as never);
  await before.partialFit(wide as never);
  await before.save(path('wide.checkpoint'));
  using after = await loadLearner(path('wide.checkpoint'));
  for (const each of [before, after]) await each.partialFit(wide as never);
  expect((await after.model()).weights).toEqual((await before.model()).weights);
});

test('a learner of a solver that takes dense rows alone refuses sparse ones, and goes on', async () => {
  using learner = (
    (await fit(part(0, 60), { layers: [3, 8, 2], epochs: 1, threads: 1, solver: 'sgd' })).model as Model
  ).learner({ solver: 'kfac', batchSize: 20 } as never);
  await learner.partialFit(part(0, 40));
  await expectFailure(() => learner.partialFit(sparse(40, 80) as never), 'ERR_DLADMM_ARGUMENT', /dense features/);
  expect(await learner.partialFit(part(40, 80))).toMatchObject({ step: 4 });
});

describe('a learner', () => {
  test('counts no call that a function of the caller’s has ended', async () => {
    const learningRate = ({ step }: { readonly step: number }): number => {
      if (step === 3) throw new Error('mine');
      return 0.01;
    };
    using learner = model.learner({ solver: 'adam', batchSize: 20, learningRate, threads: 1 });
    await learner.partialFit(part(0, 40));
    const taught = parametersOf(await learner.model());
    await expect(learner.partialFit(part(40, 60))).rejects.toThrow('mine');
    expect(parametersOf(await learner.model())).toEqual(taught);
    await learner.save(path('ended.checkpoint'));
    expect([learner.steps, (await readCheckpoint(path('ended.checkpoint'))).iteration]).toEqual([2, 1]);
  });

  test('keeps scaler, classes and columns, and leaves its model alone', async () => {
    const before = parametersOf(model);
    using learner = model.learner();
    await learner.partialFit(part(60, 80));
    const after = await learner.model();
    expect(after.standardisation).toEqual(model.standardisation);
    expect(after.classes).toEqual(['no', 'yes']);
    expect(parametersOf(model)).toEqual(before);
    expect(parametersOf(after)).not.toEqual(before);
    for (let i = 0; i < 5; i += 1) await learner.partialFit(part(0, 230));
    const [{ loss: was }, { loss: is }] = [
      await model.evaluate(part(0, 230)),
      await (await learner.model()).evaluate(part(0, 230)),
    ];
    expect(is).toBeLessThan(was / 2);
  });

  test('takes fewer rows than a batch has, and rows of one class', async () => {
    using learner = model.learner({ solver: 'adam', batchSize: 32 });
    const rows = part(0, 230);
    const yes = rows.x.filter((_, i) => rows.labels[i] === 'yes').slice(0, 20);
    expect(await learner.partialFit({ x: yes, labels: yes.map(() => 'yes') })).toMatchObject({ steps: 1, step: 1 });
  });

  test('is not harmed by rows that are refused', async () => {
    using learner = model.learner({ solver: 'adam', batchSize: 20 });
    using other = model.learner({ solver: 'adam', batchSize: 20 });
    for (const each of [learner, other]) await each.partialFit(part(0, 40));
    const bad = part(40, 80);
    await expectFailure(
      () => learner.partialFit({ ...bad, x: bad.x.with(30, [1, Number.NaN, 3]) }),
      'ERR_DLADMM_NON_FINITE',
      /row 30, column 1/,
    );
    await expectFailure(
      () => learner.partialFit({ ...bad, labels: [...bad.labels, 'maybe'].slice(1) }),
      'ERR_DLADMM_LABEL',
      /maybe/,
    );
    await expectFailure(() => learner.partialFit({ x: [[1, 2]], labels: ['no'] }), 'ERR_DLADMM_SHAPE');
    for (const each of [learner, other]) await each.partialFit(bad);
    expect(parametersOf(await learner.model())).toEqual(parametersOf(await other.model()));
  });

  test('takes calls one after the other, and none after it was closed', async () => {
    const learner = model.learner({ solver: 'adam', batchSize: 20 });
    const steps = await Promise.all([part(0, 40), part(40, 60), part(60, 120)].map((rows) => learner.partialFit(rows)));
    expect(steps.map(({ step }) => step)).toEqual([2, 3, 6]);
    const closed = await learner.model();
    await closed.close();
    await expectFailure(async () => closed.learner(), 'ERR_DLADMM_CLOSED');
    learner.close();
    await expectFailure(() => learner.partialFit(part(0, 20)), 'ERR_DLADMM_CLOSED');
  });

  test('tells that it diverged, and has the last finite parameters', async () => {
    using learner = model.learner({ solver: 'sgd', learningRate: 1e30, batchSize: 20 });
    const record = await learner.partialFit(part(0, 230));
    expect(record.diverged).toBe(true);
    const after = await learner.model();
    expect(parametersOf(after).flat().every(Number.isFinite)).toBe(true);
    expect(after.diverged).toEqual({ iteration: 1 });
  });

  test.each([
    [{ layers: [3, 4, 2] }, /layers/],
    [{ epochs: 3 }, /epochs/],
    [{ solver: 'dladmm' }, /batches/],
    [{ standardise: true }, /standardise/],
    [{ batchsize: 3 }, /batchSize/],
  ])('refuses %o', (options, message) => {
    expect(() => model.learner(options as never)).toThrow(message);
  });

  test('says so where there is no folder for temporary files, and goes on where there is', async () => {
    using learner = model.learner({ batchSize: 20 });
    await learner.partialFit(part(0, 40));
    const { TMPDIR } = process.env;
    process.env.TMPDIR = '/nowhere';
    await expectFailure(() => learner.partialFit(part(40, 100)), 'ERR_DLADMM_FILE', /nowhere/);
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    expect(await learner.partialFit(part(40, 100))).toMatchObject({ step: 5 });
  });

  test('has what its loss has beside, from its file too', async () => {
    const targets = { x: x.slice(0, 60), y: x.slice(0, 60).map(([a = 0]) => [3 * a]) };
    const huber = { layers: [3, 4, 1], loss: 'huber', delta: 0.25, solver: 'sgd', epochs: 1, threads: 1 } as const;
    const { model: begun } = await fit(targets, huber);
    using before = (begun as Model).learner({ solver: 'sgd', batchSize: 20 } as never);
    await before.partialFit(targets as never);
    await before.save(path('huber.checkpoint'));
    using after = await loadLearner(path('huber.checkpoint'));
    expect((await after.model()).network).toEqual(begun.network);
  });

  test('has nothing to save before the first rows, and its file is no training', async () => {
    using learner = model.learner();
    await expectFailure(() => learner.save(path('none.checkpoint')), 'ERR_DLADMM_STATE');
    await learner.partialFit(part(0, 100));
    await learner.save(path('learner.checkpoint'));
    await expectFailure(() => resume(path('learner.checkpoint'), part(0, 100)), 'ERR_DLADMM_CHECKPOINT', /loadLearner/);
    await fit(part(0, 100), {
      layers: [3, 4, 2],
      solver: 'adam',
      epochs: 1,
      checkpoint: { path: path('run.checkpoint') },
    });
    await expectFailure(() => loadLearner(path('run.checkpoint')), 'ERR_DLADMM_CHECKPOINT', /resume/);
  });
});
