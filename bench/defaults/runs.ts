import { type TrainOptions, train } from 'dladmm';
import { a, defaultRate, type MinibatchOptions, type Update, W, z } from 'dladmm/solvers';
import { along, coloured, figure, lines, logAlong, type TopLevelSpec } from '../harness/figures.js';
import { follow } from '../harness/samples.js';
import { combinations } from '../harness/study.js';
import type { Task } from './tasks.js';

/** dlADMM's own backward order: W_l as soon as its target stands, so that a_{l−1} meets the new W_l. */
function* interleaved(L: number): Generator<Update> {
  yield* [z(L), W(L)];
  for (let l = L - 1; l >= 1; l -= 1) yield* [a(l), z(l), W(l)];
}

/** What was tried beside the defaults, one change at a time; δ and η move together where the damping changes. */
export const VARIANTS: Readonly<Record<string, Partial<Omit<MinibatchOptions, 'solver' | 'layers'>>>> = {
  default: {},
  'W before the next a': { sweep: interleaved },
  'full Gram matrix': { gram: 'full' },
  'rank 8': { rank: 8 },
  'rank 32': { rank: 32 },
  'rank 64': { rank: 64 },
  'damping 1, step 0.12': { damping: 1, learningRate: 0.12 },
  'damping 16, step 1.4': { damping: 16, learningRate: 1.4 },
  'Gram matrix every batch': { gramEvery: 1 },
  'Gram matrix every 40th batch': { gramEvery: 40 },
  'this Gram matrix alone': { gramMemory: 0, gramEvery: 1 },
  'no look ahead': { nesterov: false },
  'momentum 0.8, step 0.8': { momentum: 0.8, learningRate: 0.8 },
  'batches of 256': { batchSize: 256 },
  'batches of 1024': { batchSize: 1024 },
};

export const METHODS = ['minibatch-admm', 'adam'] as const;
/** A tenfold range, the default in its middle. */
const FACTORS = [0.316, 0.562, 1, 1.78, 3.16];

/** A run to make: a method by name and its own options, at a factor of its default step. */
type Choice = { readonly method: string; readonly factor: number; readonly options: (task: Task) => object };

export const varied = (names: readonly string[]): readonly Choice[] =>
  names.map((method) => ({ method, factor: 1, options: () => ({ solver: 'minibatch-admm', ...VARIANTS[method] }) }));

export const stepped = (methods: readonly (typeof METHODS)[number][]): readonly Choice[] =>
  combinations({ method: methods, factor: FACTORS }).map(({ method, factor }) => {
    const rateOf = ({ loss }: Task): number => (method === 'adam' ? 1e-3 : defaultRate(loss));
    return { method, factor, options: (task) => ({ solver: method, learningRate: factor * rateOf(task) }) };
  });

/** How one setting of one method did on one task. */
export type DefaultsPoint = Awaited<ReturnType<typeof run>>;

export async function run(task: Task, choice: Choice, seed: number, epochs: number, threads: number) {
  const { name, data, layers, loss } = task;
  const { method, factor, options } = choice;
  /** Of the test set after each epoch: accuracies, or mean losses of a regression. */
  const scores: number[] = [];
  const training = train(data, { layers, loss, epochs, seed, threads, ...options(task) } as TrainOptions);
  const { status, model } = await follow(training, ({ test }) =>
    scores.push(test?.accuracy ?? test?.loss ?? Number.NaN),
  );
  model.close();
  return { task: name as string, method, factor, seed, scores: scores as readonly number[], status: status.kind };
}

/** What is best of the last score, task by task, against η over its default: one panel a task, one line a method. */
export function specificationOf(points: readonly DefaultsPoint[]): TopLevelSpec {
  const values = points.flatMap(({ task, method, factor, scores, status }) => {
    const last = scores.at(-1);
    if (last === undefined || status !== 'completed') return [];
    const [what, score] = task === 'california-housing' ? ['loss', last] : ['error', 1 - last];
    return [{ task: `${task}: test ${what}`, method, factor, score }];
  });
  return figure({
    data: { values },
    facet: { field: 'task', type: 'nominal', title: null },
    columns: 3,
    resolve: { scale: { y: 'independent' } },
    spec: lines({
      size: [220, 180],
      point: 25,
      x: logAlong('factor', { title: 'step over its default', axis: { values: [0.25, 0.5, 1, 2, 4], format: '~g' } }),
      y: along('score', { aggregate: 'median', title: null, scale: { zero: false } }),
      color: coloured('method'),
    }),
  });
}
