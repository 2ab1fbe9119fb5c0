/** Writes the checkpoints of a training. */
import { DlAdmmError } from '../../core/errors.js';
import { packageVersion } from '../../core/package.js';
import { checkWritable, removeLeftovers } from '../../formats/atomic-file.js';
import type { Learnt } from '../../samples/arrival.js';
import type { Course } from '../../solvers/shared/course.js';
import type { CheckpointPlan } from '../../solvers/shared/options.js';
import type { CheckpointRecord, ProgressRecord } from '../../solvers/shared/record.js';
import { CHECKPOINT, checkTelling, freeBytes, writeCheckpoint } from './file.js';
import { kernelHere } from './options.js';
import { extrasOf } from './parameters.js';
import { checksumOf, fingerprints, nativeCall } from './samples.js';
import { type BestModel, type StoredFront, type StoredTraining, storedLearnt } from './stored-training.js';

interface Standing {
  readonly iteration: number;
  /** Seconds since it began, those before an interruption included. */
  readonly elapsed: number;
  readonly best?: BestModel;
}

export interface Keeper {
  /** What one takes on the disk, header left out. */
  readonly bytes: number;
  due(iteration: number): boolean;
  /** What was written, where it is this process that writes. */
  save(standing: Standing): Promise<CheckpointRecord | undefined>;
}

export interface Kept {
  readonly plan: CheckpointPlan;
  readonly options: StoredTraining['options'];
  readonly course: Course<ProgressRecord>;
  readonly problem: 'samples' | 'graph';
  /** The number of the validation set, where early stopping decides by it. */
  readonly validation?: number;
  /** What was learnt of the samples before they were loaded. */
  readonly learnt: Learnt;
  /** How rows became the samples. */
  readonly front: StoredFront;
  /** Whether a model that went on had taught it, rather than the samples. */
  readonly taught: boolean;
  /** Whether the file is written here, or by another rank, to which this one sends what it has. */
  readonly writes: boolean;
}

const sizeText = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/**
 * Finds out whether checkpoints can be written, before a long work, and removes what killed trainings have left.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_ARGUMENT
 */
export async function openKeeper({
  plan,
  options,
  course,
  problem,
  validation,
  learnt,
  front,
  taught,
  writes,
}: Kept): Promise<Keeper> {
  const { path, every } = plan;
  const { native: state, samples } = course.session;
  const due = (iteration: number): boolean => iteration % every === 0;
  const bytes = await nativeCall(() => state.sectionBytes(!course.endsAfresh(every)));
  if (!writes) {
    const save = async ({ iteration }: Standing): Promise<undefined> =>
      nativeCall(() => state.sendSections(!course.endsAfresh(iteration))) as Promise<undefined>;
    return { bytes, due, save };
  }
  await checkWritable(path, CHECKPOINT);
  await removeLeftovers(path);
  checkTelling(path, { options, front, learnt: storedLearnt(learnt) });
  const data = { ...(await fingerprints(course, validation)), learnt: checksumOf(learnt) };
  const free = await freeBytes(path);
  if (free < bytes) {
    const text = `Could not write ${path}: a checkpoint takes ${sizeText(bytes)}, but only ${sizeText(free)} are free there`;
    throw new DlAdmmError('ERR_DLADMM_FILE', text);
  }
  return {
    bytes,
    due,
    async save({ iteration, elapsed, best }) {
      const began = performance.now();
      const kept = !course.endsAfresh(iteration);
      const { parameters: _, ...standing } = best ?? { parameters: undefined };
      const training = {
        version: packageVersion(),
        kernel: kernelHere(),
        options,
        front,
        iteration,
        elapsed,
        samples,
        ...(problem === 'graph' && { problem }),
        data,
        learnt: storedLearnt(learnt),
        ...(taught && { taught }),
        kept,
        ...(best && { best: standing }),
        memory: course.memory(),
      };
      const written = await writeCheckpoint(path, state, { training, kept, extras: extrasOf(best) });
      return { path, bytes: written, seconds: (performance.now() - began) / 1000 };
    },
  };
}
