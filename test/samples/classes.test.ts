import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DlAdmmError } from '../../src/core/errors.js';
import { Model } from '../../src/model/model.js';
import type { LabelsLike } from '../../src/tensor/inputs.js';
import { fit as fitModel } from '../../src/training/fit.js';
import { expectFailure, temporaryFolder } from '../formats/support.js';

const X = Array.from({ length: 30 }, (_, i) => [(i % 3) * 2 + (i % 5) / 8, i % 3, 1]);
const NAMES = ['pear', 'fig', 'apple'] as const;
const LABELS = X.map((_, i) => NAMES[i % 3] as string);
const OPTIONS = { layers: [3, 8, 3], iterations: 30, nu: 1, rho: 1, theta0: 1e-12, tau0: 1e-12, threads: 1 } as const;

const train = (labels: LabelsLike, more: object = {}) => fitModel({ x: X, labels }, { ...OPTIONS, ...more });

describe('labels that are names', () => {
  it('become classes in sorted order, and come back from predict', async () => {
    const { model } = await train(LABELS);
    expect(model.classes).toEqual(['apple', 'fig', 'pear']);
    const { labels } = await model.predict(X);
    expect(new Set(labels as string[])).toEqual(new Set(NAMES));
    const right = (labels as string[]).filter((label, i) => label === LABELS[i]).length;
    expect((await model.evaluate({ x: X, labels: LABELS })).accuracy).toBe(right / X.length);
  });

  it('are the class numbers that they are sorted to', async () => {
    const numbers = LABELS.map((text) => ['apple', 'fig', 'pear'].indexOf(text));
    const named = (await train(LABELS)).model;
    const numbered = (await train(numbers)).model;
    expect(named.weights).toEqual(numbered.weights);
    const { labels } = await numbered.predict(X);
    expect(labels).toBeInstanceOf(Int32Array);
    expect((await named.predict(X)).labels).toEqual(Array.from(labels as Int32Array, (n) => named.classes?.[n]));
    expect(await named.evaluate({ x: X, labels: numbers })).toEqual(await named.evaluate({ x: X, labels: LABELS }));
  });

  it('keep the order that the option classes gives them', async () => {
    const { model } = await train(LABELS, { classes: ['fig', 'pear', 'apple'] });
    expect(model.classes).toEqual(['fig', 'pear', 'apple']);
    const { labels, outputs } = await model.predict(X.slice(0, 1));
    const top = [...outputs.data].indexOf(Math.max(...outputs.data));
    expect(labels).toEqual([model.classes?.[top]]);
  });

  it('survive a file', async () => {
    const { model } = await train(LABELS);
    const path = join(await temporaryFolder(), 'fruit.safetensors');
    await model.save(path);
    using loaded = await Model.load(path);
    expect(loaded.classes).toEqual(model.classes);
    expect(await loaded.predict(X)).toEqual(await model.predict(X));
    const { accuracy } = await model.evaluate({ x: X, labels: LABELS });
    expect((await loaded.evaluate({ x: X, labels: LABELS })).accuracy).toBe(accuracy);
  });

  it('may lack some classes in the sets to watch, and have no others', async () => {
    const some = { x: X.slice(0, 2), labels: ['fig', 'apple'] };
    const { history } = await fitModel({ x: X, labels: LABELS, test: some, validation: some }, OPTIONS);
    expect(history.at(-1)?.test).toEqual(history.at(-1)?.validation);
    const other = { x: X.slice(0, 2), labels: ['fig', 'plum'] };
    const message = /one of the classes apple, fig, pear for (test\.)?labels\[1\] but received "plum"/;
    await expectFailure(() => fitModel({ x: X, labels: LABELS, test: other }, OPTIONS), 'ERR_DLADMM_LABEL', message);
    const { model } = await train(LABELS);
    await expectFailure(() => model.evaluate(other), 'ERR_DLADMM_LABEL', message);
  });

  it.each<[string, LabelsLike, object, DlAdmmError['code'], RegExp]>([
    [
      'in another number than the outputs',
      LABELS,
      { layers: [3, 4] },
      'ERR_DLADMM_SHAPE',
      /4 classes.*3: apple, fig, pear/,
    ],
    ['empty', LABELS.with(7, ''), {}, 'ERR_DLADMM_LABEL', /data\.labels\[7\]/],
    ['unknown to the option classes', LABELS, { classes: ['fig', 'pear', 'plum'] }, 'ERR_DLADMM_LABEL', /"apple"/],
    ['too few', LABELS.slice(1), {}, 'ERR_DLADMM_SHAPE', /30 labels, one a sample, for data\.labels .* 29/],
    ['mixed with numbers', ['fig', 1, ...LABELS.slice(2)], {}, 'ERR_DLADMM_LABEL', /data\.labels\[1\] .* 1 \(number\)/],
  ])('are refused where they are %s', async (_, labels, more, code, message) => {
    await expectFailure(() => train(labels, more), code, message);
  });

  it('mean nothing to a model whose classes have no names', async () => {
    const { model } = await train(LABELS.map((text) => NAMES.indexOf(text as 'fig')));
    await expectFailure(
      () => model.evaluate({ x: X, labels: LABELS }),
      'ERR_DLADMM_ARGUMENT',
      /the classes of the model have no names/,
    );
  });
});

describe('labels that are true or false', () => {
  const labels = X.map((_, i) => i % 3 === 0);

  it('come back as they were, for two outputs and for one', async () => {
    for (const more of [{ layers: [3, 8, 2] }, { layers: [3, 8, 1], loss: 'hinge' }]) {
      const { model } = await train(labels, more);
      const path = join(await temporaryFolder(), 'b.safetensors');
      await model.save(path);
      using loaded = await Model.load(path);
      const said = (await loaded.predict(X)).labels as boolean[];
      const right = said.filter((label, i) => label === labels[i]).length;
      expect(right).toBeGreaterThan(20);
      expect((await loaded.evaluate({ x: X, labels })).accuracy).toBe(right / X.length);
    }
  });

  it('are refused for more classes', async () => {
    await expectFailure(() => train(labels), 'ERR_DLADMM_SHAPE', /2 outputs/);
  });
});

describe('class numbers that came with names', () => {
  it('are matched by name, whatever the order of each set', async () => {
    const classes = ['pear', 'fig', 'apple'];
    const own = { x: X, labels: LABELS.map((text) => classes.indexOf(text)), classes };
    const turned = {
      x: X,
      labels: LABELS.map((text) => ['fig', 'apple', 'pear'].indexOf(text)),
      classes: ['fig', 'apple', 'pear'],
    };
    const { model, history } = await fitModel({ ...own, test: turned, validation: own }, OPTIONS);
    expect(history.at(-1)?.test).toEqual(history.at(-1)?.validation);
    expect(await model.evaluate(turned)).toEqual(await model.evaluate(own));
    expect((await model.predict(X)).labels?.[0]).toBeTypeOf('string');
    await expectFailure(
      () => model.evaluate({ x: X.slice(0, 1), labels: [0], classes: ['plum'] }),
      'ERR_DLADMM_LABEL',
      /labels has the class "plum"; expected one of pear, fig, apple/,
    );
  });
});

describe('class numbers that do not count from 0', () => {
  const SIGNS = X.map((_, i) => (i % 3 === 0 ? 1 : -1));

  it('are classes all the same, and come back as they were', async () => {
    const { model } = await train(SIGNS, { layers: [3, 8, 2] });
    expect(model.classes).toEqual(['-1', '1']);
    const path = join(await temporaryFolder(), 'signs.safetensors');
    await model.save(path);
    using loaded = await Model.load(path);
    const said = (await loaded.predict(X)).labels as Int32Array;
    expect(new Set(said)).toEqual(new Set([-1, 1]));
    const right = said.filter((label, i) => label === SIGNS[i]).length;
    expect((await loaded.evaluate({ x: X, labels: SIGNS })).accuracy).toBe(right / X.length);
    await expectFailure(() => loaded.evaluate({ x: X, labels: X.map(() => 0) }), 'ERR_DLADMM_LABEL', /-1, 1.*0/);
  });

  it('are no slip among numbers that do', async () => {
    await expectFailure(() => train(X.map((_, i) => [0, 1, 5][i % 3] as number)), 'ERR_DLADMM_LABEL', /0 to 2.*5/);
  });

  it('mean the same to a model whose classes have no names', async () => {
    const { model } = await train(X.map((_, i) => i % 3));
    const some = X.filter((_, i) => i % 3 !== 1);
    const numbers = some.map((_, i) => (i % 2) * 2);
    const { accuracy } = await model.evaluate({ x: some, labels: numbers });
    const gaps = { x: some, labels: numbers.map((n) => n / 2), classes: ['0', '2'] };
    expect((await model.evaluate(gaps)).accuracy).toBe(accuracy);
  });
});
