import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import {
  choice,
  crossValidate,
  integer,
  logUniform,
  type SearchResult,
  search,
  type Trial,
} from '../../src/choosing.js';
import { seededRandom } from '../../src/core/random.js';
import { DlAdmmError, fit } from '../../src/index.js';
import { expectFailure } from '../formats/support.js';

const folder = mkdtempSync(join(tmpdir(), 'dladmm-search-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const random = seededRandom(2);
const rowsOf = (count: number) =>
  Array.from({ length: count }, () => {
    const [a, b] = [random.normal(), random.normal()];
    return { a, b, kind: random.uniform() < 0.5 ? 'x' : 'y', near: a * a + b * b < 1 ? 'in' : 'out' };
  });
const rows = rowsOf(150);
const space = {
  target: 'near',
  solver: 'adam',
  epochs: 4,
  hidden: [[], [4], [8, 8]],
  learningRate: logUniform(1e-3, 1e-1),
} as const;
const untimed = ({ trials }: Pick<SearchResult, 'trials'>) => trials.map(({ seconds, ...trial }) => trial);

describe('a search', () => {
  test('is the same from the same seed, however many trainings work at once', async () => {
    const options = { trials: 5, folds: 3, seed: 3 };
    const one = await search(rows, space, { ...options, parallel: 1 });
    const many = await search(rows, space, { ...options, parallel: 5 });
    expect(untimed(many)).toEqual(untimed(one));
    expect(one.status).toBe('completed');
    expect(one.trials.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
    expect(untimed(await search(rows, space, { ...options, seed: 4 }))).not.toEqual(untimed(one));
  });

  test('judges every trial as cross-validation does, and the best is the best by its metric', async () => {
    const { trials, best, metric } = await search(rows, space, { trials: 4, folds: 3, metric: 'rocAuc' });
    expect(metric).toBe('rocAuc');
    for (const { options, scores, value } of trials) {
      const { target, solver, epochs } = space;
      const found = await crossValidate(rows, { target, solver, epochs, ...options }, { folds: 3 });
      expect(found.scores).toEqual(scores);
      expect(value).toBe(scores.rocAuc?.mean);
    }
    expect(best.value).toBe(Math.max(...trials.map(({ value }) => value as number)));
  });

  test('refits the best options on all samples', async () => {
    const { model, best, report } = await search(rows, space, { trials: 2, folds: 2, refit: true });
    const { target, solver, epochs } = space;
    const plain = await fit(rows, { target, solver, epochs, ...(best.options as object) });
    expect(model.weights).toEqual(plain.model.weights);
    expect(report?.heldOut?.of).toBe(150);
    expect((await search(rows, space, { trials: 1, folds: 2 })) as object).not.toHaveProperty('model');
  });

  test('has lists where options are lists: several targets, pairs, equal columns, weights', async () => {
    const own = rows.map((row, i) => ({ ...row, c: row.a + row.b, d: i % 5 }));
    const values = { solver: 'adam', epochs: 2, hidden: [[], [4]], ignore: ['near'] } as const;
    const rules = { trials: 4, folds: 2 } as const;
    const hidden = [{ hidden: [] }, { hidden: [4] }];
    for (const more of [
      { target: ['c', 'd'] },
      { target: 'c', equal: [['a', 'b']] },
      { target: 'c', weights: own.map(() => 1) },
      { target: 'near', ignore: ['c', 'd'], hash: 8, pairs: [['kind', 'd']] },
    ] as const) {
      const { trials } = await search(own, { ...values, ...more } as never, rules);
      expect(trials.map(({ options }) => options)).toEqual(expect.arrayContaining(hidden));
    }
    const several = { ...values, target: [['c'], ['d']] } as never;
    await expect(search(own, several, rules)).rejects.toThrow(
      /one target for all, as trials are compared.*space\.target/,
    );
    const watched = { ...values, target: 'c', validation: own } as never;
    await expect(search(own, watched, rules)).rejects.toThrow(/none, as there are several trainings, for validation/);
    for (const [name, of, message] of [
      ['task', ['classification', 'regression'], /one task for all, as trials are compared.*space\.task/],
      [
        'classes',
        [
          ['in', 'out'],
          ['out', 'in'],
        ],
        /one classes for all, as trials are compared.*space\.classes/,
      ],
      ['validation', [own, own.slice(1)], /none, as there are several trainings, for validation/],
      ['checkpoint', [{ path: join(folder, 'a') }, { path: join(folder, 'b') }], /several trainings, for checkpoint/],
    ] as const) {
      const varied = { ...values, target: 'c', [name]: choice<unknown>(of) } as never;
      await expectFailure(() => search(own, varied, rules), 'ERR_DLADMM_ARGUMENT', message);
    }
  });

  test('refits on a stream too, which comes but once', async () => {
    async function* stream() {
      for (const { a, b, near } of rows) yield { x: [a, b], label: near };
    }
    const few = { hidden: [[], [4]], epochs: 2 } as const;
    const { model } = await search({ x: stream() }, few, { folds: 2, refit: true });
    expect(model.predictSync([0, 0]).label).toMatch(/in|out/);
  });

  test('of a space of few options tries each once', async () => {
    const few = { target: 'near', solver: 'adam', epochs: integer(1, 2), hidden: [[], [4]] } as const;
    expect((await search(rows, few, { trials: 50, folds: 2 })).trials).toHaveLength(4);
  });

  test('tells functions and models apart, which are the same as JSON', async () => {
    const { x, labels } = { x: rows.map(({ a, b }) => [a, b]), labels: rows.map(({ near }) => near) };
    const plain = { solver: 'adam', epochs: 1, layers: [2, 3, 2] } as const;
    const models = await Promise.all([1, 2].map((seed) => fit({ x, labels }, { ...plain, seed })));
    const initialisation = choice(models.map(({ model }) => model));
    const { trials } = await search({ x, labels }, { ...plain, initialisation } as never, { trials: 9, folds: 2 });
    expect(trials).toHaveLength(2);
    const learningRate = choice([() => 1e-2, () => 1e-3]);
    expect((await search(rows, { ...space, hidden: [4], learningRate }, { trials: 9, folds: 2 })).trials).toHaveLength(
      2,
    );
  });

  test('tries weights that vary, of rows and beside x', async () => {
    const weights = choice([rows.map(() => 1), rows.map((_, i) => (i % 3 === 0 ? 5 : 0))]);
    const options = { trials: 2, folds: 2 };
    const plain = { solver: 'adam', epochs: 2, hidden: [4] } as const;
    const beside = { x: rows.map(({ a, b }) => [a, b]), labels: rows.map(({ near }) => near) };
    for (const { trials } of [
      await search(rows, { ...plain, target: 'near', weights }, options),
      await search(beside, { ...plain, weights }, options),
    ]) {
      expect(new Set(trials.map(({ value }) => value)).size).toBe(2);
    }
    const short = { ...plain, weights: choice([[1], [2]]) };
    await expectFailure(() => search(beside, short, options), 'ERR_DLADMM_SHAPE', /150 numbers.*for weights/);
    const twice = search({ ...beside, weights: rows.map(() => 1) }, { ...plain, weights }, options);
    await expectFailure(() => twice, 'ERR_DLADMM_ARGUMENT', /none, as the samples have some, for weights/);
  });

  test('is judged by what its losses have: of any number of labels those', async () => {
    const tagged = rows.map(({ a, b }) => ({ a, b, tags: a > b ? ['p', 'q'] : ['q'] }));
    const plain = { solver: 'adam', epochs: 2, target: 'tags', hidden: [[], [4]] } as const;
    for (const metric of ['microF1', 'macroF1', 'exactMatch'] as const) {
      const { best } = await search(tagged, plain, { trials: 1, folds: 2, metric });
      expect(best.value).toBe(best.scores[metric]?.mean);
    }
  });

  test('halves: all trials on few samples, the best of them on more', async () => {
    const many = rowsOf(3200);
    const told: Trial[] = [];
    const options = {
      trials: 9,
      folds: 2,
      method: 'halving',
      onTrial: (trial: Trial) => void told.push(trial),
    } as const;
    const { best, trials } = await search(many, { ...space, epochs: 2 }, options);
    expect(told.filter(({ samples }) => samples < 600)).toHaveLength(9);
    expect(told.filter(({ samples }) => samples === 1600)).toHaveLength(3);
    expect(best.samples).toBe(1600);
    const first = told.slice(0, 9).toSorted((a, b) => (a.value ?? 1e9) - (b.value ?? 1e9));
    const kept = first.slice(0, 3).map(({ number }) => number);
    expect(
      trials
        .filter(({ samples }) => samples === 1600)
        .map(({ number }) => number)
        .sort(),
    ).toEqual(kept.sort());
    const again = await search(many, { ...space, epochs: 2 }, { trials: 9, folds: 2, method: 'halving', parallel: 1 });
    expect(untimed(again)).toEqual(untimed({ trials }));
  });

  test('halves to one that diverges on all samples: then the best on fewer is the best', async () => {
    const late = choice([
      ({ step }: { step: number }) => (step > 24 ? 1e30 : 1e-2),
      ({ step }: { step: number }) => 1e-6 * (step + 1),
    ]);
    const plain = { target: 'a', solver: 'sgd', batchSize: 32, epochs: 1, hidden: [8] } as const;
    const rules = { trials: 3, folds: 2, method: 'halving' } as const;
    const { best, trials } = await search(rowsOf(3200), { ...plain, learningRate: late }, rules);
    expect(trials.map(({ samples, value }) => [samples, value === undefined])).toEqual(
      expect.arrayContaining([
        [1600, true],
        [533, false],
      ]),
    );
    expect(best.value).toEqual(expect.any(Number));
  });

  test('prints as a table', async () => {
    const text = String(await search(rows, space, { trials: 2, folds: 2 }));
    expect(text).toMatch(/^2 trials, completed; the best by loss:\ntrial +loss +sd +samples {2}options\n/);
    expect(text).toMatch(/"learningRate":/);
  });
});

describe('a search with a file', () => {
  const stopAfter = (count: number) => {
    const told: number[] = [];
    const onTrial = ({ number }: Trial): void => {
      told.push(number);
      if (told.length === count) throw new Error('killed');
    };
    return { told, onTrial };
  };
  const options = { trials: 5, folds: 2, parallel: 1 };

  test('goes on where it was ended, to the same trials', async () => {
    const resume = join(folder, 'search.json');
    const whole = await search(rows, space, options);
    const { onTrial } = stopAfter(3);
    await expect(search(rows, space, { ...options, resume, onTrial })).rejects.toThrow('killed');
    const kept = JSON.parse(readFileSync(resume, 'utf8')) as { trials: object[] };
    expect(kept.trials).toHaveLength(3);
    const trained = vi.fn();
    const after = await search(rows, { ...space, onIteration: trained } as never, options);
    const all = trained.mock.calls.length;
    expect(untimed(after)).toEqual(untimed(whole));
    const again = await search(rows, space, { ...options, resume });
    expect(again.trials).toEqual(expect.arrayContaining(kept.trials));
    expect(untimed(again)).toEqual(untimed(whole));
    expect(all).toBe(5 * 2 * 4);
    expect(untimed(await search(rows, space, { ...options, trials: 7, resume, parallel: 3 }))).toHaveLength(7);
  });

  test('is refused where it is of another search, or none', async () => {
    const resume = join(folder, 'other.json');
    await search(rows, space, { ...options, trials: 1, resume });
    const refused = (given: readonly unknown[], code: string, message: RegExp) =>
      expect(search(...(given as [never, never]))).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    const other = rows.with(3, { ...(rows[3] as (typeof rows)[0]), a: 7 });
    const checkpoint = 'ERR_DLADMM_CHECKPOINT';
    await refused([other, space, { ...options, resume }], checkpoint, /samples/);
    await refused([rows, { ...space, epochs: 5 }, { ...options, resume }], checkpoint, /space/);
    await refused([rows, space, { ...options, folds: 3, resume }], checkpoint, /folds/);
    await refused([rows, space, { ...options, metric: 'rocAuc', resume }], checkpoint, /metric/);
    const whole = JSON.parse(readFileSync(resume, 'utf8')) as { trials: readonly object[] };
    for (const nonsense of [{ value: 'x' }, { value: null }, { scores: { loss: 5 } }, { seconds: 'y' }]) {
      const trials = whole.trials.map((trial) => ({ ...trial, ...nonsense }));
      writeFileSync(resume, JSON.stringify({ ...whole, trials }));
      await refused([rows, space, { ...options, resume }], 'ERR_DLADMM_FORMAT', /damaged/);
    }
    writeFileSync(resume, '{ "trials": [');
    await refused([rows, space, { ...options, resume }], 'ERR_DLADMM_FORMAT', /JSON/);
    writeFileSync(resume, '{ "format": "recipe" }');
    await refused([rows, space, { ...options, resume }], 'ERR_DLADMM_FORMAT', /recipe/);
    expect(readFileSync(resume, 'utf8')).toMatch('recipe');
    await refused([rows, space, { ...options, resume: join(folder, 'no', 'where') }], 'ERR_DLADMM_FILE', /where/);
  });
});

describe('a search with a file of what no file has', () => {
  const x = rows.map(({ a, b }) => [a, b]);
  const labels = rows.map(({ near }) => near);
  const plain = { solver: 'adam', epochs: 1, layers: [2, 3, 2] } as const;
  const rules = (name: string) => ({ trials: 2, folds: 2, parallel: 1, resume: join(folder, name) });

  test('is another by the weights of the samples', async () => {
    const tried = { ...plain, learningRate: [1e-2, 1e-3] };
    const weighed = (weight: number) => ({ x, labels, weights: rows.map((_, i) => (i % 2 === 0 ? weight : 1)) });
    await search(weighed(2), tried, rules('weighed.json'));
    await search(weighed(2), tried, rules('weighed.json'));
    await expectFailure(() => search(weighed(3), tried, rules('weighed.json')), 'ERR_DLADMM_CHECKPOINT', /samples/);
  });

  test('is another by the model that its trainings begin with', async () => {
    const [one, other] = await Promise.all([1, 2].map((seed) => fit({ x, labels }, { ...plain, seed })));
    const from = (initialisation: unknown) => ({ ...plain, initialisation, learningRate: [1e-2, 1e-3] }) as never;
    await search({ x, labels }, from(one?.model), rules('begun.json'));
    await expectFailure(() => search({ x, labels }, from(other?.model), rules('begun.json')), 'ERR_DLADMM_CHECKPOINT');
  });

  test('has the functions that were drawn, to train with in the end', async () => {
    const rate = vi.fn(() => 1e-2);
    const tried = { ...plain, learningRate: choice([rate]) };
    await search({ x, labels }, tried, rules('functions.json'));
    rate.mockClear();
    const { best } = await search({ x, labels }, tried, { ...rules('functions.json'), refit: true });
    expect(best.options).toEqual({ learningRate: rate });
    expect(rate).toHaveBeenCalled();
  });
});

describe('a search ends', () => {
  const long = { ...space, epochs: 1_000_000 } as const;

  test('at its time, with what has ended', async () => {
    const slow = { ...space, epochs: 4, earlyStopping: [{ patience: 1 }, { patience: 2 }] } as const;
    const { status, trials } = await search(rows, slow, { seconds: 0.5, folds: 2 });
    expect(status).toBe('time-limit');
    expect(trials.length).toBeGreaterThan(0);
  });

  test('by its signal: with the trials that have ended, or without a best where none has', async () => {
    const stop = new AbortController();
    const options = { folds: 2, trials: 500, parallel: 2, signal: stop.signal, onTrial: () => stop.abort() };
    const { status, trials, best } = await search(rows, space, options);
    expect(status).toBe('aborted');
    expect(trials.length).toBeLessThan(5);
    expect(best.value).toEqual(expect.any(Number));
    const early = new AbortController();
    const none = search(rows, { ...long, onIteration: () => early.abort() } as never, { signal: early.signal });
    const found = await none;
    expect(found).toMatchObject({ status: 'aborted', trials: [] });
    expect(() => found.best).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_ABORTED' }));
  });
});

describe('a search is refused before the first trial:', () => {
  const refused = async (given: object, options: object, message: RegExp) => {
    const onTrial = vi.fn();
    const error = await search(rows, given as never, { trials: 3, folds: 2, onTrial, ...options }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(DlAdmmError);
    expect(String(error)).toMatch(message);
    expect(onTrial).not.toHaveBeenCalled();
  };

  test('options that no training takes, wherever they are drawn', async () => {
    await refused({ ...space, learningRte: [1] }, {}, /did you mean learningRate\?/);
    await refused({ ...space, hidden: [[4], [0.5]] }, { trials: 50 }, /hidden/);
    await refused({ ...space, learningRate: logUniform(1e-3, 1e-2), l2: [0, -1] }, { trials: 50 }, /l2/);
    await refused({ ...space, target: 'far' }, {}, /far/);
    await refused({ ...space, loss: ['hinge', 'softmax-cross-entropy'] }, {}, /space\.loss varies/);
  });

  test('rules that it has not', async () => {
    await refused(space, { trails: 4 }, /did you mean trials\?/);
    await refused(space, { metric: 'auc' }, /rocAuc/);
    await refused(space, { metric: 'r2' }, /r2/);
    await refused({ ...space, loss: 'hinge' }, { metric: 'rocAuc' }, /'macroF1' or 'loss' for metric/);
    await refused(space, { method: 'grid' }, /random/);
    await refused(space, { trials: 0 }, /trials/);
    await refused(space, { seconds: -1 }, /seconds/);
  });
});

test('wrong options are compile errors', () => {
  // Compiled, and never run.
  const compiled = (): unknown => [
    search(rows, { ...space, earlyStopping: [{ metric: 'rocAuc' }, { metric: 'prAuc', patience: 3 }] }),
    // @ts-expect-error an option that no solver has
    search(rows, { target: 'near', learningRte: [1] }),
    // @ts-expect-error widths are numbers
    search(rows, { target: 'near', hidden: [['wide']] }),
    // @ts-expect-error a metric that is none
    search(rows, space, { metric: 'auc' }),
    // @ts-expect-error a rule that is none
    crossValidate(rows, { target: 'near' }, { fold: 3 }),
    // @ts-expect-error a metric that is none
    fit(rows, { target: 'near', earlyStopping: { metric: 'auc' } }),
  ];
  expect(compiled).toBeTypeOf('function');
});
