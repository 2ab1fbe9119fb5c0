/** A model of few weights, or of few bits, in the place of a large one. */
import type { AnyOptions } from '../choosing/options.js';
import { throwIfAborted } from '../core/abort.js';
import { checkObject } from '../core/checks.js';
import { expected } from '../core/errors.js';
import { present } from '../core/objects.js';
import type { Model } from '../model/model.js';
import { checkModel } from '../model/own.js';
import { type Grid, gridOf } from '../model/quantisation.js';
import type { Loss } from '../network/network.js';
import { readOptions } from '../network/schema.js';
import { SAMPLE_SOLVERS } from '../solvers/index.js';
import { chosenSolver } from '../solvers/shared/descriptor.js';
import { placed } from '../training/automatic.js';
import { checkSettled, readyFor, type Settled, settledBy } from '../training/going-on.js';
import type { Rows } from '../training/options.js';
import { planOf } from '../training/plan.js';
import type { TrainingData } from '../training/result.js';
import type { Pace, Work } from './admm.js';
import { budgetOf, checkStructure } from './budget.js';
import { COMPRESS, type CompressionStep, type CompressOptions, checkOne, epochsFor } from './options.js';
import { pruned } from './pruning.js';
import { quantised } from './quantising.js';
import { type Compression, judgedBy, measured, resultOf, withWeights } from './result.js';

/** Fewer rows are visited in smaller batches, so that an epoch has some steps. */
const FEW = 2000;
const FEW_BATCH = 32;
/** Of adam where weights are quantised, by bits: hardly anything is lost by then, and larger steps over-fit. */
const SMALL_RATES = { 8: 3e-5, 4: 1e-4 } as const;

const OWN = [
  'regularise',
  'equal',
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

/**
 * The same model with few weights, or weights of few bits: it takes what it took and tells what it told, the weights that went are exactly 0 (of
 * `structure: 'neurons'` the network is narrower), and with `quantise` those that stay lie on a grid. In `rounds` of ADMM, each followed by a
 * training of what stays, from the present weights. Of all layers together the smallest weights go, but no layer is left without.
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
  const asked = readOptions(COMPRESS, rules, 'rules');
  const { structure, quantise, activations, rounds, steps, penalty, seed, signal, validationShare, onStep } = asked;
  checkOne(rules);
  checkTraining(training);
  const { layers } = model.network;
  checkStructure(layers, structure);
  const prunes = asked.sparsity !== undefined || asked.parameters !== undefined;
  const budget = prunes ? budgetOf(layers, asked) : undefined;
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
  const judged = judgedBy(ready.data);
  const before = await measured(model as Model, judged.samples);
  const history: CompressionStep[] = [];
  const work: Work = {
    ...{ data, options: { solver: 'adam', ...few, ...options }, signal },
    seed: () => (seed + trainings++) % 2 ** 32,
    tell: async (step) => {
      const record = { ...step, seconds: (performance.now() - began) / 1000 };
      history.push(record);
      await (onStep as ((step: CompressionStep) => void) | undefined)?.(record);
    },
  };
  const careful = (grid: Grid): Work => {
    const { solver, learningRate = SMALL_RATES[gridOf(grid).bits] } = work.options;
    return solver === 'adam' ? { ...work, options: { ...work.options, learningRate } } : work;
  };
  const pace: Pace = { rounds, steps, penalty, ...epochsFor(ready.samples, rules) };
  const smaller =
    budget === undefined
      ? { model: model as Model, masks: undefined }
      : await pruned(work, model as Model, pace, { structure, budget });
  const small = withWeights(
    model as Model,
    quantise === undefined
      ? smaller.model
      : await quantised(careful(quantise), smaller.model, pace, { grid: quantise, masks: smaller.masks, activations }),
  );
  const after = await measured(small, judged.samples);
  const seconds = (performance.now() - began) / 1000;
  return resultOf({ model: small, before, after, history, ready, judged, seconds }) as never;
}
