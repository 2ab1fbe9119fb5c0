import { DlAdmmError } from '../../core/errors.js';
import type { Initialisation } from '../../network/initialisation.js';
import { foldStandardisation, unfoldStandardisation } from '../../network/standardisation.js';
import type { Learnt } from '../../samples/arrival.js';

/**
 * Where a training begins, now that its samples are known. Parameters of a model are made to say of raw features what
 * the model says of them, whatever it and the training do to features first; anything else stays as it is.
 *
 * @throws DlAdmmError ERR_DLADMM_LABEL where the model has other classes, or has them in another order
 */
export function startOn(how: Initialisation, { classes, standardisation }: Learnt): Initialisation {
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
