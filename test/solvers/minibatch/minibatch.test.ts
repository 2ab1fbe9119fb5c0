import { describe, expect, test } from 'vitest';
import { loadDataset, type Numbers } from '../../../src/data.js';
import { fit as fitModel, type Network, type TrainingData, train } from '../../../src/index.js';
import {
  a,
  b,
  defaultBatchSize,
  type EpochRecord,
  type MinibatchOptions,
  type MinibatchSession,
  type MinibatchSessionOptions,
  minibatches,
  minibatchSweep,
  type Sweep,
  W,
  z,
} from '../../../src/solvers.js';
import { expectFailure } from '../../formats/support.js';
import { numbers } from '../../reference/addon.js';
import { lossAndGradient, type Vector } from '../../reference/gradient.js';
import { forAddon, places, relativeGap, samplesFor, startFor } from '../../reference/gradient-addon.js';
import { minibatchPlainly, type PlainSettings } from '../../reference/minibatch.js';

const NETWORK: Network = { layers: [5, 7, 6, 3], activation: 'relu', loss: 'softmax-cross-entropy' };
const SAMPLES = samplesFor(NETWORK, 34);
const START = startFor(NETWORK);

/** dlADMM's own backward order. */
const interleaved: Sweep = function* (L) {
  yield* [z(L), W(L)];
  for (let l = L - 1; l >= 1; l -= 1) yield* [a(l), z(l), W(l)];
};

const PLAIN: PlainSettings = {
  batchSize: 8,
  gramMemory: 0.9,
  gramEvery: 3,
  relativeDamping: 0.7,
  factors: 'input',
  outputDamping: 0.5,
  trustRegion: 1e-2,
  polyak: 0,
  momentum: 0.8,
  nesterov: true,
  biasCorrection: true,
  scheduleFree: false,
  l2: 0,
  seed: 5,
  shuffle: true,
  interleaved: false,
  step: () => 0.1,
};

async function open(
  network: Network,
  options: Partial<MinibatchSessionOptions>,
  samples = samplesFor(network, 34),
  start = startFor(network),
): Promise<MinibatchSession> {
  const state = await minibatches.open({ network, dtype: 'float64', threads: 1, ...options }, forAddon(samples));
  for (const { block, layer, first, count } of places(network)) {
    await state.write(block, layer, start.subarray(first, first + count));
  }
  return state;
}

async function vectorOf(state: MinibatchSession): Promise<Vector> {
  const parts: number[] = [];
  for (const { block, layer } of places(state.options.network)) parts.push(...(await state.read(block, layer)).data);
  return Float64Array.from(parts);
}

describe('mini-batch dlADMM is what its file says', () => {
  const cases: readonly [string, Partial<PlainSettings>, Network][] = [
    ['as it stands', {}, NETWORK],
    ['batches wider than the layers', { batchSize: 20 }, NETWORK],
    ['without looking ahead', { nesterov: false }, NETWORK],
    ['without correction for its start', { biasCorrection: false }, NETWORK],
    ['without momentum', { momentum: 0 }, NETWORK],
    ['with ℓ2', { l2: 0.05 }, NETWORK],
    ['W before the next a', { interleaved: true }, NETWORK],
    ['without a memory', { gramMemory: 0, gramEvery: 1 }, NETWORK],
    ['an epoch that never changes', { shuffle: false }, NETWORK],
    ['a step that changes', { step: (t) => 0.2 / t }, NETWORK],
    ['tanh', {}, { ...NETWORK, activation: 'tanh' }],
    ['sigmoid', {}, { ...NETWORK, activation: 'sigmoid' }],
    ['identity', {}, { ...NETWORK, activation: 'identity' }],
    ['leaky ReLU', {}, { ...NETWORK, activation: { leakyRelu: 0.2 } }],
    ...(['elu', 'silu', 'gelu', 'softplus', { elu: 0.4 }] as const).map(
      (activation): [string, Partial<PlainSettings>, Network] => [
        JSON.stringify(activation),
        {},
        { ...NETWORK, activation },
      ],
    ),
    ['a slope that turns signs', {}, { ...NETWORK, activation: { leakyRelu: -0.3 } }],
    ['squared error', { step: () => 0.05 }, { ...NETWORK, loss: 'squared-error' }],
    ['one-hot squared error', {}, { ...NETWORK, loss: 'one-hot-squared-error' }],
    ['hinge', {}, { ...NETWORK, loss: 'hinge' }],
    ['a single layer', {}, { ...NETWORK, layers: [5, 3] }],
    ['both factors', { factors: 'both' }, NETWORK],
    ['both factors, batches wider than the layers', { factors: 'both', batchSize: 20 }, NETWORK],
    ['both factors, no step too long', { factors: 'both', trustRegion: 1e9, step: () => 0.01 }, NETWORK],
    ['both factors, steps that are not taken', { factors: 'both', step: (t) => (t % 3) * 0.05 }, NETWORK],
    ['both factors, with ℓ2', { factors: 'both', l2: 0.05, nesterov: false }, NETWORK],
    ['both factors, W before the next a', { factors: 'both', interleaved: true }, NETWORK],
    ['both factors, without a memory', { factors: 'both', gramMemory: 0, gramEvery: 1, momentum: 0 }, NETWORK],
    ['both factors, squared error', { factors: 'both' }, { ...NETWORK, loss: 'squared-error', activation: 'tanh' }],
    ["Polyak's bound", { polyak: 0.3, step: () => 0.5 }, NETWORK],
    ["Polyak's bound, batches wider than the layers", { polyak: 0.3, step: () => 0.5, batchSize: 20 }, NETWORK],
    [
      "Polyak's bound with ℓ2, W before the next a",
      { polyak: 0.3, l2: 0.05, step: () => 0.5, interleaved: true },
      NETWORK,
    ],
    ["Polyak's bound, steps that are not taken", { polyak: 0.5, step: (t) => (t % 3) * 0.5 }, NETWORK],
    ["Polyak's bound, squared error", { polyak: 1, step: () => 1 }, { ...NETWORK, loss: 'squared-error' }],
    ["Polyak's bound, counts", { polyak: 0.2, step: () => 1 }, { ...NETWORK, loss: 'poisson' }],
    ["Polyak's bound, both factors", { polyak: 0.2, factors: 'both', trustRegion: 0.1 }, NETWORK],
    ["Polyak's bound, schedule-free", { polyak: 0.3, scheduleFree: true, step: () => 1 }, NETWORK],
    ['schedule-free', { scheduleFree: true }, NETWORK],
    ['schedule-free, steps that change', { scheduleFree: true, step: (t) => (t % 3) * 0.1 }, NETWORK],
    ['schedule-free, W before the next a', { scheduleFree: true, interleaved: true, l2: 0.05 }, NETWORK],
    ['schedule-free, both factors', { scheduleFree: true, factors: 'both' }, NETWORK],
    ['both factors, a single layer', { factors: 'both' }, { ...NETWORK, layers: [5, 3] }],
  ];
  /** 0, 1 or 2 of them, over their mean. */
  const weights = Array.from({ length: 34 }, (_, i) => ((i % 3) * 34) / 33);
  const weighing: readonly [string, Partial<PlainSettings>, Network, readonly number[]][] = [
    ['samples that weigh', {}, NETWORK, weights],
    ['samples that weigh, batches wider than the layers', { batchSize: 20 }, NETWORK, weights],
    ['samples that weigh, batches that weigh nothing', { batchSize: 1, shuffle: false }, NETWORK, weights],
    ['samples that weigh, schedule-free', { scheduleFree: true, polyak: 0.3 }, NETWORK, weights],
    ["samples that weigh, both factors, Polyak's bound", { factors: 'both', polyak: 0.2 }, NETWORK, weights],
    ['samples that weigh, counts', { polyak: 0.2, step: () => 1 }, { ...NETWORK, loss: 'poisson' }, weights],
  ];

  test.each<[string, Partial<PlainSettings>, Network, (readonly number[])?]>([...cases, ...weighing])(
    '%s',
    async (_, changes, network, weights) => {
      const settings = { ...PLAIN, ...changes };
      const samples = { ...samplesFor(network, 34), ...(weights && { weights }) };
      const start = startFor(network);
      for (const gram of ['full', 'low-rank'] as const) {
        for (const threads of [1, 2]) {
          const { interleaved: early, step, ...own } = settings;
          const options = { ...own, gram, rank: 100, threads, ...(early && { sweep: interleaved }) };
          using state = await open(network, options, samples, start);
          const plain = minibatchPlainly(network, samples, start, settings);
          for (let t = 1; t <= 25; t += 1) {
            const { w, loss } = plain.next().value;
            const ran = await state.run(1, ({ step: at }) => step(at));
            expect(ran).toMatchObject({ steps: 1, stopped: false, diverged: false });
            expect(ran.loss * ran.samples).toBeCloseTo(loss, 8);
            expect(relativeGap(await vectorOf(state), w)).toBeLessThan(1e-8);
          }
        }
      }
    },
  );

  test('where all W follow all targets, D_l is the back-propagated gradient', () => {
    const { D } = minibatchPlainly(NETWORK, SAMPLES, START, { ...PLAIN, batchSize: 34, shuffle: false }).next().value;
    const { gradient } = lossAndGradient(
      NETWORK,
      START,
      SAMPLES,
      Array.from({ length: 34 }, (_, i) => i),
    );
    // Summed over the samples it is the gradient by b_l.
    const biases = [...places(NETWORK)].filter(({ block }) => block === 'b');
    for (const [l, { first, count }] of biases.entries()) {
      for (let j = 0; j < count; j += 1) {
        const rows = D[l]?.rows ?? 0;
        const sum = Array.from({ length: rows }, (_, i) => D[l]?.data[i * count + j] as number).reduce(
          (x, y) => x + y,
          0,
        );
        expect(sum).toBeCloseTo(gradient[first + j] as number, 12);
      }
    }
  });

  test('low rank is not full rank, but on a few directions nearly so', async () => {
    const vectors = [];
    for (const options of [{ gram: 'full' }, { rank: 5 }, { rank: 1 }] as const) {
      using state = await open(NETWORK, { ...options, batchSize: 34, relativeDamping: 4 });
      await state.run(40, 0.2);
      vectors.push(await vectorOf(state));
    }
    const [full, five, one] = vectors as [Vector, Vector, Vector];
    expect(relativeGap(five, full)).toBeGreaterThan(1e-6);
    expect(relativeGap(five, full)).toBeLessThan(relativeGap(one, full));
  });

  test.each([false, true])(
    'is the same, bit for bit, for the same number of threads, and takes up where it left off; schedule-free: %s',
    async (scheduleFree) => {
      const network: Network = { ...NETWORK, layers: [5, 40, 3] };
      const run = async (...parts: readonly number[]) => {
        using state = await open(network, { dtype: 'float32', threads: 2, batchSize: 8, seed: 3, scheduleFree });
        for (const batches of parts) await state.run(batches, 0.1);
        return await vectorOf(state);
      };
      expect(await run(30)).toEqual(await run(7, 11, 12));
    },
  );

  test.each([false, true])('reset leaves nothing but the parameters; schedule-free: %s', async (scheduleFree) => {
    using once = await open(NETWORK, { batchSize: 8, scheduleFree });
    await once.run(10, 0.1);
    const w = await vectorOf(once);
    await once.reset();
    await once.run(10, 0.1);
    using fresh = await open(NETWORK, { batchSize: 8, scheduleFree }, SAMPLES, w);
    await fresh.run(10, 0.1);
    expect(await vectorOf(once)).toEqual(await vectorOf(fresh));
  });

  test('schedule-free, what diverges leaves the parameters that the run began with', async () => {
    using state = await open(NETWORK, {
      batchSize: 8,
      factors: 'input',
      scheduleFree: true,
      polyak: 0,
      dtype: 'float32',
    });
    await state.run(5, 0.1);
    const w = await vectorOf(state);
    expect((await state.run(200, 1e30)).diverged).toBe(true);
    expect(await vectorOf(state)).toEqual(w);
    expect((await state.run(5, 0.1)).diverged).toBe(false);
  });
});

describe('MinibatchSession', () => {
  test('refuses options that are none', async () => {
    const bad: readonly [object, RegExp][] = [
      [{ rank: 0 }, /rank/],
      [{ gramMemory: 1 }, /gramMemory/],
      [{ gramEvery: 0 }, /gramEvery/],
      [{ relativeDamping: -1 }, /relativeDamping/],
      [{ relativeDamping: Number.POSITIVE_INFINITY }, /relativeDamping/],
      [{ outputDamping: 0 }, /outputDamping/],
      [{ trustRegion: 0 }, /trustRegion/],
      [{ polyak: -1 }, /polyak/],
      [{ momentum: 1 }, /momentum/],
      [{ l2: Number.NaN }, /l2/],
      [{ batchSize: 0 }, /batchSize/],
      [{ seed: -1 }, /seed/],
      [{ threads: 0 }, /threads/],
    ];
    for (const [options, name] of bad) await expectFailure(() => open(NETWORK, options), 'ERR_DLADMM_RANGE', name);
    for (const [options, name] of [
      [{ gram: 'half' }, /gram/],
      [{ factors: 'output' }, /factors/],
      [{ nesterov: 1 }, /nesterov/],
      [{ scheduleFree: 'yes' }, /scheduleFree/],
      [{ scheduleFree: true, momentum: 0 }, /momentum above 0 with scheduleFree/],
      [{ shuffle: 'yes' }, /shuffle/],
      [{ memory: 1 }, /memory/],
    ] as const) {
      await expectFailure(() => open(NETWORK, options as object), 'ERR_DLADMM_ARGUMENT', name);
    }
  });

  test.each<[string, Sweep, RegExp]>([
    ['W before its target', () => [W(3), z(3)], /z of layer 3/],
    ['a target before what moves it', () => [z(3), z(2)], /a of layer 2 before it/],
    ['an a without the target above', () => [z(3), a(1)], /z of layer 2 before it/],
    ['an update twice', () => [z(3), W(3), W(3)], /each update once/],
    ['a b of its own', () => [z(3), b(3)], /a block W, z or a/],
    ['nothing', () => [], /at least one update/],
  ])('refuses a sweep with %s', async (_, sweep, part) => {
    await expectFailure(() => open(NETWORK, { sweep }), 'ERR_DLADMM_ARGUMENT', part);
  });

  test('updates the layers of its sweep alone', async () => {
    using state = await open(NETWORK, { sweep: (L) => [z(L), W(L)] });
    await state.run(3, 0.1);
    const w = await vectorOf(state);
    const last = [...places(NETWORK)].filter(({ layer }) => layer === 3)[0]?.first ?? 0;
    expect(w.subarray(0, last)).toEqual(START.subarray(0, last));
    expect(w.subarray(last)).not.toEqual(START.subarray(last));
  });

  test('refuses a step that is none, before anything runs', async () => {
    using state = await open(NETWORK, { batchSize: 17 });
    for (const step of [-1, Number.NaN, () => Number.POSITIVE_INFINITY]) {
      await expectFailure(() => state.run(undefined, step), 'ERR_DLADMM_RANGE', /learningRate/);
    }
    const steps: number[] = [];
    await state.run(undefined, ({ epoch, step }) => steps.push(10 * epoch + step) * 0);
    await state.run(undefined, ({ epoch, step }) => steps.push(10 * epoch + step) * 0);
    expect(steps).toEqual([11, 12, 23, 24]);
  });

  test('is one run at a time, and over after close', async () => {
    const state = await open(NETWORK, {});
    const first = state.run(undefined, 0.1);
    await expectFailure(() => state.run(undefined, 0.1), 'ERR_DLADMM_STATE', /one run at a time/);
    await first;
    state.close();
    await expectFailure(() => state.run(undefined, 0.1), 'ERR_DLADMM_CLOSED');
  });

  test.each<[string, Partial<MinibatchSessionOptions>, Network['loss']?]>([
    ['', {}],
    [', in whole Gram matrices', { gram: 'full' }],
    [', both factors', { factors: 'both', trustRegion: 1e30 }],
    [', schedule-free', { scheduleFree: true }],
    [', counts', {}, 'poisson'],
  ])("with Polyak's bound no rate is so large that it diverges%s", async (_, options, loss = 'squared-error') => {
    const network: Network = { ...NETWORK, loss };
    for (const polyak of [0, 1]) {
      using state = await open(network, { dtype: 'float32', batchSize: 8, factors: 'input', polyak, ...options });
      expect((await state.run(500, 1e6)).diverged).toBe(polyak === 0 && options.factors !== 'both');
    }
  });

  test('the trust region is 0.05, and √n_L times that for a loss that adds up n_L outputs', async () => {
    const trained = async (loss: Network['loss'], own: Partial<MinibatchSessionOptions>): Promise<Vector> => {
      using state = await open({ ...NETWORK, loss }, { factors: 'both', batchSize: 8, polyak: 0, ...own });
      await state.run(10, 10);
      return await vectorOf(state);
    };
    expect(await trained('softmax-cross-entropy', {})).toEqual(
      await trained('softmax-cross-entropy', { trustRegion: 0.05 }),
    );
    for (const loss of ['squared-error', 'one-hot-squared-error', 'poisson'] as const) {
      const wide = await trained(loss, {});
      expect(wide).toEqual(await trained(loss, { trustRegion: 0.05 * Math.sqrt(3) }));
      expect(wide).not.toEqual(await trained(loss, { trustRegion: 0.05 }));
    }
  });

  test('has the parameters from before a run that diverged', async () => {
    for (const gram of ['full', 'low-rank'] as const) {
      using state = await open(NETWORK, { gram, factors: 'input', polyak: 0, dtype: 'float32', batchSize: 8 });
      const ran = await state.run(40, 1e30);
      expect(ran.diverged).toBe(true);
      expect(await vectorOf(state)).toEqual(START);
      expect((await state.run(undefined, 0.01)).diverged).toBe(false);
    }
  });

  test('announces a state that would not fit', async () => {
    const network: Network = { ...NETWORK, layers: [5, 2_000_000, 3] };
    await expectFailure(
      () => minibatches.open({ network, dtype: 'float64', threads: 1, gram: 'full' }, forAddon(SAMPLES)),
      'ERR_DLADMM_MEMORY',
    );
  });
});

describe('fit with minibatch-admm', () => {
  const DATA: TrainingData = forAddon(SAMPLES);
  const OPTIONS: MinibatchOptions = {
    solver: 'minibatch-admm',
    layers: NETWORK.layers,
    epochs: 4,
    batchSize: 8,
    threads: 2,
  };

  test('yields a record an epoch', async () => {
    const training = train({ ...DATA, test: DATA }, OPTIONS);
    const records: EpochRecord[] = [];
    for await (const record of training) {
      records.push(record);
      expect((await training.read('W', 2)).data.length).toBe(42);
    }
    expect(records.map(({ iteration, steps }) => [iteration, steps])).toEqual([1, 2, 3, 4].map((i) => [i, 5]));
    const { model, status } = training.result;
    expect(status).toEqual({ kind: 'completed' });
    expect((await model.evaluate(DATA)).loss).toBeCloseTo(records[3]?.test?.loss ?? Number.NaN, 5);
    model.close();
  });

  test('lets the step fall along a cosine over its epochs, or stay', async () => {
    const weights = async (options: Partial<MinibatchOptions>) => {
      const { model } = await fitModel(DATA, { ...OPTIONS, ...options });
      const [first] = model.weights;
      model.close();
      return first;
    };
    const falling = ({ step }: { readonly step: number }) => 0.1 * (1 + Math.cos((Math.PI * (step - 1)) / 20));
    expect(await weights({ learningRate: 0.2 })).toEqual(await weights({ learningRate: falling }));
    expect(await weights({ learningRate: 0.2, learningRateSchedule: 'constant' })).toEqual(
      await weights({ learningRate: () => 0.2 }),
    );
    expect(await weights({ learningRate: 0.2 })).not.toEqual(
      await weights({ learningRate: 0.2, learningRateSchedule: 'constant' }),
    );
  });

  test('learns the digits in five epochs', async () => {
    const digits = await loadDataset('digits');
    const { model, history } = await fitModel(
      { ...digits.train, test: digits.test },
      { solver: 'minibatch-admm', layers: [64, 100, 100, 10], epochs: 5 },
    );
    model.close();
    expect(history.at(-1)?.test?.accuracy).toBeGreaterThan(0.91);
  });

  test('stops between two batches, and keeps the model', async () => {
    const controller = new AbortController();
    const { model, status, iterations } = await fitModel(DATA, {
      ...OPTIONS,
      epochs: 1e6,
      learningRate: 1e-3,
      signal: controller.signal,
      onIteration: ({ iteration }) => iteration === 3 && controller.abort(),
    });
    expect([status.kind, iterations]).toEqual(['aborted', 3]);
    expect((await model.evaluate(DATA)).loss).toBeLessThan(10);
    model.close();
  });

  test("measures by both factors where nobody says, and by the inputs' alone with what is regularised", async () => {
    const parametersOf = async (options: object): Promise<readonly Numbers[]> => {
      const { model } = await fitModel(DATA, { ...OPTIONS, epochs: 3, ...options });
      using it = model;
      return it.weights;
    };
    expect(await parametersOf({})).toEqual(await parametersOf({ factors: 'both' }));
    expect(await parametersOf({})).not.toEqual(await parametersOf({ factors: 'input' }));
    const regularise = { W: { l1: 1e-3 } };
    expect(await parametersOf({ regularise })).toEqual(await parametersOf({ regularise, factors: 'input' }));
  });

  test('tells that it diverged, with the last finite model', async () => {
    const { model, status, iterations } = await fitModel(DATA, {
      ...OPTIONS,
      factors: 'input',
      learningRate: 1e35,
      polyak: 0,
    });
    expect(status).toEqual({ kind: 'diverged', iteration: iterations + 1 });
    for (const value of model.weights[0] ?? []) expect(Number.isFinite(value)).toBe(true);
    model.close();
  });

  test('refuses options that are none', async () => {
    const refuse = (options: object, code: Parameters<typeof expectFailure>[1], part: RegExp) =>
      expectFailure(() => fitModel(DATA, { ...OPTIONS, ...options } as MinibatchOptions), code, part);
    await refuse({ learningRate: -1 }, 'ERR_DLADMM_RANGE', /learningRate/);
    await refuse({ learningRate: 'long' }, 'ERR_DLADMM_ARGUMENT', /learningRate/);
    await refuse(
      { learningRate: () => 1, learningRateSchedule: 'cosine' },
      'ERR_DLADMM_ARGUMENT',
      /learningRateSchedule/,
    );
    await refuse({ learningRateSchedule: 'linear' }, 'ERR_DLADMM_ARGUMENT', /learningRateSchedule/);
    await refuse({ epochs: 0 }, 'ERR_DLADMM_RANGE', /epochs/);
    await refuse({ iterations: 3, epochs: 3 }, 'ERR_DLADMM_ARGUMENT', /epochs/);
    await refuse({ step: 1 }, 'ERR_DLADMM_ARGUMENT', /step/);
    await refuse({ rank: 0 }, 'ERR_DLADMM_RANGE', /rank/);
    await refuse({ sweep: () => [W(1)] }, 'ERR_DLADMM_ARGUMENT', /sweep/);
  });
});

test('a batch is a hundredth of the samples, a power of 2 from 64 to 512, and never more than there are', () => {
  expect([1, 10, 150, 1200, 13_760, 32_561, 60_000, 10_000_000].map(defaultBatchSize)).toEqual([
    1, 10, 64, 64, 128, 256, 512, 512,
  ]);
});

test('the sweep of three layers', () => {
  expect([...minibatchSweep(3)]).toEqual([z(3), a(2), z(2), a(1), z(1), W(3), W(2), W(1)]);
});

test('a batch whose small products alone are summed by segments has room for them', async () => {
  const next = numbers(7);
  const x = { rows: 1125, columns: 500, data: Float32Array.from({ length: 1125 * 500 }, next) };
  const labels = Int32Array.from({ length: 1125 }, () => (next() > 0 ? 1 : 0));
  // Where there was none the heap was written over, and the process ended.
  const { history } = await fitModel(
    { x, labels },
    { solver: 'minibatch-admm', layers: [500, 8, 2], epochs: 5, batchSize: 1125 },
  );
  expect(history).toHaveLength(5);
});
