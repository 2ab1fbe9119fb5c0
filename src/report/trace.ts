/** Every update of a training, written as it comes: what it took, how large its step was, what it changed. */
import { expected } from '../core/errors.js';
import { toJson } from '../core/json.js';
import { isObject } from '../core/objects.js';
import type { Ours } from '../formats/atomic-file.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import { updatesOf } from './charts.js';
import { growing } from './runs.js';

const isChrome = (path: string): boolean => /\.json$/i.test(path);

/** The files that are traces of ours, of the form that the name asks for. */
export const traceFile = (path: string): Ours =>
  isChrome(path)
    ? { begins: ':"process_name"', what: 'trace of dladmm for chrome://tracing' }
    : { begins: 'ion":', what: 'trace of dladmm' };

const penaltiesOf = (record: ProgressRecord): unknown => (record as { readonly penalties?: unknown }).penalties;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
function checkRecord(record: unknown): void {
  const told = isObject(record) ? [record.iteration, record.seconds, record.elapsed] : [undefined];
  if (!told.every((value) => typeof value === 'number')) throw expected('a record of a training', 'record', record);
}

/** The updates of an iteration, each as one object: its block and layer, seconds, size, changes, and the penalties that it used. */
export function traceLines(record: ProgressRecord): readonly object[] {
  checkRecord(record);
  const { iteration } = record;
  const penalties = penaltiesOf(record);
  return updatesOf(record).map((update) => ({ iteration, ...update, ...(penalties !== undefined && { penalties }) }));
}

/** Microseconds in whole 1024ths, whose sums are exact: where an event ends by a rounding after the next one begins, no reader finds what is in what. */
const microseconds = (seconds: number): number => Math.round(1e6 * 1024 * seconds) / 1024;

/** The same as events of the Trace Event Format: the iteration with its updates in it, one after the other, in microseconds. */
export function traceEvents(record: ProgressRecord): readonly object[] {
  checkRecord(record);
  const { iteration, seconds, elapsed, loss } = record;
  const begin = microseconds(elapsed - seconds);
  const event = (name: string, cat: string, ts: number, dur: number, args: object) => ({
    ...{ name, cat, ph: 'X', pid: 1, tid: 1, ts, dur, args },
  });
  let at = begin;
  const updates = updatesOf(record).map(({ block, layer, seconds: its, ...told }) => {
    // Of what takes no time readers cannot tell whether it ends before it begins.
    const [from, dur] = [at, microseconds(Math.max(its, 1e-9))];
    at += dur;
    return event(`${block} ${layer}`, 'update', from, dur, { iteration, ...told });
  });
  const all = {
    loss,
    ...('lagrangian' in record && { lagrangian: record.lagrangian }),
    penalties: penaltiesOf(record),
  };
  const dur = Math.max(microseconds(seconds), at - begin);
  return [event(`iteration ${iteration}`, 'iteration', begin, dur, all), ...updates];
}

/** A trace that is being written. */
export interface TraceWriter {
  write(record: ProgressRecord): void;
  close(): void;
}

/**
 * Begins a trace in a file: for chrome://tracing (and ui.perfetto.dev) where its name ends in .json, else JSON lines. What has been written
 * is whole for both after a kill too.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, here and where it cannot be written
 */
export function openTrace(path: string, name: string): TraceWriter {
  const chrome = isChrome(path);
  const { put, close } = growing(path, 'w');
  // The array of events needs no end.
  if (chrome) put(`[{"name":"process_name","ph":"M","pid":1,"args":${toJson({ name })}}`);
  return {
    write(record) {
      put(
        chrome
          ? traceEvents(record)
              .map((event) => `,\n${JSON.stringify(event)}`)
              .join('')
          : traceLines(record)
              .map((line) => `${toJson(line)}\n`)
              .join(''),
      );
    },
    close() {
      if (chrome) put(']\n');
      close();
    },
  };
}
