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
const CASES: Readonly<Record<string, Pick<SigmoidOptions, 'layers' | 'l2' | 'beta'>>> = {
  'like B3: λ = 0.01, β = 1': { layers: [1, 20, 20, 20, 1], l2: 1e-2 },
  'as the theorem asks: λ = 100, β = 56, 3.5': { layers: [1, 20, 1], l2: 100, beta: [56, 3.5] },
};

export type KktResult = Awaited<ReturnType<typeof measure>>;

export const measureKkt = (iterations: number, threads: number): Promise<readonly KktResult[]> =>
  Promise.all(Object.keys(CASES).map((name) => measure(name, iterations, threads)));

async function measure(name: string, iterations: number, threads: number) {
  const options = CASES[name] ?? { layers: [] };
  const x = Float64Array.from({ length: COUNT }, (_, i) => -1 + (2 * i) / (COUNT - 1));
  const training = train(
    { x: { data: x, rows: COUNT, columns: 1 }, y: x.map((value) => value * value) },
    { solver: 'sigmoid-admm', loss: 'squared-error', standardiseTargets: false, ...options, iterations, threads },
  );
  /** K, the residual, and its means (1/K) Σ_{k ≤ K} of all iterations and of those after the tenth. */
  const points: { iteration: number; kkt: number; mean: number; later: number | null }[] = [];
  let [all, later, rises, before] = [0, 0, 0, Number.POSITIVE_INFINITY];
  const { model } = await follow(training, ({ iteration, kkt, lagrangian }) => {
    all += kkt;
    if (iteration > 10) later += kkt;
    if (lagrangian > before + 1e-12 * Math.abs(before)) rises += 1;
    before = lagrangian;
    if (!isKept(iteration)) return;
    points.push({ iteration, kkt, mean: all / iteration, later: iteration > 10 ? later / (iteration - 10) : null });
  });
  model.close();
  const fitted = points.filter(({ iteration }) => iteration >= 20);
  return {
    name,
    layers: options.layers.join('-'),
    points,
    /** Slopes of log mean and of log later mean on log K, by least squares over K ≥ 20: −1 is 1/K. */
    slope: slopeOf(fitted.map((point) => [point.iteration, point.mean])),
    laterSlope: slopeOf(fitted.map((point) => [point.iteration, point.later ?? Number.NaN])),
    /** Iterations in which the augmented Lagrangian rose. */
    rises,
  };
}

/** Of log y on log x. */
export const slopeOf = (points: readonly (readonly [x: number, y: number])[]): number =>
  linearRegression(points.map((point) => point.map(Math.log))).m;

const SHOWN = [1, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const LINES = ['KKT residual', 'running mean', 'from the 11th on', 'falls as 1/K'];

export const kktTable = (results: readonly KktResult[]): string =>
  results
    .map(({ name, layers, points, slope, laterSlope, rises }) => {
      const rows = points
        .filter(({ iteration }) => SHOWN.includes(iteration))
        .map(({ iteration, ...values }) => [
          `${iteration}`,
          ...Object.values(values).map((value) => value?.toExponential(2) ?? ''),
        ]);
      return [
        `${name}, ${layers}`,
        table(['iteration', ...LINES.slice(0, 3)], rows),
        `slope of the running mean ${slope.toFixed(3)}, from the 11th on ${laterSlope.toFixed(3)}; ` +
          `the augmented Lagrangian rose in ${rises} iterations`,
      ].join('\n');
    })
    .join('\n\n');

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
