/** Whether samples are those that a checkpoint was written with. */
import { DlAdmmError } from '../../core/errors.js';
import { toJson } from '../../core/json.js';
import { fromNative, native } from '../../core/native.js';
import { TRAINING_SET } from '../../samples/samples.js';
import type { Course } from '../../solvers/shared/course.js';
import type { ProgressRecord } from '../../solvers/shared/record.js';
import type { Fingerprints, Resumption } from './stored-training.js';

export async function nativeCall<R>(call: () => Promise<R>): Promise<R> {
  try {
    return await call();
  } catch (error) {
    throw fromNative(error);
  }
}

export async function fingerprints(
  { session: { native: state, fingerprint } }: Course<ProgressRecord>,
  validation?: number,
): Promise<Fingerprints> {
  return {
    train: await nativeCall(() => fingerprint?.() ?? state.fingerprint(TRAINING_SET)),
    ...(validation !== undefined && { validation: await nativeCall(() => state.fingerprint(validation)) }),
  };
}

export const otherData = (path: string, expected: string, found: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_CHECKPOINT', `Expected ${expected} that ${path} was written with, but ${found}`);

export function checksumOf(learnt: object): string {
  const hash = new native.Hash64();
  // The name of the target decides nothing.
  hash.update(new TextEncoder().encode(toJson({ ...learnt, target: undefined })));
  return hash.digest();
}

/** @throws DlAdmmError ERR_DLADMM_CHECKPOINT where classes have other names, or features another mean or deviation */
export function checkLearnt({ path, training }: Resumption, learnt: object): void {
  if (training.data.learnt === checksumOf(learnt)) return;
  throw otherData(path, 'the names and the scale of the samples', 'these are others');
}

/** @throws DlAdmmError ERR_DLADMM_CHECKPOINT where early stopping would decide by another validation set */
export async function checkValidation(
  { path, training }: Resumption,
  course: Course<ProgressRecord>,
  validation: number | undefined,
): Promise<void> {
  const { validation: stored } = training.data;
  if (stored === undefined) return;
  const found = validation === undefined ? undefined : (await fingerprints(course, validation)).validation;
  if (found !== stored) throw otherData(path, 'the validation samples', 'these are others');
}
