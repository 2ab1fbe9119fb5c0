import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { present } from '../core/objects.js';
import { checkWritable, writeFileAtomic } from '../formats/atomic-file.js';
import type { GraphModel } from '../model/graph-model.js';
import type { Model } from '../model/model.js';
import { MODEL } from '../model/model-file.js';
import type { Metrics } from '../network/metrics.js';
import { live } from '../report/live.js';
import { PAGE, report, type Trained } from '../report/page-of-training.js';
import { openRun } from '../report/runs.js';
import { openTrace, traceFile } from '../report/trace.js';
import type { AnyRecord } from '../solvers/records.js';
import type { CheckpointPlan } from '../solvers/shared/options.js';
import type { AutoResult, AutoTraining } from '../training/automatic.js';
import { CHECKPOINT } from '../training/checkpoint/file.js';
import type { FitResult } from '../training/result.js';
import type { Training } from '../training/training.js';
import { interruptionOf } from './interruption.js';
import { percent, startProgress, telling } from './progress.js';
import { checkTarget } from './samples.js';
import type { Terminal } from './terminal.js';

/** How a training is to be shown and kept. */
export interface Showing {
  /** Seconds after which no further iteration is begun. */
  readonly timeLimit?: number;
  /** The file for the model. */
  readonly save?: string;
  /** The file for a page about the training. */
  readonly report?: string;
  /** The folder for a record of the run. */
  readonly runs?: string;
  /** The file for what every update did. */
  readonly trace?: string;
  /** Whether a page follows it. */
  readonly live?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export type Running<M> = AsyncIterable<AnyRecord> &
  Partial<Pick<AutoTraining, 'phase'>> &
  Pick<Training<AnyRecord, M>, 'checkpointBytes' | 'checkpointSoon' | 'samples'> & {
    measureUpdates(): unknown;
    measureColumns?(): unknown;
    readonly result: FitResult<AnyRecord, M> & Partial<Pick<AutoResult, 'report'>>;
  };

/** A training as the command line runs one, on samples or on a graph. */
export interface Run<M extends Model | GraphModel> extends Showing {
  /** What the data are called. */
  readonly name: string;
  /** How many there will be, where it is known. */
  readonly iterations?: number;
  readonly checkpoint?: CheckpointPlan;
  /** What the training was told. */
  readonly told: object;
  readonly begin: () => Promise<Running<M>>;
  /** What the model is told to be worth, and on which part of the data. */
  readonly judge?: (model: M, history: readonly AnyRecord[]) => Promise<readonly [part: Part, metrics: Metrics]>;
}

/** Finds out before a long work whether all that it is to write can be written. @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_ARGUMENT */
export async function checkOutputs(
  { save, checkpoint, report, trace, runs }: Showing & { readonly checkpoint?: string },
  inputs: readonly string[],
): Promise<void> {
  if (save !== undefined) await checkTarget(save, inputs, MODEL);
  if (checkpoint !== undefined) await checkTarget(checkpoint, inputs, CHECKPOINT);
  if (report !== undefined) await checkTarget(report, inputs, PAGE);
  if (trace !== undefined) await checkTarget(trace, inputs, traceFile(trace));
  if (runs === undefined) return;
  // The folder is made when the training begins: what is there already of its path says whether it can be.
  let there = resolve(runs);
  while (!existsSync(there)) there = dirname(there);
  await checkWritable(join(there, '.run.jsonl'));
}

type Part = 'test' | 'train' | 'validation';

/** How a training ended, in the words of the JSON output. */
type Ending = FitResult['status']['kind'] | 'time-limit';
type AnyResult = FitResult<AnyRecord, Model | GraphModel>;

/** One iteration, as it is written down; what each update did is left to the library. */
function written(iteration: AnyRecord, phase: AutoTraining['phase']): AnyRecord {
  const { updates: _, ...record } = { updates: undefined, ...iteration };
  return { ...(phase && phase.of > 1 && { network: phase.name }), ...record } as AnyRecord;
}

/** Whose iterations follow, where several networks are trained. */
const CALLED = { linear: 'linear model  ', network: 'network  ' } as const;

function metricsJson(name: Part, { accuracy, loss }: Metrics): Readonly<Record<string, number>> {
  return { ...(accuracy !== undefined && { [`${name}Accuracy`]: accuracy }), [`${name}Loss`]: loss };
}

export const metricsText = ({ accuracy, loss }: Metrics): string =>
  accuracy === undefined ? `loss ${loss.toPrecision(6)}` : `accuracy ${percent(accuracy)}, loss ${loss.toPrecision(6)}`;

const ENDINGS: Readonly<Record<Ending, string>> = {
  completed: '',
  'early-stopped': ', stopped early',
  aborted: ', stopped on request',
  'time-limit': ', stopped at the time limit',
  diverged: ', diverged',
};

const announcement = ({ path, every }: CheckpointPlan, bytes: number): string =>
  `dladmm: a checkpoint of ${(bytes / 1e6).toFixed(1)} MB goes to ${path} every ${every === 1 ? 'iteration' : `${every} iterations`}\n`;

/**
 * Trains, shows how it goes, saves the model, tells the outcome, and answers with the exit code.
 *
 * @throws DlAdmmError whatever training and saving can cause
 */
export async function run<M extends Model | GraphModel>(job: Run<M>, terminal: Terminal): Promise<number> {
  const { name, save, json, quiet, timeLimit, iterations, checkpoint } = job;
  const training = await job.begin();
  if (job.trace !== undefined) training.measureUpdates();
  if (job.report !== undefined) training.measureColumns?.();
  const kept = job.runs === undefined ? undefined : openRun(job.runs, name, job.told);
  const trace = job.trace === undefined ? undefined : openTrace(job.trace, name);
  const page = job.live
    ? await live(training, { title: name, settings: job.told, signal: terminal.signal })
    : undefined;
  if (page) terminal.err(`dladmm: a page follows this training: ${page.url}\n`);
  let progress = startProgress(terminal, iterations, timeLimit);
  let shown: AutoTraining['phase'];
  let outOfTime = false;
  const began = performance.now();
  const acknowledge = (): void => {
    progress.end();
    if (interruptionOf(terminal.signal)?.why.startsWith('SIG')) {
      terminal.err(
        checkpoint
          ? 'dladmm: stopping, with the last iteration in the checkpoint; once more ends at once\n'
          : 'dladmm: stopping at the end of the update at work; once more ends at once\n',
      );
    }
  };
  terminal.signal.addEventListener('abort', acknowledge, { once: true });
  let announced = checkpoint === undefined || quiet === true;
  try {
    for await (const record of begun(page ?? training, terminal, quiet === true || json === true)) {
      if (!announced) terminal.err(announcement(checkpoint as CheckpointPlan, training.checkpointBytes));
      announced = true;
      const { phase } = training;
      if (phase !== shown && phase) {
        progress.end();
        progress = startProgress(terminal, phase.iterations, timeLimit, phase.of > 1 ? CALLED[phase.name] : '');
        shown = phase;
      }
      const line = written(record, phase);
      kept?.write({ ...record, ...line });
      trace?.write(record);
      if (!quiet && json) await terminal.out(`${JSON.stringify(line)}\n`);
      // Since the command began: what a training took before it was interrupted is its own affair.
      const elapsed = (performance.now() - began) / 1000;
      if (!quiet && !json) progress.show({ ...record, elapsed }, training.samples);
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
    trace?.close();
    await page?.close();
  }
  const { result } = training;
  const { model } = result;
  try {
    // A model that has learnt nothing must not take the place of one that has.
    const saved = result.iterations > 0 ? save : undefined;
    if (saved !== undefined) await model.save(saved, { data: name, iterations: String(result.iterations) });
    if (job.report !== undefined) await writePage(job.report, result, job);
    const { report: scored } = result;
    const unknown = ['validation', scored?.scores ?? { loss: Number.NaN }] as const;
    const told = (['test', 'validation', 'train'] as const).flatMap((part) => {
      const scores = scored?.[part === 'validation' ? 'scores' : part];
      return scores ? [[part, scores] as const] : [];
    })[0];
    // The last finite parameters of a training that diverged may say what is not finite.
    const judging = told
      ? undefined
      : job.judge?.(model, result.history).catch((error: unknown) => {
          if (result.status.kind === 'diverged') return unknown;
          throw error;
        });
    const [judged, metrics] = told ?? (await judging) ?? unknown;
    const ending: Ending = outOfTime && result.status.kind === 'aborted' ? 'time-limit' : result.status.kind;
    const written = result.iterations > 0 && ending !== 'diverged' ? checkpoint?.path : undefined;
    const outcome = outcomeOf(result, ending, { saved, written }, metricsJson(judged, metrics), job);
    kept?.end({ ...outcome, network: model.network.layers.length === 2 ? 'linear' : 'network' });
    if (json) await terminal.out(`${JSON.stringify({ ...outcome, ...(kept && { run: kept.id }) })}\n`);
    else {
      if (scored && !quiet) await terminal.out(`${scored}\n`);
      await terminal.out(
        resultText(result, ending, { saved, written, run: kept?.id }, `${judged} ${metricsText(metrics)}`, job),
      );
    }
    // The report has told of them.
    if (json || quiet || !scored) for (const warning of result.warnings ?? []) terminal.err(`dladmm: ${warning}\n`);
    if (result.status.kind === 'diverged') terminal.err(divergedText(result.status));
    return result.status.kind === 'diverged' ? 1 : (interruptionOf(terminal.signal)?.exitCode ?? 0);
  } finally {
    model.close();
  }
}

/** The records of a training, of which the first may be long in coming: samples are encoded before it. */
async function* begun(
  records: AsyncIterable<AnyRecord>,
  terminal: Terminal,
  silent: boolean,
): AsyncGenerator<AnyRecord> {
  const rest = records[Symbol.asyncIterator]();
  try {
    let next = await (silent ? rest.next() : telling(terminal, 'getting ready', () => rest.next()));
    for (; !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/** What diverged, and what was stopped, may be looked at too. */
async function writePage(
  path: string,
  result: Trained,
  { name, told }: Pick<Run<Model>, 'name' | 'told'>,
): Promise<void> {
  const { signal: _, ...settings } = { signal: undefined, ...told };
  await writeFileAtomic(path, Buffer.from(report(result, { title: name, settings })), PAGE);
}

/** A checkpoint that could not be written (a full disk) ends a training, but the model need not be lost with it. */
async function rescue<M extends Model | GraphModel>(
  training: Running<M>,
  { name, save }: Run<M>,
  terminal: Terminal,
): Promise<void> {
  if (save === undefined) return;
  try {
    const { model, iterations } = training.result;
    if (iterations === 0) return;
    await model.save(save, { data: name, iterations: String(iterations) });
    model.close();
    terminal.err(`dladmm: the model of iteration ${iterations} is saved to ${save} all the same\n`);
  } catch {
    // The error that ended the training is the one to tell.
  }
}

interface Files {
  readonly saved: string | undefined;
  readonly written: string | undefined;
  readonly run?: string | undefined;
}

function outcomeOf(
  { status, seconds, iterations, model, warnings }: AnyResult,
  ending: Ending,
  { saved, written }: Files,
  metrics: Readonly<Record<string, number>>,
  { name }: Pick<Run<Model>, 'name'>,
): Readonly<Record<string, unknown>> {
  return {
    status: ending,
    ...(status.kind === 'early-stopped' && { bestIteration: status.bestIteration }),
    ...(status.kind === 'diverged' && { diverged: { iteration: status.iteration, ...status.update } }),
    iterations,
    seconds,
    ...metrics,
    data: name,
    layers: model.network.layers,
    ...present({ warnings }),
    model: saved ?? null,
    ...(written !== undefined && { checkpoint: written }),
  };
}

function resultText(
  { status, seconds, iterations }: AnyResult,
  ending: Ending,
  { saved, written, run }: Files,
  metrics: string,
  { save, report, trace }: Showing,
): string {
  const best = status.kind === 'early-stopped' ? ` (the best was iteration ${status.bestIteration})` : '';
  const times = iterations === 1 ? '1 iteration' : `${iterations} iterations`;
  const unsaved = save === undefined ? [] : [`no iteration ran to its end, so ${save} was not written`];
  return `${[
    `${metrics} after ${times} in ${seconds.toFixed(1)} s${ENDINGS[ending]}${best}`,
    ...(saved === undefined ? unsaved : [`model saved to ${saved}`]),
    ...(report === undefined ? [] : [`a page about it is ${report}: open it in a browser`]),
    ...(trace === undefined ? [] : [`what every update did is in ${trace}`]),
    ...(run === undefined ? [] : [`the run is kept as ${run}`]),
    ...(written === undefined || ending === 'completed'
      ? []
      : [`it goes on from here with --resume ${written} and the same data`]),
  ].join('\n')}\n`;
}

function divergedText({ iteration, update }: Extract<FitResult['status'], { kind: 'diverged' }>): string {
  return (
    `dladmm: diverged in iteration ${iteration}: ${update ? `the update of ${update.block}_${update.layer}` : 'it'} met a ` +
    'value that is not finite; the model is the last finite one (standardised data, --dtype float64 or other penalties may help)\n'
  );
}
