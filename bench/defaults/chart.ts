import { along, coloured, figure, lines, logAlong, type TopLevelSpec } from '../harness/figures.js';

/** How one setting of one method did on one task. */
export interface DefaultsPoint {
  readonly task: string;
  readonly method: string;
  /** η (of adam: γ) over the default. */
  readonly factor: number;
  readonly seed: number;
  /** Of the test set after each epoch: accuracies, or mean losses of a regression. */
  readonly scores: readonly number[];
  readonly status: string;
}

/** What is best of the last score, task by task, against η over its default: one panel a task, one line a method. */
export function specificationOf(points: readonly DefaultsPoint[]): TopLevelSpec {
  const values = points.flatMap(({ task, method, factor, scores, status }) => {
    const last = scores.at(-1);
    if (last === undefined || status !== 'completed') return [];
    const loss = task === 'california-housing';
    return [
      { task: loss ? `${task}: test loss` : `${task}: test error`, method, factor, score: loss ? last : 1 - last },
    ];
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
