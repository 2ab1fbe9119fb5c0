/** Numbers that are not finite, told by their row and column. */
import { DlAdmmError } from '../core/errors.js';
import { type Dtype, fromNative, type Numbers } from '../core/native.js';
import { nonFinite, type RowSource } from '../tensor/inputs.js';

/** Rows of target values, which must be finite in the type of the model. */
export function finiteChunk(source: RowSource, first: number, count: number, dtype: Dtype): Numbers {
  const chunk = source.chunk(first, count);
  for (let i = 0; i < chunk.length; i += 1) {
    const value = chunk[i] ?? Number.NaN;
    if (!Number.isFinite(dtype === 'float32' ? Math.fround(value) : value)) throw nonFinite(source, first, i, value);
  }
  return chunk;
}

/** The addon knows the index in a chunk; a person wants row and column. */
export function locate(error: unknown, source: RowSource, first: number): unknown {
  const ours = fromNative(error);
  if (!(ours instanceof DlAdmmError) || ours.code !== 'ERR_DLADMM_NON_FINITE' || ours === error) return ours;
  const index = Number((error as { index?: unknown }).index);
  const row = first + Math.floor(index / source.columns);
  const text = `Expected finite numbers for ${source.name} but found one that is not in row ${row}, column ${index % source.columns}`;
  return new DlAdmmError('ERR_DLADMM_NON_FINITE', text, { cause: error });
}
