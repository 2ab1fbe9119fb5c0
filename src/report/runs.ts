/** Trainings that are kept: each a file of JSON lines, which is written as its iterations come. */
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DlAdmmError, expected, listed, systemCode } from '../core/errors.js';
import { info } from '../core/info.js';
import { fromJson, toJson } from '../core/json.js';
import { isObject } from '../core/objects.js';
import { fileError } from '../formats/atomic-file.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import { secondsOf } from './charts.js';

/** What is known of a run when it begins. */
export interface RunHead {
  readonly id: string;
  /** What it was trained on. */
  readonly name: string;
  /** In ISO 8601. */
  readonly began: string;
  readonly version: string;
  readonly kernels: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What is known when it has ended: status, iterations, seconds, scores. */
export type RunEnd = Readonly<Record<string, unknown>>;

export interface StoredRun {
  readonly head: RunHead;
  readonly records: readonly ProgressRecord[];
  /** Absent of a run that is under way, or was killed. */
  readonly end?: RunEnd;
}

/** A run that is being written. */
export interface RunWriter {
  readonly id: string;
  write(record: ProgressRecord): void;
  end(outcome: RunEnd): void;
}

const ENDING = '.run.jsonl';
const BEGINS = '{"run":1,';
/** Digits of seconds. */
const DIGITS = 3;
const fileOf = (folder: string, id: string): string => join(folder, id + ENDING);

/** A file that is written as things come: what has been put is with the operating system when `put` returns. */
export function growing(path: string, how: 'w' | 'ax') {
  const trying = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw fileError('write', path, error);
    }
  };
  const file = trying(() => openSync(path, how));
  return { put: (text: string): void => void trying(() => writeSync(file, text)), close: () => closeSync(file) };
}

/** Of what each update did its seconds are kept, by the kind of update. */
function keptOf(record: ProgressRecord): object {
  const spent = secondsOf(record).map(([kind, seconds]) => [kind, Number(seconds.toPrecision(DIGITS))] as const);
  return { ...record, updates: undefined, ...(spent.length > 0 && { spent: Object.fromEntries(spent) }) };
}

/**
 * Begins the record of a run in a folder, which is made where it is not there. Every line is with the operating system when `write` returns, so
 * that of a training that is killed all iterations are kept.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, here and where a line cannot be written
 */
export function openRun(folder: string, name: string, settings: object): RunWriter {
  const began = new Date().toISOString();
  const id = `${began.replace(/\D/g, '')}-${randomBytes(3).toString('hex')}`;
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw fileError('write', folder, error);
  }
  const file = growing(fileOf(folder, id), 'ax');
  const put = (what: object): void => file.put(`${toJson(what)}\n`);
  const { version, kernels } = info();
  put({ run: 1, id, name, began, version, kernels, settings: { ...settings, signal: undefined } });
  return {
    id,
    write: (record) => put(keptOf(record)),
    end(outcome) {
      put({ end: outcome });
      file.close();
    },
  };
}

const damaged = (path: string): DlAdmmError =>
  new DlAdmmError(
    'ERR_DLADMM_FORMAT',
    `Expected ${path} to be the record of a run, as --runs writes it, but it is none`,
  );

function parsed(text: string): unknown {
  try {
    return fromJson(text);
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): boolean => isObject(value) && typeof value.iteration === 'number';

/** The record of a run; of the last line what was written of it before a kill. @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT */
export async function readRunFile(path: string): Promise<StoredRun> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => Promise.reject(fileError('read', path, error)));
  const lines = text.split('\n');
  // What follows the last end of a line is nothing, or was cut off.
  const [head, ...rest] = lines.slice(0, -1).map(parsed);
  if (!isObject(head) || head.run !== 1 || typeof head.id !== 'string' || !isObject(head.settings)) throw damaged(path);
  const last = rest.at(-1);
  const end = isObject(last) && isObject(last.end) ? last.end : undefined;
  const all = end ? rest.slice(0, -1) : rest;
  if (!all.every(isRecord)) throw damaged(path);
  // Of a linear model and a network, the one that was kept; before that is known, the one at work.
  const told = all as readonly { readonly network?: unknown }[];
  const network = told.at(-1)?.network && (end?.network ?? told.at(-1)?.network);
  const records = told.filter((record) => record.network === network);
  return { head: head as never, records: records as unknown as readonly ProgressRecord[], ...(end && { end }) };
}

/** The ids of a folder, the oldest first. @throws DlAdmmError ERR_DLADMM_FILE */
export async function runsIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: unknown) => Promise.reject(fileError('read', folder, error)));
  return names.flatMap((name) => (name.endsWith(ENDING) ? [name.slice(0, -ENDING.length)] : [])).sort();
}

/** The one run whose id begins so. @throws DlAdmmError ERR_DLADMM_ARGUMENT */
async function pathIn(folder: string, id: string): Promise<string> {
  const all = await runsIn(folder);
  const found = all.filter((each) => each.startsWith(id) && id !== '');
  if (found.length !== 1 && !all.includes(id)) {
    throw expected(`the id of a run of ${folder}, or a beginning of one alone (${listed(all)}),`, 'run', id);
  }
  return fileOf(folder, all.includes(id) ? id : (found[0] as string));
}

/** A run of a folder by its id, or what no other id begins with. @throws DlAdmmError */
export const readRun = async (folder: string, id: string): Promise<StoredRun> => readRunFile(await pathIn(folder, id));

/** The runs of a folder, the oldest first, and the ids of files that are none: one that was cut off hides no other. @throws DlAdmmError ERR_DLADMM_FILE */
export async function readRuns(folder: string) {
  const damaged: string[] = [];
  const all = (await runsIn(folder)).map((id) =>
    readRunFile(fileOf(folder, id)).catch((error: unknown) => {
      if (systemCode(error) !== 'ERR_DLADMM_FORMAT') throw error;
      damaged.push(id);
    }),
  );
  return { runs: (await Promise.all(all)).filter((run) => run !== undefined), damaged: damaged.toSorted() };
}

/** Whether a file was cut off in its first line, or before. */
const isCut = (text: string): boolean =>
  !text.includes('\n') && text.slice(0, BEGINS.length) === BEGINS.slice(0, text.length);

/** Removes it. @throws DlAdmmError */
export async function removeRun(folder: string, id: string): Promise<void> {
  const path = await pathIn(folder, id);
  const text = await readFile(path, 'utf8').catch((error: unknown) => Promise.reject(fileError('read', path, error)));
  if (!isCut(text)) await readRunFile(path);
  await unlink(path).catch((error: unknown) => Promise.reject(fileError('write', path, error)));
}

/** The numbers of a record by their names: `loss`, `test/accuracy`, `residuals/2`. */
export function numbersOf(record: object, within = ''): readonly (readonly [name: string, value: number])[] {
  return Object.entries(record).flatMap(([key, value]) => {
    const name = within + (Array.isArray(record) ? String(Number(key) + 1) : key);
    if (typeof value === 'number') return [[name, value] as const];
    return typeof value === 'object' && value !== null && key !== 'updates' ? numbersOf(value, `${name}/`) : [];
  });
}
