/** Passes over the features before a training begins; the event loop runs in between. */
import { liesInUnitInterval } from '../samples/standardise.js';
import { allRows, breathe, CHUNK_ENTRIES, nonFinite, type RowSource, rowSource } from '../tensor/inputs.js';

/** @throws DlAdmmError ERR_DLADMM_NON_FINITE by the row, before some are held out */
export async function checkFinite(source: RowSource): Promise<void> {
  const step = Math.max(1, Math.floor(CHUNK_ENTRIES / source.columns));
  for (let first = 0; first < source.rows; first += step) {
    const chunk = source.chunk(first, Math.min(step, source.rows - first));
    const bad = chunk.findIndex((value: number) => !Number.isFinite(value));
    if (bad >= 0) throw nonFinite(source, first, bad, chunk[bad]);
    await breathe();
  }
}

/** Whether every value lies in [0, 1], as pixels do that have been scaled: such features are comparable as they are. */
export async function liesInUnit(source: RowSource): Promise<boolean> {
  const step = Math.max(1, Math.floor(CHUNK_ENTRIES / source.columns));
  for (let first = 0; first < source.rows; first += step) {
    const count = Math.min(step, source.rows - first);
    if (!liesInUnitInterval({ data: source.chunk(first, count), rows: count, columns: source.columns })) return false;
    await breathe();
  }
  return true;
}

/** Entries that are worth keeping, as they are asked for more than once: a gigabyte. */
const KEPT = 2 ** 27;

/** The rows of a source found once, where there are not too many of them. */
export const laidOut = async (source: RowSource): Promise<RowSource> =>
  source.rows * source.columns > KEPT ? source : rowSource(await allRows(source), source.columns, source.name);
