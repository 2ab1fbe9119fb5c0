import { resolve } from 'node:path';
import { DlAdmmError } from '../core/errors.js';
import type { Loss } from '../network/network.js';
import type { BadmOptions } from '../solvers/badm/algorithm.js';
import type { DladmmOptions } from '../solvers/dladmm/options.js';
import type { SgdOptions } from '../solvers/gradient/algorithm.js';
import type { GradientOptions } from '../solvers/gradient/options.js';
import type { InversionOptions } from '../solvers/inversion/options.js';
import type { MinibatchOptions } from '../solvers/minibatch/options.js';
import type { StepChoice } from '../solvers/shared/step.js';
import type { SigmoidOptions } from '../solvers/sigmoid/options.js';
import { planOf, type TrainOptions } from '../training/plan.js';
import { type ResumeOptions, resumedOptions } from '../training/resume.js';
import { beginningOf } from './exchange.js';
import { checkKind, type GraphFlags } from './graph.js';
import { type GraphJob, type GraphSolverOptions, trainGraph } from './graph-training.js';
import { checkTarget, filesOf, type SplitFlags, trainingSamples } from './samples.js';
import type { Terminal } from './terminal.js';
import { type Job, runTraining } from './training.js';

/** The options of `dladmm train`. */
export interface TrainFlags
  extends SplitFlags,
    Pick<
      DladmmOptions,
      | 'activation'
      | 'dtype'
      | 'evaluateEvery'
      | 'growth'
      | 'iterations'
      | 'nu'
      | 'rho'
      | 'softmax'
      | 'stepSearch'
      | 'tau0'
      | 'theta0'
      | 'threads'
      | 'trainMetrics'
    >,
    Pick<InversionOptions, 'beta' | 'gamma' | 'warmStart'>,
    Pick<SigmoidOptions, 'lambda' | 'majoriser'>,
    Pick<GradientOptions, 'epochs' | 'batchSize' | 'reduction'>,
    Partial<Omit<GraphFlags, 'seed'>>,
    Pick<SgdOptions, 'momentum' | 'nesterov'>,
    Pick<BadmOptions, 'sigma' | 'subBatches'>,
    Pick<MinibatchOptions, 'damping' | 'gram' | 'rank' | 'gramEvery'> {
  /** On a graph: one a layer, or one for all. */
  readonly weightDecay?: number | readonly number[];
  readonly l2?: number | readonly number[];
  readonly schedule?: 'constant' | 'paper' | 'reference' | 'published';
  /** On a graph. */
  readonly dropout?: number;
  readonly outputWeights?: 'quadratic' | 'cholesky';
  readonly dual?: 'stationary' | 'zero';
  readonly learningRate?: number;
  readonly solver?: NonNullable<TrainOptions['solver']>;
  readonly loss?: Exclude<Loss, 'squared-error'>;
  readonly step?: number;
  readonly stepW?: StepChoice;
  readonly stepA?: StepChoice;
  readonly init?: DladmmOptions['initialisation'];
  readonly outputSolver?: 'exact' | 'fista';
  readonly layers?: readonly number[];
  /** A model file. */
  readonly from?: string;
  readonly standardize?: boolean;
  readonly timeLimit?: number;
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

function optionsOf(flags: TrainFlags): Job['options'] {
  const { activation, dtype, evaluateEvery, growth, iterations, l2, nu, rho, schedule, seed, softmax } = flags;
  const { stepSearch, tau0, theta0, threads, trainMetrics, init, outputSolver, earlyStopping } = flags;
  const { solver, loss, beta, gamma, warmStart, stepW, stepA, lambda, majoriser } = flags;
  const { epochs, batchSize, reduction, weightDecay, momentum, nesterov, sigma, subBatches, learningRate } = flags;
  const { damping, gram, rank, gramEvery } = flags;
  const { dropout, outputWeights, dual } = flags;
  const step = given({ W: stepW, a: stepA });
  return given({
    ...{ solver, loss, beta, gamma, warmStart, lambda, majoriser },
    ...{ epochs, batchSize, reduction, weightDecay, momentum, nesterov, sigma, subBatches, learningRate },
    ...{ damping, gram, rank, gramEvery },
    ...{ dropout, outputWeights, dual },
    step: Object.keys(step).length === 0 ? flags.step : step,
    ...{ activation, dtype, evaluateEvery, growth, iterations, l2, nu, rho, schedule, seed, softmax },
    ...{ stepSearch, tau0, theta0, threads, trainMetrics, initialisation: init },
    outputSolver: outputSolver && { solver: outputSolver },
    earlyStopping: earlyStopping === undefined ? undefined : { patience: earlyStopping },
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

/** `dladmm train` */
export async function trainCommand(flags: TrainFlags, terminal: Terminal): Promise<number> {
  const { standardize, timeLimit, save, json, quiet, data, testData, labels, testLabels } = flags;
  const { checkpoint: path, checkpointEvery: every } = flags;
  checkPairs(flags);
  checkKind(flags);
  if (flags.graph !== undefined) return trainGraph(flags as GraphJob, optionsOf(flags) as GraphSolverOptions, terminal);
  const { model: from, ...beginning } = await beginningOf(flags.from);
  checkSameLayers(flags, beginning.layers);
  const layers = flags.layers ?? beginning.layers;
  const options = optionsOf({ ...beginning, ...flags });
  const resume = flags.resume === undefined ? undefined : await resumptionOf(flags, options);
  const checkpoint = path === undefined ? undefined : given({ path, every });
  // Before anything is read: a slip should not cost the time of loading. The widths are checked against the data later.
  if (!resume) planOf({ ...options, ...(checkpoint && { checkpoint }), layers: layers ?? [1, 1] } as TrainOptions);
  const inputs = filesOf(data, testData, labels, testLabels);
  if (save !== undefined) await checkTarget(save, inputs);
  if (path !== undefined) await checkTarget(path, inputs);
  const { seed, earlyStopping } = resume?.options ?? {};
  const samples = await trainingSamples(
    {
      ...flags,
      // The samples have to be split as they were.
      ...(flags.seed === undefined && seed !== undefined && { seed }),
      ...(earlyStopping && { earlyStopping: earlyStopping.patience }),
    },
    terminal.signal,
  );
  return runTraining(
    given({ samples, options, checkpoint, resume, layers, from, standardize, timeLimit, save, json, quiet }) as Job,
    terminal,
  );
}
