/** Where a search keeps its trials, so that it goes on where it was killed. */
import { readFile } from 'node:fs/promises';
import { DlAdmmError, describe, systemCode } from '../core/errors.js';
import { fromJson, toJson } from '../core/json.js';
import { isObject } from '../core/objects.js';
import { checkWritable, fileError, writeFileAtomic } from '../formats/atomic-file.js';
import type { Trial } from './trial.js';

const FORMAT = 'dladmm search 1';

/** What has to be the same where a search goes on, by how errors call it. */
export type Identity = Readonly<Record<string, unknown>>;

export interface Kept {
  readonly trials: readonly Trial[];
  /** Resolves when it is safe on the disk. */
  add(trial: Trial): Promise<void>;
}

const isNumber = (value: unknown): boolean => typeof value === 'number';

const isSpread = (value: unknown): boolean =>
  isObject(value) && [value.mean, value.sd, value.se, value.folds].every(isNumber);

const isTrial = (value: unknown): value is Trial =>
  isObject(value) &&
  Number.isInteger(value.number) &&
  Number.isInteger(value.samples) &&
  (value.value === undefined || isNumber(value.value)) &&
  isNumber(value.seconds) &&
  isObject(value.options) &&
  isObject(value.scores) &&
  Object.values(value.scores).every(isSpread);

/** @throws DlAdmmError ERR_DLADMM_FORMAT, ERR_DLADMM_CHECKPOINT where the file is of another search, ERR_DLADMM_FILE */
async function trialsIn(path: string, identity: Identity): Promise<readonly Trial[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileError('read', path, error);
  });
  if (text === undefined) return [];
  let found: unknown;
  try {
    found = fromJson(text);
  } catch (cause) {
    throw new DlAdmmError('ERR_DLADMM_FORMAT', `${path} is no file of a search: it is not JSON`, { cause });
  }
  if (!isObject(found) || found.format !== FORMAT) {
    const what = isObject(found) && 'format' in found ? describe(found.format) : describe(found);
    const why = `Expected a file of a search (${FORMAT}) for resume but ${path} is ${what}`;
    throw new DlAdmmError('ERR_DLADMM_FORMAT', why);
  }
  if (!isObject(found.identity) || !Array.isArray(found.trials) || !found.trials.every(isTrial)) {
    const why = `${path} is damaged: it is of a search, but what it says of its trials is not; name another file`;
    throw new DlAdmmError('ERR_DLADMM_FORMAT', why);
  }
  const stored = found.identity;
  const odd = Object.keys(identity).find((name) => toJson(stored[name]) !== toJson(identity[name]));
  if (odd === undefined) return found.trials;
  const why = `Expected the ${odd} that the search of ${path} had, but this one has another: name another file`;
  throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', why);
}

/**
 * The file of a search; one that is not there yet is made with the first trial.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT, ERR_DLADMM_CHECKPOINT, ERR_DLADMM_FILE
 */
export async function keptIn(path: string | undefined, identity: () => Promise<Identity>): Promise<Kept> {
  if (path === undefined) return { trials: [], add: async () => undefined };
  await checkWritable(path);
  const same = await identity();
  const trials = [...(await trialsIn(path, same))];
  const before = [...trials];
  let writing = Promise.resolve();
  return {
    trials: before,
    add(trial) {
      trials.push(trial);
      // One after the other: each holds all trials up to its own.
      writing = writing.then(() =>
        writeFileAtomic(path, Buffer.from(`${toJson({ format: FORMAT, identity: same, trials })}\n`)),
      );
      return writing;
    },
  };
}
