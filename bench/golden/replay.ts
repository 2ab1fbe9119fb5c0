import {
  type Block,
  dladmmSweep,
  type IterationRecord,
  LayeredState,
  type Training,
  type TrainingData,
  train,
  type Update,
} from 'dladmm';
import { type GoldenCase, type GoldenSplit, type Matrix64, transposed } from './case.js';
import { type Replay, summarise } from './compare.js';

type Records = Readonly<Record<string, number | readonly number[]>>;
type Substep = NonNullable<Replay['substeps']>[number];

/** Runs a dlADMM case with the settings of the official code and records what the comparison asks for. */
export async function replay(golden: GoldenCase): Promise<Replay> {
  const { hyper } = golden;
  if (hyper.system !== 'dladmm') throw new Error(`${golden.name}: cases of ${hyper.system} cannot be replayed yet`);
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
      solver: 'fista',
      step: hyper.fistaStep,
      tolerance: hyper.fistaTolerance,
      limit: hyper.fistaMaxIter,
    },
    softmax: 'reference',
    start: { output: 'signed-labels', dual: 'zero' },
    initialisation: { weights: golden.initial.W.map((W) => W.data), biases: golden.initial.b },
    trainMetrics: true,
    refreshEvery: 5,
  });
  const records: Records[] = [];
  let final: Replay['final'] = { W: [], b: [] };
  for await (const record of training) {
    const state = await readAll(training, golden);
    records.push(recordOf(record, state));
    if (record.iteration === golden.iterations) final = state;
  }
  if (training.result.status.kind === 'diverged') throw new Error(`${golden.name}: the replay diverged`);
  const names = Object.keys(records[0] ?? {});
  return {
    records: Object.fromEntries(names.map((name) => [name, records.map((record) => record[name] ?? null)])),
    final,
    substeps: await replaySubsteps(golden, [...dladmmSweep(L)]),
  };
}

const labelled = ({ x, labels }: GoldenSplit) => ({ x, labels: labels ?? new Int32Array() });

function dataOf({ train: training, test }: GoldenCase): TrainingData {
  return { ...labelled(training), ...(test && { test: labelled(test) }) };
}

interface AllBlocks {
  readonly W: readonly Matrix64[];
  readonly b: readonly Float64Array[];
  readonly z: readonly Matrix64[];
  readonly a: readonly Matrix64[];
  readonly u: Matrix64;
}

async function readAll(from: Pick<Training, 'read'>, { dims, train: { x } }: GoldenCase): Promise<AllBlocks> {
  const L = dims.length - 1;
  const layers = Array.from({ length: L }, (_, i) => i + 1);
  const read = async (block: Block, layer: number): Promise<Matrix64> => {
    const data = Float64Array.from(await from.read(block, layer));
    const width = dims[layer] ?? 0;
    if (block === 'W') return { data, rows: width, columns: dims[layer - 1] ?? 0 };
    return block === 'b' ? { data, rows: width, columns: 1 } : { data, rows: x.rows, columns: width };
  };
  const all = async (block: Block, list: readonly number[]): Promise<Matrix64[]> => {
    const matrices: Matrix64[] = [];
    for (const layer of list) matrices.push(await read(block, layer));
    return matrices;
  };
  return {
    W: await all('W', layers),
    b: (await all('b', layers)).map((matrix) => matrix.data),
    z: await all('z', layers),
    a: await all('a', layers.slice(0, -1)),
    u: await read('u', L),
  };
}

const frobenius = (data: Float64Array): number => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));

function recordOf(record: IterationRecord, state: AllBlocks): Records {
  const { penalties, train: onTrain, test: onTest, updates } = record;
  const norms = (list: readonly Matrix64[]): number[] => list.map(({ data }) => frobenius(data));
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
async function replaySubsteps(golden: GoldenCase, updates: readonly Update[]): Promise<readonly Substep[]> {
  const { hyper, dims, initial } = golden;
  if (hyper.system !== 'dladmm') return [];
  const iterations = Math.max(-1, ...golden.substeps.map(({ iter }) => iter)) + 1;
  const state = await LayeredState.create(
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

/** The variable of an update as the golden files lay it out: one unit a row. */
function asRecorded(blocks: AllBlocks[Block], { block, layer }: Update): Matrix64 {
  const one = Array.isArray(blocks) ? blocks[layer - 1] : blocks;
  if (one instanceof Float64Array) return { data: one, rows: one.length, columns: 1 };
  return block === 'W' ? one : transposed(one);
}
