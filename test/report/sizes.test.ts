/** The picture of score against size: where its points lie is where the numbers are. */
import { expect, test } from 'vitest';
import { pictureOfSizes, type Round } from '../../src/report/sizes.js';

const retrained = (weights: number, accuracy?: number, loss = 1): Round => ({
  kind: 'retraining',
  weights,
  validation: { loss, ...(accuracy !== undefined && { accuracy }) },
});
const pointsOf = (svg = ''): readonly (readonly number[])[] =>
  [...svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);

test('a round of the same factor is as wide as any other, and a higher accuracy lies higher', () => {
  const svg = pictureOfSizes([1000, 100, 10].map((weights, i) => retrained(weights, [0.9, 0.95, 0.8][i])));
  const [[x0 = 0, y0 = 0] = [], [x1 = 0, y1 = 0] = [], [x2 = 0, y2 = 0] = []] = pointsOf(svg);
  expect([x0, x2]).toEqual([70, 540]);
  expect(x1).toBe(305);
  expect((y0 - y1) / (y2 - y0)).toBeCloseTo(0.5, 2);
  expect(svg).toContain('<title>100 weights: 95</title>');
  expect(svg).toContain('accuracy on what is held out, %');
});

test('numbers without an accuracy are drawn by their loss', () => {
  const svg = pictureOfSizes([retrained(20, undefined, 0.5), retrained(5, undefined, 0.75)]);
  expect(svg).toContain('loss on what is held out');
  const [[, y0 = 0] = [], [, y1 = 0] = []] = pointsOf(svg);
  expect(y1).toBeLessThan(y0);
});

test('what is on the way to a round, or quantises at the same size, is no point', () => {
  const admm: Round = { kind: 'admm', weights: 50, validation: { loss: 1, accuracy: 0.1 } };
  const svg = pictureOfSizes([admm, retrained(50, 0.9), admm, retrained(25, 0.9), retrained(25, 0.7)]);
  expect(pointsOf(svg)).toHaveLength(2);
  expect(new Set(pointsOf(svg).map(([, y]) => y)).size).toBe(1);
});

test('one round is one point, and no round is no picture', () => {
  expect(pointsOf(pictureOfSizes([retrained(7, 0)]))).toHaveLength(1);
  expect(pictureOfSizes([])).toBeUndefined();
  expect(pictureOfSizes([{ kind: 'retraining', weights: 5 }])).toBeUndefined();
});
