/** A bound of how much outputs move with inputs. */
import { expect, test } from 'vitest';
import { fit, type Model } from '../../src/index.js';
import { lipschitzBound, report } from '../../src/report.js';
import { numbers, random } from '../reference/addon.js';

const next = numbers(9);
const rows = Array.from({ length: 150 }, () => {
  const [a, b, c] = [next(), next(), next()];
  return { a, b, c, y: 2 * a - Math.sin(3 * b) + 0.1 * next() };
});

test.each(['relu', 'tanh', 'sigmoid', 'silu', 'gelu', 'softplus', 'elu', { leakyRelu: -1.5 }] as const)(
  'no two rows lie further apart at the outputs (%o)',
  async (activation) => {
    const x = random(4, 100, 3, 2);
    const y = Array.from({ length: 100 }, (_, i) => 3 * (x.data[3 * i] ?? 0));
    const how = { solver: 'adam', layers: [3, 8, 1], loss: 'squared-error', activation, epochs: 30 } as const;
    const { model } = await fit({ x, y }, { ...how, standardiseTargets: false, dtype: 'float64' } as never);
    const own = model as Model;
    const outputs = Array.from(
      ((await own.predict(x)) as unknown as { outputs: { data: ArrayLike<number> } }).outputs.data,
    );
    const [first, second] = [0, 1].map((l) => Math.hypot(...Array.from(own.weights[l] ?? []))) as [number, number];
    const bound = lipschitzBound(own);
    let most = 0;
    for (let i = 0; i < 100; i += 1) {
      for (let j = 0; j < i; j += 1) {
        const apart = Math.hypot(...[0, 1, 2].map((k) => (x.data[3 * i + k] ?? 0) - (x.data[3 * j + k] ?? 0)));
        most = Math.max(most, Math.abs((outputs[i] ?? 0) - (outputs[j] ?? 0)) / apart);
      }
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(bound);
    expect(bound).toBeLessThanOrEqual(1.5 * first * second);
  },
);

test('is told of where singular values are bounded, and on the page', async () => {
  const how = { solver: 'sgd', target: 'y', hidden: [6], epochs: 20, learningRate: 0.05 } as const;
  const bounded = await fit(rows, { ...how, regularise: { W: { spectralNorm: 1.5 } } });
  const { lipschitz } = bounded.report;
  expect(lipschitz).toBeLessThanOrEqual(1.5 ** 2 * (1 + 1e-6));
  expect(String(bounded.report)).toMatch(/^Lipschitz bound [\d.]+ of the outputs, of standardised inputs$/m);
  expect(report(bounded as never)).toContain('Lipschitz bound');
  expect((await fit(rows, how)).report).not.toHaveProperty('lipschitz');
});

test('what is no model has no bound', () => {
  for (const wrong of [undefined, null, {}, { weights: [] }, { weights: 1, network: {} }])
    expect(() => lipschitzBound(wrong as never)).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_ARGUMENT' }));
});
