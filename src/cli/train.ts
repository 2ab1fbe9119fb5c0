import { resolve } from 'node:path';
import { DlAdmmError, expected } from '../core/errors.js';
import type { Metric } from '../judging/metrics.js';
import type { AnySolver } from '../solvers/shared/descriptor.js';
import { SEED } from '../solvers/shared/options.js';
import { AutoTraining, isAutomatic } from '../training/automatic.js';
import { planOf } from '../training/plan.js';
import { type ResumeOptions, resumedOptions } from '../training/resume.js';
import { beginningOf } from './exchange.js';
import { checkKind, type GraphFlags } from './graph.js';
import { type GraphJob, type GraphSolverOptions, trainGraph } from './graph-training.js';
import { checkTarget, filesOf, type SplitFlags, trainingSamples } from './samples.js';
import type { Terminal } from './terminal.js';
import { type Job, runOnRows, runTraining, type TableJob } from './training.js';

/** The flags of `dladmm train`. */
export interface TrainFlags extends SplitFlags, Partial<Omit<GraphFlags, 'seed'>> {
  /** What the solver is told. */
  readonly options: Readonly<Record<string, unknown>>;
  /** A name, or a file. */
  readonly solver?: string;
  readonly layers?: readonly number[];
  readonly hidden?: readonly number[];
  /** A column. */
  readonly weights?: string;
  readonly init?: unknown;
  /** A model file. */
  readonly from?: string;
  readonly standardise?: boolean;
  readonly timeLimit?: number;
  /** What early stopping watches. */
  readonly metric?: Metric;
  readonly save?: string;
  readonly checkpoint?: string;
  readonly checkpointEvery?: number;
  readonly resume?: string;
  readonly inexact?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const given = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;

/** What a training is told, layers left out. */
function optionsOf({ options, solver, earlyStopping: patience, metric }: TrainFlags, own?: AnySolver): Job['options'] {
  const { layers: _, ...rest } = options;
  return given({
    ...rest,
    solver: own ?? solver,
    earlyStopping: patience === undefined && metric === undefined ? undefined : given({ patience, metric }),
  }) as Job['options'];
}

/** The training that is to go on, and the options that were given again. */
async function resumptionOf(flags: TrainFlags, options: Job['options']): Promise<NonNullable<Job['resume']>> {
  const { resume: path = '', inexact, checkpoint, checkpointEvery: every } = flags;
  const again = given({
    ...options,
    layers: flags.layers,
    inexact,
    checkpoint:
      checkpoint === undefined && every === undefined ? undefined : given({ path: checkpoint ?? path, every }),
  }) as ResumeOptions;
  return { path, again, options: await resumedOptions(path, again) };
}

/** Without what belongs to another option. */
function checkPairs({ checkpoint, checkpointEvery, resume, inexact, save, from, init }: TrainFlags): void {
  const refuse = (what: string): DlAdmmError => new DlAdmmError('ERR_DLADMM_ARGUMENT', what);
  if (checkpointEvery !== undefined && checkpoint === undefined && resume === undefined) {
    throw refuse('Expected --checkpoint FILE with --checkpoint-every');
  }
  if (inexact && resume === undefined) throw refuse('Expected --resume FILE with --inexact');
  if (from !== undefined && resume !== undefined) throw refuse('Expected --from or --resume but received both');
  if (from !== undefined && init !== undefined) {
    throw refuse('Expected no --init with --from, which says where parameters begin');
  }
  const target = checkpoint ?? resume;
  if (save !== undefined && target !== undefined && resolve(save) === resolve(target)) {
    throw refuse(`Expected two different files for the model and the checkpoint but received ${save} for both`);
  }
}

/** A model has the layers that it has. */
function checkSameLayers({ from, layers }: TrainFlags, widths: readonly number[] | undefined): void {
  if (layers === undefined || widths === undefined || layers.join('-') === widths.join('-')) return;
  const text = `Expected ${widths.join('-')} for --layers, as in ${from}, but received ${layers.join('-')}`;
  throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
}

/** Flags that a table is not trained on with, as rows whose columns are to be learnt. */
const ELSEWHERE = [
  'from',
  'resume',
  'checkpoint',
  'testData',
  'testShare',
  'trainSamples',
  'labels',
  'layers',
  'delimiter',
  'header',
  'decimal',
  'encoding',
  'columns',
  'ignore',
] as const;
const NO_TABLE = /\.(?:np[yz]|idx\d?|safetensors)(?:\.gz)?$|-ubyte(?:\.gz)?$/i;

/** A file of rows to train on where everything is inferred; undefined where samples are split and encoded as flags say. */
function rowsOf(flags: TrainFlags, own: AnySolver | undefined) {
  const { data, label, task, hidden, validationShare, standardise, weights } = flags;
  const options = optionsOf(flags, own);
  const elsewhere = ELSEWHERE.some((name) => flags[name] !== undefined) || flags.categories !== undefined;
  if (
    (!isAutomatic(options) && weights === undefined) ||
    elsewhere ||
    typeof label !== 'string' ||
    NO_TABLE.test(data) ||
    filesOf(data).length === 0
  )
    return undefined;
  const all = given({ ...options, target: label, task, hidden, validationShare, standardise, weights });
  // A slip should not cost the time of reading.
  new AutoTraining(data, all);
  return { path: data, options: all };
}

/** `dladmm train` */
export async function trainCommand(flags: TrainFlags, own: AnySolver | undefined, terminal: Terminal): Promise<number> {
  const { standardise, timeLimit, save, json, quiet, data, testData, labels, testLabels } = flags;
  const { checkpoint: path, checkpointEvery: every } = flags;
  checkPairs(flags);
  checkKind(flags);
  const checkpoint = path === undefined ? undefined : given({ path, every });
  if (flags.graph !== undefined) {
    const told = optionsOf(flags, own);
    const going = flags.resume === undefined ? undefined : await resumptionOf(flags, told);
    const job = given({ ...flags, layers: flags.layers, checkpoint, resume: going }) as unknown as GraphJob;
    return trainGraph(job, told as GraphSolverOptions, terminal);
  }
  const rows = rowsOf(flags, own);
  if (rows) {
    if (save !== undefined) await checkTarget(save, [rows.path]);
    return runOnRows(given({ ...rows, timeLimit, save, json, quiet }) as TableJob, terminal);
  }
  if (flags.weights !== undefined) {
    const what = 'a table and --target with --weights, and none of --from, --resume, --checkpoint, --layers, --test-…,';
    throw expected(what, '--weights', flags.weights);
  }
  const { model: from, ...beginning } = await beginningOf(flags.from);
  checkSameLayers(flags, beginning.layers);
  const layers = flags.layers ?? beginning.layers;
  const { layers: _, ...learnt } = beginning;
  const options = { ...learnt, ...optionsOf(flags, own) } as Job['options'];
  const resume = flags.resume === undefined ? undefined : await resumptionOf(flags, options);
  // Before anything is read: a slip should not cost the time of loading. The widths are checked against the data later.
  if (!resume && !isAutomatic(options))
    planOf({ ...options, ...(checkpoint && { checkpoint }), layers: layers ?? [1, 1] });
  const inputs = filesOf(data, testData, labels, testLabels);
  if (save !== undefined) await checkTarget(save, inputs);
  if (path !== undefined) await checkTarget(path, inputs);
  const { seed = SEED, earlyStopping = options.earlyStopping } = resume?.options ?? {};
  const samples = await trainingSamples(
    {
      ...flags,
      ...(from?.columns && { columns: from.columns }),
      // The samples have to be split as they were.
      seed: flags.seed ?? seed,
      watched: earlyStopping !== undefined,
    },
    terminal.signal,
  );
  return runTraining(
    given({ samples, options, checkpoint, resume, layers, from, standardise, timeLimit, save, json, quiet }) as Job,
    terminal,
  );
}
