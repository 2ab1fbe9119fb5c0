import type { Dtype } from '../core/native.js';
import { classCount, classifies, type Network } from '../network/network.js';
import type { Standardisation } from '../network/standardisation.js';
import { asSamples } from '../tensor/inputs.js';
import { type ArrivalRules, type ArrivingSamples, arrivingSamples, checkNames } from './arriving.js';
import { type ClassNames, classNumbers, learnClasses } from './classes.js';
import type { Column } from './columns.js';
import {
  featureRows,
  type GraphSamples,
  learnNodeClasses,
  nodeNumbers,
  standardisedFeatures,
} from './graph-samples.js';
import type { LabelledSamples } from './samples.js';
import { learnFrom, standardised } from './standardise.js';

/** What a training set teaches about samples: the model keeps it, and whatever it is given goes through it. */
export interface Learnt extends ClassNames {
  readonly standardisation?: Standardisation;
  readonly columns?: readonly Column[];
}

/** What a training decides of its samples. */
interface Facts {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly standardise: boolean;
  readonly classes?: readonly string[];
  readonly signal?: AbortSignal;
}

const rulesOf = ({ network, dtype, standardise, signal }: Facts, columns?: readonly Column[]): ArrivalRules => ({
  network,
  dtype,
  exact: standardise,
  ...(columns && { columns }),
  ...(signal && { signal }),
});

/**
 * Takes in a training set, and learns from it what the classes are called, what its columns are, and how to standardise.
 *
 * @throws DlAdmmError as `arrivingSamples`, and ERR_DLADMM_LABEL, ERR_DLADMM_NON_FINITE, ERR_DLADMM_RANGE
 */
export async function trainingSet(
  data: ArrivingSamples,
  facts: Facts,
  name = 'data',
): Promise<{ readonly samples: LabelledSamples; readonly learnt: Learnt }> {
  const { network, dtype, standardise, classes: given } = facts;
  const { x, y, labels, classes: own, columns } = await arrivingSamples(data, rulesOf(facts), name);
  const count = classCount(network.loss, network.layers.at(-1) ?? 0);
  const called = `${name}.labels`;
  const names = classifies(network.loss) ? learnClasses(labels, own, given, count, called) : {};
  // Before a pass over the samples: a slip in the labels should not cost its time.
  const numbers = classifies(network.loss) ? classNumbers(labels, own, names, x.rows, count, called) : undefined;
  const standardisation = standardise ? await learnFrom(x) : undefined;
  return {
    samples: {
      x: asSamples(standardised(x, standardisation, dtype)),
      ...(numbers && { labels: numbers }),
      ...(y && { y: asSamples(y) }),
    },
    learnt: { ...names, ...(standardisation && { standardisation }), ...(columns && { columns }) },
  };
}

/**
 * Takes in samples to evaluate a network on, as the training set has taught.
 *
 * @throws DlAdmmError as `arrivingSamples`, and ERR_DLADMM_LABEL for a class that the training set did not have
 */
export async function evaluationSet(
  data: ArrivingSamples,
  facts: Facts,
  learnt: Learnt,
  name: string,
): Promise<LabelledSamples> {
  const { network, dtype } = facts;
  const { x, y, labels, classes: own } = await arrivingSamples(data, rulesOf(facts, learnt.columns), name);
  const count = classCount(network.loss, network.layers.at(-1) ?? 0);
  return {
    x: asSamples(standardised(x, learnt.standardisation, dtype)),
    ...(classifies(network.loss) && {
      labels: classNumbers(labels, own, learnt, x.rows, count, `${name}.labels`),
    }),
    ...(y && { y: asSamples(y) }),
  };
}

/**
 * Takes in a graph to train on, and learns from it what the classes are called, and how to standardise: over the features of
 * all nodes, as all of them are given.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_NON_FINITE, ERR_DLADMM_RANGE
 */
export async function trainingGraph(
  data: GraphSamples,
  { network, dtype, standardise, classes: given }: Facts,
  name = 'data',
): Promise<{ readonly samples: GraphSamples; readonly learnt: Learnt }> {
  checkNames(data.classes, `${name}.classes`);
  const inputs = network.layers[0] ?? 0;
  const count = classCount(network.loss, network.layers.at(-1) ?? 0);
  const names = learnNodeClasses(data, given, count, `${name}.labels`);
  const labels = nodeNumbers(data, names, count, undefined, `${name}.labels`);
  const features = `${name}.features`;
  const standardisation = standardise ? await learnFrom(featureRows(data.features, inputs, features)) : undefined;
  return {
    samples: {
      ...data,
      labels,
      features: standardisedFeatures(data.features, standardisation, inputs, dtype, features),
    },
    learnt: { ...names, ...(standardisation && { standardisation }) },
  };
}
