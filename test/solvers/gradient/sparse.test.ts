import { describe, expect, test } from 'vitest';
import { native } from '../../../src/core/native.js';
import { fit, type Network } from '../../../src/index.js';
import { standardisedInSteps } from '../../../src/samples/standardise.js';
import { type GradientMethod, type GradientSessionOptions, gradients } from '../../../src/solvers.js';
import { featureRowsInTurns, finiteRows, nativeCsr, someSparseRows, sparseWidth } from '../../../src/tensor/csr.js';
import { CHUNK_ENTRIES } from '../../../src/tensor/inputs.js';
import { expectFailure } from '../../formats/support.js';
import { numbers } from '../../reference/addon.js';
import { ADAM, readVector, relativeGap, startFor, writeVector } from '../../reference/gradient-addon.js';

const [ROWS, COLUMNS] = [600, 50];
const NETWORK: Network = { layers: [COLUMNS, 20, 3], activation: 'tanh', loss: 'softmax-cross-entropy' };
const METHOD: GradientMethod = { solver: 'adam', learningRate: 0.01 };

/** The same features, sparse and dense: about five entries a row, some rows without any, entries neither sorted nor each once. */
function features(rows = ROWS) {
  const next = numbers(7);
  const [data, indices, indptr]: number[][] = [[], [], [0]];
  const dense = new Float64Array(rows * COLUMNS);
  for (let i = 0; i < rows; i += 1) {
    for (let k = 0; k < i % 11; k += 1) {
      const column = Math.floor(((next() + 1) / 2) * COLUMNS);
      const value = Math.fround(next());
      data?.push(value);
      indices?.push(column);
      dense[i * COLUMNS + column] = (dense[i * COLUMNS + column] as number) + value;
    }
    indptr?.push(data?.length as number);
  }
  const labels = Array.from({ length: rows }, (_, i) => ((dense[i * COLUMNS] as number) > 0 ? 2 : i % 2));
  const typed = { data: Float64Array.from(data ?? []), indices: Int32Array.from(indices ?? []) };
  return { dense, labels, sparse: { ...typed, indptr: Float64Array.from(indptr ?? []), rows, columns: COLUMNS } };
}
const { dense, sparse, labels } = features();

/** The parameters after so many steps, with the loss on the training set and on another. */
async function trained(options: Partial<GradientSessionOptions>, x: typeof sparse | typeof dense, steps = 12) {
  const common = { network: NETWORK, dtype: 'float64', threads: 1, method: METHOD, batchSize: 90 } as const;
  using state = await gradients.open({ ...common, ...options }, { x, labels });
  await writeVector(state, startFor(options.network ?? NETWORK));
  await state.run(steps);
  const other = features(33);
  const set = await state.addEvaluationSet(
    { x: x === dense ? other.dense : other.sparse, labels: other.labels },
    'test',
  );
  const losses = [(await state.evaluate('train')).loss, (await state.evaluate(set)).loss];
  return { parameters: await readVector(state), losses };
}

describe('sparse features', () => {
  test.each<GradientMethod>([
    { solver: 'sgd', momentum: 0.9 },
    { solver: 'adagrad' },
    { solver: 'adadelta' },
    METHOD,
    { solver: 'schedule-free' },
    { solver: 'muon' },
    { solver: 'soap', largestBasis: 30 },
    { solver: 'badm', subBatches: 3 },
    { solver: 'sisa', subBatches: 2 },
  ])('are learnt from as dense ones are, up to rounding: $solver', async (method) => {
    const ofBasis = method.solver === 'soap';
    // Where a gradient has less rank than its basis has vectors, rounding decides on the rest of these: of 20 x 50 it has enough.
    const network = ofBasis ? { ...NETWORK, layers: [COLUMNS, 20] } : NETWORK;
    const other = await trained({ method, network }, dense);
    const own = await trained({ method, network }, sparse);
    // An eigenbasis is less certain than what it is of.
    const rounding = ofBasis ? 1e-8 : 1e-12;
    expect(relativeGap(own.parameters, other.parameters)).toBeLessThan(rounding);
    for (const [i, loss] of own.losses.entries()) expect(loss).toBeCloseTo(other.losses[i] as number, 12);
    expect(own.parameters).not.toEqual(startFor(network));
  });

  test('in one batch of all, and in batches larger than a block, the same', async () => {
    const all = features(5000);
    const run = async (x: typeof sparse | typeof dense, solver: 'gd' | 'adam', batchSize: number) => {
      const options = { network: NETWORK, dtype: 'float64', threads: 2, method: { solver }, batchSize } as const;
      using state = await gradients.open(options, { x, labels: all.labels });
      await writeVector(state, startFor(NETWORK));
      await state.run(3);
      return await readVector(state);
    };
    for (const [solver, batch] of [
      ['gd', 5000],
      ['adam', 3000],
    ] as const) {
      expect(relativeGap(await run(all.sparse, solver, batch), await run(all.dense, solver, batch))).toBeLessThan(
        1e-12,
      );
    }
  });

  test.each(['float32', 'float64'] as const)('give the same bits by any number of threads, in %s', async (dtype) => {
    const alone = await trained({ dtype, batchSize: 300 }, sparse);
    for (const threads of [2, 3, 8]) expect(await trained({ dtype, batchSize: 300, threads }, sparse)).toEqual(alone);
  });

  test('are looked at some at a time, so that the event loop can run in between', async () => {
    const entries = 3 * CHUNK_ENTRIES + 1;
    const data = new Float64Array(entries).fill(1);
    const row = { data, indices: new Int32Array(entries), indptr: Int32Array.of(0, entries), rows: 1, columns: 2 };
    const source = await featureRowsInTurns(row, 2, 'x');
    expect([...finiteRows(source, 'float32')]).toHaveLength(4);
    const last = data.with(entries - 1, 1e39);
    const steps = finiteRows(await featureRowsInTurns({ ...row, data: last }, 2, 'x'), 'float32');
    expect([steps.next(), steps.next(), steps.next()].map(({ done }) => done)).toEqual([false, false, false]);
    expect(() => steps.next()).toThrow(`x.data[${entries - 1}]`);
  });

  test('are taken, standardised and measured some at a time, for the same reason', async () => {
    const [rows, each] = [40, CHUNK_ENTRIES / 4];
    const data = Float32Array.from({ length: rows * each }, (_, k) => k % 97);
    const indices = Int32Array.from(data, (_, k) => k % 5);
    const indptr = Float64Array.from({ length: rows + 1 }, (_, i) => i * each);
    const { sparse } = await featureRowsInTurns({ data, indices, indptr, rows, columns: 5 }, 5, 'x');
    const all = sparse as NonNullable<typeof sparse>;
    /** The number of steps, and what comes of them. */
    const counted = <T>(steps: Generator<void, T>): readonly [number, T] => {
      let count = 0;
      for (let step = steps.next(); ; step = steps.next()) {
        if (step.done) return [count, step.value];
        count += 1;
      }
    };
    const odd = Int32Array.from({ length: 20 }, (_, i) => 2 * i + 1);
    const [taken, some] = counted(someSparseRows(all, 'x', odd));
    expect(taken).toBe(1 + 20);
    expect(some.sparse?.indptr).toEqual(indptr.subarray(0, 21));
    const rowOf = (of: Float32Array | Int32Array, i: number) => of.slice(i * each, (i + 1) * each);
    for (const [i, row] of odd.entries()) {
      expect(rowOf(some.sparse?.values as Float32Array, i)).toEqual(rowOf(data, row));
      expect(rowOf(some.sparse?.indices as Int32Array, i)).toEqual(rowOf(indices, row));
    }
    const rule = { mean: new Float64Array(5), scale: Float64Array.of(1, 2, 3, 4, 5) };
    const [made, met] = counted(standardisedInSteps(some, rule, 'float32'));
    expect(made).toBe(20 / 4);
    expect(met.sparse?.values).toEqual(
      some.sparse?.values.map((value, k) => value * ((some.sparse?.indices[k] as number) + 1)),
    );
    const row = { indices: rowOf(indices, 0), values: rowOf(data, 0) };
    expect(counted(sparseWidth(Array.from(odd, () => row)))).toEqual([20 / 4, 5]);
  });

  test('take memory by their entries, and nothing by samples and features', () => {
    const options = {
      ...{
        dtype: 'float32',
        widths: [2 ** 18, 32, 2],
        activation: 'rectifier',
        slope: 0,
        loss: 'softmax-cross-entropy',
      },
      ...{ softmax: 'stable', threads: 2, samples: 100_000, batch: 128, shuffle: true, seed: 1, reduction: 'mean' },
      optimiser: ADAM,
    } as const;
    const needed = (entries?: number): number =>
      native.GradientTrainer.requiredBytes({ ...options, ...(entries !== undefined && { entries }) } as never);
    const entries = 100_000 * 131;
    expect(needed(entries) - needed(0)).toBe(8 * entries);
    expect(needed(entries)).toBeLessThan(4e8);
    expect(needed()).toBeGreaterThan(1e11);
  });
});

describe('fit on sparse features', () => {
  const options = { solver: 'adam', layers: [COLUMNS, 20, 3], epochs: 5, dtype: 'float64', threads: 2 } as const;

  test('gives the model that dense ones give, which takes either', async () => {
    const train = (x: typeof sparse | typeof dense) => fit({ x, labels, validation: { x, labels } }, options);
    const [own, other] = [await train(sparse), await train(dense)];
    expect(own.history.at(-1)?.validation?.loss).toBeCloseTo(other.history.at(-1)?.validation?.loss as number, 12);
    const [bySparse, byDense] = [await own.model.predict(sparse), await own.model.predict(dense)];
    expect(relativeGap(bySparse.outputs.data as Float64Array, byDense.outputs.data as Float64Array)).toBeLessThan(
      1e-12,
    );
    expect(bySparse.labels).toEqual(byDense.labels);
    const row = { ...sparse, ...features(1).sparse };
    expect(own.model.predictSync(row).labels).toEqual((await own.model.predict(row)).labels);
    const judged = await own.model.evaluate({ x: sparse, labels });
    expect(judged.loss).toBeCloseTo((await own.model.evaluate({ x: dense, labels })).loss, 12);
  });

  test.each([
    ['low-rank', 'input'],
    ['full', 'input'],
    ['low-rank', 'both'],
  ] as const)(
    'is of mini-batch dlADMM too, with a Gram matrix of their entries: gram %s, factors %s',
    async (gram, factors) => {
      const own = { ...options, solver: 'minibatch-admm', rank: 6, gram, factors } as const;
      const train = async (x: typeof sparse | typeof dense, threads: number) => {
        const { model, history } = await fit({ x, labels }, { ...own, threads });
        return { weights: model.weights, biases: model.biases, losses: history.map(({ loss }) => loss) };
      };
      const [alone, other] = [await train(sparse, 1), await train(dense, 1)];
      for (const key of ['weights', 'biases'] as const) {
        for (const [l, found] of alone[key].entries()) {
          expect(relativeGap(found as Float64Array, other[key][l] as Float64Array)).toBeLessThan(1e-12);
        }
      }
      for (const threads of [2, 3, 8]) expect(await train(sparse, threads)).toEqual(alone);
    },
  );

  test('needs no solver and no layers, holds some out, and stops by what is held out', async () => {
    const { report, model } = await fit({ x: sparse, labels }, { hidden: [8], epochs: 4, validationShare: 0.2 });
    expect(report.solver).toEqual({ name: 'adam', because: 'the features are sparse' });
    expect(report.heldOut?.samples).toBe(120);
    expect(model.standardisation).toBeUndefined();
    expect((await model.evaluate({ x: sparse, labels })).accuracy).toBeGreaterThan(0.5);
  });

  test('is refused by what needs dense ones, before any work', async () => {
    const layers = [COLUMNS, 20, 3];
    for (const solver of ['dladmm', 'kfac', 'isaac'] as const) {
      await expectFailure(
        () => fit({ x: sparse, labels }, { solver, layers }),
        'ERR_DLADMM_ARGUMENT',
        'Expected dense features (sparse ones are learnt from by minibatch-admm and the gradient methods, but for kfac and isaac) for data.x',
      );
    }
    await expectFailure(
      () => fit({ x: sparse, labels }, { ...options, standardise: true }),
      'ERR_DLADMM_ARGUMENT',
      'Expected false with sparse features',
    );
  });

  test.each<[string, Partial<Record<keyof typeof sparse, unknown>>, string, string]>([
    ['an index out of range', { indices: sparse.indices.with(4, COLUMNS) }, 'RANGE', 'data.x.indices[4]'],
    ['a negative index', { indices: sparse.indices.with(4, -1) }, 'RANGE', 'data.x.indices[4]'],
    ['an index that is no number', { indices: Float64Array.from(sparse.indices).with(2, Number.NaN) }, 'RANGE', '[2]'],
    ['NaN', { data: sparse.data.with(3, Number.NaN) }, 'NON_FINITE', 'data.x.data[3]'],
    ['Infinity', { data: sparse.data.with(3, Number.POSITIVE_INFINITY) }, 'NON_FINITE', 'data.x.data[3]'],
    ['a value too large for float32', { data: sparse.data.with(3, 1e39) }, 'NON_FINITE', 'data.x.data[3]'],
    ['too few values', { data: sparse.data.slice(1) }, 'SHAPE', 'data.x.data'],
    ['a row that ends before it begins', { indptr: sparse.indptr.with(5, 0) }, 'SHAPE', 'data.x.indptr[5]'],
    ['too few rows in indptr', { indptr: sparse.indptr.slice(1) }, 'SHAPE', 'data.x.indptr'],
    ['an end that is none', { indptr: sparse.indptr.with(ROWS, 1e9) }, 'SHAPE', `data.x.indptr[${ROWS}]`],
    ['a place that is not whole', { indptr: sparse.indptr.with(3, 1.5) }, 'RANGE', 'data.x.indptr[3]'],
    ['lists in the place of typed arrays', { indices: [...sparse.indices] }, 'ARGUMENT', 'data.x.indices'],
    ['other columns than the network has', { columns: COLUMNS + 1 }, 'SHAPE', 'columns'],
    ['other rows than there are', { rows: ROWS - 1 }, 'SHAPE', 'data.x.indptr'],
    ['no rows', { rows: 0 }, 'RANGE', 'data.x.rows'],
    ['a matrix with more to it', { format: 'csr' } as never, 'ARGUMENT', 'format'],
  ])('tells of %s', async (_, damage, code, place) => {
    const x = { ...sparse, ...damage } as typeof sparse;
    const { dtype: __, ...single } = options;
    const error = await expectFailure(() => fit({ x, labels }, single), `ERR_DLADMM_${code}` as never);
    expect(error.message).toContain(place);
  });

  test('tells of buffers that were given away, and of labels for other rows', async () => {
    const indices = sparse.indices.slice();
    structuredClone(indices.buffer, { transfer: [indices.buffer] });
    await expectFailure(
      () => fit({ x: { ...sparse, indices }, labels }, options),
      'ERR_DLADMM_DETACHED',
      'data.x.indices',
    );
    await expectFailure(() => fit({ x: sparse, labels: labels.slice(1) }, options), 'ERR_DLADMM_SHAPE', 'labels');
  });
});

describe('the addon', () => {
  const open = (entries?: number) =>
    new native.GradientTrainer({
      ...{ dtype: 'float64', widths: [3, 2], activation: 'rectifier', slope: 0, loss: 'softmax-cross-entropy' },
      ...{ softmax: 'stable', threads: 1, samples: 2, batch: 1, shuffle: true, seed: 1, reduction: 'mean' },
      optimiser: { method: 'sgd', momentum: 0, dampening: 0, weightDecay: 0, nesterov: false },
      ...(entries !== undefined && { entries }),
    } as never);
  const row = nativeCsr(
    { data: Float64Array.of(1), indices: Int32Array.of(2), indptr: Int32Array.of(0, 1), rows: 1, columns: 3 },
    'row',
  );

  test('runs on sparse rows only when all are there, and takes no others', async () => {
    const state = open(2);
    state.loadSparse(-1, row);
    await expect(state.run(1, Float64Array.of(0.1))).rejects.toMatchObject({ code: 'ERR_DLADMM_STATE' });
    await expect(state.evaluate(-1)).rejects.toMatchObject({ code: 'ERR_DLADMM_STATE' });
    expect(() => state.loadSparse(-1, { ...row, columns: 4 })).toThrow('as wide as the first layer');
    expect(() => state.loadSparse(-1, { ...row, indices: Int32Array.of(3) })).toThrow('index out of range');
    state.loadSparse(-1, row);
    expect(() => state.loadSparse(-1, row)).toThrow('past the last sample');
    expect(() => state.loadInput(-1, 0, new Float64Array(3))).toThrow('whole rows');
    expect(await state.run(4, Float64Array.of(0.1))).toMatchObject({ steps: 4 });
    const set = state.addEvaluationSet(2, true);
    await expect(state.evaluate(set)).rejects.toMatchObject({ code: 'ERR_DLADMM_STATE' });
    state.close();
    const other = open();
    expect(() => other.loadSparse(-1, row)).toThrow('not sparse');
    other.close();
  });
});
