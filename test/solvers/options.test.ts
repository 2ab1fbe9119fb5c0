import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, expectTypeOf, it, test } from 'vitest';
import { placesOf } from '../../src/cli/solver-flags.js';
import type { GraphSamples } from '../../src/graph.js';
import {
  type AutoResult,
  type FitResult,
  fit as fitModel,
  type Loss,
  type Model,
  type TrainingData,
  train,
} from '../../src/index.js';
import {
  type AnySolver,
  adam,
  completePlan,
  defaultsOf,
  dladmm,
  type EpochRecord,
  GRAPH_SOLVERS,
  type IterationRecord,
  SAMPLE_SOLVERS,
  type SigmoidRecord,
  schemaOf,
  sigmoid,
} from '../../src/solvers.js';
import type { Matrix } from '../../src/tensor/matrix.js';
import { expectFailure } from '../formats/support.js';

const SOLVERS: readonly AnySolver[] = [...SAMPLE_SOLVERS, ...GRAPH_SOLVERS];
const named = SOLVERS.map((solver) => [`${solver.name} on ${solver.splitting.data}`, solver] as const);
const layersOf = ({ splitting }: AnySolver): object => ({ layers: splitting.data === 'graph' ? [4, 5, 3] : [4, 5, 3] });

describe.each(named)('the options of %s', (_, solver) => {
  const schema = schemaOf(solver);

  it('are accepted at their defaults', () => {
    const defaults = Object.fromEntries(
      Object.entries(schema).flatMap(([name, option]) =>
        option.default === undefined ? [] : [[name, option.default]],
      ),
    );
    expect(completePlan(solver, { ...defaults, ...layersOf(solver) })).toMatchObject({ seed: 1, evaluateEvery: 1 });
  });

  it('are told of in a sentence each, with what stands where they are left out', () => {
    for (const [name, { says, type, otherwise, presence }] of Object.entries(schema)) {
      expect(says, name).toMatch(/^.{10,}\.$/);
      expect(type, name).not.toBe('');
      if (presence !== 'required') expect(otherwise, name).toBeTruthy();
    }
  });

  it.each(Object.keys(schema).filter((name) => name.length > 3))('have a word for a slip in %s', async (name) => {
    const slip = name.length > 6 ? `${name[1]}${name[0]}${name.slice(2)}x` : `${name}x`;
    await expectFailure(
      async () => completePlan(solver, { ...layersOf(solver), [slip]: 1 }),
      'ERR_DLADMM_ARGUMENT',
      slip,
      /; did you mean \w+\?$/,
    );
  });

  it('take the limit as iterations', () => {
    expect(completePlan(solver, { ...layersOf(solver), iterations: 7 }).iterations).toBe(7);
    expect(completePlan(solver, layersOf(solver)).iterations).toBe(solver.iterations);
  });
});

describe('an option', () => {
  const refuse = (options: object, part: string) =>
    expectFailure(async () => completePlan(dladmm, { layers: [4, 5, 3], ...options }), 'ERR_DLADMM_ARGUMENT', part);

  it('within another is refused by its own name', async () => {
    await refuse(
      { start: { ouput: 'forward' } },
      'for start but received ouput: "forward" (string); did you mean output?',
    );
    await refuse({ step: { w: 'quadratic' } }, 'did you mean W?');
    await refuse({ schedule: { kind: 'paper', factr: 3 } }, 'did you mean factor?');
    await refuse({ outputSolver: { kind: 'fista', limt: 3 } }, 'did you mean limit?');
    await refuse({ checkpoint: { pth: 'x' } }, 'did you mean path?');
    await refuse({ earlyStopping: { patince: 1 } }, 'did you mean patience?');
  });

  it('that is a solver is refused by its name', async () => {
    await expectFailure(
      () => fitModel({} as never, { solver: 'adm', layers: [4, 3] } as never),
      'ERR_DLADMM_ARGUMENT',
      'did you mean adam?',
    );
  });

  it('that says the limit in two words is refused', async () => {
    const both = { layers: [4, 3], iterations: 2, epochs: 2 };
    await expectFailure(async () => completePlan(adam, both), 'ERR_DLADMM_ARGUMENT', 'epochs');
    expect(completePlan(adam, { layers: [4, 3], epochs: 3 }).iterations).toBe(3);
  });

  it('that a splitting cannot have is refused before anything is allocated', async () => {
    const { can, ...rest } = dladmm.splitting;
    const without = { ...dladmm, splitting: { ...rest, can: { ...can, checkpoint: false } } };
    await expectFailure(
      async () => completePlan(without, { layers: [4, 3], checkpoint: { path: 'x' } }),
      'ERR_DLADMM_ARGUMENT',
      'for the options of dladmm but received checkpoint',
    );
  });
});

test('the defaults that one asks for are those of the declaration', () => {
  expect(defaultsOf(dladmm)).toMatchObject({ iterations: 200, nu: 1e-6, rho: 1e-6, l2: 0, stepSearch: 'backtracking' });
  expect(defaultsOf(sigmoid)).toMatchObject({ dtype: 'float64', activation: 'sigmoid', l2: 1e-6 });
});

test('every option that can be typed has one flag', () => {
  const flags = placesOf(SOLVERS).map(({ long }) => long);
  expect(new Set(flags).size).toBe(flags.length);
  expect(flags).toEqual(expect.arrayContaining(['nu', 'step-w', 'start-dual', 'learning-rate', 'gram-memory', 'init']));
});

test('the tables of the documentation are those of the declarations', () => {
  const script = fileURLToPath(new URL('../../scripts/options.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('the compiler knows which options a solver has, and what its records are', () => {
  const data = {} as TrainingData;
  const labelled = {} as TrainingData & { readonly labels: readonly number[] };
  const check = async (): Promise<void> => {
    expectTypeOf(fitModel(data, { layers: [4, 3], nu: 1 })).resolves.toMatchTypeOf<FitResult<IterationRecord>>();
    expectTypeOf(fitModel(data, { layers: [4, 3] })).resolves.toEqualTypeOf<AutoResult<EpochRecord, Model<Loss>>>();
    expectTypeOf(fitModel(data, { solver: 'adam', layers: [4, 3] })).resolves.toMatchTypeOf<FitResult<EpochRecord>>();
    expectTypeOf(fitModel(data, { solver: sigmoid, layers: [4, 3] })).resolves.toMatchTypeOf<
      FitResult<SigmoidRecord>
    >();
    for await (const record of train(data, { solver: 'badm', layers: [4, 3] })) expectTypeOf(record.steps).toBeNumber();
    const { model } = await fitModel(labelled, { layers: [4, 3] });
    const { labels, probabilities } = await model.predict([[]]);
    expectTypeOf(labels.length + probabilities.rows).toBeNumber();
    const regression = await fitModel(data, { layers: [4, 3], loss: 'squared-error' });
    expectTypeOf((await regression.model.predict([[]])).labels).toBeUndefined();
    const { model: scores } = await fitModel(data, { solver: 'sigmoid-admm', layers: [4, 3] });
    const scored = await scores.predict([[]]);
    const one = await model.predict({});
    expectTypeOf(one.probability + (one.probabilities[0] ?? 0)).toBeNumber();
    expectTypeOf((await model.predict({ age: 4, tags: ['a'] })).probability).toBeNumber();
    // biome-ignore lint/suspicious/noExplicitAny: what JSON.parse gives
    expectTypeOf((await model.predict({} as Record<string, any>)).probability).toBeNumber();
    expectTypeOf((await model.predict({ age: [4], plan: ['a'] })).probabilities.rows).toBeNumber();
    expectTypeOf((await regression.model.predict([1])).value).toBeNumber();
    expectTypeOf(scored.labels.length).toBeNumber();
    expectTypeOf(scored.probabilities).toEqualTypeOf<Matrix | undefined>();
    const onGraph = await fitModel({} as GraphSamples, { solver: 'adam', layers: [4, 3] });
    expectTypeOf((await onGraph.model.predict({} as GraphSamples)).probabilities.rows).toBeNumber();
    // @ts-expect-error a slip
    await fitModel(data, { layers: [4, 3], nuu: 1 });
    // @ts-expect-error an option of another solver
    await fitModel(data, { solver: 'adam', layers: [4, 3], nu: 1 });
    // @ts-expect-error a width is a number
    await fitModel(data, { layers: [4, 'three'] });
    // @ts-expect-error dropout is for graphs
    await fitModel(data, { solver: 'adam', layers: [4, 3], dropout: 0.5 });
    // @ts-expect-error no such solver
    await fitModel(data, { solver: 'lbfgs', layers: [4, 3] });
    // @ts-expect-error a slip in an option within an option
    await fitModel(data, { layers: [4, 3], outputSolver: { kind: 'fista', curve: 1 } });
    // @ts-expect-error layers must be given
    await fitModel(data, { solver: 'adam' });
  };
  expect(check).toBeTypeOf('function');
});
