import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { crossValidate } from '../../src/choosing.js';
import { seededRandom } from '../../src/core/random.js';
import { fit, Model } from '../../src/index.js';

const { uniform } = seededRandom(4);
const rows = Array.from({ length: 300 }, (_, i) => {
  const [a, b] = [2 * uniform() - 1, 2 * uniform() - 1];
  return { i, a, b, kind: b > 0 ? 'high' : 'low', tags: [...(a > 0 ? ['red'] : []), ...(b > 0 ? ['round'] : [])] };
});
const features = rows.map(({ a, b }) => [a, b]);
const lists = rows.map(({ tags }) => tags);
const folder = await mkdtemp(join(tmpdir(), 'dladmm-targets-'));
afterAll(() => rm(folder, { recursive: true }));
const options = { hidden: [16], ignore: ['i'], threads: 1 } as const;

describe('lists of labels', () => {
  test('in a column are learnt, told by name, and judged', async () => {
    const { model, report } = await fit(rows, { ...options, target: 'tags' });
    expect(model.network).toMatchObject({ loss: 'sigmoid-cross-entropy' });
    expect(model).toMatchObject({ classes: ['red', 'round'], target: 'tags' });
    expect(report.task).toMatchObject({ kind: 'multi-label', because: 'column "tags" holds lists' });
    expect(report.scores).toMatchObject({ exactMatch: expect.any(Number) });
    const told = await model.predict({ a: 0.9, b: -0.9, kind: 'low' });
    expect(told).toMatchObject({ labels: ['red'], probabilities: expect.anything() });
    expect(((await model.evaluate(rows)) as { exactMatch: number }).exactMatch).toBeGreaterThan(0.9);
    expect(model.describe()).toContain('tags: red, round');
    const path = join(folder, 'tags');
    await model.save(path);
    expect((await (await Model.load(path)).evaluate(rows)).loss).toBe((await model.evaluate(rows)).loss);
  });

  test('beside rows of numbers are the same labels, with every way of training', async () => {
    const { model } = await fit({ x: features, labels: lists }, { hidden: [16] });
    expect(model.network.loss).toBe('sigmoid-cross-entropy');
    expect((await model.predict([0.9, 0.9])).labels).toEqual(['red', 'round']);
    const adam = await fit(
      { x: features, labels: lists, validation: { x: features, labels: lists } },
      { layers: [2, 2], solver: 'adam', epochs: 40, learningRate: 0.05 },
    );
    expect(adam.model.classes).toEqual(['red', 'round']);
    const scores = await adam.model.evaluate({ x: features, labels: lists });
    expect(scores.microF1).toBeGreaterThan(0.9);
    const on = await adam.model.fit({ x: features, labels: lists }, { epochs: 1 });
    expect(on.model.classes).toEqual(['red', 'round']);
  });

  test('may stand in the cells of a file, where the task says so', async () => {
    const path = join(folder, 'tags.csv');
    await writeFile(path, `a,b,tags\n${rows.map(({ a, b, tags }) => `${a},${b},${tags.join('|')}`).join('\n')}\n`);
    const { model } = await fit(path, { ...options, ignore: [], target: 'tags', task: 'multi-label' });
    expect((await model.predict(path)).labels[0]).toEqual(lists[0]);
    expect((await model.evaluate(path)).exactMatch).toBeGreaterThan(0.9);
  });

  test('are divided for cross-validation', async () => {
    const { scores } = await crossValidate(rows, { ...options, target: 'tags' }, { folds: 3 });
    expect(scores.microF1?.mean).toBeGreaterThan(0.9);
    const beside = await crossValidate({ x: features, labels: lists } as never, { hidden: [16] }, { folds: 3 });
    expect(beside.scores.microF1?.mean).toBeGreaterThan(0.9);
  });

  test.each([
    [
      'with one that the model does not know',
      () => [{ ...rows[0], tags: ['blue'] }],
      /labels among red, round .*row 0.*"blue"/,
    ],
    ['where one is missing', () => [rows[0], { ...rows[0], tags: null }], /a list, as others are .*row 1/],
    ['mixed with a text', () => [rows[0], { ...rows[0], tags: 'red' }], /a list, as before, .*row 1/],
  ])('%s are refused', async (_, made, message) => {
    const { model } = await fit(rows, { ...options, epochs: 1, target: 'tags' });
    await expect(model.evaluate(made() as never)).rejects.toThrow(message);
  });

  test('are no features and no classes', async () => {
    await expect(fit(rows, { ...options, target: 'kind' })).rejects.toThrow(/column "tags".*found lists.*ignore/);
    await expect(fit(rows, { ...options, target: 'tags', task: 'classification' })).rejects.toThrow(/holds lists/);
    await expect(fit({ x: features, labels: lists }, { loss: 'hinge', layers: [2, 2] } as never)).rejects.toThrow(
      /a label for each sample, as the loss is hinge/,
    );
  });
});

describe('several targets', () => {
  const both = rows.map(({ tags: _, ...row }) => ({
    ...row,
    sum: row.a + row.b,
    left: 3 * row.a - 40,
    red: row.a > 0,
    round: row.b > 0 ? 1 : 0,
  }));
  const of = { ...options, ignore: ['i', 'kind'] };

  test('of numbers are values, each in its units', async () => {
    const ignore = [...of.ignore, 'red', 'round'];
    const { model, report } = await fit(both, { ...of, ignore, target: ['sum', 'left'] });
    expect(model.network.loss).toBe('squared-error');
    expect(model.target).toEqual(['sum', 'left']);
    expect(report.task).toMatchObject({ kind: 'regression', target: ['sum', 'left'] });
    expect(String(report)).toContain('regression of "sum", "left"');
    const { outputs } = await model.predict({ a: 0.5, b: 0.25 });
    expect(Math.abs((outputs[0] as number) - 0.75)).toBeLessThan(0.15);
    expect(outputs[1]).toBeCloseTo(-38.5, 0);
    expect(((await model.evaluate(both)) as { r2: number }).r2).toBeGreaterThan(0.98);
    const adam = await fit(both, { ...of, ignore, target: ['sum', 'left'], solver: 'adam', epochs: 5 });
    expect(adam.model.network.layers.at(-1)).toBe(2);
  });

  test('of 0 and 1 alone are labels', async () => {
    const ignore = [...of.ignore, 'sum', 'left'];
    const { model, report } = await fit(both, { ...of, ignore, target: ['red', 'round'] });
    expect(model.network.loss).toBe('sigmoid-cross-entropy');
    expect(report.task.because).toBe('columns "red", "round" hold 0 and 1 alone');
    expect(await model.predict({ a: 0.9, b: 0.9 })).toMatchObject({ labels: ['red', 'round'] });
    expect(((await model.evaluate(both)) as { exactMatch: number }).exactMatch).toBeGreaterThan(0.9);
    const values = await fit(both, { ...of, ignore, target: ['red', 'round'], task: 'regression', epochs: 2 });
    expect(values.model.network.loss).toBe('squared-error');
  });

  test.each([
    [['sum', 'sum'], {}, /columns, each once, .*"sum"/],
    [[], {}, /an array of names/],
    [['sum', 'nope'], {}, /nope/],
    [['sum', 'kind'], {}, /a number, or true or false, .*row 0 of column "kind"/],
    [['sum', 'left'], { task: 'classification' }, /one column of classes/],
    [['sum', 'red'], { task: 'multi-label' }, /0 or 1, or true or false, .*column "sum"/],
  ])('%j with %j are refused', async (target, more, message) => {
    await expect(fit(both, { ...of, ignore: ['i'], target, ...more } as never)).rejects.toThrow(message);
  });
});
