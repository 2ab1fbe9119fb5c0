import { DlAdmmError } from 'dladmm';
import { BEST, TASKS, type TaskName } from './settings.js';

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function taskOf(name: string): TaskName {
  const task = TASKS.find((known) => known === name);
  if (task !== undefined) return task;
  throw argument(`one of ${TASKS.join(', ')}`, '--task', name);
}

/**
 * The methods in a list such as `adam,badm`, in its order, each once.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT for a method that has no setting
 */
export function methodsOf(list: string, task: TaskName): readonly string[] {
  const names = list.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !Object.hasOwn(BEST[task], name));
  if (unknown !== undefined) throw argument(`some of ${Object.keys(BEST[task]).join(', ')}`, '--methods', unknown);
  return [...new Set(names)];
}

/** @throws DlAdmmError ERR_DLADMM_RANGE */
export function countOf(text: string, name: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new DlAdmmError(
    'ERR_DLADMM_RANGE',
    `Expected a positive whole number for ${name} but received ${JSON.stringify(text)}`,
  );
}

const argument = (what: string, name: string, received: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_ARGUMENT', `Expected ${what} for ${name} but received ${JSON.stringify(received)}`);
