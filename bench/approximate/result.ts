import type { Machine } from '../harness/results.js';
import { mean as meanOf, standardDeviation } from '../harness/statistics.js';
import { METHODS, type Method } from './methods.js';
import type { Trial } from './trial.js';

export interface MethodResult {
  readonly method: Method;
  readonly layers: string;
  readonly trials: readonly Trial[];
}

/** A task as `bench/results` keeps it. */
export interface TaskResult extends Machine {
  readonly task: string;
  readonly definition: string;
  readonly judged: 'train' | 'test';
  readonly points: number;
  readonly methods: readonly MethodResult[];
}

export interface Summary {
  readonly task: string;
  readonly method: Method;
  readonly layers: string;
  readonly epochs: number;
  readonly trials: number;
  /** Of the smallest errors of the trials; `null` where none was finite. */
  readonly mean: number | null;
  readonly best: number | null;
  readonly deviation: number | null;
  /** Mean over the trials, evaluation included. */
  readonly seconds: number;
  /** By rate: how many trials it ended with what is not finite. */
  readonly diverged: Readonly<Record<string, number>>;
  /** Trials that ended so at every rate. */
  readonly failed: number;
  readonly published?: number;
}

/** Mean, best and standard deviation (1/N form) of the smallest errors. */
export function summaryOf(task: string, { method, layers, trials }: MethodResult, published?: number): Summary {
  const errors = trials.flatMap(({ error }) => error ?? []);
  const of = (statistic: (values: readonly number[]) => number): number | null =>
    errors.length === 0 ? null : statistic(errors);
  const diverged: Record<string, number> = {};
  for (const rate of trials.flatMap((trial) => trial.diverged ?? [])) diverged[rate] = (diverged[rate] ?? 0) + 1;
  return {
    task,
    method,
    layers,
    epochs: Math.max(0, ...trials.map(({ epochs }) => epochs)),
    trials: trials.length,
    mean: of(meanOf),
    best: of((values) => Math.min(...values)),
    deviation: of(standardDeviation),
    seconds: meanOf(trials.map(({ seconds }) => seconds)),
    diverged,
    failed: trials.filter(({ status }) => status === 'diverged').length,
    ...(published !== undefined && { published }),
  };
}

const shown = (error: number | null | undefined): string =>
  error === null ? 'diverged' : error === undefined ? '' : error.toExponential(2);

/** The head of the table, and a line of it. */
export const HEAD =
  'task       method       layers     trials epochs mean      best      deviation  published  seconds  rates that diverged';
export function lineOf(summary: Summary): string {
  const { task, method, layers, trials, epochs, mean, best, deviation, published, seconds, diverged } = summary;
  const shape = layers.split('-');
  return [
    task.padEnd(10),
    method.padEnd(12),
    `${shape.length - 2} × ${shape[1]}`.padEnd(10),
    String(trials).padEnd(6),
    String(epochs).padEnd(6),
    shown(mean).padEnd(9),
    shown(best).padEnd(9),
    shown(deviation).padEnd(10),
    shown(published).padEnd(9),
    seconds.toFixed(1).padStart(8),
    ` ${Object.entries(diverged)
      .map(([rate, count]) => `${rate} (${count})`)
      .join(', ')}`,
  ]
    .join(' ')
    .trimEnd();
}

/** A trial put in its place: methods in the order of {@link METHODS}, trials in that of their seeds, one a seed. */
export function withTrial(result: TaskResult, method: Method, layers: string, trial: Trial): TaskResult {
  const known = result.methods.find((other) => other.method === method);
  const others = result.methods.filter((other) => other !== known);
  const trials = [...(known?.trials ?? []).filter(({ seed }) => seed !== trial.seed), trial].sort(
    (left, right) => left.seed - right.seed,
  );
  const methods = [...others, { method, layers, trials }].sort(
    (left, right) => METHODS.indexOf(left.method) - METHODS.indexOf(right.method),
  );
  return { ...result, methods };
}
