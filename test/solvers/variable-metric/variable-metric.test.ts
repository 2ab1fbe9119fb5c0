import { describe, expect, onTestFinished, test } from 'vitest';
import { seededRandom } from '../../../src/core/random.js';
import { loadDataset } from '../../../src/data.js';
import { fit, train } from '../../../src/index.js';
import type { Network } from '../../../src/network/network.js';
import { type Damping, nextDamping } from '../../../src/solvers/variable-metric/algorithm.js';
import {
  a,
  defaultsOf,
  G,
  type MetricReading,
  type MetricRecord,
  metric,
  metricSweep,
  P,
  u,
  type VariableMetricOptions,
  variableMetric,
  W,
  z,
} from '../../../src/solvers.js';
import { random } from '../../reference/addon.js';
import {
  at,
  dot,
  entry,
  largest,
  type Matrix64,
  map,
  matrix,
  minus,
  plus,
  squaredNorm,
  times,
  timesTransposed,
  transpose,
  transposedTimes,
} from '../../reference/dense.js';

const DEFAULTS = defaultsOf(variableMetric);

describe('the sweep', () => {
  test('is a step of every W, then what follows from it: z and a forward, u backward, both metrics', () => {
    expect([...metricSweep(2)]).toEqual([W(1), W(2), z(1), a(1), z(2), u(2), u(1), P(1), G(1), P(2), G(2)]);
  });

  test('damps by how well F was foretold', () => {
    const now = { rate: 1, momentum: 0.8, damping: 100 };
    const length = { momentum: 0.8, adapts: 'length' } as const;
    const damping = { momentum: 0.8, adapts: 'damping' } as const;
    const back = { reduction: -1, kept: false };
    expect(nextDamping(now, length, back)).toEqual({ rate: 0.5, momentum: 0, damping: 100 });
    expect(nextDamping(now, damping, back)).toEqual({ rate: 1, momentum: 0, damping: 200 });
    for (const own of [length, damping]) {
      expect(nextDamping({ ...now, momentum: 0 }, own, { reduction: 0.4, kept: true })).toEqual(now);
    }
    const [bad, good] = [0.1, 0.9].map((reduction) => ({ reduction, kept: true })) as [typeof back, typeof back];
    expect(nextDamping(now, length, bad).rate).toBeLessThan(1);
    expect(nextDamping(now, length, good).rate).toBeGreaterThan(1);
    expect(nextDamping(now, damping, bad).damping).toBeGreaterThan(100);
    expect(nextDamping(now, damping, good).damping).toBeLessThan(100);
  });
});

/** M⁻¹ of a symmetric positive definite matrix, by Gauss and Jordan. */
function inverse(m: Matrix64): Matrix64 {
  const n = m.rows;
  const rows = Array.from({ length: n }, (_, i) =>
    Array.from({ length: 2 * n }, (_, j) => (j < n ? entry(m, i, j) : Number(j - n === i))),
  );
  for (let k = 0; k < n; k += 1) {
    const pivot = at(rows, k, 'rows');
    const divisor = at(pivot, k, 'pivot');
    for (let j = 0; j < 2 * n; j += 1) pivot[j] = (pivot[j] ?? 0) / divisor;
    for (const [i, row] of rows.entries()) {
      const factor = at(row, k, 'row');
      if (i !== k) for (let j = 0; j < 2 * n; j += 1) row[j] = (row[j] ?? 0) - factor * (pivot[j] ?? 0);
    }
  }
  return matrix(n, n, (i, j) => rows[i]?.[n + j] ?? Number.NaN);
}

const withOnes = (m: Matrix64): Matrix64 =>
  matrix(m.rows, m.columns + 1, (i, j) => (j < m.columns ? entry(m, i, j) : 1));
const withoutLast = (m: Matrix64): Matrix64 => matrix(m.rows, m.columns - 1, (i, j) => entry(m, i, j));
const damped = (m: Matrix64, factor: number): Matrix64 => {
  const mean = m.data.reduce((sum, x, i) => sum + (i % (m.columns + 1) === 0 ? x : 0), 0) / m.rows;
  return map(m, (x, i, j) => (i === j ? x + factor * mean : x));
};

interface Settings {
  readonly rate: number;
  readonly momentum: number;
  readonly damping: number;
  readonly outputDamping: number;
  readonly adapts: 'length' | 'damping';
  readonly l2: number;
  readonly seed: number;
}

/** The rule in plain float64: softmax cross-entropy of labels, or the squared error of values, under ReLU or tanh. */
class Plain {
  readonly #x: Matrix64;
  readonly #labels: Int32Array | undefined;
  readonly #y: Matrix64 | undefined;
  readonly #tanh: boolean;
  readonly #weights: readonly number[];
  readonly #settings: Settings;
  W: readonly Matrix64[];
  V: readonly Matrix64[];
  #draws = 0;
  #penalties: Damping;
  #last: Damping;
  point: ReturnType<Plain['look']>;

  constructor(
    data: { readonly x: Matrix64; readonly labels?: Int32Array; readonly y?: Matrix64 },
    activation: 'relu' | 'tanh',
    start: readonly Matrix64[],
    settings: Settings,
    weights: readonly number[] = [],
  ) {
    this.#x = data.x;
    this.#labels = data.labels;
    this.#y = data.y;
    this.#tanh = activation === 'tanh';
    this.#weights = weights;
    this.#settings = settings;
    this.W = start;
    this.V = start.map((w) => map(w, () => 0));
    this.#penalties = settings;
    this.#last = settings;
    this.point = this.look(start, 0);
  }

  /** F, the multipliers, the metrics and the gradient where the parameters are `w`. */
  look(w: readonly Matrix64[], draw: number) {
    const N = this.#x.rows;
    const L = w.length;
    const value = (x: number): number => (this.#tanh ? Math.tanh(x) : Math.max(x, 0));
    const slope = (x: number): number => (this.#tanh ? 1 - Math.tanh(x) ** 2 : Number(x > 0));
    const inputs: Matrix64[] = [];
    const outputs: Matrix64[] = [];
    for (const [l, each] of w.entries()) {
      inputs.push(withOnes(l === 0 ? this.#x : map(at(outputs, l - 1, 'z'), value)));
      outputs.push(timesTransposed(at(inputs, l, 'a'), each));
    }
    const last = at(outputs, L - 1, 'z');
    const n = last.columns;
    const weight = (i: number): number => this.#weights[i] ?? 1;
    const duals = matrix(N, n, () => 0);
    const drawn = matrix(N, n, () => 0);
    let loss = 0;
    for (let i = 0; i < N; i += 1) {
      const stream = seededRandom(
        (this.#settings.seed + Math.imul(0x9e3779b9, draw) + Math.imul(0x85ebca6b, i + 1)) >>> 0,
      );
      const row = Array.from({ length: n }, (_, j) => entry(last, i, j));
      const total = row.reduce((sum, each) => sum + Math.exp(each), 0);
      const p = row.map((each) => Math.exp(each) / total);
      const label = this.#labels?.[i];
      let picked = 0;
      if (label !== undefined) {
        const under = stream.uniform();
        for (let below = p[0] ?? 0; picked + 1 < n && !(below > under); below += p[picked] ?? 0) picked += 1;
        loss -= weight(i) * Math.log(p[label] ?? 0);
      }
      for (let j = 0; j < n; j += 1) {
        const miss =
          label === undefined ? (row[j] ?? 0) - entry(this.#y as Matrix64, i, j) : (p[j] ?? 0) - Number(j === label);
        if (label === undefined) loss += (weight(i) * miss * miss) / 2;
        const own = label === undefined ? (stream.uniform() < 0.5 ? -1 : 1) : (p[j] ?? 0) - Number(j === picked);
        duals.data[i * n + j] = weight(i) * miss;
        drawn.data[i * n + j] = Math.sqrt(weight(i)) * own;
      }
    }
    const back = (from: Matrix64): Matrix64[] => {
      const all = [from];
      for (let l = L - 2; l >= 0; l -= 1) {
        const below = times(at(all, 0, 'u'), withoutLast(at(w, l + 1, 'W')));
        all.unshift(map(below, (x, i, j) => x * slope(entry(at(outputs, l, 'z'), i, j))));
      }
      return all;
    };
    const [u, v] = [back(duals), back(drawn)];
    const { l2, outputDamping } = this.#settings;
    const over = (m: Matrix64): Matrix64 => map(m, (x) => x / N);
    const scaledRows = (m: Matrix64): Matrix64 => map(m, (x, i) => Math.sqrt(weight(i)) * x);
    const regularisation = (l2 / 2) * w.reduce((sum, each) => sum + squaredNorm(each), 0);
    return {
      objective: loss / N + regularisation,
      outputs,
      u,
      P: v.map((each) => damped(over(transposedTimes(each, each)), outputDamping)),
      inputs: inputs.map((each) => over(transposedTimes(scaledRows(each), scaledRows(each)))),
      gradient: u.map((each, l) => plus(over(transposedTimes(each, at(inputs, l, 'a'))), l2, at(w, l, 'W'))),
    };
  }

  /** G_l of the point with the damping of the last sweep. */
  G(penalties = this.#last): Matrix64[] {
    return this.point.inputs.map((each) => damped(each, penalties.damping));
  }

  /** One sweep: what a record says of it. */
  sweep() {
    const { P, gradient, objective } = this.point;
    const penalties = this.#penalties;
    this.#last = penalties;
    const G = this.G();
    const step = gradient.map((each, l) => times(times(inverse(at(P, l, 'P')), each), inverse(at(G, l, 'G'))));
    const velocity = this.V.map((each, l) =>
      plus(
        map(each, (x) => penalties.momentum * x),
        -penalties.rate,
        at(step, l, 'Δ'),
      ),
    );
    const next = this.W.map((each, l) => plus(each, 1, at(velocity, l, 'V')));
    this.#draws += 1;
    const tried = this.look(next, this.#draws);
    const sum = (of: readonly Matrix64[]): number =>
      gradient.reduce((total, each, l) => total + dot(each, at(of, l, 'Δ')), 0);
    const kept = tried.objective <= objective;
    const reduction = (tried.objective - objective) / sum(velocity);
    this.#penalties = nextDamping(penalties, this.#settings, { reduction, kept });
    if (kept) {
      this.W = next;
      this.V = velocity;
      this.point = tried;
    }
    return { tried: tried.objective, slope: sum(step), expected: sum(velocity), reduction, kept, penalties };
  }
}

const N = 40;
const x = random(5, N, 4);
const labels = Int32Array.from({ length: N }, (_, i) => (entry(x, i, 0) > 0.2 ? 2 : entry(x, i, 1) > 0 ? 1 : 0));
const y = matrix(N, 3, (i, j) => entry(x, i, j) * entry(x, i, 3));
const LAYERS = [4, 6, 5, 3];
const start = LAYERS.slice(1).map((rows, l) => random(20 + l, rows, (LAYERS[l] ?? 0) + 1));
const initialisation = {
  weights: start.map((each) => withoutLast(each).data),
  biases: start.map((each) => Float64Array.from({ length: each.rows }, (_, i) => entry(each, i, each.columns - 1))),
};
const BASE: VariableMetricOptions = {
  solver: 'variable-metric-admm',
  layers: LAYERS,
  dtype: 'float64',
  iterations: 20,
  threads: 2,
  standardiseTargets: false,
  initialisation,
};

const as64 = ({ data, rows, columns }: { data: ArrayLike<number>; rows: number; columns: number }): Matrix64 => ({
  data: Float64Array.from(data),
  rows,
  columns,
});

describe('twenty sweeps are those of a plain transcription', () => {
  const weights = Array.from({ length: N }, (_, i) => 0.5 + (i % 3));
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / N;
  test.each([
    ['softmax cross-entropy', { labels }, 'relu', {}, []],
    ['softmax cross-entropy under tanh, decayed, far steps', { labels }, 'tanh', { l2: 0.01, learningRate: 3 }, []],
    ['the squared error', { y }, 'relu', { relativeDamping: 2, momentum: 0.5, seed: 9 }, []],
    ['a damping that follows', { y }, 'tanh', { relativeDamping: 5, learningRate: 1, adapts: 'damping' }, []],
    [
      'samples of other weights',
      { labels, weights },
      'relu',
      { relativeDamping: 10 },
      weights.map((each) => each / mean),
    ],
  ] as const)('%s', async (_, goal, activation, own, told) => {
    const loss = 'y' in goal ? 'squared-error' : 'softmax-cross-entropy';
    const options = { ...BASE, activation, loss, ...own } as VariableMetricOptions;
    const settings = { ...DEFAULTS, seed: 1, ...own };
    const { learningRate: rate, momentum, relativeDamping: damping, outputDamping, adapts, l2, seed } = settings;
    const plain = new Plain(
      { x, ...goal } as never,
      activation,
      start,
      { rate, momentum, damping, outputDamping, adapts, l2, seed },
      told,
    );
    const training = train({ x, ...goal } as never, options);
    const close = (found: number, expected: number): void => {
      expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-10 * Math.max(1, Math.abs(expected)));
    };
    const same = async (block: MetricReading, l: number, expected: Matrix64): Promise<void> => {
      const found = as64(await training.read(block, l));
      expect([found.rows, found.columns]).toEqual([expected.rows, expected.columns]);
      expect(largest(minus(found, expected))).toBeLessThanOrEqual(1e-10 * Math.max(1, largest(expected)));
    };
    let takenBack = 0;
    for await (const record of training as AsyncIterable<MetricRecord>) {
      const of = plain.sweep();
      takenBack += Number(!of.kept);
      expect(record.kept).toBe(of.kept);
      for (const name of ['tried', 'slope', 'expected'] as const) close(record[name], of[name]);
      close(record.penalties.rate, of.penalties.rate);
      close(record.penalties.damping, of.penalties.damping);
      close(record.objective, plain.point.objective);
      close(
        record.kkt,
        plain.point.gradient.reduce((sum, each) => sum + squaredNorm(each), 0),
      );
      for (let l = 1; l <= 3; l += 1) {
        await same('W', l, withoutLast(at(plain.W, l - 1, 'W')));
        await same('velocity', l, at(plain.V, l - 1, 'V'));
        await same('z', l, at(plain.point.outputs, l - 1, 'z'));
        await same('u', l, at(plain.point.u, l - 1, 'u'));
        await same('P', l, at(plain.point.P, l - 1, 'P'));
        await same('G', l, at(plain.G(), l - 1, 'G'));
        const step = times(at(plain.point.u, l - 1, 'u'), inverse(at(plain.point.P, l - 1, 'P')));
        await same('target', l, minus(at(plain.point.outputs, l - 1, 'z'), step));
      }
    }
    if (activation === 'tanh' && 'l2' in own) expect(takenBack).toBeGreaterThan(0);
  });
});

describe('the certificate', () => {
  test.each(['softmax-cross-entropy', 'squared-error'] as const)(
    'holds in every record of a training in float32: %s',
    async (loss) => {
      const { train: digits } = await loadDataset('digits');
      const data = loss === 'squared-error' ? { x: digits.x, y: digits.x } : digits;
      const training = train(data, {
        solver: 'variable-metric-admm',
        layers: [64, 40, 30, loss === 'squared-error' ? 64 : 10],
        loss,
        iterations: 40,
        threads: 2,
        standardise: false,
        standardiseTargets: false,
      });
      let before = Number.POSITIVE_INFINITY;
      let least = Number.POSITIVE_INFINITY;
      let first = Number.NaN;
      for await (const record of training) {
        expect(record.objective).toBeLessThanOrEqual(before);
        expect(record.kept).toBe(record.tried <= before);
        expect(record.slope).toBeGreaterThan(0);
        expect(record.lagrangian / (record.lossSum + record.regularisation)).toBeCloseTo(1, 12);
        expect(record.residuals).toEqual([0, 0, 0]);
        before = record.objective;
        least = Math.min(least, record.kkt);
        if (record.iteration === 1) first = record.kkt;
        if (record.iteration % 20 !== 0) continue;
        // The constraints, by variables that are read.
        for (let l = 1; l <= 3; l += 1) {
          const input = l === 1 ? digits.x : await training.read('a', l - 1);
          const [weights, biases, outputs] = [
            as64(await training.read('W', l)),
            as64(await training.read('b', l)),
            as64(await training.read('z', l)),
          ];
          const image = map(
            timesTransposed(as64(input as never), weights),
            (value, _, j) => value + entry(biases, 0, j),
          );
          expect(largest(minus(image, outputs))).toBeLessThan(1e-4 * largest(outputs));
          if (l === 3) continue;
          const positive = map(outputs, (value) => Math.max(value, 0));
          expect(largest(minus(as64(await training.read('a', l)), positive))).toBe(0);
        }
      }
      expect(least).toBeLessThan(first / 100);
    },
  );

  test('has the squared norm of the gradient, and multipliers that are slopes, by finite differences', async () => {
    for (const [loss, goal] of [
      ['softmax-cross-entropy', { labels: labels.subarray(0, 1) }],
      ['squared-error', { y: matrix(1, 3, (_, j) => entry(y, 0, j)) }],
    ] as const) {
      for (const activation of ['relu', 'tanh', 'silu'] as const) {
        const network: Network = { layers: LAYERS, activation, loss };
        const one = { x: matrix(1, 4, (_, j) => entry(x, 0, j)), ...goal };
        const session = await metric.open({ network, dtype: 'float64', threads: 1 }, one);
        onTestFinished(() => session.close());
        await session.writeParameters(initialisation);
        await session.start();
        const penalties = { rate: 0.01, momentum: 0.5, damping: 1, outputDamping: 0.1, l2: 0 };
        // One sample of a class is soon learnt to the last bit: its multipliers are 0.
        const sweeps = loss === 'squared-error' ? 3 : 0;
        for (let sweep = 0; sweep < sweeps; sweep += 1) await session.run([...metricSweep(3)], penalties);
        const { kkt } = await session.measure(penalties);
        let squares = 0;
        for (let l = 1; l <= 3; l += 1) {
          const multipliers = (await session.read('u', l)).data;
          for (const block of ['W', 'b'] as const) {
            const own = Float64Array.from((await session.read(block, l)).data);
            for (const [i, value] of own.entries()) {
              const F = async (step: number): Promise<number> => {
                await session.write(block, l, own.with(i, value + step));
                return (await session.measure(penalties)).objective;
              };
              const slope = ((await F(1e-5)) - (await F(-1e-5))) / 2e-5;
              squares += slope * slope;
              // b_l moves z_l alone, entry by entry.
              if (block === 'b') expect(slope).toBeCloseTo(multipliers[i] ?? Number.NaN, 8);
            }
            await session.write(block, l, own);
          }
        }
        expect(kkt / squares).toBeCloseTo(1, 6);
      }
    }
  });
});

describe('any number of threads', () => {
  test.each(['float32', 'float64'] as const)('gives the same bits: %s', async (dtype) => {
    const digits = await loadDataset('digits');
    const options = { solver: 'variable-metric-admm', layers: [64, 30, 10], iterations: 6, dtype } as const;
    const [one, three] = [
      await fit(digits.train, { ...options, threads: 1 }),
      await fit(digits.train, { ...options, threads: 3 }),
    ];
    expect(three.model.weights).toEqual(one.model.weights);
    expect(three.history.map(({ objective }) => objective)).toEqual(one.history.map(({ objective }) => objective));
  });
});

describe('weights of samples', () => {
  test('count as rows that are repeated, where nothing is drawn', async () => {
    const times = Array.from({ length: N }, (_, i) => 1 + (i % 3));
    const rows = times.flatMap((count, i) => new Array<number>(count).fill(i));
    const repeated = {
      x: matrix(rows.length, 4, (i, j) => entry(x, rows[i] ?? 0, j)),
      labels: Int32Array.from(rows, (i) => labels[i] ?? 0),
    };
    const options = { ...BASE, loss: 'hinge', standardise: false } as const;
    const weighted = await fit({ x, labels, weights: times }, options);
    const twice = await fit(repeated, options);
    for (const [l, found] of weighted.model.weights.entries()) {
      for (const [i, value] of found.entries()) expect(value).toBeCloseTo(twice.model.weights[l]?.[i] ?? Number.NaN, 8);
    }
  });
});

describe('a hard start', () => {
  const cases: [string, Partial<VariableMetricOptions>, object][] = [
    ['weights of zero', { initialisation: { gaussian: 0 } }, { x, labels }],
    ['weights × 100', { initialisation: { gaussian: 100 } }, { x, labels }],
    ['features of zero', {}, { x: map(x, () => 0), labels }],
    ['one sample', { loss: 'squared-error' }, { x: matrix(1, 4, () => 1), y: matrix(1, 3, () => 2) }],
    ['one layer', { layers: [4, 3], initialisation: 'he' }, { x, labels }],
    ['a step too far', { learningRate: 1e12 }, { x, labels }],
    ['no damping', { relativeDamping: 0, outputDamping: 0 }, { x, labels }],
    ['all damping', { relativeDamping: 1e30, outputDamping: 1e30 }, { x, labels }],
    ['targets met at once', { loss: 'squared-error' }, { x, y: map(y, () => 0) }],
  ];
  test.each(
    cases.flatMap(([name, own, data]) =>
      (['float32', 'float64'] as const).map((dtype) => [name, { ...own, dtype }, data] as const),
    ),
  )('stays finite: %s (%o)', async (_, own, data) => {
    const options = { ...BASE, initialisation: 'he', ...own } as VariableMetricOptions;
    const { history, model, status } = await fit(data as never, options);
    expect(status.kind).toBe('completed');
    for (const { objective, kkt } of history) expect(Number.isFinite(objective) && Number.isFinite(kkt)).toBe(true);
    for (const values of [...model.weights, ...model.biases]) expect(values.every(Number.isFinite)).toBe(true);
  });

  test('that is no number ends the training, with the model that it had', async () => {
    const far = { initialisation: { gaussian: 1e300 }, loss: 'squared-error' } as const;
    const { status } = await fit({ x, y }, { ...BASE, ...far });
    expect(status).toMatchObject({ kind: 'diverged', iteration: 1 });
  });

  test('whose gradient overflows ends the training too, as no step would be kept any more', async () => {
    const { status } = await fit({ x, y }, { ...BASE, loss: 'squared-error', dtype: 'float64', l2: 1e300 });
    expect(status).toMatchObject({ kind: 'diverged', iteration: 1 });
  });

  test('is foretold where it is stationary', async () => {
    const nothing = { x: map(x, () => 0), y: map(y, () => 0) };
    const own = { loss: 'squared-error', standardiseTargets: false, initialisation: 'he', l2: 0 } as const;
    const { history } = await fit(nothing, { ...BASE, ...own });
    expect(history.map(({ reduction, slope }) => [reduction, slope])).toEqual(history.map(() => [1, 0]));
  });
});

describe('what is refused', () => {
  test.each([
    ['a rate of zero', { learningRate: 0 }, /RANGE/, /learningRate/],
    ['a momentum of one', { momentum: 1 }, /RANGE/, /momentum/],
    ['a negative damping', { relativeDamping: -1 }, /RANGE/, /relativeDamping/],
    ['damping of another kind', { outputDamping: 'much' }, /ARGUMENT/, /outputDamping/],
    ['an option of another solver', { rho: 1 }, /ARGUMENT/, /rho/],
  ])('%s', async (_, own, code, message) => {
    const error = await fit({ x, labels }, { ...BASE, ...own } as never).then(
      () => undefined,
      (reason: unknown) => reason as { code: string; message: string },
    );
    expect(error?.code).toMatch(code);
    expect(error?.message).toMatch(message);
  });

  test('to write what follows from W, or to update what is none', async () => {
    const network: Network = { layers: LAYERS, activation: 'relu', loss: 'softmax-cross-entropy' };
    using session = await metric.open({ network, dtype: 'float64', threads: 1 }, { x, labels });
    const penalties = { rate: 0.1, momentum: 0, damping: 1, outputDamping: 0.1, l2: 0 };
    await expect(session.run([W(1)], penalties)).rejects.toMatchObject({ code: 'ERR_DLADMM_STATE' });
    await session.start();
    await expect(session.write('P', 1, new Float64Array(36))).rejects.toMatchObject({ code: 'ERR_DLADMM_STATE' });
    await expect(session.run([a(3)], penalties)).rejects.toMatchObject({ code: 'ERR_DLADMM_RANGE' });
    await expect(session.run([{ block: 'target', layer: 1 } as never], penalties)).rejects.toMatchObject({
      code: 'ERR_DLADMM_ARGUMENT',
    });
    await expect(session.run([W(1)], { ...penalties, rate: -1 })).rejects.toMatchObject({ code: 'ERR_DLADMM_RANGE' });
    const { data } = await session.read('P', 1);
    expect(transpose({ data: Float64Array.from(data), rows: 6, columns: 6 }).data).toEqual(Float64Array.from(data));
  });
});
