import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { accuracy, balancedAccuracy, classScores, confusionMatrix } from '../../src/judging/classes.js';
import { judgeClasses, judgeValues, scoreOf } from '../../src/judging/evaluation.js';
import { logLoss } from '../../src/judging/probabilities.js';
import { reportOf } from '../../src/judging/report.js';
import { pinballLoss, quantileCoverage } from '../../src/judging/values.js';
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
  readonly pinball: Readonly<Record<string, number>>;
  readonly coverage: number;
}
const cases = JSON.parse(readFileSync(new URL('../fixtures/judging/cases.json', import.meta.url), 'utf8')) as {
  readonly classes: readonly RecordedClasses[];
  readonly values: readonly RecordedValues[];
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
  test.each(cases.classes.map((each) => [each.name, each] as const))('%s', (_, recorded) => {
    const { labels, scores, classes, confusion } = recorded;
    const weights = recorded.weights ?? undefined;
    const probabilities = matrix(recorded.probabilities);
    const predicted = recorded.probabilities.map(largest);
    const names = classes.map((_, c) => `class ${c}`);
    const told = judgeClasses({ labels, predicted, names, loss: 1, probabilities, weights });
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
    near(accuracy(labels, predicted, weights), scores.accuracy as number);
    near(balancedAccuracy(labels, predicted, names.length, weights), scores.balancedAccuracy as number);
    expect(classScores(labels, predicted, names.length, weights)).toEqual(
      told.classes.map(({ name, ...rest }) => rest),
    );
    expect(confusionMatrix(labels, predicted, names.length, weights)).toEqual(told.confusion);
  });
});

describe('of values scikit-learn says the same, to 1e-9:', () => {
  test.each(cases.values.map((each) => [each.name, each] as const))('%s', (_, recorded) => {
    const weights = recorded.weights ?? undefined;
    const [y, outputs] = [matrix(recorded.y), matrix(recorded.outputs)];
    const told = judgeValues(y, outputs, 1, weights);
    for (const [name, wanted] of Object.entries(recorded.scores)) {
      if (wanted === null) expect(told[name as 'r2']).toBeUndefined();
      else near(told[name as 'mae'], wanted);
    }
    for (const [quantile, wanted] of Object.entries(recorded.pinball)) {
      near(pinballLoss(y, outputs, Number(quantile), weights), wanted);
    }
    near(quantileCoverage(y, outputs, weights), recorded.coverage);
  });
});

describe('an evaluation', () => {
  const told = judgeClasses({
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
    expect(lines).toContain('ROC AUC                1');
    expect(lines).toContain('no         0.6667       1     0.8        2');
    expect(lines).toContain('yes           1    1');
  });

  test('has a score for every metric, of which more is better', () => {
    expect(scoreOf(told, 'accuracy')).toBe(0.75);
    expect(scoreOf(told, 'loss')).toBe(-0.5);
    expect(scoreOf(told, 'mae')).toBe(Number.NEGATIVE_INFINITY);
  });

  test('of lists that do not fit is refused', () => {
    const refused = expect.objectContaining({ code: 'ERR_DLADMM_SHAPE' });
    expect(() => accuracy([0, 1], [0])).toThrow(refused);
    expect(() => logLoss([0, 1], matrix([[1, 0]]))).toThrow(refused);
    expect(() => accuracy([0, 1], [0, 1], [1])).toThrow(refused);
  });

  test('stands in a report, with what was held out and why which loss', () => {
    const report = reportOf({
      task: {
        kind: 'classification',
        target: 'churned',
        loss: 'softmax-cross-entropy',
        because: 'churned has 2 texts',
      },
      heldOut: { samples: 4, of: 40, how: 'every class its share, seed 1' },
      warnings: ['id: every row has its own'],
      scores: told,
    });
    expect(report.task.target).toBe('churned');
    expect(String(report)).toMatch(
      /^classification of churned by softmax-cross-entropy: churned has 2 texts\nheld out 4 of 40 samples: every class its share, seed 1\n! id: every row has its own\n\n4 samples\naccuracy/,
    );
  });
});
