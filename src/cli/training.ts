import { DlAdmmError } from '../core/errors.js';
import type { Model } from '../model/model.js';
import type { Metrics } from '../network/metrics.js';
import type { Loss } from '../network/network.js';
import { liesInUnitInterval } from '../samples/standardise.js';
import { SAMPLE_SOLVERS, type TrainOptions } from '../solvers/index.js';
import type { AnyRecord } from '../solvers/records.js';
import { type AnySolver, chosenSolver, schemaOf } from '../solvers/shared/descriptor.js';
import type { CheckpointOptions, CheckpointPlan } from '../solvers/shared/options.js';
import { begin } from '../training/fit.js';
import { planOf } from '../training/plan.js';
import type { FitResult, TrainingData } from '../training/result.js';
import { type ResumeOptions, resumeTraining } from '../training/resume.js';
import type { Training } from '../training/training.js';
import { defaultLayers } from './defaults.js';
import { interruptionOf } from './interruption.js';
import { percent, startProgress } from './progress.js';
import type { Part, TrainingSamples } from './samples.js';
import type { Terminal } from './terminal.js';

/** What a solver is told, without the parts that the samples decide. */
type Unfinished = Readonly<Record<string, unknown>> & {
  readonly solver?: string | AnySolver;
  readonly loss?: Exclude<Loss, 'squared-error'>;
};

type AnyResult = FitResult<AnyRecord>;
type AnyTraining = Training<AnyRecord>;

/** A training as the command line runs one. */
export interface Job {
  readonly samples: TrainingSamples;
  readonly options: Unfinished;
  readonly layers?: readonly number[];
  /** The model that training goes on from. */
  readonly from?: Model;
  readonly checkpoint?: CheckpointOptions;
  /** The training to go on with: its file, what was given again, and the options that this comes to. */
  readonly resume?: { readonly path: string; readonly again: ResumeOptions; readonly options: TrainOptions };
  /** Default: unless every feature lies in [0, 1]. */
  readonly standardise?: boolean;
  /** Seconds after which no further iteration is begun. */
  readonly timeLimit?: number;
  /** The file for the model. */
  readonly save?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** How a training ended, in the words of the JSON output. */
export type Ending = FitResult['status']['kind'] | 'time-limit';

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
export function iterationJson(iteration: AnyRecord): string {
  const { updates: _, ...record } = { updates: undefined, ...iteration };
  return `${JSON.stringify(record)}\n`;
}

export function metricsJson(name: 'test' | 'train', { accuracy, loss }: Metrics): Readonly<Record<string, number>> {
  return { ...(accuracy !== undefined && { [`${name}Accuracy`]: accuracy }), [`${name}Loss`]: loss };
}

/** The loss of classes that a solver goes with by itself. */
const defaultLoss = ({ solver }: Unfinished): Loss =>
  schemaOf(chosenSolver(solver, SAMPLE_SOLVERS, 'samples')).loss?.default as Loss;

/** Metrics in words. */
export const metricsText = ({ accuracy, loss }: Metrics): string =>
  accuracy === undefined ? `loss ${loss.toPrecision(6)}` : `accuracy ${percent(accuracy)}, loss ${loss.toPrecision(6)}`;

export const ENDINGS: Readonly<Record<Ending, string>> = {
  completed: '',
  'early-stopped': ', stopped early',
  aborted: ', stopped on request',
  'time-limit': ', stopped at the time limit',
  diverged: ', diverged',
};

/** A model that goes on learning must be told of the same classes by the same numbers. */
function checkSameClasses({ from, samples: { classes, name } }: Job): void {
  if (!from?.classes || !classes || from.classes.join('\n') === classes.join('\n')) return;
  throw new DlAdmmError(
    'ERR_DLADMM_LABEL',
    `Expected the classes ${from.classes.join(', ')} of the model of --from in ${name} but received ${classes.join(', ')}`,
  );
}

/** The options of a training, with what the samples decide; as they were, where it goes on. */
function trainOptionsOf(job: Job, signal: AbortSignal): TrainOptions {
  checkSameClasses(job);
  const { samples, options, checkpoint, resume } = job;
  const { classes, name } = samples;
  if (resume) return { ...resume.options, signal };
  if (!classes && options.loss !== undefined) {
    throw new DlAdmmError(
      'ERR_DLADMM_ARGUMENT',
      `Expected classes for --loss ${options.loss}, but ${name} has targets`,
    );
  }
  return {
    ...options,
    layers: checkedLayers(job),
    loss: classes ? (options.loss ?? defaultLoss(options)) : 'squared-error',
    ...(classes && { classes }),
    standardise: job.standardise ?? !liesInUnitInterval(samples.train.x),
    ...(checkpoint && { checkpoint }),
    ...(job.from && { initialisation: job.from }),
    signal,
  } as TrainOptions;
}

async function started(job: Job, options: TrainOptions, data: TrainingData): Promise<AnyTraining> {
  if (!job.resume) return begin(data, options);
  const { path, again } = job.resume;
  const { classes } = job.samples;
  const { signal } = options;
  const { standardise } = job;
  return resumeTraining(path, data, {
    ...again,
    ...(classes && { classes }),
    ...(standardise !== undefined && { standardise }),
    ...(signal && { signal }),
  });
}

const announcement = ({ path, every }: CheckpointPlan, bytes: number): string =>
  `dladmm: a checkpoint of ${(bytes / 1e6).toFixed(1)} MB goes to ${path} every ${every === 1 ? 'iteration' : `${every} iterations`}\n`;

/**
 * Trains, shows how it goes, saves the model, tells the outcome, and answers with the exit code.
 *
 * @throws DlAdmmError whatever training and saving can cause
 */
export async function runTraining(job: Job, terminal: Terminal): Promise<number> {
  const { samples, save, json, quiet, timeLimit } = job;
  const { classes, columns, name } = samples;
  const known = (part: Part) => ({ ...part, ...(classes && { classes }), ...(columns && { columns }) });
  const options = trainOptionsOf(job, terminal.signal);
  const { iterations, checkpoint } = planOf(options);
  const training = await started(job, options, {
    ...known(samples.train),
    ...(samples.validation && { validation: known(samples.validation) }),
    ...(samples.test && { test: known(samples.test) }),
  });
  const progress = startProgress(terminal, iterations, timeLimit);
  let outOfTime = false;
  const began = performance.now();
  const acknowledge = (): void => {
    progress.end();
    if (interruptionOf(terminal.signal)?.why.startsWith('SIG')) {
      terminal.err(
        checkpoint
          ? 'dladmm: stopping with a checkpoint at the end of the iteration at work; once more ends at once\n'
          : 'dladmm: stopping at the end of the update at work; once more ends at once\n',
      );
    }
  };
  terminal.signal.addEventListener('abort', acknowledge, { once: true });
  let announced = checkpoint === undefined || quiet === true;
  try {
    for await (const record of training) {
      if (!announced) terminal.err(announcement(checkpoint as CheckpointPlan, training.checkpointBytes));
      announced = true;
      if (!quiet && json) await terminal.out(iterationJson(record));
      // Since the command began: what a training took before it was interrupted is its own affair.
      const elapsed = (performance.now() - began) / 1000;
      if (!quiet && !json) progress.show({ ...record, elapsed });
      outOfTime = timeLimit !== undefined && elapsed >= timeLimit;
      if (outOfTime) break;
    }
  } catch (error) {
    progress.end();
    await rescue(training, job, terminal);
    throw error;
  } finally {
    terminal.signal.removeEventListener('abort', acknowledge);
    progress.end();
  }
  const { result } = training;
  const { model } = result;
  try {
    // A model that has learnt nothing must not take the place of one that has.
    const saved = result.iterations > 0 ? save : undefined;
    if (saved !== undefined) await model.save(saved, { data: name, iterations: String(result.iterations) });
    const judged = samples.test ? 'test' : 'train';
    const metrics = await model.evaluate(known(samples.test ?? samples.train));
    const ending: Ending = outOfTime && result.status.kind === 'aborted' ? 'time-limit' : result.status.kind;
    const written = result.iterations > 0 && ending !== 'diverged' ? checkpoint?.path : undefined;
    if (json)
      await terminal.out(resultJson(result, ending, { saved, written }, metricsJson(judged, metrics), model, job));
    else await terminal.out(resultText(result, ending, { saved, written }, `${judged} ${metricsText(metrics)}`, job));
    if (result.status.kind === 'diverged') terminal.err(divergedText(result.status));
    return result.status.kind === 'diverged' ? 1 : (interruptionOf(terminal.signal)?.exitCode ?? 0);
  } finally {
    model.close();
  }
}

/** A checkpoint that could not be written (a full disk) ends a training, but the model need not be lost with it. */
async function rescue(training: AnyTraining, { save, samples }: Job, terminal: Terminal): Promise<void> {
  if (save === undefined) return;
  try {
    const { model, iterations } = training.result;
    if (iterations === 0) return;
    await model.save(save, { data: samples.name, iterations: String(iterations) });
    model.close();
    terminal.err(`dladmm: the model of iteration ${iterations} is saved to ${save} all the same\n`);
  } catch {
    // The error that ended the training is the one to tell.
  }
}

/** What was written. */
interface Files {
  readonly saved: string | undefined;
  readonly written: string | undefined;
}

function resultJson(
  { status, seconds, iterations }: AnyResult,
  ending: Ending,
  { saved, written }: Files,
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
    ...(written !== undefined && { checkpoint: written }),
  })}\n`;
}

function resultText(
  { status, seconds, iterations }: AnyResult,
  ending: Ending,
  { saved, written }: Files,
  metrics: string,
  { save }: Job,
): string {
  const best = status.kind === 'early-stopped' ? ` (the best was iteration ${status.bestIteration})` : '';
  const times = iterations === 1 ? '1 iteration' : `${iterations} iterations`;
  const unsaved = save === undefined ? [] : [`no iteration ran to its end, so ${save} was not written`];
  return `${[
    `${metrics} after ${times} in ${seconds.toFixed(1)} s${ENDINGS[ending]}${best}`,
    ...(saved === undefined ? unsaved : [`model saved to ${saved}`]),
    ...(written === undefined || ending === 'completed'
      ? []
      : [`it goes on from here with --resume ${written} and the same data`]),
  ].join('\n')}\n`;
}

export function divergedText({ iteration, update }: Extract<FitResult['status'], { kind: 'diverged' }>): string {
  return (
    `dladmm: diverged in iteration ${iteration}: ${update ? `the update of ${update.block}_${update.layer}` : 'it'} met a ` +
    'value that is not finite; the model is the last finite one (standardised data, --dtype float64 or other penalties may help)\n'
  );
}
