import { describe, expect, test } from 'vitest';
import { fit, type Loss } from '../../../src/index.js';
import { completePlan, type DladmmOptions, dladmm } from '../../../src/solvers.js';
import { numbers } from '../../reference/addon.js';

const next = numbers(61);
const x = Array.from({ length: 61 }, () => Float64Array.from({ length: 5 }, next));
const labels = x.map(([a = 0, b = 0]) => (a > b ? 2 : a + b > 0 ? 1 : 0));
const y = x.map(([a = 0, b = 0, c = 0]) => Float64Array.of(a + b, b * c, c));

const LOSSES: readonly (readonly [Loss, number])[] = [
  ['softmax-cross-entropy', 0.5],
  ['squared-error', 1],
  ['one-hot-squared-error', 1],
];

async function solved(loss: Loss, outputSolver: DladmmOptions['outputSolver'], more: object = {}) {
  const data = loss === 'squared-error' ? { x, y } : { x, labels };
  const { history, status } = await fit(data, {
    ...{ solver: 'dladmm', loss, layers: [5, 6, 3], threads: 1, iterations: 3, dtype: 'float64', nu: 1, rho: 0.01 },
    ...(loss === 'squared-error' && { standardiseTargets: false }),
    ...{
      start: { output: 'forward', dual: 'stationary' },
      ...more,
      ...(outputSolver !== undefined && { outputSolver }),
    },
  } as never);
  const [last] = (history as never[]).slice(-1) as unknown as readonly {
    readonly lagrangian: number;
    readonly updates: readonly { readonly block: string; readonly layer: number; readonly steps?: number }[];
  }[];
  const steps = last?.updates.filter(({ block, layer }) => block === 'z' && layer === 2).map((each) => each.steps ?? 0);
  return { kind: status.kind, lagrangian: last?.lagrangian ?? Number.NaN, steps: Math.max(0, ...(steps ?? [])) };
}

describe.each(LOSSES)('FISTA of %s', (loss, H) => {
  const fista = (curvature: number) => ({ kind: 'fista', curvature, tolerance: 1e-12, limit: 3000 }) as const;

  test('reaches the minimum from the curvature of R on, in the more steps the larger it is', async () => {
    const more = { rho: 0.1 };
    const exact = await solved(loss, 'exact', more);
    const counts: number[] = [];
    for (const L of [H, 4 * H, 16 * H]) {
      const { lagrangian } = await solved(loss, { ...fista(L), tolerance: 0 }, more);
      expect(lagrangian / exact.lagrangian).toBeCloseTo(1, 9);
      counts.push((await solved(loss, fista(L), more)).steps);
    }
    expect(counts[1]).toBeGreaterThan(counts[0] as number);
    expect(counts[2]).toBeGreaterThan(counts[1] as number);
  });

  test.each([1e3, 1e12, 1e99, 1e150, Number.MAX_VALUE])('diverges with no curvature that is large: %d', async (L) => {
    for (const more of [{}, { rho: 1e-6, nu: 1e-6 }, { dtype: 'float32' }]) {
      expect((await solved(loss, fista(L), more)).kind).toBe('completed');
    }
  });
});

test('a curvature far below that of R diverges', async () => {
  expect((await solved('squared-error', { kind: 'fista', curvature: 0.1, limit: 3000 })).kind).toBe('diverged');
});

test.each(LOSSES)('without a curvature FISTA of %s completes', async (loss) => {
  expect((await solved(loss, 'fista')).kind).toBe('completed');
});

test('a step is of 1/L, of softmax cross-entropy that of the official code where nobody says', () => {
  const stepOf = (options: object) =>
    (completePlan(dladmm, { layers: [5, 3], ...options }) as unknown as { settings: { fistaStep: number } }).settings
      .fistaStep;
  expect(stepOf({ outputSolver: 'fista' })).toBe(4);
  expect(stepOf({ outputSolver: 'fista', loss: 'squared-error' })).toBe(1);
  expect(stepOf({ outputSolver: { kind: 'fista', curvature: 8 } })).toBe(0.125);
  // What an earlier checkpoint says.
  expect(stepOf({ outputSolver: { kind: 'fista', $step: 0.9 } })).toBe(0.9);
});
