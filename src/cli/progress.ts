import type { GraphRecord } from '../solvers/dladmm-gcn/splitting.js';
import type { AnyRecord } from '../solvers/records.js';
import { isJudgedInUnits } from '../solvers/shared/record.js';
import type { IterationRecord } from '../solvers/shared/splittings/layered.js';
import type { SigmoidRecord } from '../solvers/sigmoid/splitting.js';
import type { MetricRecord } from '../solvers/variable-metric/splitting.js';
import type { Terminal } from './terminal.js';

/** Iterations whose median foretells the next ones: enough to pass over a hiccup, few enough to follow a change. */
const WINDOW = 15;
/** A live line changes this often at most, in seconds. */
const PAUSE = 0.1;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Seconds of an iteration, by the last ones, from those since the start at the end of each so far. */
function pace(elapsed: readonly number[]): number {
  const recent = elapsed.slice(-WINDOW - 1);
  // The time of the first iteration has the setting up in it: it stands for all only as long as it is alone.
  return median(recent.length > 1 ? recent.slice(1).map((at, i) => at - (recent[i] ?? 0)) : recent);
}

/**
 * Seconds until a training ends.
 *
 * @param elapsed seconds since the start at the end of each iteration so far
 * @param limit seconds after which it ends anyway
 */
export const secondsLeft = (
  elapsed: readonly number[],
  iterations: number,
  limit: number = Number.POSITIVE_INFINITY,
): number => Math.max(0, Math.min(pace(elapsed) * (iterations - elapsed.length), limit - (elapsed.at(-1) ?? 0)));

/** 7 s, 1 min 20 s, 2 h 5 min. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

const number = (value: number): string => value.toExponential(3);

/** What the constraints miss by together: the root of the sum of all squared residuals. */
function residualOf(record: IterationRecord | SigmoidRecord | MetricRecord | GraphRecord): number {
  const activations = 'activationResiduals' in record ? record.activationResiduals : [];
  return Math.sqrt([...record.residuals, ...activations].reduce((sum, squared) => sum + squared, 0));
}

const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** 85 MB, 1.2 GB. */
export const memory = (bytes: number): string =>
  bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

const HEIGHTS = '▁▂▃▄▅▆▇█';

/** Values as a line of bars, from the first to the last, the least the lowest; of many the last of each stretch. */
export function spark(values: readonly number[], most: number): string {
  const bars = Math.min(most, values.length);
  const shown = Array.from(
    { length: bars },
    (_, i) => values[Math.floor(((i + 1) * values.length) / bars) - 1] as number,
  );
  const known = shown.filter(Number.isFinite);
  const [lowest, highest] = [Math.min(...known), Math.max(...known)];
  const step = (value: number): number =>
    highest > lowest ? Math.round((7 * (value - lowest)) / (highest - lowest)) : 0;
  return shown.map((value) => (Number.isFinite(value) ? HEIGHTS[step(value)] : ' ')).join('');
}

const SETS = ['train', 'validation', 'test'] as const;

/** The score that a training is followed by: that of the test set where there is one, or what it learns by. */
function scoreOf(record: AnyRecord): { readonly told: boolean; readonly value: number } {
  const told = SETS.flatMap((name) => record[name] ?? []).at(-1);
  return told ? { told: true, value: told.accuracy ?? told.loss } : { told: false, value: record.loss };
}

/** What a line of progress has beside the record. */
interface Beside {
  /** What it must fit into. */
  readonly columns?: number;
  /** The scores so far. */
  readonly scores?: readonly number[];
  /** Samples that are visited in a second. */
  readonly rows?: number;
  /** Bytes. */
  readonly memory?: number;
}

const SPARK = { least: 4, most: 10 };

/** Where the line is too long, what counts least is left out: residuals first, then what is learnt by, memory, rows, the bars. */
export function progressLine(
  record: AnyRecord,
  iterations: number | undefined,
  left: number,
  { columns = Number.POSITIVE_INFINITY, scores = [], rows, memory: bytes }: Beside = {},
): string {
  const metrics = SETS.flatMap((name) => {
    const { accuracy, loss, ...watched } = record[name] ?? {};
    const more = Object.entries(watched).map(([metric, value]) => `${metric} ${value?.toPrecision(4)}`);
    if (accuracy !== undefined) return [`${name} ${percent(accuracy)}`, ...more];
    return loss === undefined ? [] : [`${name} loss ${number(loss)}`, ...more];
  });
  const first =
    iterations === undefined
      ? String(record.iteration).padStart(3)
      : `${String(record.iteration).padStart(String(iterations).length)}/${iterations}`;
  const remains = Number.isFinite(left) && record.iteration < (iterations ?? 0);
  const learnt = metrics.length > 0 ? 6 : 1;
  const parts: readonly (readonly [rank: number, text: string])[] = [
    [0, first],
    ...('lagrangian' in record
      ? ([
          [learnt, `objective ${number(record.lagrangian)}`],
          [8, `residual ${number(residualOf(record))}`],
        ] as const)
      : isJudgedInUnits(record)
        ? []
        : ([[learnt, `loss ${number(record.loss)}`]] as const)),
    ...(rows === undefined ? [] : [[4, `${COMPACT.format(rows)} rows/s`] as const]),
    ...(bytes === undefined ? [] : [[5, memory(bytes)] as const]),
    ...(scores.length > 1 ? [[3, spark(scores, SPARK.least)] as const] : []),
    ...metrics.map((text, i) => [i === metrics.length - 1 ? 1 : 7, text] as const),
    ...(remains ? [[2, `${duration(left)} left`] as const] : []),
  ];
  const joined = (some: typeof parts): string => some.map(([, text]) => text).join('  ');
  let kept = parts;
  for (let rank = 8; rank > 0 && joined(kept).length > columns; rank -= 1) kept = kept.filter(([its]) => its < rank);
  const room = Math.min(SPARK.most, SPARK.least + columns - joined(kept).length);
  return joined(kept.map(([rank, text]) => [rank, rank === 3 ? spark(scores, room) : text]));
}

/** A line of a terminal that is written over. */
function standing(terminal: Terminal) {
  let shown = '';
  return (line: string): void => {
    const most = terminal.columns() - 1;
    const cut = line.slice(0, most);
    // Blanks wipe out what a longer line has left, on every terminal, without control sequences.
    const text = cut.padEnd(Math.min(shown.length, most));
    shown = cut;
    terminal.err(`\r${terminal.colours ? text.replace(/[▁-█]+/, '\u001b[36m$&\u001b[39m') : text}`);
  };
}

/** Shows iterations as they come: on a terminal in one line that changes, elsewhere a line now and then. */
export interface Progress {
  /** @param samples those that an iteration visits, where it is known */
  show(record: AnyRecord, samples?: number): void;
  /** Leaves the last line standing. */
  end(): void;
}

/** Where nobody watches, each of so many lines is written; then one after each twentieth of the time, within these seconds. */
const PLAIN = { lines: 10, least: 1, most: 60 };

/** @param whose begins every line */
export function startProgress(
  terminal: Terminal,
  iterations: number | undefined,
  limit?: number,
  whose = '',
): Progress {
  const elapsed: number[] = [];
  let scores: number[] = [];
  let judged = false;
  let before: number | undefined;
  let shownAt = Number.NEGATIVE_INFINITY;
  let lines = 0;
  /** The line that has not been shown, where there is one. */
  let latest: (() => string) | undefined;
  const overwrite = standing(terminal);
  const show = (): void => {
    if (latest === undefined) return;
    if (terminal.live) overwrite(latest());
    else terminal.err(`${latest()}\n`);
    lines += 1;
  };
  return {
    show(record, samples) {
      elapsed.push(record.elapsed);
      const { told, value } = scoreOf(record);
      if (told && !judged) [judged, scores] = [true, []];
      if (told === judged) scores.push(value);
      // Of a training that goes on, earlier iterations are done.
      before ??= record.iteration - 1;
      const done = before;
      latest = () =>
        whose +
        progressLine(record, iterations, secondsLeft(elapsed, (iterations ?? 0) - done, limit), {
          ...(terminal.live && { columns: terminal.columns() - 1 - whose.length }),
          ...(samples !== undefined && pace(elapsed) > 0 && { rows: samples / pace(elapsed) }),
          ...{ scores, memory: process.memoryUsage.rss() },
        });
      const pause = terminal.live ? PAUSE : Math.min(PLAIN.most, Math.max(PLAIN.least, record.elapsed / 20));
      if (record.elapsed - shownAt < pause && (terminal.live || lines >= PLAIN.lines)) return;
      shownAt = record.elapsed;
      show();
      if (!terminal.live) latest = undefined;
    },
    end() {
      if (latest === undefined) return;
      show();
      if (terminal.live) terminal.err('\n');
      latest = undefined;
    },
  };
}

/** Tells how far a work is, of how much. */
export type Far = (done: number, all?: number) => void;

/** Seconds after which a work that goes on is told of again: on a terminal, and elsewhere. */
const AGAIN = { live: 1, plain: 30 };

/**
 * Tells of a long work every now and then how far it is, how long it has taken and what is left; nothing of a short one.
 *
 * @param work what it says meanwhile stands above that
 * @param unit how an amount of it is written
 */
export async function telling<T>(
  terminal: Terminal,
  what: string,
  work: (far: Far, say: (line: string) => void) => Promise<T>,
  unit: (amount: number) => string = memory,
): Promise<T> {
  const began = performance.now();
  const overwrite = standing(terminal);
  let amount: { readonly done: number; readonly all?: number | undefined } = { done: 0 };
  let shown = false;
  const wipe = (): void => {
    if (!shown || !terminal.live) return;
    overwrite('');
    terminal.err('\r');
    shown = false;
  };
  const tell = (): void => {
    const { done, all } = amount;
    const seconds = (performance.now() - began) / 1000;
    const left = all !== undefined && done > 0 ? (seconds * (all - done)) / done : Number.NaN;
    const line = [
      what,
      ...(done > 0 || all !== undefined ? [all === undefined ? unit(done) : `${unit(done)} of ${unit(all)}`] : []),
      duration(seconds),
      ...(left >= 0 ? [`${duration(left)} left`] : []),
      memory(process.memoryUsage.rss()),
    ].join('  ');
    shown = true;
    if (terminal.live) overwrite(line);
    else terminal.err(`${line}\n`);
  };
  const timer = setInterval(tell, 1000 * (terminal.live ? AGAIN.live : AGAIN.plain));
  try {
    return await work(
      (done, all) => {
        amount = { done, all };
      },
      (line) => {
        wipe();
        terminal.err(line);
      },
    );
  } finally {
    clearInterval(timer);
    wipe();
  }
}

/** The same of what is read, unless nothing but the outcome is to be said. */
export const reading = <T>(
  { data, graph, quiet, json }: Partial<Record<'data' | 'graph', string> & Record<'quiet' | 'json', boolean>>,
  terminal: Terminal,
  work: (far: Far) => Promise<T>,
  what = 'reading',
): Promise<T> => (quiet || json ? work(() => undefined) : telling(terminal, `${what} ${data ?? graph}`, work));
