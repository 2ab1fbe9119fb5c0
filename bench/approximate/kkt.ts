/** How the KKT residual falls: on a run like the golden case B3, and with penalties as the convergence theorem asks. */
import { train } from 'dladmm';
import type { SigmoidOptions } from 'dladmm/solvers';
import { coloured, figure, lines, logAlong, type TopLevelSpec } from '../harness/figures.js';
import { follow } from '../harness/samples.js';
import { linearRegression } from '../harness/statistics.js';
import { table } from '../harness/table.js';
import { isKept } from './trial.js';

const COUNT = 200;

/** x² on 200 points; the second as Theorem 4 asks for two layers: β_N = 3.5, β_{N−1} = 16 β_N, λ large. */
const CASES: readonly { readonly name: string; readonly options: Partial<SigmoidOptions> }[] = [
  { name: 'like B3: λ = 0.01, β = 1', options: { layers: [1, 20, 20, 20, 1], l2: 1e-2 } },
  { name: 'as the theorem asks: λ = 100, β = 56, 3.5', options: { layers: [1, 20, 1], l2: 100, beta: [56, 3.5] } },
];

export interface KktPoint {
  /** K. */
  readonly iteration: number;
  readonly kkt: number;
  /** (1/K) Σ_{k ≤ K}. */
  readonly mean: number;
  /** Of the iterations after the tenth. */
  readonly later: number | null;
}

export interface KktResult {
  readonly name: string;
  readonly layers: string;
  readonly points: readonly KktPoint[];
  /** Slopes of log mean and of log later mean on log K, by least squares over K ≥ 20: −1 is 1/K. */
  readonly slope: number;
  readonly laterSlope: number;
  /** Iterations in which the augmented Lagrangian rose. */
  readonly rises: number;
}

export async function measureKkt(iterations: number, threads: number): Promise<readonly KktResult[]> {
  const x = Float64Array.from({ length: COUNT }, (_, i) => -1 + (2 * i) / (COUNT - 1));
  const results: KktResult[] = [];
  for (const { name, options } of CASES) {
    const training = train(
      { x: { data: x, rows: COUNT, columns: 1 }, y: x.map((value) => value * value) },
      { solver: 'sigmoid-admm', loss: 'squared-error', layers: [1, 1], ...options, iterations, threads },
    );
    const points: KktPoint[] = [];
    let all = 0;
    let later = 0;
    let rises = 0;
    let before = Number.POSITIVE_INFINITY;
    const { model } = await follow(training, ({ iteration, kkt, lagrangian }) => {
      all += kkt;
      if (iteration > 10) later += kkt;
      if (lagrangian > before + 1e-12 * Math.abs(before)) rises += 1;
      before = lagrangian;
      if (!isKept(iteration)) return;
      const mean = all / iteration;
      points.push({ iteration, kkt, mean, later: iteration > 10 ? later / (iteration - 10) : null });
    });
    model.close();
    const fitted = points.filter(({ iteration }) => iteration >= 20);
    results.push({
      name,
      layers: options.layers?.join('-') ?? '',
      points,
      slope: slopeOf(fitted.map((point) => [point.iteration, point.mean])),
      laterSlope: slopeOf(fitted.map((point) => [point.iteration, point.later ?? Number.NaN])),
      rises,
    });
  }
  return results;
}

/** Of log y on log x. */
export const slopeOf = (points: readonly (readonly [x: number, y: number])[]): number =>
  linearRegression(points.map((point) => point.map(Math.log))).m;

const SHOWN = [1, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

export const kktTable = (results: readonly KktResult[]): string =>
  results
    .map(({ name, layers, points, slope, laterSlope, rises }) => {
      const rows = points
        .filter(({ iteration }) => SHOWN.includes(iteration))
        .map(({ iteration, kkt, mean, later }) => [
          String(iteration),
          ...[kkt, mean, later].map((value) => value?.toExponential(2) ?? ''),
        ]);
      return [
        `${name}, ${layers}`,
        table(['iteration', 'KKT residual', 'running mean', 'from the 11th on'], rows),
        `slope of the running mean ${slope.toFixed(3)}, from the 11th on ${laterSlope.toFixed(3)}; ` +
          `the augmented Lagrangian rose in ${rises} iterations`,
      ].join('\n');
    })
    .join('\n\n');

const LINES = ['KKT residual', 'running mean', 'from the 11th on', 'falls as 1/K'];

/** A panel a case, with a line of slope −1 below its running mean. */
export const kktSpecification = (results: readonly KktResult[]): TopLevelSpec =>
  figure({
    hconcat: results.map(({ name, points }) => {
      const first = points[0]?.mean ?? Number.NaN;
      return lines({
        size: [300, 220],
        title: name,
        values: points.flatMap(({ iteration, kkt, mean, later }) =>
          [kkt, mean, later, first / (10 * iteration)].flatMap((value, i) =>
            value === null ? [] : [{ iteration, line: LINES[i], value }],
          ),
        ),
        x: logAlong('iteration', { axis: { format: '~s' } }),
        y: logAlong('value', { title: null }),
        color: coloured('line', { sort: LINES }),
      });
    }),
  });
