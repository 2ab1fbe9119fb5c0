import type { GraphRecord } from '../solvers/dladmm-gcn/splitting.js';
import type { AnyRecord } from '../solvers/records.js';
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

/**
 * Seconds until a training ends.
 *
 * @param elapsed seconds since the start at the end of each iteration so far
 * @param limit seconds after which it ends anyway
 */
export function secondsLeft(
  elapsed: readonly number[],
  iterations: number,
  limit: number = Number.POSITIVE_INFINITY,
): number {
  const recent = elapsed.slice(-WINDOW - 1);
  // The time of the first iteration has the setting up in it: it stands for all only as long as it is alone.
  const steps = recent.length > 1 ? recent.slice(1).map((at, i) => at - (recent[i] ?? 0)) : recent;
  const last = elapsed.at(-1) ?? 0;
  return Math.max(0, Math.min(median(steps) * (iterations - elapsed.length), limit - last));
}

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

export function progressLine(record: AnyRecord, iterations: number | undefined, left: number): string {
  const metrics = (['train', 'validation', 'test'] as const).flatMap((name) => {
    const { accuracy, loss, ...watched } = record[name] ?? {};
    const more = Object.entries(watched).map(([metric, value]) => `${metric} ${value?.toPrecision(4)}`);
    if (accuracy !== undefined) return [`${name} ${percent(accuracy)}`, ...more];
    return loss === undefined ? [] : [`${name} loss ${number(loss)}`, ...more];
  });
  return [
    iterations === undefined
      ? String(record.iteration).padStart(3)
      : `${String(record.iteration).padStart(String(iterations).length)}/${iterations}`,
    ...('lagrangian' in record
      ? [`objective ${number(record.lagrangian)}`, `residual ${number(residualOf(record))}`]
      : [`loss ${number(record.loss)}`]),
    ...metrics,
    ...(Number.isFinite(left) && record.iteration < (iterations ?? 0) ? [`${duration(left)} left`] : []),
  ].join('  ');
}

/** Shows iterations as they come: on a terminal in one line that changes, elsewhere line by line. */
export interface Progress {
  show(record: AnyRecord): void;
  /** Leaves the last line standing. */
  end(): void;
}

/** @param whose begins every line */
export function startProgress(
  terminal: Terminal,
  iterations: number | undefined,
  limit?: number,
  whose = '',
): Progress {
  const elapsed: number[] = [];
  let before: number | undefined;
  let shown = '';
  let shownAt = Number.NEGATIVE_INFINITY;
  let latest = '';
  const overwrite = (line: string): void => {
    const cut = line.slice(0, terminal.columns() - 1);
    // Blanks wipe out what a longer line has left, on every terminal, without control sequences.
    terminal.err(`\r${cut.padEnd(Math.min(shown.length, terminal.columns() - 1))}`);
    shown = cut;
  };
  return {
    show(record) {
      elapsed.push(record.elapsed);
      // Of a training that goes on, earlier iterations are done.
      before ??= record.iteration - 1;
      latest = whose + progressLine(record, iterations, secondsLeft(elapsed, (iterations ?? 0) - before, limit));
      if (!terminal.live) {
        terminal.err(`${latest}\n`);
      } else if (record.elapsed - shownAt >= PAUSE) {
        shownAt = record.elapsed;
        overwrite(latest);
      }
    },
    end() {
      if (!terminal.live || latest === '') return;
      overwrite(latest);
      terminal.err('\n');
      latest = '';
    },
  };
}
