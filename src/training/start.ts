import { DlAdmmError, listed } from '../core/errors.js';
import type { Dtype } from '../core/native.js';
import { present } from '../core/objects.js';
import { seededRandom } from '../core/random.js';
import type { GraphInitialisation, TrainedWeights } from '../network/graph-initialisation.js';
import { type Initialisation, initialise, type TrainedParameters } from '../network/initialisation.js';
import type { Network } from '../network/network.js';
import type { Parameters } from '../network/parameters.js';
import {
  foldStandardisation,
  retarget,
  type Standardisation,
  unfoldStandardisation,
} from '../network/standardisation.js';
import type { Before, Learnt } from '../samples/arrival.js';
import { learntOf, type StoredTraining } from './checkpoint/stored-training.js';

/** By so much the standardisations of two trainings may differ that are taken for the same. */
const ALIKE = 1e-6;

/** What a training that goes on knows of its samples: from a checkpoint, or from a model. */
export function beforeOf(
  how: Beginning['initialisation'],
  from: { readonly path: string; readonly training: StoredTraining } | undefined,
): Before | undefined {
  const called = from ? `the training that wrote ${from.path}` : 'the model in initialisation';
  if (from) {
    const { columns, standardisation } = learntOf(from.training.learnt) ?? {};
    return columns && { called, columns, ...present({ standardisation }) };
  }
  if (typeof how !== 'object' || !('network' in how)) return undefined;
  const { classes, columns } = how as Pick<TrainedParameters, 'classes' | 'columns'>;
  return { called, ...present({ classes, columns }) };
}

interface Beginning {
  readonly initialisation: Initialisation | GraphInitialisation;
  readonly network: Network;
  readonly dtype: Dtype;
  readonly seed: number;
}

/**
 * The parameters that a training begins with, now that its samples are known. Those of a model are made to say of raw
 * features what the model says of them, whatever it and the training do to features first; the event loop runs in between.
 *
 * @throws DlAdmmError ERR_DLADMM_LABEL where a model has other classes, or has them in another order
 */
export async function firstParameters(
  { initialisation, network, dtype, seed }: Beginning,
  learnt: Learnt,
): Promise<Parameters> {
  const how = startOn(initialisation, learnt);
  if (typeof how === 'object' && 'weights' in how) return { biases: [], ...how };
  return initialise(how, network.layers, dtype, seededRandom(seed));
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where features had another mean or scale: without biases no weights make up for that */
function onSameScale(how: TrainedWeights, standardisation: Standardisation | undefined): TrainedWeights {
  const numbers = (rule: Standardisation | undefined) => [...(rule?.mean ?? []), ...(rule?.scale ?? [])];
  const [own, here] = [how.standardisation, standardisation].map(numbers) as [number[], number[]];
  const near = (value: number, i: number) => Math.abs(value - (here[i] ?? Number.NaN)) <= ALIKE * Math.abs(value);
  if (own.length === here.length && own.every(near)) return how;
  const text = `Expected features that are standardised as the model in initialisation has them (${how.standardisation ? 'standardise: true, and those that it learnt from' : 'standardise: false'}), as its network has no biases that would make up for it; pass { weights } of it for these as they are`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}

function startOn(how: Beginning['initialisation'], learnt: Learnt): Beginning['initialisation'] {
  const { classes, standardisation, targetStandardisation } = learnt;
  if (typeof how !== 'object' || !('network' in how)) return how;
  if (how.classes && classes && how.classes.join('\n') !== classes.join('\n')) {
    const text = `Expected the classes ${listed(how.classes)} of the model in initialisation but the samples have ${listed(classes)}`;
    throw new DlAdmmError('ERR_DLADMM_LABEL', text);
  }
  if (!('biases' in how)) return onSameScale(how, standardisation);
  const aimed = retarget(how, how.targetStandardisation, targetStandardisation);
  const raw = how.standardisation ? foldStandardisation(aimed, how.standardisation) : aimed;
  return standardisation ? unfoldStandardisation(raw, standardisation) : raw;
}
