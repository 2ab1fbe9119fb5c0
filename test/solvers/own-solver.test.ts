import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { loadDataset } from '../../dist/data.js';
import { fit as fitModel, resume, train } from '../../dist/index.js';
import {
  adam,
  defaultsOf,
  defineSolver,
  dladmmSweep,
  EXACT,
  layered,
  layeredPlan,
  number,
  type Solver,
  type Update,
} from '../../dist/solvers.js';
import { start } from '../cli/support.js';

const FILE = new URL('../fixtures/own-solver/forward-admm.mjs', import.meta.url);
const { default: mine } = (await import(FILE.href)) as { readonly default: Solver };
const folder = mkdtempSync(join(tmpdir(), 'dladmm-own-solver-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const iris = await loadDataset('iris');
const run = (...args: readonly string[]) => start(folder, args).ended;

const PENALTIES = { nu: 1, rho: 1, theta0: 1, tau0: 1 };
const OPTIONS = { solver: mine, layers: [4, 10, 3], standardise: true, iterations: 12 } as const;

describe('a solver that is declared outside of the package', () => {
  test('has its own defaults, those of all solvers, and nothing else', () => {
    expect(defaultsOf(mine)).toMatchObject({ iterations: 30, nu: 1, rest: 0, seed: 1, dtype: 'float32' });
  });

  test('trains by its own sweep', async () => {
    const { history, model } = await fitModel(iris.train, { ...OPTIONS, iterations: 60 });
    const [first] = history as unknown as { readonly updates: { readonly block: string; readonly layer: number }[] }[];
    expect(first?.updates.map(({ block, layer }) => `${block}${layer}`).join(' ')).toBe('W1 b1 z1 a1 W2 b2 z2 u2');
    expect((await model.evaluate(iris.train)).accuracy).toBeGreaterThan(0.85);
    model.close();
  });

  test('is checked by its declaration, before anything is allocated', async () => {
    await expect(fitModel(iris.train, { ...OPTIONS, nu: -1 } as never)).rejects.toMatchObject({
      code: 'ERR_DLADMM_RANGE',
      message: 'Expected a positive finite number for nu but received -1 (number)',
    });
    await expect(fitModel(iris.train, { ...OPTIONS, nuu: 1 } as never)).rejects.toMatchObject({
      code: 'ERR_DLADMM_ARGUMENT',
      message: expect.stringMatching(/nuu: 1 \(number\); did you mean nu\?$/),
    });
  });

  test('is refused with a misspelt part, and so is a misspelt part of an option', () => {
    expect(() => defineSolver({ ...mine, titel: 'x' } as never)).toThrow(/did you mean title\?$/);
    expect(() => number('positive', { defalt: 1, says: 'How much.' } as never)).toThrow(/did you mean default\?$/);
  });

  const broken = (more: object) => () => defineSolver({ ...mine, ...more } as never);
  const planned = (plan: unknown) => () =>
    fitModel(iris.train, { ...OPTIONS, solver: defineSolver({ ...mine, plan: () => plan } as never) } as never);
  const parts = (more: object) => () =>
    planned(
      layeredPlan({
        ...{ initialisation: 'he', updatesOf: () => [...dladmmSweep(2)], penaltiesFor: () => PENALTIES },
        steps: { W: ['quadratic', 'quadratic'], a: ['quadratic'] },
        ...more,
      } as never),
    )();

  test.each<[string, () => unknown, RegExp]>([
    ['no title', broken({ title: undefined }), /^Expected a text for the solver\.title but received undefined$/],
    ['no iterations', broken({ iterations: 0 }), /^Expected a whole number from 1 to .* for the solver\.iterations/],
    [
      'an option that none declares',
      broken({ options: { nu: 3 } }),
      /^Expected an option \(number, .* for the solver\.options\.nu/,
    ],
    ['a list of options', broken({ options: [] }), /^Expected a schema of options for the solver\.options/],
    ['a splitting of nothing', broken({ splitting: { ...layered, data: 'rows' } }), /for the solver\.splitting\.data/],
    [
      'a splitting that can nothing',
      broken({ splitting: { ...layered, can: undefined } }),
      /the solver\.splitting\.can/,
    ],
    ['a splitting without a course', broken({ splitting: { ...layered, course: 3 } }), /the solver\.splitting\.course/],
    [
      'a course of nothing',
      () => {
        const splitting = { ...layered, course: async () => undefined };
        return fitModel(iris.train, { ...OPTIONS, solver: defineSolver({ ...mine, splitting } as never) } as never);
      },
      /for what course returns but received undefined$/,
    ],
    ['no plan', planned(undefined), /^Expected an object for what plan returns but received undefined$/],
    ['a promise of a plan', planned(Promise.resolve({})), /^Expected an object for what plan returns but/],
    ['a plan that does not say where to begin', planned({}), /^Expected 'he', 'glorot', .* for initialisation/],
    ['a beginning that is none', parts({ initialisation: 'hee' }), /^Expected 'he', 'glorot', .* for initialisation/],
    ['no sweep', parts({ updatesOf: [] }), /^Expected a function for parts\.updatesOf/],
    ['no penalties', parts({ penaltiesFor: undefined }), /^Expected a function for parts\.penaltiesFor/],
    [
      'penalties of nothing',
      parts({ penaltiesFor: () => undefined }),
      /^Expected { nu, .* for penaltiesFor\(\d+\) but/,
    ],
    ['a penalty of 0', parts({ penaltiesFor: () => ({ ...PENALTIES, rho: 0 }) }), /for penaltiesFor\(\d+\)\.rho but/],
    [
      'one step for all layers',
      parts({ steps: { W: 'cholesky', a: [] } }),
      /^Expected an array, .* for parts\.steps\.W/,
    ],
    ['a schedule that is none', parts({ schedule: () => PENALTIES }), /^Expected an object for parts\.schedule/],
    ['a schedule of nothing', parts({ schedule: { next: () => undefined } }), /for schedule\(record\) but received/],
    ['a refresh before the first', parts({ refreshEvery: -1 }), /for parts\.refreshEvery but received -1/],
    ['a weight decay below 0', parts({ settings: { ...EXACT, l2: -1 } }), /for penalties\.l2 but received -1/],
  ])('with %s is told so, by a typed error', async (_, made, message) => {
    const error = await Promise.resolve()
      .then(made)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: expect.stringMatching(/^ERR_DLADMM_(ARGUMENT|RANGE)$/),
      message: expect.stringMatching(message),
    });
  });

  test('leaves to dlADMM what its plan says undefined of', async () => {
    const { status } = (await parts({ schedule: undefined, settings: undefined })()) as { readonly status: object };
    expect(status).toEqual({ kind: 'completed' });
  });

  test.each(['adam', 'dladmm', 'auto'])(
    'called %s, as one of the package is, is refused: by its name a checkpoint would go on with that',
    async (name) => {
      const namesake = defineSolver({ ...mine, name });
      await expect(fitModel(iris.train, { ...OPTIONS, solver: namesake } as never)).rejects.toMatchObject({
        code: 'ERR_DLADMM_ARGUMENT',
        message: expect.stringMatching(
          /^Expected a name that no solver of the package has for solver\.name but received /,
        ),
      });
    },
  );

  test('of the package may be given as it is', async () => {
    const { status } = await fitModel(iris.train, { solver: adam, layers: [4, 5, 3], iterations: 1 });
    expect(status.kind).toBe('completed');
  });

  test('goes on from a checkpoint to the same numbers, bit for bit', async () => {
    const path = join(folder, 'run.checkpoint');
    const whole = await fitModel(iris.train, { ...OPTIONS, rest: 3 } as never);
    const half = await fitModel(iris.train, { ...OPTIONS, rest: 3, iterations: 5, checkpoint: { path } } as never);
    expect(half.iterations).toBe(5);
    const rest = await resume(path, iris.train, { solver: mine, iterations: 12 });
    expect(rest.iterations).toBe(12);
    expect(rest.model.weights).toEqual(whole.model.weights);
    for (const options of [undefined, { iterations: 12 }]) {
      await expect(resume(path, iris.train, options)).rejects.toMatchObject({
        code: 'ERR_DLADMM_CHECKPOINT',
        message: expect.stringMatching(
          /^Expected the solver "forward-admm" for options\.solver: the training that wrote/,
        ),
      });
    }
  });

  const sweep = [...dladmmSweep(2)];
  const sweeping = (updatesOf: (iteration: number) => readonly Update[]) =>
    defineSolver({
      ...{ name: 'sweeping', title: 'by sweeps of its own', splitting: layered, iterations: 3, options: {} },
      plan: () =>
        layeredPlan({
          ...{ initialisation: 'he', updatesOf, penaltiesFor: () => ({ nu: 1, rho: 1, theta0: 1, tau0: 1 }) },
          steps: { W: ['quadratic', 'quadratic'], a: ['quadratic'] },
        }),
    });

  test('is asked for the sweeps of the iterations that come, once each', async () => {
    const asked: number[] = [];
    const solver = sweeping((iteration) => {
      asked.push(iteration);
      return sweep;
    });
    await fitModel(iris.train, { solver, layers: [4, 5, 3] });
    expect(asked).toEqual([1, 2, 3]);
    const table = [sweep, sweep.slice(0, -1), sweep];
    const { iterations } = await fitModel(iris.train, {
      solver: sweeping((iteration) => table[iteration - 1] as never),
      layers: [4, 5, 3],
    });
    expect(iterations).toBe(3);
  });

  test.each([1, 3])('that gives no sweep for iteration %i is told so, and the iterations before count', async (bad) => {
    const solver = sweeping((iteration) => (iteration === bad ? undefined : sweep) as never);
    const training = train(iris.train, { solver, layers: [4, 5, 3] });
    const all = async () => {
      for await (const _ of training);
    };
    await expect(all()).rejects.toMatchObject({
      code: 'ERR_DLADMM_ARGUMENT',
      message: `Expected an array of updates for what updatesOf(${bad}) returns but received undefined`,
    });
    if (bad > 1) expect(training.result).toMatchObject({ iterations: bad - 1, history: { length: bad - 1 } });
  });

  test('ends by what its sweep throws', async () => {
    const mistake = new Error('mine');
    const solver = sweeping((iteration) => {
      if (iteration === 2) throw mistake;
      return sweep;
    });
    await expect(fitModel(iris.train, { solver, layers: [4, 5, 3] })).rejects.toBe(mistake);
  });

  test('trains at the command line, its options being flags there', async () => {
    const solver = ['--solver', fileURLToPath(FILE)];
    const { code, out, err } = await run(
      ...['train', '--data', 'iris', ...solver, '--nu', '2', '--rest', '1', '--iterations', '5', '--json', '--quiet'],
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ status: 'completed', iterations: 5 });
    const help = await run('train', ...solver, '--help');
    expect(help.out).toMatch(/--rest <n> +Iterations after the first that leave u alone \(default: 0\)/);
    const wrong = await run('train', '--data', 'iris', ...solver, '--momentum', '0.9');
    expect(wrong.err).toMatch(/Expected only .* for the options of forward-admm but received momentum/);
  });

  test('has flags of its own alone: --metric is what a training is judged by', async () => {
    const solvers = new URL('../../dist/solvers.js', import.meta.url).href;
    const text = readFileSync(FILE, 'utf8').replace('../../../dist/solvers.js', solvers);
    const path = join(folder, 'taken.mjs');
    writeFileSync(
      path,
      text.replace('    rest: whole', "    metric: number('positive', { default: 1, says: 'A.' }),\n    rest: whole"),
    );
    const { code, err } = await run('train', '--data', 'iris', '--solver', path);
    expect(code).toBe(1);
    expect(err).toMatch(
      /flag of its own for the option metric of forward-admm but .*--metric, that of earlyStopping\.metric/,
    );
  });

  test('is compared with the others by bench:compare', async () => {
    const out = join(folder, 'compare.json');
    const { stdout } = await promisify(execFile)(process.execPath, [
      fileURLToPath(new URL('../../dist/bench/compare.js', import.meta.url)),
      ...['--dataset', 'digits', '--methods', 'dladmm', '--solver', fileURLToPath(FILE), '--layers', '64-8-10'],
      ...['--iterations', '2', '--out', out, '--svg', join(folder, 'compare.svg')],
    ]);
    expect(stdout).toMatch(/dladmm +forward-admm/);
    const { runs } = JSON.parse(readFileSync(out, 'utf8')) as { readonly runs: { readonly method: string }[] };
    expect(runs.map(({ method }) => method)).toEqual(['dladmm', 'forward-admm']);
  });
});
