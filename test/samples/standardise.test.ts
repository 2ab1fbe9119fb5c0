import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Model } from '../../src/model/model.js';
import { foldStandardisation, unfoldStandardisation } from '../../src/network/standardisation.js';
import { learnStandardisation, liesInUnitInterval, standardise } from '../../src/samples/standardise.js';
import type { Matrix } from '../../src/tensor/matrix.js';
import { fit as fitModel } from '../../src/training/fit.js';
import { expectFailure, temporaryFolder } from '../formats/support.js';

const matrix = (columns: number, ...data: number[]): Matrix => ({
  data: Float64Array.from(data),
  rows: data.length / columns,
  columns,
});

describe('standardisation', () => {
  it('takes the mean and the population deviation of each feature', () => {
    const rule = learnStandardisation(matrix(2, 1, -10, 2, 10, 3, 30));
    expect([...rule.mean]).toEqual([expect.closeTo(2, 14), expect.closeTo(10, 13)]);
    expect([...rule.scale]).toEqual([
      expect.closeTo(1 / Math.sqrt(2 / 3), 14),
      expect.closeTo(1 / Math.sqrt(800 / 3), 14),
    ]);
  });

  it('gives the samples it was learnt from mean 0 and deviation 1', () => {
    const x = matrix(1, 5, 7, 7, 9, 100);
    const data = [...standardise(x, learnStandardisation(x), 'float64').data];
    const mean = data.reduce((sum, v) => sum + v, 0) / 5;
    expect(mean).toBeCloseTo(0, 14);
    expect(data.reduce((sum, v) => sum + v * v, 0) / 5).toBeCloseTo(1, 14);
  });

  it('makes nothing of a feature that never varies, whatever rounding does to its mean', () => {
    const x = matrix(1, ...Array.from({ length: 10 }, () => 0.1));
    const rule = learnStandardisation(x);
    expect([...rule.scale]).toEqual([0]);
    expect([...standardise(matrix(1, 5), rule, 'float32').data]).toEqual([0]);
  });

  it('has the type that is asked for', () => {
    const x = matrix(1, 1, 2);
    const rule = learnStandardisation(x);
    expect(standardise(x, rule, 'float32').data).toBeInstanceOf(Float32Array);
    expect(standardise(x, rule, 'float64').data).toBeInstanceOf(Float64Array);
  });

  it('refuses what is not finite, with its place', async () => {
    await expectFailure(
      () => learnStandardisation(matrix(2, 1, 2, 3, Number.NaN)),
      'ERR_DLADMM_NON_FINITE',
      'NaN in row 1, column 1',
    );
  });

  it('folds into the first layer: raw features give what standardised ones gave', () => {
    const x = matrix(3, 1000, 2, 7, 1010, 1, 7, 990, 4, 7);
    const rule = learnStandardisation(x);
    const first = Float64Array.from([1, -2, 0.5, 3, 0.25, -1]);
    const bias = Float64Array.from([0.5, -0.5]);
    const second = Float64Array.from([1, 2]);
    const offset = Float64Array.from([3]);
    const folded = foldStandardisation({ weights: [first, second], biases: [bias, offset] }, rule);
    const firstLayer = (w: ArrayLike<number>, b: ArrayLike<number>, { data }: Matrix) =>
      [0, 1, 2].flatMap((i) =>
        [0, 1].map((o) =>
          [0, 1, 2].reduce((sum, j) => sum + Number(w[o * 3 + j]) * Number(data[i * 3 + j]), Number(b[o])),
        ),
      );
    const wanted = firstLayer(first, bias, standardise(x, rule, 'float64'));
    const found = firstLayer(folded.weights[0] ?? [], folded.biases[0] ?? [], x);
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(Number(wanted[i]), 10);
    });
    expect(folded.weights.slice(1)).toEqual([second]);
    expect(folded.biases.slice(1)).toEqual([offset]);
    expect([...first]).toEqual([1, -2, 0.5, 3, 0.25, -1]);
  });

  it('unfolds again: standardised features give what raw ones gave, and what never varied counts as its mean', () => {
    const x = matrix(3, 1000, 2, 7, 1010, 1, 7, 990, 4, 7);
    const rule = learnStandardisation(x);
    const raw = { weights: [Float64Array.of(0.1, -2, 0.5)], biases: [Float64Array.of(3)] };
    const { weights, biases } = unfoldStandardisation(raw, rule);
    const { data } = standardise(x, rule, 'float64');
    for (const i of [0, 1, 2]) {
      const of = (w: ArrayLike<number>, b: ArrayLike<number>, values: ArrayLike<number>): number =>
        [0, 1, 2].reduce((sum, j) => sum + Number(w[j]) * Number(values[3 * i + j]), Number(b[0]));
      const wanted = of(raw.weights[0] ?? [], raw.biases[0] ?? [], x.data);
      expect(of(weights[0] ?? [], biases[0] ?? [], data)).toBeCloseTo(wanted, 9);
    }
    const folded = foldStandardisation({ weights, biases }, rule);
    expect([...(folded.weights[0] ?? [])]).toEqual([expect.closeTo(0.1, 12), expect.closeTo(-2, 12), 0]);
  });

  it('is needless for features that lie in [0, 1] one and all', () => {
    expect(liesInUnitInterval(matrix(2, 0, 1, 0.5, 0.25))).toBe(true);
    expect(liesInUnitInterval(matrix(2, 0, 1, 0.5, 1.25))).toBe(false);
    expect(liesInUnitInterval(matrix(2, 0, 1, -0.5, 0.25))).toBe(false);
    expect(liesInUnitInterval(matrix(1, Number.NaN))).toBe(false);
  });
});

describe('a training that standardises', () => {
  const rows = Array.from({ length: 60 }, (_, i) => [1e6 + (i % 7) * 3, (i % 11) / 1e4 - 5, 7, (i % 3) - 1]);
  const labels = rows.map((_, i) => (i % 3 === 0 ? 1 : 0));
  const x: Matrix = { data: Float64Array.from(rows.flat()), rows: 60, columns: 4 };
  const options = { solver: 'dladmm', layers: [4, 6, 2], iterations: 5, threads: 1 } as const;

  it('sees what standardised samples are, and takes raw ones afterwards', async () => {
    const rule = learnStandardisation(x);
    for (const dtype of ['float32', 'float64'] as const) {
      const byHand = await fitModel({ x: standardise(x, rule, dtype), labels }, { ...options, dtype });
      const { model, history } = await fitModel(
        { x, labels, test: { x, labels } },
        { ...options, dtype, standardise: true },
      );
      expect(model.weights).toEqual(byHand.model.weights);
      expect(model.standardisation).toEqual(rule);
      expect((await model.predict(x)).outputs).toEqual(
        (await byHand.model.predict(standardise(x, rule, dtype))).outputs,
      );
      const metrics = await model.evaluate({ x, labels });
      expect(metrics.accuracy).toBe(history.at(-1)?.test?.accuracy);
      expect(metrics.loss).toBeCloseTo(history.at(-1)?.test?.loss ?? 0, 6);
    }
  });

  it('learns the same from a stream, to the digits of float64', async () => {
    const { model } = await fitModel({ x: rows.values(), labels }, { ...options, standardise: true });
    expect(model.standardisation).toEqual(learnStandardisation(x));
  });

  it('keeps what it has learnt in the file of the model', async () => {
    const { model } = await fitModel({ x, labels }, { ...options, standardise: true });
    const path = join(await temporaryFolder(), 'm.safetensors');
    await model.save(path);
    using loaded = await Model.load(path);
    expect(loaded.standardisation).toEqual(model.standardisation);
    expect(await loaded.predict(x)).toEqual(await model.predict(x));
  });

  it('refuses what is not finite, with its place', async () => {
    const bad = rows.with(7, [1, 2, Number.POSITIVE_INFINITY, 3]);
    for (const samples of [bad, bad.values()]) {
      await expectFailure(
        () => fitModel({ x: samples, labels }, { ...options, standardise: true }),
        'ERR_DLADMM_NON_FINITE',
        /data\.x but received Infinity in row 7, column 2/,
      );
    }
    const { model } = await fitModel({ x, labels }, { ...options, standardise: true });
    await expectFailure(() => model.predict(bad), 'ERR_DLADMM_NON_FINITE', /row 7, column 2/);
  });

  it('scales spreads that overflow or vanish when they are squared', () => {
    const rule = learnStandardisation(matrix(2, 1e200, 1e-200, -1e200, -1e-200));
    expect([...standardise(matrix(2, 1e200, 1e-200), rule, 'float64').data]).toEqual([1, 1]);
    expect(() => learnStandardisation(matrix(1, 1.7e308, -1.7e308))).toThrow(/column 0 of x .* 1.7e\+308/);
  });
});
