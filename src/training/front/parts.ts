/** The samples of each part: those that are trained on, and those that are held out. */
import { heldOut, type Parts } from '../../samples/hold-out.js';
import { heldOutShare } from '../../solvers/auto.js';
import { inTurns } from '../../tensor/inputs.js';
import type { Matrix } from '../../tensor/matrix.js';

/** What decides about them. */
interface Parting {
  readonly validationShare?: number;
  /** Whether something is to be held out where nobody says. */
  readonly holdsOut: boolean;
  readonly seed: number;
}

/** The samples of each part; undefined where nothing is held out. */
export async function partsOf(
  rows: number,
  labels: ArrayLike<unknown> | undefined,
  { validationShare, holdsOut, seed }: Parting,
): Promise<Parts | undefined> {
  const share = validationShare ?? (holdsOut ? heldOutShare(rows) : 0);
  const parts = share > 0 ? await heldOut(rows, labels, share, seed) : undefined;
  return parts && parts.held.length > 0 ? parts : undefined;
}

/** What was held out, for the report. */
export interface HeldOut {
  readonly samples: number;
  readonly of: number;
  readonly how: string;
}

export function toldOf(parts: Parts | undefined, { seed }: Parting, labels: unknown): { readonly heldOut?: HeldOut } {
  if (parts === undefined) return {};
  const [held, rest] = [parts.held.length, parts.train.length];
  const how = `drawn by seed ${seed}${labels === undefined ? '' : ', of every class its share'}`;
  return { heldOut: { samples: held, of: held + rest, how } };
}

/** Some of a list, or all of it; the event loop runs in between. */
export async function some<T>(list: ArrayLike<T>, rows: Int32Array | undefined): Promise<readonly T[]> {
  const found: T[] = [];
  await inTurns((rows ?? list).length, (i) => found.push(list[rows ? (rows[i] as number) : i] as T));
  return found;
}

/** The same of the rows of a matrix. */
export function rowsAt(y: Matrix, which: Int32Array | undefined): Matrix {
  if (which === undefined) return y;
  const { columns } = y;
  const data = new Float64Array(which.length * columns);
  for (let i = 0; i < which.length; i += 1) {
    const from = (which[i] as number) * columns;
    for (let j = 0; j < columns; j += 1) data[i * columns + j] = y.data[from + j] as number;
  }
  return { data, rows: which.length, columns };
}
