import { DlAdmmError } from '../core/errors.js';
import type { GraphModel } from '../model/graph-model.js';
import type { GraphSamples } from '../samples/graph-samples.js';
import type { GraphTrainOptions } from '../solvers/index.js';
import type { AnyRecord } from '../solvers/records.js';
import { begin } from '../training/fit.js';
import { planOf } from '../training/plan.js';
import { checkKind, type GraphFlags, graphOf, isGraphName, type SplitGraph, withSplit } from './graph.js';
import { interruptionOf } from './interruption.js';
import { startProgress } from './progress.js';
import { checkTarget } from './samples.js';
import type { Terminal } from './terminal.js';
import { divergedText, ENDINGS, type Ending, iterationJson, metricsJson, metricsText } from './training.js';

/** What `dladmm train --graph` is told, the options of the solver apart. */
export interface GraphJob extends GraphFlags {
  readonly layers?: readonly number[];
  /** Seconds after which no further iteration is begun. */
  readonly timeLimit?: number;
  /** The file for the model. */
  readonly save?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** The options of a solver that the graph does not decide. */
export type GraphSolverOptions = Omit<GraphTrainOptions, 'layers' | 'classes' | 'signal'>;

/** The width of a hidden layer where no layers are given: as the published code of dlADMM has it, and as Kipf and Welling. */
const HIDDEN = { dladmm: 128, gradient: 16 } as const;

function layersOf({ layers }: GraphJob, graph: SplitGraph, solver: string): readonly number[] {
  const inputs = graph.features.columns;
  const outputs = graph.classes.length;
  if (layers === undefined) return [inputs, solver === 'dladmm' ? HIDDEN.dladmm : HIDDEN.gradient, outputs];
  if (layers[0] === inputs && layers.at(-1) === outputs) return layers;
  throw new DlAdmmError(
    'ERR_DLADMM_SHAPE',
    `Expected ${inputs}-…-${outputs} for --layers, as ${graph.name} has ${inputs} features and ${outputs} classes, but received ${layers.join('-')}`,
  );
}

/**
 * `dladmm train --graph`
 *
 * @param options of the solver, without layers
 */
export async function trainGraph(job: GraphJob, options: GraphSolverOptions, terminal: Terminal): Promise<number> {
  const { save, json, quiet, timeLimit } = job;
  checkKind(job);
  // Before anything is read: a slip should not cost the time of loading.
  planOf({ ...options, layers: job.layers ?? [1, 1, 1] }, 'graph');
  if (save !== undefined) await checkTarget(save, isGraphName(job.graph) ? [] : [job.graph]);
  const graph = withSplit(await graphOf(job, terminal.signal), job);
  const { name, classes, trainIndex, testIndex } = graph;
  const trainOptions = {
    ...options,
    layers: layersOf(job, graph, options.solver ?? 'dladmm'),
    classes,
    signal: terminal.signal,
  } as GraphTrainOptions;
  const { iterations } = planOf(trainOptions, 'graph');
  const training = begin<AnyRecord, GraphModel>(graph as GraphSamples, trainOptions);
  const progress = startProgress(terminal, iterations, timeLimit);
  let outOfTime = false;
  const acknowledge = (): void => {
    progress.end();
    if (interruptionOf(terminal.signal)?.why.startsWith('SIG')) {
      terminal.err('dladmm: stopping at the end of the update at work; once more ends at once\n');
    }
  };
  terminal.signal.addEventListener('abort', acknowledge, { once: true });
  try {
    for await (const record of training) {
      if (!quiet && json) await terminal.out(iterationJson(record));
      if (!quiet && !json) progress.show(record);
      outOfTime = timeLimit !== undefined && record.elapsed >= timeLimit;
      if (outOfTime) break;
    }
  } finally {
    terminal.signal.removeEventListener('abort', acknowledge);
    progress.end();
  }
  const { model, status, iterations: done, seconds } = training.result;
  try {
    // A model that has learnt nothing must not take the place of one that has.
    const saved = done > 0 ? save : undefined;
    if (saved !== undefined) await model.save(saved, { data: name, iterations: String(done) });
    const judged = testIndex === undefined ? 'train' : 'test';
    const metrics = await model.evaluate(graph, testIndex ?? trainIndex);
    const ending: Ending = outOfTime && status.kind === 'aborted' ? 'time-limit' : status.kind;
    const best = status.kind === 'early-stopped' ? status.bestIteration : undefined;
    if (json) {
      const outcome = {
        status: ending,
        ...(best !== undefined && { bestIteration: best }),
        ...(status.kind === 'diverged' && { diverged: { iteration: status.iteration, ...status.update } }),
        iterations: done,
        seconds,
        ...metricsJson(judged, metrics),
        data: name,
        layers: model.network.layers,
        model: saved ?? null,
      };
      await terminal.out(`${JSON.stringify(outcome)}\n`);
    } else {
      const times = done === 1 ? '1 iteration' : `${done} iterations`;
      const lines = [
        `${judged} ${metricsText(metrics)} after ${times} in ${seconds.toFixed(1)} s${ENDINGS[ending]}${best === undefined ? '' : ` (the best was iteration ${best})`}`,
        ...(saved === undefined ? [] : [`model saved to ${saved}`]),
        ...(saved === undefined && save !== undefined
          ? [`no iteration ran to its end, so ${save} was not written`]
          : []),
      ];
      await terminal.out(`${lines.join('\n')}\n`);
    }
    if (status.kind === 'diverged') terminal.err(divergedText(status));
    return status.kind === 'diverged' ? 1 : (interruptionOf(terminal.signal)?.exitCode ?? 0);
  } finally {
    model.close();
  }
}
