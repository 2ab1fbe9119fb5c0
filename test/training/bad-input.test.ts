import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import type { LabelledSamples } from '../../src/data.js';
import { DlAdmmError, type ErrorCode, fit as fitModel, Model, readCheckpoint, train } from '../../src/index.js';
import { a, type DladmmOptions, layered, SAMPLE_SOLVERS, schemaOf, W, z } from '../../src/solvers.js';
import { run } from '../children/run.js';
import { expectFailure, failure } from '../formats/support.js';
import { nativeOf } from '../reference/addon.js';

const OPTIONS = {
  layers: [3, 4, 2],
  iterations: 3,
  threads: 1,
  dtype: 'float64',
  nu: 1,
  rho: 1,
  stepSearch: 'exact',
  start: { output: 'forward', dual: 'stationary' },
} as const;
const X = Float64Array.from({ length: 18 }, (_, i) => Math.sin(i));
const DATA: LabelledSamples = { x: X, labels: [0, 1, 0, 1, 1, 0] };
const VALUES: LabelledSamples = { x: X, y: Float64Array.from({ length: 12 }, (_, i) => Math.cos(i)) };
const REGRESSION = { ...OPTIONS, loss: 'squared-error' } as const;

/** What JavaScript lets through and TypeScript would not. */
const untyped = <T>(value: unknown): T => value as T;
const withOptions = (more: object): DladmmOptions => untyped({ ...OPTIONS, ...more });

const expectRefusal = (data: unknown, options: object, code: ErrorCode, ...parts: (string | RegExp)[]) =>
  expectFailure(() => fitModel(data as never, options as never), code, ...parts);

/** A training that has nothing wrong, run after every refusal: nothing was harmed. */
const CLEAN = fitModel(DATA, OPTIONS).then(({ history }) => history.at(-1)?.lagrangian);
afterEach(async () => {
  const { status, history } = await fitModel(DATA, OPTIONS);
  expect(status.kind).toBe('completed');
  expect(history.at(-1)?.lagrangian).toBe(await CLEAN);
});

describe('an option', () => {
  const some = (): void => undefined;
  const wrongTypes: readonly unknown[] = [
    null,
    'x',
    '',
    5,
    Number.NaN,
    true,
    7n,
    Symbol('s'),
    {},
    [],
    [[]],
    some,
    new Date(),
  ];
  const allows: Readonly<Record<string, (value: unknown) => boolean>> = {
    layers: () => false,
    activation: () => false,
    loss: () => false,
    dtype: () => false,
    iterations: (value) => value === 5,
    nu: (value) => value === 5,
    rho: (value) => value === 5,
    schedule: (value) => value === some,
    l2: (value) => value === 5,
    stepSearch: () => false,
    theta0: (value) => value === 5,
    tau0: (value) => value === 5,
    growth: (value) => value === 5,
    outputSolver: () => false,
    softmax: () => false,
    initialisation: () => false,
    start: (value) => typeof value === 'object' && value !== null && Object.keys(value).length === 0,
    seed: (value) => value === 5,
    threads: (value) => value === 5,
    sweep: () => false,
    refreshEvery: (value) => value === 5,
    evaluateEvery: (value) => value === 5,
    trainMetrics: (value) => value === true,
    earlyStopping: (value) => typeof value === 'object' && value !== null && Object.keys(value).length === 0,
    classes: () => false,
    signal: () => false,
    onIteration: (value) => value === some,
  };

  test.each(Object.entries(allows))('%s of a wrong type is refused by name', async (name, allowed) => {
    for (const value of wrongTypes) {
      if (allowed(value)) continue;
      const error = await failure(() => train({ ...DATA, validation: DATA }, withOptions({ [name]: value })));
      expect(error.code, String(error)).toMatch(/^ERR_DLADMM_(ARGUMENT|RANGE|SHAPE)$/);
      expect(error.message).toContain(name);
      expect(error.message).toMatch(/Expected .* (but received|for)/);
    }
  });

  test('that does not exist is refused, and what helps is named', async () => {
    await expectRefusal(
      DATA,
      { ...OPTIONS, epochs: 5 },
      'ERR_DLADMM_ARGUMENT',
      'epochs',
      'iterations',
      'dladmm counts iterations',
    );
    await expectRefusal(
      DATA,
      { ...OPTIONS, outputSolver: { kind: 'fista', curvture: 1 } },
      'ERR_DLADMM_ARGUMENT',
      'curvture',
      'did you mean curvature?',
    );
    await expectRefusal(
      DATA,
      { ...OPTIONS, outputSolver: { kind: 'exact', curvature: 1 } },
      'ERR_DLADMM_ARGUMENT',
      'curvature',
    );
    await expectRefusal(DATA, { ...OPTIONS, start: { ouput: 'forward' } }, 'ERR_DLADMM_ARGUMENT', 'ouput', 'output');
    await expectRefusal(
      DATA,
      { ...OPTIONS, schedule: { kind: 'paper', evry: 5 } },
      'ERR_DLADMM_ARGUMENT',
      'evry',
      'every',
    );
    await expectRefusal(
      { ...DATA, validation: DATA },
      { ...OPTIONS, earlyStopping: { patience: 2, metrc: 'loss' } },
      'ERR_DLADMM_ARGUMENT',
      'metrc',
      'metric',
    );
  });

  test.each<[string, object, ErrorCode, string]>([
    ['ρ of zero', { rho: 0 }, 'ERR_DLADMM_RANGE', 'rho'],
    ['negative ρ', { rho: -1 }, 'ERR_DLADMM_RANGE', 'rho'],
    ['infinite ρ', { rho: Infinity }, 'ERR_DLADMM_RANGE', 'rho'],
    ['ν of zero', { nu: 0 }, 'ERR_DLADMM_RANGE', 'nu'],
    ['negative ν', { nu: -1e-9 }, 'ERR_DLADMM_RANGE', 'nu'],
    ['NaN for ν', { nu: Number.NaN }, 'ERR_DLADMM_RANGE', 'nu'],
    ['θ0 of zero', { theta0: 0 }, 'ERR_DLADMM_RANGE', 'theta0'],
    ['negative τ0', { tau0: -3 }, 'ERR_DLADMM_RANGE', 'tau0'],
    ['a search that does not grow', { growth: 1 }, 'ERR_DLADMM_RANGE', 'growth'],
    ['negative ℓ2', { l2: -1 }, 'ERR_DLADMM_RANGE', 'l2'],
    ['no iterations', { iterations: 0 }, 'ERR_DLADMM_RANGE', 'iterations'],
    ['half an iteration', { iterations: 1.5 }, 'ERR_DLADMM_RANGE', 'iterations'],
    ['no threads', { threads: 0 }, 'ERR_DLADMM_RANGE', 'threads'],
    ['too many threads', { threads: 2 ** 16 + 1 }, 'ERR_DLADMM_RANGE', 'threads'],
    ['a negative seed', { seed: -1 }, 'ERR_DLADMM_RANGE', 'seed'],
    ['a seed beyond 32 bits', { seed: 2 ** 32 }, 'ERR_DLADMM_RANGE', 'seed'],
    ['evaluation every 0 iterations', { evaluateEvery: 0 }, 'ERR_DLADMM_RANGE', 'evaluateEvery'],
    ['one layer width only', { layers: [3] }, 'ERR_DLADMM_SHAPE', 'layers'],
    ['a width of zero', { layers: [3, 0, 2] }, 'ERR_DLADMM_RANGE', 'layers[1]'],
    ['a fractional width', { layers: [3, 2.5, 2] }, 'ERR_DLADMM_RANGE', 'layers[1]'],
    ['a width that is text', { layers: [3, '4', 2] }, 'ERR_DLADMM_RANGE', 'layers[1]'],
    ['a hole among the widths', { layers: new Array(3) }, 'ERR_DLADMM_RANGE', 'layers[0]'],
    ['a width above 2³¹ − 1', { layers: [3, 2 ** 31, 2] }, 'ERR_DLADMM_RANGE', 'layers[1]'],
    ['a key beside the slope', { activation: { leakyRelu: 0.1, slope: 1 } }, 'ERR_DLADMM_ARGUMENT', 'slope'],
    ['a slope of NaN', { activation: { leakyRelu: Number.NaN } }, 'ERR_DLADMM_RANGE', 'activation.leakyRelu'],
    ['a negative deviation', { initialisation: { gaussian: -1 } }, 'ERR_DLADMM_RANGE', 'initialisation.gaussian'],
    ['no patience', { earlyStopping: { patience: 0 } }, 'ERR_DLADMM_RANGE', 'earlyStopping.patience'],
    ['two of three class names', { classes: ['a'] }, 'ERR_DLADMM_SHAPE', 'classes'],
    ['class names that are numbers', { classes: [1, 2] }, 'ERR_DLADMM_ARGUMENT', 'classes'],
    [
      'a FISTA step of zero',
      { outputSolver: { kind: 'fista', curvature: 0 } },
      'ERR_DLADMM_RANGE',
      'outputSolver.curvature',
    ],
    ['a schedule factor of zero', { schedule: { kind: 'paper', factor: 0 } }, 'ERR_DLADMM_RANGE', 'schedule.factor'],
    ['a schedule every 0 iterations', { schedule: { kind: 'paper', every: 0 } }, 'ERR_DLADMM_RANGE', 'schedule.every'],
    ['a cap of NaN', { schedule: { kind: 'reference', cap: Number.NaN } }, 'ERR_DLADMM_RANGE', 'schedule.cap'],
    ['a kind of schedule unknown', { schedule: { kind: 'cosine' } }, 'ERR_DLADMM_ARGUMENT', 'schedule'],
  ])('%s is out of range', async (_, more, code, name) => {
    const error = await expectFailure(() => train({ ...DATA, validation: DATA }, withOptions(more)), code);
    expect(error.message).toContain(name);
  });

  test('that does not go with another is refused', async () => {
    await expectRefusal(
      VALUES,
      { ...REGRESSION, start: { output: 'signed-labels' } },
      'ERR_DLADMM_ARGUMENT',
      'start.output',
    );
    await expectRefusal(
      { ...VALUES, validation: VALUES },
      { ...REGRESSION, earlyStopping: { patience: 1, metric: 'accuracy' } },
      'ERR_DLADMM_ARGUMENT',
      'earlyStopping.metric',
    );
    await expectRefusal(DATA, { ...OPTIONS, earlyStopping: { patience: 1 } }, 'ERR_DLADMM_ARGUMENT', 'validation');
  });

  test('object that is none is refused', async () => {
    for (const options of [undefined, null, 5, 'x', [], new Map()]) {
      await expectRefusal(DATA, untyped(options), 'ERR_DLADMM_ARGUMENT', /options|layers/);
    }
  });

  test('whose getter throws, throws just that', async () => {
    const own = new Error('mine');
    const options = Object.defineProperty({ ...OPTIONS }, 'rho', {
      enumerable: true,
      get: () => {
        throw own;
      },
    });
    expect(() => train(DATA, options)).toThrow(own);
    const proxy = new Proxy(OPTIONS, {
      ownKeys: () => {
        throw own;
      },
    });
    expect(() => train(DATA, proxy)).toThrow(own);
  });

  test('read through a Proxy counts as it stands', async () => {
    const { status } = await fitModel(DATA, new Proxy({ ...OPTIONS }, {}));
    expect(status.kind).toBe('completed');
  });
});

describe('parameters of one’s own', () => {
  const numbers = (length: number) => new Float64Array(length).fill(0.1);
  const weights = [numbers(12), numbers(8)];
  const biases = [numbers(4), numbers(2)];
  const detached = numbers(12);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const bad = (at: number, value: number, length = 12) => numbers(length).with(at, value);

  test.each<[string, object, ErrorCode, string]>([
    ['a missing layer', { weights: [weights[0]], biases }, 'ERR_DLADMM_ARGUMENT', 'initialisation.weights[1]'],
    ['a layer too many', { weights: [...weights, numbers(4)], biases }, 'ERR_DLADMM_SHAPE', 'initialisation.weights'],
    ['no biases', { weights }, 'ERR_DLADMM_ARGUMENT', 'initialisation'],
    [
      'plain arrays',
      { weights: weights.map((w) => [...w]), biases },
      'ERR_DLADMM_ARGUMENT',
      'initialisation.weights[0]',
    ],
    ['a wrong length', { weights: [numbers(11), weights[1]], biases }, 'ERR_DLADMM_SHAPE', 'initialisation.weights[0]'],
    [
      'NaN',
      { weights: [bad(7, Number.NaN), weights[1]], biases },
      'ERR_DLADMM_NON_FINITE',
      'initialisation.weights[0][7]',
    ],
    [
      '−∞',
      { weights, biases: [bad(1, -Infinity, 4), biases[1]] },
      'ERR_DLADMM_NON_FINITE',
      'initialisation.biases[0][1]',
    ],
    [
      'a detached array',
      { weights: [detached, weights[1]], biases },
      'ERR_DLADMM_DETACHED',
      'initialisation.weights[0]',
    ],
  ])('with %s are refused', async (_, initialisation, code, name) => {
    const error = await expectFailure(() => train(DATA, withOptions({ initialisation })), code);
    expect(error.message).toContain(name);
  });

  test('too large for float32 are refused', async () => {
    const initialisation = { weights: [bad(7, 1e300), weights[1]], biases };
    const options = { ...OPTIONS, dtype: 'float32', initialisation };
    await expectRefusal(DATA, options, 'ERR_DLADMM_NON_FINITE', /initialisation\.weights\[0\]\[7\]/, '1e+300');
  });

  test('are copied: what becomes of the arrays later does not matter', async () => {
    const run = async (spoil: (array: Float64Array<ArrayBuffer>) => unknown) => {
      const own = Float64Array.from({ length: 12 }, (_, i) => Math.cos(i));
      const training = train(DATA, { ...OPTIONS, initialisation: { weights: [own, numbers(8)], biases } });
      spoil(own);
      const values: number[] = [];
      for await (const { lagrangian } of training) values.push(lagrangian);
      return values;
    };
    const untouched = await run(() => undefined);
    expect(await run((own) => own.fill(Number.NaN))).toEqual(untouched);
    expect(await run((own) => structuredClone(own.buffer, { transfer: [own.buffer] }))).toEqual(untouched);
  });
});

describe('options', () => {
  test('are copied: what becomes of them later does not matter, in the checkpoint either', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'dladmm-options-')), 'run.checkpoint');
    const activation = { leakyRelu: 0.1 };
    const classes = ['a', 'b'];
    const classWeights = { a: 1, b: 3 };
    const W = { l1: 1e-3, max: 2 };
    const named = { ...DATA, labels: ['a', 'b', 'a', 'b', 'b', 'a'] };
    const options = { ...OPTIONS, activation, classes, classWeights, regularise: { W } };
    const begun = train(named, untyped<DladmmOptions>({ ...options, checkpoint: { path } }));
    const clean = await fitModel(named, untyped<DladmmOptions>(structuredClone(options)));
    Object.assign(activation, { leakyRelu: 0.7 });
    Object.assign(classWeights, { b: Number.NaN });
    Object.assign(W, { l1: 1, max: 0 });
    classes.reverse();
    for await (const { iteration } of begun) Object.assign(activation, { leakyRelu: `${iteration}` });
    const { model } = begun.result;
    expect(model.weights).toEqual(clean.model.weights);
    expect(model.network.activation).toEqual({ leakyRelu: 0.1 });
    expect(model.classes).toEqual(['a', 'b']);
    const { options: stored } = await readCheckpoint(path);
    expect(stored).toMatchObject({ activation: { leakyRelu: 0.1 }, regularise: { W: { l1: 1e-3, max: 2 } } });
    expect(stored).toMatchObject({ classes: ['a', 'b'], classWeights: { a: 1, b: 3 } });
  });

  const gone = (): never => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy as never;
  };

  test.each(SAMPLE_SOLVERS.map((solver) => [solver.name, solver] as const))(
    'of %s that are revoked proxies are refused by their names',
    async (name, solver) => {
      const layers = { layers: [3, 4, 2] };
      for (const key of Object.keys(schemaOf(solver))) {
        const given = { solver: name, ...layers, [key]: gone() };
        await expectRefusal(DATA, given, 'ERR_DLADMM_ARGUMENT', new RegExp(` for ${key} but .* cannot be looked into`));
      }
    },
  );

  test('and what is in them', async () => {
    for (const more of [
      { equal: [gone()] },
      { regularise: { W: gone() } },
      { regularise: { W: [gone(), {}] } },
      { step: { W: gone() } },
      { initialisation: { weights: gone(), biases: [] } },
      { initialisation: { weights: [gone(), gone()], biases: [] } },
      { sweep: gone },
      { sweep: () => [gone()] },
      { schedule: gone },
      { schedule: () => [] },
    ]) {
      await expectRefusal(DATA, { ...OPTIONS, ...more }, 'ERR_DLADMM_ARGUMENT');
    }
  });

  test('and what is done to a record changes no penalty', async () => {
    const training = train(DATA, OPTIONS);
    const seen: number[] = [];
    for await (const { penalties } of training) {
      seen.push(penalties.rho);
      Object.assign(penalties, { rho: 7 });
    }
    expect(seen).toEqual([1, 1, 1]);
  });
});

describe('samples', () => {
  const with1 = (value: number) => X.with(7, value);
  const rows = (value: unknown) => Array.from({ length: 6 }, (_, i) => (i === 4 ? value : [1, i, 2]));
  const matrix = (more: object) => ({ x: { data: X, rows: 6, columns: 3, ...more }, labels: DATA.labels });

  test.each<[string, unknown, ErrorCode, string]>([
    ['none', undefined, 'ERR_DLADMM_ARGUMENT', 'data'],
    ['null', null, 'ERR_DLADMM_ARGUMENT', 'data'],
    ['a number', 5, 'ERR_DLADMM_ARGUMENT', 'data'],
    ['an empty object', {}, 'ERR_DLADMM_ARGUMENT', 'data.x'],
    ['no x', { labels: DATA.labels }, 'ERR_DLADMM_ARGUMENT', 'data.x'],
    ['no labels', { x: X }, 'ERR_DLADMM_ARGUMENT', 'data.labels'],
    ['text', { x: 'abc', labels: DATA.labels }, 'ERR_DLADMM_ARGUMENT', 'data.x'],
    ['a DataView', { x: new DataView(X.buffer), labels: DATA.labels }, 'ERR_DLADMM_ARGUMENT', 'data.x'],
    ['big integers', { x: new BigInt64Array(18), labels: DATA.labels }, 'ERR_DLADMM_ARGUMENT', 'data.x'],
    ['an ArrayBuffer', { x: X.buffer, labels: DATA.labels }, 'ERR_DLADMM_ARGUMENT', 'data.x'],
    ['half a row', { x: X.subarray(1), labels: DATA.labels }, 'ERR_DLADMM_SHAPE', 'data.x'],
    ['no sample', { x: new Float32Array(0), labels: [] }, 'ERR_DLADMM_SHAPE', 'data.x'],
    ['no row', { x: [], labels: [] }, 'ERR_DLADMM_SHAPE', 'data.x'],
    ['a ragged row', { x: rows([1, 2]), labels: DATA.labels }, 'ERR_DLADMM_SHAPE', 'data.x[4]'],
    ['a long row', { x: rows([1, 2, 3, 4]), labels: DATA.labels }, 'ERR_DLADMM_SHAPE', 'data.x[4]'],
    ['a row that is none', { x: rows(5), labels: DATA.labels }, 'ERR_DLADMM_ARGUMENT', 'data.x[4]'],
    ['a missing row', { x: rows(undefined), labels: DATA.labels }, 'ERR_DLADMM_ARGUMENT', 'data.x[4]'],
    ['text in a row', { x: rows([1, '2', 3]), labels: DATA.labels }, 'ERR_DLADMM_ARGUMENT', 'data.x[4][1]'],
    ['NaN', { x: with1(Number.NaN), labels: DATA.labels }, 'ERR_DLADMM_NON_FINITE', 'NaN in row 2, column 1'],
    ['∞', { x: with1(Infinity), labels: DATA.labels }, 'ERR_DLADMM_NON_FINITE', 'Infinity in row 2, column 1'],
    [
      'NaN in a row',
      { x: rows([1, 2, Number.NaN]), labels: DATA.labels },
      'ERR_DLADMM_NON_FINITE',
      'NaN in row 4, column 2',
    ],
    ['too few columns', matrix({ columns: 2 }), 'ERR_DLADMM_SHAPE', 'data.x.columns'],
    ['rows that do not fit', matrix({ rows: 5 }), 'ERR_DLADMM_SHAPE', 'data.x.rows'],
    ['half a row too many', matrix({ rows: 6.5 }), 'ERR_DLADMM_SHAPE', 'data.x.rows'],
    ['rows of NaN', matrix({ rows: Number.NaN }), 'ERR_DLADMM_SHAPE', 'data.x.rows'],
    ['a matrix of plain numbers', matrix({ data: [...X] }), 'ERR_DLADMM_ARGUMENT', 'data.x.data'],
    ['too few labels', { x: X, labels: [0, 1] }, 'ERR_DLADMM_SHAPE', 'data.labels'],
    ['a label too large', { x: X, labels: [0, 1, 2, 0, 0, 0] }, 'ERR_DLADMM_LABEL', 'data.labels[2]'],
    ['a negative label', { x: X, labels: [0, 1, 1, -1, 0, 0] }, 'ERR_DLADMM_LABEL', 'data.labels[3]'],
    ['a fractional label', { x: X, labels: [0, 1, 0.5, 0, 0, 0] }, 'ERR_DLADMM_LABEL', 'data.labels[2]'],
    ['a label of NaN', { x: X, labels: new Float32Array(6).fill(Number.NaN) }, 'ERR_DLADMM_LABEL', 'data.labels[0]'],
    ['a number among texts', { x: X, labels: ['0', 1, 0, 0, 0, 0] }, 'ERR_DLADMM_LABEL', 'data.labels[1]'],
    ['a text among numbers', { x: X, labels: [0, '1', 0, 0, 0, 0] }, 'ERR_DLADMM_LABEL', 'data.labels[1]'],
    ['a hole among the labels', { x: X, labels: new Array(6) }, 'ERR_DLADMM_LABEL', 'data.labels[0]'],
    ['labels of big integers', { x: X, labels: new BigInt64Array(6) }, 'ERR_DLADMM_ARGUMENT', 'data.labels'],
  ])('%s: refused', async (_, data, code, name) => {
    const error = await expectRefusal(data, OPTIONS, code);
    expect(error.message).toContain(name);
    expect(error.message).toMatch(/Expected .* (but received|for)/);
  });

  test('to watch are checked as those to train on', async () => {
    for (const set of ['validation', 'test'] as const) {
      const given = (samples: unknown) => ({ ...DATA, [set]: samples });
      for (const wrong of [null, 5, 'x']) await expectRefusal(given(wrong), OPTIONS, 'ERR_DLADMM_ARGUMENT', set);
      await expectRefusal(given({}), OPTIONS, 'ERR_DLADMM_ARGUMENT', `${set}.x`);
      await expectRefusal(given({ x: X.subarray(2), labels: [0] }), OPTIONS, 'ERR_DLADMM_SHAPE', `${set}.x`);
      await expectRefusal(given({ x: X, labels: [0] }), OPTIONS, 'ERR_DLADMM_SHAPE', `${set}.labels`);
      await expectRefusal(
        given({ ...DATA, x: with1(-Infinity) }),
        OPTIONS,
        'ERR_DLADMM_NON_FINITE',
        set,
        'row 2, column 1',
      );
    }
  });

  test('that overflow float32 are refused, and taken in float64', async () => {
    const data = { ...DATA, x: with1(1e300) };
    await expectRefusal(data, { ...OPTIONS, dtype: 'float32' }, 'ERR_DLADMM_NON_FINITE', '1e+300', 'row 2, column 1');
    await expect(fitModel(data, OPTIONS)).resolves.toMatchObject({
      status: { kind: expect.stringMatching(/completed|diverged/) },
    });
  });

  test('that overflow as they are standardised are told as they came, by the set that they are of', async () => {
    const told = 'received 1e+39, which overflows as it is standardised, in row';
    const x = Array.from({ length: 60 }, (_, i) => [Math.sin(i), Math.cos(i)]);
    const labels = x.map(([a = 0]) => (a > 0 ? 'up' : 'down'));
    const bad = x.with(57, [0, 1e39]);
    for (const set of ['validation', 'test']) {
      const refused = fitModel({ x, labels, [set]: { x: bad, labels } } as never, { epochs: 1 } as never);
      await expect(refused).rejects.toThrow(`${set}.x but ${told} 57, column 1`);
    }
    const rows = bad.map(([a, b], i) => ({ a, b, label: labels[i] }));
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, seed) =>
        fitModel(rows as never, { target: 'label', epochs: 1, bins: 0, seed } as never).then(
          () => '',
          ({ message }: Error) => message,
        ),
      ),
    );
    // Where that row is among those that are held out.
    const refusals = outcomes.filter((message) => message !== '');
    expect(refusals.length).toBeGreaterThan(0);
    for (const message of refusals) expect(message).toContain(`the rows held out of data but ${told}`);
  });

  test.each<[string, unknown, ErrorCode, string]>([
    ['no y', { x: X }, 'ERR_DLADMM_ARGUMENT', 'data.y'],
    ['labels in place of y', DATA, 'ERR_DLADMM_ARGUMENT', 'data.y'],
    ['too few rows', { x: X, y: new Float64Array(10) }, 'ERR_DLADMM_SHAPE', 'data.y'],
    ['half a row', { x: X, y: new Float64Array(11) }, 'ERR_DLADMM_SHAPE', 'data.y'],
    ['∞', { x: X, y: new Float64Array(12).with(5, Infinity) }, 'ERR_DLADMM_NON_FINITE', 'row 2, column 1'],
    ['NaN', { x: X, y: new Float32Array(12).with(11, Number.NaN) }, 'ERR_DLADMM_NON_FINITE', 'row 5, column 1'],
  ])('for regression, %s: refused', async (_, data, code, name) => {
    const error = await expectRefusal(data, REGRESSION, code);
    expect(error.message).toContain(name);
  });
});

describe('memory', () => {
  test('of a detached ArrayBuffer is refused', async () => {
    const x = X.slice();
    structuredClone(x.buffer, { transfer: [x.buffer] });
    await expectRefusal({ ...DATA, x }, OPTIONS, 'ERR_DLADMM_DETACHED', 'data.x');
    await expectRefusal({ ...DATA, x: { data: x, rows: 6, columns: 3 } }, OPTIONS, 'ERR_DLADMM_DETACHED', 'data.x');
    const labels = new Int32Array(6);
    structuredClone(labels.buffer, { transfer: [labels.buffer] });
    await expectRefusal({ x: X, labels }, OPTIONS, 'ERR_DLADMM_DETACHED', 'data.labels');
  });

  test('that is transferred away while it is being loaded is refused', async () => {
    // Loading goes in chunks of 2^20 entries, with a turn of the event loop in between.
    const x = new Float32Array(3 * 2 ** 20);
    const labels = new Uint8Array(2 ** 20);
    const refused = expectRefusal({ x, labels }, OPTIONS, 'ERR_DLADMM_DETACHED', 'data.x');
    await new Promise((resolve) => setImmediate(resolve));
    structuredClone(x.buffer, { transfer: [x.buffer] });
    await refused;
  });

  test('that shrinks while it is being loaded is refused', async () => {
    // TypeScript's es2023 does not know of buffers that change their size; Node 20 does.
    const Resizable =
      untyped<new (length: number, options: object) => ArrayBuffer & { resize(length: number): void }>(ArrayBuffer);
    const buffer = new Resizable(4 * 3 * 2 ** 20, { maxByteLength: 4 * 4 * 2 ** 20 });
    const x = new Float32Array(buffer);
    const labels = new Uint8Array(2 ** 20);
    const refused = expectRefusal({ x, labels }, OPTIONS, 'ERR_DLADMM_SHAPE', 'data.x');
    await new Promise((resolve) => setImmediate(resolve));
    buffer.resize(12);
    await refused;
  });

  test('that two threads share is read', async () => {
    const shared = <A extends Float64Array | Int32Array>(array: A, make: new (buffer: SharedArrayBuffer) => A): A => {
      const copy = new make(new SharedArrayBuffer(array.byteLength));
      copy.set(array);
      return copy;
    };
    const labels = shared(Int32Array.from(DATA.labels ?? []), Int32Array);
    const { history } = await fitModel({ x: shared(X, Float64Array), labels }, OPTIONS);
    expect(history.at(-1)?.lagrangian).toBe(await CLEAN);
  });

  test('of a subclass, a Buffer or a Proxy of an array is read as what it is', async () => {
    class Mine extends Float64Array {}
    class Rows<T> extends Array<T> {}
    const rowsOf = (make: (row: number[]) => readonly number[]) =>
      Rows.from({ length: 6 }, (_, i) => make([...X.subarray(3 * i, 3 * i + 3)]));
    for (const x of [
      Mine.from(X),
      rowsOf((row) => row),
      rowsOf((row) => Rows.from(row)),
      new Proxy(
        rowsOf((row) => row),
        {},
      ),
    ]) {
      const { history } = await fitModel({ x, labels: new Proxy([...(DATA.labels ?? [])], {}) }, OPTIONS);
      expect(history.at(-1)?.lagrangian).toBe(await CLEAN);
    }
    await expect(
      fitModel({ x: Buffer.alloc(18, 3), labels: Buffer.from([0, 1, 0, 1, 0, 1]) }, OPTIONS),
    ).resolves.toBeDefined();
  });

  test('of a typed array that lies about itself does no harm', async () => {
    class Liar extends Float64Array {
      override get length(): number {
        return 30;
      }
    }
    class Shrunk extends Float64Array {
      override subarray(): Float64Array<ArrayBuffer> {
        return new Float64Array(1);
      }
    }
    for (const x of [Liar.from(X), Shrunk.from(X)]) {
      const error = await failure(() =>
        fitModel({ x, labels: [0, 1, 0, 1, 0, 1, 0, 1, 0, 1].slice(0, x.length / 3) }, OPTIONS),
      );
      expect(error.code).toMatch(/^ERR_DLADMM_/);
    }
  });

  test('whose rows have getters that throw throws just that', async () => {
    const own = new Error('mine');
    const row = Object.defineProperty([1, 2, 3], 1, {
      get: () => {
        throw own;
      },
    });
    await expect(fitModel({ x: [row, row], labels: [0, 1] }, OPTIONS)).rejects.toBe(own);
  });

  test('that can be described by nobody is refused all the same', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const secretive = [
      { constructor: { name: Symbol('s') } },
      Object.defineProperty({}, 'constructor', { get: () => Number(1n + untyped<bigint>(1)) }),
      Object.assign(new DataView(new ArrayBuffer(1)), { constructor: undefined }),
      Object.create(null),
      proxy,
    ];
    for (const x of secretive) await expectRefusal({ ...DATA, x }, OPTIONS, 'ERR_DLADMM_ARGUMENT', 'data.x');
  });

  test('that is not there is found before any is taken, and the size is told', async () => {
    const before = process.memoryUsage().rss;
    const error = await expectRefusal(
      { x: new Float64Array(4), labels: [0, 0, 0, 0] },
      { ...OPTIONS, layers: [1, 100_000, 100_000, 2] },
      'ERR_DLADMM_MEMORY',
      '1-100000-100000-2',
      /needs [0-9.]+ GiB/,
    );
    expect(Number(/needs ([0-9.]+) GiB/.exec(error.message)?.[1])).toBeGreaterThan((8 * 1e10) / 2 ** 30);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
  });

  test('of more than 2^53 bytes is not there', async () => {
    const wide = 2 ** 31 - 1;
    await expectRefusal(
      { x: new Float64Array(4), labels: [0, 0, 0, 0] },
      { ...OPTIONS, layers: [1, wide, wide, 2] },
      'ERR_DLADMM_MEMORY',
      /needs [0-9.]+ GiB/,
    );
  });
});

describe('a signal', () => {
  test('already aborted ends the training before it begins, with the model that it would have begun with', async () => {
    const reason = new Error('enough');
    const { model, status, iterations } = await fitModel(DATA, { ...OPTIONS, signal: AbortSignal.abort(reason) });
    expect({ status, iterations }).toEqual({ status: { kind: 'aborted' }, iterations: 0 });
    expect((await model.predict(X)).labels).toHaveLength(6);
  });
});

describe('a callback', () => {
  test.each([[null], [undefined], ['text'], [0], [new Error('mine')]])(
    'that throws %s throws just that',
    async (thrown) => {
      let calls = 0;
      const onIteration = (): void => {
        calls += 1;
        if (calls === 2) throw thrown;
      };
      const training = train(DATA, { ...OPTIONS, onIteration });
      let seen = 0;
      const failed = await (async () => {
        for await (const _ of training) seen += 1;
      })().then(
        () => false,
        (error: unknown) => error === thrown,
      );
      expect(failed).toBe(true);
      expect(seen).toBe(1);
      // The model is there all the same.
      expect((await training.result.model.predict(X)).labels).toHaveLength(6);
    },
  );
});

describe('a sweep', () => {
  const refuse = (sweep: unknown, code: ErrorCode, ...parts: (string | RegExp)[]) =>
    expectFailure(() => train(DATA, withOptions({ sweep })), code, ...parts);
  function* endless() {
    for (;;) yield W(1);
  }

  test.each([[null], [undefined], [5], ['W1'], [{}], [Promise.resolve([])]])(
    'that gives %s is refused',
    async (rubbish) => {
      await refuse(() => rubbish, 'ERR_DLADMM_ARGUMENT', 'sweep');
    },
  );

  test.each([[null], [undefined], [5], ['W1'], [{}], [{ block: 'W' }], [{ block: 'w', layer: 1 }]])(
    'that yields %s is refused',
    async (rubbish) => {
      const error = await failure(() => train(DATA, withOptions({ sweep: () => [W(1), rubbish] })));
      expect(error.code).toMatch(/^ERR_DLADMM_(ARGUMENT|RANGE)$/);
      expect(error.message).toContain('update 1 of the sweep');
    },
  );

  test.each([
    ['layer 0', { block: 'W', layer: 0 }],
    ['a layer too many', { block: 'W', layer: 3 }],
    ['half a layer', { block: 'W', layer: 1.5 }],
    ['a of the last layer', { block: 'a', layer: 2 }],
    ['u of the first layer', { block: 'u', layer: 1 }],
  ])('that yields %s is refused', async (_, update) => {
    await refuse(() => [update], 'ERR_DLADMM_RANGE', 'update 0 of the sweep', 'layer');
  });

  test('that is empty or never ends is refused', async () => {
    await refuse(() => [], 'ERR_DLADMM_ARGUMENT', 'sweep');
    await refuse(endless, 'ERR_DLADMM_RANGE', '100,000', 'sweep');
    async function* later() {
      yield W(1);
    }
    await refuse(later, 'ERR_DLADMM_ARGUMENT', 'sweep');
  });

  test('that throws throws just that', () => {
    const own = new Error('mine');
    const sweep = () => {
      throw own;
    };
    expect(() => train(DATA, { ...OPTIONS, sweep })).toThrow(own);
  });
});

describe('a schedule', () => {
  test.each<[string, unknown, ErrorCode]>([
    ['null', null, 'ERR_DLADMM_ARGUMENT'],
    ['nothing', undefined, 'ERR_DLADMM_ARGUMENT'],
    ['a number', 5, 'ERR_DLADMM_ARGUMENT'],
    ['text', 'rho', 'ERR_DLADMM_ARGUMENT'],
    ['a promise', Promise.resolve({ rho: 1 }), 'ERR_DLADMM_ARGUMENT'],
    ['an unknown name', { Rho: 1 }, 'ERR_DLADMM_ARGUMENT'],
    ['a negative ρ', { rho: -1 }, 'ERR_DLADMM_RANGE'],
    ['a ρ of NaN', { rho: Number.NaN }, 'ERR_DLADMM_RANGE'],
    ['a ν of text', { nu: '1' }, 'ERR_DLADMM_ARGUMENT'],
    ['an undefined τ0', { tau0: undefined }, 'ERR_DLADMM_ARGUMENT'],
  ])('that returns %s ends the training with its name, the model kept', async (_, rubbish, code) => {
    const training = train(DATA, withOptions({ schedule: () => rubbish }));
    const error = await expectFailure(async () => {
      for await (const _record of training);
    }, code);
    expect(error.message).toContain('schedule');
    expect((await training.result.model.predict(X)).labels).toHaveLength(6);
  });

  test('that grows beyond all numbers diverges or is refused, and keeps a finite model', async () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const training = train(DATA, {
        ...OPTIONS,
        dtype,
        iterations: 50,
        schedule: { kind: 'paper', factor: 1e100, every: 1 },
      });
      try {
        for await (const _ of training);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_DLADMM_RANGE', message: expect.stringContaining('rho') });
      }
      const { model, status } = training.result;
      expect(status.kind).toMatch(/diverged|aborted/);
      for (const block of [...model.weights, ...model.biases]) expect(block.every(Number.isFinite)).toBe(true);
    }
  });
});

describe('a training that diverges', () => {
  const runs: [string, Partial<DladmmOptions>, string][] = [
    ['a schedule that explodes', { schedule: ({ penalties }) => ({ rho: 1e12 * penalties.rho }) }, '[bWz]2'],
    ['an absurd ν', { nu: 1e39 }, 'a1'],
    ['an absurd ρ', { rho: 1e39 }, 'W2'],
    // W_1 itself stays finite, and no other update comes to look at its product.
    ['a product that only the Lagrangian shows', { layers: [3, 2], rho: 1e-39, sweep: () => [W(1)] }, 'W1'],
  ];
  test.each(runs)('by %s stops, tells where, and keeps the last finite model', async (_, more, where) => {
    const large = { ...DATA, x: X.map((value) => 1e5 * value) };
    const { status, model, history, iterations } = await fitModel(more.layers ? large : DATA, {
      ...OPTIONS,
      dtype: 'float32',
      iterations: 30,
      ...more,
    });
    expect(status.kind).toBe('diverged');
    if (status.kind !== 'diverged') return;
    expect(status.iteration).toBe(iterations + 1);
    expect(`${status.update?.block}${status.update?.layer}`).toMatch(new RegExp(where));
    for (const block of [...model.weights, ...model.biases]) expect(block.every(Number.isFinite)).toBe(true);
    for (const record of history) expect(Number.isFinite(record.lagrangian)).toBe(true);
    expect((await model.predict(X)).labels).toHaveLength(6);
    expect(model.diverged).toEqual({ iteration: status.iteration });
  });

  test('says so as its model is saved, in the file, and when an output is not finite', async () => {
    const { model } = await fitModel(DATA, { ...OPTIONS, dtype: 'float32', iterations: 30, nu: 1e39 });
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const path = join(await mkdtemp(join(tmpdir(), 'dladmm-')), 'model.safetensors');
    await model.save(path);
    expect(await warned).toMatchObject({
      name: 'DlAdmmWarning',
      code: 'DLADMM_DIVERGED',
      message: `${path} holds a model that diverged in iteration 1: its parameters are the last finite ones`,
    });
    const { network, dtype, weights, biases, diverged } = await Model.load(path);
    expect(diverged).toEqual({ iteration: 1 });
    const large = weights.map((block) => block.map(() => 3e38));
    const rows = [
      [0, 0, 0],
      [3e38, 3e38, 3e38],
    ];
    for (const [more, why] of [
      [{ diverged: { iteration: 7 } }, 'the training diverged in iteration 7'],
      [{}, 'too large for float32'],
    ] as const) {
      const bad = new Model({ network, dtype, weights: large, biases, ...more });
      for (const answer of [() => bad.predict(rows), async () => bad.predictSync(rows)]) {
        const { message } = await expectFailure(answer, 'ERR_DLADMM_NON_FINITE');
        expect(message).toContain('for row 1 are not finite');
        expect(message).toContain(why);
      }
      bad.close();
    }
  });
});

test('a z that fails on the same pass as the next a is told as z', async () => {
  const data = { x: X.map((value) => 1e38 * value), labels: DATA.labels ?? [] };
  const { status, model } = await fitModel(data, {
    ...OPTIONS,
    dtype: 'float32',
    initialisation: { gaussian: 10 },
    sweep: () => [z(1), a(1)],
  });
  expect(status).toMatchObject({ kind: 'diverged', iteration: 1, update: { block: 'z', layer: 1 } });
  for (const block of model.weights) expect(block.every(Number.isFinite)).toBe(true);
});

describe('a state in one’s own hands', () => {
  const options = {
    network: { layers: [3, 4, 2], activation: 'relu', loss: 'softmax-cross-entropy' },
    dtype: 'float64',
    softmax: 'stable',
    threads: 1,
    gram: false,
    fista: false,
  } as const;
  const penalties = nativeOf({
    nu: 1,
    rho: 1,
    l2: 0,
    theta0: 1,
    tau0: 1,
    growth: 2,
    search: 'exact',
    output: { kind: 'exact' },
  });
  const open = () => layered.open(options, DATA);

  test('refuses options of wrong types', async () => {
    for (const wrong of [
      { network: undefined },
      { network: null },
      { network: { layers: 5 } },
      { network: { ...options.network, activation: 'softsign' } },
      { network: { ...options.network, loss: 'hinges' } },
      { dtype: 'float16' },
      { softmax: 'fast' },
      { threads: 'two' },
      { threads: 0 },
      { gram: 1 },
      { steps: 5 },
      { steps: { W: ['cholesky'], a: ['cholesky'] } },
      { steps: { W: ['cholesky', 'cholesky'], a: ['pseudoinverse'] } },
      { multiplier: 'both' },
      { bias: true },
      { fista: 'yes' },
    ]) {
      const error = await failure(() => layered.open(untyped({ ...options, ...wrong }), DATA));
      expect(error.code, JSON.stringify(wrong)).toMatch(/^ERR_DLADMM_(ARGUMENT|RANGE|SHAPE)$/);
    }
    for (const none of [undefined, null, 5]) {
      await expectFailure(() => layered.open(untyped(none), DATA), 'ERR_DLADMM_ARGUMENT', 'options');
      await expectFailure(() => layered.open(options, untyped(none)), 'ERR_DLADMM_ARGUMENT', 'data');
    }
  });

  test('refuses blocks that do not exist', async () => {
    const state = await open();
    for (const [block, layer] of [
      ['W', 0],
      ['W', 3],
      ['W', 1.5],
      ['a', 2],
      ['u', 1],
      ['Q', 1],
      ['constructor', 1],
      [undefined, 1],
      ['W', undefined],
      ['W', Number.NaN],
    ]) {
      const name = new RegExp(`${String(block)}|${String(layer)}`);
      const codes = /^ERR_DLADMM_(ARGUMENT|RANGE)$/;
      for (const work of [
        () => state.read(untyped(block), untyped(layer)),
        () => state.write(untyped(block), untyped(layer), new Float64Array(12)),
        () => state.run([untyped({ block, layer })], penalties),
      ]) {
        const error = await failure(work);
        expect(error.code).toMatch(codes);
        expect(error.message).toMatch(name);
      }
    }
    state.close();
  });

  test('refuses values of wrong lengths and types, and those that are not finite', async () => {
    const state = await open();
    const write = (values: unknown) => () => state.write('W', 1, untyped(values));
    await expectFailure(write(new Float64Array(11)), 'ERR_DLADMM_SHAPE', '12', '11');
    await expectFailure(write([1, 2]), 'ERR_DLADMM_ARGUMENT', 'values');
    await expectFailure(write(undefined), 'ERR_DLADMM_ARGUMENT', 'values');
    await expectFailure(write(new Int32Array(12)), 'ERR_DLADMM_ARGUMENT', 'values');
    await expectFailure(write(new Float64Array(12).with(5, Number.NaN)), 'ERR_DLADMM_NON_FINITE', 'values[5]');
    state.close();
  });

  test('refuses penalties that are none', async () => {
    const state = await open();
    await state.start({ output: 'forward', dual: 'zero' });
    for (const wrong of [undefined, null, 5, {}, { ...penalties, rho: 'x' }, { ...penalties, growth: 1 }]) {
      await expectFailure(() => state.run([W(1)], untyped(wrong)), 'ERR_DLADMM_ARGUMENT');
      await expectFailure(() => state.measure(untyped(wrong)), 'ERR_DLADMM_ARGUMENT');
    }
    await expectFailure(() => state.run([W(1)], { ...penalties, nu: -1 }), 'ERR_DLADMM_RANGE', 'penalties.nu');
    await expectFailure(() => state.run([W(1)], { ...penalties, output: 'fista' }), 'ERR_DLADMM_ARGUMENT', 'fista');
    for (const rubbish of [undefined, null, 5]) {
      const codes = await failure(() => state.run(untyped(rubbish), penalties));
      expect(codes.code).toBe('ERR_DLADMM_ARGUMENT');
    }
    state.close();
  });

  test('refuses evaluation sets that do not exist', async () => {
    const state = await open();
    for (const set of [0, -1, 7, 0.5, Number.NaN, 'x', null, undefined]) {
      const error = await failure(() => state.evaluate(untyped(set)));
      expect(error.code).toBe('ERR_DLADMM_ARGUMENT');
      expect(error.message).toContain('evaluation set');
    }
    expect(await state.addEvaluationSet(DATA, 'test')).toBe(0);
    state.close();
  });

  test('runs calls that come at once one after the other', async () => {
    const state = await open();
    for (const [block, layer, length] of [
      ['W', 1, 12],
      ['b', 1, 4],
      ['W', 2, 8],
      ['b', 2, 2],
    ] as const) {
      await state.write(block, layer, new Float64Array(length).fill(0.1));
    }
    await state.start({ output: 'forward', dual: 'stationary' });
    const [one, two, read] = await Promise.all([
      state.run([W(1)], penalties),
      state.run([W(2)], penalties),
      state.read('W', 1),
    ]);
    expect([one.completed, two.completed, read.data.length]).toEqual([1, 1, 12]);
    // Memory that a call is at work on may not be loaded anew.
    const running = state.run([W(1)], penalties);
    await expectFailure(() => state.addEvaluationSet(DATA, 'test'), 'ERR_DLADMM_ARGUMENT', 'at work');
    await running;
    state.close();
  });

  test('that is closed does nothing more', async () => {
    const state = await open();
    const late = state.read('W', 1).then(
      () => 'read',
      (error: unknown) => (error instanceof DlAdmmError ? error.code : error),
    );
    state.close();
    state.close();
    expect(['read', 'ERR_DLADMM_CLOSED']).toContain(await late);
    for (const work of [
      () => state.read('W', 1),
      () => state.write('W', 1, new Float64Array(12)),
      () => state.start({ output: 'forward', dual: 'zero' }),
      () => state.run([W(1)], penalties),
      () => state.measure(penalties),
      () => state.refresh(),
      () => state.evaluate('train'),
      () => state.addEvaluationSet(DATA, 'test'),
    ]) {
      await expectFailure(work, 'ERR_DLADMM_CLOSED');
    }
    state.stop();
  });

  test('that was never started has nothing to run', async () => {
    const state = await open();
    await expectFailure(() => state.run([W(1)], penalties), 'ERR_DLADMM_STATE', 'start');
    await expectFailure(() => state.measure(penalties), 'ERR_DLADMM_STATE', 'start');
    state.close();
  });
});

describe('a model', () => {
  const model = fitModel(DATA, OPTIONS).then((result) => result.model);
  const regression = fitModel(VALUES, REGRESSION).then((result) => result.model);

  test('refuses samples that training would refuse', async () => {
    const m = await model;
    for (const [x, code] of [
      [undefined, 'ERR_DLADMM_ARGUMENT'],
      [null, 'ERR_DLADMM_ARGUMENT'],
      [new Float64Array(4), 'ERR_DLADMM_SHAPE'],
      [new Float64Array(0), 'ERR_DLADMM_SHAPE'],
      [[[1, 2]], 'ERR_DLADMM_SHAPE'],
      [X.with(7, Number.NaN), 'ERR_DLADMM_NON_FINITE'],
    ] as const) {
      await expectFailure(() => m.predict(untyped(x)), code, 'x');
      await expectFailure(() => m.evaluate(untyped({ x, labels: DATA.labels })), code, 'x');
    }
    await expectFailure(() => m.predict(X.with(7, -Infinity)), 'ERR_DLADMM_NON_FINITE', 'row 2, column 1');
    for (const samples of [undefined, null, 5]) {
      await expectFailure(() => m.evaluate(untyped(samples)), 'ERR_DLADMM_ARGUMENT', 'samples');
    }
    await expectFailure(() => m.evaluate({ x: X }), 'ERR_DLADMM_ARGUMENT', 'labels');
    await expectFailure(() => m.evaluate({ x: X, labels: [0, 1] }), 'ERR_DLADMM_SHAPE', 'labels');
    await expectFailure(() => m.evaluate({ x: X, labels: [0, 1, 2, 0, 0, 0] }), 'ERR_DLADMM_LABEL', 'labels[2]');
    const r = await regression;
    await expectFailure(() => r.evaluate({ x: X }), 'ERR_DLADMM_ARGUMENT', 'y');
    await expectFailure(() => r.evaluate({ x: X, y: new Float64Array(2) }), 'ERR_DLADMM_SHAPE', 'y');
    const y = new Float64Array(12).with(7, Number.NaN);
    await expectFailure(() => r.evaluate({ x: X, y }), 'ERR_DLADMM_NON_FINITE', 'y', 'row 3, column 1');
  });

  test('of parts that do not fit is refused', async () => {
    const { network, dtype, weights, biases } = await model;
    const parts = { network, dtype, weights, biases };
    for (const wrong of [
      { weights: [weights[0]] },
      { weights: [weights[1], weights[0]] },
      { biases: [] },
      { weights: [new Float64Array(12).with(3, Number.NaN), weights[1]] },
      { network: { ...network, layers: [3, 2] } },
      { network: { ...network, layers: [3, 100_000, 100_000, 2] } },
      { network: { ...network, layers: [3, -1, 2] } },
      { network: { ...network, activation: 'softsign' } },
      { network: { ...network, loss: 'hinges' } },
      { network: undefined },
      { dtype: 'float16' },
      { threads: 0 },
      { classes: ['one'] },
    ]) {
      const error = await failure(async () => new Model(untyped<typeof parts>({ ...parts, ...wrong })).predict(X));
      expect(error.code, JSON.stringify(wrong)).toMatch(/^ERR_DLADMM_(ARGUMENT|RANGE|SHAPE|NON_FINITE)$/);
    }
  });

  test('that is closed predicts no more, and keeps its parameters', async () => {
    const { model: closed } = await fitModel(DATA, OPTIONS);
    closed.close();
    closed.close();
    await expectFailure(() => closed.predict(X), 'ERR_DLADMM_CLOSED');
    await expectFailure(() => closed.evaluate({ x: X, labels: DATA.labels ?? [] }), 'ERR_DLADMM_CLOSED');
    expect(closed.weights[0]).toHaveLength(12);
  });
});

describe('a training', () => {
  test('looked into before or after its time says so', async () => {
    const training = train(DATA, OPTIONS);
    expect(() => training.result).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_STATE' }));
    await expectFailure(() => training.read('W', 1), 'ERR_DLADMM_STATE');
    for await (const _ of training) {
      await expectFailure(() => training.read('W', 9), 'ERR_DLADMM_RANGE', 'layer', '9');
      await expectFailure(() => training.read(untyped('Q'), 1), 'ERR_DLADMM_ARGUMENT', 'block', 'Q');
    }
    await expectFailure(() => training.read('W', 1), 'ERR_DLADMM_STATE');
  });

  test('that failed has no result', async () => {
    const training = train({ ...DATA, x: X.with(0, Number.NaN) }, OPTIONS);
    await expectFailure(async () => {
      for await (const _ of training);
    }, 'ERR_DLADMM_NON_FINITE');
    expect(() => training.result).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_STATE' }));
  });
});

describe.skipIf(process.platform === 'win32')('the raw addon', () => {
  test('refuses or does what it is asked, whatever that is, and does not crash', async () => {
    // The limit keeps a state of 2^40 samples from being had on a machine that promises memory it does not have.
    const limited = 'ulimit -v 8388608 && exec "$0" "$@"';
    const script = fileURLToPath(new URL('../fuzz/addon.mjs', import.meta.url));
    const outcome = await run('/bin/sh', ['-c', limited, process.execPath, '--expose-gc', script, '7', '1200']);
    expect(outcome).toMatchObject({ code: 0, signal: null, stderr: '' });
    const { made, refusedMade, fine, refused } = JSON.parse(outcome.stdout);
    // It reached both the one and the other.
    expect(Math.min(made, refusedMade, fine, refused)).toBeGreaterThan(500);
  });
});
