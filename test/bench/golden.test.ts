import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type DladmmHyper, type GoldenCase, loadCase, type SigmoidHyper } from '../../dist/golden/case.js';
import { compare } from '../../dist/golden/compare.js';
import { replay } from '../../dist/golden/replay.js';
import { missingShared, sharedFolder } from '../reference/shared.js';

beforeEach((context) => {
  const missing = missingShared('golden');
  if (missing !== undefined) context.skip(missing);
});

const golden = (name: string): Promise<GoldenCase> => loadCase(join(sharedFolder, 'golden', name));

const misses = ({ quantities }: ReturnType<typeof compare>): string[] =>
  Object.entries(quantities)
    .filter(([, { holds }]) => !holds)
    .map(([name]) => name);

const PATIENCE = 300_000;

describe('a training with the settings of the recorded program', () => {
  test.each(['A1', 'A2', 'A3', 'A7', 'B1', 'B3', 'C1'])(
    'follows its trajectory, case %s',
    async (name) => {
      const reference = await golden(name);
      const replayed = await replay(reference);
      const comparison = compare(reference, replayed);
      expect(misses(comparison)).toEqual([]);
      expect(comparison.holds).toBe(true);
      expect(replayed.substeps).toHaveLength(reference.substeps.length);
    },
    PATIENCE,
  );

  const wrong: [string, (hyper: DladmmHyper) => DladmmHyper, string][] = [
    ['ρ a little larger', (hyper) => ({ ...hyper, rho0: 1.001 * hyper.rho0 }), 'r'],
    ['another growth of the search', (hyper) => ({ ...hyper, backtrackingFactor: 3 }), 'theta'],
    ['another first size', (hyper) => ({ ...hyper, tau0: 1.5 * hyper.tau0 }), 'tau'],
    ['another FISTA step', (hyper) => ({ ...hyper, fistaStep: 1 }), 'fista'],
  ];
  test.each(wrong)('does not follow it with %s', async (_, change, quantity) => {
    const reference = await golden('A3');
    if (reference.hyper.system !== 'dladmm') throw new Error('A3 is a dlADMM case');
    const comparison = compare(reference, await replay({ ...reference, hyper: change(reference.hyper) }));
    expect(comparison.holds).toBe(false);
    expect(misses(comparison)).toContain(quantity);
  });

  const wrongSigmoid: [string, (hyper: SigmoidHyper) => SigmoidHyper][] = [
    ['λ a little larger', (hyper) => ({ ...hyper, lambda: 1.0001 * hyper.lambda })],
    ['another β in one layer', (hyper) => ({ ...hyper, beta: hyper.beta.with(1, 1.0001) })],
  ];
  test.each(wrongSigmoid)('does not follow that of sigmoid-ADMM with %s', async (_, change) => {
    const reference = await golden('B3');
    if (reference.hyper.system !== 'sigmoid') throw new Error('B3 is a sigmoid-ADMM case');
    const comparison = compare(reference, await replay({ ...reference, hyper: change(reference.hyper) }));
    expect(misses(comparison)).toEqual(expect.arrayContaining(['mse_before', 'W_fro', 'V_fro', 'Lambda_fro']));
  });
});

describe('the settings of a sigmoid-ADMM case', () => {
  const changed = async (change: (hyper: Record<string, unknown>) => void): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'dladmm-golden-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await cp(join(sharedFolder, 'golden', 'B3'), folder, { recursive: true });
    const path = join(folder, 'case.json');
    const json = JSON.parse(await readFile(path, 'utf8')) as { hyper: Record<string, unknown> };
    change(json.hyper);
    await writeFile(path, JSON.stringify(json));
    return folder;
  };

  test('may have one β for all layers', async () => {
    const reference = await loadCase(
      await changed((hyper) => {
        hyper.beta = 1;
      }),
    );
    expect(reference.hyper).toMatchObject({ system: 'sigmoid', beta: [1, 1, 1, 1] });
    expect(compare(reference, await replay(reference)).holds).toBe(true);
  });

  test.each([
    ['too few β', (hyper: Record<string, unknown>) => Object.assign(hyper, { beta: [1, 1] }), /4 numbers.*beta/],
    ['another activation', (hyper: Record<string, unknown>) => Object.assign(hyper, { activation: 'tanh' }), /tanh/],
  ] as const)('are refused with %s', async (_, change, message) => {
    await expect(loadCase(await changed(change))).rejects.toThrow(message);
  });
});
