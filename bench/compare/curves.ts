import type { EpochRecord, IterationRecord } from 'dladmm/solvers';
import { along, coloured, figure, lines, type TopLevelSpec } from '../harness/figures.js';
import type { Study } from '../harness/study.js';
import { table } from '../harness/table.js';

/** One iteration of one method. */
export type ComparePoint = ReturnType<typeof pointOf>;

export interface CompareCurve {
  readonly method: string;
  /** What set it apart from the defaults. */
  readonly options: object;
  /** That it was to run for. */
  readonly iterations: number;
  /** How the training ended. */
  readonly status: string;
  readonly points: readonly ComparePoint[];
}

type Head = Readonly<Record<'data' | 'layers' | 'dtype', string> & Record<'samples' | 'seed', number>>;

/** A whole comparison, as `bench/results` keeps it. */
export type Comparison = Study<Head, CompareCurve>;

/** What of a record is kept. */
type Always = 'iteration' | 'test' | 'train';
export type Watched =
  | (Pick<IterationRecord, Always | 'lagrangian'> & Partial<Pick<IterationRecord, 'residuals'>>)
  | Pick<EpochRecord, Always | 'loss'>;

/**
 * @param seconds of this iteration and all before it, evaluation left out
 * @param samples of the training set
 */
export const pointOf = (record: Watched, seconds: number, samples: number) => ({
  iteration: record.iteration,
  seconds,
  testAccuracy: record.test?.accuracy ?? Number.NaN,
  testLoss: record.test?.loss ?? Number.NaN,
  /** What the method minimises: its augmented Lagrangian; of a gradient method the training loss summed over the samples, each as its epoch met it. */
  objective: 'lagrangian' in record ? record.lagrangian : record.loss * samples,
  /** ‖r_l‖², summed over the samples, where the method has constraints. */
  ...('residuals' in record && record.residuals && { residuals: record.residuals }),
  /** Of the network on the training samples, where it was asked for. */
  ...(record.train && { trainLoss: record.train.loss }),
  ...(record.train?.accuracy !== undefined && { trainAccuracy: record.train.accuracy }),
});

/** The point of the highest test accuracy, the earliest of equals; those without one do not count. */
export const bestOf = (points: readonly ComparePoint[]): ComparePoint | undefined =>
  points
    .filter(({ testAccuracy }) => Number.isFinite(testAccuracy))
    .toSorted((left, right) => right.testAccuracy - left.testAccuracy)[0];

/** 1, 2, 5, 10, 20, 50, … up to a largest one. */
export function milestones(largest: number): readonly number[] {
  const all: number[] = [];
  for (let ten = 1; ten <= largest; ten *= 10) all.push(ten, 2 * ten, 5 * ten);
  return all.filter((iteration) => iteration <= largest);
}

/** Methods beside each other; the others follow below. */
const ABREAST = 5;

/** Test accuracy and seconds at chosen iterations, at the best and at the last one. */
export function tableOf(curves: readonly Pick<CompareCurve, 'method' | 'status' | 'points'>[]): string {
  const shown = milestones(Math.max(0, ...curves.map(({ points }) => points.length)));
  const reached = (point: ComparePoint | undefined, head = ''): string =>
    point === undefined
      ? '-'
      : `${head}${Number.isFinite(point.testAccuracy) ? point.testAccuracy.toFixed(4) : '-'} ${point.seconds.toFixed(2).padStart(9)} s`;
  const named = (point: ComparePoint | undefined): string => reached(point, `(${point?.iteration})`.padEnd(7));
  const blocks = Array.from({ length: Math.ceil(curves.length / ABREAST) }, (_, i) => {
    const abreast = curves.slice(i * ABREAST, (i + 1) * ABREAST);
    const row = (head: string, cell: (curve: (typeof curves)[number]) => string) => [head, ...abreast.map(cell)];
    const at = shown.map((n) => row(`${n}`, ({ points }) => reached(points.find((each) => each.iteration === n))));
    const head = row('iteration', ({ method }) => method);
    const best = row('best', ({ points }) => named(bestOf(points)));
    const last = row('last', ({ points }) => named(points.at(-1)));
    return table(head, [...at, best, last, row('ended', ({ status }) => status)]);
  });
  return blocks.join('\n\n');
}

/** Test accuracy and objective, each against iteration and against seconds. */
export function specificationOf({ data, layers, samples, runs: curves }: Comparison): TopLevelSpec {
  const values = curves.flatMap(({ method, points }) => points.map((point) => ({ method, ...point })));
  const sort = curves.map(({ method }) => method);
  const color = coloured('method', { sort, scale: { scheme: curves.length > 10 ? 'tableau20' : 'tableau10' } });
  const ys = [
    along('testAccuracy', { title: 'test accuracy', scale: { zero: false } }),
    // An augmented Lagrangian may be negative; the sums of losses of the gradient methods are not.
    along('objective', { scale: { type: 'symlog' } }),
  ];
  const panel = (against: string, y: object) =>
    lines({ x: along(against), y, color, ...(values.length <= 60 && { point: 30 }) });
  return figure({
    title: `${data}, ${samples} samples, ${layers}`,
    data: { values },
    vconcat: ys.map((y) => ({ hconcat: [panel('iteration', y), panel('seconds', y)] })),
  });
}
