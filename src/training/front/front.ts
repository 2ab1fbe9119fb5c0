/** Samples as a person has them, made ready for a training: what is not said is inferred, here and by the rule of solvers/auto.ts. */
import { checkKeys } from '../../core/checks.js';
import { DISPOSE } from '../../core/dispose.js';
import { expected } from '../../core/errors.js';
import { type StoredSamples, storeOf } from '../../formats/sample-file.js';
import { completed, NOTHING } from '../../network/schema.js';
import { isNames } from '../../samples/arrived.js';
import { areSamples, checkTold } from '../../samples/arriving.js';
import { areLists, listedRows } from '../../samples/label-lists.js';
import { taskOf } from '../../samples/targets.js';
import { breathe } from '../../tensor/inputs.js';
import { FRONT, type FrontOptions, type Rows } from '../options.js';
import type { TrainingData } from '../result.js';
import { DEFAULT_LOSS, type Given, type Open, type Ready } from './ready.js';
import { fromRows } from './rows.js';
import { fromSamples } from './samples.js';
import { fromStore } from './stored.js';

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkFront(options: FrontOptions, layers: unknown, distributed?: unknown): void {
  const { hidden, memory } = completed(FRONT, options, '', NOTHING);
  if (memory !== undefined && distributed)
    throw expected('none with memory (a store is read by one process),', 'distributed', distributed);
  if (hidden !== undefined && layers !== undefined)
    throw expected('one of hidden and layers, which say the same,', 'hidden', hidden);
}

/**
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_LABEL, ERR_DLADMM_SHAPE, …: whatever reading and encoding the rows can cause, and a
 *   target that is constant
 */
export async function readyOf(data: Rows | TrainingData, given: Given): Promise<Open> {
  await breathe();
  const stored = await storeOf(data);
  try {
    const ready = stored
      ? await fromStore(stored.store, given)
      : await inMemory(data as Exclude<typeof data, StoredSamples>, given);
    return { ...ready, [DISPOSE]: () => stored?.close() };
  } catch (error) {
    stored?.close();
    throw error;
  }
}

async function inMemory(data: Exclude<Rows, StoredSamples> | TrainingData, given: Given): Promise<Ready> {
  if (given.memory !== undefined)
    throw expected('none but with a store of samples (packSamples writes one),', 'memory', given.memory);
  if (!areSamples(data)) return fromRows(data, given);
  const { labels, y, weights = given.weights, ...rest } = data as TrainingData;
  if (areLists(labels)) {
    const { loss = DEFAULT_LOSS['multi-label'] } = given;
    const told = await listedRows(labels, loss, given.classes ?? data.classes, 'data.labels');
    const beside = { ...(weights !== undefined && { weights }), y: told.y, classes: told.names };
    return fromSamples({ ...rest, ...beside }, { ...given, loss }, 'data.labels');
  }
  checkTold(data as TrainingData);
  const named = typeof labels === 'string' ? labels : typeof y === 'string' || isNames(y) ? y : undefined;
  if (named === undefined || given.layers !== undefined) {
    return fromSamples({ ...(data as TrainingData), ...(weights !== undefined && { weights }) }, given);
  }
  checkKeys(rest, ['x', 'validation', 'test'], 'data');
  const task = given.loss ? taskOf(given.loss) : typeof labels === 'string' ? 'classification' : 'regression';
  const { validation, test } = data;
  return fromRows(
    data.x,
    { ...given, task, target: named, ...(weights !== undefined && { weights }) },
    { ...(validation && { validation }), ...(test && { test }) },
  );
}
