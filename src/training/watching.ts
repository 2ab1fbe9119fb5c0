/** What is told of a network while it trains beyond what native code tells of its state: by a model of the present parameters. */
import { DlAdmmError, expected } from '../core/errors.js';
import type { Evaluation } from '../judging/evaluation.js';
import { type Metric, scoreOf } from '../judging/metrics.js';
import { GraphModel } from '../model/graph-model.js';
import { Model } from '../model/model.js';
import type { Metrics } from '../network/metrics.js';
import type { Parameters } from '../network/parameters.js';
import { evaluationSet, type Learnt } from '../samples/arrival.js';
import type { ArrivingSamples } from '../samples/arriving.js';
import { type GraphSamples, isGraph, type NodesLike } from '../samples/graph-samples.js';
import type { LabelledSamples } from '../samples/samples.js';
import type { AnySession } from '../solvers/shared/course.js';
import type { CommonPlan } from '../solvers/shared/options.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import type { BestModel } from './checkpoint/stored-training.js';
import type { TrainingData } from './result.js';

export type Judge = (parameters: Parameters) => Promise<Evaluation>;

type Facts = Pick<CommonPlan<never>, 'network' | 'dtype' | 'threads'>;

/** On samples as the network meets them, with the values as they came. */
export const judgeOfSamples =
  ({ network, dtype, threads }: Facts, { targetStandardisation }: Learnt, samples: LabelledSamples): Judge =>
  async (parameters) => {
    using model = new Model({
      ...{ network, dtype, threads, ...parameters },
      ...(targetStandardisation && { targetStandardisation }),
    });
    return await model.evaluate(samples);
  };

/** On nodes of a graph as the network meets it. */
export const judgeOfNodes =
  ({ network, dtype, threads }: Facts, graph: GraphSamples, nodes: NodesLike): Judge =>
  async ({ weights }) => {
    using model = new GraphModel({ network, dtype, threads, weights });
    return await model.evaluate(graph, nodes);
  };

/** Loss and accuracy as a judge has them, and the metric that is watched. */
export async function metricsBy(judge: Judge, parameters: Parameters, metric: Metric | undefined): Promise<Metrics> {
  try {
    const scores: Metrics = await judge(parameters);
    const watched = [...new Set(['loss', 'accuracy', ...(metric ? [metric] : [])] as const)];
    return Object.fromEntries(
      watched.flatMap((name) => (scores[name] === undefined ? [] : [[name, scores[name]]])),
    ) as unknown as Metrics;
  } catch (error) {
    // Outputs that overflow: the training goes on until its own objective does.
    if (error instanceof DlAdmmError && error.code === 'ERR_DLADMM_NON_FINITE') return { loss: Number.NaN };
    throw error;
  }
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where the validation set cannot tell the metric: of one class there is no curve */
export function checkTold({ loss, ...metrics }: Metrics, metric: Metric): void {
  if (metric === 'loss' || metrics[metric] !== undefined || Number.isNaN(loss)) return;
  const text = `a validation set that ${metric} can be told of, with samples of at least two classes (for r2 two samples),`;
  throw expected(text, 'earlyStopping.metric', metric);
}

/** The best model so far, an evaluation older, unless one with this score is better: anything is, where that is no number. */
function stillBest(best: BestModel | undefined, score: number): BestModel | undefined {
  if (best === undefined || score > best.score || (Number.isNaN(best.score) && !Number.isNaN(score))) return undefined;
  return { ...best, age: best.age + 1 };
}

/** The best model, where early stopping keeps one, once a record is there. */
export async function bestWith(
  best: BestModel | undefined,
  { earlyStopping }: Pick<CommonPlan<never>, 'earlyStopping'>,
  { validation, iteration }: Pick<ProgressRecord, 'validation' | 'iteration'>,
  parameters: () => Promise<Parameters>,
): Promise<BestModel | undefined> {
  if (earlyStopping === undefined || validation === undefined) return best;
  const { metric } = earlyStopping;
  const score = scoreOf(metric, validation[metric] ?? Number.NaN);
  return stillBest(best, score) ?? { score, iteration, age: 0, parameters: await parameters() };
}

/** The numbers of the sets that are evaluated beside what is learnt from. */
export interface EvaluationSets {
  readonly validation?: number;
  readonly test?: number;
}

/** What is watched of the validation set beside loss and accuracy. */
export function metricOf({ earlyStopping }: Pick<CommonPlan<never>, 'earlyStopping'>): Metric | undefined {
  const { metric } = earlyStopping ?? {};
  return metric === 'loss' || metric === 'accuracy' ? undefined : metric;
}

/** What is watched beside what is learnt from. */
export const watchedOf = (data: TrainingData | GraphSamples) =>
  isGraph(data)
    ? { validation: data.validationIndex, test: data.testIndex }
    : { validation: data.validation, test: data.test };

/** Has a session evaluate what is watched; who judges what native code cannot is kept by the number of the set. */
export async function addSets(
  session: AnySession,
  taken: LabelledSamples | GraphSamples,
  {
    data,
    plan,
    learnt,
    judges,
  }: {
    readonly data: TrainingData | GraphSamples;
    readonly plan: CommonPlan<never>;
    readonly learnt: Learnt;
    readonly judges: Map<number | 'train', Judge>;
  },
): Promise<EvaluationSets> {
  const { validation, test } = watchedOf(data);
  const add = async (set: NonNullable<typeof test>, name: 'validation' | 'test'): Promise<number> => {
    const byModel = name === 'validation' && metricOf(plan) !== undefined;
    if (isGraph(data)) {
      const number = await session.addEvaluationSet(set as NodesLike, `data.${name}Index`);
      if (byModel) judges.set(number, judgeOfNodes(plan, taken as GraphSamples, set as NodesLike));
      return number;
    }
    const { samples, judged } = await evaluationSet(set as ArrivingSamples, plan, learnt, name, { keeps: byModel });
    const number = await session.addEvaluationSet(samples, name);
    if (judged) judges.set(number, judgeOfSamples(plan, learnt, judged));
    return number;
  };
  return {
    ...(validation !== undefined && { validation: await add(validation, 'validation') }),
    ...(test !== undefined && { test: await add(test, 'test') }),
  };
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where early stopping has nothing to watch */
export function checkWatched(
  data: TrainingData | GraphSamples,
  { earlyStopping }: Pick<CommonPlan<never>, 'earlyStopping'>,
): void {
  if (earlyStopping === undefined || watchedOf(data).validation !== undefined) return;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected a validation set in data for earlyStopping but received none');
}
