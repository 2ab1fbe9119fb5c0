/** The nearest weights of a grid: W_jk = s_j c_jk, with a scale a neuron. */
import type { Dtype, Numbers } from '../core/native.js';
import { codesOf, dequantised, type Grid, gridOf } from '../model/quantisation.js';

/** Where the search for a scale begins: with the largest code standing for so much of the largest weight, at more places where the row is short. */
const SHARES = { most: 1.5, least: 0.3 } as const;
const starts = (length: number): number => Math.max(12, Math.min(256, Math.ceil(2 ** 13 / length)));
const MOST_TURNS = 20;
/** What float32 has with all its digits, and its largest multiple by a code. */
const [LEAST, MOST] = [2 ** -126, 2 ** 120];

const inRange = (scale: number): number => Math.fround(Math.min(MOST, Math.max(LEAST, scale)));

interface Fit {
  readonly scale: number;
  /** Σ (w − s c)² */
  readonly error: number;
  /** argmin_s of the same, with the codes as they are: ⟨w, c⟩ / ‖c‖². */
  readonly better: number;
}

function fitOf(row: Numbers, scale: number, nearest: (x: number) => number): Fit {
  let [error, both, square] = [0, 0, 0];
  for (let k = 0; k < row.length; k += 1) {
    const w = row[k] as number;
    const code = nearest(w / scale);
    error += (w - scale * code) ** 2;
    both += w * code;
    square += code * code;
  }
  return { scale, error, better: square > 0 ? both / square : scale };
}

const best = (fits: readonly Fit[]): Fit => fits.reduce((least, each) => (each.error < least.error ? each : least));

/** By turns the codes nearest for a scale and the scale best for these, in closed form, until the error is as it was. */
function settled(row: Numbers, start: number, nearest: (x: number) => number): Fit {
  let found = fitOf(row, inRange(start), nearest);
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    const next = fitOf(row, inRange(found.better), nearest);
    if (!(next.error < found.error)) break;
    found = next;
  }
  return found;
}

/** The scale s ≥ 0 of least Σ_k (w_k − s c_k)², c_k the nearest codes: of a few starts the best; of powers of two the best of all. */
export function scaleOf(row: Numbers, grid: Grid): number {
  const { most, nearest } = gridOf(grid);
  const largest = (row as Float64Array).reduce((so: number, w: number) => Math.max(so, Math.abs(w)), 0);
  if (largest === 0) return 1;
  if (grid === 'powers-of-two') {
    // With a larger one the largest code is for nothing, with a smaller one the largest weight loses most of itself.
    const first = Math.round(Math.log2(largest / most));
    return best([-3, -2, -1, 0, 1].map((by) => fitOf(row, inRange(2 ** (first + by)), nearest))).scale;
  }
  const step = (SHARES.most - SHARES.least) / starts(row.length);
  const shares = [1, ...Array.from({ length: starts(row.length) }, (_, i) => SHARES.most - i * step)];
  return best(shares.map((share) => settled(row, (share * largest) / most, nearest))).scale;
}

/** Weights on the grid, and their scales. */
export interface OnGrid {
  readonly V: readonly Numbers[];
  readonly scales: readonly Float32Array[];
}

/** The projection onto the grid: of every row by the scale that fits it best, or by `scales`. */
export function nearestOnGrid(
  weights: readonly Numbers[],
  layers: readonly number[],
  {
    grid,
    dtype,
    scales,
  }: { readonly grid: Grid; readonly dtype: Dtype; readonly scales: OnGrid['scales'] | undefined },
): OnGrid {
  const { nearest } = gridOf(grid);
  const own =
    scales ??
    weights.map((values, l) => {
      const inputs = layers[l] as number;
      return Float32Array.from({ length: layers[l + 1] as number }, (_, j) =>
        scaleOf(values.subarray(j * inputs, (j + 1) * inputs), grid),
      );
    });
  const V = weights.map((values, l) => {
    const [inputs, of] = [layers[l] as number, own[l] as Float32Array];
    const codes = new Int8Array(values.length);
    for (let i = 0; i < codes.length; i += 1)
      codes[i] = nearest((values[i] as number) / (of[Math.floor(i / inputs)] as number));
    return dequantised(codes, of, dtype);
  });
  return { V, scales: own };
}

/** Weights that lie on the grid up to rounding, exactly on it. */
export const exactly = (weights: readonly Numbers[], scales: OnGrid['scales'], dtype: Dtype): readonly Numbers[] =>
  weights.map((values, l) => dequantised(codesOf(values, scales[l] as Float32Array), scales[l] as Float32Array, dtype));
