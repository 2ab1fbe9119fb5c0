import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { crossValidate } from '../../src/choosing.js';
import { compress } from '../../src/compress.js';
import { fit } from '../../src/index.js';
import { confusionMatrix } from '../../src/judging/classes.js';
import {
  type ClassEvaluation,
  judgeClasses,
  judgeLabels,
  judgeValues,
  type ValueEvaluation,
} from '../../src/judging/evaluation.js';
import { METRIC_NAMES } from '../../src/judging/metrics.js';
import { logLoss } from '../../src/judging/probabilities.js';
import { chooseThreshold } from '../../src/judging/threshold.js';
import { quantileCoverage } from '../../src/judging/values.js';
import { Model } from '../../src/model/model.js';
import { report } from '../../src/report.js';
import type { Matrix } from '../../src/tensor/matrix.js';

interface Recorded {
  readonly name: string;
  readonly weights: readonly number[] | null;
  readonly scores: Readonly<Record<string, number | null>>;
}
interface RecordedClasses extends Recorded {
  readonly labels: readonly number[];
  readonly probabilities: readonly (readonly number[])[];
  readonly classes: readonly Readonly<Record<'precision' | 'recall' | 'f1' | 'support', number>>[];
  readonly confusion: readonly (readonly number[])[];
}
interface RecordedValues extends Recorded {
  readonly y: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
  readonly coverage: number;
}
interface RecordedLabels extends Pick<Recorded, 'name' | 'scores'> {
  readonly y: readonly (readonly number[])[];
  readonly probabilities: readonly (readonly number[])[];
  readonly labels: RecordedClasses['classes'];
}
const cases = JSON.parse(readFileSync(new URL('../fixtures/judging/cases.json', import.meta.url), 'utf8')) as {
  readonly classes: readonly RecordedClasses[];
  readonly values: readonly RecordedValues[];
  readonly counts: readonly RecordedValues[];
  readonly labels: readonly RecordedLabels[];
};

const matrix = (rows: readonly (readonly number[])[]): Matrix => ({
  data: Float64Array.from(rows.flat()),
  rows: rows.length,
  columns: rows[0]?.length ?? 0,
});

/** To 1e-9, or as far as 16 digits go. */
function near(value: number | undefined, wanted: number): void {
  expect(Math.abs((value ?? Number.NaN) - wanted)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(wanted)));
}

const largest = (row: readonly number[]): number => row.indexOf(Math.max(...row));

describe('of classes scikit-learn says the same, to 1e-9:', () => {
  test.each(cases.classes.map((each) => [each.name, each] as const))('%s', async (_, recorded) => {
    const { labels, scores, classes, confusion } = recorded;
    const weights = recorded.weights ?? undefined;
    const probabilities = matrix(recorded.probabilities);
    const predicted = recorded.probabilities.map(largest);
    const names = classes.map((_, c) => `class ${c}`);
    const told = await judgeClasses({ labels, predicted, names, loss: 1, probabilities, weights });
    for (const [name, wanted] of Object.entries(scores)) {
      const value = told[name as 'accuracy'];
      if (wanted !== null) near(value, wanted);
      else if (name !== 'calibrationError') expect(value).toBeUndefined();
    }
    for (const [c, wanted] of classes.entries()) {
      for (const part of ['precision', 'recall', 'f1', 'support'] as const) near(told.classes[c]?.[part], wanted[part]);
    }
    confusion.forEach((row, i) => {
      row.forEach((wanted, j) => {
        near(told.confusion[i]?.[j], wanted);
      });
    });
  });
});

describe('of values scikit-learn says the same, to 1e-9:', () => {
  test.each([...cases.values, ...cases.counts].map((each) => [each.name, each] as const))('%s', async (_, recorded) => {
    const weights = recorded.weights ?? undefined;
    const [y, outputs] = [matrix(recorded.y), matrix(recorded.outputs)];
    const told = await judgeValues(y, outputs, 1, weights, 'poisson');
    for (const [name, wanted] of Object.entries(recorded.scores)) {
      if (wanted === null) expect(told[name as 'r2']).toBeUndefined();
      else near(told[name as 'mae'], wanted);
    }
    near(await quantileCoverage(y, outputs, weights), recorded.coverage);
  });
});

test('the text has no mean of shares where a value is 0, of which an error is none', async () => {
  const text = async (y: readonly number[]): Promise<string> =>
    String(await judgeValues(matrix(y.map((value) => [value])), matrix([[0.5], [2]]), 1));
  expect(await text([0, 1])).not.toMatch(/percentage/);
  expect(await text([1, 1])).toMatch(/percentage error +0\.75/);
});

test('nor has the page of a training, the table of folds, or that of a compression', async () => {
  const rows = Array.from({ length: 60 }, (_, i) => ({ a: Math.sin(i), counts: i % 3 }));
  const options = { target: 'counts', task: 'regression', epochs: 2, hidden: [4] } as const;
  const { model, ...rest } = await fit(rows, options);
  const texts = [
    String((await model.evaluate(rows)) as ValueEvaluation),
    report({ model, ...rest } as never),
    String(await crossValidate(rows, options, { folds: 2 })),
    String(await compress(model, rows, { quantise: 'int8' })),
  ];
  for (const each of texts) {
    expect(each).toMatch(/mean absolute error|mae/);
    expect(each).not.toMatch(/percentage|mape/);
  }
});

describe('of labels scikit-learn says the same, to 1e-9:', () => {
  test.each(cases.labels.map((each) => [each.name, each] as const))(
    '%s',
    async (_, { y, probabilities, scores, labels }) => {
      const names = labels.map((__, j) => `label ${j}`);
      const told = await judgeLabels(matrix(y), matrix(probabilities).data, names, 1);
      for (const [name, wanted] of Object.entries(scores)) near(told[name as 'microF1'], wanted as number);
      for (const [j, wanted] of labels.entries()) {
        for (const part of ['precision', 'recall', 'f1', 'support'] as const)
          near(told.labels[j]?.[part], wanted[part]);
      }
    },
  );
});

test('every metric is among those that are recorded', () => {
  const all = [...cases.classes, ...cases.values, ...cases.counts, ...cases.labels];
  const recorded = new Set(all.flatMap(({ scores }) => Object.keys(scores)));
  expect(METRIC_NAMES.filter((name) => name !== 'loss' && !recorded.has(name))).toEqual([]);
});

describe('an evaluation', async () => {
  const told = await judgeClasses({
    ...{ labels: [0, 1, 1, 0], predicted: [0, 1, 0, 0], names: ['no', 'yes'], loss: 0.5 },
    probabilities: matrix([
      [0.9, 0.1],
      [0.2, 0.8],
      [0.6, 0.4],
      [0.7, 0.3],
    ]),
  });

  test('is plain data, with a table for people', () => {
    expect(JSON.parse(JSON.stringify(told))).toMatchObject({
      samples: 4,
      accuracy: 0.75,
      confusion: [
        [2, 0],
        [1, 1],
      ],
    });
    expect(Object.keys(told)).not.toContain('toString');
    const lines = String(told).split('\n');
    for (const line of [/^ROC AUC +1$/, /^no +0\.6667 +1 +0\.8 +2$/, /^yes +1 +1$/]) {
      expect(lines).toContainEqual(expect.stringMatching(line));
    }
  });

  test('of lists that do not fit is refused', async () => {
    const refused = expect.objectContaining({ code: 'ERR_DLADMM_SHAPE' });
    await expect(confusionMatrix([0, 1], [0], 2)).rejects.toEqual(refused);
    await expect(logLoss([0, 1], matrix([[1, 0]]))).rejects.toEqual(refused);
    await expect(confusionMatrix([0, 1], [0, 1], 2, [1])).rejects.toEqual(refused);
  });
});

describe('a threshold', () => {
  const labels = [0, 0, 1, 0, 1, 1];
  const probabilities = [0.1, 0.2, 0.3, 0.4, 0.6, 0.9];

  test('is the best by F1, by cost, and by recall at a precision', async () => {
    expect(await chooseThreshold(labels, probabilities, 'f1')).toBe(0.3);
    expect(await chooseThreshold(labels, probabilities, { falsePositive: 10, falseNegative: 1 })).toBe(0.6);
    expect(await chooseThreshold(labels, probabilities, { falsePositive: 1, falseNegative: 10 })).toBe(0.3);
    expect(await chooseThreshold(labels, probabilities, { falsePositive: 1, falseNegative: 0 })).toBeCloseTo(0.95, 12);
    expect(await chooseThreshold(labels, probabilities, { precision: 1 })).toBe(0.6);
    expect(await chooseThreshold(labels, probabilities, { precision: 0.7 })).toBe(0.3);
  });

  test('is refused where the rule is none, cannot be kept, or there is one class', async () => {
    const refused = (message: RegExp) =>
      expect.objectContaining({ code: 'ERR_DLADMM_ARGUMENT', message: expect.stringMatching(message) });
    await expect(chooseThreshold(labels, probabilities, { precision: 2 })).rejects.toEqual(
      refused(/rule of a threshold but received { precision: 2 \(number\) }/),
    );
    for (const both of [
      { precision: 0.9, falsePositive: 1 },
      { falsePositive: 1, falseNegative: 1, precision: 1 },
      { falsePositive: 1, falseNegative: Number.POSITIVE_INFINITY },
    ])
      await expect(chooseThreshold(labels, probabilities, both)).rejects.toEqual(refused(/falsePositive: 1/));
    await expect(chooseThreshold([1, 0], [0.1, 0.9], { precision: 0.9 })).rejects.toEqual(
      refused(/the highest .* is 0\.5/),
    );
    await expect(chooseThreshold([1, 1], [0.1, 0.9], 'f1')).rejects.toEqual(refused(/both classes/));
  });

  test('is kept by the model: what it says, its file, its evaluation', async () => {
    const model = new Model({
      network: { layers: [1, 2], activation: 'relu', loss: 'softmax-cross-entropy' },
      dtype: 'float64',
      weights: [Float64Array.of(0, 1)],
      biases: [Float64Array.of(0, 0)],
    });
    const x = probabilities.map((p) => [Math.log(p / (1 - p))]);
    expect([...(model.predictSync(x).labels ?? [])]).toEqual([0, 0, 0, 0, 1, 1]);
    const tuned = await model.tuneThreshold({ x, labels });
    expect(tuned.threshold).toBeCloseTo(0.3, 12);
    const folder = mkdtempSync(join(tmpdir(), 'dladmm-threshold-'));
    await tuned.save(join(folder, 'm'));
    const back = await Model.load(join(folder, 'm'));
    rmSync(folder, { recursive: true });
    expect(back.threshold).toBe(tuned.threshold);
    expect([...(back.predictSync(x).labels ?? [])]).toEqual([0, 0, 1, 1, 1, 1]);
    const one = back.predictSync([[Math.log(0.4 / 0.6)]]);
    expect(one.labels?.[0]).toBe(1);
    const told = await back.evaluate({ x, labels });
    expect(told).toMatchObject({
      samples: 6,
      accuracy: 5 / 6,
      rocAuc: 8 / 9,
      confusion: [
        [2, 1],
        [0, 3],
      ],
    });
    near(told.loss, (told as ClassEvaluation).logLoss as number);
  });
});
