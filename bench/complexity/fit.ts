import { linearRegression, mean, sum } from '../harness/statistics.js';

/** A time at a width. */
export interface Timing {
  readonly n: number;
  readonly seconds: number;
}

/** seconds = exp(intercept) · n^exponent, by least squares in the logarithms. */
export interface PowerLaw {
  readonly exponent: number;
  readonly intercept: number;
  /** 95 % interval of the exponent by Student's t with (points − 2) degrees of freedom; null below three points. */
  readonly ci: readonly [number, number] | null;
  /** The smallest and the largest n that the line was laid through. */
  readonly range: readonly [number, number];
}

/** The line through the points, or null where fewer than two widths differ. */
export function fitPowerLaw(timings: readonly Timing[]): PowerLaw | null {
  const points = timings.map(({ n, seconds }) => [Math.log(n), Math.log(seconds)] as [number, number]);
  const count = points.length;
  const centre = count === 0 ? 0 : mean(points.map(([x]) => x));
  const spread = sum(points.map(([x]) => (x - centre) ** 2));
  if (!(spread > 0)) return null;
  const { m: exponent, b: intercept } = linearRegression(points);
  const misses = sum(points.map(([x, y]) => (y - intercept - exponent * x) ** 2));
  const half = count > 2 ? studentQuantile(count - 2) * Math.sqrt(misses / (count - 2) / spread) : Number.NaN;
  const sizes = timings.map(({ n }) => n);
  return {
    exponent,
    intercept,
    ci: count > 2 ? [exponent - half, exponent + half] : null,
    range: [Math.min(...sizes), Math.max(...sizes)],
  };
}

/**
 * P(|T| < t) for Student's t with a whole number of degrees of freedom: the finite sums of Abramowitz and Stegun, 26.7.3
 * and 26.7.4.
 */
function studentShare(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const square = Math.cos(angle) ** 2;
  const odd = degrees % 2 === 1;
  let term = odd ? Math.cos(angle) : 1;
  let series = degrees === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k < degrees; k += 2) {
    term *= (square * (k - 1)) / k;
    series += term;
  }
  return odd ? (2 / Math.PI) * (angle + Math.sin(angle) * series) : Math.sin(angle) * series;
}

/** t with P(|T| < t) = share, which the library has not. */
export function studentQuantile(degrees: number, share = 0.95): number {
  let low = 0;
  let high = 1e6;
  for (let halving = 0; halving < 100; halving += 1) {
    const middle = (low + high) / 2;
    if (studentShare(middle, degrees) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * The share of β n³ in the time at the largest width, after a fit of α n² + β n³ with α, β ≥ 0 that weighs relative
 * misses. Null below three points: two coefficients would then explain anything.
 */
export function cubicShare(timings: readonly Timing[]): number | null {
  if (timings.length < 3) return null;
  const square = timings.map(({ n, seconds }) => n ** 2 / seconds);
  const cube = timings.map(({ n, seconds }) => n ** 3 / seconds);
  const product = (left: readonly number[], right: readonly number[]): number =>
    sum(left.map((value, i) => value * (right[i] ?? 0)));
  const [ss, sc, cc] = [product(square, square), product(square, cube), product(cube, cube)];
  const alpha = sum(square) * cc - sum(cube) * sc;
  const beta = sum(cube) * ss - sum(square) * sc;
  if (beta <= 0) return 0;
  if (alpha <= 0) return 1;
  const n = Math.max(...timings.map((timing) => timing.n));
  return (beta * n) / (alpha + beta * n);
}
