import { describe, expect, expectTypeOf, test } from 'vitest';
import { fit, Model, type TrainOptions } from '../../src/index.js';
import { judgeLabels, judgeValues } from '../../src/judging/evaluation.js';
import { decodeModel, encodeModel } from '../../src/model/model-file.js';
import { importOnnx } from '../../src/model/onnx/import.js';
import { LOSSES, type Loss } from '../../src/network/network.js';
import { SAMPLE_SOLVERS } from '../../src/solvers/index.js';
import { numbers } from '../reference/addon.js';
import { matrix } from '../reference/dense.js';

// The losses of values and of labels, from the samples to the answers. Their gradients and proximal steps: native/test/loss_test.cc.

const next = numbers(11);
const SAMPLES = 400;
const x = matrix(SAMPLES, 3, () => next());
const at = (i: number, j: number): number => x.data[3 * i + j] ?? 0;
const signal = (i: number): number => 2 * at(i, 0) - at(i, 1) + Math.sin(3 * at(i, 2));
/** Noise with a long tail on one side. */
const noise = Array.from({ length: SAMPLES }, () => -Math.log(1 - (next() + 1) / 2));
const values = matrix(SAMPLES, 1, (i) => signal(i) + (noise[i] ?? 0));
const counts = matrix(SAMPLES, 1, (i) => Math.floor(Math.exp(signal(i) / 2) * (0.5 + (noise[i] ?? 0) / 2)));
const labels = matrix(SAMPLES, 3, (i, j) => Number(j === 2 ? signal(i) > 0 : at(i, j) > 0));
const targetsOf = (loss: Loss) => (loss === 'poisson' ? counts : loss === 'sigmoid-cross-entropy' ? labels : values);
const NEW = ['sigmoid-cross-entropy', 'huber', 'absolute', 'quantile', 'poisson'] as const;

const COMMON = { dtype: 'float64', threads: 2, seed: 3, trainMetrics: true } as const;

describe.each(NEW)('%s', (loss) => {
  const y = targetsOf(loss);
  const solvers = SAMPLE_SOLVERS.filter(({ name }) => name !== 'sigmoid-admm').map(({ name }) => name);

  test.each(solvers)('is made smaller by %s', async (solver) => {
    const full = solver === 'dladmm' || solver === 'inversion-admm';
    const options = { ...COMMON, layers: [3, 8, y.columns], loss, solver, iterations: full ? 60 : 15 };
    const penalties = solver === 'dladmm' ? { nu: 1, rho: 1 } : {};
    const { history, status } = await fit({ x, y }, { ...options, ...penalties } as unknown as TrainOptions);
    expect(status.kind).toBe('completed');
    const [first, last] = [history[0], history.at(-1)];
    expect(last?.train?.loss).toBeLessThan((first?.train?.loss ?? 0) + (solver === 'inversion-admm' ? 1 : 0));
    if (solver === 'dladmm') {
      for (const record of history) expect((record as { dualIdentity: number }).dualIdentity).toBeLessThan(1e-10);
    }
  });

  test('is in the file of the model and in its ONNX, and says the same after both', async () => {
    const options = { ...COMMON, layers: [3, 8, y.columns], loss, solver: 'adam', epochs: 5 } as const;
    const own = loss === 'huber' ? { delta: 0.5 } : loss === 'quantile' ? { quantile: 0.8 } : {};
    const { model, history } = await fit({ x, y }, { ...options, ...own });
    const evaluation = await model.evaluate({ x, y });
    expect(evaluation.loss).toBeCloseTo(history.at(-1)?.train?.loss ?? 0, 8);
    const stored = new Model(decodeModel(encodeModel(model as unknown as Model), 'a model') as never);
    expect(stored.network).toEqual(model.network);
    expect((await stored.evaluate({ x, y })).loss).toBe(evaluation.loss);
    const back = await importOnnx(model.toOnnx());
    expect(back.network).toEqual(model.network);
    const [one, other] = [await model.predict(x), await back.predict(x)];
    const size = Math.max(...Array.from(one.outputs.data, Math.abs));
    for (const [i, value] of one.outputs.data.entries()) {
      expect(Math.abs((other.outputs.data[i] ?? 0) - value)).toBeLessThan(1e-5 * (1 + size));
    }
  });
});

describe('what a loss is for', () => {
  const options = {
    ...COMMON,
    layers: [3, 16, 1],
    solver: 'adam',
    epochs: 60,
    learningRate: 0.01,
    batchSize: 32,
  } as const;

  test.each([0.1, 0.5, 0.9])('a share of %d of the targets lies below the quantile', async (quantile) => {
    const { model } = await fit(
      { x, y: values },
      { ...options, epochs: 200, learningRate: 3e-3, loss: 'quantile', quantile },
    );
    const { coverage } = await model.evaluate({ x, y: values });
    expect(Math.abs(coverage - quantile)).toBeLessThan(0.06);
  });

  test('targets that went astray move Huber and absolute error less than the squared error', async () => {
    const spoilt = matrix(SAMPLES, 1, (i) => (i % 20 === 0 ? 500 : signal(i)));
    const clean = matrix(SAMPLES, 1, (i) => signal(i));
    const own = { ...options, standardiseTargets: false } as const;
    const errorOf = async (loss: Loss) => {
      const { model } = await fit({ x, y: spoilt }, { ...own, loss } as never);
      return ((await (model as unknown as Model).evaluate({ x, y: clean })) as { mae: number }).mae;
    };
    const squared = await errorOf('squared-error');
    expect(await errorOf('huber')).toBeLessThan(squared / 10);
    expect(await errorOf('absolute')).toBeLessThan(squared / 10);
  });

  test('counts are told by their mean, which is never negative', async () => {
    const { model } = await fit({ x, y: counts }, { ...options, loss: 'poisson' });
    const { outputs } = await model.predict(x);
    expect(Math.min(...outputs.data)).toBeGreaterThan(0);
    const total = (data: ArrayLike<number>) => Array.from(data).reduce((sum, value) => sum + value, 0);
    expect(total(outputs.data) / total(counts.data)).toBeCloseTo(1, 1);
    expect((await model.evaluate({ x, y: counts })).poissonDeviance).toBeLessThan(1);
    expect(model.targetStandardisation).toBeUndefined();
  });

  test('labels of which a sample has any number are told with a probability each', async () => {
    const classes = ['left', 'low', 'warm'];
    const { model } = await fit(
      { x, y: labels, classes },
      { ...options, layers: [3, 16, 3], loss: 'sigmoid-cross-entropy' },
    );
    const { probabilities, labels: told, outputs } = await model.predict(x);
    for (let i = 0; i < SAMPLES; i += 37) {
      const row = Array.from(probabilities.data.slice(3 * i, 3 * i + 3));
      expect(told[i]).toEqual(classes.filter((_, j) => (row[j] ?? 0) >= 0.5));
      expect(row[0]).toBeCloseTo(1 / (1 + Math.exp(-(outputs.data[3 * i] ?? 0))), 12);
    }
    const scores = await model.evaluate({ x, y: labels });
    expectTypeOf(scores.labels[0]?.f1).toEqualTypeOf<number | undefined>();
    expect(scores.labels.map(({ name }) => name)).toEqual(classes);
    expect(scores.macroF1).toBeGreaterThan(0.9);
    expect(scores.exactMatch).toBeGreaterThan(0.7);
    expect(String(scores)).toMatch(/all labels right[\s\S]*label +precision/);
    const one = await model.predict([0.9, -0.9, 0.1]);
    expect(one.labels).toContain('left');
    expect(one.labels).not.toContain('low');
    expect(one.probabilities).toHaveLength(3);
  });

  test('its loss is told in the units of the targets, whatever these are', async () => {
    for (const [loss, power] of [
      ['squared-error', 2],
      ['huber', 2],
      ['absolute', 1],
      ['quantile', 1],
    ] as const) {
      const own = { ...options, epochs: 3, loss } as const;
      const thousand = matrix(SAMPLES, 1, (i) => 1000 * (values.data[i] ?? 0));
      const [small, large] = [await fit({ x, y: values }, own as never), await fit({ x, y: thousand }, own as never)];
      const of = (result: typeof small) => (result.history.at(-1) as { train: { loss: number } }).train.loss;
      expect(of(large) / of(small) / 1000 ** power).toBeCloseTo(1, 6);
      const told = await (large.model as unknown as Model).evaluate({ x, y: thousand });
      expect(told.loss / of(large)).toBeCloseTo(1, 6);
    }
  });

  test('several targets, each with its own deviation, have a loss too', async () => {
    const both = matrix(SAMPLES, 2, (i, j) => (j === 0 ? 1 : 1000) * (values.data[i] ?? 0));
    const { model } = await fit({ x, y: both }, { ...options, layers: [3, 8, 2], epochs: 2, loss: 'absolute' });
    const { loss, mae } = await model.evaluate({ x, y: both });
    expect(loss).toBeCloseTo(2 * mae, 6);
  });

  test('by rows and a target it trains as by samples', async () => {
    const rows = Array.from({ length: SAMPLES }, (_, i) => ({ a: at(i, 0), b: at(i, 1), n: counts.data[i] ?? 0 }));
    const { report, model } = await fit(rows, { target: 'n', loss: 'poisson', epochs: 5 });
    expect(report.task).toMatchObject({ kind: 'regression', loss: 'poisson' });
    expect(model.predictSync(rows[0] as never)).toHaveProperty('value');
    const { report: of } = await fit(
      { x, y: labels },
      { loss: 'sigmoid-cross-entropy', epochs: 3, validationShare: 0.2 },
    );
    expect(of.scores).toHaveProperty('exactMatch');
  });
});

describe('what does not go together is refused', () => {
  const own = { ...COMMON, layers: [3, 4, 1], solver: 'gd' } as const;
  const refused = (data: object, options: object) =>
    expect(fit(data as never, { ...own, ...options } as never)).rejects;

  test('parameters of other losses, and those out of range', async () => {
    await refused({ x, y: values }, { loss: 'squared-error', delta: 1 }).toThrow(
      /none but with loss: 'huber' for delta/,
    );
    await refused({ x, y: values }, { loss: 'huber', quantile: 0.5 }).toThrow(
      /none but with loss: 'quantile' for quantile/,
    );
    await refused({ x, y: values }, { loss: 'huber', delta: 0 }).toThrow(/delta/);
    await refused({ x, y: values }, { loss: 'quantile', quantile: 1 }).toThrow(/quantile/);
    await refused({ x, y: values }, { loss: 'quantile', quantile: 0 }).toThrow(/between 0 and 1 for quantile/);
  });

  test('targets that a loss does not take', async () => {
    const bad = matrix(SAMPLES, 1, (i) => (i === 5 ? -1 : 2));
    await refused({ x, y: bad }, { loss: 'poisson' }).toThrow(
      /from 0, as the loss is poisson, for row 5, column 0 of data.y/,
    );
    await refused({ x, y: bad }, { loss: 'sigmoid-cross-entropy' }).toThrow(/from 0 to 1, as the loss is/);
    await refused({ x, y: values }, { loss: 'poisson', classWeights: 'balanced' }).toThrow(/no classes/);
    await refused({ x, labels: [0, 1] }, { loss: 'huber' }).toThrow(/y/);
    await refused({ x, y: values }, { solver: 'sigmoid-admm', activation: 'sigmoid', loss: 'huber' }).toThrow(/loss/);
  });

  test('names of other libraries are understood as far as to say what is meant', async () => {
    await refused({ x, y: values }, { loss: 'mae' }).toThrow(/did you mean 'absolute'/);
    await refused({ x, y: values }, { loss: 'pinball' }).toThrow(/did you mean 'quantile'/);
  });
});

test('labels and counts are judged as scikit-learn judges them', async () => {
  // f1_score(average='micro' and 'macro'), accuracy_score, of y_true and y_pred = p >= 0.5.
  const y = matrix(4, 3, (i, j) =>
    Number(
      [
        [1, 0, 1],
        [0, 1, 0],
        [1, 1, 0],
        [0, 0, 0],
      ][i]?.[j],
    ),
  );
  const p = [0.9, 0.2, 0.4, 0.1, 0.8, 0.6, 0.5, 0.7, 0.1, 0.2, 0.3, 0.1];
  const scores = await judgeLabels(y, p, ['a', 'b', 'c'], 0.25);
  expect(scores).toMatchObject({ samples: 4, loss: 0.25, exactMatch: 0.5, microF1: 0.8, macroF1: 2 / 3 });
  expect(scores.labels[2]).toEqual({ name: 'c', precision: 0, recall: 0, f1: 0, support: 1 });
  // mean_poisson_deviance([0, 1, 4], [0.5, 2, 3])
  const deviance = await judgeValues(
    matrix(3, 1, (i) => [0, 1, 4][i] ?? 0),
    matrix(3, 1, (i) => [0.5, 2, 3][i] ?? 0),
    0,
    undefined,
    'poisson',
  );
  expect(deviance.poissonDeviance).toBeCloseTo((1 + 2 * (Math.log(0.5) + 1) + 2 * (4 * Math.log(4 / 3) - 1)) / 3, 12);
  expect(LOSSES).toHaveLength(9);
});
