import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Activation } from '../../../src/index.js';
import type { Update } from '../../../src/solvers.js';
import {
  type Holding,
  nativeOf,
  openAddon,
  openPlain,
  type Problem,
  random,
  readPlain,
} from '../../reference/addon.js';
import { at, largest, minus, row, squaredNorm } from '../../reference/dense.js';
import {
  dualGradient,
  lagrangian,
  type Penalties,
  type PlainState,
  residuals,
  runSweep,
  type Target,
} from '../../reference/layered.js';
import { changeSquared } from '../../reference/theory.js';

/** A problem, what the addon holds of it, and the pieces in which its updates are run. */
interface Case {
  readonly problem: Problem;
  readonly holding: Omit<Holding, 'dtype'>;
  readonly penalties: Penalties;
  readonly pieces: readonly (readonly Update[])[];
  /** Whether z, a and u begin anywhere, and not where a forward pass puts them. */
  readonly scatter: boolean;
  readonly seed: number;
}

const width = fc.oneof(
  { weight: 1, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.integer({ min: 2, max: 9 }) },
  { weight: 1, arbitrary: fc.constantFrom(17, 33) },
);
const activation = fc.constantFrom<Activation>(
  'relu',
  'identity',
  { leakyRelu: 0.01 },
  { leakyRelu: 0.3 },
  { leakyRelu: 1.7 },
  { leakyRelu: -0.5 },
);
const penalty = fc.constantFrom(0.05, 0.3, 1, 2.5, 8);

/** Updates that exist in a network of L layers; W_1 twice in a row, and z before a, come more often than by chance. */
const legalUpdates = (L: number): fc.Arbitrary<readonly Update[]> => {
  const layer = fc.integer({ min: 1, max: L });
  const any: fc.Arbitrary<readonly Update[]> = fc
    .record({ block: fc.constantFrom('W', 'b', 'z', 'u', ...(L > 1 ? ['a' as const] : [])), layer })
    .map(({ block, layer }) => [{ block, layer: block === 'u' ? L : block === 'a' ? Math.min(layer, L - 1) : layer }]);
  const pair = fc.constant<readonly Update[]>([
    { block: 'W', layer: 1 },
    { block: 'W', layer: 1 },
  ]);
  const zThenA = layer.map((l): readonly Update[] =>
    L === 1
      ? [{ block: 'z', layer: 1 }]
      : [
          { block: 'z', layer: Math.min(l, L - 1) },
          { block: 'a', layer: Math.min(l, L - 1) },
        ],
  );
  return fc
    .array(fc.oneof({ weight: 6, arbitrary: any }, { weight: 1, arbitrary: pair }, { weight: 1, arbitrary: zThenA }), {
      minLength: 3,
      maxLength: 14,
    })
    .map((list) => list.flat());
};

const cases: fc.Arbitrary<Case> = fc
  .record({
    layers: fc.integer({ min: 1, max: 4 }).chain((L) => fc.array(width, { minLength: L + 1, maxLength: L + 1 })),
    samples: fc.integer({ min: 1, max: 40 }),
    activation,
    loss: fc.constantFrom('cross-entropy' as const, 'squared' as const),
    official: fc.boolean(),
    signs: fc.boolean(),
    zeroDual: fc.boolean(),
    scatter: fc.boolean(),
    fista: fc.boolean(),
    seed: fc.integer({ min: 1, max: 1e6 }),
    threads: fc.integer({ min: 1, max: 3 }),
    gram: fc.boolean(),
    nu: penalty,
    rho: penalty,
    l2: fc.constantFrom(0, 0, 0.2),
    theta0: fc.constantFrom(0.01, 1, 30),
    tau0: fc.constantFrom(0.01, 1),
    growth: fc.constantFrom(1.5, 2, 10),
    search: fc.constantFrom('exact' as const, 'backtracking' as const),
  })
  .chain((drawn) => {
    const L = drawn.layers.length - 1;
    return legalUpdates(L).chain((updates) =>
      fc.record({
        drawn: fc.constant(drawn),
        updates: fc.constant(updates),
        cut: fc.integer({ min: 0, max: updates.length }),
      }),
    );
  })
  .map(({ drawn, updates, cut }): Case => {
    const { layers, samples, seed, fista } = drawn;
    const outputs = at(layers, layers.length - 1, 'layers');
    const target: Target =
      drawn.loss === 'squared'
        ? { loss: 'squared', y: random(seed + 1, samples, outputs) }
        : {
            loss: 'cross-entropy',
            labels: Int32Array.from({ length: samples }, (_, i) => (7 * i + (i % 3)) % outputs),
            // The published softmax is legal with the published solver alone.
            softmax: drawn.official && fista ? 'official' : 'stable',
          };
    return {
      problem: {
        network: {
          layers,
          activation: drawn.activation,
          loss: drawn.loss === 'squared' ? 'squared-error' : 'softmax-cross-entropy',
        },
        X: random(seed + 2, samples, at(layers, 0, 'layers'), 2),
        target,
        W: layers.slice(1).map((n, i) => random(seed + 10 + i, n, at(layers, i, 'layers'), 0.8)),
        b: layers.slice(1).map((n, i) => random(seed + 20 + i, n, 1).data),
        output: drawn.signs && drawn.loss !== 'squared' ? 'signs' : 'forward',
        dual: drawn.zeroDual ? 'zero' : 'minus gradient',
      },
      holding: { threads: drawn.threads, gram: drawn.gram, fista },
      penalties: {
        nu: drawn.nu,
        rho: drawn.rho,
        l2: drawn.l2,
        theta0: drawn.theta0,
        tau0: drawn.tau0,
        growth: drawn.growth,
        search: drawn.search,
        output: fista ? { kind: 'fista', step: 0.7, tolerance: 1e-4, maxIterations: 60 } : { kind: 'exact' },
      },
      pieces: [updates.slice(0, cut), updates.slice(cut)].filter((piece) => piece.length > 0),
      scatter: drawn.scatter,
      seed,
    };
  });

/** Any z, a and u. */
function scattered(state: PlainState, seed: number): PlainState {
  const L = state.layers.length - 1;
  const anywhere = (list: PlainState['z'], from: number, to: number) =>
    list.map((m, l) => (l >= from && l <= to ? random(seed + 100 * from + l, m.rows, m.columns, 2) : m));
  return {
    ...state,
    z: anywhere(state.z, 1, L),
    a: anywhere(state.a, 1, L - 1),
    u: random(seed + 50, state.u.rows, state.u.columns, 0.5),
  };
}

/** Within `limit` of the larger of 1 and the largest entry. */
function expectNear(actual: PlainState, wanted: PlainState, limit: number): void {
  const L = wanted.layers.length - 1;
  const pairs = Array.from({ length: L }, (_, i) => i + 1).flatMap((l) => [
    { name: `W${l}`, is: at(actual.W, l, 'W'), should: at(wanted.W, l, 'W') },
    { name: `b${l}`, is: row(at(actual.b, l, 'b')), should: row(at(wanted.b, l, 'b')) },
    { name: `z${l}`, is: at(actual.z, l, 'z'), should: at(wanted.z, l, 'z') },
    ...(l < L ? [{ name: `a${l}`, is: at(actual.a, l, 'a'), should: at(wanted.a, l, 'a') }] : []),
  ]);
  for (const { name, is, should } of [...pairs, { name: 'u', is: actual.u, should: wanted.u }]) {
    expect(is.data.length, name).toBe(should.data.length);
    expect(largest(minus(is, should)), name).toBeLessThanOrEqual(limit * Math.max(1, largest(should)));
  }
}

async function agree(
  { problem, holding, penalties, pieces, scatter, seed }: Case,
  dtype: Holding['dtype'],
  limit: number,
) {
  const state = await openAddon(problem, { ...holding, dtype });
  try {
    let plain = openPlain(problem);
    expectNear(await readPlain(state, plain), plain, limit);
    if (scatter) {
      plain = scattered(plain, seed);
      const L = plain.layers.length - 1;
      for (let l = 1; l <= L; l++) await state.write('z', l, at(plain.z, l, 'z').data);
      for (let l = 1; l < L; l++) await state.write('a', l, at(plain.a, l, 'a').data);
      await state.write('u', L, plain.u.data);
    }
    for (const updates of pieces) {
      const done = await state.run(updates, nativeOf(penalties));
      const wanted = runSweep(plain, updates, penalties);
      expect(done).toMatchObject({ completed: updates.length, stopped: false, diverged: false });
      expect(done.updates.map(({ block, layer }) => ({ block, layer }))).toEqual(updates);
      let before = plain;
      for (const [i, { state: after, update, theta, tau, fista }] of wanted.steps.entries()) {
        const record = at(done.updates, i, 'updates');
        const name = `${update.block}${update.layer}, update ${i}`;
        const size = theta ?? tau;
        const moved = changeSquared(before, after, update);
        if (size === undefined) expect(record.size, name).toBeUndefined();
        else {
          const length = Math.sqrt(moved);
          const off = Math.abs(Math.sqrt(record.stepNorm ?? Number.NaN) - length);
          expect(off, name).toBeLessThanOrEqual(limit * Math.max(1, length));
          // A short step is the difference of long ones: its direction has fewer digits, and so has its size.
          const sizeOff = Math.abs((record.size ?? Number.NaN) - size) * Math.min(1, length);
          if (length > Math.sqrt(limit)) expect(sizeOff, name).toBeLessThanOrEqual(limit * Math.max(1, size));
        }
        if (fista !== undefined) expect(record.steps, name).toBe(fista);
        before = after;
      }
      plain = wanted.state;
      const { r, act } = residuals(plain);
      const scale = Math.max(1, ...r.map(squaredNorm), ...act.map(squaredNorm), squaredNorm(plain.u));
      const near = (actual: number | undefined, should: number, name: string) =>
        expect(Math.abs((actual ?? Number.NaN) - should), name).toBeLessThanOrEqual(10 * limit * scale);
      near(done.measures?.lagrangian, lagrangian(plain, penalties), 'lagrangian');
      near(done.measures?.dualNorm, squaredNorm(plain.u), 'dualNorm');
      near(done.measures?.dualIdentity, dualGradient(plain), 'dualIdentity');
      for (const [l, m] of r.entries()) if (l > 0) near(done.measures?.residuals[l - 1], squaredNorm(m), `r${l}`);
      for (const [l, m] of act.entries()) {
        if (l > 0) near(done.measures?.activationResiduals[l - 1], squaredNorm(m), `act${l}`);
      }
      expectNear(await readPlain(state, plain), plain, limit);
    }
  } finally {
    state.close();
  }
}

/** The seeds are fixed: once in a thousand, the doubling loop of the reference (not the addon's) loses its way in rounding. */
const RUNS = 60;

describe('any legal sweep', () => {
  test('leaves every block, size and count as the plain reference does, float64', async () => {
    await fc.assert(
      fc.asyncProperty(cases, (one) => agree(one, 'float64', 1e-9)),
      { numRuns: RUNS, seed: 2019 },
    );
  });

  test('and to the digits that float32 has', async () => {
    await fc.assert(
      fc.asyncProperty(cases, (one) => agree(one, 'float32', 3e-3)),
      { numRuns: RUNS, seed: 2020 },
    );
  });
});
