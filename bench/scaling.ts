import type { Matrix } from 'dladmm';

export const SCALINGS = ['raw', '[0, 1]', 'standardised'] as const;
export type Scaling = (typeof SCALINGS)[number];

/** Column by column, from the training samples alone. */
export function scalerOf({ data, rows, columns }: Matrix, scaling: Scaling): (x: Matrix) => Matrix {
  const shifts = new Float64Array(columns);
  const widths = new Float64Array(columns).fill(1);
  for (let j = 0; j < columns && scaling !== 'raw'; j += 1) {
    const column = Float64Array.from({ length: rows }, (_, i) => data[i * columns + j] ?? Number.NaN);
    const low = column.reduce((least, value) => Math.min(least, value));
    const high = column.reduce((most, value) => Math.max(most, value));
    const mean = column.reduce((sum, value) => sum + value, 0) / rows;
    const deviation = Math.sqrt(column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows);
    shifts[j] = scaling === '[0, 1]' ? low : mean;
    widths[j] = (scaling === '[0, 1]' ? high - low : deviation) || 1;
  }
  return (x) => ({
    ...x,
    data: Float64Array.from(x.data, (value, i) => (value - (shifts[i % columns] ?? 0)) / (widths[i % columns] ?? 1)),
  });
}
