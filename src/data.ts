/**
 * Samples: named data sets, files of every format, streams and tables.
 *
 * @packageDocumentation
 */

export type { Numbers } from './core/native.js';
export type {
  ClassificationDataset,
  ClassificationSplit,
  Dataset,
  RegressionDataset,
  RegressionSplit,
} from './datasets/dataset.js';
export { type DatasetListing, type LoadOptions, listDatasets, loadDataset } from './datasets/datasets.js';
export { type DownloadOptions, download } from './datasets/download.js';
export { type LabelledFile, readTable, type TableFile, type TableFileOptions } from './datasets/file.js';
export { parseSparse, readSparse, type SparseMatrix } from './datasets/graph.js';
export { cacheFolder, type LocateOptions, type SearchFolder, searchPath } from './datasets/locate.js';
export {
  type DatasetDescription,
  type DatasetFile,
  type DatasetName,
  type DatasetOf,
  type DatasetSource,
  datasetNames,
  describeDataset,
} from './datasets/registry.js';
export { splitDataset } from './datasets/split.js';
export { parseArrow, readArrow } from './formats/arrow.js';
export { type CsvOptions, parseCsv, readCsv, type TextStream } from './formats/csv.js';
export { type IdxArray, parseIdx, readIdx } from './formats/idx.js';
export type {
  ClassificationTable,
  CsvTable,
  RegressionTable,
  TableOptions,
  UnlabelledTable,
} from './formats/labels.js';
export { type LibsvmOptions, type LibsvmSamples, parseLibsvm, readLibsvm } from './formats/libsvm.js';
export { encodeNpy, type NpyArray, parseNpy, readNpy } from './formats/npy.js';
export { type NpzOptions, parseNpz, readNpz } from './formats/npz.js';
export { parseParquet, readParquet } from './formats/parquet.js';
export { openSamples, StoredSamples } from './formats/sample-file.js';
export { type SqlConnection, type SqlResult, sql } from './formats/sql.js';
export type { ModelParts } from './model/parts.js';
export type { ScaledScheme, Scheme, TrainedParameters } from './network/initialisation.js';
export type { Parameters } from './network/parameters.js';
export type { Standardisation } from './network/standardisation.js';
export type { ArrivingSamples, LabelledBlock, LabelledRow, RowsLike, StreamItem } from './samples/arriving.js';
export type { Decimal } from './samples/cells.js';
export type { LabelKind, Labels } from './samples/classes.js';
export type { Column } from './samples/columns.js';
export type { DatePart } from './samples/dates.js';
export type { ColumnPlace, FeatureOptions } from './samples/features.js';
export type { LabelledSamples } from './samples/samples.js';
export type { ColumnLike, ColumnOptions, ColumnsLike, RecordLike, TableLike } from './samples/table.js';
export type { Csr } from './tensor/csr.js';
export type { LabelsLike, MatrixLike, NumericArray } from './tensor/inputs.js';
export { type Packed, type PackOptions, packSamples } from './training/pack.js';
