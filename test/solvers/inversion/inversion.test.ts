/** What the matrix-inversion ADMM and the inversion steps promise, on trainings and single updates of the addon. */
import { describe, expect, test } from 'vitest';
import type { LabelledSamples } from '../../../src/data.js';
import { fit as fitModel, type Loss, Model, train } from '../../../src/index.js';
import {
  a,
  b,
  cheaperStep,
  firstWeights,
  type InversionOptions,
  inversionSweep,
  type LayeredSession,
  layered,
  type StepKind,
  type SweepPenalties,
  stepFlops,
  u,
  W,
  warmStartSweep,
  z,
} from '../../../src/solvers.js';
import { random } from '../../reference/addon.js';
import {
  at,
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
  transposedTimes,
} from '../../reference/dense.js';

const LAYERS = [6, 7, 5, 3];
const L = LAYERS.length - 1;
const SAMPLES = 60;
const BETA = 0.7;
const GAMMA = 3;

const PENALTIES: SweepPenalties = {
  nu: BETA,
  gamma: GAMMA,
  rho: BETA,
  theta0: 1,
  tau0: 1,
  l2: 0,
  search: 'exact',
  growth: 2,
  output: 'exact',
  fistaStep: 4,
  fistaTolerance: 1e-3,
  fistaLimit: 500,
};

const labels = Int32Array.from({ length: SAMPLES }, (_, i) => (i * i + (i % 3)) % 3);

const samplesFor = (loss: Loss, x: Matrix64 = random(5, SAMPLES, 6)): LabelledSamples =>
  loss === 'squared-error' ? { x, y: random(9, x.rows, 3) } : { x, labels: labels.subarray(0, x.rows) };

interface Opening {
  readonly loss?: Loss;
  readonly stepW?: StepKind;
  readonly stepA?: StepKind;
  readonly x?: Matrix64;
  readonly layers?: readonly number[];
  readonly gram?: boolean;
  readonly joint?: boolean;
  readonly start?: 'forward' | 'gaussian';
}

async function open(how: Opening = {}): Promise<LayeredSession> {
  const { loss = 'softmax-cross-entropy', stepW = 'cholesky', stepA = 'cholesky', layers = LAYERS } = how;
  const { gram = false, joint = true, start = 'gaussian' } = how;
  const depth = layers.length - 1;
  const state = await layered.open(
    {
      network: { layers, activation: 'relu', loss },
      dtype: 'float64',
      softmax: 'stable',
      threads: 2,
      gram,
      fista: false,
      steps: { W: new Array(depth).fill(stepW), a: new Array(depth - 1).fill(stepA) },
      multiplier: joint ? 'output' : 'residual',
      bias: joint ? 'joint' : 'separate',
    },
    samplesFor(loss, how.x),
  );
  for (let l = 1; l <= depth; l += 1) {
    await state.write('W', l, random(l, at(layers, l, 'layers'), at(layers, l - 1, 'layers')).data);
  }
  await state.start({ output: start, hidden: start, dual: 'zero' });
  return state;
}

async function read(state: LayeredSession, block: 'W' | 'b' | 'z' | 'a' | 'u', layer: number): Promise<Matrix64> {
  const { layers } = state.options.network;
  const width = at(layers, layer, 'layers');
  const data = Float64Array.from((await state.read(block, layer)).data);
  if (block === 'W') return { data, rows: width, columns: at(layers, layer - 1, 'layers') };
  return { data, rows: block === 'b' ? 1 : state.samples, columns: width };
}

const inputOf = async (state: LayeredSession, l: number, x: Matrix64): Promise<Matrix64> =>
  l === 1 ? x : read(state, 'a', l - 1);

/** With a column of ones more. */
const withOnes = (m: Matrix64): Matrix64 =>
  matrix(m.rows, m.columns + 1, (i, j) => (j < m.columns ? entry(m, i, j) : 1));

const withBias = (weights: Matrix64, bias: Matrix64): Matrix64 =>
  matrix(weights.rows, weights.columns + 1, (i, j) => (j < weights.columns ? entry(weights, i, j) : entry(bias, 0, i)));

const relative = (A: Matrix64, B: Matrix64): number => largest(minus(A, B)) / (1e-300 + largest(B));

describe('a single inversion step', () => {
  test.each(['pseudoinverse', 'inverse', 'cholesky'] as const)('of W by %s solves W̃ ãᵀã = zᵀã', async (stepW) => {
    const x = random(5, SAMPLES, 6);
    const state = await open({ stepW, x });
    for (let l = 1; l <= L; l += 1) {
      const { updates } = await state.run([W(l)], PENALTIES);
      const input = withOnes(await inputOf(state, l, x));
      const joint = withBias(await read(state, 'W', l), await read(state, 'b', l));
      const left = times(joint, transposedTimes(input, input));
      const right = transposedTimes(await read(state, 'z', l), input);
      expect(relative(left, right)).toBeLessThan(1e-11);
      if (stepW === 'pseudoinverse') expect(updates[0]).toMatchObject({ rank: input.columns });
      else expect(updates[0]?.ridge).toBeGreaterThan(0);
      expect(updates[0]?.factorSeconds).toBeGreaterThan(0);
      expect(updates[0]).not.toHaveProperty('size');
    }
    state.close();
  });

  test.each(['inverse', 'cholesky'] as const)(
    'of a by %s solves a (β WᵀW + γ I) = β (z − b) W + γ h(z)',
    async (stepA) => {
      const state = await open({ stepA });
      await state.run([...firstWeights(L)], PENALTIES);
      for (let l = 1; l < L; l += 1) {
        await state.run([a(l)], PENALTIES);
        const weights = await read(state, 'W', l + 1);
        const bias = await read(state, 'b', l + 1);
        const activations = await read(state, 'a', l);
        const target = map(await read(state, 'z', l + 1), (value, _, j) => value - entry(bias, 0, j));
        const pulled = map(await read(state, 'z', l), (value) => GAMMA * Math.max(value, 0));
        const left = plus(
          map(activations, (value) => GAMMA * value),
          BETA,
          times(timesTransposed(activations, weights), weights),
        );
        expect(relative(left, plus(pulled, BETA, times(target, weights)))).toBeLessThan(1e-12);
      }
      state.close();
    },
  );

  test('leaves nothing for a quadratic step to do', async () => {
    const x = random(5, SAMPLES, 6);
    const exact = await open({ x, joint: false, start: 'forward' });
    const quadratic = await open({ x, joint: false, start: 'forward', stepW: 'quadratic', stepA: 'quadratic' });
    for (const state of [exact, quadratic]) {
      for (let l = 1; l <= L; l += 1) await state.write('z', l, random(40 + l, SAMPLES, at(LAYERS, l, 'layers')).data);
      await state.write('u', L, random(50, SAMPLES, 3).data);
    }
    for (const update of [W(1), a(1), W(2), a(2), W(3)]) {
      const { measures } = await exact.run([update], PENALTIES);
      await quadratic.write(update.block, update.layer, (await exact.read(update.block, update.layer)).data);
      const after = await quadratic.run([update], PENALTIES);
      expect(after.updates[0]?.stepNorm).toBeLessThan(1e-22);
      expect(after.measures?.lagrangian).toBeCloseTo(measures?.lagrangian ?? Number.NaN, 9);
    }
    exact.close();
    quadratic.close();
  });

  test('lowers the augmented Lagrangian at least as far as fifty quadratic steps', async () => {
    for (const update of [W(1), W(2), W(3), a(1), a(2)]) {
      const exact = await open({ joint: false });
      const quadratic = await open({ joint: false, stepW: 'quadratic', stepA: 'quadratic' });
      const once = await exact.run([update], PENALTIES);
      const often = await quadratic.run(new Array(50).fill(update), PENALTIES);
      const [low, high] = [once.measures?.lagrangian ?? Number.NaN, often.measures?.lagrangian ?? Number.NaN];
      expect(low).toBeLessThanOrEqual(high + 1e-10 * Math.abs(high));
      exact.close();
      quadratic.close();
    }
  });

  test('is the same through the features and through the samples', async () => {
    // 7 features and a bias against 5 samples: the Cholesky step takes the 5 x 5 matrix, the pseudo-inverse 8 x 8.
    const x = random(5, 5, 7);
    const layers = [7, 9, 3];
    const [small, large] = [
      await open({ x, layers, stepW: 'cholesky' }),
      await open({ x, layers, stepW: 'pseudoinverse' }),
    ];
    for (const l of [1, 2]) {
      const { updates } = await large.run([W(l)], PENALTIES);
      expect(updates[0]?.rank).toBe(5);
      await small.run([W(l)], PENALTIES);
      expect(relative(await read(small, 'W', l), await read(large, 'W', l))).toBeLessThan(1e-9);
      expect(relative(await read(small, 'b', l), await read(large, 'b', l))).toBeLessThan(1e-9);
    }
    small.close();
    large.close();
  });

  test('finds the minimum-norm weights: none for a dead feature', async () => {
    const x = map(random(5, SAMPLES, 6), (value, _, j) => (j === 2 ? 0 : value));
    for (const stepW of ['pseudoinverse', 'inverse', 'cholesky'] as const) {
      for (const gram of [true, false]) {
        const state = await open({ x, stepW, gram });
        const { updates } = await state.run([W(1)], PENALTIES);
        const weights = await read(state, 'W', 1);
        for (let j = 0; j < weights.rows; j += 1) expect(entry(weights, j, 2)).toBeCloseTo(0, 12);
        expect(squaredNorm(weights)).toBeGreaterThan(0);
        if (stepW === 'pseudoinverse') expect(updates[0]?.rank).toBe(6);
        state.close();
      }
    }
  });

  test.each([
    ['one sample', random(5, 1, 6)],
    ['nothing but zeros', matrix(SAMPLES, 6, () => 0)],
    ['one feature six times', map(random(5, SAMPLES, 6), (_, i) => Math.sin(i))],
    ['features from 1e-8 to 1e8', map(random(5, SAMPLES, 6), (value, _, j) => value * 10 ** (3 * j - 8))],
  ])('of %s gives numbers', async (_, x) => {
    for (const step of ['inverse', 'cholesky', 'pseudoinverse'] as const) {
      for (const dtype of ['float32', 'float64'] as const) {
        const { model, history, status } = await fitModel(samplesFor('softmax-cross-entropy', x), {
          solver: 'inversion-admm',
          layers: LAYERS,
          iterations: 8,
          dtype,
          step: { W: step, a: step === 'pseudoinverse' ? 'cholesky' : step },
        });
        expect(status.kind).toBe('completed');
        for (const block of [...model.weights, ...model.biases]) expect(block.every(Number.isFinite)).toBe(true);
        for (const { lagrangian } of history) expect(lagrangian).toBeTypeOf('number');
        model.close();
      }
    }
  });
});

describe('the inversion ADMM', () => {
  const options = (loss: Loss): InversionOptions => ({
    solver: 'inversion-admm',
    layers: LAYERS,
    loss,
    dtype: 'float64',
    beta: BETA,
    gamma: GAMMA,
    iterations: 25,
    warmStart: 4,
  });

  test.each(['softmax-cross-entropy', 'squared-error', 'hinge'] as const)(
    'has −λ ∈ ∂ℓ(z_L) after every iteration past the warm start, %s',
    async (loss) => {
      const { history, model } = await fitModel(samplesFor(loss), options(loss));
      expect(history).toHaveLength(25);
      for (const { iteration, dualIdentity, dualNorm } of history) {
        if (iteration <= 4) expect(dualNorm).toBe(0);
        else expect(dualIdentity).toBeLessThan(1e-12);
      }
      model.close();
    },
  );

  test('updates λ in no iteration of the warm start and in every one after it', async () => {
    const { history, model } = await fitModel(samplesFor('softmax-cross-entropy'), options('softmax-cross-entropy'));
    for (const { iteration, updates } of history) {
      expect(updates.some(({ block }) => block === 'u')).toBe(iteration > 4);
      expect(updates).toHaveLength(3 * (L - 1) + 2 + (iteration > 4 ? 1 : 0));
    }
    model.close();
  });

  test('writes its sweep as the paper prints it', () => {
    expect([...firstWeights(3)]).toEqual([W(1), W(2), W(3)]);
    expect([...warmStartSweep(3)]).toEqual([W(1), a(1), z(1), W(2), a(2), z(2), W(3), z(3)]);
    expect([...inversionSweep(3)]).toEqual([...warmStartSweep(3), u(3)]);
  });

  test('measures ℓ(z_L) + ⟨λ, z_L⟩ and both penalties', async () => {
    const x = random(5, SAMPLES, 6);
    const training = train(samplesFor('squared-error', x), { ...options('squared-error'), standardiseTargets: false });
    for await (const record of training) {
      let expected = 0;
      const readBlock = async (block: 'W' | 'b' | 'z' | 'a' | 'u', l: number): Promise<Matrix64> => {
        const data = Float64Array.from((await training.read(block, l)).data);
        const width = at(LAYERS, l, 'layers');
        const rows = block === 'W' ? width : block === 'b' ? 1 : SAMPLES;
        return { data, rows, columns: block === 'W' ? at(LAYERS, l - 1, 'layers') : width };
      };
      for (let l = 1; l <= L; l += 1) {
        const bias = await readBlock('b', l);
        const input = l === 1 ? x : await readBlock('a', l - 1);
        const linear = map(timesTransposed(input, await readBlock('W', l)), (value, _, j) => value + entry(bias, 0, j));
        const pre = await readBlock('z', l);
        expected += (BETA / 2) * squaredNorm(minus(pre, linear));
        if (l < L) {
          const relu = map(pre, (value) => Math.max(value, 0));
          expected += (GAMMA / 2) * squaredNorm(minus(await readBlock('a', l), relu));
        } else {
          expected += squaredNorm(minus(pre, random(9, SAMPLES, 3))) / 2;
          const lambda = await readBlock('u', l);
          expected += lambda.data.reduce((sum, value, i) => sum + value * (pre.data[i] ?? Number.NaN), 0);
        }
      }
      expect(record.lagrangian).toBeCloseTo(expected, 8);
    }
    training.result.model.close();
  });

  test('is the same from a random start whatever the number of threads', async () => {
    const start = { hidden: 'gaussian', output: 'gaussian' } as const;
    const weights = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        const { model } = await fitModel(samplesFor('softmax-cross-entropy'), {
          ...options('softmax-cross-entropy'),
          iterations: 2,
          start,
          threads,
        });
        model.close();
        return model.weights.map((block) => Array.from(block));
      }),
    );
    for (const other of weights.slice(1)) {
      other.forEach((block, l) => {
        block.forEach((value, i) => {
          expect(value).toBeCloseTo(weights[0]?.[l]?.[i] ?? Number.NaN, 8);
        });
      });
    }
  });

  test('tells two classes apart by one output under the hinge loss, and the model file keeps it so', async () => {
    const x = map(random(5, SAMPLES, 2), (value, i, j) => value + (i % 2 === 0 ? 1.5 : -1.5) * (j + 1));
    const data = { x, labels: Int32Array.from({ length: SAMPLES }, (_, i) => i % 2) };
    const { model } = await fitModel(data, {
      solver: 'inversion-admm',
      layers: [2, 8, 1],
      loss: 'hinge',
      classes: ['even', 'odd'],
      iterations: 30,
    });
    const { accuracy } = await model.evaluate(data);
    expect(accuracy).toBeGreaterThan(0.95);
    const prediction = await model.predict(x);
    expect(prediction.labels).toHaveLength(SAMPLES);
    expect(prediction).not.toHaveProperty('probabilities');
    const right = data.labels.filter((label, i) => prediction.labels?.[i] === label).length;
    expect(right / SAMPLES).toBe(accuracy);
    const path = `${process.env.TMPDIR ?? '/tmp'}/dladmm-hinge-${process.pid}.safetensors`;
    await model.save(path);
    const loaded = await Model.load(path);
    expect(loaded.network.loss).toBe('hinge');
    expect(loaded.classes).toEqual(['even', 'odd']);
    expect((await loaded.predict(x)).labels).toEqual(prediction.labels);
    model.close();
    loaded.close();
  });

  test.each([
    [{ nu: 1 }, 'ERR_DLADMM_ARGUMENT', 'nu'],
    [{ gamma: 0 }, 'ERR_DLADMM_RANGE', 'gamma'],
    [{ beta: Number.NaN }, 'ERR_DLADMM_RANGE', 'beta'],
    [{ warmStart: -1 }, 'ERR_DLADMM_RANGE', 'warmStart'],
    [{ step: { a: 'pseudoinverse' } }, 'ERR_DLADMM_ARGUMENT', 'step.a'],
    [{ step: { W: ['cholesky'] } }, 'ERR_DLADMM_SHAPE', 'step.W'],
    [{ step: { W: ['cholesky', 'cubic', 'auto'] } }, 'ERR_DLADMM_ARGUMENT', 'step.W[1]'],
    [{ step: 'cholesky' }, 'ERR_DLADMM_ARGUMENT', 'step'],
    [{ start: { dual: 'zero' } }, 'ERR_DLADMM_ARGUMENT', 'dual'],
    [{ loss: 'squared-error', start: { output: 'signed-labels' } }, 'ERR_DLADMM_ARGUMENT', 'start.output'],
    [{ solver: 'inversion' }, 'ERR_DLADMM_ARGUMENT', 'solver'],
  ])('refuses %o', (wrong, code, name) => {
    const attempt = () =>
      train(samplesFor('softmax-cross-entropy'), { ...options('softmax-cross-entropy'), ...wrong } as InversionOptions);
    expect(attempt).toThrow(expect.objectContaining({ code, message: expect.stringContaining(name) }));
  });
});

describe('the kind of step', () => {
  test('may be any in any layer of dlADMM too', async () => {
    const x = random(5, SAMPLES, 6);
    const { history, model } = await fitModel(samplesFor('softmax-cross-entropy', x), {
      layers: LAYERS,
      dtype: 'float64',
      nu: 1,
      rho: 1,
      start: { dual: 'stationary' },
      iterations: 15,
      step: { W: ['inverse', 'cholesky', 'quadratic'], a: ['quadratic', 'cholesky'] },
    });
    for (const { updates } of history) {
      for (const { block, layer, size } of updates) {
        if (block !== 'W' && block !== 'a') continue;
        const quadratic = block === 'W' ? layer === 3 : layer === 1;
        expect(size !== undefined).toBe(quadratic);
      }
    }
    // Exact minimisers are among the steps that the theory allows: L_ρ falls all the same.
    for (const [i, { lagrangian }] of history.entries()) {
      if (i > 0) expect(lagrangian).toBeLessThanOrEqual((history[i - 1]?.lagrangian ?? 0) + 1e-9);
    }
    model.close();
  });

  test('auto is exact where samples are many, quadratic where they are few', () => {
    expect(cheaperStep('W', { samples: 60_000, inputs: 1000, outputs: 1000 })).toBe('cholesky');
    expect(cheaperStep('a', { samples: 60_000, inputs: 1000, outputs: 1000 })).toBe('cholesky');
    expect(cheaperStep('W', { samples: 1000, inputs: 1000, outputs: 10 })).toBe('quadratic');
    expect(cheaperStep('a', { samples: 256, inputs: 4096, outputs: 4096 })).toBe('quadratic');
    // Ten outputs: a 10 x 10 matrix is factored, not one as wide as the layer.
    expect(cheaperStep('a', { samples: 100, inputs: 4096, outputs: 10 })).toBe('cholesky');
  });

  test('auto weighs the flops of products against those of the factor', () => {
    const sizes = { samples: 500, inputs: 300, outputs: 200 };
    expect(stepFlops('W', 'quadratic', sizes)).toBe(4 * 500 * 300 * 200);
    expect(stepFlops('W', 'cholesky', sizes)).toBe(
      4 * 500 * 300 * 200 + 500 * 300 ** 2 + 300 ** 3 / 3 + 2 * 200 * 300 ** 2,
    );
    expect(stepFlops('a', 'cholesky', sizes)).toBe(
      4 * 500 * 300 * 200 + 200 ** 2 * 300 + 200 ** 3 / 3 + 2 * 500 * 200 ** 2,
    );
  });

  test('auto is decided by the samples of the training', async () => {
    const kinds = async (rows: number) => {
      const { history, model } = await fitModel(samplesFor('softmax-cross-entropy', random(5, rows, 6)), {
        layers: LAYERS,
        iterations: 1,
        step: { W: 'auto', a: 'auto' },
      });
      model.close();
      return (history[0]?.updates ?? []).filter(({ factorSeconds }) => factorSeconds !== undefined).length;
    };
    expect(await kinds(60)).toBeGreaterThan(await kinds(2));
  });

  test('joins biases to W where they are its column, and not where they are blocks of their own', async () => {
    const joint = await open({ joint: true });
    const separate = await open({ joint: false });
    await joint.run([W(2)], PENALTIES);
    const before = await read(separate, 'b', 2);
    await separate.run([W(2)], PENALTIES);
    expect(largest(minus(await read(separate, 'b', 2), before))).toBe(0);
    expect(largest(await read(joint, 'b', 2))).toBeGreaterThan(0);
    // What is left after W̃ has no mean.
    const { measures } = await joint.run([b(2)], PENALTIES);
    expect(measures?.residuals[1]).toBeGreaterThan(0);
    joint.close();
    separate.close();
  });
});
