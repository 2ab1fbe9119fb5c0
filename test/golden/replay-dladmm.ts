import { type Training, train } from 'dladmm';
import { dladmmSweep, type IterationRecord, layered, type Update } from 'dladmm/solvers';
import {
  type AllBlocks,
  asRecorded,
  byName,
  dataOf,
  frobenius,
  labelled,
  norms,
  type Records,
  readAll,
  type Substep,
  substepIterations,
} from './blocks.js';
import type { DladmmHyper, GoldenCase } from './case.js';
import { type Replay, summarise } from './compare.js';

type Reader = Pick<Training, 'read'>;

/**
 * Runs a dlADMM case with the settings of the official code and records what the comparison asks for.
 *
 * @param whole how what ranks have each for itself is read, where the training is one of many processes; single updates are left out then
 */
export async function replayDladmm(
  golden: GoldenCase,
  hyper: DladmmHyper,
  whole?: (from: Reader) => Reader,
): Promise<Replay> {
  const L = golden.dims.length - 1;
  const training = train(dataOf(golden), {
    layers: golden.dims,
    dtype: 'float64',
    iterations: golden.iterations,
    nu: hyper.rho0,
    rho: hyper.rho0,
    theta0: hyper.theta0,
    tau0: hyper.tau0,
    growth: hyper.backtrackingFactor,
    stepSearch: 'backtracking',
    schedule:
      hyper.schedule === 'constant'
        ? 'constant'
        : {
            kind: 'reference',
            ...(hyper.rhoFactor !== null && { factor: hyper.rhoFactor }),
            ...(hyper.rhoCap !== null && { cap: hyper.rhoCap }),
            ...(hyper.tauThetaFactor !== null && { stepFactor: hyper.tauThetaFactor }),
          },
    outputSolver: {
      kind: 'fista',
      curvature: 1 / hyper.fistaStep,
      tolerance: hyper.fistaTolerance,
      limit: hyper.fistaMaxIter,
    },
    softmax: 'reference',
    start: { output: 'signed-labels', dual: 'zero' },
    initialisation: { weights: golden.initial.W.map((W) => W.data), biases: golden.initial.b },
    trainMetrics: true,
    refreshEvery: 5,
    distributed: whole !== undefined,
  });
  const records: Records[] = [];
  let final: Replay['final'] = { W: [], b: [] };
  for await (const record of training) {
    const state = await readAll(whole?.(training) ?? training, golden);
    records.push(recordOf(record, state));
    if (record.iteration === golden.iterations) final = state;
  }
  if (training.result.status.kind === 'diverged') throw new Error(`${golden.name}: the replay diverged`);
  return {
    records: byName(records),
    final,
    ...(whole === undefined && { substeps: await replaySubsteps(golden, hyper, [...dladmmSweep(L)]) }),
  };
}

function recordOf(record: IterationRecord, state: AllBlocks): Records {
  const { penalties, train: onTrain, test: onTest, updates } = record;
  return {
    objective: record.lagrangian,
    r: record.residuals,
    act: record.activationResiduals,
    rho: penalties.rho,
    tau0: penalties.tau0,
    theta0: penalties.theta0,
    train_cost: onTrain?.loss ?? Number.NaN,
    train_acc: onTrain?.accuracy ?? Number.NaN,
    test_cost: onTest?.loss ?? Number.NaN,
    test_acc: onTest?.accuracy ?? Number.NaN,
    theta: updates.flatMap(({ block, size }) => (block === 'W' && size !== undefined ? [size] : [])),
    tau: updates.flatMap(({ block, size }) => (block === 'a' && size !== undefined ? [size] : [])),
    fista: updates.flatMap(({ steps }) => steps ?? []),
    u_fro: Math.sqrt(record.dualNorm),
    grad_zL_inf: record.dualIdentity,
    W_fro: norms(state.W),
    b_fro: state.b.map(frobenius),
    z_fro: norms(state.z),
    a_fro: norms(state.a),
  };
}

/** Every single update of the iterations that the case records so, one native call an update. */
async function replaySubsteps(
  golden: GoldenCase,
  hyper: DladmmHyper,
  updates: readonly Update[],
): Promise<readonly Substep[]> {
  const { dims, initial } = golden;
  const iterations = substepIterations(golden);
  const state = await layered.open(
    {
      network: { layers: dims, activation: 'relu', loss: 'softmax-cross-entropy' },
      dtype: 'float64',
      softmax: 'reference',
      threads: 1,
      gram: true,
      fista: true,
    },
    labelled(golden.train),
  );
  try {
    for (const [i, W] of initial.W.entries()) {
      await state.write('W', i + 1, W.data);
      await state.write('b', i + 1, initial.b[i] ?? new Float64Array());
    }
    await state.start({ output: 'signed-labels', dual: 'zero' });
    const substeps: Substep[] = [];
    for (let iter = 0; iter < iterations; iter += 1) {
      for (const update of updates) {
        const {
          updates: [done],
        } = await state.run([update], {
          nu: hyper.rho0,
          rho: hyper.rho0,
          theta0: hyper.theta0,
          tau0: hyper.tau0,
          l2: 0,
          search: 'backtracking',
          growth: hyper.backtrackingFactor,
          output: 'fista',
          fistaStep: hyper.fistaStep,
          fistaTolerance: hyper.fistaTolerance,
          fistaLimit: hyper.fistaMaxIter,
        });
        const matrix = (await readAll(state, golden))[update.block];
        substeps.push({
          iter,
          var: `${update.block}${update.layer}`,
          ...summarise(asRecorded(matrix, update)),
          ...(update.block === 'W' && done?.size !== undefined && { theta: done.size }),
          ...(update.block === 'a' && done?.size !== undefined && { tau: done.size }),
          ...(done?.steps !== undefined && { fista: done.steps }),
        });
      }
    }
    return substeps;
  } finally {
    state.close();
  }
}
