import { describe, expect, test } from 'vitest';
import type { Network } from '../../../src/network/network.js';
import { minibatches } from '../../../src/solvers/minibatch/splitting.js';
import { methodOf } from '../../../src/solvers/shared/methods.js';
import { gradients } from '../../../src/solvers/shared/splittings/gradient.js';
import { type LayeredSession, layered, type SweepPenalties } from '../../../src/solvers/shared/splittings/layered.js';
import { u, W, z } from '../../../src/solvers/shared/sweep.js';
import { constraints } from '../../../src/solvers/sigmoid/splitting.js';
import { expectFailure } from '../../formats/support.js';
import { numbers } from '../../reference/addon.js';

const next = numbers(3);
const SAMPLES = 9;
const DATA = {
  x: Float64Array.from({ length: SAMPLES * 4 }, next),
  labels: Int32Array.from({ length: SAMPLES }, (_, i) => i % 3),
};
const COMMON = { dtype: 'float64', threads: 1 } as const;
const NETWORK: Network = { layers: [4, 5, 3], activation: 'relu', loss: 'softmax-cross-entropy' };
const SMOOTH: Network = { layers: [4, 5, 3], activation: 'tanh', loss: 'one-hot-squared-error' };
const LAYERED = { ...COMMON, network: NETWORK, softmax: 'stable', gram: false, fista: false } as const;
const PENALTIES: SweepPenalties = {
  ...{ nu: 1, rho: 1, theta0: 1, tau0: 1, growth: 2, l2: 0 },
  ...{ search: 'exact', output: 'exact' },
  ...{ fistaStep: 4, fistaTolerance: 1e-3, fistaLimit: 500 },
};

describe('a session', () => {
  test('gives every block with its shape, and takes it back', async () => {
    using session = await layered.open(LAYERED, DATA);
    await session.write('W', 1, Float64Array.from({ length: 20 }, next));
    await session.start({ output: 'forward', dual: 'stationary' });
    for (const [block, layer, rows, columns] of [
      ['W', 1, 5, 4],
      ['W', 2, 3, 5],
      ['b', 2, 1, 3],
      ['z', 1, SAMPLES, 5],
      ['a', 1, SAMPLES, 5],
      ['u', 2, SAMPLES, 3],
    ] as const) {
      const matrix = await session.read(block, layer);
      expect(matrix).toMatchObject({ rows, columns });
      expect(matrix.data).toHaveLength(rows * columns);
      await session.write(block, layer, { ...matrix, data: matrix.data.map((value: number) => value + 1) });
      expect((await session.read(block, layer)).data[0]).toBe((matrix.data[0] ?? 0) + 1);
    }
  });

  test('tells the loss as a mean, and as the sum that the augmented Lagrangian has', async () => {
    using session = await layered.open(LAYERED, DATA);
    await session.start({ output: 'forward', dual: 'stationary' });
    const { loss, lossSum, lagrangian, dualProduct, residuals, activationResiduals } = await session.measure(PENALTIES);
    expect(loss).toBeCloseTo(lossSum / SAMPLES, 14);
    expect(loss).toBeCloseTo((await session.evaluate('train')).loss, 12);
    const constraint = [...residuals, ...activationResiduals].reduce((sum, value) => sum + value / 2, 0);
    expect(lagrangian).toBeCloseTo(lossSum + dualProduct + constraint, 12);
  });

  describe('that is asked to stop', () => {
    const long = new Array(100_000).fill(W(2));
    const started = async () => {
      const session = await layered.open(LAYERED, DATA);
      await session.write('W', 1, Float64Array.from({ length: 20 }, next));
      await session.start({ output: 'forward', dual: 'stationary' });
      return session;
    };

    test.each([
      ['alone', () => undefined],
      ['with an evaluation behind it', (session) => session.evaluate('train')],
      ['with a read behind it', (session) => session.read('W', 1)],
      ['with a measure behind it', (session) => session.measure(PENALTIES)],
    ] as const satisfies readonly (readonly [string, (session: LayeredSession) => unknown])[])(
      'ends its run, %s',
      async (_, then) => {
        using session = await started();
        const running = session.run(long, PENALTIES);
        session.stop();
        const after = then(session);
        expect((await running).stopped).toBe(true);
        await after;
      },
    );

    test('ends the run that waits behind a call, and no call', async () => {
      using session = await started();
      const read = session.read('W', 1);
      const running = session.run(long, PENALTIES);
      session.stop();
      expect((await read).data).toHaveLength(20);
      expect((await running).stopped).toBe(true);
    });

    test('ends one run: the next goes to its end, however often it was asked', async () => {
      using session = await started();
      const running = [session.run(long, PENALTIES), session.run([W(2), W(1)], PENALTIES)];
      session.stop();
      session.stop();
      const [first, second] = await Promise.all(running);
      expect(first).toMatchObject({ stopped: true });
      expect(second).toMatchObject({ stopped: false, completed: 2 });
    });

    test('without a run at work ends none that comes later', async () => {
      using session = await started();
      session.stop();
      expect(await session.run([W(2)], PENALTIES)).toMatchObject({ stopped: false, completed: 1 });
    });

    test('ends a search for z_L that would go on for hours', async () => {
      using session = await layered.open({ ...LAYERED, fista: true }, DATA);
      await session.start({ output: 'forward', dual: 'stationary' });
      const endless = { ...PENALTIES, output: 'fista', fistaTolerance: 0, fistaLimit: 1e6 } as const;
      const running = session.run(new Array(100_000).fill(z(2)), endless);
      session.stop();
      expect((await running).stopped).toBe(true);
    });
  });

  test('says what is too early by ERR_DLADMM_STATE, and what is over by ERR_DLADMM_CLOSED', async () => {
    const session = await layered.open(LAYERED, DATA);
    for (const early of [
      () => session.run([W(1)], PENALTIES),
      () => session.measure(PENALTIES),
      () => session.read('z', 1),
      () => session.write('u', 2, new Float64Array(27)),
    ]) {
      await expectFailure(early, 'ERR_DLADMM_STATE', /start/);
    }
    session.close();
    for (const late of [
      () => session.read('W', 1),
      () => session.run([z(2), u(2)], PENALTIES),
      () => session.start({ output: 'forward', dual: 'zero' }),
      () => session.parameters(),
    ]) {
      await expectFailure(late, 'ERR_DLADMM_CLOSED');
    }
  });

  test('refuses options and penalties that are misspelt, whatever the splitting', async () => {
    const strange = { thread: 2 };
    const untyped = <T>(value: unknown): T => value as T;
    await expectFailure(() => layered.open(untyped({ ...LAYERED, ...strange }), DATA), 'ERR_DLADMM_ARGUMENT', /thread/);
    for (const [splitting, options] of [
      [constraints, { ...COMMON, network: SMOOTH }],
      [gradients, { ...COMMON, network: NETWORK, method: { solver: 'sgd' } }],
      [minibatches, { ...COMMON, network: NETWORK }],
    ] as const) {
      await expectFailure(
        () => splitting.open(untyped({ ...options, ...strange }), DATA),
        'ERR_DLADMM_ARGUMENT',
        /thread/,
      );
    }
    const named = untyped<typeof LAYERED>({ ...LAYERED, network: { ...LAYERED.network, activaton: 'tanh' } });
    await expectFailure(() => layered.open(named, DATA), 'ERR_DLADMM_ARGUMENT', /activaton.*did you mean activation/);
    using session = await layered.open(LAYERED, DATA);
    await session.start({ output: 'forward', dual: 'zero' });
    await expectFailure(() => session.run([W(1)], untyped({ ...PENALTIES, Rho: 1 })), 'ERR_DLADMM_ARGUMENT', /Rho/);
  });

  test('takes parameters that fit as a whole, or none', async () => {
    using session = await layered.open(LAYERED, DATA);
    const fitting = {
      weights: [new Float64Array(20).fill(1), new Float64Array(15)],
      biases: [5, 3].map((n) => new Float64Array(n)),
    };
    for (const [parameters, code, name] of [
      [undefined, 'ERR_DLADMM_ARGUMENT', /^Expected { weights, biases } for parameters/],
      [{}, 'ERR_DLADMM_ARGUMENT', /parameters\.weights/],
      [{ weights: fitting.weights }, 'ERR_DLADMM_ARGUMENT', /parameters\.biases/],
      [{ ...fitting, weights: fitting.weights.slice(0, 1) }, 'ERR_DLADMM_ARGUMENT', /parameters\.weights\[1\]/],
      [
        { ...fitting, biases: [...fitting.biases].reverse() },
        'ERR_DLADMM_SHAPE',
        /5 numbers for parameters\.biases\[0\]/,
      ],
      [
        { ...fitting, biases: [new Float64Array(5), new Float64Array([0, Number.NaN, 0])] },
        'ERR_DLADMM_NON_FINITE',
        /biases\[1\]\[1\]/,
      ],
    ] as const) {
      await expectFailure(() => session.writeParameters(parameters as never), code, name);
      expect((await session.parameters()).weights[0]).toEqual(new Float64Array(20));
    }
    await session.writeParameters(fitting);
    expect(await session.parameters()).toEqual(fitting);
  });

  test('says which penalty is none, and that a start has to be told', async () => {
    using session = await layered.open(LAYERED, DATA);
    await expectFailure(() => session.start(undefined as never), 'ERR_DLADMM_ARGUMENT', /{ output, dual } for start/);
    await session.start({ output: 'forward', dual: 'zero' });
    for (const name of ['nu', 'rho', 'theta0', 'tau0', 'gamma', 'l2'] as const) {
      const run = (value: unknown) => () => session.run([W(1)], { ...PENALTIES, [name]: value } as SweepPenalties);
      await expectFailure(run(-1), 'ERR_DLADMM_RANGE', new RegExp(`for penalties\\.${name} but received -1`));
      await expectFailure(run('x'), 'ERR_DLADMM_ARGUMENT', new RegExp(`Expected a number for penalties\\.${name}`));
    }
  });

  test('of gradients says what a method is', () => {
    expect(() => methodOf(undefined as never)).toThrow(
      /^Expected { solver: 'sgd', … } for options but received undefined$/,
    );
  });
});
