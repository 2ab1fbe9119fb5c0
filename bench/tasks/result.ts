import { along, coloured, figure, lines, type TopLevelSpec } from '../harness/figures.js';
import { median } from '../harness/statistics.js';
import type { Study } from '../harness/study.js';
import type { EpochPoint, EpochRun } from '../race/run.js';
import type { PictureRow } from './picture.js';
import type { Task } from './task.js';

/** A training of a method; the first seed has what its model wrote or drew. */
export interface Run extends EpochRun {
  readonly method: string;
  readonly setting: string;
  readonly text?: string;
  readonly picture?: PictureRow;
}

/** A task as `bench/results` keeps it. */
export type TaskResult = Study<
  Pick<Task, 'title' | 'data' | 'unit' | 'reference'> & {
    readonly task: string;
    readonly layers: string;
    readonly samples: number;
    readonly testSamples: number;
    readonly epochs: number;
    /** Test images as they are. */
    readonly originals?: PictureRow;
  },
  Run
>;

/** The middle of the seeds, for each epoch that all of them reached. */
export function medianCurve(runs: readonly EpochRun[]): readonly EpochPoint[] {
  const reached = Math.min(...runs.map(({ points }) => points.length));
  return (runs[0]?.points ?? []).slice(0, reached).map((first, i) => {
    const middle = (name: keyof EpochPoint) => median(runs.map(({ points }) => points[i]?.[name] ?? Number.NaN));
    return Object.fromEntries(Object.keys(first).map((name) => [name, middle(name as keyof EpochPoint)]));
  }) as unknown as readonly EpochPoint[];
}

/** The point of the lowest test loss, the earliest of equals. */
export const bestOf = (points: readonly EpochPoint[]): EpochPoint | undefined =>
  points.toSorted((left, right) => left.testLoss - right.testLoss)[0];

/** The runs of each method, in the order of the first ones. */
export const byMethod = (runs: readonly Run[]): readonly (readonly Run[])[] =>
  [...new Set(runs.map(({ method }) => method))].map((method) => runs.filter((run) => run.method === method));

/** Medians over the seeds at the best and at the last epoch, method by method. */
export const summaryOf = ({ runs, originals: _, ...rest }: TaskResult) => ({
  ...rest,
  methods: byMethod(runs).map((own) => {
    const points = medianCurve(own);
    const [{ method, setting, text } = { method: '', setting: '' } as Run] = own;
    const ended = own.map(({ status }) => status);
    return { method, setting, ended, best: bestOf(points) ?? null, last: points.at(-1) ?? null, ...(text && { text }) };
  }),
});

/** The summary for a person. */
export function tableOf(result: TaskResult): string {
  const { task, data, layers, samples, epochs, unit, reference, methods } = summaryOf(result);
  const at = (point: EpochPoint | null): string => {
    if (point === null) return '-';
    const accuracy = point.testAccuracy === undefined ? '' : ` (accuracy ${point.testAccuracy.toFixed(4)})`;
    return `${point.testLoss.toFixed(3)}${accuracy} in epoch ${point.epoch}, ${point.seconds.toFixed(1)} s`;
  };
  return [
    `${task}: ${data}, ${layers}, ${samples} samples, ${epochs} epochs; test loss in ${unit}`,
    ...(reference ? [`${reference.name}: ${reference.loss.toFixed(3)}`] : []),
    ...methods.map(
      ({ method, setting, ended, best, last }) =>
        `${method.padEnd(10)} best ${at(best)}; last ${at(last)}; ${[...new Set(ended)].join(', ')}   ${setting}`,
    ),
    ...methods.flatMap(({ method, text }) => (text === undefined ? [] : ['', `${method} writes: ${text}`])),
  ].join('\n');
}

/** Test loss against epoch and against seconds, the median of the seeds; a row of two for each task. */
export const specificationOf = (results: readonly TaskResult[]): TopLevelSpec =>
  figure({
    vconcat: results.map(({ title, data, layers, samples, unit, runs }) => {
      const y = along('testLoss', { title: `test loss, ${unit}`, scale: { zero: false } });
      const color = coloured('method', { sort: [...new Set(runs.map(({ method }) => method))] });
      const xs = [along('epoch', { axis: { tickMinStep: 1 } }), along('seconds')];
      const values = byMethod(runs).flatMap((own) =>
        medianCurve(own).map((point) => ({ method: own[0]?.method, ...point })),
      );
      return {
        title: `${title}: ${data}, ${layers}, ${samples} samples`,
        data: { values },
        hconcat: xs.map((x) => lines({ x, y, color, point: 15 })),
      };
    }),
  });
