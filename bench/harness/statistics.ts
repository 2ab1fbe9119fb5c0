/** What the benchmarks take from a library, and the middle of nothing. */
import { median as middle } from 'simple-statistics';

/** `standardDeviation` in 1/N form, `sampleStandardDeviation` in 1/(N − 1) form. */
export { linearRegression, mean, quantile, sampleStandardDeviation, standardDeviation, sum } from 'simple-statistics';

/** The middle value, or the mean of the two in the middle. NaN for none. */
export const median = (values: readonly number[]): number => (values.length === 0 ? Number.NaN : middle(values));
