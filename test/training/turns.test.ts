import { describe, expect, test, vi } from 'vitest';
import { crossValidate } from '../../src/choosing/cross-validate.js';
import { foldsOf } from '../../src/choosing/folds.js';
import { search } from '../../src/choosing/search.js';
import { fit, type Model } from '../../src/index.js';
import { learnCalibration } from '../../src/judging/calibration.js';
import { judgeClasses } from '../../src/judging/evaluation.js';
import { chooseThreshold } from '../../src/judging/threshold.js';
import { type Frame, takeRows } from '../../src/samples/frame.js';
import { frameOf } from '../../src/samples/framing.js';
import { heldOut } from '../../src/samples/hold-out.js';
import { listedRows } from '../../src/samples/label-lists.js';
import { learnColumns } from '../../src/samples/learning.js';
import { targetValues } from '../../src/samples/targets.js';
import { alone } from '../../src/training/front/goal.js';

// Nothing that is done with many rows holds up the event loop: counted by its turns, on a clock on which 500 values that
// are read take a millisecond, and so does every look at it.

const ROWS = 40_000;
/** So many values are read in between two turns at most. */
const MOST = 16_000;

/** Rows that tell how often they were asked for a value. */
function asked(read: () => void): readonly Readonly<Record<string, unknown>>[] {
  return Array.from({ length: ROWS }, (_, i) => ({
    get age() {
      read();
      return i % 70;
    },
    get plan() {
      read();
      return ['basic', 'pro', 'team'][i % 3];
    },
    get since() {
      read();
      return i % 9 === 0 ? null : new Date(1.6e12 + i * 3.6e6);
    },
    get churned() {
      read();
      return i % 70 > 40 ? 'yes' : 'no';
    },
    get calls() {
      read();
      return i % 9;
    },
    get tags() {
      read();
      return i % 70 > 40 ? ['old'] : [];
    },
  }));
}

let time = performance.now();
vi.spyOn(performance, 'now').mockImplementation(() => {
  time += 1;
  return time;
});

/** The most values that were read between two turns of the event loop while `work` went on, and how many turns there were. */
async function watched(work: (rows: readonly Readonly<Record<string, unknown>>[]) => Promise<unknown>) {
  let [since, most, turns] = [0, 0, 0];
  const rows = asked(() => {
    since += 1;
    time += 1 / 500;
    most = Math.max(most, since);
  });
  let goesOn = true;
  const turn = (): void => {
    since = 0;
    turns += 1;
    if (goesOn) setImmediate(turn);
  };
  setImmediate(turn);
  await work(rows);
  goesOn = false;
  return { most, turns };
}

async function* streamOf(rows: readonly object[]) {
  yield* rows;
}

async function* streamOfMany(rows: readonly object[]) {
  for (let i = 0; i < rows.length; i += 10_000) yield rows.slice(i, i + 10_000);
}

const options = { target: 'churned', ignore: ['tags'], hidden: [], epochs: 1, threads: 1 } as const;
const model = (await fit(asked(() => undefined).slice(0, 500) as never, options)).model as Model;

describe('the event loop turns while many rows', () => {
  test.each([
    ['are read', (rows: object) => frameOf(rows as never, { name: 'rows' })],
    ['come as a stream', (rows: object) => frameOf(streamOf(rows as never), { name: 'rows' })],
    ['come many at a time', (rows: object) => frameOf(streamOfMany(rows as never), { name: 'rows' })],
    ['are trained on', (rows: object) => fit(rows as never, options)],
    ['are trained on by weights', (rows: object) => fit(rows as never, { ...options, weights: 'age' })],
    [
      'are trained on by weights of classes',
      (rows: object) => fit(rows as never, { ...options, classWeights: 'balanced' }),
    ],
    [
      'have two targets',
      (rows: object) => fit(rows as never, { ...options, ignore: ['tags', 'churned'], target: ['age', 'calls'] }),
    ],
    ['have lists of labels', (rows: object) => fit(rows as never, { ...options, ignore: ['churned'], target: 'tags' })],
    ['are cross-validated', (rows: object) => crossValidate(rows as never, options, { folds: 2 })],
    [
      'are cross-validated by groups',
      (rows: object) => crossValidate(rows as never, options, { folds: 2, groups: 'plan' }),
    ],
    [
      'are searched',
      (rows: object) =>
        search(rows as never, { ...options, ignore: [['tags']], hidden: [[]], l2: [0, 0.1] }, { trials: 1 }),
    ],
    ['are gone on with', (rows: object) => model.fit(rows as never, { epochs: 1, threads: 1 })],
    ['are predicted', (rows: object) => model.predict(rows as never)],
    ['are predicted as a stream', (rows: object) => model.predict(streamOf(rows as never) as never)],
    ['are predicted many at a time', (rows: object) => model.predict(streamOfMany(rows as never) as never)],
    ['are evaluated', (rows: object) => model.evaluate(rows as never)],
  ])('%s', async (_, work) => {
    const { most } = await watched(work);
    expect(most).toBeLessThan(MOST);
  });

  test('are looked through for classes of which nothing is held out', async () => {
    const { most } = await watched(async (rows) => {
      const labels = new Proxy([], {
        get: (_, at) => (at === 'length' ? rows.length : rows[Number(at)]?.calls),
      }) as readonly number[];
      const parts = { train: new Int32Array(0), held: Int32Array.from(rows, (_, i) => i) };
      expect(await alone(labels, undefined, parts, 'column "calls"')).toEqual([]);
    });
    expect(most).toBeLessThan(MOST);
  });

  test('are predicted by eight who ask for some of them in a loop', async () => {
    const { most, turns } = await watched((rows) =>
      Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let i = 0; i < 12; i += 1) await model.predict(rows.slice(0, 300) as never);
        }),
      ),
    );
    expect(most).toBeLessThan(2 * 4 * 500);
    expect(turns).toBeGreaterThan(20);
  });

  test('are learnt from by six trainings, whose sweeps take longer to tell than to do', async () => {
    const x = Float32Array.from({ length: 600 }, (_, i) => Math.sin(i));
    const data = { x, labels: Int32Array.from({ length: 300 }, (_, i) => i % 3) };
    let [since, most, goesOn] = [0, 0, true];
    const turn = (): void => {
      since = 0;
      if (goesOn) setImmediate(turn);
    };
    setImmediate(turn);
    const onIteration = () => {
      const began = process.hrtime.bigint();
      while (process.hrtime.bigint() - began < 3_000_000n);
      since += 1;
      most = Math.max(most, since);
    };
    const shared = { solver: 'dladmm', layers: [2, 3, 3], iterations: 40, threads: 1, onIteration } as const;
    await Promise.all(Array.from({ length: 6 }, () => fit(data, shared)));
    goesOn = false;
    expect(most).toBeLessThan(10);
  });

  const classes = Int32Array.from({ length: ROWS }, (_, i) => i % 2);
  const scores = Float64Array.from({ length: ROWS }, (_, i) => ((i * 7919) % 997) / 997 + (i % 2) / 4);
  const frame: Promise<Frame> = frameOf(asked(() => undefined) as never, { name: 'rows' });

  test('are judged, a thousand of them at a time where that takes long', async () => {
    await frame;
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 5));
    const data = Float32Array.from({ length: 2 * ROWS }, (_, i) => ((i * 7919) % 997) / 997);
    const told = { labels: classes, predicted: classes, names: ['no', 'yes'], loss: 0 };
    const { turns } = await watched(() =>
      judgeClasses({ ...told, probabilities: { data, rows: ROWS, columns: 2 } }),
    ).finally(() => clock.mockRestore());
    expect(turns).toBeGreaterThan(5 * Math.ceil(ROWS / 1024));
  });

  test.each([
    [
      'are taken from a table',
      async () =>
        takeRows(
          await frame,
          Int32Array.from({ length: 3e4 }, (_, i) => i),
        ),
      4,
    ],
    ['are learnt from', async () => learnColumns(await frame, { target: 'churned', ignore: ['tags'] }), 9],
    ['have a target that is read', async () => targetValues(await frame, 'churned'), 2],
    [
      'have lists of labels that are read',
      () =>
        listedRows(
          Array.from({ length: ROWS }, () => ['old']),
          'sigmoid-cross-entropy',
          undefined,
          'labels',
        ),
      3,
    ],
    ['are held out', () => heldOut(ROWS, classes, 0.2, 1), 4],
    ['have a threshold chosen by them', () => chooseThreshold(classes, scores, 'f1'), 5],
    ['calibrate scores', () => learnCalibration(classes, { data: scores, rows: ROWS, columns: 1 }, 2), 5],
    ['are dealt to folds', () => foldsOf(ROWS, { folds: 5, seed: 1, labels: classes }), 7],
  ])('%s', async (_, work, least) => {
    await frame;
    const { turns } = await watched(work);
    expect(turns).toBeGreaterThanOrEqual(least);
  });
});
