import { DlAdmmError, expected } from '../../core/errors.js';
import { pathOf } from '../../core/objects.js';
import type { GraphModel } from '../../model/graph-model.js';
import type { GraphSamples } from '../../samples/graph-samples.js';
import type { GraphTrainOptions } from '../../solvers/index.js';
import type { AnyRecord } from '../../solvers/records.js';
import { begin } from '../../training/fit.js';
import { checkSweeps, planOf } from '../../training/plan.js';
import { resumeTraining } from '../../training/resume.js';
import type { Training } from '../../training/training.js';
import { reading } from '../progress.js';
import { checkOutputs, run, type Showing } from '../run.js';
import type { Terminal } from '../terminal.js';
import { type GraphFlags, graphOf, isGraphName, type SplitGraph, withSplit } from './graph.js';
import type { Resume } from './training.js';

/** What `dladmm train --graph` is told, the options of the solver apart. */
export interface GraphJob extends GraphFlags, Showing {
  readonly layers?: readonly number[];
  readonly hidden?: readonly number[];
  readonly resume?: Resume;
}

/** The options of a solver that the graph does not decide. */
export type GraphSolverOptions = Omit<GraphTrainOptions, 'layers' | 'classes' | 'signal'>;

/** The width of a hidden layer where no layers are given: as the published code of dlADMM has it, and as Kipf and Welling. */
const HIDDEN = { dladmm: 128, gradient: 16 } as const;

function layersOf({ layers, hidden }: GraphJob, graph: SplitGraph, solver: string): readonly number[] {
  const inputs = graph.features.columns;
  const outputs = graph.classes.length;
  if (layers === undefined)
    return [inputs, ...(hidden ?? [solver === 'dladmm' ? HIDDEN.dladmm : HIDDEN.gradient]), outputs];
  if (layers[0] === inputs && layers.at(-1) === outputs) return layers;
  const text = `Expected ${inputs}-…-${outputs} for --layers, as ${graph.name} has ${inputs} features and ${outputs} classes, but received ${layers.join('-')}`;
  throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
}

/** `dladmm train --graph` @param options of the solver, without layers */
export async function trainGraph(job: GraphJob, options: GraphSolverOptions, terminal: Terminal): Promise<number> {
  const { resume, layers, hidden } = job;
  const { signal } = terminal;
  const { checkpoint: file } = options;
  // Before anything is read: a slip should not cost the time of loading.
  if (layers && hidden) throw expected('one of hidden and layers, which say the same,', '--hidden', hidden);
  const plan = planOf<never>(resume?.options ?? { ...options, layers: layers ?? [1, 1, 1] }, 'graph');
  if (job.trace !== undefined) checkSweeps(plan);
  const inputs = isGraphName(job.graph) ? [] : [job.graph];
  await checkOutputs({ ...job, ...(file && { checkpoint: pathOf(file.path) }) }, inputs);
  // The nodes have to be split as they were.
  const seed = job.seed ?? resume?.options.seed;
  const graph = withSplit(await reading(job, terminal, () => graphOf(job, signal)), {
    ...job,
    ...(seed !== undefined && { seed }),
  });
  const { name, classes, trainIndex, testIndex } = graph;
  const all = resume
    ? { ...resume.options, signal }
    : { ...options, layers: layersOf(job, graph, String(options.solver ?? 'dladmm')), classes, signal };
  const { iterations, checkpoint } = planOf(all, 'graph');
  const data = graph as GraphSamples;
  const start = async (): Promise<Training<AnyRecord, GraphModel>> => {
    if (!resume) return begin(data, all);
    return (await resumeTraining(resume.path, data, { ...resume.again, signal })) as unknown as Training<
      AnyRecord,
      GraphModel
    >;
  };
  const judge = async (model: GraphModel) =>
    [testIndex ? 'test' : 'train', await model.evaluate(data, testIndex ?? trainIndex)] as const;
  return run({ ...job, name, iterations, ...(checkpoint && { checkpoint }), told: all, begin: start, judge }, terminal);
}
