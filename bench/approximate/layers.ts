/**
 * What each layer adds to the last one. By themselves the features of the start, drawn at random, carry a ridge regression;
 * each variant below lets more of the variables move.
 */
import { fit as fitModel } from 'dladmm';
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
import { mean } from '../harness/statistics.js';
import { table } from '../harness/table.js';
import { frozen, layersOf, type Settings } from './methods.js';
import type { Task } from './tasks.js';

/** What moves, from least to most. `ridge` is one least-squares solve of W_N for the targets, with the same λ. */
export const VARIANTS = ['ridge', 'W_N', '+ V_{N-1}', 'all'] as const;
export type Variant = (typeof VARIANTS)[number];

const SWEEPS: Readonly<Record<Exclude<Variant, 'ridge'>, ConstraintSweep>> = {
  W_N: frozen,
  '+ V_{N-1}': (N) => [W(N), V(N - 1), V(N), Lambda(N - 1), Lambda(N)],
  all: sigmoidSweep,
};

/** Gains of the first weights: the published code's, and the one that the paper has. */
const GAINS = [8, 1];

export type LayersResult = Awaited<ReturnType<typeof measureLayers>>[number];

export async function measureLayers(task: Task, trials: number, settings: Settings) {
  const results = [];
  for (const gain of GAINS) {
    const errors: { variant: Variant; each: number[] }[] = VARIANTS.map((variant) => ({ variant, each: [] }));
    const moved: (readonly number[])[] = [];
    const featuresMoved: (readonly number[])[] = [];
    for (let seed = 1; seed <= trials; seed += 1) {
      const data = dataOf(task, settings.points, seed);
      const options: SigmoidOptions = {
        solver: 'sigmoid-admm',
        layers: layersOf(task, 'admm'),
        loss: 'squared-error',
        initialisation: { scheme: 'msra', gain },
        seed,
        threads: settings.threads,
        trainMetrics: true,
        iterations: settings.epochs,
      };
      const start = await weightsAtStart(data, options);
      for (const { variant, each } of errors) {
        if (variant === 'ridge') {
          each.push(await ridge(data, options, start));
          continue;
        }
        const { model, history } = await fitModel(data, { ...options, sweep: SWEEPS[variant] });
        each.push(Math.min(...history.map(({ train }) => 2 * (train?.loss ?? Number.NaN))));
        if (variant === 'all') {
          const before = await features(data, options, start);
          const after = await features(data, options, model);
          moved.push(model.weights.map((weights, l) => change(weights, start.weights[l])));
          featuresMoved.push(after.map((now, l) => change(now, before[l])));
        }
        model.close();
      }
      say(
        `${task.name} gain ${gain} seed ${seed}: ${errors.map(({ each }) => each.at(-1)?.toExponential(2)).join(' ')}`,
      );
    }
    results.push({
      task: task.name,
      layers: layersOf(task, 'admm').join('-'),
      gain,
      epochs: settings.epochs,
      trials,
      /** Mean over the trials of the smallest error of any epoch, and the smallest of all. */
      errors: errors.map(({ variant, each }) => ({ variant, mean: mean(each), best: Math.min(...each) })),
      /** ‖W_l − W_l⁰‖ / ‖W_l⁰‖ for l = 1 … N as all layers have moved, mean over the trials. */
      moved: byLayer(moved),
      /**
       * The same of what the network makes of the points in each hidden layer. λ takes from W_l at once what lies in
       * directions that no point has, which moves W_l far and its features not at all.
       */
      featuresMoved: byLayer(featuresMoved),
    });
  }
  return results;
}

interface Start {
  readonly weights: readonly ArrayLike<number>[];
  readonly biases: readonly ArrayLike<number>[];
}

type Data = ReturnType<typeof dataOf>;

function dataOf(task: Task, points: number, seed: number) {
  const { x, y } = task.points(points, seed, 'train');
  return {
    x: { data: x, rows: points, columns: task.inputs },
    y: { data: y, rows: points, columns: 1 },
  };
}

/** The multipliers are zero and the constraints hold, so a sweep over one of them moves nothing. */
async function weightsAtStart(data: Data, options: SigmoidOptions): Promise<Start> {
  const { model } = await fitModel(data, { ...options, iterations: 1, sweep: () => [Lambda(1)] });
  const { weights, biases } = model;
  model.close();
  return { weights, biases };
}

/** What a state says whose weights are those, and whose constraints all hold. */
async function ofState<T>(
  data: Data,
  { layers, threads = 1 }: SigmoidOptions,
  { weights, biases }: Start,
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
const ridge = (data: Data, options: SigmoidOptions, start: Start): Promise<number> =>
  ofState(data, options, start, async (state, N) => {
    await state.write('V', N, data.y.data);
    await state.run([W(N)], { l2: 1e-6, beta: new Array<number>(N).fill(1), majoriser: 'paper' });
    return 2 * (await state.evaluate('train')).loss;
  });

/** V_l = σ(V_{l−1} W_lᵀ + b_l) of the hidden layers. */
const features = (data: Data, options: SigmoidOptions, start: Start): Promise<readonly ArrayLike<number>[]> =>
  ofState(data, options, start, async (state, N) => {
    const all: ArrayLike<number>[] = [];
    for (let l = 1; l < N; l += 1) all.push((await state.read('V', l)).data);
    return all;
  });

const byLayer = (lists: readonly (readonly number[])[]): readonly number[] =>
  (lists[0] ?? []).map((_, l) => mean(lists.map((list) => list[l] ?? Number.NaN)));

function change(now: ArrayLike<number>, before: ArrayLike<number> | undefined): number {
  const old = Array.from(before ?? []);
  return Math.sqrt(squares(Array.from(now, (value, i) => value - (old[i] ?? Number.NaN))) / squares(old));
}

const squares = (list: readonly number[]): number => list.reduce((sum, value) => sum + value * value, 0);

/** A row for each task and gain: the mean error of each variant, and how far each W_l and each layer's features went. */
export function layerTable(results: readonly LayersResult[]): string {
  const shares = (list: readonly number[]): string => list.map((share) => share.toExponential(1)).join('  ');
  const cells = results.map(({ task, gain, errors, moved, featuresMoved }) => [
    task,
    String(gain),
    ...errors.map((error) => error.mean.toExponential(1)),
    shares(moved),
    shares(featuresMoved),
  ]);
  return table(['task', 'gain', ...VARIANTS, '‖ΔW_l‖/‖W_l‖, l = 1 … N', 'of the features'], cells);
}
