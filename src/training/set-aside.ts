/** Rows that are learnt from within so much memory, whatever their number: they go to a store that is nobody's, from which the training reads. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DISPOSE } from '../core/dispose.js';
import { expected } from '../core/errors.js';
import { present } from '../core/objects.js';
import { openSamples, storeOf } from '../formats/sample-file.js';
import type { Loss } from '../network/network.js';
import { pick } from '../network/schema.js';
import { areSamples } from '../samples/arriving.js';
import { taskOf } from '../samples/targets.js';
import { readyOf } from './front/front.js';
import type { Given, Open } from './front/ready.js';
import type { Rows } from './options.js';
import { PACK, packSamples } from './pack.js';
import type { TrainingData } from './result.js';

/** What is given to a training without a name of a solver, and bears on where its samples lie. */
interface Beside {
  readonly checkpoint?: unknown;
  readonly classWeights?: unknown;
  readonly trainMetrics?: unknown;
  readonly loss?: Loss;
}

/** With what it can be told before a row is read that it does not go. */
const ODD = ['checkpoint', 'classWeights', 'trainMetrics'] as const;

/**
 * As `readyOf`, but rows for which `memory` says how much they may take, and which are in no store, are packed into one first, in the system's
 * folder for such files. It has no name once it is open, where the system allows that, and ends with the training.
 *
 * @throws DlAdmmError as `readyOf` and `packSamples`, and ERR_DLADMM_ARGUMENT with a checkpoint, as who goes on from that has to give the store again,
 *   and with what no store takes
 */
export async function readyWithin(data: Rows | TrainingData, given: Given & Beside): Promise<Open> {
  if (given.memory === undefined || (await isStored(data))) return readyOf(data, given);
  const odd = ODD.find((key) => given[key]);
  if (odd) {
    const what = 'none with memory for rows that are in no store (packSamples writes one),';
    throw expected(what, odd, given[odd]);
  }
  const { rows, sets } = parted(data);
  const beside = { ...sets, ...given };
  for (const key of ['validation', 'test'] as const) {
    const set = beside[key];
    if (set !== undefined && !areSamples(set) && !(await isStored(set)))
      throw expected('with memory a store, or { x, labels } or { x, y },', key, set);
  }
  const { loss } = given;
  const path = join(tmpdir(), `dladmm-${randomBytes(8).toString('hex')}.samples`);
  try {
    const task = given.task ?? (loss && taskOf(loss));
    const { warnings } = await packSamples(path, rows, { ...pick(PACK, given), ...(task && { task }) });
    const store = await openSamples(path);
    try {
      // Windows removes no open file: there it goes when it is closed.
      await rm(path, { force: true }).catch(() => undefined);
      const packed = new Set(Object.keys(PACK));
      const others = Object.entries(beside).filter(([key]) => !packed.has(key) || key === 'signal');
      const ready = await readyOf(store, Object.fromEntries(others) as unknown as Given);
      const end = (): void => {
        ready[DISPOSE]();
        store.close();
        rmSync(path, { force: true });
      };
      return { ...ready, warnings: [...warnings, ...ready.warnings], [DISPOSE]: end };
    } catch (error) {
      store.close();
      throw error;
    }
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** What is packed, and what is watched beside it. */
function parted(data: Rows | TrainingData) {
  if (!areSamples(data)) return { rows: data, sets: {} };
  const { validation, test, ...rows } = data as TrainingData;
  return { rows: rows as TrainingData, sets: present({ validation, test }) };
}

async function isStored(data: unknown): Promise<boolean> {
  using stored = await storeOf(data);
  return stored !== undefined;
}
