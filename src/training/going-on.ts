/** What a model that goes on learning keeps, and samples as it takes them in. */
import { reached, unlessAborted } from '../core/abort.js';
import { checkObject, oneOf } from '../core/checks.js';
import { DlAdmmError, expected, listed } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import { present } from '../core/objects.js';
import { Model } from '../model/model.js';
import { classCount, classifies, goalOf, type Loss } from '../network/network.js';
import { SEED } from '../network/schema.js';
import type { Learnt } from '../samples/arrival.js';
import type { ArrivingSamples } from '../samples/arriving.js';
import { taskOf } from '../samples/targets.js';
import { automatic } from '../solvers/auto.js';
import { checkOptionKeys } from '../solvers/shared/hints.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import { breathe } from '../tensor/inputs.js';
import { type AutoResult, isAutomatic, placed } from './automatic.js';
import { checkCalibrated, checkHeld } from './calibrated.js';
import { storedOptionsOf } from './checkpoint/options.js';
import { frontIn } from './checkpoint/stored-training.js';
import { checkFront, readyOf } from './front/front.js';
import type { Open } from './front/ready.js';
import { AUTO_KEYS, type FrontOptions, type Rows } from './options.js';
import { planOf } from './plan.js';
import { reportOf } from './report.js';
import type { TrainingData } from './result.js';
import { Training } from './training.js';
import { checkWatched } from './watching.js';

const SETTLED = [
  ...(['layers', 'hidden', 'activation', 'loss', 'task', 'target', 'dtype', 'classes'] as const),
  ...(['standardise', 'standardiseTargets', 'initialisation'] as const),
  ...(['columns', 'ignore', 'missing', 'categories', 'buckets', 'hash', 'pairs'] as const),
] as const;
/** The options that follow from the model. */
export type Settled = (typeof SETTLED)[number];

export const isSettled = (option: string): boolean => (SETTLED as readonly string[]).includes(option);

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for an option that the model has settled */
export function checkSettled(options: object): void {
  for (const key of SETTLED) {
    const value = (options as Readonly<Record<string, unknown>>)[key];
    if (value !== undefined) throw expected('none, as the model that goes on has its own,', key, value);
  }
}

export function taughtTo(model: Model): Learnt {
  const { classes, labelKind, standardisation, targetStandardisation, columns, target, threshold, calibration } = model;
  return present({
    ...{ classes, labelKind, standardisation, targetStandardisation },
    ...{ columns, target, threshold, calibration },
  });
}

/** What a training of a model has to be told of it: its parameters are where it begins. */
export const settledBy = ({ network, dtype, weights, biases, classes, ...model }: Model) => ({
  ...network,
  dtype,
  ...(classes && { classes }),
  initialisation: { weights, biases },
  standardise: model.standardisation !== undefined,
  ...(!classifies(network.loss) && { standardiseTargets: model.targetStandardisation !== undefined }),
});

/**
 * Rows, or samples, as a model takes them in; some of them held out, where the options say so.
 *
 * @throws DlAdmmError as `readyOf`, and ERR_DLADMM_ARGUMENT for rows where the model does not know which column it predicts
 */
export async function readyFor(
  model: Model,
  data: Rows | TrainingData,
  options: Pick<FrontOptions, 'validationShare' | 'weights'> & {
    readonly holdsOut: boolean;
    readonly seed?: number;
    readonly signal?: AbortSignal;
  },
): Promise<Open> {
  const { network, target, columns, classes } = model;
  return readyOf(data, {
    seed: SEED,
    ...options,
    goesOn: true,
    task: taskOf(network.loss),
    loss: network.loss,
    layers: network.layers,
    standardise: false,
    ...present({ target, columns, classes: goalOf(network.loss) === 'labels' ? classes : undefined }),
  });
}

/** The classes of a model by their names, or by their numbers. */
const namesOf = ({ classes, network: { loss, layers } }: Model): readonly string[] =>
  classes ?? Array.from({ length: classCount(loss, layers.at(-1) ?? 0) }, (_, i) => String(i));

/** The classes of some samples that a model does not know, in their order. */
function strangers(model: Model, { labels, classes: own }: ArrivingSamples): readonly string[] {
  const names = namesOf(model);
  // Numbers stand for names where the training had them so.
  const numbered = model.labelKind === 'number' || own !== undefined;
  const nameOf = (label: unknown): string =>
    typeof label === 'number' && numbered ? ((own ?? names)[label] ?? String(label)) : String(label);
  const different = new Set<unknown>();
  for (let i = 0; i < (labels?.length ?? 0); i += 1) different.add((labels as ArrayLike<unknown>)[i]);
  const seen = new Set(Array.from(different, nameOf));
  return [...seen].filter((name) => !names.includes(name)).sort();
}

const longer = (values: Numbers, count: number, value: number): Numbers => {
  const out = zeros(dtypeOf(values), values.length + count);
  out.set(values);
  return out.fill(value, values.length);
};

/**
 * A model that knows the classes of some samples. A class that it did not know has weights of 0 and the least of the biases: it is hardly
 * told before it is learnt.
 *
 * @throws DlAdmmError ERR_DLADMM_LABEL for a class that it does not know and that is not to be added
 */
function knowing(model: Model, data: TrainingData, newClasses: 'refuse' | 'add'): Model {
  const { network, dtype, weights, biases, classes, labelKind } = model;
  if (!classifies(network.loss)) return model;
  const sets = [data, data.validation, data.test].filter((set) => set !== undefined);
  const found = [...new Set(sets.flatMap((set) => strangers(model, set)))];
  if (found.length === 0) return model;
  const names = namesOf(model);
  const [inputs = 0, outputs = 0] = network.layers.slice(-2);
  // Classes without names are numbers without a gap.
  const more = classes ? found.length : Math.max(...found.map(Number)) + 1 - outputs;
  const possible = outputs === names.length && labelKind !== 'boolean' && Number.isInteger(more) && more > 0;
  if (newClasses !== 'add' || !possible) {
    const help = newClasses === 'add' ? 'which cannot be added to it' : "newClasses: 'add' gives each an output";
    const text = `Expected the classes of the model (${listed(names, 20)}) but the samples have ${listed(found, 20)} too; ${help}`;
    throw new DlAdmmError('ERR_DLADMM_LABEL', text);
  }
  const [lastWeights, lastBiases] = [weights.at(-1) as Numbers, biases.at(-1) as Numbers];
  const least = Math.min(...lastBiases);
  const { threshold: _, calibration: __, ...taught } = taughtTo(model);
  return new Model({
    network: { ...network, layers: network.layers.with(-1, outputs + more) },
    dtype,
    ...taught,
    ...(classes && { classes: [...names, ...found] }),
    weights: weights.with(-1, longer(lastWeights, more * inputs, 0)),
    biases: biases.with(-1, longer(lastBiases, more, least)),
  });
}

/** How a model goes on. */
export interface GoingOn extends Pick<FrontOptions, 'validationShare' | 'weights' | 'calibrate'> {
  /** What becomes of classes that the model does not know: an error that names them (default), or an output each. */
  readonly newClasses?: 'refuse' | 'add';
}

/** Epochs on more rows where nobody says: what it knew already is not among them. */
const EPOCHS = 10;

/**
 * Trains a model further, on other rows, to another model: this one stays as it is, whatever comes of it. Encodings, scaler and classes are
 * those of the model; a part of the rows is held out, and says when to stop.
 *
 * @throws DlAdmmError as `fit`, and ERR_DLADMM_LABEL for classes that the model does not know
 */
export async function goOn<R extends ProgressRecord, L extends Loss>(
  model: Model<L>,
  data: Rows | TrainingData,
  options: GoingOn & object = {},
): Promise<AutoResult<R, Model<L>>> {
  checkObject(options, 'an object', 'options');
  checkSettled(options);
  const { newClasses = 'refuse', validationShare, weights, calibrate, ...said } = options;
  const own = placed(said, model.columns);
  oneOf(newClasses, ['refuse', 'add'], 'newClasses');
  const front = present({ calibrate, validationShare, weights });
  checkFront(front, undefined);
  checkCalibrated(model.network.loss, calibrate);
  const { earlyStopping, epochs, iterations } = own as Readonly<Record<string, unknown>>;
  const automaticOnes = isAutomatic(own);
  if (automaticOnes) checkOptionKeys(own, [...AUTO_KEYS, 'newClasses', 'validationShare'], 'model.fit');
  const began = performance.now();
  const { signal, seed } = planOf({ ...own, ...(automaticOnes && { solver: 'adam' }), ...settledBy(model as Model) });
  using ready = await unlessAborted(signal, () =>
    readyFor(model as Model, data, { holdsOut: true, seed, ...(signal && { signal }), ...front }),
  );
  if (ready === undefined) {
    const { network, dtype, weights, biases } = model;
    const copied = { weights: weights.map((each) => each.slice()), biases: biases.map((each) => each.slice()) };
    const same = new Model<L>({ network, dtype, ...taughtTo(model as Model), ...copied });
    const [seconds, history] = [(performance.now() - began) / 1000, []];
    return reached(signal, { model: same, status: { kind: 'aborted' }, iterations: 0, history, seconds }, ['report']);
  }
  checkHeld(ready.data, calibrate);
  await breathe();
  const from = knowing(model as Model, ready.data, newClasses);
  const { layers, loss } = from.network;
  const [inputs = 0, outputs = 0] = [layers[0], layers.at(-1)];
  const features = from.columns?.length ?? inputs;
  const choice = automatic({ samples: ready.samples, inputs, features, outputs, loss });
  const all = {
    ...(automaticOnes && { l2: choice.l2, ...present({ factors: choice.factors }) }),
    ...own,
    ...(automaticOnes && {
      solver: choice.solver,
      ...(epochs === undefined && iterations === undefined && { epochs: Math.min(EPOCHS, choice.epochs) }),
      ...(ready.data.validation && { earlyStopping: { patience: EPOCHS, ...(earlyStopping as object) } }),
    }),
    ...settledBy(from),
  };
  const plan = planOf<R>(all);
  checkWatched(ready.data, plan);
  const beside = { taught: taughtTo(from), front: frontIn(front, true) };
  const training = new Training<R, Model<L>>(ready.data, plan, storedOptionsOf(all, plan), beside);
  for await (const _ of training);
  const { result } = training;
  const report = await reportOf({
    ready,
    choice: automaticOnes ? choice : undefined,
    chosen: 'network',
    tried: 1,
    watched: 'earlyStopping' in all,
    calibrated: calibrate === true,
    before: from,
    result: result as never,
  });
  return { ...result, seconds: (performance.now() - began) / 1000, report };
}
