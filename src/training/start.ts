import { DlAdmmError } from '../core/errors.js';
import type { Dtype } from '../core/native.js';
import { seededRandom } from '../core/random.js';
import type { GraphInitialisation } from '../network/graph-initialisation.js';
import { type Initialisation, initialise } from '../network/initialisation.js';
import type { Network } from '../network/network.js';
import type { Parameters } from '../network/parameters.js';
import { foldStandardisation, unfoldStandardisation } from '../network/standardisation.js';
import type { Learnt } from '../samples/arrival.js';

/** What decides where a training begins. */
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

function startOn(how: Beginning['initialisation'], { classes, standardisation }: Learnt): Beginning['initialisation'] {
  if (typeof how !== 'object' || !('network' in how)) return how;
  if (how.classes && classes && how.classes.join('\n') !== classes.join('\n')) {
    throw new DlAdmmError(
      'ERR_DLADMM_LABEL',
      `Expected the classes ${how.classes.join(', ')} of the model in initialisation but the samples have ${classes.join(', ')}`,
    );
  }
  const raw = how.standardisation ? foldStandardisation(how, how.standardisation) : how;
  return standardisation ? unfoldStandardisation(raw, standardisation) : raw;
}
