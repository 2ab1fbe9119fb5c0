/** What the theory of dlADMM promises, on trainings and single updates of the addon. */
import { describe, expect, test } from 'vitest';
import { train } from '../../../src/index.js';
import type { DladmmOptions, IterationRecord, LayeredSession, Update } from '../../../src/solvers.js';
import {
  HOLDING,
  nativeOf,
  openAddon,
  openPlain,
  type Problem,
  random,
  readBlock,
  readPlain,
  samplesOf,
} from '../../reference/addon.js';
import { at, entry, largest, type Matrix64, map, matrix, minus, plus, squaredNorm } from '../../reference/dense.js';
import {
  dladmmSweep,
  dualGradient,
  lagrangian,
  linear,
  lossGradient,
  lossOf,
  type Penalties,
  type PlainState,
  type Target,
} from '../../reference/layered.js';
import {
  bruteForceHidden,
  c1,
  changeSquared,
  descentRho,
  hiddenObjective,
  lipschitz,
  lowerBound,
  meanResidual,
  monotoneRho,
  outputStationarity,
} from '../../reference/theory.js';

const SAMPLES = 40;
const CLASSES = 4;

const classes: Target = {
  loss: 'cross-entropy',
  labels: Int32Array.from({ length: SAMPLES }, (_, i) => (i * i + (i % 3)) % CLASSES),
  softmax: 'stable',
};
const targets: Target = { loss: 'squared', y: random(9, SAMPLES, CLASSES) };

/** A net 6-7-5-4 at a start where ∇R(z_L) + u = 0, or at the published one. */
function problem(target: Target, leaky = 0, published = false): Problem {
  const layers = [6, 7, 5, CLASSES];
  return {
    network: {
      layers,
      activation: leaky === 0 ? 'relu' : { leakyRelu: leaky },
      loss: target.loss === 'squared' ? 'squared-error' : 'softmax-cross-entropy',
    },
    W: layers.slice(1).map((n, i) => random(i + 1, n, at(layers, i, 'layers'), 0.8)),
    b: layers.slice(1).map((n, i) => random(i + 20, n, 1).data),
    X: random(5, SAMPLES, 6, 2),
    target,
    output: published ? 'signs' : 'forward',
    dual: published ? 'zero' : 'minus gradient',
  };
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

/** Opens `from` in the addon for the length of `work`. */
async function withAddon<R>(from: Problem, work: (state: LayeredSession) => Promise<R>, gram = true): Promise<R> {
  const state = await openAddon(from, { ...HOLDING, gram });
  try {
    return await work(state);
  } finally {
    state.close();
  }
}

/** Runs one update in the addon; the plain states around it, and the size it accepted. */
async function step(state: LayeredSession, before: PlainState, update: Update, penalties: Penalties) {
  const {
    updates: [record],
  } = await state.run([update], nativeOf(penalties));
  return { after: await readPlain(state, before), size: record?.size, record };
}

const settings: [string, Target, number, Partial<Penalties>][] = [
  ['ReLU, ν = ρ', classes, 0, {}],
  ['ReLU, ν < ρ', classes, 0, { nu: 0.2, rho: 3 }],
  ['ReLU, ν > ρ, squared error', targets, 0, { nu: 4, rho: 0.7 }],
  ['leaky', classes, 0.1, { nu: 0.5, rho: 2 }],
  ['leaky with a slope above 1', classes, 1.5, { nu: 0.5, rho: 2 }],
  ['ℓ2', classes, 0.2, { nu: 0.5, rho: 2, l2: 0.3 }],
  ['small first sizes, growth 1.3', classes, 0, { theta0: 1e-3, tau0: 1e-3, growth: 1.3 }],
  ['the penalties of the paper', classes, 0, { nu: 1e-6, rho: 1e-6 }],
];

describe.each(settings)('every update, %s', (_, target, leaky, change) => {
  test.each(['backtracking', 'exact'] as const)(
    'lowers the Lagrangian as its lemma says, %s search',
    async (search) => {
      const penalties: Penalties = { ...base, ...change, search };
      const { nu, rho, l2 } = penalties;
      const from = problem(target, leaky);
      await withAddon(from, async (state) => {
        let before = await readPlain(state, openPlain(from));
        for (let k = 0; k < 4; k++) {
          for (const update of dladmmSweep(3)) {
            const { after, size } = await step(state, before, update, penalties);
            const value = lagrangian(before, penalties);
            const gain = value - lagrangian(after, penalties);
            const moved = changeSquared(before, after, update);
            // With a small ρ the Lagrangian is a small difference of terms as large as ‖u‖²/ρ.
            const slack = 1e-12 * (Math.abs(value) + squaredNorm(before.u) / rho);
            const weight = update.layer === 3 ? rho : nu;
            const name = `${update.block}${update.layer}, sweep ${k}`;
            if (update.block === 'W' || update.block === 'a') {
              const curvature = (size ?? Number.NaN) + (update.block === 'W' ? l2 : 0);
              expect(gain, name).toBeGreaterThanOrEqual((curvature / 2) * moved - slack);
              // At κ the quadratic model is the function itself along the direction.
              if (search === 'exact') expect(Math.abs(gain - (curvature / 2) * moved), name).toBeLessThanOrEqual(slack);
            }
            if (update.block === 'b') {
              expect(Math.abs(gain - ((SAMPLES * weight) / 2) * moved), name).toBeLessThanOrEqual(slack);
              const scale = Math.max(1, largest(at(after.z, update.layer, 'z')), largest(after.u) / rho);
              for (const mean of meanResidual(after, update.layer, rho))
                expect(Math.abs(mean), name).toBeLessThan(1e-13 * scale);
            }
            if (update.block === 'z')
              expect(gain, name).toBeGreaterThanOrEqual((update.layer === 3 ? (rho / 2) * moved : 0) - slack);
            before = after;
          }
        }
      });
    },
  );
});

describe('the closed forms', () => {
  test.each([0, 0.01, 0.3, 1, 1.7, -0.5])(
    'of hidden z are the minima that brute force finds, slope %s',
    async (slope) => {
      const from = problem(classes, slope);
      await withAddon(from, async (state) => {
        const a = random(71, SAMPLES, 7, 3);
        await state.write('W', 1, random(72, 7, 6, 2).data);
        await state.write('a', 1, a.data);
        const before = await readPlain(state, openPlain(from));
        const { after } = await step(state, before, { block: 'z', layer: 1 }, base);
        const m = linear(after, 1);
        map(at(after.z, 1, 'z'), (z, i, j) => {
          const [mij, aij] = [entry(m, i, j), entry(a, i, j)];
          const found = hiddenObjective(z, mij, aij, slope);
          expect(found).toBeLessThanOrEqual(bruteForceHidden(mij, aij, slope, 60).value + 1e-13);
          return z;
        });
      });
    },
  );

  test.each([classes, targets])('of z_L cannot be bettered by a move in any direction: $loss', async (target) => {
    const from = problem(target);
    await withAddon(from, async (state) => {
      await state.write('u', 3, random(73, SAMPLES, CLASSES, 0.5).data);
      await state.write('W', 3, random(74, CLASSES, 5, 3).data);
      const before = await readPlain(state, openPlain(from));
      const { after } = await step(state, before, { block: 'z', layer: 3 }, { ...base, rho: 0.3 });
      const value = (z: Matrix64): number => lagrangian({ ...after, z: after.z.with(3, z) }, { ...base, rho: 0.3 });
      const best = at(after.z, 3, 'z');
      for (let trial = 0; trial < 60; trial++) {
        const direction = random(100 + trial, SAMPLES, CLASSES);
        for (const length of [1e-3, 0.1, 3]) {
          // R is convex, so the value grows by (ρ/2)‖move‖² at least.
          const least = value(best) + (0.3 / 2) * length ** 2 * squaredNorm(direction);
          expect(value(plus(best, length, direction))).toBeGreaterThanOrEqual(least - 1e-11);
        }
      }
    });
  });

  test('of W and a with the exact search are the lowest points along their directions', async () => {
    for (const update of dladmmSweep(3).filter(({ block }) => block === 'W' || block === 'a')) {
      const from = problem(classes);
      await withAddon(from, async (state) => {
        await state.write('z', 1, random(75, SAMPLES, 7).data);
        await state.write('z', 2, random(76, SAMPLES, 5).data);
        await state.write('u', 3, random(77, SAMPLES, CLASSES).data);
        const before = await readPlain(state, openPlain(from));
        const { after } = await step(state, before, update, { ...base, search: 'exact' });
        const value = (t: number): number => {
          const along = (list: PlainState['W'], next: PlainState['W']) =>
            list.map((m, l) => plus(m, t, minus(at(next, l, 'next'), m)));
          return lagrangian({ ...before, W: along(before.W, after.W), a: along(before.a, after.a) }, base);
        };
        expect(value(1)).toBeLessThan(value(0));
        for (const t of [0.5, 0.9, 0.99, 1.01, 1.1, 1.5]) expect(value(t)).toBeGreaterThan(value(1));
      });
    }
  });
});

describe('z_L and the dual step', () => {
  test.each([classes, targets])('make u = −∇R(z_L) after every iteration: $loss', async (target) => {
    const from = problem(target, 0, target.loss === 'cross-entropy');
    const penalties = { ...base, nu: 0.1, rho: 0.3 };
    await withAddon(from, async (state) => {
      let plain = openPlain(from);
      for (let k = 0; k < 10; k++) {
        for (const update of dladmmSweep(3)) {
          const { after, record } = await step(state, plain, update, penalties);
          if (update.block === 'z' && update.layer === 3) {
            expect(outputStationarity(after, 0.3)).toBeLessThanOrEqual(1e-13);
            expect(record?.stationarity).toBeLessThanOrEqual(1e-13);
          }
          plain = after;
        }
        expect(dualGradient(plain)).toBeLessThanOrEqual(1e-13);
      }
    });
  });

  test('leave the dual variable with the shape of the outputs, and no other', async () => {
    const from = problem(classes);
    await withAddon(from, async (state) => {
      expect((await state.read('u', 3)).data).toHaveLength(SAMPLES * CLASSES);
      for (const layer of [1, 2]) {
        await expect(state.read('u', layer)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_DLADMM_/) });
      }
    });
  });
});

describe('z_L on hard inputs', () => {
  /** z_L from the given m (through X = 1 and W = m), u and start; its gradient, and the gradient that it reports. */
  async function solve(m: Matrix64, u: Matrix64, labels: Int32Array, z: Matrix64, rho: number) {
    const n = m.rows;
    const target: Target = { loss: 'cross-entropy', labels, softmax: 'stable' };
    const from: Problem = {
      network: { layers: [n, m.columns], activation: 'relu', loss: 'softmax-cross-entropy' },
      X: matrix(n, n, (i, j) => (i === j ? 1 : 0)),
      target,
      W: [matrix(m.columns, n, (j, i) => entry(m, i, j))],
      b: [new Float64Array(m.columns)],
      output: 'forward',
      dual: 'zero',
    };
    return withAddon(
      from,
      async (state) => {
        await state.write('u', 1, u.data);
        await state.write('z', 1, z.data);
        const {
          updates: [record],
        } = await state.run([{ block: 'z', layer: 1 }], nativeOf({ ...base, rho }));
        const found = await readBlock(state, { block: 'z', layer: 1 });
        const gradient = plus(plus(lossGradient(found, target), 1, u), rho, minus(found, m));
        return { gradient: largest(gradient), reported: record?.stationarity ?? Number.NaN, size: largest(found) };
      },
      false,
    );
  }

  const ROWS = 24;
  /** All that u = −∇R(z) can be: y − p for p at a corner of the simplex, in its middle, or y itself. */
  const corners = (labels: Int32Array, n: number): Matrix64 =>
    matrix(ROWS, n, (i, j) => {
      const y = labels[i] === j ? 1 : 0;
      const at = (i * 7) % n;
      return [y - (j === at ? 1 : 0), y - 1 / n, y - (j === at || j === (at + 1) % n ? 0.5 : 0), 0][i % 4] ?? 0;
    });

  describe.each([2, 3, 10, 100, 300])('%i classes', (n) => {
    const labels = Int32Array.from({ length: ROWS }, (_, i) => (i * 5) % n);
    test.each([1e-6, 1e-3, 1, 30])('leaves no entry of the gradient above 1e-12, ρ = %s', async (rho) => {
      for (const [scale, start] of [
        [0, 0],
        [1, 0],
        [30, 0],
        [30, 30],
        [1000, 0],
        [1000, 1000],
      ] as const) {
        const m = random(n + scale, ROWS, n, scale);
        const { gradient, reported, size } = await solve(
          m,
          corners(labels, n),
          labels,
          random(n + 1, ROWS, n, start),
          rho,
        );
        expect(reported).toBeLessThanOrEqual(1e-12);
        // What z holds is rounded to its own digits.
        expect(gradient).toBeLessThanOrEqual(1e-12 + 2 ** -52 * size * (1 + rho));
      }
    });
  });
});

/** All records of a training from `from`, and the Lagrangian before it: all residuals are zero there. */
async function records(from: Problem, penalties: Penalties, iterations: number, more: Partial<DladmmOptions> = {}) {
  const { network, W, b, target } = from;
  const { nu, rho, theta0, tau0, growth, l2, search } = penalties;
  const training = train(samplesOf(from), {
    ...network,
    dtype: 'float64',
    threads: 1,
    iterations,
    nu,
    rho,
    theta0,
    tau0,
    growth,
    l2,
    stepSearch: search,
    schedule: 'constant',
    initialisation: { weights: W.map(({ data }) => data), biases: b },
    start: {
      output: from.output === 'signs' ? 'signed-labels' : 'forward',
      dual: from.dual === 'zero' ? 'zero' : 'stationary',
    },
    ...more,
  });
  const list: IterationRecord[] = [];
  for await (const record of training) list.push(record);
  const first = lossOf(at(openPlain(from).z, network.layers.length - 1, 'z'), target);
  return { list, values: [first, ...list.map((record) => record.lagrangian)] };
}

const rises = (values: readonly number[]): number =>
  values.filter((value, i) => i > 0 && value > at(values, i - 1, 'values') + 1e-11 * Math.abs(value)).length;

describe('a training', () => {
  test.each([0.79, 1, 1.28, 2])('never raises the Lagrangian with ρ = %s, summed cross-entropy', async (rho) => {
    for (const search of ['backtracking', 'exact'] as const) {
      const { values, list } = await records(problem(classes), { ...base, nu: 1, rho, search }, 120);
      expect(list).toHaveLength(120);
      expect(rises(values)).toBe(0);
      for (const { dualIdentity } of list) expect(dualIdentity).toBeLessThanOrEqual(1e-12);
    }
  });

  test.each([1.57, 2, 3])('never raises the Lagrangian with ρ = %s, squared error', async (rho) => {
    const { values } = await records(problem(targets), { ...base, rho: Math.max(rho, monotoneRho(1)) }, 120);
    expect(values).toHaveLength(121);
    expect(rises(values)).toBe(0);
  });

  test('raises it nearly always with ρ = ν = 1e-6 from the published start, and at first from ours', async () => {
    const tiny = { ...base, nu: 1e-6, rho: 1e-6 };
    const published = await records(problem(classes, 0, true), tiny, 60);
    expect(rises(published.values.slice(1))).toBeGreaterThan(50);
    const { values } = await records(problem(classes), tiny, 60);
    expect(values[1]).toBeGreaterThan(10 * at(values, 0, 'values'));
  });

  test.each([classes, targets])('decreases by at least C2′ S_k, and S_k dies away: $loss', async (target) => {
    const H = lipschitz(target);
    const penalties: Penalties = { ...base, nu: 0.5, rho: 1.02 * descentRho(H), search: 'exact' };
    const from = problem(target);
    const SWEEPS = 150;
    await withAddon(from, async (state) => {
      let plain = openPlain(from);
      const sums: number[] = [];
      for (let k = 0; k < SWEEPS; k++) {
        const start = lagrangian(plain, penalties);
        let moved = 0;
        let smallest = Math.min(penalties.nu / 2, c1(penalties.rho, H));
        for (const update of dladmmSweep(3)) {
          const before = await readBlock(state, update);
          const {
            updates: [record],
          } = await state.run([update], nativeOf(penalties));
          if (record?.size !== undefined) smallest = Math.min(smallest, record.size / 2);
          const counts = update.block === 'z' ? update.layer === 3 : update.block !== 'u';
          if (counts) moved += squaredNorm(minus(await readBlock(state, update), before));
        }
        plain = await readPlain(state, plain);
        const end = lagrangian(plain, penalties);
        expect(smallest).toBeGreaterThan(0);
        expect(start - end).toBeGreaterThanOrEqual(smallest * moved - 1e-11);
        expect(end).toBeGreaterThanOrEqual(lowerBound(plain, penalties) - 1e-11);
        sums.push(moved);
      }
      // c_k = min over i ≤ k of S_i is o(1/k).
      const scaled = (k: number): number => k * Math.min(...sums.slice(0, k));
      expect(scaled(SWEEPS)).toBeLessThan(0.2 * scaled(10));
    });
  });

  test.each([classes, targets])('closes the output constraint: $loss', async (target) => {
    const { list } = await records(problem(target), { ...base, rho: 2, search: 'exact' }, 600);
    const r = list.map(({ residuals }) => Math.sqrt(residuals[2] ?? Number.NaN));
    expect(r.at(-1)).toBeLessThan(1e-3 * (r[0] ?? Number.NaN));
  });
});
