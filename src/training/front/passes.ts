/** Passes over the features before a training begins; the event loop runs in between. */
import { liesInUnitInterval } from '../../samples/standardise.js';
import { allRows, eachChunk, nonFinite, type RowSource, rowSource } from '../../tensor/inputs.js';

/** @throws DlAdmmError ERR_DLADMM_NON_FINITE by the row, before some are held out; sparse rows have been looked at */
export async function checkFinite(source: RowSource): Promise<void> {
  if (source.sparse) return;
  await eachChunk(source, (chunk, first) => {
    const bad = chunk.findIndex((value: number) => !Number.isFinite(value));
    if (bad >= 0) throw nonFinite(source, first, bad, chunk[bad]);
  });
}

/**
 * Whether features are comparable as they are: all in [0, 1], as pixels are that have been scaled. Sparse ones are left as they are, since
 * their zeros would not stay zeros.
 */
export async function comparable(source: RowSource): Promise<boolean> {
  let lies = true;
  if (source.sparse) return lies;
  await eachChunk(source, (data, _, rows) => {
    lies = liesInUnitInterval({ data, rows, columns: source.columns });
    return lies;
  });
  return lies;
}

/** Entries that are worth keeping, as they are asked for more than once: a gigabyte. */
const KEPT = 2 ** 27;

/** The rows of a source found once, where there are not too many of them. */
export const laidOut = async (source: RowSource): Promise<RowSource> =>
  source.sparse || source.rows * source.columns > KEPT
    ? source
    : rowSource(await allRows(source), source.columns, source.name);
