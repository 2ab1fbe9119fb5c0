/** Weights that are to be equal: inputs in groups, whose columns of W_l are one, to the bit. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compress } from '../../../src/compress.js';
import { fit, loadModel, type Model } from '../../../src/index.js';
import { adam, completePlan, dladmm, sgd } from '../../../src/solvers.js';
import { expectFailure, temporaryFolder } from '../../formats/support.js';
import { numbers } from '../../reference/addon.js';

const next = numbers(33);
/** As much of `left` as of `right`, and something of `other`. */
const table = Array.from({ length: 160 }, () => {
  const [left, right, other, free] = [next(), next(), next(), next()];
  return { left, other, right, free, y: Math.tanh(2 * (left + right)) + 0.3 * other + 0.1 * next() };
});

/** W_1 by rows, of as many inputs. */
const rowsOf = (model: Model, l: number): readonly number[][] => {
  const [inputs = 0] = model.network.layers.slice(l);
  const W = Array.from(model.weights[l] as ArrayLike<number>);
  return Array.from({ length: W.length / inputs }, (_, j) => W.slice(j * inputs, (j + 1) * inputs));
};

const COMMON = { target: 'y', hidden: [6, 4], bins: 0, validationShare: 0 } as const;

describe('equal weights', () => {
  test.each([
    ['dladmm', { solver: 'dladmm', nu: 1e-2, rho: 1e-2, iterations: 12 }],
    [
      'dladmm, by exact steps in double precision',
      {
        solver: 'dladmm',
        nu: 1e-2,
        rho: 1e-2,
        iterations: 8,
        dtype: 'float64',
        step: { W: 'cholesky', a: 'cholesky' },
      },
    ],
    ['inversion-admm', { solver: 'inversion-admm', iterations: 8 }],
    ['minibatch-admm', { solver: 'minibatch-admm', epochs: 3 }],
    ['gd', { solver: 'gd', epochs: 5 }],
    ['sgd', { solver: 'sgd', epochs: 3, learningRate: 0.02 }],
    ['badm', { solver: 'badm', epochs: 3 }],
    ['sisa', { solver: 'sisa', epochs: 3 }],
    ['adagrad', { solver: 'adagrad', epochs: 3 }],
    ['adam', { solver: 'adam', epochs: 3 }],
    ['nadamw', { solver: 'nadamw', epochs: 3 }],
  ] as const)('are so to the bit, in the file too (%s)', async (_, how) => {
    const regularise = {
      W: [
        { l2: 1e-4 },
        {
          equal: [
            [0, 5, 2],
            [1, 3],
          ],
        },
        {},
      ],
    };
    const { model } = await fit(table, { ...COMMON, ...how, equal: [['left', 'right']], regularise } as never);
    const file = join(await temporaryFolder(), 'model.safetensors');
    await (model as Model).save(file);
    for (const each of [model as Model, (await loadModel(file)) as Model]) {
      for (const [left, , right] of rowsOf(each, 0)) expect(right).toBe(left);
      for (const row of rowsOf(each, 1)) expect([row[5], row[2], row[3]]).toEqual([row[0], row[0], row[1]]);
      expect(new Set(rowsOf(each, 0).flat()).size).toBeGreaterThan(12);
      each.close();
    }
  });

  test('are those of the bins too, each with its counterpart', async () => {
    const { model } = await fit(table, {
      ...COMMON,
      bins: 4,
      solver: 'adam',
      epochs: 2,
      equal: [['left', 'right']],
    } as never);
    const of = ((model as Model).network.layers[0] as number) / 4;
    expect(of).toBeGreaterThan(1);
    for (const row of rowsOf(model as Model, 0)) expect(row.slice(2 * of, 3 * of)).toEqual(row.slice(0, of));
    (model as Model).close();
  });

  test('stay at 0 together, and within bounds', async () => {
    const regularise = { W: [{ inputs: 3e-2, min: 0 }, {}, {}] };
    const how = {
      ...COMMON,
      solver: 'sgd',
      epochs: 8,
      learningRate: 0.05,
      equal: [
        ['free', 'other'],
        ['left', 'right'],
      ],
    };
    const { model } = await fit(table, { ...how, regularise } as never);
    for (const [left = -1, other, right, free] of rowsOf(model as Model, 0)) {
      expect([right, free]).toEqual([left, other]);
      expect(left).toBeGreaterThanOrEqual(0);
    }
    (model as Model).close();
  });

  test('have one sign where the paths are monotone', async () => {
    const how = { ...COMMON, solver: 'adam', epochs: 4, monotone: { left: 1, right: 1 }, equal: [['left', 'right']] };
    const { model } = await fit(table, how as never);
    for (const [j, [left = 0, , right]] of rowsOf(model as Model, 0).entries()) {
      expect(right).toBe(left);
      expect(left * ([1, -1, 0][j % 3] as number)).toBeGreaterThanOrEqual(0);
    }
    (model as Model).close();
  });

  test('of all inputs make the outputs blind to which of them it is', async () => {
    const how = { solver: 'dladmm', iterations: 6, layers: [4, 5, 1], loss: 'squared-error', equal: [[0, 1, 2, 3]] };
    const x = table.map(({ left, right, other, free }) => [left, right, other, free]);
    const { model } = await fit({ x, y: table.map(({ y }) => y) } as never, how as never);
    for (const row of rowsOf(model as Model, 0)) expect(new Set(row).size).toBe(1);
  });
});

describe('what cannot be equal is told', () => {
  const layers = [4, 6, 1];
  const plan = (options: object) => async () => completePlan(dladmm, { layers, loss: 'squared-error', ...options });

  test.each([
    ['no groups', { equal: 'left' }, 'ERR_DLADMM_ARGUMENT', /lists of inputs.*equal/],
    ['one alone', { equal: [[0]] }, 'ERR_DLADMM_ARGUMENT', /two or more inputs.*equal\[0\]/],
    ['no place', { equal: [[0, -1]] }, 'ERR_DLADMM_ARGUMENT', /equal\[0\]/],
    [
      'an input in two groups',
      {
        equal: [
          [0, 1],
          [1, 2],
        ],
      },
      'ERR_DLADMM_RANGE',
      /every input once.*equal/,
    ],
    ['an input that there is not', { equal: [[0, 4]] }, 'ERR_DLADMM_RANGE', /from 0 to 3/],
    [
      'a neuron that there is not',
      { regularise: { W: [{}, { equal: [[0, 6]] }] } },
      'ERR_DLADMM_RANGE',
      /0 to 5.*W\[1\]\.equal/,
    ],
    [
      'the first layer twice',
      { equal: [[0, 1]], regularise: { W: [{ equal: [[2, 3]] }, {}] } },
      'ERR_DLADMM_RANGE',
      /both/,
    ],
    ['two signs', { equal: [[0, 1]], monotone: { 0: 1, 1: -1 } }, 'ERR_DLADMM_RANGE', /one sign/],
    ['a sign and none', { equal: [[0, 1]], monotone: { 0: 1 } }, 'ERR_DLADMM_RANGE', /one sign/],
    [
      'sums of 0 of all that is equal',
      { equal: [[0, 1, 2, 3]], regularise: { W: { zeroSum: true } } },
      'ERR_DLADMM_RANGE',
      /are 0/,
    ],
  ] as const)('%s', async (_, options, code, words) => {
    await expectFailure(plan(options), code, words);
  });

  test('goes with what has the mean first', () => {
    for (const W of [{ nuclear: 1 }, { zeroSum: true }, { l1: 1, max: 1 }, { neurons: 1, min: 0 }])
      expect(completePlan(sgd, { layers, loss: 'squared-error', equal: [[0, 1]], regularise: { W } })).toHaveProperty(
        'regularisers',
      );
    expect(completePlan(adam, { layers, equal: [] })).not.toHaveProperty('regularisers');
  });

  test('by fit, of columns that are none, or no numbers', async () => {
    const texts = table.map((row) => ({ ...row, city: row.left > 0 ? 'a' : 'b' }));
    const asked = (equal: unknown) => () =>
      fit(texts, { solver: 'adam', epochs: 1, hidden: [4], target: 'y', equal } as never);
    await expectFailure(asked([['left', 'rigth']]), 'ERR_DLADMM_RANGE', /rigth/);
    await expectFailure(asked([['left', 'city']]), 'ERR_DLADMM_ARGUMENT', /columns of numbers/);
  });

  test('by compress, and by a solver that has no such steps', async () => {
    const { model } = await fit(table, { ...COMMON, solver: 'adam', epochs: 1 } as never);
    await expectFailure(
      () => compress(model as Model, table as never, { sparsity: 0.5 }, { equal: [['left', 'right']] } as never),
      'ERR_DLADMM_ARGUMENT',
      /options\.equal/,
    );
    (model as Model).close();
    await expectFailure(
      () => fit(table, { ...COMMON, solver: 'kfac', epochs: 1, equal: [['left', 'right']] } as never),
      'ERR_DLADMM_ARGUMENT',
      /equal/,
    );
  });
});
