/** Which options of a training are best: random search, and successive halving of what it draws. */
import { onAbort, reached, unlessAborted } from '../core/abort.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { toJson } from '../core/json.js';
import { METRICS, type Metric } from '../judging/metrics.js';
import { aligned, numberText, printable } from '../judging/text.js';
import type { Model } from '../model/model.js';
import { type OptionsOf, readOptions } from '../network/schema.js';
import { heldOut } from '../samples/hold-out.js';
import type { AutoResult } from '../training/automatic.js';
import { fit } from '../training/fit.js';
import type { Report } from '../training/report.js';
import {
  checkTraining,
  type Fold,
  judgeFold,
  othersOf,
  type Setting,
  settingOf,
  spreadLines,
} from './cross-validate.js';
import { checksumOf, type Data } from './divided.js';
import { type AnyOptions, SEARCH } from './options.js';
import { inParallel } from './parallel.js';
import { type Identity, keptIn } from './search-file.js';
import { checkSpace, drawnOptions, type Nameless, optionsJson, type SearchSpace, varying } from './space.js';
import { byWorth, type Trial, trialOf } from './trial.js';

/** How a search goes. */
export type SearchOptions = Omit<OptionsOf<typeof SEARCH>, 'onTrial'> & {
  /** Called with every trial, when it has ended, and waited for; what it throws ends the search. */
  readonly onTrial?: (trial: Trial) => void;
};

/** What a search found: plain data. */
export interface SearchResult {
  readonly metric: Metric;
  /** The best of the trials that were trained on most samples; its value is a little hopeful, as it is the best of several. */
  readonly best: Trial;
  /** All trials, by their numbers. */
  readonly trials: readonly Trial[];
  /** Of one that was aborted before its first trial had ended, asking for `best` throws ERR_DLADMM_ABORTED. */
  readonly status: 'completed' | 'time-limit' | 'aborted';
  /** A table for people. */
  toString(): string;
}

/** The same, with the model of the best options. */
export interface RefittedSearch extends SearchResult {
  readonly model: Model;
  readonly report?: Report;
}

const TRIALS = 20;
/** By how much each round of halving has fewer trials and more samples. */
const FACTOR = 3;
/** Fewer samples than this say too little. */
const LEAST = 500;
/** So many draws have their options checked before the first trial. */
const CHECKED = 200;
/** So many trials are listed for people. */
const LISTED = 10;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
function checked(space: SearchSpace, options: SearchOptions) {
  checkSpace(space);
  const rules = readOptions(SEARCH, options);
  const { seconds, metric, method } = rules;
  const endless = seconds !== undefined && method === 'random';
  if (metric === 'loss' && varying(space).includes('loss')) {
    const text = 'a metric that says the same of every loss, such as accuracy or mae, as space.loss varies,';
    throw expected(text, 'metric', metric);
  }
  return { ...rules, trials: rules.trials ?? (endless ? Number.POSITIVE_INFINITY : TRIALS) };
}

/** The shares of the samples that the rounds train on; a round has a third of the trials of the one before. */
function roundsOf(method: 'random' | 'halving', trials: number, samples: number): readonly number[] {
  const most = Math.floor(Math.log(Math.min(trials, samples / LEAST)) / Math.log(FACTOR) + 1e-9);
  const rounds = method === 'halving' ? Math.max(0, most) + 1 : 1;
  return Array.from({ length: rounds }, (_, i) => FACTOR ** (i + 1 - rounds));
}

/** A share of some samples, the same of every class. */
async function shareOf({ data }: Setting, rows: Int32Array, share: number, seed: number): Promise<Int32Array> {
  if (share === 1) return rows;
  const labels = data.labels && Array.from(rows, (row) => data.labels?.[row]);
  return (await heldOut(rows.length, labels, share, seed)).held.map((i) => rows[i] as number);
}

function* numbersTo(trials: number): Generator<number> {
  for (let number = 1; number <= trials; number += 1) yield number;
}

/** The options of trial 1, 2, …; undefined where the space has no more. */
function memory(draws: Iterator<Readonly<Record<string, unknown>>>) {
  const drawn: Readonly<Record<string, unknown>>[] = [];
  return (number: number): Readonly<Record<string, unknown>> | undefined => {
    for (let next = draws; drawn.length < number; ) {
      const { value, done } = next.next();
      if (done) return undefined;
      drawn.push(value);
    }
    return drawn[number - 1];
  };
}

/** The options that are as they are, and what the others are drawn from. */
function partedSpace(space: SearchSpace) {
  const changing = varying(space);
  const of = (kept: (name: string) => boolean): SearchSpace =>
    Object.fromEntries(Object.entries(space).filter(([name]) => kept(name)));
  return {
    fixed: of((name) => !changing.includes(name)) as AnyOptions,
    changing: of((name) => changing.includes(name)),
  };
}

/** What a file has of what is in no JSON: of a function nothing, of parameters their checksum. */
function storedName(value: Nameless): string {
  if (typeof value === 'function') return '(a function)';
  if (typeof value === 'bigint') return `${value}n`;
  const all = [...value.weights, ...value.biases];
  return checksumOf(all.map((part) => new Uint8Array(Float64Array.from(part).buffer)));
}

/** What a file has to be of, to go on from it. */
async function identityOf({ data, folds }: Setting, space: SearchSpace, rules: Identity): Promise<Identity> {
  return {
    samples: await data.checksum(),
    space: JSON.parse(optionsJson(space, storedName)) as unknown,
    folds: checksumOf(folds.map(({ buffer }) => new Uint8Array(buffer))),
    ...rules,
  };
}

/**
 * Tries options of a training that are drawn from a space, judges each by cross-validation, and tells the best. The same seed
 * draws the same options and gives the same scores, however many trainings are at work at once.
 *
 *     const space = { target: 'churned', hidden: [[64], [100, 100]], learningRate: logUniform(1e-4, 1e-1) };
 *     const { best } = await search('customers.csv', space, { trials: 20, seconds: 60 });
 *     const { model } = await fit('customers.csv', { target: 'churned', ...best.options });
 *
 * @param data as `fit` takes it, graphs left out
 * @param space options as `fit` takes them, each as it is or what it is drawn from
 * @throws DlAdmmError rejects before the first trial with ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for options that no training takes;
 *   ERR_DLADMM_FORMAT, ERR_DLADMM_CHECKPOINT, ERR_DLADMM_FILE for the file;
 *   and with any code that `fit` can reject with
 */
export async function search(
  data: Data,
  space: SearchSpace,
  options: SearchOptions & { readonly refit: true },
): Promise<RefittedSearch>;
export async function search(data: Data, space: SearchSpace, options?: SearchOptions): Promise<SearchResult>;
export async function search(data: Data, space: SearchSpace, options: SearchOptions = {}): Promise<SearchResult> {
  const rules = checked(space, options);
  const { metric, method, trials, seed, seconds, signal, refit, resume } = rules;
  const { fixed, changing } = partedSpace(space);
  const setting = await unlessAborted(signal, () => settingOf(data, fixed, rules));
  if (setting === undefined) return endedEarly(signal, metric);
  const optionsOf = memory(drawnOptions(changing, seed));
  // A slip should not cost the time of the trials before it.
  for (const number of numbersTo(Math.min(trials, CHECKED))) {
    const own = optionsOf(number);
    if (own) checkTraining(setting, { ...fixed, ...own }, metric);
  }
  const kept = await keptIn(resume, () => identityOf(setting, space, { seed, metric, method }));
  const stop = new AbortController();
  const forget = onAbort(signal, () => stop.abort(signal?.reason));
  const ended = new Map<number, Trial>();
  let late = false;
  const hurry = (): void => {
    if (late && ended.size > 0) stop.abort();
  };
  const timer = setTimeout(
    () => {
      late = true;
      hurry();
    },
    Math.min(1000 * (seconds ?? Number.POSITIVE_INFINITY), 2 ** 31 - 1),
  );
  const end = async (trial: Trial, known: boolean): Promise<void> => {
    if (!known) await kept.add(trial);
    ended.set(trial.number, trial);
    await options.onTrial?.(trial);
    hurry();
  };

  /** The trials of a round, folds side by side. */
  const tasksOf = async (numbers: Iterable<number>, share: number) => {
    const parts = await Promise.all(
      setting.folds.map((rows) => shareOf(setting, othersOf(setting.data.samples, rows), share, seed)),
    );
    const samples = Math.max(...parts.map(({ length }) => length));
    return function* (signal: AbortSignal): Generator<() => Promise<void>> {
      for (const number of numbers) {
        const own = optionsOf(number);
        if (own === undefined || signal.aborted) return;
        const known = kept.trials.find((trial) => trial.number === number && trial.samples === samples);
        // A file has no functions, nor models.
        if (known) yield () => end({ ...known, options: own }, true);
        const folds: Fold[] = [];
        for (const [i, rows] of known ? [] : setting.folds.entries()) {
          yield async () => {
            const trained = parts[i] as Int32Array;
            folds[i] = await judgeFold(setting, { ...fixed, ...own }, { rows, trained, signal });
            if (Object.keys(folds).length === parts.length)
              await end(trialOf(number, own, samples, folds, metric), false);
          };
        }
      }
    };
  };

  try {
    let numbers: Iterable<number> = numbersTo(trials);
    let most = Number.POSITIVE_INFINITY;
    for (const share of roundsOf(method, trials, setting.data.samples - (setting.folds[0]?.length ?? 0))) {
      await inParallel(setting.parallel, stop.signal, await tasksOf(numbers, share));
      most = Math.ceil(Math.min(most, ended.size) / FACTOR);
      const best = [...ended.values()].toSorted(byWorth(metric)).slice(0, most);
      numbers = best.map(({ number }) => number).toSorted((a, b) => a - b);
    }
  } catch (error) {
    const ours = stop.signal.aborted && error instanceof DlAdmmError && error.code === 'ERR_DLADMM_ABORTED';
    if (!ours) throw error;
  } finally {
    clearTimeout(timer);
    forget();
  }
  if (signal?.aborted && ended.size === 0) return endedEarly(signal, metric);
  const best = [...ended.values()].toSorted(byWorth(metric)).find(({ value }) => value !== undefined);
  if (best === undefined) {
    const what = 'Expected a trial that converges but every one diverged: smaller learning rates may help';
    throw new DlAdmmError('ERR_DLADMM_NON_FINITE', what);
  }
  const status = signal?.aborted ? 'aborted' : stop.signal.aborted ? 'time-limit' : 'completed';
  const found = { metric, best, trials: [...ended.values()].toSorted((a, b) => a.number - b.number), status } as const;
  if (!refit) return printable(found, textOf);
  if (status === 'aborted') return reached(signal, printable(found, textOf), ['model', 'report']);
  const told = setting.complete({ ...fixed, ...best.options });
  // The whole says what its classes are, and may have all threads.
  const all = { ...told, classes: fixed.classes, threads: fixed.threads, ...(signal && { signal }) };
  const result = (await fit(setting.data.whole as never, all as never)) as AutoResult;
  const { model, report } = result.status.kind === 'aborted' ? {} : result;
  if (model === undefined)
    return reached(signal, printable({ ...found, status: 'aborted' }, textOf), ['model', 'report']);
  return printable({ ...found, model, ...(report && { report }) }, textOf);
}

/** What a search gives that was aborted before its first trial had ended. */
const endedEarly = (signal: AbortSignal | undefined, metric: Metric) =>
  reached(
    signal,
    printable({ metric, trials: [], status: 'aborted' } as const, () => '0 trials, aborted'),
    ['best', 'model', 'report'],
  );

function textOf({ metric, best, trials, status }: Omit<SearchResult, 'toString'>): string {
  const shown = trials.toSorted(byWorth(metric)).slice(0, LISTED);
  const rows = shown.map(({ number, value, scores, samples }) => [
    ...[String(number), value === undefined ? 'diverged' : numberText(value), numberText(scores[metric]?.sd ?? 0)],
    String(samples),
  ]);
  const table = aligned([['trial', METRICS[metric].title, 'sd', 'samples'], ...rows]);
  return [
    `${trials.length} trials, ${status}; the best by ${METRICS[metric].title}:`,
    ...table.map((line, i) => `${line}  ${i === 0 ? 'options' : toJson(shown[i - 1]?.options)}`),
    '',
    `trial ${best.number}:`,
    ...spreadLines(best.scores),
  ].join('\n');
}
