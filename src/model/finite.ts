/** Numbers that are not finite, told by their row and column. */
import { DlAdmmError, quoted } from '../core/errors.js';
import { type Dtype, fromNative, type Numbers } from '../core/native.js';
import { type Column, offsetsOf } from '../samples/columns.js';
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

/** The addon knows the index in a chunk; a person wants the row, and the column by its name where it has one. */
export function locate(
  error: unknown,
  source: RowSource,
  first: number,
  { dtype, columns = [] }: { readonly dtype: Dtype; readonly columns?: readonly Column[] },
): unknown {
  const ours = fromNative(error);
  if (!(ours instanceof DlAdmmError) || ours.code !== 'ERR_DLADMM_NON_FINITE' || ours === error) return ours;
  const index = Number((error as { index?: unknown }).index);
  const input = index % source.columns;
  const at = offsetsOf(columns).offsets.findLastIndex((offset) => offset <= input);
  const where = at < 0 ? `, column ${input}` : ` of column ${quoted(columns[at]?.name ?? '')}`;
  const held = dtype === 'float32' ? 'that float32 holds ' : '';
  const text = `Expected finite numbers ${held}for ${source.name} but found another in row ${first + Math.floor(index / source.columns)}${where}`;
  return new DlAdmmError('ERR_DLADMM_NON_FINITE', text, { cause: error });
}
