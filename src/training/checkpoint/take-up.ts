/** What a checkpoint holds, brought back: the state of a training, or its model alone. */
import { DlAdmmError } from '../../core/errors.js';
import type { Dtype, Numbers } from '../../core/native.js';
import type { Parameters } from '../../network/parameters.js';
import type { Learnt } from '../../samples/arrival.js';
import type { Course } from '../../solvers/shared/course.js';
import type { ProgressRecord } from '../../solvers/shared/record.js';
import { fillState, type OpenCheckpoint, openCheckpoint, readValues } from './file.js';
import { apart, parameterNames, parametersOf, TOGETHER } from './parameters.js';
import { fingerprints, otherData } from './samples.js';
import { type BestModel, learntOf, networkIn, type Resumption, type StoredFront, saidIn } from './stored-training.js';

/** What a training knows beside its data, its plan and its options. */
export interface Beside {
  /** The checkpoint that it goes on from. */
  readonly from?: Resumption | undefined;
  /** What a model that goes on knows of samples already. */
  readonly taught?: Learnt | undefined;
  /** How rows became the samples, as the options said it. */
  readonly front?: StoredFront | undefined;
}

export const replaced = (path: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_CHECKPOINT', `${path} has been replaced since it was looked into`);

/**
 * Fills a session from a checkpoint; answers with the best model so far.
 *
 * @throws DlAdmmError ERR_DLADMM_CHECKPOINT where it is of other samples; ERR_DLADMM_FORMAT, ERR_DLADMM_FILE
 */
export async function takeUp(
  { path, identity, training, layers }: Resumption,
  course: Course<ProgressRecord>,
  alike: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<BestModel | undefined> {
  const { samples, native: state } = course.session;
  const { best, problem } = training;
  const biases = problem !== 'graph';
  const opened = async (): Promise<OpenCheckpoint> => {
    if (samples !== training.samples) {
      throw otherData(path, `the ${training.samples} training samples`, `received ${samples}`);
    }
    const { train } = await fingerprints(course);
    if (train !== training.data.train) throw otherData(path, 'the training samples', 'these are others');
    const from = await openCheckpoint(path);
    if (from.identity === identity) return from;
    await from.file.close();
    throw replaced(path);
  };
  const from = await alike(opened);
  let extras: readonly Numbers[];
  try {
    const names = best ? parameterNames(layers, biases, 'best.') : [];
    extras = await alike(() => fillState(from, state, training.kept, names));
    for (const copy of course.copies()) await alike(() => fillState(from, copy, training.kept, []));
  } finally {
    await from.file.close();
  }
  course.session.feed?.goOn(training.iteration);
  await saidIn(path, () => course.recall(training.memory));
  return best && { ...best, parameters: parametersOf(extras, biases) };
}

/**
 * The model of a checkpoint without the samples: the parameters that the training kept best, or had last, and what its samples
 * had taught; undefined where an earlier version did not write that down.
 *
 * @throws DlAdmmError ERR_DLADMM_CHECKPOINT, ERR_DLADMM_FORMAT, ERR_DLADMM_FILE
 */
export async function storedModel(
  { path, identity, training, layers }: Resumption,
  dtype: Dtype,
): Promise<{ readonly parameters: Parameters; readonly learnt: Learnt } | undefined> {
  const { best, problem } = training;
  const learnt = learntOf(training.learnt);
  if (learnt === undefined) return undefined;
  const biases = problem !== 'graph';
  const from = await openCheckpoint(path);
  try {
    if (from.identity !== identity) throw replaced(path);
    if (!best && from.sections.some(({ name }) => name === TOGETHER)) {
      const [all] = (await readValues(from, [TOGETHER], dtype)) as readonly [Numbers];
      return { parameters: apart(all, networkIn(training.options).layers, biases), learnt };
    }
    const arrays = await readValues(from, parameterNames(layers, biases, best ? 'best.' : ''), dtype);
    return { parameters: parametersOf(arrays, biases), learnt };
  } finally {
    await from.file.close();
  }
}
