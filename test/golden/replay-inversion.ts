import type { Metrics } from 'dladmm/solvers';
import {
  firstWeights,
  inversionSweep,
  type LayeredSession,
  layered,
  type Measures,
  type Update,
  type UpdateRecord,
  warmStartSweep,
} from 'dladmm/solvers';
import {
  type AllBlocks,
  asRecorded,
  byName,
  frobenius,
  labelled,
  norms,
  type Records,
  readAll,
  type Substep,
  substepIterations,
} from './blocks.js';
import type { GoldenCase, InversionHyper, Matrix64 } from './case.js';
import { type Replay, summarise } from './compare.js';

/** Runs a case of the matrix-inversion ADMM, one native call an update where the case records single updates. */
export async function replayInversion(golden: GoldenCase, hyper: InversionHyper): Promise<Replay> {
  const { dims, train, test, iterations } = golden;
  const L = dims.length - 1;
  const state = await layered.open(
    {
      network: { layers: dims, activation: 'relu', loss: 'softmax-cross-entropy' },
      dtype: 'float64',
      softmax: 'stable',
      threads: 2,
      gram: true,
      fista: false,
      steps: { W: new Array(L).fill('pseudoinverse'), a: new Array(L - 1).fill('cholesky') },
      multiplier: 'output',
      bias: 'joint',
    },
    labelled(train),
  );
  try {
    const testSet = test && (await state.addEvaluationSet(labelled(test), 'test'));
    await begin(state, golden, hyper);
    const records: Records[] = [];
    const substeps: Substep[] = [];
    for (let iter = 0; iter < iterations; iter += 1) {
      const updates = [...(iter < hyper.warmStartIterations ? warmStartSweep(L) : inversionSweep(L))];
      const single = iter < substepIterations(golden);
      const done: UpdateRecord[] = [];
      let last: Awaited<ReturnType<LayeredSession['run']>> | undefined;
      for (const group of single ? updates.map((update) => [update]) : [updates]) {
        last = await state.run(group, penaltiesOf(hyper));
        done.push(...last.updates);
        if (single) substeps.push(await substepOf(state, golden, iter, group[0] as Update));
      }
      if (single && iter < hyper.warmStartIterations) substeps.push(await multiplierOf(state, golden, iter));
      if (last?.measures === undefined) throw new Error(`${golden.name}: the replay diverged`);
      records.push(
        recordOf(
          last.measures,
          done,
          await state.evaluate('train'),
          testSet === undefined ? undefined : await state.evaluate(testSet),
          await readAll(state, golden),
        ),
      );
    }
    const final = await readAll(state, golden);
    return { records: byName(records), final: { ...final, W: withBiases(final) }, substeps };
  } finally {
    state.close();
  }
}

/** z and a as recorded; every W from them. */
async function begin(state: LayeredSession, { dims, initial }: GoldenCase, hyper: InversionHyper): Promise<void> {
  await state.start({ output: 'forward', dual: 'zero' });
  for (const [i, z] of initial.z.entries()) await state.write('z', i + 1, z.data);
  for (const [i, a] of initial.a.entries()) await state.write('a', i + 1, a.data);
  await state.run([...firstWeights(dims.length - 1)], penaltiesOf(hyper));
}

const penaltiesOf = ({ beta, gamma }: InversionHyper): Parameters<LayeredSession['run']>[1] => ({
  nu: beta,
  gamma,
  rho: beta,
  theta0: 1,
  tau0: 1,
  l2: 0,
  search: 'exact',
  growth: 2,
  output: 'exact',
  fistaStep: 4,
  fistaTolerance: 1e-3,
  fistaLimit: 500,
});

/** [W b], as the recorded program keeps them. */
const withBiases = ({ W, b }: AllBlocks): Matrix64[] =>
  W.map(({ data, rows, columns }, l) => {
    const joined = new Float64Array(rows * (columns + 1));
    for (let i = 0; i < rows; i += 1) {
      joined.set(data.subarray(i * columns, (i + 1) * columns), i * (columns + 1));
      joined[i * (columns + 1) + columns] = b[l]?.[i] ?? Number.NaN;
    }
    return { data: joined, rows, columns: columns + 1 };
  });

async function substepOf(state: LayeredSession, golden: GoldenCase, iter: number, update: Update): Promise<Substep> {
  const blocks = await readAll(state, golden);
  if (update.block === 'u') return multiplierOf(state, golden, iter);
  const matrix =
    update.block === 'W'
      ? (withBiases(blocks)[update.layer - 1] as Matrix64)
      : asRecorded(blocks[update.block], update);
  return { iter, var: `${update.block}${update.layer}`, ...summarise(matrix) };
}

async function multiplierOf(state: LayeredSession, golden: GoldenCase, iter: number): Promise<Substep> {
  const L = golden.dims.length - 1;
  const { u } = await readAll(state, golden);
  return { iter, var: `lambda${L}`, ...summarise(asRecorded(u, { block: 'u', layer: L })) };
}

function recordOf(
  measures: Measures,
  updates: readonly UpdateRecord[],
  onTrain: Metrics,
  onTest: Metrics | undefined,
  state: AllBlocks,
): Records {
  return {
    lagrangian: measures.lagrangian,
    loss_zL: measures.lossSum,
    r: measures.residuals,
    act: measures.activationResiduals,
    train_cost: onTrain.loss,
    train_acc: onTrain.accuracy ?? Number.NaN,
    test_cost: onTest?.loss ?? Number.NaN,
    test_acc: onTest?.accuracy ?? Number.NaN,
    rank: updates.flatMap(({ rank }) => rank ?? []),
    dual_identity_max: measures.dualIdentity,
    lambda_fro: Math.sqrt(measures.dualNorm),
    W_fro: norms(state.W),
    b_fro: state.b.map(frobenius),
    z_fro: norms(state.z),
    a_fro: norms(state.a),
  };
}
