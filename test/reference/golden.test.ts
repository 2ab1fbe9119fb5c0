import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type GoldenCase, loadCase } from '../../dist/golden/case.js';
import { type Comparison, compare, type Replay } from '../../dist/golden/compare.js';
import { drills } from '../children/drills.js';
import { at, map } from './dense.js';
import { applyUpdate, depth, dladmmSweep, fista, linear, updateA } from './layered.js';
import { replayDladmm, type Variant } from './replay.js';
import { missingShared, sharedFolder } from './shared.js';

const golden = (name: string): Promise<GoldenCase> => loadCase(join(sharedFolder, 'golden', name));

/** Products in plain loops take their time; this is only a bound. */
const PATIENCE = 600_000;

/** How often r is beyond its limit: the power of the comparison. */
const missOfR = (comparison: Comparison): number => comparison.quantities.r?.largestDeviation ?? Number.NaN;

beforeEach((context) => {
  const missing = missingShared('golden');
  if (missing !== undefined) context.skip(missing);
});

/** The case itself as a replay. */
function mirror(reference: GoldenCase): Replay {
  const { final, dims, records, substeps } = reference;
  const layers = (variable: string) => dims.flatMap((_, l) => final[`${variable}${l}`] ?? []);
  return {
    records,
    final: {
      W: layers('W'),
      b: layers('b').map(({ data }) => data),
      z: layers('z'),
      a: layers('a'),
      ...(final.u && { u: final.u }),
    },
    substeps,
  };
}

describe('the comparator', () => {
  test('knows every tolerance of every case in the folder', async () => {
    const names = (await readdir(join(sharedFolder, 'golden'), { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['A1', 'B1', 'C1']));
    for (const name of names) {
      const reference = await golden(name);
      const same = compare(reference, mirror(reference));
      expect(Object.entries(same.quantities).filter(([, { holds }]) => !holds)).toEqual([]);
      expect(Object.keys(same.quantities)).toContain('updates of iteration 1');

      const moved = mirror(reference);
      const W = moved.final.W.map((m) => ({ ...m, data: m.data.map((x) => 1.2 * x) }));
      expect(compare(reference, { ...moved, final: { ...moved.final, W } }).quantities['final W']?.holds).toBe(false);
      const substeps = moved.substeps?.map((step) => ({ ...step, first8: step.first8.map((x) => 1.02 * x) }));
      expect(compare(reference, { ...moved, substeps: substeps ?? [] }).holds).toBe(false);
    }
  });
});

describe('the plain reference', () => {
  // A1 and A2, the longest, are replayed by the addon in every run.
  test.each(drills(['A3', 'A7'], ['A1', 'A2', 'A3', 'A7']))(
    'reproduces the trajectory of the published code, case %s, within its tolerances',
    async (name) => {
      const reference = await golden(name);
      const replay = replayDladmm(reference);
      const comparison = compare(reference, replay);
      const misses = Object.entries(comparison.quantities).filter(([, { holds }]) => !holds);
      expect(misses).toEqual([]);
      expect(comparison.holds).toBe(true);
      expect(replay.substeps).toHaveLength(reference.substeps.length);
    },
    PATIENCE,
  );

  const withoutFirst = (block: string, layer: number): Variant => ({
    sweep: (L) => {
      const sweep = dladmmSweep(L);
      return sweep.toSpliced(
        sweep.findIndex((update) => update.block === block && update.layer === layer),
        1,
      );
    },
  });

  const variants: [string, Variant][] = [
    ['updates W_1 once in place of twice', withoutFirst('W', 1)],
    ['leaves out the backward b_2', withoutFirst('b', 2)],
    [
      'swaps z and a in the forward pass',
      {
        sweep: (L) => {
          const sweep = dladmmSweep(L);
          const z = sweep.findLastIndex(({ block, layer }) => block === 'z' && layer === 1);
          return sweep.toSpliced(z, 2, { block: 'a', layer: 1 }, { block: 'z', layer: 1 });
        },
      },
    ],
    [
      'returns the prox point of FISTA in place of the extrapolated one',
      {
        apply: (state, update, penalties) => {
          const step = applyUpdate(state, update, penalties);
          const L = depth(state);
          const { output, rho } = penalties;
          if (update.block !== 'z' || update.layer !== L || output.kind !== 'fista') return step;
          const { y } = fista(at(state.z, L, 'z'), linear(state, L), state.u, state.target, rho, output);
          return { ...step, state: { ...step.state, z: step.state.z.with(L, y) } };
        },
      },
    ],
    [
      'leaves u out of the a_{L-1} step',
      {
        apply: (state, update, penalties) => {
          if (update.block !== 'a' || update.layer !== depth(state) - 1) return applyUpdate(state, update, penalties);
          const step = updateA({ ...state, u: map(state.u, () => 0) }, update.layer, penalties);
          return { ...step, state: { ...step.state, u: state.u } };
        },
      },
    ],
  ];

  test.each(variants)('is caught if it %s', async (_, variant) => {
    const reference = await golden('A3');
    const comparison = compare(reference, replayDladmm(reference, variant));
    expect(comparison.holds).toBe(false);
    expect(missOfR(comparison)).toBeGreaterThan(1e3);
    // u is zero in iteration 0, so only the next one can show that it was left out.
    expect(comparison.quantities['updates of iteration 1']?.holds).toBe(false);
  });

  test(
    'is caught if its schedule multiplies ρ by a little less, from the iteration after the rise on',
    async () => {
      const reference = await golden('A7');
      const comparison = compare(reference, replayDladmm(reference, { growRho: 9.99 }));
      expect(comparison.holds).toBe(false);
      expect(comparison.quantities.rho).toMatchObject({ holds: false, firstMiss: 18 });
      expect(comparison.quantities['updates of iteration 1']?.holds).toBe(true);
    },
    PATIENCE,
  );
});
