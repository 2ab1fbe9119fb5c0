import type { Loss, Matrix, Model } from 'dladmm';
import type { Initialisation } from 'dladmm/solvers';
import type { TaskName } from './settings.js';

/** Samples with labels, or with what is to come out of the network. */
export interface TaskSamples {
  readonly x: Matrix;
  readonly labels?: Int32Array;
  readonly y?: Matrix;
}

/** Something to learn: the samples, the network, and how its loss is told. */
export interface Task {
  readonly name: TaskName;
  readonly title: string;
  readonly data: string;
  readonly layers: readonly number[];
  readonly loss: Loss;
  readonly initialisation: Initialisation;
  readonly train: TaskSamples;
  readonly test: TaskSamples;
  /** What a loss is told in, and how many of those R = 1 is. */
  readonly unit: string;
  readonly unitsPerLoss: number;
  /** Something to compare a loss with. */
  readonly reference?: { readonly name: string; readonly loss: number };
  /** What a model makes, to look at. */
  show(model: Model): Promise<Shown>;
}

/** A text, or pictures one after the other. */
export interface Shown {
  readonly text?: string;
  readonly images?: ArrayLike<number>;
}

/** The first `count` samples, or all where there are fewer. */
export const firstOf = (samples: TaskSamples, count: number): TaskSamples =>
  part(samples, 0, Math.min(count, samples.x.rows));

/** The samples before the last tenth, and that tenth: to choose settings by without a look at the test set. */
export function heldOut(samples: TaskSamples): { readonly train: TaskSamples; readonly test: TaskSamples } {
  const { rows } = samples.x;
  const kept = rows - Math.ceil(rows / 10);
  return { train: part(samples, 0, kept), test: part(samples, kept, rows) };
}

/** Samples `from` … `to` − 1. */
function part({ x, labels, y }: TaskSamples, from: number, to: number): TaskSamples {
  const rows = ({ data, columns }: Matrix): Matrix => ({
    data: data.subarray(from * columns, to * columns),
    rows: to - from,
    columns,
  });
  return { x: rows(x), ...(labels && { labels: labels.subarray(from, to) }), ...(y && { y: rows(y) }) };
}
