import { checkKeys } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { toJson } from '../core/json.js';
import type { Dtype } from '../core/native.js';
import { present } from '../core/objects.js';
import type { Calibration } from '../judging/calibration.js';
import { classCount, classifies, goalOf, type Loss, type Network } from '../network/network.js';
import type { Standardisation } from '../network/standardisation.js';
import { featureRows, inSteps } from '../tensor/csr.js';
import { asSamples, type MatrixLike, type RowSource, trusted, turn } from '../tensor/inputs.js';
import { isNames } from './arrived.js';
import { type ArrivalRules, arrivingSamples, checkNames, type WeightedSamples } from './arriving.js';
import { type ClassNames, classNumbers, learnClasses } from './classes.js';
import { areShares, type Column } from './columns.js';
import { type GraphSamples, learnNodeClasses, nodeIndex, nodeNumbers, standardisedFeatures } from './graph-samples.js';
import { areHashed, learnHashed } from './hashed.js';
import type { LabelledSamples } from './samples.js';
import { learnFrom, learnTargets, standardised, standardisedInSteps } from './standardise.js';
import { StoredSet } from './stored.js';
import { type ClassWeights, type WeightsLike, weightedByClass, weightsOf } from './weights.js';

/** The names of the outputs that are labels of their own. */
const labelNames = (loss: Loss, classes: readonly string[] | undefined): ClassNames =>
  classes && goalOf(loss) === 'labels' ? { classes } : {};

/** What a training set teaches about samples: the model keeps it, and whatever it is given goes through it. */
export interface Learnt extends ClassNames {
  readonly standardisation?: Standardisation;
  /** Of regression: what was done to target values, and is undone in answers. */
  readonly targetStandardisation?: Standardisation;
  readonly columns?: readonly Column[];
  /** The columns that are predicted. */
  readonly target?: string | readonly string[];
  /** Of two classes: the one that a model which goes on was tuned to. */
  readonly threshold?: number;
  /** The same of probabilities. */
  readonly calibration?: Calibration;
}

interface Facts {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly standardise: boolean;
  readonly standardiseTargets: boolean;
  readonly classes?: readonly string[];
  readonly classWeights?: ClassWeights;
  readonly signal?: AbortSignal;
}

/** What a training goes on from knows: columns are taken by its names. */
export interface Before {
  /** How errors call it. */
  readonly called: string;
  readonly classes?: readonly string[];
  readonly columns?: readonly Column[];
  /** Of a training that goes on as it was: how it standardised. */
  readonly standardisation?: Standardisation;
}

const rulesOf = (
  { network, dtype, standardise, standardiseTargets, classes, signal }: Facts,
  before?: Before,
  labels = classes ?? before?.classes,
): ArrivalRules => ({
  network,
  dtype,
  exact: standardise,
  exactTargets: standardiseTargets,
  ...present({ columns: before?.columns, nameless: before?.columns ? undefined : before?.called, labels, signal }),
});

interface Taken {
  readonly samples: LabelledSamples;
  /**
   * Rows as the network meets them, with labels or the values as they came: where asked for, and of several targets that were
   * standardised each by its own deviation. What the network misses by can be told in their units from these alone.
   */
  readonly judged?: LabelledSamples;
}

function taken(
  { x, y }: { readonly x: RowSource; readonly y?: RowSource },
  labels: Int32Array | undefined,
  targets: Standardisation | undefined,
  dtype: Dtype,
  asked = false,
): Taken {
  const keeps = asked || (y && targets && y.columns > 1);
  const [rows, values] = keeps ? [kept(x), y && kept(y)] : [x, y];
  const of = (wanted: RowSource | undefined): LabelledSamples => ({
    x: asSamples(rows),
    ...present({ labels, y: wanted && asSamples(wanted) }),
  });
  return { samples: of(values && standardised(values, targets, dtype)), ...(keeps && { judged: of(values) }) };
}

/** A source that keeps its rows, however often they have been asked for. */
function kept(source: RowSource): RowSource {
  const { name, rows, columns, sparse } = source;
  const chunk: RowSource['chunk'] = (first, count) => source.chunk(first, count);
  return trusted({ name, rows, columns, chunk, ...present({ sparse }) });
}

/**
 * Takes in a training set, and learns from it what the classes are called, what its columns are, and how to standardise.
 *
 * @param before what the training goes on from, where it goes on
 * @throws DlAdmmError as `arrivingSamples`, and ERR_DLADMM_LABEL, ERR_DLADMM_NON_FINITE, ERR_DLADMM_RANGE
 */
export async function trainingSet(
  data: WeightedSamples,
  facts: Facts,
  before?: Before,
): Promise<Taken & { readonly learnt: Learnt }> {
  const name = 'data';
  const { network, dtype, standardise, standardiseTargets, classes: given = before?.classes, classWeights } = facts;
  const rules = rulesOf(facts, before);
  const stored = StoredSet.within(data);
  if (stored !== undefined) return storedSet(stored, data, facts, before);
  const target =
    data.target ??
    [data.labels, data.y].find((told) => typeof told === 'string') ??
    (isNames(data.y) ? data.y : undefined);
  const arrived = await arrivingSamples(data, rules, name, ['validation', 'test', 'weights']);
  const { x, y, labels, classes: own, columns } = arrived;
  const count = classCount(network.loss, network.layers.at(-1) ?? 0);
  const called = `${name}.labels`;
  const names = classifies(network.loss)
    ? await turn(learnClasses(labels, own, given, count, called))
    : labelNames(network.loss, given ?? own ?? (isNames(data.y) ? data.y : undefined));
  // Before a pass over the samples: a slip in the labels should not cost its time.
  const numbers = classifies(network.loss)
    ? await turn(classNumbers(labels, own, names, x.rows, count, called))
    : undefined;
  if (y && y.rows !== x.rows) throw expected(`${x.rows} rows, one a sample,`, y.name, y.rows, 'ERR_DLADMM_SHAPE');
  const words = columns && areHashed(columns) ? columns : undefined;
  if (standardise && x.sparse && !words)
    throw expected('false with sparse features, whose zeros stay zeros,', 'standardise', standardise);
  const weights = await turn(weighed(arrived, numbers, count, names.classes, classWeights));
  const standardisation = standardise
    ? (before?.standardisation ?? (await (words ? learnHashed(x, words) : learnFrom(x, columns?.flatMap(areShares)))))
    : undefined;
  const targetStandardisation = standardiseTargets && y ? await learnTargets(y) : undefined;
  const rows = { x: await inSteps(standardisedInSteps(x, standardisation, dtype)), ...(y && { y }) };
  const { samples, ...rest } = taken(rows, numbers, targetStandardisation, dtype);
  return {
    ...rest,
    samples: { ...samples, ...(weights && { weights }) },
    learnt: { ...names, ...present({ standardisation, targetStandardisation, columns, target }) },
  };
}

/** Samples of a store as {@link StoredSet.with} has them, in the place of features. */
const storedAs = (set: StoredSet, { standardisation: x, targetStandardisation: y }: Learnt): MatrixLike =>
  set.with(present({ x, y })) as unknown as MatrixLike;

/** What a store was packed with must be what others know. @throws DlAdmmError ERR_DLADMM_LABEL, ERR_DLADMM_ARGUMENT */
function checkStored({ classes, columns }: WeightedSamples, known: Before | Learnt, name: string): void {
  for (const [what, own, wanted, code] of [
    ['classes', classes, known.classes, 'ERR_DLADMM_LABEL'],
    ['columns', columns, known.columns, 'ERR_DLADMM_ARGUMENT'],
  ] as const) {
    if (!wanted || toJson(own ?? []) === toJson(wanted)) continue;
    throw new DlAdmmError(
      code,
      `Expected a store with the same ${what} for ${name}, in their order and encoded alike, but it has others`,
    );
  }
}

/** As {@link trainingSet}, of a store: its columns and classes are known, its features are standardised as they are read. */
async function storedSet(set: StoredSet, data: WeightedSamples, facts: Facts, before?: Before) {
  if (before) checkStored(data, before, 'data');
  const { columns, classes, target } = data;
  const standardisation = facts.standardise
    ? (before?.standardisation ??
      (await learnFrom(set.features, (columns as readonly Column[] | undefined)?.flatMap(areShares))))
    : undefined;
  const targetStandardisation =
    facts.standardiseTargets && !set.blocks.labelled ? await learnTargets(set.targets) : undefined;
  const { labelKind } = set.blocks;
  const learnt: Learnt = present({
    classes,
    labelKind,
    standardisation,
    targetStandardisation,
    columns: columns as readonly Column[] | undefined,
    target,
  });
  return { samples: { x: storedAs(set, learnt) }, learnt };
}

/** What samples count for by themselves and by their classes; undefined where all count alike. */
function weighed(
  { weights }: { readonly weights?: WeightsLike },
  labels: Int32Array | undefined,
  count: number,
  names: readonly string[] | undefined,
  rule: ClassWeights | undefined,
): WeightsLike | undefined {
  return rule && labels ? weightedByClass(rule, labels, count, names, weights as Float64Array | undefined) : weights;
}

/**
 * Takes in samples to evaluate a network on, as the training set has taught.
 *
 * @param keeps whether `judged` is asked for
 * @param weighs whether they are learnt from, and may count for more or less
 * @throws DlAdmmError as `arrivingSamples`, and ERR_DLADMM_LABEL for a class that the training set did not have
 */
export async function evaluationSet(
  data: WeightedSamples,
  facts: Facts,
  learnt: Learnt,
  name: string,
  { keeps = false, weighs = false } = {},
): Promise<Taken> {
  const { network, dtype } = facts;
  const { columns } = learnt;
  const { classes } = learnt;
  const stored = StoredSet.within(data);
  if (stored !== undefined) {
    checkStored(data, learnt, name);
    return { samples: { x: storedAs(stored, learnt) } };
  }
  const rules = rulesOf(facts, { called: 'the training', ...(columns && { columns }), ...(classes && { classes }) });
  const arrived = await arrivingSamples(data, rules, name, weighs ? ['weights'] : []);
  const { x, y, labels, classes: own } = arrived;
  const count = classCount(network.loss, network.layers.at(-1) ?? 0);
  const labelled = classifies(network.loss);
  const numbers = labelled ? await turn(classNumbers(labels, own, learnt, x.rows, count, `${name}.labels`)) : undefined;
  const rows = { x: await inSteps(standardisedInSteps(x, learnt.standardisation, dtype)), ...(y && { y }) };
  const { samples, ...rest } = taken(rows, numbers, learnt.targetStandardisation, dtype, keeps);
  const weights = weighs ? await turn(weighed(arrived, numbers, count, learnt.classes, facts.classWeights)) : undefined;
  return { ...rest, samples: { ...samples, ...(weights && { weights }) } };
}

/** What a graph to train on may have; one that was read from a file has a name too. */
const GRAPH_KEYS = 'adjacency features labels classes trainIndex validationIndex testIndex weights name'.split(' ');

/**
 * Takes in a graph to train on, and learns from it what the classes are called, and how to standardise: over the features of
 * all nodes, as all of them are given.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_NON_FINITE, ERR_DLADMM_RANGE
 */
export async function trainingGraph(
  data: GraphSamples,
  { network, dtype, standardise, classes: given, classWeights }: Facts,
  name = 'data',
): Promise<{ readonly samples: GraphSamples; readonly learnt: Learnt }> {
  checkKeys(data, GRAPH_KEYS, name);
  checkNames(data.classes, `${name}.classes`);
  const inputs = network.layers[0] ?? 0;
  const count = classCount(network.loss, network.layers.at(-1) ?? 0);
  const names = learnNodeClasses(data, given, count, `${name}.labels`);
  const labels = nodeNumbers(data, names, count, undefined, `${name}.labels`);
  const { weights: own } = data;
  const counted = own === undefined ? undefined : weightsOf(own, labels.length, `${name}.weights`);
  const trained = new Int32Array(labels.length).fill(-1);
  if (data.trainIndex === undefined)
    throw expected('an array of node numbers, as splitGraph(graph, seed) draws them,', `${name}.trainIndex`, undefined);
  for (const node of nodeIndex(data.trainIndex, labels.length, `${name}.trainIndex`))
    trained[node] = labels[node] ?? -1;
  const weights = classWeights ? weightedByClass(classWeights, trained, count, names.classes, counted) : counted;
  const features = `${name}.features`;
  const standardisation = standardise ? await learnFrom(featureRows(data.features, inputs, features)) : undefined;
  return {
    samples: {
      ...data,
      labels,
      ...(weights && { weights }),
      features: standardisedFeatures(data.features, standardisation, inputs, dtype, features),
    },
    learnt: { ...names, ...(standardisation && { standardisation }) },
  };
}
