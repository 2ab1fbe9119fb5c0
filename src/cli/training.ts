import { DlAdmmError } from '../errors.js';
import { Model } from '../model.js';

import type { Loss } from '../network.js';
import { planOf, type TrainOptions } from '../plan.js';
import type { AnyRecord, EpochRecord, Metrics, SigmoidRecord } from '../record.js';
import { foldStandardisation, learnStandardisation, liesInUnitInterval, standardise } from '../standardise.js';
import { type FitResult, train } from '../training.js';
import { defaultLayers } from './defaults.js';
import { interruptionOf } from './interruption.js';
import { percent, startProgress } from './progress.js';
import type { Part, TrainingSamples } from './samples.js';
import type { Terminal } from './terminal.js';

/** Options without the parts that the samples decide, solver by solver. */
type Unfinished<O> = O extends TrainOptions
  ? Omit<O, 'layers' | 'loss' | 'classes' | 'signal' | 'onIteration'> & {
      readonly loss?: Exclude<Loss, 'squared-error'>;
    }
  : never;

type AnyResult = FitResult | FitResult<SigmoidRecord> | FitResult<EpochRecord>;

/** A training as the command line runs one. */
export interface Job {
  readonly samples: TrainingSamples;
  readonly options: Unfinished<TrainOptions>;
  readonly layers?: readonly number[];
  /** Default: unless every feature lies in [0, 1]. */
  readonly standardize?: boolean;
  /** Seconds after which no further iteration is begun. */
  readonly timeLimit?: number;
  /** The file for the model. */
  readonly save?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** How a training ended, in the words of the JSON output. */
type Ending = FitResult['status']['kind'] | 'time-limit';

function checkedLayers({ layers, samples }: Job): readonly number[] {
  const inputs = samples.train.x.columns;
  const { outputs, classes, name } = samples;
  if (layers === undefined) return defaultLayers(inputs, outputs, samples.train.x.rows);
  if (layers[0] !== inputs || layers.at(-1) !== outputs) {
    throw new DlAdmmError(
      'ERR_DLADMM_SHAPE',
      `Expected ${inputs}-…-${outputs} for --layers, as ${name} has ${inputs} features and ${outputs} ${classes ? 'classes' : 'targets'}, but received ${layers.join('-')}`,
    );
  }
  return layers;
}

/** One iteration as JSON; what each update did is left to the library. */
function iterationJson(iteration: AnyRecord): string {
  const { updates: _, ...record } = { updates: undefined, ...iteration };
  return `${JSON.stringify(record)}\n`;
}

function metricsJson(name: 'test' | 'train', { accuracy, loss }: Metrics): Readonly<Record<string, number>> {
  return { ...(accuracy !== undefined && { [`${name}Accuracy`]: accuracy }), [`${name}Loss`]: loss };
}

/** The loss of classes that a solver goes with by itself. */
const defaultLoss = ({ solver }: Job['options']): Loss =>
  solver === 'sigmoid-admm' ? 'one-hot-squared-error' : 'softmax-cross-entropy';

/** Metrics in words. */
export const metricsText = ({ accuracy, loss }: Metrics): string =>
  accuracy === undefined ? `loss ${loss.toPrecision(6)}` : `accuracy ${percent(accuracy)}, loss ${loss.toPrecision(6)}`;

const ENDINGS: Readonly<Record<Ending, string>> = {
  completed: '',
  'early-stopped': ', stopped early',
  aborted: ', stopped on request',
  'time-limit': ', stopped at the time limit',
  diverged: ', diverged',
};

/** The model that takes raw features, of a training that was given standardised ones. */
function unstandardised(model: Model, rule: Parameters<typeof foldStandardisation>[1], threads?: number): Model {
  const { network, dtype, classes } = model;
  return new Model({
    network,
    dtype,
    ...foldStandardisation(model, rule),
    ...(classes && { classes }),
    ...(threads !== undefined && { threads }),
  });
}

/**
 * Trains, shows how it goes, saves the model, tells the outcome, and answers with the exit code.
 *
 * @throws DlAdmmError whatever training and saving can cause
 */
export async function runTraining(job: Job, terminal: Terminal): Promise<number> {
  const { samples, options, save, json, quiet, timeLimit } = job;
  const { classes, name } = samples;
  if (!classes && options.loss !== undefined) {
    throw new DlAdmmError(
      'ERR_DLADMM_ARGUMENT',
      `Expected classes for --loss ${options.loss}, but ${name} has targets`,
    );
  }
  const trainOptions = {
    ...options,
    layers: checkedLayers(job),
    loss: classes ? (options.loss ?? defaultLoss(options)) : 'squared-error',
    ...(classes && { classes }),
    signal: terminal.signal,
  } as TrainOptions;
  const { dtype, iterations } = planOf(trainOptions);
  const rule =
    (job.standardize ?? !liesInUnitInterval(samples.train.x)) ? learnStandardisation(samples.train.x) : undefined;
  const prepared = (part: Part): Part => (rule ? { ...part, x: standardise(part.x, rule, dtype) } : part);
  const training = train(
    {
      ...prepared(samples.train),
      ...(samples.validation && { validation: prepared(samples.validation) }),
      ...(samples.test && { test: prepared(samples.test) }),
    },
    trainOptions,
  );
  const progress = startProgress(terminal, iterations, timeLimit);
  let outOfTime = false;
  const acknowledge = (): void => {
    progress.end();
    if (interruptionOf(terminal.signal)?.why.startsWith('SIG')) {
      terminal.err('dladmm: stopping at the end of the update at work; once more ends at once\n');
    }
  };
  terminal.signal.addEventListener('abort', acknowledge, { once: true });
  try {
    for await (const record of training) {
      if (!quiet && json) await terminal.out(iterationJson(record));
      if (!quiet && !json) progress.show(record);
      outOfTime = timeLimit !== undefined && record.elapsed >= timeLimit;
      if (outOfTime) break;
    }
  } finally {
    terminal.signal.removeEventListener('abort', acknowledge);
    progress.end();
  }
  const { result } = training;
  const model = rule ? unstandardised(result.model, rule, options.threads) : result.model;
  try {
    // A model that has learnt nothing must not take the place of one that has.
    const saved = result.iterations > 0 ? save : undefined;
    if (saved !== undefined) await model.save(saved, { data: name, iterations: String(result.iterations) });
    const judged = samples.test ? 'test' : 'train';
    const metrics = await model.evaluate(samples.test ?? samples.train);
    const ending: Ending = outOfTime && result.status.kind === 'aborted' ? 'time-limit' : result.status.kind;
    if (json) await terminal.out(resultJson(result, ending, saved, metricsJson(judged, metrics), model, job));
    else await terminal.out(resultText(result, ending, saved, `${judged} ${metricsText(metrics)}`, job));
    if (result.status.kind === 'diverged') terminal.err(divergedText(result.status));
    return result.status.kind === 'diverged' ? 1 : (interruptionOf(terminal.signal)?.exitCode ?? 0);
  } finally {
    model.close();
  }
}

function resultJson(
  { status, seconds, iterations }: AnyResult,
  ending: Ending,
  saved: string | undefined,
  metrics: Readonly<Record<string, number>>,
  model: Model,
  { samples }: Job,
): string {
  return `${JSON.stringify({
    status: ending,
    ...(status.kind === 'early-stopped' && { bestIteration: status.bestIteration }),
    ...(status.kind === 'diverged' && { diverged: { iteration: status.iteration, ...status.update } }),
    iterations,
    seconds,
    ...metrics,
    data: samples.name,
    layers: model.network.layers,
    model: saved ?? null,
  })}\n`;
}

function resultText(
  { status, seconds, iterations }: AnyResult,
  ending: Ending,
  saved: string | undefined,
  metrics: string,
  { save }: Job,
): string {
  const best = status.kind === 'early-stopped' ? ` (the best was iteration ${status.bestIteration})` : '';
  const times = iterations === 1 ? '1 iteration' : `${iterations} iterations`;
  const unsaved = save === undefined ? [] : [`no iteration ran to its end, so ${save} was not written`];
  return `${[
    `${metrics} after ${times} in ${seconds.toFixed(1)} s${ENDINGS[ending]}${best}`,
    ...(saved === undefined ? unsaved : [`model saved to ${saved}`]),
  ].join('\n')}\n`;
}

function divergedText({ iteration, update }: Extract<FitResult['status'], { kind: 'diverged' }>): string {
  return (
    `dladmm: diverged in iteration ${iteration}: ${update ? `the update of ${update.block}_${update.layer}` : 'it'} met a ` +
    'value that is not finite; the model is the last finite one (standardised data, --dtype float64 or other penalties may help)\n'
  );
}
