/** How the KKT residual falls: on a run like the golden case B3, and with penalties as the convergence theorem asks. */
import { type SigmoidOptions, train } from 'dladmm';
import type { TopLevelSpec } from 'vega-lite';
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
    for await (const { iteration, kkt, lagrangian } of training) {
      all += kkt;
      if (iteration > 10) later += kkt;
      if (lagrangian > before + 1e-12 * Math.abs(before)) rises += 1;
      before = lagrangian;
      if (!isKept(iteration)) continue;
      points.push({
        iteration,
        kkt,
        mean: all / iteration,
        later: iteration > 10 ? later / (iteration - 10) : null,
      });
    }
    training.result.model.close();
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
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (of: 0 | 1): number => logs.reduce((sum, point) => sum + point[of], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const above = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  return above / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}

export function kktTable(results: readonly KktResult[]): string {
  return results
    .flatMap(({ name, layers, points, slope, laterSlope, rises }) => [
      `${name}, ${layers}`,
      'iteration  KKT residual  running mean  from the 11th on',
      ...points
        .filter(({ iteration }) => [1, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].includes(iteration))
        .map(
          ({ iteration, kkt, mean, later }) =>
            `${String(iteration).padEnd(10)} ${kkt.toExponential(2).padEnd(13)} ${mean.toExponential(2).padEnd(13)} ${later?.toExponential(2) ?? ''}`,
        ),
      `slope of the running mean ${slope.toFixed(3)}, from the 11th on ${laterSlope.toFixed(3)}; ` +
        `the augmented Lagrangian rose in ${rises} iterations`,
      '',
    ])
    .join('\n')
    .trimEnd();
}

/** A panel a case, with a line of slope −1 below its running mean. */
export function kktSpecification(results: readonly KktResult[]): TopLevelSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    hconcat: results.map(({ name, points }) => {
      const first = points[0]?.mean ?? Number.NaN;
      const values = points.flatMap(({ iteration, kkt, mean, later }) => [
        { iteration, line: 'KKT residual', value: kkt },
        { iteration, line: 'running mean', value: mean },
        ...(later === null ? [] : [{ iteration, line: 'from the 11th on', value: later }]),
        { iteration, line: 'falls as 1/K', value: first / (10 * iteration) },
      ]);
      return {
        width: 300,
        height: 220,
        title: name,
        data: { values },
        mark: { type: 'line', strokeWidth: 1.5 },
        encoding: {
          x: { field: 'iteration', type: 'quantitative', scale: { type: 'log' } },
          y: { field: 'value', type: 'quantitative', scale: { type: 'log' }, title: null, axis: { format: '.0e' } },
          color: {
            field: 'line',
            type: 'nominal',
            title: null,
            sort: ['KKT residual', 'running mean', 'from the 11th on', 'falls as 1/K'],
          },
        },
      } as const;
    }),
  };
}
