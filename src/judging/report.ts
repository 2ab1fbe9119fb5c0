/** What a training tells of itself: what it took the target for and why, what was held out, how good the model is on that. */
import type { Evaluation } from './evaluation.js';
import { printable } from './text.js';

/** What a report is made of; what else a training knows may stand beside it. */
export interface ReportParts {
  readonly task: {
    readonly kind: 'classification' | 'regression';
    /** The column that is predicted. */
    readonly target?: string;
    readonly loss: string;
    /** Why it is that kind of task, and so that loss. */
    readonly because: string;
  };
  /** What was held out of the training, and how it was chosen. */
  readonly heldOut?: { readonly samples: number; readonly of: number; readonly how: string };
  /** A line each: what was done to columns, and what looks odd. */
  readonly warnings: readonly string[];
  /** How good the model is on what was held out. */
  readonly scores?: Evaluation;
  readonly solver?: { readonly name: string; readonly because?: string };
  readonly layers?: readonly number[];
  readonly seconds?: number;
}

/** Plain data; `String(report)` is a page for people. */
export type Report<P extends ReportParts = ReportParts> = P & { toString(): string };

function reportText({ task, heldOut, warnings, scores, solver, layers, seconds }: ReportParts): string {
  const target = task.target === undefined ? '' : ` of ${task.target}`;
  const lines = [
    `${task.kind}${target} by ${task.loss}: ${task.because}`,
    ...(solver ? [`solver ${solver.name}${solver.because ? `: ${solver.because}` : ''}`] : []),
    ...(layers ? [`layers ${layers.join('-')}`] : []),
    ...(seconds === undefined ? [] : [`trained in ${seconds.toFixed(1)} s`]),
    ...(heldOut ? [`held out ${heldOut.samples} of ${heldOut.of} samples: ${heldOut.how}`] : ['nothing was held out']),
    ...warnings.map((warning) => `! ${warning}`),
  ];
  return scores ? `${lines.join('\n')}\n\n${String(scores)}` : lines.join('\n');
}

/** A report of these parts. */
export const reportOf = <P extends ReportParts>(parts: P): Report<P> => printable({ ...parts }, reportText);
