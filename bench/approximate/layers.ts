/**
 * What each layer adds to the last one. By themselves the features of the start, drawn at random, carry a ridge regression;
 * each variant below lets more of the variables move.
 */
import { fit as fitModel, type Model } from 'dladmm';
import {
  type ConstraintSweep,
  type ConstraintsSession,
  constraints,
  Lambda,
  type SigmoidOptions,
  sigmoidSweep,
  V,
  W,
} from 'dladmm/solvers';
import { say } from '../harness/program.js';
import { mean, sum } from '../harness/statistics.js';
import { upTo } from '../harness/study.js';
import { table } from '../harness/table.js';
import { frozen, layersOf, type Settings } from './methods.js';
import type { Task } from './tasks.js';

/** What moves, from least to most. Without a sweep it is one least-squares solve of W_N for the targets, with the same λ. */
const VARIANTS: Readonly<Record<string, ConstraintSweep | undefined>> = {
  ridge: undefined,
  W_N: frozen,
  '+ V_{N-1}': (N) => [W(N), V(N - 1), V(N), Lambda(N - 1), Lambda(N)],
  all: sigmoidSweep,
};

/**
 * Gains of the first weights with two hidden layers: the published code's, and the one that the paper has. And one hidden layer, whose
 * features begin without thresholds and so odd but for a constant, where x² and uv are even: frozen they carry nothing.
 */
const CASES = [
  { gain: 8, depth: 2 },
  { gain: 1, depth: 2 },
  { gain: 4, depth: 1 },
] as const;

/** λ of W_N solved for once more, on the features of the start and on those that all layers end with. */
const LAST = 1e-11;

export type LayersResult = Awaited<ReturnType<typeof measureCase>>;

export async function measureLayers(task: Task, trials: number, settings: Settings): Promise<readonly LayersResult[]> {
  const results = [];
  for (const its of CASES) results.push(await measureCase(task, its, trials, settings));
  return results;
}

async function measureCase(
  task: Task,
  { gain, depth }: (typeof CASES)[number],
  trials: number,
  { points, epochs, threads, standardiseTargets }: Settings,
) {
  const layers = layersOf(task, 'admm').toSpliced(1, 2 - depth);
  const last: { readonly before: number; readonly after: number }[] = [];
  const errors = Object.keys(VARIANTS).map((variant) => ({ variant, each: [] as number[] }));
  const moved: (readonly number[])[] = [];
  const featuresMoved: (readonly number[])[] = [];
  for (const seed of upTo(trials)) {
    const { x, y } = task.points(points, seed, 'train');
    const data = { x: { data: x, rows: points, columns: task.inputs }, y: { data: y, rows: points, columns: 1 } };
    const options: SigmoidOptions = {
      ...{ solver: 'sigmoid-admm', layers, loss: 'squared-error', initialisation: { scheme: 'msra', gain } },
      ...{ standardiseTargets, seed, threads, trainMetrics: true, iterations: epochs },
    };
    // The multipliers are zero and the constraints hold, so a sweep over one of them moves nothing.
    const { model: start } = await fitModel(data, { ...options, iterations: 1, sweep: () => [Lambda(1)] });
    using _ = start;
    for (const { variant, each } of errors) {
      const sweep = VARIANTS[variant];
      if (sweep === undefined) {
        each.push(await ridge(data, options, start, 1e-6));
        continue;
      }
      const { model, history } = await fitModel(data, { ...options, sweep });
      using its = model;
      each.push(Math.min(...history.map(({ train }) => 2 * (train?.loss ?? Number.NaN))));
      if (variant !== 'all') continue;
      const again = { before: await ridge(data, options, start, LAST), after: await ridge(data, options, its, LAST) };
      last.push(again);
      const before = await features(data, options, start);
      const after = await features(data, options, its);
      moved.push(its.weights.map((weights, l) => change(weights, start.weights[l])));
      featuresMoved.push(after.map((now, l) => change(now, before[l])));
    }
    const ends = errors.map(({ each }) => each.at(-1)?.toExponential(2)).join(' ');
    say(`${task.name} gain ${gain} seed ${seed}: ${ends}, λ_N ${LAST} ${JSON.stringify(last.at(-1))}`);
  }
  return {
    task: task.name,
    layers: layers.join('-'),
    gain,
    epochs,
    trials,
    /** Mean over the trials of the smallest error of any epoch, and the smallest of all. */
    errors: errors.map(({ variant, each }) => ({ variant, mean: mean(each), best: Math.min(...each) })),
    last: { before: mean(last.map(({ before }) => before)), after: mean(last.map(({ after }) => after)) },
    /** ‖W_l − W_l⁰‖ / ‖W_l⁰‖ for l = 1 … N as all layers have moved, mean over the trials. */
    moved: byLayer(moved),
    /**
     * The same of what the network makes of the points in each hidden layer. λ takes from W_l at once what lies in
     * directions that no point has, which moves W_l far and its features not at all.
     */
    featuresMoved: byLayer(featuresMoved),
  };
}

type Rows = { readonly data: Float64Array; readonly rows: number; readonly columns: number };
type Data = Readonly<Record<'x' | 'y', Rows>>;
type Weights = Pick<Model, 'weights' | 'biases'>;

/** What a state says whose weights are those, and whose constraints all hold. */
async function ofState<T>(
  data: Data,
  { layers, threads = 1 }: SigmoidOptions,
  { weights, biases }: Weights,
  ask: (state: ConstraintsSession, N: number) => Promise<T>,
): Promise<T> {
  const network = { layers, activation: 'sigmoid', loss: 'squared-error' } as const;
  const state = await constraints.open({ network, dtype: 'float64', threads }, data);
  try {
    for (const [i, W] of weights.entries()) {
      await state.write('W', i + 1, Float64Array.from(W));
      await state.write('b', i + 1, Float64Array.from(biases[i] ?? []));
    }
    await state.start();
    return await ask(state, weights.length);
  } finally {
    state.close();
  }
}

/** min over W_N of ½‖V_{N−1} W_Nᵀ + b_N − Y‖² + (λ/2)‖[W_N b_N]‖²: the W_N update of a state whose V_N is Y. */
const ridge = (data: Data, options: SigmoidOptions, its: Weights, l2: number): Promise<number> =>
  ofState(data, options, its, async (state, N) => {
    await state.write('V', N, data.y.data);
    await state.run([W(N)], { l2, beta: new Array<number>(N).fill(1), majoriser: 'paper' });
    return 2 * (await state.evaluate('train')).loss;
  });

/** V_l = σ(V_{l−1} W_lᵀ + b_l) of the hidden layers. */
const features = (data: Data, options: SigmoidOptions, its: Weights): Promise<readonly ArrayLike<number>[]> =>
  ofState(data, options, its, async (state, N) => {
    const all: ArrayLike<number>[] = [];
    for (let l = 1; l < N; l += 1) all.push((await state.read('V', l)).data);
    return all;
  });

const byLayer = (lists: readonly (readonly number[])[]): readonly number[] =>
  (lists[0] ?? []).map((_, l) => mean(lists.map((list) => list[l] ?? Number.NaN)));

function change(now: ArrayLike<number>, before: ArrayLike<number> = []): number {
  const square = (list: ArrayLike<number>, less: ArrayLike<number>): number =>
    sum(Array.from(list, (value, i) => (value - (less[i] ?? 0)) ** 2));
  return Math.sqrt(square(now, before) / square(before, []));
}

/** A row for each task and gain: the mean error of each variant, and how far each W_l and each layer's features went. */
export function layerTable(results: readonly LayersResult[]): string {
  const shares = (list: readonly number[]): string => list.map((share) => share.toExponential(1)).join('  ');
  const cells = results.map(({ task, layers, gain, errors, last, moved, featuresMoved }) => [
    ...[task, layers, `${gain}`, ...errors.map((error) => error.mean.toExponential(1))],
    ...Object.values(last).map((error) => error.toExponential(1)),
    ...[moved, featuresMoved].map(shares),
  ]);
  const fine = [`ridge, λ ${LAST}`, `all, then ridge, λ ${LAST}`];
  const head = ['task', 'layers', 'gain', ...Object.keys(VARIANTS), ...fine];
  return table([...head, '‖ΔW_l‖/‖W_l‖, l = 1 … N', 'of the features'], cells);
}
