/** What a training was, and what it is worth: plain data that prints itself. */
import type { Evaluation } from '../judging/evaluation.js';
import { printable } from '../judging/text.js';
import { cheapImportance, type Importance } from '../model/importance.js';
import { lipschitzBound } from '../model/lipschitz.js';
import type { Model } from '../model/model.js';
import { type ArrivingSamples, areSamples } from '../samples/arriving.js';
import type { Task } from '../samples/targets.js';
import type { Choice } from '../solvers/auto.js';
import type { Ready } from './front/ready.js';
import { type FitResult, hasLearnt, judgedTrain } from './result.js';

/** What was decided, why, and what came of it. */
export interface Report {
  readonly task: {
    readonly kind: Task;
    readonly target?: string | readonly string[];
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
  /** Of the test set. */
  readonly test?: Evaluation;
  /** Of the training samples, where there is nothing else to judge by. */
  readonly train?: Evaluation;
  /** What each column is worth on what is held out, or on the test set, where that was asked for by `measureColumns`, and is soon found. */
  readonly importance?: Importance;
  /** Where singular values are bounded (`spectralNorm`): ‖z(x) − z(y)‖ ≤ it ‖x − y‖ for the outputs, of standardised inputs. */
  readonly lipschitz?: number;
  readonly warnings: readonly string[];
  /** A page for people. */
  toString(): string;
}

interface Made {
  readonly ready: Ready;
  readonly choice: Choice | undefined;
  readonly chosen: 'linear' | 'network';
  readonly tried: number;
  /** Whether what was held out decided when to stop. */
  readonly watched: boolean;
  /** Whether it made probabilities of scores. */
  readonly calibrated?: boolean;
  /** Whether what columns are worth is asked for, and what gives up on it. */
  readonly measuresColumns?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** The model that went on. */
  readonly before?: Model;
  /** Whether singular values are bounded. */
  readonly bounded?: boolean;
  readonly result: FitResult<never, Model>;
}

export async function reportOf(made: Made): Promise<Report> {
  const { ready, choice, chosen, tried, watched, calibrated, before: from, bounded, result } = made;
  const { task, target, loss, because, heldOut, warnings, samples, data } = ready;
  const { model, seconds, status } = result;
  // The last finite parameters of a training that diverged may say what is not finite; one that had not begun knows no classes.
  const judged = hasLearnt(result);
  const { validation, test: tested } = data;
  // Rows of a stream have been given back by now.
  const alone = validation === undefined && tested === undefined && target !== undefined;
  const [scores, test, train] = await Promise.all(
    [validation, tested, alone ? judgedTrain(data) : undefined].map(
      async (set) => set && judged && (await model.evaluate(set as never)),
    ),
  );
  const held = [validation, tested].find((set) => areSamples(set));
  const importance =
    made.measuresColumns && judged && held && (await cheapImportance(model, held as ArrivingSamples, made.signal));
  const before = validation && judged && (await from?.evaluate(validation as never));
  const kept =
    tried < 2
      ? ''
      : `; a linear model was tried too, and ${chosen === 'linear' ? 'is kept, as the network was no better' : 'was worse'} on what is held out`;
  const uses = [
    ...(watched ? ['they said when to stop'] : []),
    ...(calibrated ? ['the probabilities are calibrated on them'] : []),
  ];
  const parts = {
    task: { kind: task, ...(target !== undefined && { target }), loss, because },
    ...(choice && { solver: { name: choice.solver, because: `${choice.because}${kept}` } }),
    layers: model.network.layers,
    samples,
    seconds,
    status,
    ...(heldOut && { heldOut: { ...heldOut, how: [heldOut.how, ...uses].join('; ') } }),
    ...(scores && { scores }),
    ...(test && { test }),
    ...(train && { train }),
    ...(before && { before }),
    ...(importance && { importance }),
    ...(bounded && { lipschitz: lipschitzBound(model) }),
    warnings: [
      ...warnings,
      ...(result.warnings ?? []),
      ...endingOf(result),
      ...(scores && before && scores.loss > before.loss
        ? ['on what is held out the model was better before it went on']
        : []),
    ],
  };
  return printable(parts, textOf);
}

/** How it ended, where that was not as it was meant to. */
function endingOf({ status, iterations }: Pick<FitResult, 'status' | 'iterations'>): readonly string[] {
  if (status.kind === 'diverged') {
    const help = 'shorter steps (learningRate), standardised features or float64 may help';
    return [
      `it diverged in iteration ${status.iteration}; the model is the last finite one, which is not judged: ${help}`,
    ];
  }
  if (status.kind !== 'aborted') return [];
  const when = iterations === 0 ? 'before its first iteration had ended' : `after iteration ${iterations}`;
  return [`it was stopped ${when}`];
}

function textOf(report: Omit<Report, 'toString'>): string {
  const { task, solver, layers, samples, seconds, heldOut, scores, before, test, train, lipschitz, warnings } = report;
  const { kind, target = [] } = task;
  const named = typeof target === 'string' ? [target] : target;
  const what = [kind, ...(named.length > 0 ? ['of', named.map((name) => JSON.stringify(name)).join(', ')] : [])].join(
    ' ',
  );
  const lines = [
    `${what} by ${task.loss}: ${task.because}`,
    `network ${layers.join('-')} on ${samples} samples in ${seconds.toFixed(1)} s${solver ? ` by ${solver.name}: ${solver.because}` : ''}`,
    ...(heldOut ? [`held out ${heldOut.samples} of ${heldOut.of} samples, ${heldOut.how}`] : []),
    ...(scores && before
      ? [`loss on them ${before.loss.toPrecision(4)} before, ${scores.loss.toPrecision(4)} now`]
      : []),
    ...(lipschitz === undefined
      ? []
      : [`Lipschitz bound ${lipschitz.toPrecision(4)} of the outputs, of standardised inputs`]),
    ...warnings.map((text) => `note: ${text}`),
    ...(scores ? ['', String(scores)] : []),
    ...(test ? ['', 'test set:', String(test)] : []),
    ...(train ? ['', 'training samples, as nothing was held out:', String(train)] : []),
  ];
  return lines.join('\n');
}
