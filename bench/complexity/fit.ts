/** What the times of a curve, or of two, say of their growth with the width. */
import { linearRegression, mean, sum } from '../harness/statistics.js';

/** A time at a width. */
export interface Timing {
  readonly n: number;
  readonly seconds: number;
}

/** t with P(|T| < t) = 0.95 for Student's t of 1, 2, … degrees of freedom, as many as there are widths up to 2^15 and more. */
export const STUDENT: readonly number[] = [
  ...[12.70620474, 4.30265273, 3.18244631, 2.77644511, 2.57058184, 2.44691185, 2.36462425, 2.30600414, 2.26215716],
  ...[2.22813885, 2.20098516, 2.17881283, 2.16036866, 2.14478669, 2.13144955, 2.1199053, 2.10981558, 2.10092204],
];

/**
 * seconds = exp(intercept) · n^exponent through the points from the smallest to the largest n, by least squares in the
 * logarithms; null where fewer than two widths differ. The 95 % interval of the exponent is null below three points.
 */
export function fitPowerLaw(timings: readonly Timing[]) {
  const points = timings.map(({ n, seconds }) => [Math.log(n), Math.log(seconds)] as [number, number]);
  const centre = points.length === 0 ? 0 : mean(points.map(([x]) => x));
  const spread = sum(points.map(([x]) => (x - centre) ** 2));
  if (!(spread > 0)) return null;
  const { m: exponent, b: intercept } = linearRegression(points);
  const misses = sum(points.map(([x, y]) => (y - intercept - exponent * x) ** 2));
  const degrees = points.length - 2;
  const half = (STUDENT[degrees - 1] ?? Number.NaN) * Math.sqrt(misses / degrees / spread);
  const sizes = timings.map(({ n }) => n);
  const ci: readonly [number, number] | null = degrees > 0 ? [exponent - half, exponent + half] : null;
  return { exponent, intercept, ci, range: [Math.min(...sizes), Math.max(...sizes)] as const };
}

/**
 * The share of β n³ in the time at the largest width, after a fit of α n² + β n³ with α, β ≥ 0 that weighs relative
 * misses. Null below three points: two coefficients would then explain anything.
 */
export function cubicShare(timings: readonly Timing[]): number | null {
  if (timings.length < 3) return null;
  const terms = timings.map(({ n, seconds }) => [n ** 2 / seconds, n ** 3 / seconds] as const);
  const over = (of: (square: number, cube: number) => number): number => sum(terms.map((each) => of(...each)));
  const [ss, sc, cc] = [over((s) => s * s), over((s, c) => s * c), over((_, c) => c * c)];
  const [square, cube] = [over((s) => s), over((_, c) => c)];
  const [alpha, beta] = [square * cc - cube * sc, cube * ss - square * sc];
  if (beta <= 0) return 0;
  if (alpha <= 0) return 1;
  const n = Math.max(...timings.map((timing) => timing.n));
  return (beta * n) / (alpha + beta * n);
}

/** Time of the inversion step over that of the quadratic one at each width that both have. */
export const ratiosOf = (quadratic: readonly Timing[], inversion: readonly Timing[]) =>
  inversion.flatMap(({ n, seconds }) => {
    const other = quadratic.find((at) => at.n === n);
    return other === undefined ? [] : [{ n, ratio: seconds / other.seconds }];
  });

/**
 * Where an inversion step begins to be slower than the quadratic one for good, from their ratios by rising n, joined by lines
 * in the logarithms: the width, or null and why there is none; and the measured widths at which it is not slower.
 */
export function crossover(ratios: ReturnType<typeof ratiosOf>) {
  const notSlowerAt = ratios.filter(({ ratio }) => ratio <= 1).map(({ n }) => n);
  const none = (reason: string) => ({ n: null, reason, notSlowerAt });
  const last = ratios.findLastIndex(({ ratio }) => ratio <= 1);
  const [before, after] = [ratios[last], ratios[last + 1]];
  if (ratios.length === 0) return none('the curves have no width in common');
  if (before === undefined) return none('slower at every width measured');
  if (after === undefined) {
    const everywhere = notSlowerAt.length === ratios.length;
    return none(everywhere ? 'not slower at any width measured' : 'not slower at the largest width');
  }
  const share = Math.log(before.ratio) / Math.log(before.ratio / after.ratio);
  return { n: before.n * (after.n / before.n) ** share, notSlowerAt };
}
