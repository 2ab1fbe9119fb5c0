import { basename } from 'node:path';
import { DlAdmmError } from '../core/errors.js';
import type { Model } from '../model/model.js';
import { classifies, type Loss } from '../network/network.js';
import { liesInUnitInterval } from '../samples/standardise.js';
import { SAMPLE_SOLVERS, type TrainOptions } from '../solvers/index.js';
import type { AnyRecord } from '../solvers/records.js';
import { type AnySolver, chosenSolver, schemaOf } from '../solvers/shared/descriptor.js';
import type { CheckpointOptions } from '../solvers/shared/options.js';
import { AutoTraining, isAutomatic } from '../training/automatic.js';
import { begin } from '../training/fit.js';
import { planOf } from '../training/plan.js';
import type { TrainingData } from '../training/result.js';
import { type ResumeOptions, resumeTraining } from '../training/resume.js';
import { defaultLayers } from './defaults.js';
import { type Running, run, type Showing } from './run.js';
import type { Part, TrainingSamples } from './samples.js';
import type { Terminal } from './terminal.js';

/** What a solver is told, without the parts that the samples decide. */
type Unfinished = Readonly<Record<string, unknown>> & {
  readonly solver?: string | AnySolver;
  readonly loss?: Loss;
};

/** A training to go on with: its file, what was given again, and the options that this comes to. */
export interface Resume {
  readonly path: string;
  readonly again: ResumeOptions;
  readonly options: TrainOptions;
}

/** A training on samples. */
export interface Job extends Showing {
  readonly samples: TrainingSamples;
  readonly options: Unfinished;
  readonly layers?: readonly number[];
  /** The model that training goes on from. */
  readonly from?: Model;
  readonly checkpoint?: CheckpointOptions;
  readonly resume?: Resume;
  /** Default: unless every feature lies in [0, 1]. */
  readonly standardise?: boolean;
}

function checkedLayers({ layers, samples, options }: Job): readonly number[] | undefined {
  const inputs = samples.train.x.columns;
  const { outputs, classes, name } = samples;
  if (layers === undefined && isAutomatic(options)) return undefined;
  if (layers === undefined) return defaultLayers(inputs, outputs, samples.train.x.rows);
  if (layers[0] !== inputs || layers.at(-1) !== outputs) {
    throw new DlAdmmError(
      'ERR_DLADMM_SHAPE',
      `Expected ${inputs}-…-${outputs} for --layers, as ${name} has ${inputs} features and ${outputs} ${classes ? 'classes' : 'targets'}, but received ${layers.join('-')}`,
    );
  }
  return layers;
}

/** The loss of classes that a solver goes with by itself. */
const defaultLoss = ({ solver }: Unfinished): Loss =>
  (solver === undefined
    ? 'softmax-cross-entropy'
    : schemaOf(chosenSolver(solver, SAMPLE_SOLVERS, 'samples')).loss?.default) as Loss;

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
  if (options.loss !== undefined && classifies(options.loss) !== (classes !== undefined)) {
    const [wanted, has] = classes ? ['targets', 'classes'] : ['classes', 'targets'];
    throw new DlAdmmError(
      'ERR_DLADMM_ARGUMENT',
      `Expected ${wanted} for --loss ${options.loss}, but ${name} has ${has}`,
    );
  }
  const layers = checkedLayers(job);
  return {
    ...options,
    ...(layers && { layers }),
    loss: options.loss ?? (classes ? defaultLoss(options) : 'squared-error'),
    ...(classes && { classes }),
    standardise: job.standardise ?? !liesInUnitInterval(samples.train.x),
    ...(checkpoint && { checkpoint }),
    ...(job.from && { initialisation: job.from }),
    signal,
  } as TrainOptions;
}

async function started(job: Job, options: TrainOptions, data: TrainingData): Promise<Running<Model>> {
  if (!job.resume) return isAutomatic(options) ? new AutoTraining<AnyRecord>(data, options) : begin(data, options);
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

/** `dladmm train` on samples. @throws DlAdmmError whatever training and saving can cause */
export async function runTraining(job: Job, terminal: Terminal): Promise<number> {
  const { samples } = job;
  const { classes, columns, name, train, validation, test } = samples;
  const known = (part: Part) => ({ ...part, ...(classes && { classes }), ...(columns && { columns }) });
  const options = trainOptionsOf(job, terminal.signal);
  const { iterations, checkpoint } = isAutomatic(options)
    ? { iterations: options.iterations, checkpoint: undefined }
    : planOf(options);
  const data = {
    ...known(train),
    ...(validation && { validation: known(validation) }),
    ...(test && { test: known(test) }),
  };
  const begin = () => started(job, options, data);
  const judge = async (model: Model) => [test ? 'test' : 'train', await model.evaluate(known(test ?? train))] as const;
  const { checkpoint: _, ...shown } = job;
  return run(
    {
      ...shown,
      name,
      ...(iterations !== undefined && { iterations }),
      ...(checkpoint && { checkpoint }),
      begin,
      judge,
    },
    terminal,
  );
}

/** A training on the rows of a table, of which everything that is not said is inferred. */
export interface TableJob extends Showing {
  readonly path: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** `dladmm train FILE` on rows of named columns. @throws DlAdmmError whatever training and saving can cause */
export async function runOnRows({ path, options, ...shown }: TableJob, terminal: Terminal): Promise<number> {
  const begin = async (): Promise<Running<Model>> =>
    new AutoTraining<AnyRecord>(path, { ...options, signal: terminal.signal });
  return run({ ...shown, name: basename(path), begin }, terminal);
}
