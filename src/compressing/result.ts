/** What a model was, and what became of it. */
import type { Numbers } from '../core/native.js';
import type { Evaluation } from '../judging/evaluation.js';
import { isTelling, METRIC_NAMES, METRICS } from '../judging/metrics.js';
import { aligned, numberText, printable } from '../judging/text.js';
import type { EvaluationOf } from '../model/answer.js';
import { Model } from '../model/model.js';
import { bytesOf, type Grid } from '../model/quantisation.js';
import type { Loss } from '../network/network.js';
import { breathe } from '../tensor/inputs.js';
import type { Ready } from '../training/front/ready.js';
import { taughtTo } from '../training/going-on.js';
import type { TrainingData } from '../training/result.js';
import type { CompressionStep } from './options.js';
import { weightsIn } from './projection.js';

/** The size of a model, its speed, and what it is worth. */
export interface Measured<E = Evaluation> {
  readonly layers: readonly number[];
  /** Weights that are not 0. */
  readonly weights: number;
  /** The same with the biases. */
  readonly parameters: number;
  /** Of the parameters in a file, zeros included. */
  readonly bytes: number;
  /** What the weights are: a type of numbers, or a grid. */
  readonly type: 'float32' | 'float64' | Grid;
  /** Rows that it answers for in a second, 256 at a time, on this machine: zeros cost a dense product what other weights cost. */
  readonly rowsPerSecond: number;
  readonly scores: E;
}

/** A smaller model, and what became of the one that it was made of. */
export interface Compression<L extends Loss = Loss> {
  readonly model: Model<L>;
  readonly before: Measured<EvaluationOf<L>>;
  readonly after: Measured<EvaluationOf<L>>;
  /** The share of the weights of the model before that are 0 now, or gone. */
  readonly sparsity: number;
  /** Weights that are not 0, and biases. */
  readonly parameters: number;
  /** What both are judged by. */
  readonly judgedBy: 'test' | 'validation' | 'training';
  /** A record an iteration of ADMM, and one a training of what stays. */
  readonly history: readonly CompressionStep[];
  readonly seconds: number;
  /** What is to be known of it. */
  readonly warnings: readonly string[];
  /** A table for people. */
  toString(): string;
}

/** What judges. */
export interface Judged {
  readonly by: Compression['judgedBy'];
  readonly samples: TrainingData;
}

export function judgedBy({ test, validation, ...train }: TrainingData): Judged {
  if (test) return { by: 'test', samples: test };
  return validation ? { by: 'validation', samples: validation } : { by: 'training', samples: train };
}

export const countOf = (all: readonly (Numbers | Int32Array)[]): number =>
  all.reduce((sum, each) => sum + (each as Float64Array).reduce((count, w) => count + Number(w !== 0), 0), 0);

/** How long is measured, in milliseconds, and how much is predicted at once at most. */
const MEASURED = { least: 50, rows: 256, entries: 2 ** 19 } as const;

/** A model that is told what another was, with parameters of its own. */
export function withWeights(
  model: Model,
  parameters: Pick<Model, 'network' | 'weights' | 'biases' | 'quantisation'>,
): Model {
  const { dtype, note } = model;
  const { network, weights, biases, quantisation } = parameters;
  const own = { network, weights, biases, ...(quantisation && { quantisation }) };
  return new Model({ dtype, ...taughtTo(model), ...(note && { note }), ...own });
}

async function speedOf(model: Model): Promise<number> {
  const columns = model.network.layers[0] as number;
  const rows = Math.max(1, Math.min(MEASURED.rows, Math.floor(MEASURED.entries / columns)));
  const x = { data: new Float32Array(rows * columns), rows, columns };
  model.predictSync(x);
  let best = Number.POSITIVE_INFINITY;
  for (let spent = 0, times = 0; spent < MEASURED.least || times < 3; times += 1) {
    const began = performance.now();
    model.predictSync(x);
    const took = performance.now() - began;
    spent += took;
    best = Math.min(best, took);
    await breathe();
  }
  return (1000 * rows) / best;
}

export async function measured(model: Model, samples: TrainingData): Promise<Measured> {
  const { weights, biases, network } = model;
  const count = countOf(weights);
  return {
    layers: network.layers,
    weights: count,
    parameters: count + biases.reduce((sum, { length }) => sum + length, 0),
    bytes: bytesOf(model),
    type: model.quantisation?.grid ?? model.dtype,
    rowsPerSecond: await speedOf(model),
    scores: await model.evaluate(samples as never),
  };
}

interface Parts extends Pick<Compression, 'model' | 'before' | 'after' | 'history' | 'seconds'> {
  readonly ready: Ready;
  readonly judged: Judged;
}

export function resultOf({ model, before, after, history, seconds, ready, judged }: Parts): Compression {
  const warnings = [
    ...ready.warnings,
    ...(judged.by === 'training' ? ['nothing was held out: both are judged by what they were trained on'] : []),
    ...(judged.by === 'validation' ? ['what is held out said which epoch is kept too'] : []),
  ];
  const parts = {
    model,
    before,
    after,
    sparsity: 1 - after.weights / weightsIn(before.layers),
    parameters: after.parameters,
    judgedBy: judged.by,
    history,
    seconds,
    warnings,
  };
  return printable(parts, textOf) as Compression;
}

function textOf({ before, after, sparsity, judgedBy: by, warnings }: Omit<Compression, 'toString'>): string {
  const row = (title: string, of: (each: Measured) => number | string): readonly string[] => [
    title,
    ...[before, after].map((each) => {
      const value = of(each);
      return typeof value === 'number' ? numberText(value) : value;
    }),
  ];
  const scores = METRIC_NAMES.flatMap((name) => {
    const score = ({ scores }: Measured) => (scores as Partial<Record<typeof name, number>>)[name];
    const found = score(after);
    const shown = found !== undefined && isTelling(name, found);
    return shown ? [row(METRICS[name].title, (each) => score(each) as number)] : [];
  });
  return [
    ...aligned([
      ['', 'before', 'after'],
      row('layers', ({ layers }) => layers.join('-')),
      row('weights that are not 0', ({ weights }) => weights),
      row('parameters', ({ parameters }) => parameters),
      ...(before.type === after.type ? [] : [row('weights are', ({ type }) => type)]),
      row('bytes of all', ({ bytes }) => bytes),
      row('rows a second', ({ rowsPerSecond }) => Math.round(rowsPerSecond)),
      ...scores,
    ]),
    `${(100 * sparsity).toFixed(2)} % of the weights are 0 or gone; judged by the ${by} rows`,
    ...warnings.map((text) => `note: ${text}`),
  ].join('\n');
}
