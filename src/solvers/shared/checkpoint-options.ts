import { checkKeys, checkObject, given, whole } from '../../core/checks.js';
import { checkPath } from '../../formats/atomic-file.js';

/** Where and how often a training is written out as it goes. */
export interface CheckpointOptions {
  /** The file. Each checkpoint takes the place of the one before, as a whole: at every moment one good file is there. */
  readonly path: string;
  /**
   * Iterations (epochs) between two checkpoints. Default 25. One more is written as the training ends, however it does,
   * but for a divergence or an error. For dlADMM a multiple of `refreshEvery` makes the file a third smaller.
   */
  readonly every?: number;
}

/** The same, complete. */
export type CheckpointPlan = Required<CheckpointOptions>;

const EVERY = 25;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkpointPlanOf(options: CheckpointOptions): CheckpointPlan {
  checkObject(options, '{ path, every }', 'checkpoint');
  checkKeys(options, ['path', 'every'], 'checkpoint');
  const { path } = options;
  checkPath(path, 'checkpoint.path');
  return { path, every: whole(given(options.every, EVERY), 1, 1e9, 'checkpoint.every') };
}
