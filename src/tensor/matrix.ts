/**
 * A dense matrix, row-major with one sample a row: entry (i, j) is `data[i * columns + j]`.
 * `data.length` is `rows * columns`.
 */
export interface Matrix {
  readonly data: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
}
