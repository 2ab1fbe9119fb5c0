import { expect, test } from 'vitest';
import type { GoldenCase, Recorded } from '../../dist/golden/case.js';
import { compare, type Replay, summarise } from '../../dist/golden/compare.js';
import { matrix } from './dense.js';

const W = matrix(2, 3, (i, j) => 1 + i + j);
const b = Float64Array.of(1, -1);

/** A case of one layer with two recorded iterations, and a replay that equals it. */
function exampleCase(tolerances: GoldenCase['tolerances'], records: GoldenCase['records'] = {}): GoldenCase {
  return {
    name: 'X',
    dims: [3, 2],
    iterations: 2,
    hyper: { system: 'sigmoid', beta: [1], lambda: 1 },
    train: { x: matrix(4, 3, () => 0) },
    initial: { W: [], b: [], z: [], a: [] },
    callOrder: [],
    records,
    substeps: [],
    final: { W1: W, b1: { data: b, rows: 2, columns: 1 } },
    tolerances,
  };
}

const replayOf = (records: Replay['records'], final: Replay['final'] = { W: [W], b: [b] }): Replay => ({
  records,
  final,
});

/** Whether `actual` holds against `reference` under one form of tolerance for the quantity q. */
const holds = (tolerances: GoldenCase['tolerances'], reference: Recorded, actual: Recorded, more = {}): boolean =>
  compare(exampleCase(tolerances, { q: reference, ...more }), replayOf({ q: actual })).holds;

test('exact means equal', () => {
  expect(holds({ exact: ['q'] }, [1, [2, 3]], [1, [2, 3]])).toBe(true);
  expect(holds({ exact: ['q'] }, [1, [2, 3]], [1, [2, 3.0000000000000004]])).toBe(false);
});

test('relative limits are shares of the reference', () => {
  const limit = { relative: { q: 1e-3 } };
  expect(holds(limit, [-100, 1], [-100.09, 1])).toBe(true);
  expect(holds(limit, [-100, 1], [-100.11, 1])).toBe(false);
  expect(holds(limit, [0], [0])).toBe(true);
  expect(holds(limit, [0], [1e-300])).toBe(false);
});

test('absolute limits do not depend on the reference', () => {
  expect(holds({ absolute: { q: 1e-3 } }, [1e-9], [9e-4])).toBe(true);
  expect(holds({ absolute: { q: 1e-3 } }, [1e-9], [2e-3])).toBe(false);
});

test('relative to the largest so far looks back, layer by layer, and not ahead', () => {
  const limit = { relative_to_largest_so_far: { q: 0.1 } };
  expect(holds(limit, [10, 1], [10, 1.9])).toBe(true);
  expect(holds(limit, [1, 10], [1.9, 10])).toBe(false);
  expect(
    holds(
      limit,
      [
        [1, 10],
        [1, 1],
      ],
      [
        [1, 10],
        [1.9, 1],
      ],
    ),
  ).toBe(false);
  expect(
    holds(
      limit,
      [
        [1, 10],
        [1, 1],
      ],
      [
        [1, 10],
        [1, 1.9],
      ],
    ),
  ).toBe(true);
});

test('root limits compare square roots with a floor for each kind of layer', () => {
  const records = { z_fro: [[10, 10]], a_fro: [[10]] };
  const two = (tolerances: GoldenCase['tolerances'], actual: Recorded): boolean =>
    compare({ ...exampleCase(tolerances, { q: [[4, 4]], ...records }), dims: [3, 2, 2] }, replayOf({ q: actual }))
      .holds;
  const limit = { root: { q: { relative: 0.01, of_z_fro_hidden: 0.001, of_z_fro_output: 0.01 } } };
  // √q may be off by 0.02 + 0.01 in the hidden layer and by 0.02 + 0.1 in the last one.
  expect(two(limit, [[2.029 ** 2, 2.119 ** 2]])).toBe(true);
  expect(two(limit, [[2.031 ** 2, 4]])).toBe(false);
  expect(two(limit, [[4, 2.121 ** 2]])).toBe(false);
  expect(two(limit, [[4, -1]])).toBe(false);
  const act = { root: { q: { relative: 0.01, of_a_fro: 0.001 } } };
  const one = (actual: Recorded): boolean =>
    compare({ ...exampleCase(act, { q: [[4]], ...records }), dims: [3, 2, 2] }, replayOf({ q: actual })).holds;
  expect(one([[2.029 ** 2]])).toBe(true);
  expect(one([[2.031 ** 2]])).toBe(false);
  expect(two({ root: { q: { relative: 1, of_b_fro: 1 } } }, [[4, 4]])).toBe(false);
});

test('a bound in units of the last layer bounds the value itself', () => {
  const limit = { of_max_1_and_last_V_fro: { q: 0.1 } };
  expect(holds(limit, [0, 0], [0.09, 0.9], { V_fro: [[0.5], [10]] })).toBe(true);
  expect(holds(limit, [0, 0], [0.11, 0.9], { V_fro: [[0.5], [10]] })).toBe(false);
  expect(holds(limit, [0, 0], [0.09, 1.1], { V_fro: [[0.5], [10]] })).toBe(false);
  expect(holds(limit, [0, 0], [0.09, 0.09])).toBe(false);
});

test('a bound from an iteration on leaves the earlier ones alone', () => {
  const limit = { absolute_from_iteration: { q: { limit: 0.1, from: 1 } } };
  expect(holds(limit, [7, 0], [9, 0.09])).toBe(true);
  expect(holds(limit, [7, 0], [7, -0.11])).toBe(false);
});

test('final matrices are compared by their relative Frobenius distance', () => {
  const final = (shift: number): boolean => {
    const moved = matrix(2, 3, (i, j) => 1 + i + j + (i + j === 0 ? shift : 0));
    return compare(exampleCase({ final_frobenius: { W: 0.01, b: 0.01 } }), replayOf({}, { W: [moved], b: [b] })).holds;
  };
  const { fro } = summarise(W);
  expect(final(0.0099 * fro)).toBe(true);
  expect(final(0.0101 * fro)).toBe(false);
  expect(final(Number.NaN)).toBe(false);
  const limits = exampleCase({ final_frobenius: { W: 0.01 } });
  expect(compare(limits, replayOf({}, { W: [], b: [] })).quantities['final W']?.problem).toBe('W1 is missing');
  expect(compare(limits, replayOf({}, { W: [matrix(3, 2, () => 1)], b: [] })).holds).toBe(false);
});

test('what is missing, not a number, or of another shape does not hold', () => {
  const limit = { relative: { q: 1e-3 } };
  const reference = [[1, 2]];
  expect(compare(exampleCase(limit, { q: reference }), replayOf({})).quantities.q?.problem).toBe(
    'missing in the replay',
  );
  for (const actual of [
    [[1]],
    [[1, 2, 3]],
    [],
    [
      [1, 2],
      [1, 2],
    ],
    [1],
    [[1, null]],
    [[1, Number.NaN]],
    null,
  ] as Recorded[])
    expect(holds(limit, reference, actual)).toBe(false);
  for (const form of ['exact', 'absolute', 'relative_to_largest_so_far', 'of_max_1_and_last_V_fro'])
    expect(
      holds({ [form]: form === 'exact' ? ['q'] : { q: 1e9 } }, [1, 1], [1, Number.NaN], { V_fro: [[1], [1]] }),
    ).toBe(false);
  expect(holds({ absolute_from_iteration: { q: { limit: 1e9, from: 0 } } }, [1, 1], [1, Number.NaN])).toBe(false);
});

test('an unknown or damaged form of tolerance does not hold, and is named', () => {
  const records = { q: [1] };
  const quantities = (tolerances: GoldenCase['tolerances']) =>
    compare(exampleCase(tolerances, records), replayOf(records));
  expect(quantities({ exact: ['q'] }).holds).toBe(true);
  expect(quantities({ exact: ['q'], within_ulps: { q: 2 } })).toMatchObject({
    holds: false,
    quantities: { q: { holds: true }, within_ulps: { problem: 'unknown form of tolerance' } },
  });
  for (const tolerances of [
    {},
    { toString: {} },
    { exact: { q: 1 } },
    { relative: { q: '1' } },
    { relative: { q: Number.NaN } },
    { relative: { other: 1 } },
    { root: { q: { relative: 1 } } },
    { absolute_from_iteration: { q: { limit: 1, from: 0, to: 3 } } },
    { final_frobenius: { Q: 1 } },
  ])
    expect(quantities(tolerances).holds).toBe(false);
});

test('a quantity under two forms must hold under both', () => {
  const both = (limit: number) => holds({ exact: ['q'], relative: { q: limit } }, [1], [1.1]);
  expect(both(0.2)).toBe(false);
  expect(holds({ absolute: { q: 0.2 }, relative: { q: 0.01 } }, [1], [1.1])).toBe(false);
  expect(holds({ absolute: { q: 0.2 }, relative: { q: 0.2 } }, [1], [1.1])).toBe(true);
});

test('single updates are held to their order, sizes, entries and accepted steps', () => {
  const step = { iter: 0, var: 'W1', ...summarise(W), theta: 2 };
  const reference: GoldenCase = {
    ...exampleCase({ exact: ['q'] }, { q: [1] }),
    hyper: {
      system: 'dladmm',
      rho0: 1,
      schedule: 'constant',
      rhoFactor: null,
      rhoCap: null,
      tau0: 1,
      theta0: 1,
      tauThetaFactor: null,
      backtrackingFactor: 2,
      fistaStep: 4,
      fistaTolerance: 1,
      fistaMaxIter: 1,
    },
    substeps: [{ ...step, call: 0 }],
  };
  const against = (substeps: NonNullable<Replay['substeps']>) =>
    compare(reference, { ...replayOf({ q: [1] }), substeps });
  expect(against([step]).holds).toBe(true);
  expect(against([step, { ...step, iter: 2, var: 'z1' }]).holds).toBe(true);
  const fro = step.fro;
  const first = (x: number): number[] => [x, ...step.first8.slice(1)];
  for (const wrong of [
    { ...step, theta: 4 },
    { ...step, var: 'W2' },
    { ...step, fro: fro * (1 + 2e-10) },
    { ...step, first8: first(1 + 2e-10 * fro) },
    { ...step, first8: step.first8.slice(1) },
    { ...step, sum: step.sum + 2e-11 * fro * Math.sqrt(6) },
    { ...step, sum: Number.NaN },
  ])
    expect(against([wrong]).holds).toBe(false);
  for (const near of [
    { ...step, fro: fro * (1 + 0.5e-10) },
    { ...step, first8: first(1 + 0.5e-10 * fro) },
    { ...step, sum: step.sum + 0.5e-11 * fro * Math.sqrt(6) },
  ])
    expect(against([near]).holds).toBe(true);
  expect(against([]).holds).toBe(false);
  expect(against([step, step]).holds).toBe(false);
});
