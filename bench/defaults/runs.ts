import { type TrainOptions, train } from 'dladmm';
import { defaultRate, defaultTrustRegion } from 'dladmm/solvers';
import { along, coloured, figure, lines, logAlong, type TopLevelSpec } from '../harness/figures.js';
import { follow } from '../harness/samples.js';
import { combinations } from '../harness/study.js';
import type { Task } from './tasks.js';

/**
 * Of minibatch-admm: as it stands, with the length that its trust region allows in place of η (κ goes with the square of it), by the
 * metric of the inputs alone, and as it stands and by these without a schedule.
 */
export const METHODS = [
  'minibatch-admm',
  'minibatch-admm-length',
  'minibatch-admm-free',
  'minibatch-admm-input',
  'minibatch-admm-input-free',
  'adam',
] as const;
/** The tasks that are judged by their loss. */
const VALUES = ['diabetes', 'california-housing'];
/** A tenfold range, the default in its middle. */
const FACTORS = [0.316, 0.562, 1, 1.78, 3.16];

/** A run to make: a method by name and its own options, at a factor of its default step. */
type Choice = { readonly method: string; readonly factor: number; readonly options: (task: Task) => object };

export const stepped = (methods: readonly (typeof METHODS)[number][]): readonly Choice[] =>
  combinations({ method: methods, factor: FACTORS }).map(({ method, factor }) => {
    if (method === 'adam') return { method, factor, options: () => ({ solver: method, learningRate: factor * 1e-3 }) };
    const factors = method.includes('input') ? ('input' as const) : ('both' as const);
    const own = { factors, scheduleFree: method.endsWith('free') };
    if (method === 'minibatch-admm-length') {
      const options = (task: Task) => ({
        solver: 'minibatch-admm',
        trustRegion: factor ** 2 * defaultTrustRegion(task),
      });
      return { method, factor, options };
    }
    const options = ({ loss }: Task) => ({ ...own, learningRate: factor * defaultRate(loss, own) });
    return { method, factor, options: (task) => ({ solver: 'minibatch-admm', ...options(task) }) };
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
    const [what, score] = VALUES.includes(task) ? ['loss', last] : ['error', 1 - last];
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
