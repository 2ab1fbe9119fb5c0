export { parseArrow, readArrow } from '../formats/arrow.js';
export { type CsvOptions, parseCsv, readCsv, type TextStream } from '../formats/csv.js';
export { type IdxArray, parseIdx, readIdx } from '../formats/idx.js';
export type {
  ClassificationTable,
  CsvTable,
  RegressionTable,
  TableOptions,
  UnlabelledTable,
} from '../formats/labels.js';
export { encodeNpy, type NpyArray, parseNpy, readNpy } from '../formats/npy.js';
export { type NpzOptions, parseNpz, readNpz } from '../formats/npz.js';
export { parseParquet, readParquet } from '../formats/parquet.js';
export type { FeatureOptions } from '../samples/features.js';
export type {
  ClassificationDataset,
  ClassificationSplit,
  Dataset,
  RegressionDataset,
  RegressionSplit,
} from './dataset.js';
export { type DatasetListing, type LoadOptions, listDatasets, loadDataset } from './datasets.js';
export { type DownloadOptions, download } from './download.js';
export { readTable, type TableFile, type TableFileOptions } from './file.js';
export {
  type GraphDataset,
  type GraphSplit,
  parseGraph,
  type ReadGraphOptions,
  readGraph,
  rowNormalized,
  type SparseMatrix,
} from './graph.js';
export { type GraphSplitOptions, splitGraph } from './graph-split.js';
export {
  describeGraph,
  type GraphDescription,
  type GraphListing,
  type GraphName,
  graphNames,
  type LoadGraphOptions,
  listGraphs,
  loadGraph,
} from './graphs.js';
export { cacheFolder, type LocateOptions, type SearchFolder, searchPath } from './locate.js';
export {
  type DatasetDescription,
  type DatasetFile,
  type DatasetName,
  type DatasetSource,
  datasetNames,
  describeDataset,
} from './registry.js';
export { splitDataset } from './split.js';
