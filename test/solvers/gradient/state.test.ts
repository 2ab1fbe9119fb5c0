import { describe, expect, test } from 'vitest';
import type { Network } from '../../../src/index.js';
import { type GradientMethod, type GradientSessionOptions, gradients } from '../../../src/solvers.js';
import { expectFailure } from '../../formats/support.js';
import { lossAndGradient } from '../../reference/gradient.js';
import { forAddon, openState, readVector, samplesFor, startFor } from '../../reference/gradient-addon.js';

const NETWORK: Network = { layers: [6, 9, 3], activation: 'relu', loss: 'softmax-cross-entropy' };
const SAMPLES = samplesFor(NETWORK, 70);
const START = startFor(NETWORK);
const METHOD: GradientMethod = { solver: 'adam', learningRate: 0.01 };
const OPTIONS: GradientSessionOptions = {
  network: NETWORK,
  dtype: 'float64',
  threads: 2,
  method: METHOD,
  batchSize: 16,
};
const untyped = <T>(value: unknown): T => value as T;
const all = Array.from({ length: 70 }, (_, i) => i);

describe('a run of steps', () => {
  test('is an epoch, and goes on where the last one ended', async () => {
    using whole = await openState(OPTIONS, SAMPLES, START);
    expect(whole.stepsPerEpoch).toBe(5);
    const epoch = await whole.run();
    expect(epoch).toMatchObject({ steps: 5, samples: 70, stopped: false, diverged: false });
    await whole.run(5);
    using pieces = await openState(OPTIONS, SAMPLES, START);
    for (const steps of [3, 0, 4, 1, 2]) expect(await pieces.run(steps)).toMatchObject({ steps });
    expect(await readVector(pieces)).toEqual(await readVector(whole));
  });

  test('depends on the seed, and on nothing else', async () => {
    const trained = async (options: Partial<GradientSessionOptions>) => {
      using state = await openState({ ...OPTIONS, ...options }, SAMPLES, START);
      await state.run(12);
      return await readVector(state);
    };
    expect(await trained({ seed: 1 })).toEqual(await trained({ seed: 1 }));
    expect(await trained({ seed: 1 })).not.toEqual(await trained({ seed: 2 }));
    expect(await trained({ seed: 1 })).not.toEqual(await trained({ seed: 1, shuffle: false }));
  });

  test('begins anew after reset', async () => {
    using state = await openState(OPTIONS, SAMPLES, START);
    await state.run(7);
    const first = await readVector(state);
    await state.reset();
    using other = await openState(OPTIONS, SAMPLES, first);
    await state.run(7);
    await other.run(7);
    expect(await readVector(state)).toEqual(await readVector(other));
  });

  test('lowers the loss that evaluate finds, which is the plain one', async () => {
    using state = await openState(OPTIONS, SAMPLES, START);
    const before = await state.evaluate('train');
    expect(before.loss).toBeCloseTo(lossAndGradient(NETWORK, START, SAMPLES, all).loss / 70, 12);
    await state.run(3000);
    const after = await state.evaluate('train');
    expect(after.loss).toBeCloseTo(lossAndGradient(NETWORK, await readVector(state), SAMPLES, all).loss / 70, 12);
    expect(after.loss).toBeLessThan(before.loss / 2);
    const test = await state.addEvaluationSet(forAddon(samplesFor(NETWORK, 11, 9)), 'test');
    expect((await state.evaluate(test)).loss).toBeGreaterThan(after.loss);
  });

  test('stops between two steps, and can go on', async () => {
    using state = await openState(OPTIONS, SAMPLES, START);
    const running = state.run(1e9);
    const other = expectFailure(() => state.run(1), 'ERR_DLADMM_STATE', /one run at a time/);
    await new Promise((resolve) => setTimeout(resolve, 5));
    state.stop();
    const { steps, stopped, diverged } = await running;
    await other;
    expect({ stopped, diverged }).toEqual({ stopped: true, diverged: false });
    expect(steps).toBeLessThan(1e9);
    expect(await state.run(3)).toMatchObject({ steps: 3, stopped: false });
  });

  test('is refused by a state that was closed, whether before or meanwhile', async () => {
    const state = await openState(OPTIONS, SAMPLES, START);
    const running = state.run(1e9);
    const outcome = running.then(
      () => 'ended',
      (error) => error.code,
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
    state.close();
    state.close();
    expect(['ended', 'ERR_DLADMM_CLOSED']).toContain(await outcome);
    await expectFailure(() => state.run(1), 'ERR_DLADMM_CLOSED');
    await expectFailure(() => state.read('W', 1), 'ERR_DLADMM_CLOSED');
  });
});

describe('divergence', () => {
  const finite = (w: Float64Array): boolean => w.every(Number.isFinite);

  test.each(['float32', 'float64'] as const)('ends the run, in %s, and leaves finite parameters', async (dtype) => {
    const method = { solver: 'sgd', learningRate: 1e30 } as const;
    using state = await openState({ ...OPTIONS, dtype, method }, SAMPLES, START);
    const { steps, diverged, stopped } = await state.run(1000);
    expect({ diverged, stopped }).toEqual({ diverged: true, stopped: false });
    expect(steps).toBeLessThan(100);
    expect(finite(await readVector(state))).toBe(true);
    expect(finite(Float64Array.of(steps))).toBe(true);
  });

  test('in the loss leaves the parameters as they were before the step', async () => {
    const network: Network = { layers: [1, 1], activation: 'identity', loss: 'squared-error' };
    const samples = { x: [Float64Array.of(1)], y: [Float64Array.of(0)] };
    const method = { solver: 'gd', learningRate: 1 } as const;
    // (w + b)²/2 overflows, though w and b do not.
    const start = Float64Array.of(1e200, 1e200);
    using state = await openState({ ...OPTIONS, network, method, batchSize: 1 }, samples, start);
    expect(await state.run(5)).toMatchObject({ steps: 0, diverged: true, loss: Number.NaN });
    expect(await readVector(state)).toEqual(start);
  });

  test('in a parameter brings back those that the run began with', async () => {
    const network: Network = { layers: [1, 1], activation: 'identity', loss: 'squared-error' };
    const samples = { x: [Float64Array.of(1)], y: [Float64Array.of(0)] };
    const method = { solver: 'gd', learningRate: 1e300 } as const;
    const start = Float64Array.of(1e100, 1e100);
    using state = await openState({ ...OPTIONS, network, method, batchSize: 1 }, samples, start);
    expect(await state.run(5)).toMatchObject({ steps: 0, diverged: true });
    expect(await readVector(state)).toEqual(start);
  });
});

describe('the event loop', () => {
  test('goes on firing timers during an epoch', async () => {
    using state = await openState({ ...OPTIONS, batchSize: 1 }, SAMPLES, START);
    let fired = 0;
    const timer = setInterval(() => {
      fired += 1;
    }, 1);
    const running = state.run(1e9);
    while (fired < 5) await new Promise((resolve) => setTimeout(resolve, 1));
    clearInterval(timer);
    state.stop();
    expect((await running).stopped).toBe(true);
  });
});

describe('bad input is refused:', () => {
  const data = forAddon(SAMPLES);
  const refuse = (options: object, code: Parameters<typeof expectFailure>[1], part: RegExp) =>
    expectFailure(() => gradients.open(untyped({ ...OPTIONS, ...options }), data), code, part);

  test.each([
    [{ batchSize: 0 }, 'ERR_DLADMM_RANGE', /batchSize/],
    [{ batchSize: 1.5 }, 'ERR_DLADMM_RANGE', /batchSize/],
    [{ batchSize: '16' }, 'ERR_DLADMM_ARGUMENT', /batchSize/],
    [{ batchSize: 16, method: { solver: 'gd' } }, 'ERR_DLADMM_RANGE', /batchSize/],
    [{ batchSize: 16, method: { solver: 'badm', subBatches: 3 } }, 'ERR_DLADMM_SHAPE', /subBatches/],
    [{ batchSize: 16, method: { solver: 'sisa', subBatches: 32 } }, 'ERR_DLADMM_SHAPE', /subBatches/],
    [{ method: { solver: 'badm', sigma: 0 } }, 'ERR_DLADMM_RANGE', /method\.sigma/],
    [{ method: { solver: 'badm', rho: -1 } }, 'ERR_DLADMM_RANGE', /method\.rho/],
    [{ method: { solver: 'sisa', rho: Number.NaN } }, 'ERR_DLADMM_RANGE', /method\.rho/],
    [{ method: { solver: 'badm', momentum: 0.5 } }, 'ERR_DLADMM_ARGUMENT', /momentum/],
    [{ method: { solver: 'sgd', learningRate: Number.NaN } }, 'ERR_DLADMM_RANGE', /learningRate/],
    [{ method: { solver: 'sgd', learningRate: Number.POSITIVE_INFINITY } }, 'ERR_DLADMM_RANGE', /learningRate/],
    [{ method: { solver: 'sgd', learningRate: -1 } }, 'ERR_DLADMM_RANGE', /learningRate/],
    [{ method: { solver: 'sgd', learningRate: '1' } }, 'ERR_DLADMM_ARGUMENT', /learningRate/],
    [{ method: { solver: 'sgd', momentum: 1 } }, 'ERR_DLADMM_RANGE', /momentum/],
    [{ method: { solver: 'sgd', nesterov: true } }, 'ERR_DLADMM_RANGE', /nesterov/],
    [{ method: { solver: 'sgd', beta1: 0.9 } }, 'ERR_DLADMM_ARGUMENT', /beta1/],
    [{ method: { solver: 'adam', beta2: 1 } }, 'ERR_DLADMM_RANGE', /beta2/],
    [{ method: { solver: 'adam', epsilon: 0 } }, 'ERR_DLADMM_RANGE', /epsilon/],
    [{ method: { solver: 'adam', l2: -1 } }, 'ERR_DLADMM_RANGE', /l2/],
    [{ method: { solver: 'adam', decoupled: 'yes' } }, 'ERR_DLADMM_ARGUMENT', /decoupled/],
    [{ method: { solver: 'adagrad', learningRateDecay: Number.NaN } }, 'ERR_DLADMM_RANGE', /learningRateDecay/],
    [{ method: { solver: 'adadelta', beta2: -0.1 } }, 'ERR_DLADMM_RANGE', /beta2/],
    [{ method: { solver: 'lbfgs' } }, 'ERR_DLADMM_ARGUMENT', /solver/],
    [{ method: { solver: 'toString' } }, 'ERR_DLADMM_ARGUMENT', /solver/],
    [{ method: {} }, 'ERR_DLADMM_ARGUMENT', /solver/],
    [{ method: null }, 'ERR_DLADMM_ARGUMENT', /method/],
    [{ reduction: 'max' }, 'ERR_DLADMM_ARGUMENT', /reduction/],
    [{ shuffle: 1 }, 'ERR_DLADMM_ARGUMENT', /shuffle/],
    [{ seed: -1 }, 'ERR_DLADMM_RANGE', /seed/],
    [{ threads: 0 }, 'ERR_DLADMM_RANGE', /threads/],
    [{ dtype: 'float16' }, 'ERR_DLADMM_ARGUMENT', /dtype/],
    [{ batches: 3 }, 'ERR_DLADMM_ARGUMENT', /batches/],
    [{ network: { ...NETWORK, layers: [6, 0, 3] } }, 'ERR_DLADMM_RANGE', /layers/],
    [{ network: { ...NETWORK, layers: [8, 3] } }, 'ERR_DLADMM_SHAPE', /data\.x/],
    [{ network: { ...NETWORK, layers: [6, 2 ** 31 - 1, 2 ** 31 - 1, 3] } }, 'ERR_DLADMM_MEMORY', /./],
    [{ network: { ...NETWORK, layers: [6, 2] } }, 'ERR_DLADMM_LABEL', /labels/],
    [{ network: { ...NETWORK, loss: 'squared-error' } }, 'ERR_DLADMM_ARGUMENT', /data\.y/],
  ] as const)('%o', async (options, code, part) => {
    await refuse(options, code, part);
  });

  test('a learning rate that gives something else than a number', async () => {
    for (const [value, code] of [
      [Number.NaN, 'ERR_DLADMM_RANGE'],
      [-1, 'ERR_DLADMM_RANGE'],
      [Number.POSITIVE_INFINITY, 'ERR_DLADMM_RANGE'],
      ['x', 'ERR_DLADMM_ARGUMENT'],
      [undefined, 'ERR_DLADMM_ARGUMENT'],
    ] as const) {
      const learningRate = ({ step }: { step: number }): number => (step < 3 ? 0.1 : untyped<number>(value));
      using state = await openState({ ...OPTIONS, method: { solver: 'sgd', learningRate } }, SAMPLES, START);
      expect((await state.run(2)).steps).toBe(2);
      await expectFailure(() => state.run(1), code, /learningRate\(\{ epoch: 1, step: 3 \}\)/);
    }
  });

  test('an error of the learning rate passes through, and the state can go on', async () => {
    let failing = true;
    const learningRate = (): number => {
      if (failing) throw new RangeError('mine');
      return 0.1;
    };
    using state = await openState({ ...OPTIONS, method: { solver: 'sgd', learningRate } }, SAMPLES, START);
    await expect(state.run(1)).rejects.toThrow('mine');
    failing = false;
    expect((await state.run(1)).steps).toBe(1);
  });

  test('numbers, layers, blocks and sets that do not exist', async () => {
    using state = await openState(OPTIONS, SAMPLES, START);
    await expectFailure(() => state.run(-1), 'ERR_DLADMM_RANGE', /steps/);
    await expectFailure(() => state.run(1.5), 'ERR_DLADMM_RANGE', /steps/);
    await expectFailure(() => state.read('W', 3), 'ERR_DLADMM_RANGE', /layer/);
    await expectFailure(() => state.read(untyped('z'), 1), 'ERR_DLADMM_ARGUMENT', /block/);
    await expectFailure(() => state.write('b', 1, new Float64Array(8)), 'ERR_DLADMM_SHAPE', /values/);
    await expectFailure(() => state.write('b', 1, new Float64Array(9).fill(Number.NaN)), 'ERR_DLADMM_NON_FINITE');
    await expectFailure(() => state.evaluate(0), 'ERR_DLADMM_ARGUMENT', /set/);
    await expectFailure(() => state.readDual(0, 'W', 1), 'ERR_DLADMM_ARGUMENT', /duals/);
    const method = { solver: 'sisa', subBatches: 4 } as const;
    using sisa = await openState({ ...OPTIONS, method }, SAMPLES, START);
    await expectFailure(() => sisa.readDual(4, 'W', 1), 'ERR_DLADMM_RANGE', /subBatch/);
    expect((await sisa.readDual(3, 'W', 1)).data.length).toBe(54);
  });

  test('samples with a number that is not finite', async () => {
    const x = Float64Array.from(data.x as Float64Array);
    x[13] = Number.NaN;
    await expectFailure(() => gradients.open(OPTIONS, { ...data, x }), 'ERR_DLADMM_NON_FINITE', /row 2, column 1/);
  });
});
