/** What a training was, and what it is worth: plain data that prints itself. */
import type { Evaluation } from '../judging/evaluation.js';
import { printable } from '../judging/text.js';
import type { Model } from '../model/model.js';
import type { Choice } from '../solvers/auto.js';
import type { Ready } from './front.js';
import type { FitResult } from './result.js';

/** What was decided, why, and what came of it. */
export interface Report {
  readonly task: {
    readonly kind: 'classification' | 'regression';
    readonly target?: string;
    readonly loss: string;
    readonly because: string;
  };
  readonly solver?: { readonly name: string; readonly because: string };
  /** The widths of the network that was kept; without hidden ones it is a linear model. */
  readonly layers: readonly number[];
  /** Samples that it was trained on. */
  readonly samples: number;
  readonly seconds: number;
  readonly status: FitResult['status'];
  readonly heldOut?: { readonly samples: number; readonly of: number; readonly how: string };
  /** Of what was held out, or of the validation set. */
  readonly scores?: Evaluation;
  /** Of a model that went on: the scores on the same samples before it did. */
  readonly before?: Evaluation;
  readonly warnings: readonly string[];
  /** A page for people. */
  toString(): string;
}

interface Made {
  readonly ready: Ready;
  readonly choice: Choice | undefined;
  readonly chosen: 'linear' | 'network';
  readonly tried: number;
  /** The model that went on. */
  readonly before?: Model;
  readonly result: FitResult<never, Model>;
}

export async function reportOf({ ready, choice, chosen, tried, before: from, result }: Made): Promise<Report> {
  const { task, target, loss, because, heldOut, warnings, samples, data } = ready;
  const { model, seconds, status } = result;
  // The last finite parameters of a training that diverged may say what is not finite.
  const judged = status.kind === 'diverged' ? undefined : data.validation;
  const scores = judged && (await model.evaluate(judged as never));
  const before = judged && (await from?.evaluate(judged as never));
  const kept =
    tried < 2
      ? ''
      : `; a linear model was tried too, and ${chosen === 'linear' ? 'is kept, as the network was no better' : 'was worse'} on what is held out`;
  const parts = {
    task: { kind: task, ...(target !== undefined && { target }), loss, because },
    ...(choice && { solver: { name: choice.solver, because: `${choice.because}${kept}` } }),
    layers: model.network.layers,
    samples,
    seconds,
    status,
    ...(heldOut && { heldOut }),
    ...(scores && { scores }),
    ...(before && { before }),
    warnings:
      scores && before && scores.loss > before.loss
        ? [...warnings, 'on what is held out the model was better before it went on']
        : warnings,
  };
  return printable(parts, textOf);
}

function textOf(report: Omit<Report, 'toString'>): string {
  const { task, solver, layers, samples, seconds, heldOut, scores, before, warnings } = report;
  const what = task.target === undefined ? task.kind : `${task.kind} of ${JSON.stringify(task.target)}`;
  const lines = [
    `${what} by ${task.loss}: ${task.because}`,
    `network ${layers.join('-')} on ${samples} samples in ${seconds.toFixed(1)} s${solver ? ` by ${solver.name}: ${solver.because}` : ''}`,
    ...(heldOut
      ? [`held out ${heldOut.samples} of ${heldOut.of} samples, ${heldOut.how}; they said when to stop`]
      : []),
    ...(scores && before
      ? [`loss on them ${before.loss.toPrecision(4)} before, ${scores.loss.toPrecision(4)} now`]
      : []),
    ...warnings.map((text) => `note: ${text}`),
    ...(scores ? ['', String(scores)] : []),
  ];
  return lines.join('\n');
}
