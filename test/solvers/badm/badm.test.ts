import { describe, expect, test } from 'vitest';
import type { Network } from '../../../src/index.js';
import { BadmOptimizer, type BadmOptimizerOptions, type GradientMethod } from '../../../src/solvers.js';
import { expectFailure } from '../../formats/support.js';
import { consensus, cut, lossAndGradient, trainPlainly, type Vector } from '../../reference/gradient.js';
import { openState, readVector, relativeGap, samplesFor, startFor } from '../../reference/gradient-addon.js';

const NETWORK: Network = { layers: [5, 7, 6, 3], activation: 'relu', loss: 'softmax-cross-entropy' };
const SAMPLES = samplesFor(NETWORK, 48);
const START = startFor(NETWORK);
const SIZE = START.length;
const all = Array.from({ length: 48 }, (_, i) => i);

const norm = (v: Iterable<number>): number => Math.sqrt([...v].reduce((sum, x) => sum + x * x, 0));
const plus = (a: Vector, c: number, b: Vector): Vector => a.map((x, j) => x + c * (b[j] as number));
const meanOf = (vectors: readonly Vector[]): Vector =>
  (vectors[0] as Vector).map((_, j) => vectors.reduce((sum, v) => sum + (v[j] as number), 0) / vectors.length);

/** The parameters after each of `steps` steps of the definition. */
function byDefinition(
  settings: Parameters<typeof consensus>[2],
  subBatches: number,
  steps: number,
  batchSize = 8,
): readonly Vector[] {
  const { rule } = consensus(SIZE, subBatches, settings);
  const plain = trainPlainly(NETWORK, SAMPLES, START, { batchSize, subBatches, seed: 5 }, rule);
  return Array.from({ length: steps }, () => plain.next().value.w);
}

async function byAddon(method: GradientMethod, steps: number, batchSize = 8, threads = 1): Promise<readonly Vector[]> {
  const out: Vector[] = [];
  using state = await openState({ network: NETWORK, method, batchSize, seed: 5, threads }, SAMPLES, START);
  for (let t = 1; t <= steps; t++) {
    await state.run(1);
    out.push(await readVector(state));
  }
  return out;
}

const largestGap = (a: readonly Vector[], b: readonly Vector[]): number =>
  Math.max(...a.map((w, t) => relativeGap(w, b[t] as Vector)));

describe('BADM', () => {
  const settings = { sigma: 2, rho: 9, l2: 0.03 } as const;

  test('is the same for 1, 2, 4 and 8 sub-batches, by the definition and in the collapsed form', async () => {
    const collapsed = await byAddon({ solver: 'badm', ...settings }, 50);
    for (const subBatches of [1, 2, 4, 8]) {
      expect(largestGap(collapsed, byDefinition(settings, subBatches, 50))).toBeLessThan(1e-12);
      const collapsedToo = await byAddon({ solver: 'badm', ...settings, subBatches }, 50);
      expect(collapsedToo).toEqual(collapsed);
      const withDuals = await byAddon({ solver: 'badm', ...settings, subBatches, duals: true }, 50, 8, 2);
      expect(largestGap(withDuals, collapsed)).toBeLessThan(1e-12);
    }
  });

  test.each(['badm', 'sisa'] as const)(
    'with penalties that grow, σ/γ and ρ/γ, %s is its definition with these',
    async (solver) => {
      const learningRate = (step: number): number => 1 / step;
      const reference = consensus(SIZE, 4, { ...settings, learningRate, ...(solver === 'sisa' && { beta2: 0.9 }) });
      const plain = trainPlainly(NETWORK, SAMPLES, START, { batchSize: 8, subBatches: 4, seed: 5 }, reference.rule);
      const own = solver === 'sisa' ? { solver, beta2: 0.9 } : { solver };
      const method = {
        ...own,
        ...settings,
        subBatches: 4,
        learningRate: ({ step }: { step: number }) => learningRate(step),
      };
      const byHand = new BadmOptimizer({ ...own, ...settings, subBatches: 4, dtype: 'float64' });
      const w = START.slice();
      const gradients = (at: Vector) => [0, 1, 2, 3].map((s) => at.map((x, j) => Math.sin(x + s + j)));
      const hand = consensus(SIZE, 4, { ...settings, learningRate, ...(solver === 'sisa' && { beta2: 0.9 }) });
      const plainly = START.slice();
      for (const [t, found] of (await byAddon(method, 50)).entries()) {
        expect(relativeGap(found, plain.next().value.w)).toBeLessThan(1e-10);
        byHand.step(w, gradients(w), learningRate(t + 1));
        hand.rule(plainly, gradients(plainly), [0.25, 0.25, 0.25, 0.25], t + 1, 0, []);
        expect(relativeGap(w, plainly)).toBeLessThan(1e-10);
      }
    },
  );

  test('takes a first step of gradient descent with step 2/(ρ + σ)', async () => {
    const [w] = await byAddon({ solver: 'badm', sigma: 2, rho: 9 }, 1, 48);
    const { gradient } = lossAndGradient(NETWORK, START, SAMPLES, all);
    expect(relativeGap(w as Vector, plus(START, -2 / 11 / 48, gradient))).toBeLessThan(1e-13);
  });

  test('reports the duals of the definition', async () => {
    const reference = consensus(SIZE, 4, settings);
    const plain = trainPlainly(NETWORK, SAMPLES, START, { batchSize: 8, subBatches: 4, seed: 5 }, reference.rule);
    const method = { solver: 'badm', ...settings, subBatches: 4, duals: true } as const;
    using state = await openState({ network: NETWORK, method, batchSize: 8, seed: 5 }, SAMPLES, START);
    await state.run(20);
    for (let t = 1; t <= 20; t++) plain.next();
    for (const [s, dual] of reference.duals.entries()) {
      expect(relativeGap(await readVector(state, s), dual)).toBeLessThan(1e-11);
    }
  });

  /** ½ ‖w − y‖² scaled by the curvature: one sample x, a linear unit without curvature in its bias. */
  async function distances(curvature: number, sigma: number, rho: number, steps: number): Promise<number[]> {
    // x = √L and y = 0: F(w, b) = ½ (√L w + b)², of curvature L + 1 along (√L, 1) and 0 across.
    const network: Network = { layers: [1, 1], activation: 'identity', loss: 'squared-error' };
    const samples = { x: [Float64Array.of(Math.sqrt(curvature - 1))], y: [Float64Array.of(0)] };
    const method = { solver: 'badm', sigma, rho } as const;
    using state = await openState({ network, method }, samples, Float64Array.of(1, 0.5));
    const losses: number[] = [];
    for (let t = 1; t <= steps; t++) losses.push((await state.run(1)).loss);
    return losses;
  }

  test.each([
    [1, 3],
    [5, 1],
    [2, 20],
  ])('on a quadratic, with σ = %d and ρ = %d, is stable exactly below L = (4ρ + 2σ)/3', async (sigma, rho) => {
    const limit = (4 * rho + 2 * sigma) / 3;
    const below = await distances(0.97 * limit, sigma, rho, 1200);
    const above = await distances(1.03 * limit, sigma, rho, 1200);
    expect(below.at(-1)).toBeLessThan(1e-10 * (below[0] as number));
    expect(above.at(-1)).toBeGreaterThan(1e10 * (above[0] as number));
  });

  test('on a full batch: w_s → w, π_s → −∇F_s(w), Σ α_s π_s → 0, and min ‖∇F‖² falls at least as 1/K', async () => {
    const network: Network = { layers: [4, 5, 2], activation: 'identity', loss: 'squared-error' };
    const samples = samplesFor(network, 24);
    const start = startFor(network);
    const subBatches = 3;
    const [sigma, rho] = [2, 20];
    const method = { solver: 'badm', sigma, rho, subBatches, duals: true } as const;
    using state = await openState({ network, method, batchSize: 24 }, samples, start);
    const parts = cut(
      Array.from({ length: 24 }, (_, i) => i),
      subBatches,
    );
    const gradientsAt = (w: Vector) =>
      parts.map((part) => lossAndGradient(network, w, samples, part).gradient.map((g) => g / part.length));
    const look = async () => ({
      w: await readVector(state),
      duals: await Promise.all(parts.map((_, s) => readVector(state, s))),
    });
    const checkpoints: { readonly K: number; readonly least: number }[] = [];
    let least = Number.POSITIVE_INFINITY;
    let before = await look();
    let now = before;
    const first = { gap: 0, stationarity: 0, sum: 0 };
    const last = { gap: 0, stationarity: 0, sum: 0 };
    const K = 20_000;
    for (let k = 1; k <= K; ) {
      const rare = k > 64 && k < K - 1;
      const steps = rare ? Math.min(64, K - 1 - k) : 1;
      await state.run(steps);
      k += steps;
      now = await look();
      const gradients = gradientsAt(now.w);
      least = Math.min(least, norm(meanOf(gradients)) ** 2);
      if (Number.isInteger(Math.log2(k))) checkpoints.push({ K: k, least });
      if (steps === 1) {
        const into = k === 2 ? first : last;
        into.gap = Math.max(...now.duals.map((dual, s) => norm(plus(dual, -1, before.duals[s] as Vector)) / sigma));
        into.stationarity = Math.max(...now.duals.map((dual, s) => norm(plus(dual, 1, gradients[s] as Vector))));
        into.sum = norm(meanOf(now.duals));
      }
      before = now;
    }
    expect(last.gap).toBeLessThan(1e-6 * first.gap);
    expect(last.stationarity).toBeLessThan(1e-4 * first.stationarity);
    expect(last.sum).toBeLessThan(1e-4 * first.sum);
    expect(Math.min(...(await look()).duals.map(norm))).toBeGreaterThan(1e-3);
    const constant = (checkpoints[0] as { K: number; least: number }).least * 2;
    expect(checkpoints.length).toBeGreaterThan(5);
    for (const { K: k, least: value } of checkpoints) expect(k * value).toBeLessThan(2 * constant);
  });
});

describe('SISA', () => {
  const settings = { sigma: 0.5, rho: 30, beta2: 0.9, epsilon: 1e-3, l2: 0.02 } as const;

  test.each([1, 2, 4, 8])('with %i sub-batches takes the 50 first updates of its definition', async (subBatches) => {
    for (const threads of [1, 2]) {
      const addon = await byAddon({ solver: 'sisa', ...settings, subBatches }, 50, 8, threads);
      expect(largestGap(addon, byDefinition(settings, subBatches, 50))).toBeLessThan(1e-10);
    }
  });

  test('is not the same for every number of sub-batches', () => {
    expect(
      relativeGap(byDefinition(settings, 1, 5)[4] as Vector, byDefinition(settings, 4, 5)[4] as Vector),
    ).toBeGreaterThan(1e-3);
  });

  test('goes on by its definition where the last batch of an epoch is short, or too short for every sub-batch', async () => {
    for (const batchSize of [20, 9, 45]) {
      const subBatches = batchSize === 20 ? 5 : 9;
      const method = { solver: 'sisa', ...settings, subBatches } as const;
      const gap = largestGap(await byAddon(method, 20, batchSize), byDefinition(settings, subBatches, 20, batchSize));
      expect(gap).toBeLessThan(1e-10);
    }
  });

  test('cuts a batch into sub-batches wherever the blocks of the passes end', async () => {
    const network: Network = { layers: [3, 4, 2], activation: 'relu', loss: 'softmax-cross-entropy' };
    const samples = samplesFor(network, 2600);
    const start = startFor(network);
    const { rule } = consensus(start.length, 13, settings);
    const plain = trainPlainly(network, samples, start, { batchSize: 2600, subBatches: 13, shuffle: false }, rule);
    const method = { solver: 'sisa', ...settings, subBatches: 13 } as const;
    using state = await openState({ network, method, batchSize: 2600, threads: 2 }, samples, start);
    for (let t = 1; t <= 3; t++) {
      await state.run(1);
      expect(relativeGap(await readVector(state), plain.next().value.w)).toBeLessThan(1e-10);
    }
  });
});

describe('BadmOptimizer', () => {
  test.each([1e308, 5e-324])('takes shares of any size: two of %s are a half each', (share) => {
    const stepped = (weights: readonly number[]) => {
      const w = new Float64Array([1, 2]);
      const optimizer = new BadmOptimizer({ dtype: 'float64', subBatches: 2, weights });
      for (let t = 0; t < 3; t += 1) optimizer.step(w, [new Float64Array([1, 3]), new Float64Array([5, 2])]);
      return w;
    };
    expect(stepped([share, share])).toEqual(stepped([1, 1]));
  });

  /** Gradients of a problem with as many parts as sub-batches: each a bowl of its own around `centre`. */
  const bowl = (w: Vector, centre: number, curvature: number): Vector => w.map((x) => curvature * (x - centre));
  const centres = [-1, 0.5, 3, 2];

  const cases: readonly BadmOptimizerOptions[] = [
    { sigma: 1, rho: 5, subBatches: 4 },
    { sigma: 1, rho: 5, subBatches: 4, duals: true },
    { sigma: 1, rho: 5, subBatches: 4, weights: [1, 2, 3, 4], l2: 0.1 },
    { sigma: 1, rho: 5, subBatches: 4, weights: [1, 2, 3, 4], l2: 0.1, duals: true },
    { solver: 'sisa', sigma: 1, rho: 5, subBatches: 4, beta2: 0.8, epsilon: 0.1 },
  ];

  test.each(cases)('is the definition: %o', (options) => {
    // 3,000 numbers in three tensors: more than one piece of the pass.
    const start = Float64Array.from({ length: 3000 }, (_, j) => Math.sin(j));
    const tensors = [start.slice(0, 10), start.slice(10, 11), start.slice(11)];
    const plain = start.slice();
    const weights = options.weights ?? [1, 1, 1, 1];
    const shares = weights.map((weight) => weight / weights.reduce((a, b) => a + b, 0));
    const { sigma = 1, rho = 5, l2 = 0 } = options;
    const sisa = options.solver === 'sisa' ? { beta2: 0.8, epsilon: 0.1 } : {};
    const reference = consensus(3000, 4, { sigma, rho, l2, ...sisa });
    const optimizer = new BadmOptimizer({ ...options, dtype: 'float64' });
    for (let t = 1; t <= 40; t++) {
      optimizer.step(
        tensors,
        centres.map((centre, s) => tensors.map((tensor) => bowl(tensor, centre, s + 0.5))),
      );
      const gradients = centres.map((centre, s) => bowl(plain, centre, s + 0.5));
      reference.rule(plain, gradients, shares, t, 0, []);
      expect(relativeGap(Float64Array.from(tensors.flatMap((tensor) => [...tensor])), plain)).toBeLessThan(1e-12);
    }
    if (options.solver === 'sisa' || options.duals) {
      for (const [s, dual] of reference.duals.entries()) {
        const kept = Float64Array.from(optimizer.duals(s).flatMap((tensor) => [...tensor]));
        expect(relativeGap(kept, dual)).toBeLessThan(1e-12);
      }
    }
  });

  test('finds the minimiser of a sum of bowls in plain Float32Arrays', () => {
    const w = new Float32Array(5);
    const optimizer = new BadmOptimizer({ sigma: 1, rho: 5, subBatches: 4 });
    for (let t = 0; t < 400; t++)
      optimizer.step(
        w,
        centres.map((c) => w.map((x) => x - c)),
      );
    for (const x of w) expect(x).toBeCloseTo(1.125, 5);
  });

  test('begins anew after reset, with tensors of other sizes', () => {
    const optimizer = new BadmOptimizer({ sigma: 1, rho: 3 });
    const first = Float32Array.of(1);
    optimizer.step(first, [Float32Array.of(1)]);
    optimizer.reset();
    const again = Float32Array.of(1, 1);
    optimizer.step(again, [Float32Array.of(1, 1)]);
    expect(first[0]).toBe(0.5);
    expect([...again]).toEqual([0.5, 0.5]);
  });

  const untyped = <T>(value: unknown): T => value as T;

  test.each([
    [{ sigma: 0 }, 'ERR_DLADMM_RANGE', /sigma/],
    [{ sigma: -1 }, 'ERR_DLADMM_RANGE', /sigma/],
    [{ sigma: Number.NaN }, 'ERR_DLADMM_RANGE', /sigma/],
    [{ rho: 0 }, 'ERR_DLADMM_RANGE', /rho/],
    [{ rho: Number.POSITIVE_INFINITY }, 'ERR_DLADMM_RANGE', /rho/],
    [{ rho: '1' }, 'ERR_DLADMM_ARGUMENT', /rho/],
    [{ subBatches: 0 }, 'ERR_DLADMM_RANGE', /subBatches/],
    [{ subBatches: 1.5 }, 'ERR_DLADMM_RANGE', /subBatches/],
    [{ subBatches: 1e9 }, 'ERR_DLADMM_RANGE', /subBatches/],
    [{ l2: -1 }, 'ERR_DLADMM_RANGE', /l2/],
    [{ solver: 'sisa', beta2: 1 }, 'ERR_DLADMM_RANGE', /beta2/],
    [{ beta2: 0.5 }, 'ERR_DLADMM_ARGUMENT', /beta/],
    [{ solver: 'adam' }, 'ERR_DLADMM_ARGUMENT', /solver/],
    [{ learningRate: 0.1 }, 'ERR_DLADMM_ARGUMENT', /learningRate/],
    [{ duals: 1 }, 'ERR_DLADMM_ARGUMENT', /duals/],
    [{ dtype: 'float16' }, 'ERR_DLADMM_ARGUMENT', /dtype/],
    [{ weights: [1, 2] }, 'ERR_DLADMM_SHAPE', /weights/],
    [{ subBatches: 2, weights: [1, 0] }, 'ERR_DLADMM_RANGE', /weights\[1\]/],
    [{ weights: 'x' }, 'ERR_DLADMM_ARGUMENT', /weights/],
    [null, 'ERR_DLADMM_ARGUMENT', /options/],
  ] as const)('refuses %o', async (options, code, name) => {
    await expectFailure(() => new BadmOptimizer(untyped(options)), code, name);
  });

  test('refuses arrays that do not fit, and changes nothing then', async () => {
    const optimizer = new BadmOptimizer({ subBatches: 2 });
    const g = () => new Float32Array(3).fill(1);
    const w = new Float32Array(3);
    const refuse = (parameters: unknown, gradients: unknown, code: Parameters<typeof expectFailure>[1], part: RegExp) =>
      expectFailure(() => optimizer.step(untyped(parameters), untyped(gradients)), code, part);
    await refuse(w, [g()], 'ERR_DLADMM_SHAPE', /2 gradients/);
    await refuse(w, [g(), g(), g()], 'ERR_DLADMM_SHAPE', /2 gradients/);
    await refuse(w, g(), 'ERR_DLADMM_ARGUMENT', /subBatchGradients/);
    await refuse(w, undefined, 'ERR_DLADMM_ARGUMENT', /subBatchGradients/);
    await refuse(w, [g(), new Float32Array(2)], 'ERR_DLADMM_SHAPE', /subBatchGradients\[1\]/);
    await refuse(w, [g(), [g(), g()]], 'ERR_DLADMM_SHAPE', /subBatchGradients\[1\]/);
    await refuse(w, [g(), new Float64Array(3)], 'ERR_DLADMM_ARGUMENT', /Float32Array/);
    await refuse(w, [g(), [1, 1, 1]], 'ERR_DLADMM_SHAPE', /subBatchGradients\[1\]/);
    await refuse(w, [g(), ['x']], 'ERR_DLADMM_ARGUMENT', /subBatchGradients\[1\]\[0\]/);
    await refuse(w, [g(), Float32Array.of(0, Number.NaN, 0)], 'ERR_DLADMM_NON_FINITE', /subBatchGradients\[1\]/);
    await refuse(w, [Float32Array.of(Number.POSITIVE_INFINITY, 0, 0), g()], 'ERR_DLADMM_NON_FINITE', /\[0\]/);
    await refuse([1], [g(), g()], 'ERR_DLADMM_ARGUMENT', /parameters\[0\]/);
    const detached = g();
    structuredClone(detached, { transfer: [detached.buffer] });
    await refuse(w, [g(), detached], 'ERR_DLADMM_DETACHED', /subBatchGradients\[1\]/);
    class Liar extends Float32Array {
      override get length(): number {
        return 3;
      }
    }
    await refuse(w, [g(), new Liar(1)], 'ERR_DLADMM_ARGUMENT', /length/);
    expect([...w]).toEqual([0, 0, 0]);
    optimizer.step(w, [g(), g()]);
    const fresh = new Float32Array(3);
    new BadmOptimizer({ subBatches: 2 }).step(fresh, [g(), g()]);
    expect([...w]).toEqual([...fresh]);
    await refuse(new Float32Array(4), [g(), g()], 'ERR_DLADMM_SHAPE', /parameters/);
    await refuse([w, w], [g(), g()], 'ERR_DLADMM_SHAPE', /parameters/);
    await expectFailure(() => optimizer.duals(0), 'ERR_DLADMM_ARGUMENT', /duals/);
  });

  test('tells a step that overflows', async () => {
    const optimizer = new BadmOptimizer({ sigma: 1e-30, rho: 1e-30 });
    const step = () => optimizer.step(new Float32Array(2), [new Float32Array(2).fill(1e30)]);
    await expectFailure(step, 'ERR_DLADMM_NON_FINITE');
  });
});
