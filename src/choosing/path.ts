/**
 * How strong a regulariser is to be: one training after the other, from the least strength to the greatest, each from the weights
 * that the one before ended with.
 *
 * From the least, since a layer whose weights are all 0 has no gradient that would bring them back: from the greatest a network
 * with hidden layers would stay where nothing is left of it (so does LassoNet; Lemhadri, Ruan, Tibshirani, JMLR 2021).
 */
import { throwIfAborted } from '../core/abort.js';
import { checkKeys, checkObject } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { isObject, present } from '../core/objects.js';
import type { Evaluation } from '../judging/evaluation.js';
import { METRICS, type Metric, scoreOf } from '../judging/metrics.js';
import { aligned, numberText, printable } from '../judging/text.js';
import type { Model } from '../model/model.js';
import { type OptionsOf, readOptions } from '../network/schema.js';
import type { WeightTerms } from '../solvers/shared/regularise.js';
import { fit } from '../training/fit.js';
import { checkTraining, othersOf, type Setting, settingOf, spreadsOf } from './cross-validate.js';
import type { Data } from './divided.js';
import { type AnyOptions, PATH, type Strengths } from './options.js';
import { inParallel } from './parallel.js';

/** How a path goes. */
export type PathOptions = OptionsOf<typeof PATH>;

/** What is left of the weights of a network, and of its inputs. */
interface Left {
  /** The share of all weights that are 0. */
  readonly zeros: number;
  /** Inputs of which a weight is not 0. */
  readonly inputs: number;
}

/** One strength, and what it is worth. */
export interface PathPoint extends Left {
  readonly strength: number;
  /** The mean of the metric over the folds, on what was held out of each; undefined where a training diverged. */
  readonly value?: number;
  /** The standard error of that mean. */
  readonly se?: number;
}

/** What a path found: plain data. */
export interface PathResult {
  readonly metric: Metric;
  /** From the least strength to the greatest; zeros and inputs are means over the folds. */
  readonly points: readonly PathPoint[];
  /** The best by the metric. */
  readonly best: PathPoint;
  /** The greatest strength whose value is within one standard error of the best, or the best, as `rule` says. */
  readonly chosen: PathPoint;
  /** Trained on all samples up to the chosen strength, where `refit` is asked for. */
  readonly model?: Model;
  /** What the training of that model has to be looked at for, as a layer whose weights are all 0. */
  readonly warnings?: readonly string[];
  /** A table for people. */
  toString(): string;
}

const COUNT = 8;
const MOST = 1000;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
function strengthsOf(given: Strengths): readonly number[] {
  const isPositive = (value: unknown): value is number => Number.isFinite(value) && (value as number) > 0;
  if (typeof given === 'number' || Array.isArray(given)) {
    const all = [given].flat() as readonly number[];
    if (all.length > 0 && all.every(isPositive)) return all.toSorted((a, b) => a - b);
    throw expected('numbers > 0', 'strengths', given, 'ERR_DLADMM_RANGE');
  }
  checkObject(given, '[1e-4, 1e-3, …] or { from, to, count }', 'strengths');
  checkKeys(given, ['from', 'to', 'count'], 'strengths');
  const { from, to, count = COUNT } = given as Extract<Strengths, { readonly to: number }>;
  if (!isPositive(from) || !isPositive(to) || !(Number.isInteger(count) && count >= 2 && count <= MOST)) {
    throw expected(`{ from, to } above 0, and a count from 2 to ${MOST},`, 'strengths', given, 'ERR_DLADMM_RANGE');
  }
  const [least, most] = [Math.min(from, to), Math.max(from, to)];
  return Array.from({ length: count }, (_, i) => least * (most / least) ** (i / (count - 1)));
}

const STRENGTHS = ['l1', 'l2', 'inputs', 'neurons', 'nuclear'] as const satisfies readonly (keyof WeightTerms)[];

/** The terms of one layer with their strengths so many times as great; bounds stay. */
const times = (terms: WeightTerms, strength: number): WeightTerms =>
  Object.fromEntries(
    Object.entries(terms).map(([name, value]) => [
      name,
      STRENGTHS.includes(name as (typeof STRENGTHS)[number]) && typeof value === 'number' ? strength * value : value,
    ]),
  );

/** The same regulariser so many times as strong; what is none is left as it is, for the trainings to refuse. */
function regularisedBy({ regularise = {} }: AnyOptions, strength: number): AnyOptions {
  if (!isObject(regularise)) return { regularise };
  const { W = { l1: 1 } } = regularise;
  const stronger = (terms: unknown): unknown => (isObject(terms) ? times(terms, strength) : terms);
  return { regularise: { ...regularise, W: Array.isArray(W) ? W.map(stronger) : stronger(W) } } as AnyOptions;
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where no strength has an effect */
function checkStrong(options: AnyOptions): void {
  const { W } = regularisedBy(options, 1).regularise as { readonly W: unknown };
  const isStrong = (terms: unknown): boolean => isObject(terms) && STRENGTHS.some((name) => Number(terms[name]) > 0);
  if (![W].flat().some(isStrong)) throw expected(`a strength (${STRENGTHS.join(', ')})`, 'regularise.W', W);
}

/** How the training of the next strength begins. */
const from = (model: Model | undefined): AnyOptions =>
  model === undefined
    ? {}
    : ({ initialisation: model, ...(model.columns && { columns: model.columns }) } as AnyOptions);

function leftOf({ weights, network: { layers } }: Model): Left {
  const count = weights.reduce((sum, W) => sum + W.length, 0);
  let zeros = 0;
  for (const W of weights) for (const w of W) zeros += w === 0 ? 1 : 0;
  const [first] = weights;
  const [n = 0, m = 0] = layers;
  const used = (k: number): boolean => Array.from({ length: m }, (_, j) => first?.[j * n + k]).some((w) => w !== 0);
  return { zeros: zeros / count, inputs: Array.from({ length: n }, (_, k) => k).filter(used).length };
}

interface Ended {
  readonly left: Left;
  readonly scores?: Evaluation;
}

/** The trainings of a fold, one strength after the other. */
async function along(
  setting: Setting,
  options: AnyOptions,
  strengths: readonly number[],
  { rows, signal }: { readonly rows?: Int32Array; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly ended: readonly Ended[]; readonly model: Model; readonly warnings?: readonly string[] }> {
  const { data, complete } = setting;
  const trained = rows && othersOf(data.samples, rows);
  const part = trained ? await data.part(trained, options) : data.whole;
  const ended: Ended[] = [];
  let model: Model | undefined;
  let warnings: readonly string[] | undefined;
  for (const strength of strengths) {
    const told = complete({ ...options, ...regularisedBy(options, strength), ...from(model) });
    const all = { ...(trained ? data.optionsOn(trained, told) : told), ...(signal && { signal }) };
    const result = await fit(part as never, all as never);
    throwIfAborted(signal, 'The path');
    void model?.close();
    model = result.model as Model;
    warnings = result.warnings;
    const scores =
      rows && result.status.kind !== 'diverged' ? await model.evaluate((await data.part(rows)) as never) : undefined;
    ended.push({ left: leftOf(model), ...(scores && { scores: scores as Evaluation }) });
  }
  return { ended, model: model as Model, ...present({ warnings }) };
}

/**
 * Tries strengths of a regulariser, each judged by cross-validation, with warm starts from the least to the greatest, and tells
 * which to take: the greatest within one standard error of the best.
 *
 *     const { chosen, model } = await path('customers.csv', { solver: 'adam', target: 'churned', hidden: [20] },
 *       { strengths: { from: 1e-4, to: 1e-1 }, refit: true });
 *
 * @param data as `fit` takes it, graphs left out
 * @param options as `fit` takes them, of a solver that takes `regularise`; the strengths of its terms are multiplied by those of the
 *   path. { W: { l1: 1 } } where it is left out
 * @throws DlAdmmError rejects with any code that `fit` can reject with, and ERR_DLADMM_ABORTED
 */
export async function path(data: Data, options: AnyOptions, rules: PathOptions): Promise<PathResult> {
  checkObject(options, 'an object', 'options');
  const { strengths: given, metric, rule, refit, signal, ...folds } = readOptions(PATH, rules, 'rules');
  if (isObject(options.initialisation) && 'network' in options.initialisation) {
    throw expected('no model, as the path has its own,', 'initialisation', options.initialisation);
  }
  const strengths = strengthsOf(given);
  const setting = await settingOf(data, { ...options, ...regularisedBy(options, 1) }, { ...folds, signal } as never);
  for (const strength of strengths) checkTraining(setting, { ...options, ...regularisedBy(options, strength) }, metric);
  checkStrong(options);
  const found: (readonly Ended[])[] = [];
  await inParallel(setting.parallel, signal, function* (own) {
    for (const [i, rows] of setting.folds.entries()) {
      yield async () => {
        const { ended, model } = await along(setting, options, strengths, { rows, signal: own });
        void model.close();
        found[i] = ended;
        await setting.ended();
      };
    }
  });
  const points = strengths.map((strength, k): PathPoint => {
    const of = found.map((ended) => ended[k] as Ended);
    const mean = (what: keyof Left): number => of.reduce((sum, { left }) => sum + left[what], 0) / of.length;
    const whole = of.every(({ scores }) => scores !== undefined);
    const spread = spreadsOf(of as never)[metric];
    return {
      ...{ strength, zeros: mean('zeros'), inputs: mean('inputs') },
      ...(whole && spread && { value: spread.mean, se: spread.se }),
    };
  });
  const score = ({ value }: PathPoint): number =>
    value === undefined ? Number.NEGATIVE_INFINITY : scoreOf(metric, value);
  const best = points.reduce((a, b) => (score(b) > score(a) ? b : a));
  if (best.value === undefined) {
    const text = 'Expected a strength that converges but every training diverged: a smaller learningRate may help';
    throw new DlAdmmError('ERR_DLADMM_NON_FINITE', text);
  }
  const least = score(best) - (best.se ?? 0);
  const chosen = rule === 'best' ? best : (points.findLast((each) => score(each) >= least) as PathPoint);
  const told = { metric, points, best, chosen };
  if (!refit) return printable(told, textOf);
  const all = strengths.slice(0, points.indexOf(chosen) + 1);
  const { model, warnings } = await along(setting, options, all, { signal });
  return printable({ ...told, model, ...present({ warnings }) }, textOf);
}

function textOf({ metric, points, best, chosen, warnings = [] }: Omit<PathResult, 'toString'>): string {
  const rows = points.map((point) => [
    numberText(point.strength),
    `${(100 * point.zeros).toFixed(1)} %`,
    numberText(point.inputs),
    point.value === undefined ? 'diverged' : numberText(point.value),
    numberText(point.se ?? 0),
    [...(point === best ? ['best'] : []), ...(point === chosen ? ['chosen'] : [])].join(', '),
  ]);
  const lines = aligned([['strength', 'zeros', 'inputs', METRICS[metric].title, 'se', ''], ...rows]);
  return [...lines, ...warnings.map((warning) => `warning: ${warning}`)].join('\n');
}
