import { describe, expect, test } from 'vitest';
import { fit as fitModel } from '../../../src/index.js';
import type { IterationRecord } from '../../../src/solvers.js';
import { random } from '../../reference/addon.js';
import { entry, matrix } from '../../reference/dense.js';

/** Points of a square with their side of a parabola. */
const x = random(4, 200, 2);
const labels = Int32Array.from({ length: 200 }, (_, i) => (entry(x, i, 1) > entry(x, i, 0) ** 2 ? 1 : 0));
const y = matrix(200, 1, (i) => entry(x, i, 0) * entry(x, i, 1));

describe.each(['sigmoid', 'tanh'] as const)('hidden layers of %s', (activation) => {
  test('are trained by dlADMM, whose augmented Lagrangian falls in every iteration', async () => {
    const { history, status } = await fitModel(
      { x, labels },
      {
        layers: [2, 12, 8, 2],
        activation,
        dtype: 'float64',
        nu: 1,
        rho: 1,
        iterations: 150,
        stepSearch: 'exact',
        start: { dual: 'stationary' },
        initialisation: { scheme: 'glorot', gain: 2 },
        trainMetrics: true,
      },
    );
    expect(status.kind).toBe('completed');
    for (const [i, { lagrangian }] of history.slice(1).entries()) {
      const before = (history[i] as IterationRecord).lagrangian;
      expect(lagrangian).toBeLessThanOrEqual(before + 1e-10 * Math.abs(before));
    }
    const [first, last] = [history[0]?.train?.loss ?? 0, history.at(-1)?.train?.loss ?? Number.NaN];
    expect(last).toBeLessThan(0.8 * first);
  });

  test('are trained by the inversion ADMM and by Adam', async () => {
    const shared = { layers: [2, 12, 1], activation, loss: 'squared-error', dtype: 'float64' } as const;
    const inversion = await fitModel({ x, y }, { ...shared, solver: 'inversion-admm', iterations: 30 });
    const adam = await fitModel(
      { x, y },
      { ...shared, solver: 'adam', epochs: 100, batchSize: 20, learningRate: 0.02 },
    );
    for (const { model, status } of [inversion, adam]) {
      expect(status.kind).toBe('completed');
      expect(model.weights.every((values) => values.every(Number.isFinite))).toBe(true);
    }
    expect(adam.history.at(-1)?.loss).toBeLessThan(0.01);
  });
});
