import { type ConstraintBlock, type ConstraintsSession, constraints, sigmoidSweep } from 'dladmm/solvers';
import { byName, frobenius, norms, type Records, type Substep, substepIterations } from './blocks.js';
import { type GoldenCase, type Matrix64, type SigmoidHyper, transposed } from './case.js';
import { type Replay, summarise } from './compare.js';

/** Every variable, by layer. */
interface Variables {
  readonly W: readonly Matrix64[];
  readonly b: readonly Matrix64[];
  readonly V: readonly Matrix64[];
  readonly Lambda: readonly Matrix64[];
}

/** Runs a case of sigmoid-ADMM with the choices of the published code. */
export async function replaySigmoid(golden: GoldenCase, hyper: SigmoidHyper): Promise<Replay> {
  const { dims, train, iterations, initial } = golden;
  const N = dims.length - 1;
  const { x, y } = train;
  if (y === undefined) throw new Error(`${golden.name}: expected target values`);
  const state = await constraints.open(
    { network: { layers: dims, activation: 'sigmoid', loss: 'squared-error' }, dtype: 'float64', threads: 2 },
    { x, y },
  );
  try {
    for (const [i, W] of initial.W.entries()) await state.write('W', i + 1, W.data);
    for (const [i, b] of initial.b.entries()) await state.write('b', i + 1, b);
    await state.start();
    const penalties = { l2: hyper.lambda, beta: hyper.beta, majoriser: 'code' } as const;
    const records: Records[] = [];
    const substeps: Substep[] = [];
    // R is ½‖·‖², averaged over the samples.
    let before = 2 * (await state.evaluate('train')).loss;
    for (let iter = 0; iter < iterations; iter += 1) {
      const sweep = await state.run([...sigmoidSweep(N)], penalties);
      const after = 2 * (await state.evaluate('train')).loss;
      const variables = await readAll(state);
      records.push({ mse_before: before, mse_after: after, ...recordOf(sweep, variables, golden, hyper) });
      before = after;
      if (iter < substepIterations(golden)) substeps.push(...substepsOf(variables, iter));
    }
    const final = await readAll(state);
    return { records: byName(records), final: { W: final.W, b: final.b.map(({ data }) => data) }, substeps };
  } finally {
    state.close();
  }
}

async function readAll(state: ConstraintsSession): Promise<Variables> {
  const { layers } = state.options.network;
  const all = async (block: ConstraintBlock | 'b'): Promise<Matrix64[]> => {
    const matrices: Matrix64[] = [];
    for (let layer = 1; layer < layers.length; layer += 1) {
      const data = Float64Array.from((await state.read(block, layer)).data);
      const width = layers[layer] ?? 0;
      if (block === 'W') matrices.push({ data, rows: width, columns: layers[layer - 1] ?? 0 });
      else if (block === 'b') matrices.push({ data, rows: width, columns: 1 });
      else matrices.push({ data, rows: state.samples, columns: width });
    }
    return matrices;
  };
  return { W: await all('W'), b: await all('b'), V: await all('V'), Lambda: await all('Lambda') };
}

function recordOf(
  { measures }: Awaited<ReturnType<ConstraintsSession['run']>>,
  { W, b, V, Lambda }: Variables,
  { name, train: { y } }: GoldenCase,
  { lambda, beta }: SigmoidHyper,
): Records {
  if (measures === undefined || y === undefined) throw new Error(`${name}: the replay diverged`);
  const { residuals, lossSum, dualProduct } = measures;
  const penalties = residuals.reduce((sum, residual, i) => sum + ((beta[i] ?? Number.NaN) / 2) * residual, 0);
  // The recorded function leaves the biases out, which the updates regularise.
  const weights = norms(W).reduce((sum, norm) => sum + (lambda / 2) * norm ** 2, 0);
  const targets = V.map((v, l) => v.data.map((value, i) => value - (Lambda[l]?.data[i] ?? Number.NaN)));
  const identity = (Lambda.at(-1)?.data ?? new Float64Array()).map(
    (value, i) => value - ((V.at(-1)?.data[i] ?? Number.NaN) - (y.data[i] ?? Number.NaN)),
  );
  return {
    loss: lossSum + weights + dualProduct + penalties,
    W_fro: norms(W),
    b_norm: b.map(({ data }) => frobenius(data)),
    V_fro: norms(V),
    Lambda_fro: norms(Lambda),
    residual: residuals.map(Math.sqrt),
    max_abs_V_minus_Lambda: targets.map(largest),
    dual_identity_max: largest(identity),
  };
}

const largest = (values: Float64Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const substepsOf = (variables: Variables, iter: number): Substep[] =>
  (['W', 'b', 'V', 'Lambda'] as const).flatMap((name) =>
    variables[name].map((matrix, i) => ({
      iter,
      var: `${name}${i + 1}`,
      ...summarise(name === 'W' || name === 'b' ? matrix : transposed(matrix)),
    })),
  );
