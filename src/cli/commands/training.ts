import { DlAdmmError, expected, refused } from '../../core/errors.js';
import { toJson } from '../../core/json.js';
import { ranksHere } from '../../core/ranks.js';
import { StoredSamples, storeOf } from '../../formats/sample-file.js';
import type { Model } from '../../model/model.js';
import { classifies, type Loss } from '../../network/network.js';
import { isFrame } from '../../samples/frame.js';
import { type TargetPlaces, targetNames } from '../../samples/targets.js';
import type { TrainOptions } from '../../solvers/index.js';
import type { AnyRecord } from '../../solvers/records.js';
import type { CheckpointOptions } from '../../solvers/shared/options.js';
import type { Matrix } from '../../tensor/matrix.js';
import { AutoTraining, isAutomatic } from '../../training/automatic.js';
import type { ResumeOptions } from '../../training/checkpoint/resumed-options.js';
import { resumedData } from '../../training/checkpoint/resumed-samples.js';
import { planOf } from '../../training/plan.js';
import type { TrainingData } from '../../training/result.js';
import { resumeTraining } from '../../training/resume.js';
import { type Running, run, type Showing } from '../run.js';
import type { TrainingSource } from '../samples.js';
import type { Terminal } from '../terminal.js';

/** A training to go on with: its file, what was given again, and the options that this comes to. */
export interface Resume {
  readonly path: string;
  readonly again: ResumeOptions;
  readonly options: TrainOptions;
  /** The target that was named again. */
  readonly target?: TargetPlaces;
}

export interface Job extends Showing {
  readonly source: TrainingSource;
  /** What a training is told, without the parts that the samples decide. */
  readonly options: Readonly<Record<string, unknown>> & { readonly checkpoint?: CheckpointOptions };
  /** The model that training goes on from. */
  readonly from?: Model;
  readonly resume?: Resume;
}

/** The options of a training on samples without columns to be learnt. */
export function arraysOptions({ source, options }: Pick<Job, 'source' | 'options'>): object {
  const { name, data, task, classes } = source;
  const { layers, loss, solver, earlyStopping, validationShare, calibrate } = options as {
    readonly layers?: readonly number[];
    readonly loss?: Loss;
  } & Record<string, unknown>;
  if (loss !== undefined && classifies(loss) !== (classes !== undefined)) {
    const [wanted, has] = classes ? ['targets', 'classes'] : ['classes', 'targets'];
    throw refused(`Expected ${wanted} for --loss ${loss}, but ${name} has ${has}`);
  }
  const { x, y } = data as { readonly x: Matrix; readonly y?: Matrix };
  const [inputs, outputs] = [x.columns, classes?.length ?? y?.columns];
  if (layers && (layers[0] !== inputs || layers.at(-1) !== outputs)) {
    const text = `Expected ${inputs}-…-${outputs} for --layers, as ${name} has ${inputs} features and ${outputs} ${classes ? 'classes' : 'targets'}, but received ${layers.join('-')}`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
  }
  // Who names a solver of all samples means all of them.
  const held = earlyStopping ?? validationShare ?? calibrate;
  const all = !isAutomatic({ solver, ...options }) && held === undefined;
  return {
    ...(task === 'regression' && { loss: loss ?? 'squared-error' }),
    ...(classes && { classes }),
    ...(all && { validationShare: 0 }),
  };
}

async function resumed(
  { path, again, target }: Resume,
  { front, classes }: TrainingSource,
  data: TrainingSource['data'] | StoredSamples,
  signal: AbortSignal,
): Promise<[TrainingData, Running<Model>]> {
  const known = { ...(classes && { classes }), ...(front.test && { test: front.test }) };
  const options = { ...again, ...known, signal };
  const before = (await resumedData(path, data, options)) as TrainingData;
  const asked = target !== undefined && isFrame(data) ? toJson(targetNames(data, target)) : undefined;
  if (asked !== undefined && asked !== toJson(before.target)) {
    throw expected(`${toJson(before.target)}, as the training that wrote ${path} had it,`, '--target', target);
  }
  // A training parts a store by itself, and reads its rows as it goes.
  return [before, await resumeTraining(path, StoredSamples.is(data) ? data : before, options)];
}

/** `dladmm train` on samples. @throws DlAdmmError whatever training and saving can cause */
export async function runTraining(job: Job, terminal: Terminal): Promise<number> {
  const { source, options, resume, from, ...shown } = job;
  const { checkpoint } = options;
  const { signal } = terminal;
  const { name } = source;
  if (resume) {
    const plan = planOf({ ...resume.options, signal });
    using stored = await storeOf(source.data);
    const [before, training] = await resumed(resume, source, stored?.store ?? source.data, signal);
    const { test, validation, ...train } = before;
    const part = test ? 'test' : validation ? 'validation' : 'train';
    const judge = async (model: Model) => [part, await model.evaluate(test ?? validation ?? train)] as const;
    const { iterations, checkpoint: writing } = plan;
    return await run(
      {
        ...shown,
        ...{ name, iterations, told: resume.options, begin: async () => training, judge },
        ...(writing && { checkpoint: writing }),
      },
      terminal,
    );
  }
  const all = {
    ...options,
    ...source.front,
    ...(source.task && arraysOptions(job)),
    ...(from && { initialisation: from, ...(from.columns && !source.task && { columns: from.columns }) }),
    signal,
  };
  const writing = checkpoint && planOf({ layers: [1, 1], checkpoint }).checkpoint;
  const begin = async (): Promise<Running<Model>> => new AutoTraining<AnyRecord>(source.data, all);
  const { test: _, ...own } = source.data as TrainingData;
  const train = typeof source.data === 'string' ? source.data : own;
  // Of what diverged there is no report, but its records tell of what was held out.
  const judge = async (model: Model, history: readonly AnyRecord[]) => {
    const { test, validation } = history.findLast((record) => record.test ?? record.validation) ?? {};
    if (test) return ['test', test] as const;
    return validation ? (['validation', validation] as const) : (['train', await model.evaluate(train)] as const);
  };
  // What all ranks know one of them tells.
  const judges = (ranksHere()?.rank ?? 0) === 0 && { judge };
  return run({ ...shown, name, told: options, ...(writing && { checkpoint: writing }), begin, ...judges }, terminal);
}
