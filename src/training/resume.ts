/** Goes on with a training from its checkpoint. */
import { unlessAborted } from '../core/abort.js';
import { DlAdmmError } from '../core/errors.js';
import { pathOf } from '../core/objects.js';
import { type GraphSamples, isGraph } from '../samples/graph-samples.js';
import type { AnyRecord } from '../solvers/records.js';
import { checkHeld } from './calibrated.js';
import { storedOptionsOf } from './checkpoint/options.js';
import { lookInto, type ResumeOptions } from './checkpoint/resumed-options.js';
import { asBefore } from './checkpoint/resumed-samples.js';
import { learntOf } from './checkpoint/stored-training.js';
import type { Rows } from './options.js';
import type { FitResult, TrainingData } from './result.js';
import { Training } from './training.js';
import { checkWatched } from './watching.js';

/**
 * {@link resume} as an async iterable of the records that are still to come.
 *
 *     const training = await resumeTraining('run.checkpoint', data);
 *     for await (const record of training) console.log(record.iteration);
 *
 * @throws DlAdmmError as {@link resume}
 */
export async function resumeTraining(
  checkpoint: string | URL,
  rows: TrainingData | GraphSamples | Rows,
  options: ResumeOptions = {},
): Promise<Training<AnyRecord>> {
  const path = pathOf(checkpoint);
  const { identity, training, merged, plan } = await lookInto(path, options);
  const { data: arrived, release } =
    (await unlessAborted(options.signal, () => asBefore(path, rows, training, options))) ?? {};
  const data = arrived ?? (rows as TrainingData);
  try {
    const problem = training.problem ?? 'samples';
    if (problem === 'stream') {
      const text = `Expected the checkpoint of a training but ${path} is a learner's: loadLearner goes on from it`;
      throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
    }
    if (isGraph(data) !== (problem === 'graph')) {
      const text = `Expected ${problem === 'graph' ? 'a graph' : 'samples'} for data, as the training that wrote ${path} had`;
      throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
    }
    if (arrived) {
      checkWatched(arrived, plan);
      checkHeld(arrived as TrainingData, training.front?.calibrate);
    }
    const layers = plan.network.layers.length - 1;
    const taught = training.taught ? learntOf(training.learnt) : undefined;
    const from = { path, identity, training, layers, release };
    return new Training(data, plan, storedOptionsOf(merged, plan), { from, taught, front: training.front });
  } catch (error) {
    release?.();
    throw error;
  }
}

/**
 * Goes on with a training from its last checkpoint, to the same numbers, bit for bit, as if it had never been interrupted.
 * Rows of a table are read, encoded and held out as they were. `history` has the records since then. With `iterations` a training that was complete goes further.
 *
 *     const result = await resume('run.checkpoint', data);
 *
 * @throws DlAdmmError rejects with ERR_DLADMM_FORMAT for a file that is damaged or no checkpoint, with
 *   ERR_DLADMM_CHECKPOINT for one that is of other data, options, another version or machine, or that needs a function;
 *   ERR_DLADMM_FILE; and with any code that a training can cause
 */
export async function resume(
  path: string | URL,
  data: TrainingData | GraphSamples | Rows,
  options: ResumeOptions = {},
): Promise<FitResult<AnyRecord>> {
  const training = await resumeTraining(path, data, options);
  for await (const _ of training);
  return training.result;
}
