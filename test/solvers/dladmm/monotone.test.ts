/** Monotone networks: paths whose weights have signs. A composition of non-decreasing functions, so that every pair of rows agrees. */
import { describe, expect, test } from 'vitest';
import { fit, type Model, train } from '../../../src/index.js';
import { adam, completePlan, dladmm } from '../../../src/solvers.js';
import { expectFailure } from '../../formats/support.js';
import { numbers } from '../../reference/addon.js';

const next = numbers(21);
const ROWS = 240;
/** Rises with `up`, falls with `down`, and does as it likes with the others. */
const table = Array.from({ length: ROWS }, () => {
  const [up, down, free, other] = [next(), next(), next(), next()];
  const y = Math.max(up, 0) ** 2 * 3 + up - 2 * Math.tanh(3 * down) + Math.cos(4 * free) + 0.6 * next();
  return { up, free, down, other, y, kind: y > 0.5 ? 'yes' : 'no' };
});
const regression = table.map(({ kind: _, ...row }) => row);
const classes = table.map(({ y: _, ...row }) => row);

const PAIRS = 4000;
async function violations(model: Model, score: (rows: object[]) => Promise<readonly number[]>): Promise<number> {
  const draw = () => 3 * next();
  const below = Array.from({ length: PAIRS }, () => ({ up: draw(), free: draw(), down: draw(), other: draw() }));
  const above = below.map((row, i) =>
    i % 2 === 0 ? { ...row, up: row.up + Math.abs(draw()) } : { ...row, down: row.down - Math.abs(draw()) },
  );
  const [low, high] = [await score(below), await score(above)];
  model.close();
  return low.filter((value, i) => value > (high[i] ?? 0)).length;
}

type Predicted = { readonly [K in 'outputs' | 'probabilities']: { readonly data: ArrayLike<number> } };
const predicted = async (model: Model, rows: object[]) => (await model.predict(rows as never)) as unknown as Predicted;

const COMMON = { hidden: [12, 6], monotone: { up: 1, down: -1 } } as const;

describe('a trained function', () => {
  test.each([
    ['dladmm', { solver: 'dladmm', nu: 1e-2, rho: 1e-2, iterations: 30 }],
    [
      'dladmm, by exact steps',
      { solver: 'dladmm', nu: 1e-2, rho: 1e-2, iterations: 30, step: { W: 'cholesky', a: 'cholesky' } },
    ],
    ['inversion-admm', { solver: 'inversion-admm', iterations: 20, activation: { leakyRelu: 0.1 } }],
    ['adam', { solver: 'adam', epochs: 15, activation: 'tanh' }],
    ['minibatch-admm', { solver: 'minibatch-admm', epochs: 15, activation: 'tanh' }],
    ['sgd', { solver: 'sgd', epochs: 15, learningRate: 0.02, activation: 'softplus', regularise: { W: { l1: 1e-3 } } }],
  ] as const)('rises and falls as asked for on all pairs of rows (%s)', async (_, how) => {
    const { model } = await fit(regression, { ...COMMON, ...how, target: 'y', validationShare: 0 } as never);
    const own = model as Model;
    const outputs = async (rows: object[]) => Array.from((await predicted(own, rows)).outputs.data);
    expect(new Set(await outputs([...regression])).size).toBeGreaterThan(50);
    expect(await violations(own, outputs)).toBe(0);
  });

  test('is the probability of the second class, of two', async () => {
    const { model } = await fit(classes, {
      ...COMMON,
      solver: 'adam',
      epochs: 15,
      target: 'kind',
      validationShare: 0,
    } as never);
    const own = model as Model;
    const second = async (rows: object[]) => {
      const { data } = (await predicted(own, rows)).probabilities;
      return rows.map((_, i) => data[2 * i + 1] as number);
    };
    expect(await violations(own, second)).toBe(0);
  });

  test('stays so where it goes on, told again by the names of columns', async () => {
    const how = { solver: 'adam', epochs: 5, monotone: COMMON.monotone, validationShare: 0 };
    const { model } = await fit(regression, { ...COMMON, ...how, target: 'y' } as never);
    const on = (await model.fit(regression as never, { ...how, epochs: 15 } as never)).model as Model;
    const outputs = async (rows: object[]) => Array.from((await predicted(on, rows)).outputs.data);
    expect(new Set(await outputs([...regression])).size).toBeGreaterThan(50);
    expect(await violations(on, outputs)).toBe(0);
  });

  test('has signs on its paths', async () => {
    const x = {
      rows: ROWS,
      columns: 4,
      data: Float32Array.from(regression.flatMap(({ up, free, down, other }) => [up, free, down, other])),
    };
    const y = regression.map((row) => row.y);
    const { model } = await fit(
      { x, y },
      { layers: [4, 6, 1], loss: 'squared-error', solver: 'dladmm', iterations: 3, monotone: { 0: 1, 2: -1 } },
    );
    const [first = [], last = []] = model.weights.map((W) => Array.from(W));
    for (let j = 0; j < 6; j += 1) {
      const sign = [1, -1, 0][j % 3] as number;
      const [up = 0, , down = 0] = first.slice(4 * j, 4 * j + 4);
      if (sign === 0) expect([up, down]).toEqual([0, 0]);
      else expect([up * sign >= 0, down * sign <= 0, (last[j] ?? 0) * sign >= 0]).toEqual([true, true, true]);
    }
  });
});

describe('what cannot be monotone is told', () => {
  const layers = [4, 6, 1];
  const plan = (options: object) => async () => completePlan(dladmm, { layers, loss: 'squared-error', ...options });
  test('by plans', async () => {
    await expectFailure(
      plan({ monotone: { 0: 2 } }),
      'ERR_DLADMM_ARGUMENT',
      /1 \(rises\) or −1 \(falls\).*monotone\.0/,
    );
    await expectFailure(plan({ monotone: { 4: 1 } }), 'ERR_DLADMM_RANGE', /from 0 to 3/);
    await expectFailure(plan({ monotone: { 0: 1 }, activation: 'silu' }), 'ERR_DLADMM_ARGUMENT', /which only rise/);
    await expectFailure(
      plan({ monotone: { 0: 1 }, loss: undefined, layers: [4, 3] }),
      'ERR_DLADMM_ARGUMENT',
      /two classes/,
    );
    await expectFailure(
      plan({ monotone: { 0: 1 }, regularise: { W: { min: 0.5 } } }),
      'ERR_DLADMM_RANGE',
      /contradict/,
    );
    await expectFailure(
      plan({ monotone: { 0: 1 }, regularise: { W: { nuclear: 1 } } }),
      'ERR_DLADMM_RANGE',
      /contradict/,
    );
    expect(completePlan(adam, { layers, loss: 'squared-error', monotone: {} })).not.toHaveProperty('regularisers');
  });

  test('by fit, of columns that are none, or no numbers', async () => {
    const asked = (monotone: object) => () =>
      fit(regression, { solver: 'adam', epochs: 1, hidden: [4], target: 'y', monotone } as never);
    await expectFailure(asked({ upp: 1 }), 'ERR_DLADMM_RANGE', /upp/);
    await expectFailure(asked({ up: 2 }), 'ERR_DLADMM_ARGUMENT', /falls\) for monotone\.up but received 2/);
    const texts = classes.map((row) => ({ ...row, city: row.up > 0 ? 'a' : 'b' }));
    await expectFailure(
      () => fit(texts, { solver: 'adam', epochs: 1, hidden: [4], target: 'kind', monotone: { city: 1 } } as never),
      'ERR_DLADMM_ARGUMENT',
      /columns of numbers/,
    );
  });

  test('of a solver that has no such steps', async () => {
    await expectFailure(
      // @ts-expect-error not of muon
      () => train({ x: [[1]], y: [1] }, { layers: [1, 1], loss: 'squared-error', solver: 'muon', monotone: { 0: 1 } }),
      'ERR_DLADMM_ARGUMENT',
      /monotone/,
    );
  });
});
