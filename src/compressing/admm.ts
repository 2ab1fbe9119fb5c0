/** ADMM around the trainings of any solver that has proximal steps. */
import { throwIfAborted } from '../core/abort.js';
import { DlAdmmError } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { type Metric, scoreOf } from '../judging/metrics.js';
import type { Model } from '../model/model.js';
import { SAMPLE_SOLVERS } from '../solvers/index.js';
import { chosenSolver } from '../solvers/shared/descriptor.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import { HELD, type WeightTerms } from '../solvers/shared/regularise.js';
import { breathe } from '../tensor/inputs.js';
import { storedOptionsOf } from '../training/checkpoint/options.js';
import { settledBy, taughtTo } from '../training/going-on.js';
import { type Plan, planOf } from '../training/plan.js';
import type { TrainingData } from '../training/result.js';
import { Training } from '../training/training.js';
import type { CompressionStep } from './options.js';
import type { Masks } from './projection.js';

/** What every training has in common, and who is told. */
export interface Work {
  readonly data: TrainingData;
  readonly options: Readonly<Record<string, unknown>>;
  /** Of the next training: no two visit the samples in the same order. */
  readonly seed: () => number;
  readonly signal: AbortSignal | undefined;
  readonly tell: (step: Omit<CompressionStep, 'seconds'>) => Promise<void>;
}

/** How long it takes. */
export interface Pace {
  readonly rounds: number;
  readonly steps: number;
  readonly penalty: number;
  readonly stepEpochs: number;
  readonly retrain: number;
}

export interface Trained {
  readonly model: Model;
  readonly last: ProgressRecord | undefined;
}

/** The record of the epoch whose model is kept. */
function bestOf(history: readonly ProgressRecord[], metric: Metric): ProgressRecord | undefined {
  const score = ({ validation }: ProgressRecord) => scoreOf(metric, validation?.[metric] ?? Number.NaN);
  return history.reduce(
    (best: ProgressRecord | undefined, each) => (best === undefined || score(each) > score(best) ? each : best),
    undefined,
  );
}

/** Trains from where a model is; with `best` the learning rate falls, and the epoch is kept that is best on what is held out. */
export async function trained(
  { data, options, seed, signal }: Work,
  from: Model,
  { terms, epochs, best }: { readonly terms: readonly WeightTerms[]; readonly epochs: number; readonly best: boolean },
): Promise<Trained> {
  const { earlyStopping, learningRate, ...rest } = options;
  const { metric = 'loss' } = (earlyStopping ?? {}) as { readonly metric?: Metric };
  const solver = chosenSolver(options.solver, SAMPLE_SOLVERS, 'samples');
  const falls = best && 'learningRateSchedule' in solver.options && typeof learningRate !== 'function';
  const all = {
    ...(falls && { learningRateSchedule: 'cosine' }),
    ...(learningRate !== undefined && { learningRate }),
    ...rest,
    ...(best && data.validation && { earlyStopping: { patience: epochs, ...(earlyStopping as object) } }),
    ...settledBy(from),
    ...(terms.length > 0 && { regularise: { W: terms } }),
    ...{ iterations: epochs, seed: seed(), signal },
  };
  const plan: Plan<ProgressRecord> = planOf(all);
  const stored = storedOptionsOf(all, plan);
  const training = new Training<ProgressRecord, Model>(data, plan, stored, { taught: taughtTo(from) });
  for await (const _ of training);
  throwIfAborted(signal, 'Compressing');
  const { model, status, history } = training.result;
  if (status.kind === 'diverged') {
    const text = `Expected a training that converges but it diverged in epoch ${status.iteration}: a smaller learningRate may help`;
    throw new DlAdmmError('ERR_DLADMM_NON_FINITE', text);
  }
  return { model, last: best && data.validation ? bestOf(history, metric) : history.at(-1) };
}

/** What a record says of the training before it. */
export const toldOf = (last: ProgressRecord | undefined): Pick<CompressionStep, 'loss' | 'validation'> => {
  const { loss = Number.NaN, validation } = (last ?? {}) as Partial<CompressionStep>;
  return { loss, ...(validation && { validation }) };
};

/** Weights as they may be, and whatever else says which these are. */
interface Projected {
  readonly V: readonly Numbers[];
}

/** ‖W − V‖/‖W‖ */
function distance(weights: readonly Numbers[], V: readonly Numbers[]): number {
  let [away, all] = [0, 0];
  for (const [l, each] of weights.entries()) {
    for (let i = 0; i < each.length; i += 1) {
      const w = each[i] as number;
      all += w ** 2;
      away += (w - (V[l]?.[i] as number)) ** 2;
    }
  }
  return all > 0 ? Math.sqrt(away / all) : 0;
}

/**
 * ADMM on f(W) + g(V), W = V, with f the loss and g 0 where V is as it may be, else infinite; U the scaled dual:
 *
 *     W <- some epochs on f(W) + (ρ/2)‖W − (V − U)‖², from the W before
 *     V <- the projection of W + U
 *     U <- U + W − V
 *
 * T. Zhang et al., A Systematic DNN Weight Pruning Framework using ADMM, ECCV 2018 (arXiv 1804.03294).
 *
 * @param kept where it is 0 W stays as it is, which `project` must have left as it is
 */
export async function admm<P extends Projected>(
  work: Work,
  model: Model,
  { penalty, steps, stepEpochs }: Pace,
  kept: Masks | undefined,
  project: (weights: readonly Numbers[]) => P,
  told: (step: number, found: P) => Omit<CompressionStep, 'seconds' | 'kind' | 'step' | 'distance' | 'loss'>,
): Promise<{ readonly model: Model; readonly found: P }> {
  let now = model;
  let found = project(model.weights);
  const U = model.weights.map(({ length }) => new Float64Array(length));
  for (let step = 1; step <= steps; step += 1) {
    const terms = found.V.map((v, l): WeightTerms => {
      const [u, own] = [U[l] as Float64Array, kept?.[l]];
      const centre = Float64Array.from(v, (x, i) => x - (u[i] as number));
      return { l2: penalty, [HELD]: { centre, ...(own && { kept: own }) } };
    });
    const next = await trained(work, now, { terms, epochs: stepEpochs, best: false });
    now = next.model;
    const sums = now.weights.map((w, l) => Float64Array.from(w, (x, i) => x + (U[l]?.[i] as number)));
    found = project(sums);
    for (const [l, u] of U.entries())
      for (let i = 0; i < u.length; i += 1) u[i] = (sums[l]?.[i] as number) - (found.V[l]?.[i] as number);
    const away = distance(now.weights, found.V);
    await work.tell({ kind: 'admm', step, distance: away, ...told(step, found), ...toldOf(next.last) });
    await breathe();
  }
  return { model: now, found };
}
