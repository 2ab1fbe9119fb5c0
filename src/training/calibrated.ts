/** Probabilities for a loss that has none, by what was held out: only where somebody asks for them. */
import { expected } from '../core/errors.js';
import type { Model } from '../model/model.js';
import { classifies, hasProbabilities, type Loss } from '../network/network.js';
import { type FitResult, hasLearnt, type TrainingData } from './result.js';

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT before any work, for a loss that has probabilities or no classes */
export function checkCalibrated(loss: Loss, asked: unknown): void {
  if (asked !== true || (classifies(loss) && !hasProbabilities(loss))) return;
  const why = classifies(loss) ? 'has probabilities by itself' : 'tells no classes';
  throw expected(`none but with loss: 'hinge' or 'one-hot-squared-error', as ${loss} ${why},`, 'calibrate', asked);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where nothing is held out to calibrate by */
export function checkHeld({ validation }: TrainingData, asked: unknown): void {
  if (asked !== true || validation !== undefined) return;
  throw expected('rows held out for it (validationShare above 0, or validation),', 'calibrate', asked);
}

/** A result whose model has probabilities, where they are asked for; one that has not learnt is left as it is. */
export async function withCalibration<F extends Pick<FitResult<never, unknown>, 'model' | 'status' | 'iterations'>>(
  result: F,
  { validation }: TrainingData,
  asked: unknown,
): Promise<F> {
  if (asked !== true || validation === undefined || !hasLearnt(result)) return result;
  const before = result.model as Model;
  const model = await before.calibrate(validation);
  void before.close();
  return { ...result, model };
}
