/** Regularisers of W in dlADMM: proximal steps against a plain loop, against what they minimise, and on whole trainings. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseRegulariser } from '../../../src/cli/arguments.js';
import { type ErrorCode, fit, loadModel, type Model, resume, train } from '../../../src/index.js';
import { adam, completePlan, dladmm, type IterationRecord, layered, sgd, u, W, z } from '../../../src/solvers.js';
import { expectFailure } from '../../formats/support.js';
import { numbers, random } from '../../reference/addon.js';

const FOLDER = mkdtempSync(path.join(tmpdir(), 'regularise-'));
afterAll(() => rmSync(FOLDER, { recursive: true }));

const soft = (v: number, t: number): number => Math.sign(v) * Math.max(Math.abs(v) - t, 0);
const rowsOf = (data: ArrayLike<number>, columns: number): number[][] =>
  Array.from({ length: data.length / columns }, (_, i) =>
    Array.from({ length: columns }, (_, j) => data[i * columns + j] ?? 0),
  );
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);

/** Minimises ½ Σ_i (w·x_i + b − y_i)² + λ‖w‖₁ over one weight after the other, b by the mean of what is left. */
function coordinateDescent(x: readonly number[][], y: readonly number[], l1: number, l2 = 0) {
  const w = new Array<number>(x[0]?.length ?? 0).fill(0);
  let b = 0;
  let change = 1;
  while (change > 1e-13) {
    change = 0;
    b = y.reduce((sum, yi, i) => sum + yi - dot(w, x[i] ?? []), 0) / y.length;
    for (const k of w.keys()) {
      let [square, slope] = [l2, 0];
      for (const [i, row] of x.entries()) {
        const without = (y[i] ?? 0) - b - dot(w, row) + (w[k] ?? 0) * (row[k] ?? 0);
        square += (row[k] ?? 0) ** 2;
        slope += (row[k] ?? 0) * without;
      }
      const next = soft(slope, l1) / square;
      change = Math.max(change, Math.abs(next - (w[k] ?? 0)));
      w[k] = next;
    }
  }
  return { w, b };
}

const SAMPLES = 60;
const INPUTS = 12;
const X = random(3, SAMPLES, INPUTS, 2);
const noise = numbers(8);
const rows = rowsOf(X.data, INPUTS);
const Y = rows.map((row) => 3 * (row[0] ?? 0) - 2 * (row[4] ?? 0) + (row[7] ?? 0) + 0.5 + 0.3 * noise());
const regression = { x: X, y: { rows: SAMPLES, columns: 1, data: Float64Array.from(Y) } };
const ONE_LAYER = {
  layers: [INPUTS, 1],
  loss: 'squared-error',
  standardiseTargets: false,
  dtype: 'float64',
  stepSearch: 'exact',
  rho: 1,
  start: { dual: 'stationary' },
  iterations: 4000,
  threads: 1,
} as const;

describe('a layer alone, by ℓ1', () => {
  test.each([
    [1, 0],
    [8, 0],
    [8, 5],
    [40, 0],
  ])('ends where coordinate descent ends, with its zeros (λ = %d, l2 = %d)', async (l1, l2) => {
    const { model } = await fit(regression, { ...ONE_LAYER, regularise: { W: { l1, l2 } } });
    const expected = coordinateDescent(rows, Y, l1, l2);
    const { weights, biases } = model;
    const w = Array.from(weights[0] ?? []);
    const b = biases[0]?.[0] ?? Number.NaN;
    for (const [k, value] of expected.w.entries()) expect(w[k]).toBeCloseTo(value, 8);
    expect(w.map((value) => value === 0)).toEqual(expected.w.map((value) => value === 0));
    expect(w).toContain(0);
    // 0 ∈ Σ (w·x + b − y) x + λ2 w + λ ∂‖w‖₁
    const left = rows.map((row, i) => dot(w, row) + b - (Y[i] ?? 0));
    for (const [k, value] of w.entries()) {
      const slope =
        dot(
          left,
          rows.map((row) => row[k] ?? 0),
        ) +
        l2 * value;
      const miss = value === 0 ? Math.max(Math.abs(slope) - l1, 0) : Math.abs(slope + l1 * Math.sign(value));
      expect(miss).toBeLessThan(1e-6);
    }
  });

  test('ends where scikit-learn ended, 1.2.1 and 1.9.1: Lasso(alpha=8 / 60, tol=1e-14)', async () => {
    const { weights, biases } = (await fit(regression, { ...ONE_LAYER, regularise: { W: { l1: 8 } } })).model;
    const recorded = { 0: 2.87409010911627, 4: -1.9384534573442669, 7: 0.9146352674420505 };
    const expected = Object.assign(new Array<number>(INPUTS).fill(0), recorded);
    for (const [k, value] of expected.entries()) expect(weights[0]?.[k]).toBeCloseTo(value, 8);
    expect(biases[0]?.[0]).toBeCloseTo(0.4864128649453499, 8);
  });
});

/** γ of Adam, which has to fall for the last digits. */
const falling = ({ step }: { readonly step: number }): number => 0.05 / (1 + step / 50);

/** Of the mean over the samples, in place of the sum. */
const MEAN = {
  solver: 'minibatch-admm',
  batchSize: SAMPLES,
  learningRateSchedule: 'constant',
  iterations: 4000,
} as const;
/** Solvers whose metric of one number an entry takes no terms of groups. */
const BY_ENTRIES: readonly string[] = ['adagrad', 'adam', 'nadamw'];
const WHOLE = { reduction: 'sum', batchSize: SAMPLES, iterations: 6000 } as const;
describe.each([
  ['dladmm', { solver: 'dladmm', rho: 1, start: { dual: 'stationary' }, step: { W: 'cholesky' }, iterations: 3000 }],
  ['gd', { solver: 'gd', learningRate: 0.005, reduction: 'sum', iterations: 6000 }],
  ['sgd with momentum', { solver: 'sgd', momentum: 0.5, learningRate: 0.003, ...WHOLE }],
  ['sgd by Nesterov', { solver: 'sgd', momentum: 0.5, nesterov: true, learningRate: 0.002, ...WHOLE }],
  ['adam', { solver: 'adam', learningRate: falling, ...WHOLE }],
  ['adagrad', { solver: 'adagrad', learningRate: 0.5, ...WHOLE }],
  ['badm', { solver: 'badm', sigma: 400, rho: 1, ...WHOLE }],
  ['nadamw', { solver: 'nadamw', learningRate: falling, l2: 0, ...WHOLE }],
  ['sisa', { solver: 'sisa', sigma: 400, rho: 1, subBatches: 1, ...WHOLE }],
  ['minibatch-admm', { ...MEAN }],
  ['minibatch-admm by few directions', { ...MEAN, rank: 3, momentum: 0.5 }],
  ['minibatch-admm by Cholesky', { ...MEAN, gram: 'full', nesterov: false }],
  ['minibatch-admm, undamped', { ...MEAN, gram: 'full', relativeDamping: 0, momentum: 0 }],
] as const)('a layer alone, by %s', (_, how) => {
  const { loss, standardiseTargets, dtype, layers, threads } = ONE_LAYER;
  const solved = async (W: object) =>
    (await fit(regression, { loss, standardiseTargets, dtype, layers, threads, ...how, regularise: { W } } as never))
      .model as Model;

  test('ends where coordinate descent ends, with its zeros', async () => {
    const model = await solved({ l1: how.solver === 'minibatch-admm' ? 8 / SAMPLES : 8 });
    const expected = coordinateDescent(rows, Y, 8);
    const w = Array.from(model.weights[0] ?? []);
    for (const [k, value] of expected.w.entries()) expect(w[k]).toBeCloseTo(value, 6);
    expect(w.map((value) => value === 0)).toEqual(expected.w.map((value) => value === 0));
    expect(Math.abs((model.biases[0]?.[0] as number) - expected.b)).toBeLessThan(1e-6);
  });

  test.each(['float32', 'float64'])('keeps bounds in %s that it has no numbers for', async (dtype) => {
    const own = { dtype, iterations: 100 };
    const of = async (W: object) => {
      const { loss, standardiseTargets, layers, threads } = ONE_LAYER;
      const options = { loss, standardiseTargets, layers, threads, ...how, ...own, regularise: { W } };
      return Array.from((await fit(regression, options as never)).model.weights[0] as Float32Array);
    };
    const boxed = await of({ min: -0.1, max: 0.7 });
    // The nearest float32 to 0.1 and to 0.7 are larger, and smaller.
    expect(Math.max(...boxed)).toBeLessThanOrEqual(0.7);
    expect(Math.max(...boxed)).toBeCloseTo(0.7, 6);
    expect(Math.min(...boxed)).toBeGreaterThanOrEqual(-0.1);
    expect(Math.min(...boxed)).toBeCloseTo(-0.1, 6);
    const one = dtype === 'float32' ? Math.fround(0.1) : 0.1;
    expect(new Set(await of({ min: 0.1, max: 0.1 }))).toEqual(new Set([one]));
    if (BY_ENTRIES.includes(how.solver)) return;
    for (const term of ['norm', 'neuronNorm', 'spectralNorm']) {
      const w = await of({ [term]: 0.3 });
      expect(Math.hypot(...w)).toBeLessThanOrEqual(0.3);
      expect(Math.hypot(...w)).toBeCloseTo(0.3, 5);
    }
  });

  test('keeps bounds exactly', async () => {
    const w = Array.from((await solved({ min: -0.5, max: 1.25 })).weights[0] ?? []);
    expect(Math.max(...w)).toBe(1.25);
    expect(Math.min(...w)).toBe(-0.5);
  });
});

test.each(['minibatch-admm', 'gd', 'sgd', 'adagrad', 'adam', 'nadamw', 'badm', 'sisa'] as const)(
  'what is asked for holds by steps of no length too: %s',
  async (solver) => {
    const still = { solver, hidden: [4], learningRate: 0, iterations: 1, dtype: 'float64' } as const;
    const bounded = await fit(regression, { ...still, regularise: { W: { min: -0.1, max: 0.1 } } });
    for (const weights of bounded.model.weights) {
      expect(Math.max(...weights)).toBe(0.1);
      expect(Math.min(...weights)).toBe(-0.1);
    }
    const { model } = await fit(regression, { ...still, equal: [[0, 4]], monotone: { 7: 1 } });
    for (const row of rowsOf(model.weights[0] as Float64Array, INPUTS)) expect(row[0]).toBe(row[4]);
    const rising = await model.predict(rows.map((row) => row.map((value, k) => (k === 7 ? value + 1 : value))));
    const before = await model.predict(rows);
    for (const [i, value] of before.outputs.data.entries()) {
      expect(rising.outputs.data[i]).toBeGreaterThanOrEqual(value);
    }
  },
);

test.each(['gd', 'sgd', 'badm', 'minibatch-admm', 'dladmm', 'inversion-admm'] as const)(
  'weights whose norm overflows have diverged, and the last finite ones are the model: %s',
  async (solver) => {
    const x = [
      [1e160, 1e160],
      [-1e160, 1e160],
    ];
    const rate = solver === 'minibatch-admm' ? { learningRate: 1e300 } : {};
    const long = solver === 'dladmm' || solver === 'inversion-admm' ? {} : { learningRate: 1, ...rate };
    for (const W of [{ inputs: 0.1 }, { neurons: 0.1 }, { zeroSum: true }, { equal: [[0, 1]] }]) {
      const { status, model } = await fit({ x, y: [1, -1] }, {
        ...{ solver, ...long, layers: [2, 1], loss: 'absolute', standardiseTargets: false, dtype: 'float64' },
        ...{ iterations: 1, regularise: { W } },
      } as never);
      expect(status.kind).toBe('diverged');
      expect(Math.hypot(...(model.weights[0] as Float64Array))).toBeLessThan(1);
    }
  },
);

describe('logistic regression by ℓ1, min Σ log(1 + e^z) − y z + λ‖w‖₁', () => {
  const LAMBDA = 4;
  const answers = Y.map((value) => (value + 3 * noise() > 0.5 ? 1 : 0));
  const data = { x: X, y: { rows: SAMPLES, columns: 1, data: Float64Array.from(answers) } };
  const common = { layers: [INPUTS, 1], loss: 'sigmoid-cross-entropy', dtype: 'float64', threads: 1 } as const;
  /** Σ (σ(z) − y) x_k, and for b. */
  const slopesAt = (w: readonly number[], b: number) => {
    const left = rows.map((row, i) => 1 / (1 + Math.exp(-dot(w, row) - b)) - (answers[i] ?? 0));
    const column = (k: number) => rows.map((row) => row[k] ?? 0);
    return { w: w.map((_, k) => dot(left, column(k))), b: left.reduce((sum, each) => sum + each, 0) };
  };
  /** Where scikit-learn 1.9.1 ended: LogisticRegression(C=1 / 4, l1_ratio=1, solver='saga', tol=1e-14). */
  const recorded = Object.assign(new Array<number>(INPUTS).fill(0), {
    0: 0.9985155100737471,
    1: -0.16025835986913883,
    4: -0.9919773561428116,
    7: 0.39500947355465105,
    9: -0.021307916470620414,
  });
  /** Proximal gradient steps by plain loops. */
  const plain = (() => {
    let [w, b] = [new Array<number>(INPUTS).fill(0), 0];
    for (let k = 0; k < 20_000; k += 1) {
      const slope = slopesAt(w, b);
      w = w.map((value, j) => soft(value - 0.004 * (slope.w[j] ?? 0), 0.004 * LAMBDA));
      b -= 0.004 * slope.b;
    }
    return { w, b };
  })();

  test.each([
    ['gd', { solver: 'gd', learningRate: 0.01, reduction: 'sum', iterations: 20_000 }, 1],
    ['minibatch-admm', { ...MEAN, gram: 'full', iterations: 6000 }, 1 / SAMPLES],
    ['dladmm', { solver: 'dladmm', rho: 1, stepSearch: 'exact', start: { dual: 'stationary' }, iterations: 6000 }, 1],
  ] as const)(
    'fulfils the KKT conditions to 1e-6, and ends where plain loops and scikit-learn end (%s)',
    async (_, how, unit) => {
      const options = { ...common, ...how, regularise: { W: { l1: LAMBDA * unit } } };
      const model = (await fit(data, options as never)).model as Model;
      const w = Array.from(model.weights[0] ?? []);
      const b = model.biases[0]?.[0] ?? Number.NaN;
      const slope = slopesAt(w, b);
      for (const [k, value] of w.entries()) {
        const of = slope.w[k] ?? Number.NaN;
        const miss = value === 0 ? Math.max(Math.abs(of) - LAMBDA, 0) : Math.abs(of + LAMBDA * Math.sign(value));
        expect(miss).toBeLessThan(1e-6);
        expect(value).toBeCloseTo(plain.w[k] ?? Number.NaN, 6);
      }
      expect(Math.abs(slope.b)).toBeLessThan(1e-6);
      expect(w.map((value) => value === 0)).toEqual(plain.w.map((value) => value === 0));
      expect(w.filter((value) => value === 0).length).toBeGreaterThan(3);
      for (const [k, value] of recorded.entries()) expect(w[k]).toBeCloseTo(value, 6);
      expect(Math.abs(b - 0.055968183258215086)).toBeLessThan(1e-6);
    },
  );
});

describe('a layer of more outputs', () => {
  const y = {
    rows: SAMPLES,
    columns: 4,
    data: Float64Array.from({ length: 4 * SAMPLES }, (_, i) => (1 + (i % 4)) * (Y[i >> 2] ?? 0) + noise()),
  };
  const weightsBy = async (W: object, more: object = {}) => {
    const options = { ...ONE_LAYER, layers: [INPUTS, 4], regularise: { W }, ...more } as never;
    return rowsOf(((await fit({ x: X, y }, options)).model as Model).weights[0] ?? [], INPUTS);
  };

  test.each([{ step: { W: 'quadratic' } }, { step: { W: 'cholesky' } }])(
    'leaves out whole inputs, by their group (%o)',
    async (how) => {
      const w = await weightsBy({ inputs: 60 }, how);
      const out = (w[0] ?? []).map((_, k) => w.every((row) => row[k] === 0));
      expect(out).toEqual((w[0] ?? []).map((_, k) => w.some((row) => row[k] === 0)));
      expect(out).toEqual([0, 4, 7].reduce((all, k) => all.with(k, false), new Array<boolean>(INPUTS).fill(true)));
    },
  );

  test('comes to a low rank, within a spectral ball, and to rows that sum to 0', async () => {
    const low = await weightsBy({ nuclear: 40 }, { iterations: 600 });
    const [first = []] = low;
    for (const row of low) {
      const factor = dot(row, first) / dot(first, first);
      for (const [k, value] of row.entries()) expect(value).toBeCloseTo(factor * (first[k] ?? 0), 6);
    }
    const ball = await weightsBy({ spectralNorm: 2 }, { iterations: 600 });
    let v = new Array<number>(INPUTS).fill(1);
    for (let k = 0; k < 200; k += 1) {
      const image = ball.map((row) => dot(row, v));
      v = v.map((_, j) => ball.reduce((sum, row, i) => sum + (row[j] ?? 0) * (image[i] ?? 0), 0));
      const length = Math.sqrt(dot(v, v));
      v = v.map((x) => x / length);
    }
    const image = ball.map((row) => dot(row, v));
    expect(Math.sqrt(dot(image, image))).toBeCloseTo(2, 6);
    for (const row of await weightsBy({ zeroSum: true }, { iterations: 200 }))
      expect(
        dot(
          row,
          row.map(() => 1),
        ),
      ).toBeCloseTo(0, 10);
  });
});

const LABELS = Int32Array.from(
  { length: SAMPLES },
  (_, i) => ((rows[i]?.[0] ?? 0) > (rows[i]?.[1] ?? 0) ? 1 : 0) + (i % 2),
);
const CLASSES = { x: X, labels: LABELS };
const NETWORK = { layers: [INPUTS, 9, 3], activation: 'relu', loss: 'softmax-cross-entropy' } as const;

describe('a step of W', () => {
  const penalties = {
    ...({ nu: 1, rho: 1, gamma: 1, l2: 0.3, theta0: 0.01, tau0: 1, growth: 2 } as const),
    ...({ output: 'exact', fistaStep: 4, fistaTolerance: 1e-3, fistaLimit: 500 } as const),
  } as const;
  const l1 = 0.4;
  const none = {
    l1: 0,
    l2: 0,
    inputs: 0,
    neurons: 0,
    nuclear: 0,
    spectralNorm: Infinity,
    neuronNorm: Infinity,
    norm: Infinity,
    zeroSum: false,
  };
  const omega = { ...none, l1, lower: -Infinity, upper: Infinity };

  test.each([
    ['backtracking', false],
    ['backtracking', true],
    ['exact', false],
    ['exact', true],
  ] as const)('is the proximal point that the test of the paper accepts (%s, gram: %s)', async (search, gram) => {
    using session = await layered.open(
      { network: NETWORK, dtype: 'float64', threads: 2, softmax: 'stable', gram, fista: false, proximal: true },
      CLASSES,
    );
    await session.write('W', 1, random(1, 9, INPUTS).data);
    await session.write('W', 2, random(2, 3, 9).data);
    await session.start({ output: 'forward', dual: 'stationary' });
    for (let k = 0; k < 6; k += 1) {
      for (const l of [2, 1]) {
        const inputs = l === 1 ? INPUTS : 9;
        const values = async (block: 'W' | 'z' | 'a' | 'b' | 'u', layer: number, columns: number) =>
          rowsOf((await session.read(block, layer)).data, columns);
        const m = l === 1 ? 9 : 3;
        const [W, z, [b = []], a, u] = [
          await values('W', l, inputs),
          await values('z', l, m),
          await values('b', l, m),
          l === 1 ? rows : await values('a', 1, 9),
          l === 2 ? await values('u', 2, 3) : undefined,
        ];
        const r = a.map((ai, i) =>
          W.map((row, j) => dot(row, ai) + (b[j] ?? 0) - (z[i]?.[j] ?? 0) - (u?.[i]?.[j] ?? 0)),
        );
        const S = W.map((row, j) =>
          row.map((w, k) => r.reduce((sum, ri, i) => sum + (ri[j] ?? 0) * (a[i]?.[k] ?? 0), 0) + penalties.l2 * w),
        );
        const { updates } = await session.run([{ block: 'W', layer: l }], {
          ...penalties,
          search,
          regularisers: [omega, omega],
        });
        const { size = 0, kappa = 0, stepNorm = 0 } = updates[0] ?? {};
        const expected = W.map((row, j) =>
          row.map((w, k) => soft(w - (S[j]?.[k] ?? 0) / (size + penalties.l2), l1 / (size + penalties.l2))),
        );
        const got = await values('W', l, inputs);
        for (const [j, row] of expected.entries()) {
          for (const [k, value] of row.entries()) expect(got[j]?.[k]).toBeCloseTo(value, 10);
        }
        const D = W.map((row, j) => row.map((w, k) => w - (got[j]?.[k] ?? 0)));
        const image = a.reduce((sum, ai) => sum + D.reduce((inner, row) => inner + dot(row, ai) ** 2, 0), 0);
        const norm = D.reduce((sum, row) => sum + dot(row, row), 0);
        expect(stepNorm).toBeCloseTo(norm, 8);
        if (norm > 0) expect(kappa / (image / norm)).toBeCloseTo(1, 8);
        // φ(W⁺) ≤ P(W⁺; θ)
        expect(size).toBeGreaterThanOrEqual(kappa);
      }
    }
    await session.run([{ block: 'z', layer: 2 }], { ...penalties, search });
    await expect(
      session.run([{ block: 'W', layer: 1 }], { ...penalties, search, regularisers: [omega] }),
    ).rejects.toMatchObject({ code: 'ERR_DLADMM_ARGUMENT' });
  });
});

const OPTIONS = {
  layers: [INPUTS, 9, 3],
  nu: 1,
  rho: 1.6,
  theta0: 0.01,
  start: { dual: 'stationary' },
  dtype: 'float64',
  regularise: { W: [{ l1: 2, l2: 0.1 }, { l1: 0.5 }] },
  l2: 0.2,
  threads: 2,
} as const;
const omegaOf = (weights: readonly ArrayLike<number>[]): number =>
  weights.reduce((sum, W, l) => {
    const { l1, l2 } = [
      { l1: 2, l2: 0.3 },
      { l1: 0.5, l2: 0.2 },
    ][l] as { l1: number; l2: number };
    return sum + Array.from(W).reduce((inner, w) => inner + l1 * Math.abs(w) + (l2 / 2) * w * w, 0);
  }, 0);

describe('a training with ℓ1', () => {
  const weightsOf = async (options: object) => (await fit(CLASSES, { ...OPTIONS, ...options })).model.weights;

  test.each(['backtracking', 'exact'] as const)(
    'descends by at least ½ θ ‖ΔW‖² and the rest, sweep by sweep (%s)',
    async (stepSearch) => {
      const { history } = await fit(CLASSES, { ...OPTIONS, stepSearch, iterations: 60 });
      let before = Number.POSITIVE_INFINITY;
      for (const { lagrangian, updates } of history as readonly IterationRecord[]) {
        const least = updates.reduce(
          (sum, { block, size = 0, stepNorm = 0 }) =>
            sum + (block === 'W' || block === 'a' ? (size / 2) * stepNorm : 0),
          0,
        );
        expect(least).toBeGreaterThan(0);
        if (Number.isFinite(before))
          expect(before - lagrangian).toBeGreaterThanOrEqual(least - 1e-9 * Math.abs(before));
        before = lagrangian;
      }
    },
  );

  test('counts Ω in its records, and in the augmented Lagrangian', async () => {
    const { history, model } = await fit(CLASSES, { ...OPTIONS, iterations: 5 });
    const last = history.at(-1) as IterationRecord;
    expect(last.regularisation).toBeCloseTo(omegaOf(model.weights), 8);
    expect(last.zeros).toEqual(model.weights.map((W) => Array.from(W).filter((w) => w === 0).length / W.length));
    const parts = last.lossSum + last.regularisation + last.dualProduct + 0.8 * (last.residuals[1] ?? 0);
    expect(parts + 0.5 * (last.residuals[0] ?? 0) + 0.5 * (last.activationResiduals[0] ?? 0)).toBeCloseTo(
      last.lagrangian,
      8,
    );
  });

  test('has the same bits by any number of threads, and by no terms those without the option', async () => {
    expect(await weightsOf({ iterations: 8, threads: 1 })).toEqual(await weightsOf({ iterations: 8, threads: 3 }));
    expect(await weightsOf({ iterations: 8, regularise: { W: {} } })).toEqual(
      await weightsOf({ iterations: 8, regularise: undefined }),
    );
  });

  test.each([
    ['dladmm in float32', { ...OPTIONS, dtype: 'float32' }],
    ['dladmm', OPTIONS],
    ['dladmm by exact steps', { ...OPTIONS, step: { W: 'cholesky', a: 'cholesky' } }],
    ['inversion-admm', { solver: 'inversion-admm', layers: OPTIONS.layers, regularise: { W: { l1: 3 } } }],
    ['adam', { solver: 'adam', layers: OPTIONS.layers, regularise: { W: { l1: 0.05 } } }],
    ['minibatch-admm', { ...MEAN, layers: OPTIONS.layers, batchSize: 20, regularise: { W: { l1: 0.05 } } }],
    [
      'minibatch-admm by Cholesky',
      { ...MEAN, layers: OPTIONS.layers, gram: 'full', l2: 1e-3, regularise: { W: { inputs: 0.1 } } },
    ],
    [
      'badm',
      { solver: 'badm', layers: OPTIONS.layers, batchSize: 20, subBatches: 4, regularise: { W: { inputs: 0.2 } } },
    ],
  ] as const)('keeps its zeros in the saved model, and through a checkpoint (%s)', async (name, options) => {
    const file = path.join(FOLDER, `${name}.safetensors`);
    const checkpoint = path.join(FOLDER, `${name}.checkpoint`);
    const whole = await fit(CLASSES, { ...options, iterations: 40 } as never);
    const zeros = whole.model.weights.map((W) => Array.from(W).filter((w) => w === 0).length);
    expect(zeros[0]).toBeGreaterThan(20);
    await whole.model.save(file);
    const loaded = await loadModel(file);
    expect(loaded.weights).toEqual(whole.model.weights);
    await fit(CLASSES, { ...options, iterations: 13, checkpoint: { path: checkpoint, every: 13 } } as never);
    const gone = await resume(checkpoint, CLASSES, { iterations: 40 });
    expect(gone.model.weights).toEqual(whole.model.weights);
  });

  test.each([
    { solver: 'minibatch-admm', batchSize: 20, regularise: { W: [{ l1: 0.02 }, { spectralNorm: 0.5 }] } },
    { solver: 'minibatch-admm', batchSize: 7, gram: 'full', regularise: { W: { neurons: 0.05 } } },
    { solver: 'adam', batchSize: 20, regularise: { W: { l1: 0.02 } } },
  ] as const)(
    'tells of epochs what Ω is and how many weights are 0, the same by any number of threads (%o)',
    async (how) => {
      const by = (threads: number) =>
        fit(CLASSES, { ...how, layers: OPTIONS.layers, iterations: 12, threads } as never) as unknown as Promise<{
          model: Model;
          history: readonly { regularisation: number; zeros: readonly number[] }[];
        }>;
      const [one, three] = [await by(1), await by(3)];
      expect(three.model.weights).toEqual(one.model.weights);
      const last = one.history.at(-1);
      const shares = one.model.weights.map((W) => Array.from(W).filter((w) => w === 0).length / W.length);
      expect(last?.zeros).toEqual(shares);
      const { W } = how.regularise;
      if (!Array.isArray(W) && 'l1' in W) {
        const all = one.model.weights.flatMap((each) => Array.from(each));
        expect(last?.regularisation).toBeCloseTo(W.l1 * all.reduce((sum, w) => sum + Math.abs(w), 0), 5);
      }
      expect(last?.regularisation).toBeGreaterThan(0);
      const { history } = await fit(CLASSES, {
        ...how,
        layers: OPTIONS.layers,
        iterations: 1,
        regularise: undefined,
      } as never);
      expect(history[0]).not.toHaveProperty('zeros');
      expect(history[0]).not.toHaveProperty('regularisation');
    },
  );

  test.each([
    ['float32', 7],
    ['float64', 10],
  ])('keeps bounds in the inversion ADMM, in %s', async (dtype, digits) => {
    const { model } = await fit(CLASSES, {
      ...{ solver: 'inversion-admm', layers: OPTIONS.layers, iterations: 10, dtype },
      regularise: { W: [{ min: -0.1, max: 0.05 }, { neuronNorm: 0.5 }] },
    } as never);
    const [first = [], last = []] = model.weights.map((W) => Array.from(W));
    expect(Math.min(...first)).toBeGreaterThanOrEqual(-0.1);
    expect(Math.min(...first)).toBeCloseTo(-0.1, digits);
    expect(Math.max(...first)).toBeLessThanOrEqual(0.05);
    expect(Math.max(...first)).toBeCloseTo(0.05, digits);
    const norms = rowsOf(last, 9).map((row) => Math.sqrt(dot(row, row)));
    expect(Math.max(...norms)).toBeLessThanOrEqual(0.5);
    expect(Math.max(...norms)).toBeCloseTo(0.5, digits - 2);
  });

  test('is asked for by fit and by the command line', async () => {
    const table = rows.map((row, i) => ({ ...Object.fromEntries(row.map((x, k) => [`x${k}`, x])), y: Y[i] ?? 0 }));
    const { model } = await fit(table, {
      solver: 'dladmm',
      target: 'y',
      hidden: [4],
      iterations: 20,
      rho: 1,
      nu: 1,
      regularise: { W: [{ l1: 3 }, {}] },
    });
    expect(Array.from(model.weights[0] ?? [])).toContain(0);
    expect(parseRegulariser('l1=1e-4')).toEqual({ l1: 1e-4 });
    expect(parseRegulariser('l1=1e-4;equal=0+2/1+3+4')).toEqual([
      { l1: 1e-4 },
      {
        equal: [
          [0, 2],
          [1, 3, 4],
        ],
      },
    ]);
    expect(parseRegulariser('l1=1e-4,neuron-norm=2;;zero-sum')).toEqual([
      { l1: 1e-4, neuronNorm: 2 },
      {},
      { zeroSum: true },
    ]);
  });
});

describe('what cannot be is told before anything is allocated', () => {
  const cases: readonly (readonly [string, unknown, ErrorCode, RegExp])[] = [
    ['a strength below 0', { l1: -1 }, 'ERR_DLADMM_RANGE', /regularise\.W\.l1/],
    ['no number', { l1: '1' }, 'ERR_DLADMM_ARGUMENT', /regularise\.W\.l1/],
    ['a misspelt term', { lone: 1 }, 'ERR_DLADMM_ARGUMENT', /lone/],
    ['another number of layers', [{ l1: 1 }], 'ERR_DLADMM_SHAPE', /2 of them, one a layer/],
    ['no terms', 3, 'ERR_DLADMM_ARGUMENT', /regularise\.W/],
    ['bounds that exclude each other', { min: 1, max: 0 }, 'ERR_DLADMM_RANGE', /min ≤ max/],
    ['groups of two kinds', { inputs: 1, neurons: 1 }, 'ERR_DLADMM_RANGE', /one of inputs, neurons/],
    ['groups and a box', [{}, { inputs: 1, max: 1 }], 'ERR_DLADMM_RANGE', /no bounds but 0.*W\[1\]/],
    ['a low rank and ℓ1', { nuclear: 1, l1: 1 }, 'ERR_DLADMM_RANGE', /beside nuclear and spectralNorm/],
    ['a low rank and a box', { spectralNorm: 1, min: 0 }, 'ERR_DLADMM_RANGE', /beside nuclear and spectralNorm/],
    ['sums of 0 and ℓ1', { zeroSum: true, l1: 1 }, 'ERR_DLADMM_RANGE', /at most l2 beside zeroSum/],
  ];
  test.each(cases)('%s', async (_, W, code, words) => {
    await expectFailure(async () => completePlan(dladmm, { ...OPTIONS, regularise: { W } }), code, words);
  });

  test('groups in the metric of an adaptive method', async () => {
    const options = { layers: [INPUTS, 3], regularise: { W: { inputs: 1 } } };
    await expectFailure(
      async () => completePlan(adam, options),
      'ERR_DLADMM_RANGE',
      /no closed form in the metric of adam/,
    );
    expect(completePlan(sgd, options)).toHaveProperty('regularisers');
  });

  test.each([
    ['dladmm', [z(2), W(2), u(2)]],
    ['minibatch-admm', [z(2), W(2)]],
  ] as const)('a sweep of %s that leaves the weights as they began', async (solver, updates) => {
    const asked = (more: object) => () =>
      fit(regression, { solver, layers: [INPUTS, 3, 1], iterations: 1, sweep: () => updates, ...more } as never);
    for (const more of [
      { monotone: { 0: 1 } },
      { equal: [[0, 1]] },
      { regularise: { W: { max: 1 } } },
      { regularise: { W: [{ l1: 1 }, {}] } },
    ]) {
      await expectFailure(asked(more), 'ERR_DLADMM_ARGUMENT', /^Expected W\(1\), as regularise, .* for sweep but/);
    }
    await asked({ regularise: { W: [{}, { max: 1 }] } })();
  });

  test('a solver that has no such step', async () => {
    await expectFailure(
      // @ts-expect-error not of K-FAC
      () => train(CLASSES, { layers: [INPUTS, 3], solver: 'kfac', regularise: { W: { l1: 1 } } }),
      'ERR_DLADMM_ARGUMENT',
      /regularise/,
    );
  });
});
