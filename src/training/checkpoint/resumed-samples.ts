/** Samples as a training had them that goes on: rows encoded by its columns, and what it held out held out. */
import { checkObject } from '../../core/checks.js';
import { DISPOSE } from '../../core/dispose.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import { isUrl, pathOf, present } from '../../core/objects.js';
import { isFile } from '../../datasets/frame-file.js';
import { isSampleFile, StoredSamples } from '../../formats/sample-file.js';
import type { Loss } from '../../network/network.js';
import { SEED } from '../../network/schema.js';
import { targetColumns } from '../../samples/arrived.js';
import { areSamples, type WeightedSamples } from '../../samples/arriving.js';
import { type GraphSamples, isGraph } from '../../samples/graph-samples.js';
import type { TrainOptions } from '../../solvers/index.js';
import { readyOf } from '../front/front.js';
import type { Rows } from '../options.js';
import type { TrainingData } from '../result.js';
import { lookInto, type ResumeOptions } from './resumed-options.js';
import { learntOf, type StoredTraining } from './stored-training.js';

/**
 * Samples as a training had them that was given them so: rows encoded by its columns, and what it held out held out.
 *
 * @throws DlAdmmError as `resume`
 */
export async function resumedData(
  path: string,
  data: TrainingData | GraphSamples | Rows,
  options: ResumeOptions = {},
): Promise<TrainingData | GraphSamples> {
  return (await asBefore(path, data, (await lookInto(path, options)).training, options)).data;
}

/** What a training goes on with, and of a store that was opened for it how it is given back. */
interface Before {
  readonly data: TrainingData | GraphSamples;
  release?(): void;
}

export async function asBefore(
  path: string,
  rows: TrainingData | GraphSamples | Rows,
  { learnt, options: stored, samples, front = {} }: StoredTraining,
  options: ResumeOptions,
): Promise<Before> {
  const { loss, layers, seed = SEED, earlyStopping } = stored as unknown as TrainOptions & { readonly loss: Loss };
  const { calibrate, validationShare } = front;
  const { weights = front.weights } = options;
  if (weights === true && (isFile(rows) || (rows as TrainingData | null)?.weights === undefined)) {
    const text = `Expected the weights of the samples again for options.weights, as the training that wrote ${path} had them`;
    throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
  }
  const { target, columns, classes } = learntOf(learnt) ?? {};
  // An earlier version did not write it down.
  const { holdsOut = earlyStopping !== undefined || isFile(rows) || !areSamples(rows) } = front;
  const known = {
    ...present({ calibrate, validationShare }),
    ...options,
    ...(weights !== undefined && weights !== true && { weights }),
    loss,
    seed,
    holdsOut,
  };
  const from = isUrl(rows) ? pathOf(rows) : rows;
  if (StoredSamples.is(from) || (typeof from === 'string' && (await isSampleFile(from)))) {
    const ready = await readyOf(from as Rows, known);
    return { data: ready.data, release: () => ready[DISPOSE]() };
  }
  if (typeof rows !== 'string') {
    checkObject(rows, 'rows, { x, labels }, { x, y } or { adjacency, features, labels, trainIndex }', 'data');
    if (isGraph(rows)) return { data: rows };
    const { labels, y } = rows as TrainingData;
    const named = target !== undefined && targetColumns({ labels, y } as WeightedSamples).length > 0;
    if (areSamples(rows) && !named) {
      const parted = holdsOut || (validationShare ?? 0) > 0;
      if (!parted || (rows as TrainingData).validation !== undefined) {
        return { data: known.weights === undefined ? rows : { ...rows, weights: known.weights } };
      }
      const { data, heldOut } = await readyOf(rows as TrainingData, { ...known, layers });
      // As many as the training had are not to be divided: it had a validation set beside.
      return { data: heldOut?.of === samples ? rows : data };
    }
  }
  if (target === undefined || columns === undefined) {
    throw expected(`{ x, labels } or { x, y }, as the training that wrote ${path} had,`, 'data', rows);
  }
  const { data } = await readyOf(rows as Rows, { ...known, target, columns, ...(classes && { classes }) });
  return { data };
}
