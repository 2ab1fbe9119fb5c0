/** What a checkpoint is of. */
import { DlAdmmError } from '../../core/errors.js';
import type { Dtype } from '../../core/native.js';
import { reader } from '../../formats/reader.js';
import { METRIC_NAMES, type Metric, scoreOf } from '../../judging/metrics.js';
import type { TrainOptions } from '../../solvers/index.js';
import { checkValues, type OpenCheckpoint, openCheckpoint } from './file.js';
import { isFunctionMark } from './options.js';
import { storedTrainingOf } from './stored-training.js';

/** What a checkpoint is of. */
export interface CheckpointInfo {
  readonly path: string;
  /** The size of the file. */
  readonly bytes: number;
  /** Of the package that wrote it. */
  readonly version: string;
  /** The kernels that the numbers were computed with. */
  readonly kernel: string;
  readonly solver: string;
  readonly layers: readonly number[];
  readonly dtype: Dtype;
  readonly threads: number;
  /** Iterations done, and seconds spent on them. */
  readonly iteration: number;
  readonly elapsed: number;
  /** Training samples. */
  readonly samples: number;
  /** The best model so far, where early stopping keeps one: the value of the metric that it watches. */
  readonly best?: { readonly iteration: number; readonly metric: Metric; readonly value: number };
  /** All options that were given or follow, but functions. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The options that were functions and have to be given to `resume`. */
  readonly functions: readonly string[];
}

/**
 * Reads a checkpoint, checks every byte of it, and tells what it is of.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT, ERR_DLADMM_CHECKPOINT for another format
 */
export const readCheckpoint = reader(async (path: string): Promise<CheckpointInfo> => {
  const from: OpenCheckpoint = await openCheckpoint(path);
  try {
    const { version, kernel, options, iteration, elapsed, samples, best } = storedTrainingOf(from);
    await checkValues(from);
    const { layers, dtype, threads, earlyStopping } = options as unknown as TrainOptions;
    const metric = earlyStopping?.metric ?? 'loss';
    if (!METRIC_NAMES.includes(metric)) {
      const text = `${path} is no checkpoint of a training: it watches ${String(metric)}`;
      throw new DlAdmmError('ERR_DLADMM_FORMAT', text);
    }
    const entries = Object.entries(options);
    return {
      path,
      bytes: from.bytes,
      version,
      kernel,
      solver: String(options.solver ?? 'dladmm'),
      layers,
      dtype: dtype ?? 'float32',
      threads: threads ?? 1,
      iteration,
      elapsed,
      samples,
      ...(best && { best: { iteration: best.iteration, metric, value: scoreOf(metric, best.score) } }),
      options: Object.fromEntries(entries.filter(([, value]) => !isFunctionMark(value))),
      functions: entries.filter(([, value]) => isFunctionMark(value)).map(([key]) => key),
    };
  } finally {
    await from.file.close();
  }
}, 'safetensors');
