import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/core/random.js';
import { fit, Model } from '../../src/index.js';
import { calibrated, learnCalibration } from '../../src/judging/calibration.js';
import { decodeModel, encodeModel } from '../../src/model/model-file.js';
import { importOnnx } from '../../src/model/onnx/import.js';
import { runtime } from '../model/onnx/support.js';

interface Recorded {
  readonly name: string;
  readonly scores: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly probabilities: readonly (readonly number[])[];
}
const path = new URL('../fixtures/judging/cases.json', import.meta.url);
const { calibrations } = JSON.parse(readFileSync(path, 'utf8')) as { readonly calibrations: readonly Recorded[] };

test.each(calibrations.map((each) => [each.name, each] as const))(
  '%s is calibrated as by scikit-learn',
  async (_, recorded) => {
    const { scores, labels, probabilities } = recorded;
    const [first = []] = scores;
    const classes = probabilities[0]?.length ?? 0;
    const outputs = { data: Float64Array.from(scores.flat()), rows: scores.length, columns: first.length };
    const out = new Float64Array(scores.length * classes);
    calibrated(outputs.data, first.length, await learnCalibration(labels, outputs, classes), out, 0);
    for (const [at, wanted] of probabilities.flat().entries()) expect(out[at]).toBeCloseTo(wanted, 4);
  },
);

const { normal } = seededRandom(3);
const rows = Array.from({ length: 600 }, () => {
  const [a, b] = [normal(), normal()];
  const score = a + 0.5 * normal();
  return { a, b, two: score > 0.5 ? 'yes' : 'no', three: score > 0.6 ? 'high' : score > -0.6 ? 'middle' : 'low' };
});
const options = { epochs: 30, hidden: [8], bins: 0, threads: 1 } as const;

describe.each(['hinge', 'one-hot-squared-error'] as const)('a model by %s', (loss) => {
  test.each(['two', 'three'] as const)('of %s classes has probabilities where it is asked for them', async (target) => {
    const ignore = [target === 'two' ? 'three' : 'two'];
    const plain = await fit(rows, { ...options, target, ignore, loss });
    expect((await plain.model.predict(rows)).probabilities).toBeUndefined();
    const { model, report } = await fit(rows, { ...options, target, ignore, loss, calibrate: true });
    expect(report.heldOut?.how).toContain('the probabilities are calibrated on them');
    expect(model.describe()).toContain('probabilities by a sigmoid of the scores');
    const told = await model.predict(rows);
    const classes = model.classes ?? [];
    const { data, columns } = told.probabilities ?? { data: [], columns: 0 };
    expect(columns).toBe(classes.length);
    for (const [i, label] of told.labels.entries()) {
      const row = Array.from({ length: columns }, (_, j) => data[i * columns + j] ?? 0);
      expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
      expect(label).toBe(classes[row.indexOf(Math.max(...row))]);
    }
    const one = await model.predict(rows[0] as never);
    expect(one).toMatchObject({ label: told.labels[0], probability: expect.any(Number) });
    const scores = await model.evaluate(rows);
    expect(scores.logLoss).toBeLessThan(target === 'two' ? 0.55 : 0.8);
    expect(scores.calibrationError).toBeLessThan(0.1);
    // In its file and in ONNX, from which it comes back.
    const stored = new Model(decodeModel(encodeModel(model as unknown as Model), 'a model') as never);
    expect((await stored.predict(rows)).probabilities).toEqual(told.probabilities);
    const { kind: _, columns: __, ...parts } = model;
    const bare = new Model(parts as never);
    const inputs = bare.network.layers[0] ?? 0;
    const x = Float32Array.from({ length: 40 * inputs }, () => normal());
    const bytes = bare.toOnnx();
    const back = await importOnnx(bytes);
    const wanted = (await bare.predict(x)).probabilities?.data ?? [];
    const found = await runtime(bytes, x, inputs);
    expect([found.name, found.data.length, wanted.length]).toEqual(['probabilities', 40 * columns, 40 * columns]);
    const again = (await back.predict(x)).probabilities?.data ?? [];
    for (const [i, value] of found.data.entries()) {
      expect(value).toBeCloseTo(wanted[i] ?? Number.NaN, 4);
      expect(again[i]).toBeCloseTo(wanted[i] ?? Number.NaN, 4);
    }
    const damaged = Buffer.from(Buffer.from(bytes).toString('latin1').replace('"slope"', '"slopE"'), 'latin1');
    await expect(importOnnx(damaged)).rejects.toThrow(/metadata dladmm\.network is damaged/);
    expect((await runtime(bare.toOnnx({ output: 'outputs' }), x, inputs)).name).toBe('outputs');
  });
});

describe('calibration', () => {
  test('is refused where there are probabilities, no classes, or nothing to calibrate by', async () => {
    const of = { ...options, target: 'two', ignore: ['three'], calibrate: true } as const;
    await expect(fit(rows, of)).rejects.toThrow(/softmax-cross-entropy has probabilities by itself/);
    await expect(fit(rows, { ...of, target: 'a', ignore: ['two', 'three'], loss: 'huber' })).rejects.toThrow(
      /huber tells no classes/,
    );
    await expect(fit(rows, { ...of, loss: 'hinge', validationShare: 0 })).rejects.toThrow(/rows held out for it/);
    const { model } = await fit(rows, { ...options, target: 'two', ignore: ['three'], loss: 'hinge' });
    await expect(model.calibrate(rows.filter(({ two }) => two === 'yes'))).rejects.toThrow(/at least two classes/);
    const soft = await fit(rows, { ...options, epochs: 1, target: 'two', ignore: ['three'] });
    await expect(soft.model.calibrate(rows)).rejects.toThrow(/without probabilities/);
  });

  test('gives a threshold to tune, and stays with a model that goes on', async () => {
    const { model } = await fit(rows, { ...options, target: 'two', ignore: ['three'], loss: 'hinge' });
    const probable = await model.calibrate(rows);
    const tuned = await probable.tuneThreshold(rows, { precision: 0.9 });
    expect(tuned.threshold).toBeGreaterThan(0.5);
    const bytes = tuned.toOnnx();
    const back = await importOnnx(bytes);
    expect(back).toMatchObject({ threshold: tuned.threshold, calibration: probable.calibration, target: 'two' });
    expect((await back.predict(rows)).labels).toEqual((await tuned.predict(rows)).labels);
    const damaged = Buffer.from(
      Buffer.from(bytes).toString('latin1').replace('"threshold":0', '"threshold":9'),
      'latin1',
    );
    await expect(importOnnx(damaged)).rejects.toThrow(/metadata dladmm\.network is damaged/);
    const on = await tuned.fit(rows, { epochs: 1 });
    expect(on.model).toMatchObject({ calibration: probable.calibration, threshold: tuned.threshold });
    const again = await tuned.fit(rows, { epochs: 1, calibrate: true });
    expect(again.model.calibration).not.toEqual(probable.calibration);
    expect(again.model.threshold).toBeUndefined();
  });
});
