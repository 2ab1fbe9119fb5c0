import type { Setting } from './settings.js';

/** How one run of a race went. */
export interface Run {
  readonly setting: Setting;
  readonly seed: number;
  /** Accuracy after each epoch, or part of one, on what judges the run, and seconds of training until its end. */
  readonly accuracies: readonly number[];
  readonly elapsed?: readonly number[];
  /** The same where the target was reached. */
  readonly seconds?: number;
  readonly epochs?: number;
}

/** What `--tune --out` wrote: its head, and by method what was tried. */
export type Tuning = Readonly<Record<string, unknown>> & { readonly dataset: string };

/** The runs in an entry of it, where that is of a method. */
export const runsIn = (entry: unknown, name: 'tried' | 'runs'): readonly Run[] =>
  (entry as Partial<Record<typeof name, readonly Run[]>> | null)?.[name] ?? [];
