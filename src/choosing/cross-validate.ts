/** How good a way of training is: trained several times, each time judged by samples that were held out of that training. */
import { throwIfAborted } from '../core/abort.js';
import { checkObject } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { availableThreads } from '../core/info.js';
import type { Evaluation } from '../judging/evaluation.js';
import { checkMetric, isTelling, METRIC_NAMES, METRICS, type Metric } from '../judging/metrics.js';
import { aligned, numberText, printable } from '../judging/text.js';
import type { Model } from '../model/model.js';
import { type Metrics, metricsOfLoss } from '../network/metrics.js';
import { type Complete, readOptions } from '../network/schema.js';
import { fit, train } from '../training/fit.js';
import { checkOptionNames } from '../training/plan.js';
import type { Status } from '../training/result.js';
import { type Data, type Divided, divided } from './divided.js';
import { foldsOf, groupsOf } from './folds.js';
import { type AnyOptions, FOLDS, type FoldOptions } from './options.js';
import { inParallel } from './parallel.js';

/** One training of a cross-validation. */
export interface Fold {
  /** The samples that were held out, by their numbers from 0. */
  readonly rows: readonly number[];
  /** What the model is worth on them; undefined where the training diverged. */
  readonly scores?: Evaluation;
  readonly status: Status;
  readonly iterations: number;
  readonly seconds: number;
}

/** A metric over several folds. */
export interface Spread {
  readonly mean: number;
  /** The standard deviation between folds (divided by their number less one). */
  readonly sd: number;
  /** The standard error of the mean: sd / √folds. Folds share training samples, so it is a little too small. */
  readonly se: number;
  /** The folds that have the metric. */
  readonly folds: number;
}

/** The metrics that there are. */
export type Spreads = { readonly [M in Metric]?: Spread };

/** What a cross-validation found: plain data. */
export interface CrossValidation {
  readonly scores: Spreads;
  readonly folds: readonly Fold[];
  /** A table for people. */
  toString(): string;
}

/** What is fixed before any training: who is held out when, and how many work at once. */
export interface Setting {
  readonly data: Divided;
  readonly folds: readonly Int32Array[];
  readonly parallel: number;
  /** The options of a training, with what the samples and the rules decide. */
  readonly complete: (options: AnyOptions) => AnyOptions;
  /** To be called when a fold has ended. */
  readonly ended: () => void;
}

const OWN = ['validation', 'test', 'checkpoint', 'distributed', 'signal'] as const;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for what one training alone has */
function checkOwn(options: AnyOptions): void {
  for (const name of OWN) {
    if (options[name] !== undefined) throw expected('none, as there are several trainings,', name, options[name]);
  }
}

/**
 * Takes the samples in, and parts them.
 *
 * @param whole whether each fold is trained for once, and no more
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, and whatever taking in samples can cause
 */
export async function settingOf(
  data: Data,
  options: AnyOptions,
  rules: Complete<typeof FOLDS>,
  whole = false,
): Promise<Setting> {
  const { folds: count, seed, groups, signal, parallel } = rules;
  checkOptionNames(options, 'the trainings');
  checkOwn(options);
  throwIfAborted(signal, 'Cross-validation');
  const parted = await divided(data, { ...options, ...(signal && { signal }) });
  const { stratified = parted.labels !== undefined } = rules;
  if (stratified && !parted.labels) throw expected('false, as values have no classes', 'stratified', stratified);
  const of = typeof groups === 'string' ? await parted.column(groups) : await groupsOf(groups);
  if (of !== undefined && !(typeof of === 'object' && of.length === parted.samples)) {
    const text = `the name of a column, or a value for each of ${parted.samples} samples`;
    throw expected(text, 'groups', groups, 'ERR_DLADMM_SHAPE');
  }
  let ended = 0;
  const threads = Math.max(1, Math.floor(availableThreads() / parallel));
  return {
    data: parted,
    folds: await foldsOf(parted.samples, {
      folds: count,
      seed,
      groups: of,
      ...(stratified && { labels: parted.labels }),
    }),
    parallel,
    ended: () => rules.onFold?.(++ended, whole ? count : undefined),
    complete: (own) => ({
      ...{ threads, seed, ...own, ...parted.told },
      ...(typeof groups === 'string' && { ignore: [...(own.ignore ?? []), groups] }),
    }),
  };
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, … for options that no training takes, and a metric that their models have not */
export function checkTraining({ data, complete }: Setting, options: AnyOptions, metric: Metric = 'loss'): void {
  checkOwn(options);
  const all = complete(options);
  data.optionsOn(NOBODY, all);
  train(data.whole as never, all as never);
  checkMetric(metric, metricsOfLoss(all.loss ?? data.loss, all.calibrate), 'metric');
}

const NOBODY = new Int32Array(0);

/** Trains on all samples but those of a fold (or on some of these), and judges by those. */
export async function judgeFold(
  { data, complete, ended }: Setting,
  options: AnyOptions,
  {
    rows,
    trained,
    signal,
  }: { readonly rows: Int32Array; readonly trained: Int32Array; readonly signal?: AbortSignal | undefined },
): Promise<Fold> {
  const told = complete(options);
  const all = { ...data.optionsOn(trained, told), ...(signal && { signal }) };
  const {
    model: made,
    status,
    iterations,
    seconds,
  } = await fit((await data.part(trained, told)) as never, all as never);
  using model = made as Model;
  throwIfAborted(signal, 'Cross-validation');
  const scores = status.kind === 'diverged' ? undefined : await model.evaluate((await data.part(rows)) as never);
  const found = {
    rows: Array.from(rows),
    ...(scores && { scores: scores as Evaluation }),
    status,
    iterations,
    seconds,
  };
  await ended();
  return found;
}

export function othersOf(samples: number, rows: Int32Array): Int32Array {
  const held = new Uint8Array(samples);
  for (let i = 0; i < rows.length; i += 1) held[rows[i] as number] = 1;
  const others = new Int32Array(samples - rows.length);
  for (let i = 0, at = 0; i < samples; i += 1) if (held[i] === 0) others[at++] = i;
  return others;
}

export function spreadsOf(folds: readonly Fold[]): Spreads {
  const spread = (metric: Metric): readonly (readonly [Metric, Spread])[] => {
    const values = folds.flatMap(({ scores }) => (scores as Metrics | undefined)?.[metric] ?? []);
    if (values.length === 0) return [];
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const sd = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0;
    return [[metric, { mean, sd, se: sd / Math.sqrt(values.length), folds: values.length }]];
  };
  return Object.fromEntries(METRIC_NAMES.flatMap(spread));
}

/** mean ± sd of the metrics, a line each. */
export const spreadLines = (scores: Spreads): readonly string[] =>
  aligned([
    ['', 'mean', 'sd', 'se'],
    ...METRIC_NAMES.flatMap((name) => {
      const found = scores[name];
      return found && isTelling(name, found.mean)
        ? [[METRICS[name].title, ...[found.mean, found.sd, found.se].map(numberText)]]
        : [];
    }),
  ]);

function textOf({ folds, scores }: Omit<CrossValidation, 'toString'>): string {
  const diverged = folds.filter(({ status }) => status.kind === 'diverged').length;
  return [
    `${folds.length} folds${diverged > 0 ? `, of which ${diverged} diverged and are left out` : ''}`,
    ...spreadLines(scores),
  ].join('\n');
}

/**
 * Trains once a fold on all samples but those of the fold, and judges by those: what a model by these options is worth, and by how
 * much that varies. Whatever is learnt of samples (encodings, scales, when to stop) is learnt of those that are trained on.
 *
 *     const { scores } = await crossValidate('customers.csv', { target: 'churned' }, { folds: 10 });
 *     console.log(scores.rocAuc); // { mean, sd, se, folds }
 *
 * @param data as `fit` takes it, graphs left out
 * @param options as `fit` takes them
 * @throws DlAdmmError rejects with any code that `fit` can reject with, and ERR_DLADMM_ABORTED
 */
export async function crossValidate(
  data: Data,
  options: AnyOptions = {},
  rules: FoldOptions = {},
): Promise<CrossValidation> {
  checkObject(options, 'an object', 'options');
  const setting = await settingOf(data, options, readOptions(FOLDS, rules, 'rules'), true);
  checkTraining(setting, options);
  const found: Fold[] = [];
  const { folds, data: all } = setting;
  await inParallel(setting.parallel, rules.signal, function* (signal) {
    for (const [i, rows] of folds.entries()) {
      yield async () => {
        found[i] = await judgeFold(setting, options, { rows, trained: othersOf(all.samples, rows), signal });
      };
    }
  });
  if (found.every(({ scores }) => scores === undefined)) {
    const text = 'Expected a training that converges but every fold diverged: a smaller learningRate may help';
    throw new DlAdmmError('ERR_DLADMM_NON_FINITE', text);
  }
  return printable({ scores: spreadsOf(found), folds: found }, textOf);
}
