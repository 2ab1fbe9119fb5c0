import type { Machine } from '../harness/results.js';
import { median } from '../harness/statistics.js';
import type { PictureRow } from './picture.js';
import type { TaskPoint, TaskRun } from './run.js';

export interface MethodResult {
  readonly method: string;
  readonly setting: string;
  readonly runs: readonly TaskRun[];
  /** What the model of the first seed wrote. */
  readonly text?: string;
}

/** A task as `bench/results` keeps it. */
export interface TaskResult extends Machine {
  readonly task: string;
  readonly title: string;
  readonly data: string;
  readonly layers: string;
  readonly unit: string;
  readonly reference?: { readonly name: string; readonly loss: number };
  readonly samples: number;
  readonly testSamples: number;
  readonly epochs: number;
  readonly methods: readonly MethodResult[];
  /** What each method makes of some test images. */
  readonly pictures?: readonly PictureRow[];
}

/** The middle of the seeds, for each epoch that all of them reached. */
export function medianCurve(runs: readonly TaskRun[]): readonly TaskPoint[] {
  const [first, ...others] = runs.map(({ points }) => points);
  return (first ?? []).flatMap(({ epoch, testAccuracy }, i) => {
    const rest = others.map((points) => points[i]);
    const all = [first?.[i], ...rest].filter((point) => point !== undefined);
    if (all.length < runs.length) return [];
    const middle = (of: (point: TaskPoint) => number): number => median(all.map(of));
    return [
      {
        epoch,
        seconds: middle(({ seconds }) => seconds),
        trainLoss: middle(({ trainLoss }) => trainLoss),
        testLoss: middle(({ testLoss }) => testLoss),
        ...(testAccuracy !== undefined && { testAccuracy: middle((point) => point.testAccuracy ?? Number.NaN) }),
      },
    ];
  });
}

/** The point of the lowest test loss, the earliest of equals. */
export const bestOf = (points: readonly TaskPoint[]): TaskPoint | undefined =>
  points.reduce<TaskPoint | undefined>(
    (best, point) => (best === undefined || point.testLoss < best.testLoss ? point : best),
    undefined,
  );

/** Medians over the seeds at the best and at the last epoch, method by method. */
export function summaryOf({ methods, pictures: _, ...rest }: TaskResult) {
  return {
    ...rest,
    methods: methods.map(({ method, setting, runs, text }) => {
      const points = medianCurve(runs);
      return {
        method,
        setting,
        ended: runs.map(({ status }) => status),
        best: bestOf(points) ?? null,
        last: points.at(-1) ?? null,
        ...(text !== undefined && { text }),
      };
    }),
  };
}

/** The summary for a person. */
export function tableOf(result: TaskResult): string {
  const { task, data, layers, samples, epochs, unit, reference, methods } = summaryOf(result);
  const at = (point: TaskPoint | null): string =>
    point === null ? '-' : `${cell(point)} in epoch ${point.epoch}, ${point.seconds.toFixed(1)} s`;
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

const cell = ({ testLoss, testAccuracy }: TaskPoint): string =>
  `${testLoss.toFixed(3)}${testAccuracy === undefined ? '' : ` (accuracy ${testAccuracy.toFixed(4)})`}`;
