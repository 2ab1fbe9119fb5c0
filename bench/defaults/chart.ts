import type { TopLevelSpec } from 'vega-lite';

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
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    data: { values },
    facet: { field: 'task', type: 'nominal', title: null },
    columns: 3,
    resolve: { scale: { y: 'independent' } },
    spec: {
      width: 220,
      height: 180,
      mark: { type: 'line', strokeWidth: 1.5, point: { size: 25 } },
      encoding: {
        x: {
          field: 'factor',
          type: 'quantitative',
          title: 'step over its default',
          scale: { type: 'log' },
          axis: { values: [0.25, 0.5, 1, 2, 4] },
        },
        y: { field: 'score', aggregate: 'median', type: 'quantitative', title: null, scale: { zero: false } },
        color: { field: 'method', type: 'nominal', title: null },
      },
    },
  };
}
