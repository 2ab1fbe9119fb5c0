/** Few weights that say what many said: ADMM with the projection onto what is sparse as its other step. */
import type { AnyOptions } from '../choosing/options.js';
import { throwIfAborted } from '../core/abort.js';
import { checkObject } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { isObject, present } from '../core/objects.js';
import { type Metric, scoreOf } from '../judging/metrics.js';
import { Model } from '../model/model.js';
import type { Loss } from '../network/network.js';
import { readOptions } from '../network/schema.js';
import { SAMPLE_SOLVERS } from '../solvers/index.js';
import { chosenSolver } from '../solvers/shared/descriptor.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import { HELD, type WeightTerms } from '../solvers/shared/regularise.js';
import { breathe } from '../tensor/inputs.js';
import { placed } from '../training/automatic.js';
import { storedOptionsOf } from '../training/checkpoint.js';
import { checkSettled, readyFor, type Settled, settledBy, taughtTo } from '../training/going-on.js';
import type { Rows } from '../training/options.js';
import { type Plan, planOf } from '../training/plan.js';
import type { TrainingData } from '../training/result.js';
import { Training } from '../training/training.js';
import { budgetOf, checkStructure } from './budget.js';
import { withoutNeurons } from './neurons.js';
import {
  COMPRESS,
  type CompressionStep,
  type CompressOptions,
  checkOne,
  epochsFor,
  type Structure,
} from './options.js';
import { GROUP, largestGroups, largestRows, type Masks, masked, narrower, rowMasks, weightsIn } from './projection.js';
import { type Compression, countOf, judgedBy, measured, resultOf } from './result.js';

/** Fewer rows are visited in smaller batches, so that an epoch has some steps. */
const FEW = 2000;
const FEW_BATCH = 32;

const OWN = [
  'regularise',
  'epochs',
  'iterations',
  'checkpoint',
  'distributed',
  'signal',
  'seed',
  'validation',
  'test',
] as const;

/** How the W steps and what stays are trained: the options of a solver that takes `regularise`, adam where none is named. */
export type CompressTraining = Omit<AnyOptions, Settled | (typeof OWN)[number]>;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for options that the model or the rules decide, and for a solver without proximal steps */
function checkTraining(options: object): void {
  checkObject(options, 'an object', 'options');
  checkSettled(options);
  for (const key of OWN) {
    const value = (options as Readonly<Record<string, unknown>>)[key];
    if (value !== undefined) throw expected('none, as compress has its own,', `options.${key}`, value);
  }
  const { solver = 'adam' } = options as { readonly solver?: unknown };
  const found = chosenSolver(solver, SAMPLE_SOLVERS, 'samples');
  if (!('regularise' in found.options)) {
    const takes = SAMPLE_SOLVERS.filter((each) => 'regularise' in each.options).map(({ name }) => name);
    throw expected(`one that takes regularise (${takes.join(', ')})`, 'options.solver', found.name);
  }
}

function checkModel(model: unknown): void {
  if (isObject(model) && model.kind === 'perceptron' && typeof model.evaluate === 'function') return;
  const graph = isObject(model) && model.kind === 'gcn';
  throw expected('a model of samples', 'model', graph ? 'a model of a graph' : model);
}

/** What a record says of the training before it. */
const toldOf = (last: ProgressRecord | undefined) => {
  const { loss = Number.NaN, validation } = (last ?? {}) as Partial<CompressionStep>;
  return { loss, ...(validation && { validation }) };
};

/** What every training has in common. */
interface Work {
  readonly data: TrainingData;
  readonly options: Readonly<Record<string, unknown>>;
  /** Of the next training: no two visit the samples in the same order. */
  readonly seed: () => number;
  readonly signal: AbortSignal | undefined;
}

interface Trained {
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
async function trained(
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
  const training = new Training<ProgressRecord, Model>(data, plan, stored, undefined, taughtTo(from));
  for await (const _ of training);
  throwIfAborted(signal, 'Compressing');
  const { model, status, history } = training.result;
  if (status.kind === 'diverged') {
    const text = `Expected a training that converges but it diverged in epoch ${status.iteration}: a smaller learningRate may help`;
    throw new DlAdmmError('ERR_DLADMM_NON_FINITE', text);
  }
  return { model, last: best && data.validation ? bestOf(history, metric) : history.at(-1) };
}

const withWeights = (model: Model, parameters: Pick<Model, 'network' | 'weights' | 'biases'>): Model => {
  const { dtype, note } = model;
  const { network, weights, biases } = parameters;
  return new Model({ dtype, ...taughtTo(model), ...(note && { note }), network, weights, biases });
};

/** ‖W − V‖/‖W‖, where V has the zeros of masks. */
function distance(weights: readonly Numbers[], masks: Masks): number {
  let [gone, all] = [0, 0];
  for (const [l, each] of weights.entries()) {
    for (let i = 0; i < each.length; i += 1) {
      const square = (each[i] as number) ** 2;
      all += square;
      if (masks[l]?.[i] === 0) gone += square;
    }
  }
  return all > 0 ? Math.sqrt(gone / all) : 0;
}

/** What goes is projected away: which weights stay, and of neurons which. */
interface Projection {
  readonly masks: Masks;
  readonly stay?: readonly Int32Array[];
}

function projection(
  { layers }: Model['network'],
  weights: readonly Numbers[],
  structure: Structure,
  budget: number,
): Projection {
  if (structure !== 'neurons') {
    const size = GROUP[structure];
    return { masks: largestGroups(weights, size, Math.floor(budget / size)) };
  }
  const widths = narrower(layers, budget) as readonly number[];
  const stay = widths
    .slice(1, -1)
    .map((width, l) => largestRows(weights[l] as Numbers, layers[l + 1] as number, width));
  return { masks: rowMasks(weights, layers, stay), stay };
}

/** How a round goes. */
interface Round {
  readonly structure: Structure;
  readonly budget: number;
  /** What went in the rounds before. */
  readonly before: Masks | undefined;
  readonly penalty: number;
  readonly steps: number;
  readonly epochs: number;
  readonly told: (step: number, trained: Trained, masks: Masks) => void;
}

/**
 * ADMM on f(W) + g(V), W = V, with f the loss and g 0 where at most so many groups are not 0, else infinite; U the scaled dual:
 *
 *     W <- some epochs on f(W) + (ρ/2)‖W − (V − U)‖², from the W before
 *     V <- the projection of W + U
 *     U <- U + W − V
 *
 * T. Zhang et al., A Systematic DNN Weight Pruning Framework using ADMM, ECCV 2018 (arXiv 1804.03294).
 */
async function admm(
  work: Work,
  model: Model,
  round: Round,
): Promise<{ readonly model: Model; readonly found: Projection }> {
  const { structure, budget, before, penalty, steps, epochs, told } = round;
  let now = model;
  let found = projection(model.network, model.weights, structure, budget);
  let V = masked(model.weights, found.masks);
  const U = model.weights.map(({ length }) => new Float64Array(length));
  for (let step = 1; step <= steps; step += 1) {
    const terms = V.map((v, l): WeightTerms => {
      const kept = before?.[l];
      const u = U[l] as Float64Array;
      return {
        l2: penalty,
        [HELD]: { centre: Float64Array.from(v, (x, i) => x - (u[i] as number)), ...(kept && { kept }) },
      };
    });
    const next = await trained(work, now, { terms, epochs, best: false });
    now = next.model;
    const sums = now.weights.map((w, l) => Float64Array.from(w, (x, i) => x + (U[l]?.[i] as number)));
    found = projection(now.network, sums, structure, budget);
    V = masked(sums, found.masks);
    for (const [l, u] of U.entries())
      for (let i = 0; i < u.length; i += 1) u[i] = (sums[l]?.[i] as number) - (V[l]?.[i] as number);
    told(step, next, found.masks);
    await breathe();
  }
  return { model: now, found };
}

/**
 * The same model with few weights: it takes what it took and tells what it told, and the weights that went are exactly 0 (of
 * `structure: 'neurons'` the network is narrower). In `rounds` of ADMM, each followed by a training of what stays, from the present weights.
 * Of all layers together the smallest weights go, but no layer is left without.
 *
 *     const { model: small, before, after } = await compress(model, 'customers.csv', { sparsity: 0.95 });
 *
 * @param rows as `model.fit` takes it: rows to train on, of which some are held out; `test` rows of `{ x, labels }` judge alone
 * @param training how weights are trained: a solver that takes `regularise` (default adam), its learning rate, …
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE before any work; rejects as `model.fit`, with
 *   ERR_DLADMM_NON_FINITE where a training diverges, and ERR_DLADMM_ABORTED
 */
export async function compress<L extends Loss>(
  model: Model<L>,
  rows: Rows | TrainingData,
  rules: CompressOptions,
  training: CompressTraining = {},
): Promise<Compression<L>> {
  checkModel(model);
  const { structure, rounds, steps, penalty, seed, signal, validationShare, onStep, ...asked } = readOptions(
    COMPRESS,
    rules,
    'rules',
  );
  checkOne(rules);
  checkTraining(training);
  const { layers } = model.network;
  checkStructure(layers, structure);
  const budget = budgetOf(layers, { ...asked, structure });
  const options = placed(training, model.columns);
  planOf({ ...settledBy(model as Model), solver: 'adam', ...options });
  throwIfAborted(signal, 'Compressing');
  const began = performance.now();
  const own = { holdsOut: true, seed, ...present({ signal, validationShare }) };
  using ready = await readyFor(model as Model, rows, own);
  // The trainings do not look at what judges alone.
  const { test: _, ...data } = ready.data;
  const few = ready.samples < FEW && !('solver' in options) && { batchSize: FEW_BATCH };
  let trainings = 0;
  const work: Work = {
    ...{ data, options: { solver: 'adam', ...few, ...options }, signal },
    seed: () => (seed + trainings++) % 2 ** 32,
  };
  const { stepEpochs, retrain } = epochsFor(ready.samples, rules);
  const judged = judgedBy(ready.data);
  const before = await measured(model as Model, judged.samples);
  const history: CompressionStep[] = [];
  const tell = (step: Omit<CompressionStep, 'seconds'>): void => {
    const record = { ...step, seconds: (performance.now() - began) / 1000 };
    history.push(record);
    (onStep as ((step: CompressionStep) => void) | undefined)?.(record);
  };
  let now = model as Model;
  let masks: Masks | undefined;
  for (let round = 1; round <= rounds; round += 1) {
    const all = weightsIn(layers);
    const left = Math.max(budget, Math.round(all * (budget / all) ** (round / rounds)));
    const told = (step: number, { model: { weights }, last }: Trained, kept: Masks): void => {
      const away = distance(weights, kept);
      tell({ kind: 'admm', round, step, weights: countOf(kept), distance: away, ...toldOf(last) });
    };
    const way = { structure, budget: left, before: masks, penalty, steps, epochs: stepEpochs, told };
    const { model: met, found } = await admm(work, now, way);
    const zeroed = masked(met.weights, found.masks);
    masks = found.stay ? undefined : found.masks;
    const { network, biases } = met;
    const parameters = { weights: zeroed, biases };
    const start = withWeights(
      model as Model,
      found.stay ? withoutNeurons(network, parameters, found.stay) : { network, ...parameters },
    );
    const terms = (masks ?? []).map((kept): WeightTerms => ({ [HELD]: { kept } }));
    const epochs = round === rounds ? retrain : Math.ceil(retrain / 3);
    const { model: better, last } = await trained(work, start, { terms, epochs, best: true });
    now = better;
    tell({
      ...{ kind: 'retraining', round, step: steps, weights: countOf(masks ?? now.weights) },
      distance: 0,
      ...toldOf(last),
    });
  }
  const small = withWeights(model as Model, now);
  const after = await measured(small, judged.samples);
  return resultOf({
    model: small,
    before,
    after,
    history,
    ready,
    judged,
    seconds: (performance.now() - began) / 1000,
  }) as never;
}
