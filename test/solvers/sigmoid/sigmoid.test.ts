import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { seededRandom } from '../../../src/core/random.js';
import { loadDataset, splitDataset } from '../../../src/data.js';
import { fit as fitModel, Model, train } from '../../../src/index.js';
import { initialise, type ScaledScheme } from '../../../src/network/initialisation.js';
import {
  type ConstraintPenalties,
  type ConstraintUpdate,
  constraints,
  Lambda,
  type SigmoidOptions,
  sigmoidSweep,
  V,
  W,
} from '../../../src/solvers.js';
import { random } from '../../reference/addon.js';
import { at, entry, type Matrix64, matrix } from '../../reference/dense.js';

const BASE: SigmoidOptions = {
  solver: 'sigmoid-admm',
  layers: [2, 6, 5, 1],
  loss: 'squared-error',
  standardiseTargets: false,
  iterations: 12,
  threads: 2,
};

/** Points of a square with the product of their coordinates. */
function products(seed: number, samples: number): { readonly x: Matrix64; readonly y: Matrix64 } {
  const x = random(seed, samples, 2);
  return { x, y: matrix(samples, 1, (i) => entry(x, i, 0) * entry(x, i, 1)) };
}

const pick = (values: ArrayLike<number>, i: number): number => values[i] ?? Number.NaN;

/** The largest magnitude, or NaN where there is one. */
const largest = (values: Float64Array): number =>
  values.reduce((most, value) => (Number.isNaN(value) ? value : Math.max(most, Math.abs(value))), 0);

const SIGMA = {
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  tanh: (x: number) => Math.tanh(x),
} as const;

describe('the sweep', () => {
  test('is Algorithm 1: weights backward, activations forward, then all multipliers', () => {
    const expected = [W(3), W(2), W(1), V(1), V(2), V(3), Lambda(1), Lambda(2), Lambda(3)];
    expect([...sigmoidSweep(3)]).toEqual(expected);
    expect([...sigmoidSweep(1)]).toEqual([W(1), V(1), Lambda(1)]);
  });
});

describe('every iteration', () => {
  test.each([
    ['sigmoid', 1],
    ['sigmoid', [2, 0.5, 3]],
    ['tanh', 1],
  ] as const)('leaves Λ_N = V_N − Y and the second identity of Lemma 8: %s, β = %o', async (activation, beta) => {
    const data = products(3, 40);
    const last = typeof beta === 'number' ? beta : pick(beta, 2);
    const training = train(data, { ...BASE, activation, beta });
    const read = async (...where: Parameters<typeof training.read>): Promise<Float64Array> =>
      Float64Array.from((await training.read(...where)).data);
    let before: Float64Array | undefined;
    for await (const record of training) {
      const outputs = await read('V', 3);
      const dual = await read('Lambda', 3);
      const off = outputs.map((value, i) => pick(dual, i) - (value - pick(data.y.data, i)));
      expect(largest(off)).toBeLessThanOrEqual(1e-14 * Math.max(1, largest(outputs)));
      expect(record.dualIdentity).toBe(largest(off));
      const weights = await read('W', 3);
      const old = before;
      if (old !== undefined) {
        const below = await read('Lambda', 2);
        const misses = below.map((value, i) => {
          const sample = Math.floor(i / 5);
          const moved = pick(outputs, sample) - pick(old, sample);
          return value - pick(weights, i % 5) * (pick(dual, sample) + last * moved);
        });
        expect(largest(misses)).toBeLessThanOrEqual(1e-12 * (1 + largest(weights)) * Math.max(1, largest(old)));
      }
      before = outputs;
    }
    expect(training.result.status.kind).toBe('completed');
    expect(training.result.iterations).toBe(12);
  });

  test('takes one λ and one β for all layers, or one each', async () => {
    const one = await fitModel(products(3, 40), { ...BASE, l2: 0.1, beta: 2 });
    const each = await fitModel(products(3, 40), { ...BASE, l2: [0.1, 0.1, 0.1], beta: [2, 2, 2] });
    const other = await fitModel(products(3, 40), { ...BASE, l2: [0.1, 0.1, 0.2], beta: 2 });
    expect(each.model.weights).toEqual(one.model.weights);
    expect(other.model.weights[2]).not.toEqual(one.model.weights[2]);
    const { regularisation } = other.history.at(-1) ?? {};
    const squares = (values: Iterable<number>): number => [...values].reduce((sum, value) => sum + value * value, 0);
    const expected = other.model.weights.reduce(
      (sum, weights, l) =>
        sum + ([0.05, 0.05, 0.1][l] ?? 0) * (squares(weights) + squares(other.model.biases[l] ?? [])),
      0,
    );
    expect(regularisation).toBeCloseTo(expected, 10);
  });

  test('tells the products that it took', async () => {
    const { history } = await fitModel(products(3, 40), { ...BASE, layers: [2, 6, 7, 7, 1], iterations: 2 });
    // For each layer its gradient, its image for the new W and for the new V below; for each hidden V its share of that
    // update and of the KKT residual. Below the last layer the smaller matrix takes one image more.
    expect(history[1]?.work).toMatchObject({ gradient: 4, image: 8, back: 6, gram: 3, solve: 3, factor: 7 });
  });

  test('reports a KKT residual that has the gradient in all its parts', async () => {
    const { history } = await fitModel(products(3, 40), BASE);
    for (const { kkt, residuals, stationarityW, stationarityV } of history) {
      const sum = [...residuals, ...stationarityW, ...stationarityV].reduce((total, part) => total + part, 0);
      expect(kkt).toBeCloseTo(sum, 12);
      expect([residuals.length, stationarityW.length, stationarityV.length]).toEqual([3, 3, 3]);
    }
  });
});

describe('the KKT residual', () => {
  const x = matrix(200, 1, (i) => -1 + (2 * i) / 199);
  const y = matrix(200, 1, (i) => entry(x, i, 0) ** 2);
  const rises = (values: readonly number[]): number =>
    values.slice(1).filter((value, i) => value > pick(values, i) + 1e-12 * Math.abs(pick(values, i))).length;

  test.each(['paper', 'code'] as const)(
    'has a running mean that falls at least as one over the number of iterations (%s)',
    async (majoriser) => {
      const options = { ...BASE, layers: [1, 20, 20, 20, 1], l2: 1e-2, iterations: 1000, majoriser, threads: 1 };
      const { history } = await fitModel({ x, y }, options);
      const mean = (K: number): number => history.slice(0, K).reduce((sum, { kkt }) => sum + kkt, 0) / K;
      for (const K of [10, 100]) expect(mean(10 * K)).toBeLessThan(1.01 * (mean(K) / 10));
      // Not by its first values alone: what comes late is small beside what comes early.
      const late = (from: number, to: number): number =>
        history.slice(from, to).reduce((sum, { kkt }) => sum + kkt, 0) / (to - from);
      expect(late(900, 1000)).toBeLessThan(0.5 * late(50, 150));
    },
  );

  test('goes to zero, and the augmented Lagrangian down in every iteration, with penalties as the theorem asks', async () => {
    const options = { ...BASE, layers: [1, 20, 1], beta: [16 * 3.5, 3.5], l2: 100, iterations: 1000, threads: 1 };
    const { history } = await fitModel({ x, y }, options);
    expect(
      pick(
        history.map(({ kkt }) => kkt),
        0,
      ),
    ).toBeGreaterThan(1);
    expect(history.at(-1)?.kkt).toBeLessThan(1e-12);
    expect(rises(history.map(({ lagrangian }) => lagrangian))).toBe(0);
    // The penalties that the paper computes with are not such.
    const usual = await fitModel({ x, y }, { ...options, beta: 1, l2: 1e-6 });
    expect(rises(usual.history.map(({ lagrangian }) => lagrangian))).toBeGreaterThan(0);
    expect(usual.history.at(-1)?.kkt).toBeGreaterThan(1e-9);
  });

  test('is zero where and only where the conditions (24) hold at the multipliers', async () => {
    const layers = [1, 20, 1];
    const options = { ...BASE, layers, beta: [16 * 3.5, 3.5], l2: 100, iterations: 1000, threads: 1 };
    const training = train({ x, y }, options);
    // What (24) misses by: at Λ, not at Λ + β(σ(…) − V).
    const missOf = async (): Promise<number> => {
      const read = async (...where: Parameters<typeof training.read>): Promise<Float64Array> =>
        Float64Array.from((await training.read(...where)).data);
      const [W1, W2, L1, L2, V1] = [
        await read('W', 1),
        await read('W', 2),
        await read('Lambda', 1),
        await read('Lambda', 2),
        await read('V', 1),
      ];
      const outer = W2.map((w, j) => L2.reduce((sum, dual, i) => sum + dual * pick(V1, 20 * i + j), 100 * w));
      const back = L1.map((dual, k) => dual - pick(W2, k % 20) * pick(L2, Math.floor(k / 20)));
      return Math.max(largest(outer), largest(back), W1.length === 20 ? 0 : Number.NaN);
    };
    let first = Number.NaN;
    let last = Number.NaN;
    for await (const { iteration } of training) {
      if (iteration === 1) first = await missOf();
      if (iteration === 1000) last = await missOf();
    }
    expect(first).toBeGreaterThan(1e-2);
    expect(last).toBeLessThan(1e-7);
  });
});

describe('one update', () => {
  const data = products(5, 15);
  const layers = [2, 4, 3, 1];
  const penalties = { l2: [0.1, 0.3, 0.2], beta: [2, 0.5, 3], majoriser: 'paper' } as const;

  /** The pre-activations [V 1] [W b]ᵀ. */
  const preActivations = (input: Matrix64, weights: Matrix64, bias: Float64Array): Matrix64 =>
    matrix(input.rows, weights.rows, (i, j) => {
      let sum = pick(bias, j);
      for (let k = 0; k < input.columns; k += 1) sum += entry(input, i, k) * entry(weights, j, k);
      return sum;
    });

  const open = async (activation: 'sigmoid' | 'tanh') => {
    const network = { layers, activation, loss: 'squared-error' } as const;
    const state = await constraints.open({ network, dtype: 'float64', threads: 2 }, data);
    onTestFinished(() => state.close());
    for (let l = 1; l <= 3; l += 1) {
      await state.write('W', l, random(10 + l, pick(layers, l), pick(layers, l - 1)).data);
      await state.write('b', l, random(20 + l, 1, pick(layers, l)).data);
    }
    await state.start();
    for (let l = 1; l <= 3; l += 1) {
      await state.write('V', l, random(30 + l, 15, pick(layers, l)).data);
      await state.write('Lambda', l, random(40 + l, 15, pick(layers, l)).data);
    }
    const read = async (block: 'W' | 'V' | 'Lambda', l: number): Promise<Matrix64> => ({
      data: Float64Array.from((await state.read(block, l)).data),
      rows: block === 'W' ? pick(layers, l) : 15,
      columns: block === 'W' ? pick(layers, l - 1) : pick(layers, l),
    });
    const readAll = async () => {
      const all = {
        W: [] as Matrix64[],
        V: [data.x] as Matrix64[],
        Lambda: [] as Matrix64[],
        b: [] as Float64Array[],
      };
      for (let l = 1; l <= 3; l += 1) {
        all.W[l] = await read('W', l);
        all.V[l] = await read('V', l);
        all.Lambda[l] = await read('Lambda', l);
        all.b[l] = Float64Array.from((await state.read('b', l)).data);
      }
      return all;
    };
    return { state, readAll };
  };
  type Variables = Awaited<ReturnType<Awaited<ReturnType<typeof open>>['readAll']>>;

  /**
   * The function that an update of W_l or V_{l−1} minimises, up to a constant: the augmented Lagrangian in which
   * ½‖σ(P) − B‖² of layer l is replaced by its quadratic model around the variables `from`.
   */
  function majorised(from: Variables, l: number, activation: 'sigmoid' | 'tanh') {
    const beta = pick(penalties.beta, l - 1);
    const linear = l === 3;
    const sigma = (x: number): number => (linear ? x : SIGMA[activation](x));
    const slope = (x: number): number => {
      if (linear) return 1;
      return activation === 'tanh' ? 1 - sigma(x) ** 2 : sigma(x) * (1 - sigma(x));
    };
    const { V: activations, W: weights, b, Lambda: duals } = from;
    const P0 = preActivations(at(activations, l - 1, 'V'), at(weights, l, 'W'), at(b, l, 'b'));
    const B = matrix(15, pick(layers, l), (i, j) => {
      const dual = entry(at(duals, l, 'Lambda'), i, j);
      return entry(at(activations, l, 'V'), i, j) - dual / beta;
    });
    const top = largest(B.data);
    const bound = activation === 'sigmoid' ? 0.625 + 0.5 * top : (8 / (3 * Math.sqrt(3))) * (1 + top) + 2;
    const h = linear ? 2 : bound;
    return (input: Matrix64, W_l: Matrix64, b_l: Float64Array): number => {
      const P = preActivations(input, W_l, b_l);
      let sum = 0;
      for (const [i, p] of P.data.entries()) {
        const p0 = pick(P0.data, i);
        const miss = sigma(p0) - pick(B.data, i);
        sum += beta * (miss * slope(p0) * (p - p0) + (h / 4) * (p - p0) ** 2);
      }
      const squares = [...W_l.data, ...b_l].reduce((total, value) => total + value * value, 0);
      return sum + (pick(penalties.l2, l - 1) / 2) * squares;
    };
  }

  /** The largest slope of `f` in any entry of `values`. */
  function steepest(values: Float64Array, f: () => number): number {
    const step = 1e-4;
    return largest(
      values.map((value, i) => {
        values[i] = value + step;
        const above = f();
        values[i] = value - step;
        const below = f();
        values[i] = value;
        return (above - below) / (2 * step);
      }),
    );
  }

  const weights = [1, 2, 3].flatMap((l) => [['sigmoid', l] as const, ['tanh', l] as const]);
  test.each(weights)(
    'of W under %s, layer %i, ends where its majorised function is smallest',
    async (activation, l) => {
      const { state, readAll } = await open(activation);
      const from = await readAll();
      await state.run([W(l)], penalties);
      const to = await readAll();
      const f = majorised(from, l, activation);
      const slope = (where: Variables): number => {
        const [W_l, b_l] = [at(where.W, l, 'W'), at(where.b, l, 'b')];
        const value = () => f(at(from.V, l - 1, 'V'), W_l, b_l);
        return Math.max(steepest(W_l.data, value), steepest(b_l, value));
      };
      expect(slope(to)).toBeLessThan(1e-7);
      expect(slope(from)).toBeGreaterThan(1e-2);
    },
  );

  const activations = [1, 2].flatMap((l) => [['sigmoid', l] as const, ['tanh', l] as const]);
  test.each(activations)('of V under %s, layer %i, ends where its majorised function is smallest', async (sigma, l) => {
    const { state, readAll } = await open(sigma);
    const from = await readAll();
    await state.run([V(l)], penalties);
    const to = await readAll();
    const f = majorised(from, l + 1, sigma);
    const image = preActivations(at(from.V, l - 1, 'V'), at(from.W, l, 'W'), at(from.b, l, 'b')).data.map(SIGMA[sigma]);
    const beta = pick(penalties.beta, l - 1);
    const slope = (where: Variables): number => {
      const V_l = at(where.V, l, 'V');
      return steepest(V_l.data, () => {
        const own = V_l.data.reduce((sum, value, i) => {
          const miss = pick(image, i) - value;
          return (
            sum +
            (beta / 2) * miss * miss +
            entry(at(from.Lambda, l, 'Lambda'), Math.floor(i / V_l.columns), i % V_l.columns) * miss
          );
        }, 0);
        return own + f(V_l, at(from.W, l + 1, 'W'), at(from.b, l + 1, 'b'));
      });
    };
    expect(slope(to)).toBeLessThan(1e-7);
    expect(slope(from)).toBeGreaterThan(1e-2);
  });
});

describe('a function of one or two variables', () => {
  test.each([
    ['x²', 1, 1e-7],
    ['uv', 2, 1e-5],
  ] as const)('%s is learned to a small mean squared error', async (_, inputs, limit) => {
    const x = random(7, 300, inputs);
    const y = matrix(300, 1, (i) => entry(x, i, 0) * entry(x, i, inputs - 1));
    const options = { ...BASE, layers: [inputs, 60, 60, 1], iterations: 30, trainMetrics: true };
    const { history } = await fitModel({ x, y }, options);
    expect(Math.min(...history.map(({ train: metrics }) => 2 * (metrics?.loss ?? Number.NaN)))).toBeLessThan(limit);
  });
});

describe('classes', () => {
  test.each([
    [1, 'tanh'],
    [1, 'sigmoid'],
    [3, 'sigmoid'],
  ] as const)(
    'of digits are told by %i hidden layers of %s, λ and the iteration chosen on other samples',
    async (depth, activation) => {
      const { train: training, test: testing } = await loadDataset('digits');
      const scaled = (x: Matrix64 | typeof training.x): Matrix64 =>
        matrix(x.rows, x.columns, (i, j) => (x.data[i * x.columns + j] ?? 0) / 16);
      const parts = splitDataset(training.x, labelsOf(training).labels, 0.2, 1);
      const layers = [64, ...new Array<number>(depth).fill(100), 10];
      const tried = [];
      for (const lambda of [1e-6, 1e-2, 1]) {
        const { model } = await fitModel(
          {
            x: scaled(parts.train.x),
            labels: parts.train.labels,
            validation: { x: scaled(parts.test.x), labels: parts.test.labels },
          },
          { solver: 'sigmoid-admm', layers, activation, l2: lambda, iterations: 20, earlyStopping: { patience: 20 } },
        );
        const { accuracy = 0 } = await model.evaluate({ x: scaled(parts.test.x), labels: parts.test.labels });
        tried.push({ model, accuracy });
      }
      const { model } = tried.reduce((best, other) => (other.accuracy > best.accuracy ? other : best));
      const x = scaled(testing.x);
      expect((await model.evaluate({ x, ...labelsOf(testing) })).accuracy).toBeGreaterThan(0.87);
      const { labels, probabilities } = await model.predict(x);
      expect(labels).toHaveLength(x.rows);
      // Least squares gives scores.
      expect(probabilities).toBeUndefined();
      for (const each of tried) each.model.close();
    },
  );

  const labelsOf = (part: object): { labels: Int32Array } => ({ labels: (part as { labels: Int32Array }).labels });

  test('are the same as rows of ones and zeros', async () => {
    const { x } = products(8, 30);
    const labels = Int32Array.from({ length: 30 }, (_, i) => (entry(x, i, 0) > 0 ? 2 : i % 2));
    const y = matrix(30, 3, (i, j) => (labels[i] === j ? 1 : 0));
    const options = { ...BASE, layers: [2, 5, 3] };
    const [byLabel, byRow] = [
      await fitModel({ x, labels }, { ...options, loss: 'one-hot-squared-error', trainMetrics: true }),
      await fitModel({ x, y }, { ...options, trainMetrics: true }),
    ];
    expect(byLabel.model.weights).toEqual(byRow.model.weights);
    expect(byLabel.history.at(-1)?.train?.loss).toBe(byRow.history.at(-1)?.train?.loss);
    expect(byLabel.history.at(-1)?.train?.accuracy).toBeGreaterThan(0.5);
  });
});

describe('a hard start', () => {
  const cases: [string, SigmoidOptions, { x: Matrix64; y: Matrix64 }][] = [
    ['saturated: weights × 100', { ...BASE, initialisation: { scheme: 'msra', gain: 800 } }, products(1, 30)],
    ['weights of zero', { ...BASE, initialisation: { scheme: 'msra', gain: 0 } }, products(1, 30)],
    ['a constant target', BASE, { ...products(1, 30), y: matrix(30, 1, () => 0.5) }],
    ['a target of zero', BASE, { ...products(1, 30), y: matrix(30, 1, () => 0) }],
    ['a huge target', BASE, { ...products(1, 30), y: matrix(30, 1, (i) => 1e12 * i) }],
    ['one sample', BASE, products(1, 1)],
    ['widths of one', { ...BASE, layers: [2, 1, 1, 1] }, products(1, 30)],
    ['one layer', { ...BASE, layers: [2, 1] }, products(1, 30)],
    ['no weight decay', { ...BASE, l2: 0 }, products(1, 4)],
    ['features of zero', BASE, { ...products(1, 30), x: matrix(30, 2, () => 0) }],
  ];
  const all = cases.flatMap(([name, options, data]) =>
    (['float32', 'float64'] as const).flatMap((dtype) =>
      (['paper', 'code'] as const).map((majoriser) => [name, { ...options, dtype, majoriser }, data] as const),
    ),
  );
  test.each(all)('stays finite: %s (%o)', async (_, options, data) => {
    const { model, status, history } = await fitModel(data, { ...options, iterations: 30 });
    expect(status.kind).toBe('completed');
    for (const { lagrangian, kkt } of history) expect(Number.isFinite(lagrangian) && Number.isFinite(kkt)).toBe(true);
    for (const values of [...model.weights, ...model.biases]) expect(values.every(Number.isFinite)).toBe(true);
    const { outputs } = await model.predict(data.x);
    expect(outputs.data.every(Number.isFinite)).toBe(true);
    model.close();
  });
});

describe('a model', () => {
  test.each(['sigmoid', 'tanh'] as const)('of %s layers predicts, and comes back from its file', async (activation) => {
    const data = products(2, 50);
    const { model } = await fitModel(data, { ...BASE, activation });
    const { outputs } = await model.predict(data.x);
    let h: Matrix64 = data.x;
    for (const [i, weights] of model.weights.entries()) {
      const bias = at(model.biases, i, 'biases');
      const [input, columns] = [h, h.columns];
      h = matrix(input.rows, bias.length, (row, j) => {
        let sum = pick(bias, j);
        for (let k = 0; k < columns; k += 1) sum += entry(input, row, k) * pick(weights, j * columns + k);
        return i < 2 ? SIGMA[activation](sum) : sum;
      });
    }
    for (const [i, value] of h.data.entries()) expect(pick(outputs.data, i)).toBeCloseTo(value, 12);

    const folder = await mkdtemp(join(tmpdir(), 'dladmm-sigmoid-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, 'model.safetensors');
    await model.save(path);
    using loaded = await Model.load(path);
    expect(loaded.network).toEqual(model.network);
    expect(loaded.weights).toEqual(model.weights);
    expect((await loaded.predict(data.x)).outputs.data).toEqual(outputs.data);
    model.close();
  });
});

describe('an initialisation', () => {
  const layers = [30, 40, 50, 7];
  const weightsOf = async (how: ScaledScheme): Promise<readonly Matrix64[]> => {
    const { weights, biases } = await initialise(how, layers, 'float64', seededRandom(1));
    expect(biases.every((b) => b.every((value) => value === 0))).toBe(true);
    return weights.map((data, i) => ({
      data: Float64Array.from(data),
      rows: layers[i + 1] as number,
      columns: layers[i] as number,
    }));
  };
  const deviation = ({ data }: Matrix64): number =>
    Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);

  test.each(['normal', 'uniform'] as const)('has the deviations of its scheme (%s)', async (distribution) => {
    const expected = {
      msra: [Math.sqrt(2 / 40), Math.sqrt(2 / 50), 1],
      glorot: [Math.sqrt(2 / 70), Math.sqrt(2 / 90), Math.sqrt(2 / 57)],
      lecun: [Math.sqrt(1 / 30), Math.sqrt(1 / 40), Math.sqrt(1 / 50)],
      he: [Math.sqrt(2 / 30), Math.sqrt(2 / 40), Math.sqrt(2 / 50)],
    };
    for (const scheme of ['msra', 'glorot', 'lecun', 'he'] as const) {
      for (const [i, matrixOf] of (await weightsOf({ scheme, gain: 8, distribution })).entries()) {
        const ratio = deviation(matrixOf) / (8 * at(expected[scheme], i, scheme));
        expect(ratio).toBeGreaterThan(0.85);
        expect(ratio).toBeLessThan(1.15);
        const bound = Math.sqrt(3) * 8 * at(expected[scheme], i, scheme);
        expect(largest(matrixOf.data) <= bound).toBe(distribution === 'uniform');
      }
    }
  });

  test('may be orthogonal: rows or columns of one length, at right angles', async () => {
    for (const it of await weightsOf({ scheme: 'orthogonal', gain: 3 })) {
      const wide = it.rows <= it.columns;
      const count = Math.min(it.rows, it.columns);
      const value = (i: number, k: number): number => (wide ? entry(it, i, k) : entry(it, k, i));
      for (let i = 0; i < count; i += 1) {
        for (let j = 0; j <= i; j += 1) {
          let product = 0;
          for (let k = 0; k < Math.max(it.rows, it.columns); k += 1) product += value(i, k) * value(j, k);
          expect(product).toBeCloseTo(i === j ? 9 : 0, 10);
        }
      }
    }
  });
});

describe('what is refused', () => {
  const data = products(1, 10);
  const wrong: [string, Partial<Record<keyof SigmoidOptions, unknown>>, RegExp, RegExp][] = [
    ['a ReLU', { activation: 'relu' }, /ARGUMENT/, /activation.*relu/],
    ['cross-entropy', { loss: 'softmax-cross-entropy' }, /ARGUMENT/, /loss.*softmax/],
    ['a negative λ', { l2: -1 }, /RANGE/, /l2.*-1/],
    ['too many λ', { l2: [1, 1, 1, 1] }, /SHAPE/, /l2/],
    ['a negative λ of one layer', { l2: [1, -1, 1] }, /RANGE/, /l2\[1\].*-1/],
    ['λ of another kind', { l2: 'little' }, /ARGUMENT/, /l2.*little/],
    ['a β of zero', { beta: 0 }, /RANGE/, /beta.*0/],
    ['too few β', { beta: [1, 1] }, /SHAPE/, /beta/],
    ['a β that is no number', { beta: [1, 1, 'x'] }, /ARGUMENT/, /beta\[2\]/],
    ['β of another kind', { beta: 'one' }, /ARGUMENT/, /beta/],
    ['an unknown majoriser', { majoriser: 'best' }, /ARGUMENT/, /majoriser.*best/],
    ['the code’s majoriser for tanh', { activation: 'tanh', majoriser: 'code' }, /ARGUMENT/, /majoriser/],
    ['an unknown scheme', { initialisation: 'kaiming' }, /ARGUMENT/, /initialisation/],
    ['a scheme without its gain', { initialisation: { scheme: 'msra' } }, /ARGUMENT/, /initialisation\.gain/],
    ['a gain below zero', { initialisation: { scheme: 'msra', gain: -1 } }, /RANGE/, /initialisation\.gain/],
    ['a misspelt option', { lamda: 1 } as never, /ARGUMENT/, /lamda/],
    ['an option of another solver', { rho: 1 } as never, /ARGUMENT/, /rho/],
    ['an empty sweep', { sweep: () => [] }, /ARGUMENT/, /sweep/],
    ['a sweep of other blocks', { sweep: () => [{ block: 'z', layer: 1 }] }, /ARGUMENT/, /sweep.*z/],
    ['a sweep past the last layer', { sweep: () => [{ block: 'V', layer: 4 }] }, /RANGE/, /sweep.*4/],
    ['biases as a block', { sweep: () => [{ block: 'b', layer: 1 }] }, /ARGUMENT/, /sweep.*b/],
  ];
  test.each(wrong)('%s', async (_, change, code, message) => {
    const error = await fitModel(data, { ...BASE, ...change } as SigmoidOptions).then(
      () => undefined,
      (reason: unknown) => reason as { code: string; message: string },
    );
    expect(error?.code).toMatch(code);
    expect(error?.message).toMatch(message);
  });

  test('values that are not finite, with their place', async () => {
    const x = { ...data.x, data: data.x.data.with(5, Number.NaN) };
    await expect(fitModel({ ...data, x }, BASE)).rejects.toMatchObject({
      code: 'ERR_DLADMM_NON_FINITE',
      message: expect.stringContaining('row 2, column 1'),
    });
  });

  test('blocks that do not exist, and looking before the start', async () => {
    const network = { layers: [2, 3, 1], activation: 'sigmoid', loss: 'squared-error' } as const;
    using state = await constraints.open({ network, dtype: 'float64', threads: 1 }, data);
    const penalties: ConstraintPenalties = { l2: 0, beta: [1, 1], majoriser: 'paper' };
    await expect(state.run([W(1)], penalties)).rejects.toMatchObject({ code: 'ERR_DLADMM_STATE' });
    await expect(state.read('V', 1)).rejects.toMatchObject({ code: 'ERR_DLADMM_STATE' });
    await state.start();
    for (const [block, layer] of [
      ['W', 0],
      ['V', 3],
      ['z', 1],
      ['Lambda', 1.5],
      [undefined, 1],
      ['b', 9],
    ]) {
      const update = { block, layer } as ConstraintUpdate;
      await expect(state.read(update.block, update.layer)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_DLADMM_(ARGUMENT|RANGE)$/),
      });
      await expect(state.run([update], penalties)).rejects.toMatchObject({
        code: expect.stringMatching(/^ERR_DLADMM_(ARGUMENT|RANGE)$/),
      });
    }
    await expect(state.write('V', 1, new Float64Array(29))).rejects.toMatchObject({ code: 'ERR_DLADMM_SHAPE' });
    await expect(state.run([W(1)], { ...penalties, beta: [1] })).rejects.toMatchObject({ code: 'ERR_DLADMM_SHAPE' });
    state.close();
    await expect(state.run([W(1)], penalties)).rejects.toMatchObject({ code: 'ERR_DLADMM_CLOSED' });
  });
});
