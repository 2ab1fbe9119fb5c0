import { describe, expect, test } from 'vitest';
import type { Activation, Loss, Network } from '../../../src/index.js';
import type { GradientMethod, GradientSessionOptions } from '../../../src/solvers.js';
import { isaac, KFAC, kfac, soap } from '../../reference/curvature.js';
import {
  adadelta,
  adagrad,
  adam,
  lossAndGradient,
  muon,
  scheduleFree,
  sgd,
  trainPlainly,
  type UpdateRule,
} from '../../reference/gradient.js';
import { openState, readVector, relativeGap, samplesFor, startFor } from '../../reference/gradient-addon.js';

const NETWORK: Network = { layers: [5, 7, 6, 3], activation: 'relu', loss: 'softmax-cross-entropy' };
const SAMPLES = samplesFor(NETWORK, 50);
const START = startFor(NETWORK);
const BATCH = { batchSize: 8, seed: 7 } as const;
const all = (samples: number): readonly number[] => Array.from({ length: samples }, (_, i) => i);

/** How far the addon is from the plain training after each of `steps` steps, at most. */
async function largestGap(
  options: Omit<GradientSessionOptions, 'dtype' | 'threads' | 'network'> & Partial<GradientSessionOptions>,
  rule: UpdateRule,
  rate: number | ((t: number) => number),
  steps = 50,
  samples = SAMPLES,
): Promise<number> {
  const network = options.network ?? NETWORK;
  const start = network === NETWORK ? START : startFor(network);
  const batchSize = options.batchSize ?? samples.x.length;
  using state = await openState({ network, ...options }, samples, start);
  const shuffle = (options.shuffle ?? true) && batchSize < samples.x.length;
  const { seed = 0, reduction = 'mean' } = options;
  const plain = trainPlainly(
    network,
    samples,
    start,
    { batchSize, seed, shuffle, reduction },
    rule,
    typeof rate === 'number' ? () => rate : rate,
  );
  let gap = 0;
  for (let t = 1; t <= steps; t++) {
    const record = await state.run(1);
    const { w, loss, count } = plain.next().value;
    expect(record).toMatchObject({ steps: 1, samples: count, stopped: false, diverged: false });
    expect(record.loss).toBeCloseTo(loss / count, 10);
    gap = Math.max(gap, relativeGap(await readVector(state), w));
  }
  return gap;
}

describe('the gradient', () => {
  const activations: readonly Activation[] = [
    'relu',
    'identity',
    { leakyRelu: 0.01 },
    { leakyRelu: 0.3 },
    { leakyRelu: 1.7 },
    { leakyRelu: -0.5 },
    'sigmoid',
    'tanh',
    'elu',
    { elu: 0.4 },
    'silu',
    'gelu',
    'softplus',
  ];
  const losses: readonly Loss[] = ['softmax-cross-entropy', 'squared-error', 'hinge', 'one-hot-squared-error'];
  const cases = activations.flatMap((activation) => losses.map((loss) => ({ activation, loss })));

  /** The gradient as the addon has it: what one step of descent with learning rate 1 takes away. */
  async function gradientOf(network: Network, samples: number, more: Partial<GradientSessionOptions> = {}) {
    const data = samplesFor(network, samples);
    const start = startFor(network);
    const method = { solver: 'gd', learningRate: 1 } as const;
    using state = await openState({ network, method, ...more }, data, start);
    await state.run(1);
    const after = await readVector(state);
    return { data, start, gradient: start.map((w, j) => w - (after[j] as number)) };
  }

  test.each(cases)('is the central difference of the mean loss: $activation, $loss', async ({ activation, loss }) => {
    const network: Network = { layers: [4, 6, 5, 3], activation, loss };
    const { data, start, gradient } = await gradientOf(network, 20, { threads: 2 });
    const step = 1e-5;
    const differences = start.map((_, j) => {
      const at = (by: number): number => {
        const moved = start.map((w, k) => (k === j ? w + by : w));
        return lossAndGradient(network, moved, data, all(20)).loss / 20;
      };
      return (at(step) - at(-step)) / (2 * step);
    });
    expect(relativeGap(gradient, differences)).toBeLessThan(1e-6);
  });

  test('of a batch larger than the blocks it goes through in is that of all its samples', async () => {
    const network: Network = { ...NETWORK, layers: [3, 4, 2] };
    for (const threads of [1, 3]) {
      const { data, start, gradient } = await gradientOf(network, 2500, { threads });
      const plain = lossAndGradient(network, start, data, all(2500)).gradient.map((g) => g / 2500);
      expect(relativeGap(gradient, plain)).toBeLessThan(1e-11);
    }
  });

  test('is summed where the reduction says so', async () => {
    const { data, start, gradient } = await gradientOf(NETWORK, 30, { reduction: 'sum' });
    expect(relativeGap(gradient, lossAndGradient(NETWORK, start, data, all(30)).gradient)).toBeLessThan(1e-12);
  });

  test('is right where rows of W go through the update a few at a time, and where a layer has one unit', async () => {
    const network: Network = { layers: [700, 90, 1], activation: 'relu', loss: 'squared-error' };
    for (const threads of [1, 2, 5]) {
      const { data, start, gradient } = await gradientOf(network, 6, { threads });
      const plain = lossAndGradient(network, start, data, all(6)).gradient.map((g) => g / 6);
      expect(relativeGap(gradient, plain)).toBeLessThan(1e-10);
    }
  });
});

describe('the first 50 updates equal a plain transcription of the formula:', () => {
  const methods: readonly {
    readonly method: GradientMethod;
    readonly rule: () => UpdateRule;
    readonly rate: number;
  }[] = [
    { method: { solver: 'sgd' }, rule: () => sgd({}), rate: 1e-3 },
    { method: { solver: 'sgd', learningRate: 0.3 }, rule: () => sgd({}), rate: 0.3 },
    {
      method: { solver: 'sgd', learningRate: 0.1, momentum: 0.9, l2: 0.01 },
      rule: () => sgd({ momentum: 0.9, l2: 0.01 }),
      rate: 0.1,
    },
    {
      method: { solver: 'sgd', learningRate: 0.1, momentum: 0.8, dampening: 0.5 },
      rule: () => sgd({ momentum: 0.8, dampening: 0.5 }),
      rate: 0.1,
    },
    {
      method: { solver: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: true },
      rule: () => sgd({ momentum: 0.9, nesterov: true }),
      rate: 0.1,
    },
    { method: { solver: 'adagrad' }, rule: () => adagrad({}), rate: 1e-2 },
    {
      method: {
        solver: 'adagrad',
        learningRate: 0.1,
        learningRateDecay: 0.2,
        initialAccumulator: 0.3,
        epsilon: 1e-3,
        l2: 0.1,
      },
      rule: () => adagrad({ learningRateDecay: 0.2, initialAccumulator: 0.3, epsilon: 1e-3, l2: 0.1 }),
      rate: 0.1,
    },
    { method: { solver: 'adadelta' }, rule: () => adadelta({}), rate: 1 },
    {
      method: { solver: 'adadelta', learningRate: 0.5, beta2: 0.7, epsilon: 1e-4, l2: 0.1 },
      rule: () => adadelta({ beta2: 0.7, epsilon: 1e-4, l2: 0.1 }),
      rate: 0.5,
    },
    { method: { solver: 'adam' }, rule: () => adam({}), rate: 1e-3 },
    {
      method: { solver: 'adam', learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 1e-4, l2: 0.1 },
      rule: () => adam({ beta1: 0.8, beta2: 0.95, epsilon: 1e-4, l2: 0.1 }),
      rate: 0.05,
    },
    {
      method: { solver: 'adam', learningRate: 0.05, l2: 0.1, decoupled: true },
      rule: () => adam({ l2: 0.1, decoupled: true }),
      rate: 0.05,
    },
    {
      method: { solver: 'nadamw' },
      rule: () => adam({ beta1: 0.9327, beta2: 0.99552, l2: 0.0812, decoupled: true, nesterov: true }),
      rate: 1.75e-3,
    },
    {
      method: { solver: 'nadamw', learningRate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 1e-4, l2: 0 },
      rule: () => adam({ beta1: 0.8, beta2: 0.95, epsilon: 1e-4, decoupled: true, nesterov: true }),
      rate: 0.05,
    },
    { method: { solver: 'schedule-free' }, rule: () => scheduleFree({}), rate: 2.5e-3 },
    {
      method: { solver: 'schedule-free', learningRate: 0.05, beta1: 0.6, beta2: 0.95, averagePower: 0, l2: 0.3 },
      rule: () => scheduleFree({ beta1: 0.6, beta2: 0.95, power: 0, l2: 0.3 }),
      rate: 0.05,
    },
    { method: { solver: 'muon' }, rule: () => muon(NETWORK), rate: 0.02 },
    {
      method: {
        solver: 'muon',
        learningRate: 0.1,
        momentum: 0.8,
        nesterov: false,
        newtonSchulz: 3,
        adamShare: 1,
        l2: 0.1,
      },
      rule: () => muon(NETWORK, { momentum: 0.8, nesterov: false, iterations: 3, share: 1, l2: 0.1 }),
      rate: 0.1,
    },
  ];

  test.each(methods)('$method', async ({ method, rule, rate }) => {
    for (const threads of [1, 2]) {
      expect(await largestGap({ ...BATCH, method, threads }, rule(), rate)).toBeLessThan(1e-10);
    }
  });

  test.each(methods)('$method, to the accuracy of float32', async ({ method, rule, rate }) => {
    const options = { ...BATCH, method, dtype: 'float32' } as const;
    using state = await openState({ network: NETWORK, ...options }, SAMPLES, START);
    const plain = trainPlainly(NETWORK, SAMPLES, START, BATCH, rule(), () => rate);
    await state.run(20);
    let w = START;
    for (let t = 1; t <= 20; t++) w = plain.next().value.w;
    expect(relativeGap(await readVector(state), w)).toBeLessThan(1e-4);
  });

  test('gradient descent on all samples', async () => {
    const method = { solver: 'gd', learningRate: 0.5 } as const;
    expect(await largestGap({ method }, sgd({}), 0.5)).toBeLessThan(1e-11);
  });

  test('batches of one sample, of all but one, and in the order of the data', async () => {
    const method = { solver: 'sgd', learningRate: 0.05 } as const;
    for (const batchSize of [1, 49]) {
      expect(await largestGap({ method, batchSize, seed: 3 }, sgd({}), 0.05, 60)).toBeLessThan(1e-10);
    }
    expect(await largestGap({ method, batchSize: 9, shuffle: false }, sgd({}), 0.05)).toBeLessThan(1e-10);
  });

  test('a summed loss', async () => {
    const method = { solver: 'sgd', learningRate: 0.01 } as const;
    expect(await largestGap({ ...BATCH, method, reduction: 'sum' }, sgd({}), 0.01)).toBeLessThan(1e-10);
  });

  test('Muon where W has more rows than columns, and in a batch of several blocks', async () => {
    const method = { solver: 'muon' } as const;
    const tall: Network = { ...NETWORK, layers: [5, 4, 9, 6, 3] };
    expect(await largestGap({ ...BATCH, method, network: tall }, muon(tall), 0.02)).toBeLessThan(1e-10);
    const many = samplesFor(NETWORK, 2500);
    const whole = { method, batchSize: 2500, threads: 2 };
    expect(await largestGap(whole, muon(NETWORK), 0.02, 3, many)).toBeLessThan(1e-9);
  });

  // Every eigenvector but the last is determined: no null space of more than one dimension.
  const SQUARE: Network = { layers: [4, 4, 4, 3], activation: 'tanh', loss: 'squared-error' };
  const WIDE: Network = { layers: [3, 6, 5, 2], activation: 'tanh', loss: 'squared-error' };

  test.each([
    ['with the settings of the paper', {}, {}],
    [
      'with a basis that is improved at every step',
      { learningRate: 0.05, basisEvery: 1, beta1: 0.8, beta2: 0.9, epsilon: 1e-4, l2: 0.1 },
      { every: 1, beta1: 0.8, beta2: 0.9, epsilon: 1e-4, l2: 0.1 },
    ],
    ['with a side that has no basis', { basisEvery: 3, largestBasis: 3 }, { every: 3, largest: 3 }],
  ])('SOAP %s', async (_, own, plain) => {
    const samples = samplesFor(SQUARE, 50);
    const method = { solver: 'soap', ...own } as const;
    const rate = 'learningRate' in own ? own.learningRate : 3e-3;
    for (const threads of [1, 2]) {
      const options = { ...BATCH, batchSize: 12, method, network: SQUARE, threads };
      expect(await largestGap(options, soap(SQUARE, plain), rate, 50, samples)).toBeLessThan(1e-7);
    }
  });

  test.each([
    ['softmax cross-entropy', NETWORK],
    ['squared error', WIDE],
  ])('K-FAC, of %s: parameters and damping', async (_, network) => {
    const samples = samplesFor(network, 50);
    for (const own of [
      {},
      { damping: 0.5, dampingDecay: 0.8, dampingEvery: 2, factorMemory: 0.7, inverseEvery: 3, l2: 0.01 },
    ]) {
      const { rule, dampings } = kfac(network, samples, BATCH.seed, own);
      const method = { solver: 'kfac', ...own } as const;
      for (const threads of [1, 2]) {
        const options = { ...BATCH, batchSize: 20, method, network, threads };
        const plain = threads === 1 ? rule : kfac(network, samples, BATCH.seed, own).rule;
        expect(await largestGap(options, plain, 0, 50, samples)).toBeLessThan(1e-9);
      }
      expect(dampings.at(-1)).not.toBe({ ...KFAC, ...own }.damping);
    }
    const summed = kfac(network, samples, BATCH.seed, { scale: 10 }).rule;
    const method = { solver: 'kfac' } as const;
    const options = { batchSize: 10, seed: BATCH.seed, method, network, reduction: 'sum' } as const;
    expect(await largestGap(options, summed, 0, 20, samples)).toBeLessThan(1e-9);
  });

  test.each([
    ['of fewer samples than inputs, and of more', NETWORK, 6],
    ['where the last layer is turned too', WIDE, 8],
  ])('ISAAC %s', async (_, network, batchSize) => {
    const samples = samplesFor(network, 50);
    for (const own of [{}, { damping: 0.05, turnedLayers: 2, momentum: 0.9, l2: 0.01 }]) {
      const { turnedLayers: turned = 3, ...rest } = own as { readonly turnedLayers?: number };
      const method = { solver: 'isaac', learningRate: 0.1, ...own } as const;
      for (const threads of [1, 2]) {
        const plain = isaac(network, samples, { turned, ...rest });
        const options = { batchSize, seed: BATCH.seed, method, network, threads };
        expect(await largestGap(options, plain, 0.1, 50, samples)).toBeLessThan(1e-10);
      }
    }
  });

  test('Schedule-Free AdamW as its rate changes: the average weighs by it; the model is x in every run, bit for bit', async () => {
    const rate = (t: number): number => 0.01 * Math.min(1, t / 9);
    const learningRate = ({ step }: { readonly step: number }): number => rate(step);
    const method = { solver: 'schedule-free', learningRate } as const;
    expect(await largestGap({ ...BATCH, method }, scheduleFree({}), rate)).toBeLessThan(1e-10);
    for (const dtype of ['float32', 'float64'] as const) {
      using whole = await openState({ network: NETWORK, ...BATCH, method, dtype }, SAMPLES, START);
      using pieces = await openState({ network: NETWORK, ...BATCH, method, dtype }, SAMPLES, START);
      await whole.run(20);
      for (const steps of [1, 0, 12, 7]) await pieces.run(steps);
      expect(await readVector(pieces)).toEqual(await readVector(whole));
    }
  });

  test('a learning rate that is a function of epoch and step', async () => {
    const stepsPerEpoch = Math.ceil(50 / 8);
    const rate = (epoch: number, step: number): number => 0.2 * 0.9 ** epoch + 0.001 * step;
    const method = {
      solver: 'sgd',
      learningRate: ({ epoch, step }: { epoch: number; step: number }) => rate(epoch, step),
    } as const;
    const plain = (t: number): number => rate(Math.ceil(t / stepsPerEpoch), t);
    expect(await largestGap({ ...BATCH, method }, sgd({}), plain)).toBeLessThan(1e-10);
  });
});
