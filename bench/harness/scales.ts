import type { Matrix } from 'dladmm';
import { mean, standardDeviation } from './statistics.js';

export const SCALINGS = ['raw', '[0, 1]', 'standardised'] as const;
export type Scaling = (typeof SCALINGS)[number];

/** Column by column, from the training samples alone. */
export function scalerOf({ data, rows, columns }: Matrix, scaling: Scaling): (x: Matrix) => Matrix {
  const rules = Array.from({ length: columns }, (_, j): readonly [shift: number, width: number] => {
    if (scaling === 'raw') return [0, 1];
    const column = Array.from({ length: rows }, (_, i) => data[i * columns + j] ?? Number.NaN);
    if (scaling === 'standardised') return [mean(column), standardDeviation(column) || 1];
    const low = column.reduce((least, value) => Math.min(least, value));
    return [low, column.reduce((most, value) => Math.max(most, value)) - low || 1];
  });
  return (x) => ({
    ...x,
    data: Float64Array.from(x.data, (value, i) => {
      const [shift, width] = rules[i % columns] ?? [0, 1];
      return (value - shift) / width;
    }),
  });
}
