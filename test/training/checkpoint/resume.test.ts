import { describe, expect, it, test } from 'vitest';
import {
  fit as fitModel,
  type Model,
  readCheckpoint,
  resume,
  resumeTraining,
  type TrainOptions,
  train,
} from '../../../src/index.js';
import {
  a,
  type DladmmOptions,
  dladmmSweep,
  type PenaltyRule,
  type Progress,
  type Sweep,
  W,
  z,
} from '../../../src/solvers.js';
import { expectSameAfterPause, failure, samples, scratch, untimed } from './support.js';

const file = scratch();
const data = samples(61);
const classes = { x: data.x, labels: data.labels };
const targets = { x: data.x, y: data.y };

const DLADMM: DladmmOptions = {
  layers: [4, 9, 7, 3],
  iterations: 9,
  nu: 1,
  rho: 1,
  theta0: 1e-3,
  tau0: 1e-3,
  initialisation: 'he',
  refreshEvery: 4,
  threads: 2,
};
const SGD = { layers: [4, 9, 3], epochs: 7, batchSize: 8, threads: 2 } as const;

const CASES: readonly (readonly [string, TrainOptions])[] = [
  ['dladmm', DLADMM],
  ['dladmm in float64, exact searches', { ...DLADMM, dtype: 'float64', stepSearch: 'exact' }],
  ["the paper's schedule", { ...DLADMM, schedule: { kind: 'paper', every: 2 } }],
  ['ℓ2', { ...DLADMM, l2: 0.01 }],
  ['products that are never refreshed', { ...DLADMM, refreshEvery: 0 }],
  ['products that are always refreshed', { ...DLADMM, refreshEvery: 1 }],
  ['FISTA', { ...DLADMM, outputSolver: { kind: 'fista' } }],
  ['one thread', { ...DLADMM, threads: 1 }],
  ['leaky ReLU of slope −0', { ...DLADMM, activation: { leakyRelu: -0 } }],
  ['mixed steps', { ...DLADMM, step: { W: 'cholesky', a: ['inverse', 'quadratic'] } }],
  ['metrics of the training set', { ...DLADMM, trainMetrics: true }],
  ['hinge', { ...DLADMM, loss: 'hinge', start: { dual: 'stationary' } }],
  [
    'parameters of one’s own',
    { ...DLADMM, layers: [4, 3], initialisation: { weights: [new Float32Array(12)], biases: [new Float32Array(3)] } },
  ],
  ['inversion-admm', { solver: 'inversion-admm', layers: [4, 9, 7, 3], iterations: 8, warmStart: 5, threads: 2 }],
  [
    'inversion-admm by quadratic steps',
    { solver: 'inversion-admm', layers: [4, 9, 7, 3], iterations: 8, step: { W: 'quadratic', a: 'quadratic' } },
  ],
  ['sigmoid-admm', { solver: 'sigmoid-admm', layers: [4, 9, 7, 3], iterations: 7, threads: 2, beta: [1, 2, 3] }],
  ['sigmoid-admm in float32', { solver: 'sigmoid-admm', layers: [4, 9, 3], iterations: 7, dtype: 'float32', l2: 1e-2 }],
  [
    'variable-metric-admm',
    { solver: 'variable-metric-admm', layers: [4, 9, 7, 3], iterations: 9, threads: 2, l2: 1e-3 },
  ],
  [
    'variable-metric-admm by steps that are taken back, in float64',
    { solver: 'variable-metric-admm', layers: [4, 9, 3], iterations: 9, learningRate: 30, dtype: 'float64' },
  ],
  ['gd', { ...SGD, solver: 'gd', batchSize: 61 }],
  ['sgd', { ...SGD, solver: 'sgd', learningRate: 0.1 }],
  ['sgd with momentum', { ...SGD, solver: 'sgd', momentum: 0.9, nesterov: true, learningRate: 0.1 }],
  ['sgd without shuffling', { ...SGD, solver: 'sgd', shuffle: false }],
  ['adagrad', { ...SGD, solver: 'adagrad' }],
  ['adadelta', { ...SGD, solver: 'adadelta' }],
  ['adam', { ...SGD, solver: 'adam', seed: 5 }],
  ['adam along a wave', { ...SGD, solver: 'adam', learningRateSchedule: 'cosine', warmUp: 0.1 }],
  ['nadamw', { ...SGD, solver: 'nadamw' }],
  ['schedule-free', { ...SGD, solver: 'schedule-free' }],
  ['muon', { ...SGD, solver: 'muon', layers: [4, 9, 7, 3] }],
  ['soap', { ...SGD, solver: 'soap', basisEvery: 3 }],
  ['kfac', { ...SGD, solver: 'kfac', dampingEvery: 3, inverseEvery: 4 }],
  ['isaac', { ...SGD, solver: 'isaac', learningRate: 0.1, momentum: 0.5 }],
  ['minibatch-admm', { solver: 'minibatch-admm', layers: [4, 9, 7, 3], epochs: 7, batchSize: 16, threads: 2 }],
  [
    'minibatch-admm with both factors',
    { solver: 'minibatch-admm', layers: [4, 9, 7, 3], epochs: 7, batchSize: 16, factors: 'both', threads: 2 },
  ],
  [
    'minibatch-admm, schedule-free',
    { solver: 'minibatch-admm', layers: [4, 9, 7, 3], epochs: 7, batchSize: 16, factors: 'both', scheduleFree: true },
  ],
  [
    'minibatch-admm with full Gram matrices, without momentum',
    {
      solver: 'minibatch-admm',
      layers: [4, 9, 3],
      epochs: 7,
      batchSize: 16,
      gram: 'full',
      momentum: 0,
      dtype: 'float64',
    },
  ],
  ['badm', { ...SGD, solver: 'badm' }],
  ['badm with its duals', { ...SGD, solver: 'badm', subBatches: 4, duals: true, dtype: 'float64' }],
  ['sisa', { ...SGD, solver: 'sisa', subBatches: 2 }],
];

describe('a training that was interrupted and goes on is the training that was not, bit for bit', () => {
  for (const k of [1, 4, 5]) {
    test.each(CASES)(`%s, after iteration ${k}`, async (_, options) => {
      await expectSameAfterPause({ ...classes, test: classes }, options, file(), k);
    });
  }

  test('for regression', async () => {
    await expectSameAfterPause(targets, { ...DLADMM, loss: 'squared-error' }, file(), 5);
    await expectSameAfterPause(targets, { ...SGD, solver: 'adam', loss: 'squared-error' }, file(), 3);
    await expectSameAfterPause(
      targets,
      { solver: 'sigmoid-admm', layers: [4, 5, 3], iterations: 6, loss: 'squared-error' },
      file(),
      3,
    );
  });

  test('in the middle of what a schedule looks back on', async () => {
    const { model } = await fitModel(classes, { ...DLADMM, iterations: 20 });
    const { weights, biases } = model;
    // A heavy ℓ2 term takes the weights back little by little: the loss rises.
    const options: DladmmOptions = {
      ...DLADMM,
      ...{ nu: 1e-4, rho: 1e-4, theta0: 1000, l2: 100, schedule: 'reference', initialisation: { weights, biases } },
    };
    const { history } = await fitModel(classes, options);
    expect(new Set(history.map(({ penalties }) => penalties.rho)).size).toBeGreaterThan(2);
    for (const k of [3, 4, 5, 6]) await expectSameAfterPause(classes, options, file(), k);
  });

  test('again and again', async () => {
    const whole = await fitModel(classes, DLADMM);
    const path = file();
    const first = train(classes, { ...DLADMM, checkpoint: { path, every: 100 } });
    for await (const { iteration } of first) if (iteration === 2) break;
    for (const until of [3, 4, 6]) {
      for await (const { iteration } of await resumeTraining(path, classes)) if (iteration === until) break;
      expect((await readCheckpoint(path)).iteration).toBe(until);
    }
    const last = await resume(path, classes);
    expect(last.model.weights).toEqual(whole.model.weights);
    expect(last.history.map(({ iteration }) => iteration)).toEqual([7, 8, 9]);
  });

  test('with early stopping: the best model and its age are kept', async () => {
    const options: DladmmOptions = { ...DLADMM, iterations: 60, earlyStopping: { patience: 4 } };
    const watched = { ...classes, validation: samples(30) };
    const whole = await fitModel(watched, options);
    expect(whole.status.kind).toBe('early-stopped');
    for (const k of [2, whole.iterations - 1, whole.iterations]) {
      await expectSameAfterPause(watched, options, file(), k);
    }
  });
});

describe('writing checkpoints', () => {
  it('changes no number', async () => {
    const whole = await fitModel(classes, DLADMM);
    const path = file();
    const written = await fitModel(classes, { ...DLADMM, checkpoint: { path, every: 1 } });
    expect(untimed(written.history)).toEqual(untimed(whole.history));
    expect(written.model.weights).toEqual(whole.model.weights);
  });

  it('is told of in the records: which file, how large', async () => {
    const path = file();
    const { history } = await fitModel(classes, { ...DLADMM, checkpoint: { path, every: 4 } });
    expect(history.filter(({ checkpoint }) => checkpoint).map(({ iteration }) => iteration)).toEqual([4, 8, 9]);
    const { bytes } = await readCheckpoint(path);
    expect(history.at(-1)?.checkpoint).toMatchObject({ path, bytes });
  });

  it('can be told before: the size that it will have', async () => {
    const path = file();
    const training = train(classes, { ...DLADMM, checkpoint: { path, every: 4 } });
    expect(() => training.checkpointBytes).toThrow(failure('ERR_DLADMM_STATE'));
    for await (const { checkpoint } of training) {
      if (!checkpoint) continue;
      expect(checkpoint.bytes - training.checkpointBytes).toBeGreaterThan(0);
      expect(checkpoint.bytes - training.checkpointBytes).toBeLessThan(6000);
      break;
    }
  });

  it('leaves the products out where they have just been refreshed', async () => {
    const size = async (refreshEvery: number) => {
      const { history } = await fitModel(classes, {
        ...DLADMM,
        iterations: 4,
        refreshEvery,
        checkpoint: { path: file(), every: 4 },
      });
      return history.at(-1)?.checkpoint?.bytes ?? 0;
    };
    expect((await size(3)) - (await size(4))).toBeGreaterThan(61 * (9 + 7 + 3) * 4);
  });

  it('happens however the loop is left: by break, by an error of the loop or of onIteration', async () => {
    const leave: readonly ((checkpoint: { path: string; every: number }) => Promise<void>)[] = [
      async (checkpoint) => {
        for await (const { iteration } of train(classes, { ...DLADMM, checkpoint })) if (iteration === 3) break;
      },
      async (checkpoint) => {
        for await (const { iteration } of train(classes, { ...DLADMM, checkpoint })) {
          if (iteration === 3) throw new Error('mine');
        }
      },
      async (checkpoint) => {
        const onIteration = ({ iteration }: { iteration: number }) => {
          if (iteration === 3) throw new Error('mine');
        };
        await fitModel(classes, { ...DLADMM, checkpoint, onIteration });
      },
    ];
    for (const way of leave) {
      const path = file();
      await way({ path, every: 100 }).catch(({ message }: Error) => expect(message).toBe('mine'));
      expect((await readCheckpoint(path)).iteration).toBe(3);
    }
  });

  it('does not happen after a divergence: the last good one stays', async () => {
    const path = file();
    const x = data.x.map((value) => value * 1e15);
    const options: TrainOptions = { ...SGD, solver: 'sgd', learningRate: ({ epoch }) => (epoch > 3 ? 1e300 : 1e-30) };
    const { status } = await fitModel({ ...classes, x }, { ...options, checkpoint: { path, every: 2 } });
    expect(status).toMatchObject({ kind: 'diverged', iteration: 4 });
    expect((await readCheckpoint(path)).iteration).toBe(2);
  });

  it('says what a checkpoint is of', async () => {
    const path = file();
    await fitModel(classes, { ...DLADMM, iterations: 3, checkpoint: { path }, classes: ['a', 'b', 'c'] });
    expect(await readCheckpoint(path)).toMatchObject({
      path,
      solver: 'dladmm',
      layers: [4, 9, 7, 3],
      dtype: 'float32',
      threads: 2,
      iteration: 3,
      samples: 61,
      functions: [],
      options: { nu: 1, refreshEvery: 4, seed: 1, classes: ['a', 'b', 'c'] },
    });
  });
});

describe('a training that was complete', () => {
  it('is complete when it goes on', async () => {
    const path = file();
    const whole = await fitModel(classes, { ...DLADMM, checkpoint: { path } });
    const again = await resume(path, classes);
    expect(again).toMatchObject({ status: { kind: 'completed' }, iterations: 9, history: [] });
    expect(again.model.weights).toEqual(whole.model.weights);
  });

  it('goes further where more iterations are asked for', async () => {
    const path = file();
    await fitModel(classes, { ...DLADMM, iterations: 5, checkpoint: { path } });
    const longer = await resume(path, classes, { iterations: 9 });
    expect(longer.model.weights).toEqual((await fitModel(classes, DLADMM)).model.weights);
  });
});

describe('an abort', () => {
  it('lets the iteration at work end and writes a checkpoint', async () => {
    const path = file();
    const controller = new AbortController();
    const stopped = await fitModel(classes, {
      ...DLADMM,
      iterations: 1e6,
      checkpoint: { path, every: 1e6 },
      signal: controller.signal,
      onIteration: ({ iteration }) => {
        if (iteration === 3) setImmediate(() => controller.abort());
      },
    });
    expect(stopped.status.kind).toBe('aborted');
    expect((await readCheckpoint(path)).iteration).toBe(stopped.iterations);
    const k = stopped.iterations;
    const after = await resume(path, classes, { iterations: k + 3 });
    expect(after.model.weights).toEqual((await fitModel(classes, { ...DLADMM, iterations: k + 3 })).model.weights);
  });

  it('ends the iteration at work at once where the one before is on the disk already', async () => {
    const path = file();
    const controller = new AbortController();
    const stopped = await fitModel(classes, {
      ...DLADMM,
      sweep: () => new Array(1e5).fill(W(2)),
      checkpoint: { path, every: 1 },
      signal: controller.signal,
      onIteration: () => setTimeout(() => controller.abort(), 20),
    });
    expect(stopped).toMatchObject({ status: { kind: 'aborted' }, iterations: 1 });
    expect((await readCheckpoint(path)).iteration).toBe(1);
  });

  it('in the loop does so after the iteration just seen', async () => {
    const path = file();
    const controller = new AbortController();
    const training = train(classes, { ...DLADMM, signal: controller.signal, checkpoint: { path, every: 100 } });
    for await (const { iteration } of training) if (iteration === 3) controller.abort();
    expect(training.result).toMatchObject({ status: { kind: 'aborted' }, iterations: 3 });
    expect((await readCheckpoint(path)).iteration).toBe(3);
  });
});

describe('what a function remembers', () => {
  const rate = ({ epoch, step }: Progress): number => 0.1 / (epoch + step / 10);
  const schedule: PenaltyRule = ({ iteration }) => ({ rho: 1 + iteration });
  const sweep: Sweep = function* (L) {
    yield* dladmmSweep(L);
    yield* [W(1), z(1), a(1)];
  };

  test.each([
    ['learningRate', { ...SGD, solver: 'sgd', learningRate: rate }, { learningRate: rate }],
    ['schedule', { ...DLADMM, schedule }, { schedule }],
    ['sweep', { ...DLADMM, sweep }, { sweep }],
  ] as const)('%s is given again, and asked for', async (name, options, again) => {
    const path = file();
    await expectSameAfterPause(classes, options as TrainOptions, path, 3, again);
    expect((await readCheckpoint(path)).functions).toEqual([name]);
    await expect(resume(path, classes)).rejects.toEqual(
      failure('ERR_DLADMM_CHECKPOINT', new RegExp(`a function for options.${name}.*cannot keep functions`)),
    );
    await expect(resume(path, classes, { [name]: 1 } as never)).rejects.toEqual(failure('ERR_DLADMM_CHECKPOINT'));
  });

  test('callbacks are not asked for', async () => {
    const path = file();
    await fitModel(classes, { ...DLADMM, iterations: 2, checkpoint: { path }, onIteration: () => undefined });
    const seen: number[] = [];
    await resume(path, classes, { iterations: 4, onIteration: ({ iteration }) => seen.push(iteration) });
    expect(seen).toEqual([3, 4]);
  });
});

test.each([
  { ...DLADMM, iterations: 3, standardise: true },
  { ...SGD, epochs: 3, solver: 'minibatch-admm' },
  { ...SGD, epochs: 3, solver: 'adam' },
  { ...SGD, epochs: 3, solver: 'sisa' },
])(
  'a training that is aborted before its samples have come back has the model of its checkpoint: %o',
  async (options) => {
    const path = file();
    const { model } = await fitModel(classes, { ...options, checkpoint: { path } } as never);
    const again = await resume(path, classes, { signal: AbortSignal.abort(new Error('enough')) });
    expect(again).toMatchObject({ status: { kind: 'aborted' }, iterations: 3, history: [] });
    expect(again.model.weights).toEqual(model.weights);
    expect((again.model as Model).biases).toEqual((model as Model).biases);
    expect(again.model.standardisation).toEqual(model.standardisation);
    expect((await readCheckpoint(path)).iteration).toBe(3);
  },
);
