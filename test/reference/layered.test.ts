import { describe, expect, test } from 'vitest';
import { at, entry, type Matrix64, map, matrix, squaredNorm } from './dense.js';
import {
  applyUpdate,
  depth,
  dladmmSweep,
  dualGradient,
  exactOutputZ,
  hiddenZ,
  lagrangian,
  lossGradient,
  lossOf,
  type Penalties,
  type PlainState,
  residuals,
  runSweep,
  softmaxProximal,
  softmaxRows,
  startState,
  type Target,
  updateA,
  updateW,
} from './layered.js';
import { costsRise } from './replay.js';
import {
  bruteForceHidden,
  c2,
  changeSquared,
  descentRho,
  hiddenObjective,
  lipschitz,
  lowerBound,
  meanResidual,
  monotoneRho,
  networkLoss,
  outputStationarity,
  stepSquares,
} from './theory.js';

/** Numbers spread over (−1, 1), the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
}

const random = (seed: number, rows: number, columns: number, scale = 1): Matrix64 => {
  const next = numbers(seed);
  return matrix(rows, columns, () => scale * next());
};

const SAMPLES = 40;
const CLASSES = 4;

const classes: Target = {
  loss: 'cross-entropy',
  labels: Int32Array.from({ length: SAMPLES }, (_, i) => (i * i + (i % 3)) % CLASSES),
  softmax: 'stable',
};
const targets: Target = { loss: 'squared', y: random(9, SAMPLES, CLASSES) };

/** A net 6-7-5-4 with the slopes of its hidden layers, at a start where Lemma B.2 holds, or at the published one. */
function start(target: Target, slopes: readonly [number, number] = [0, 0], published = false): PlainState {
  const units = [6, 7, 5, CLASSES];
  return startState({
    layers: units.map((n, l) => ({ units: n, slope: slopes[l - 1] ?? 1 })),
    W: units.slice(1).map((n, i) => random(i + 1, n, at(units, i, 'units'), 0.8)),
    b: units.slice(1).map((n, i) => random(i + 20, n, 1).data),
    X: random(5, SAMPLES, 6, 2),
    target,
    output: published ? 'signs' : 'forward',
    dual: published ? 'zero' : 'minus gradient',
  });
}

const base: Penalties = {
  nu: 1,
  rho: 1,
  theta0: 1,
  tau0: 1,
  growth: 2,
  search: 'backtracking',
  l2: 0,
  output: { kind: 'exact' },
};

describe('the sweep of Algorithm 1', () => {
  test('for three layers goes back z b W | a z b W | a z b W, and forward W b z a | W b z a | W b z | u', () => {
    const names = dladmmSweep(3).map(({ block, layer }) => block + layer);
    expect(names.join(' ')).toBe('z3 b3 W3 a2 z2 b2 W2 a1 z1 b1 W1 W1 b1 z1 a1 W2 b2 z2 a2 W3 b3 z3 u3');
  });

  test('for one layer has no hidden updates', () => {
    expect(dladmmSweep(1).map(({ block, layer }) => block + layer)).toEqual('z1 b1 W1 W1 b1 z1 u1'.split(' '));
  });
});

describe('the hidden z update', () => {
  test.each([0, 0.01, 0.3, 1, 1.7, -0.5])('is at the minimum that brute force finds, slope %s', (slope) => {
    const next = numbers(3);
    for (let i = 0; i < 100; i++) {
      const [m, a] = [3 * next(), 3 * next()];
      const found = hiddenObjective(hiddenZ(m, a, slope), m, a, slope);
      expect(found).toBeLessThanOrEqual(bruteForceHidden(m, a, slope).value + 1e-14);
    }
  });

  test('takes the candidate on z ≤ 0 of two that are equally good', () => {
    // With f(z) = |z| and m = 0 the two are mirror images.
    expect(hiddenZ(0, 2, -1)).toBe(-1);
    expect(hiddenZ(1e-9, 2, -1)).toBeCloseTo(1, 8);
  });
});

describe('the exact z_L', () => {
  test.each([1e-6, 1e-3, 0.1, 1, 30])('solves every row to 1e-13, ρ = %s', (rho) => {
    // q of a z that is known: with a q from nowhere and ρ = 1e-6, z would be near 1e6, where doubles are 1e-10 apart.
    const known = random(7, 50, 10, 20);
    const p = softmaxRows(known, 'stable');
    const q = map(known, (x, i, j) => entry(p, i, j) + rho * x);
    for (let i = 0; i < q.rows; i++) {
      const row = [...q.data.subarray(10 * i, 10 * i + 10)];
      const z = matrix(1, 10, (_, j) => at(softmaxProximal(row, rho), j, 'z'));
      const p = softmaxRows(z, 'stable');
      const off = map(z, (x, _, j) => at([...p.data], j, 'p') + rho * x - at(row, j, 'q'));
      expect(Math.max(...off.data.map(Math.abs))).toBeLessThanOrEqual(1e-13);
    }
  });

  test('is a fixed point of a certain class as well as of a hopeless one', () => {
    for (const q of [
      [800, -900, 3],
      [0, 0, 0],
      [1e-300, 1, -1],
    ]) {
      const z = softmaxProximal(q, 0.5);
      const p = softmaxRows(
        matrix(1, 3, (_, j) => at(z, j, 'z')),
        'stable',
      );
      z.forEach((x, j) => {
        expect(Math.abs(at([...p.data], j, 'p') + 0.5 * x - at(q, j, 'q'))).toBeLessThanOrEqual(1e-12);
      });
    }
  });

  test('is where FISTA goes with a step of 1/H and no tolerance', () => {
    const state = start(classes);
    const output = { kind: 'fista', step: 2, tolerance: 0, maxIterations: 3000 } as const;
    const slow = applyUpdate(state, { block: 'z', layer: 3 }, { ...base, rho: 0.4, output });
    const exact = exactOutputZ(zeroLayer(state), state.u, classes, 0.4);
    const z = at(slow.state.z, 3, 'z');
    expect(Math.sqrt(squaredNorm(map(z, (x, i, j) => x - at([...exact.data], i * z.columns + j, 'z'))))).toBeLessThan(
      1e-7,
    );
  });

  test.each([classes, targets])('leaves no gradient, and the dual step then makes u = −∇R(z_L): $loss', (target) => {
    let state = start(target);
    const penalties = { ...base, rho: 0.3 };
    for (const update of dladmmSweep(3)) {
      state = applyUpdate(state, update, penalties).state;
      if (update.block === 'z' && update.layer === 3) expect(outputStationarity(state, 0.3)).toBeLessThanOrEqual(1e-13);
    }
    expect(dualGradient(state)).toBeLessThanOrEqual(1e-13);
  });

  /** m_L of the start. */
  function zeroLayer(state: PlainState): Matrix64 {
    const z = at(state.z, depth(state), 'z');
    const r = at(residuals(state).r, depth(state), 'r');
    return map(z, (x, i, j) => x - (r.data[i * r.columns + j] ?? Number.NaN));
  }
});

describe('the losses', () => {
  test.each<Target>([classes, targets, { ...classes, softmax: 'official' }])(
    'have the gradients that differences give',
    (target) => {
      const x = random(11, SAMPLES, CLASSES, 2);
      const gradient = lossGradient(x, target);
      const h = 1e-5;
      for (const index of [0, 5, 33, 127]) {
        const moved = (by: number): Matrix64 => ({ ...x, data: x.data.map((v, k) => (k === index ? v + by : v)) });
        const difference = (lossOf(moved(h), target) - lossOf(moved(-h), target)) / (2 * h);
        expect(difference).toBeCloseTo(gradient.data[index] ?? Number.NaN, 7);
      }
    },
  );

  test('agree for ordinary outputs, and differ where the published formula overflows', () => {
    const official: Target = { ...classes, softmax: 'official' };
    const x = random(12, SAMPLES, CLASSES, 3);
    expect(lossOf(x, official)).toBeCloseTo(lossOf(x, classes), 8);
    const one = (values: readonly number[]): Matrix64 => matrix(1, values.length, (_, j) => at(values, j, 'x'));
    const label: Target = { loss: 'cross-entropy', labels: Int32Array.of(0), softmax: 'official' };
    // exp(710) is infinite and becomes exp(88.6), so 710 loses against 700; a share of zero counts 1e-10.
    expect(lossOf(one([710, 700]), label)).toBeCloseTo(-Math.log(Math.exp(88.6) / (Math.exp(88.6) + Math.exp(700))), 9);
    expect(lossOf(one([-800, 0]), label)).toBe(-Math.log(1e-10));
    expect(lossOf(one([-800, 0]), { ...label, softmax: 'stable' })).toBe(800);
  });
});

const settings: [string, Target, [number, number], Partial<Penalties>][] = [
  ['ReLU, ν = ρ', classes, [0, 0], {}],
  ['ReLU, ν < ρ', classes, [0, 0], { nu: 0.2, rho: 3 }],
  ['ReLU, ν > ρ, squared loss', targets, [0, 0], { nu: 4, rho: 0.7 }],
  ['leaky and identity', classes, [0.1, 1], { nu: 0.5, rho: 2 }],
  ['weight decay', classes, [0, 0.2], { nu: 0.5, rho: 2, l2: 0.3 }],
  ['small start, growth 1.3', classes, [0, 0], { theta0: 1e-3, tau0: 1e-3, growth: 1.3 }],
];

describe.each(settings)('each update, %s', (_, target, slopes, change) => {
  test.each(['backtracking', 'exact'] as const)('lowers the Lagrangian as its lemma says, %s search', (search) => {
    const penalties: Penalties = { ...base, ...change, search };
    const { nu, rho, l2 } = penalties;
    let state = start(target, slopes);
    for (let k = 0; k < 4; k++) {
      for (const update of dladmmSweep(3)) {
        const step = applyUpdate(state, update, penalties);
        const before = lagrangian(state, penalties);
        const gain = before - lagrangian(step.state, penalties);
        const change = changeSquared(state, step.state, update);
        const slack = 1e-12 * Math.abs(before);
        const weight = update.layer === 3 ? rho : nu;
        if (update.block === 'W' || update.block === 'a') {
          const size = (step.theta ?? step.tau ?? Number.NaN) + (update.block === 'W' ? l2 : 0);
          expect(gain).toBeGreaterThanOrEqual((size / 2) * change - slack);
          // At κ the quadratic model is the function itself along the direction.
          if (search === 'exact') expect(Math.abs(gain - (size / 2) * change)).toBeLessThanOrEqual(slack);
        }
        if (update.block === 'b') {
          expect(Math.abs(gain - ((SAMPLES * weight) / 2) * change)).toBeLessThanOrEqual(slack);
          for (const mean of meanResidual(step.state, update.layer, rho)) expect(Math.abs(mean)).toBeLessThan(1e-13);
        }
        if (update.block === 'z')
          expect(gain).toBeGreaterThanOrEqual((update.layer === 3 ? (rho / 2) * change : 0) - slack);
        state = step.state;
      }
    }
  });

  test('backtracking accepts the first θ0 · growthⁿ that is not below κ', () => {
    const penalties: Penalties = { ...base, ...change };
    const first = (from: number, kappa: number): number => {
      let step = from;
      while (step < kappa) step *= penalties.growth;
      return step;
    };
    const state = runSweep(start(target, slopes), dladmmSweep(3), penalties).state;
    for (let l = 1; l <= 3; l++) {
      const kappa = updateW(state, l, { ...penalties, search: 'exact' }).theta ?? Number.NaN;
      expect(updateW(state, l, penalties).theta).toBe(first(penalties.theta0, kappa));
    }
    for (let l = 1; l < 3; l++) {
      const kappa = updateA(state, l, { ...penalties, search: 'exact' }).tau ?? Number.NaN;
      expect(updateA(state, l, penalties).tau).toBe(first(penalties.tau0, kappa));
    }
  });
});

describe('a direction of zero', () => {
  /** All inputs zero: no gradient for W_1, whatever the residual. */
  const dead = (): PlainState => {
    const state = start(classes);
    return {
      ...state,
      a: state.a.with(
        0,
        map(at(state.a, 0, 'a'), () => 0),
      ),
    };
  };

  test('takes no step and reports the θ that it started from', () => {
    const state = dead();
    const step = updateW(state, 1, { ...base, theta0: 3 });
    expect(step.theta).toBe(3);
    expect(step.state.W).toEqual(state.W);
  });

  test('reports the last θ with the exact search', () => {
    const exact: Penalties = { ...base, search: 'exact', theta0: 3 };
    expect(updateW(dead(), 1, exact).theta).toBe(3);
    expect(updateW({ ...dead(), theta: [undefined, 17, undefined, undefined] }, 1, exact).theta).toBe(17);
  });
});

describe('a whole training', () => {
  /** Lagrangian values, sweep by sweep, with all that is promised for each sweep checked by `each`. */
  function train(
    from: PlainState,
    penalties: Penalties,
    sweeps: number,
    each?: (before: PlainState, done: ReturnType<typeof runSweep>) => void,
  ): number[] {
    let state = from;
    const values = [lagrangian(state, penalties)];
    for (let k = 0; k < sweeps; k++) {
      const done = runSweep(state, dladmmSweep(3), penalties);
      each?.(state, done);
      state = done.state;
      values.push(lagrangian(state, penalties));
    }
    return values;
  }
  const rises = (values: readonly number[]): number =>
    values.filter((value, i) => i > 0 && value > at(values, i - 1, 'values') + 1e-10 * Math.abs(value)).length;

  test.each([classes, targets])('decreases by at least C2′ S_k for ρ above (√17 + 1)/2 · H: $loss', (target) => {
    const H = lipschitz(target);
    const penalties: Penalties = { ...base, nu: 0.5, rho: 1.02 * descentRho(H) };
    train(start(target), penalties, 30, (before, done) => {
      const gain = lagrangian(before, penalties) - lagrangian(done.state, penalties);
      const promised = c2(penalties, H, done.steps) * stepSquares(before, done.steps);
      expect(promised).toBeGreaterThan(0);
      expect(gain).toBeGreaterThanOrEqual(promised - 1e-11);
      expect(lagrangian(done.state, penalties)).toBeGreaterThanOrEqual(lowerBound(done.state, penalties) - 1e-11);
    });
  });

  test.each([classes, targets])('never raises the Lagrangian for ρ from (√17 − 1)/2 · H on: $loss', (target) => {
    const penalties: Penalties = { ...base, rho: monotoneRho(lipschitz(target)) };
    expect(rises(train(start(target), penalties, 60))).toBe(0);
  });

  test('raises the Lagrangian nearly always with ρ = ν = 1e-6', () => {
    expect(rises(train(start(classes, [0, 0], true), { ...base, nu: 1e-6, rho: 1e-6 }, 30))).toBeGreaterThan(25);
  });

  test('teaches the network', () => {
    let last = start(classes);
    const before = networkLoss(last);
    train(start(classes), { ...base, search: 'exact' }, 150, (_, done) => {
      last = done.state;
    });
    expect(networkLoss(last)).toBeLessThan(0.8 * before);
    expect(squaredNorm(at(residuals(last).r, 3, 'r'))).toBeLessThan(1e-2);
  });
});

test('the schedule sees three rises running, and not fewer', () => {
  expect(costsRise([1, 2, 3])).toBe(false);
  expect(costsRise([1, 2, 3, 4])).toBe(true);
  expect(costsRise([9, 1, 2, 3])).toBe(false);
  expect(costsRise([0, 1, 2, 2, 3, 4])).toBe(false);
  expect(costsRise([5, 1, 2, 3, 4])).toBe(true);
});
