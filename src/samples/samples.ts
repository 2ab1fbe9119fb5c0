import { types } from 'node:util';
import { checkObject } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { availableMemory } from '../core/info.js';
import { type Dtype, type NativeCsr, type NativeSamples, native } from '../core/native.js';
import type { Share } from '../core/ranks.js';
import { classCount, classifies, type Network } from '../network/network.js';
import { type Csr, csrParts, featureRows } from '../tensor/csr.js';
import {
  labelArray,
  loadRows,
  type MatrixLike,
  type NumericArray,
  pause,
  type RowSource,
  rowSource,
  trusted,
} from '../tensor/inputs.js';
import { checkInMemory } from './stored.js';
import { relative, type WeightsLike, weightsOf } from './weights.js';

/** Samples with what they should become: class labels for cross-entropy, rows of target values for squared error. */
export interface LabelledSamples {
  readonly x: MatrixLike | Csr;
  readonly labels?: NumericArray | readonly number[];
  readonly y?: MatrixLike;
  /** What each sample counts for beside the others, from 0; of a training set alone. Default: all the same. */
  readonly weights?: WeightsLike;
}

/** The number of the training set among the sets of a native state; evaluation sets count from 0. */
export const TRAINING_SET = -1;

/** Samples that fit a network, ready to be copied a chunk at a time. */
export interface SampleSource {
  readonly source: RowSource;
  readonly targets: Int32Array | RowSource;
  /** Their mean is 1. */
  readonly weights?: Float64Array;
}

/**
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED
 */
export function samplesOf(network: Network, samples: LabelledSamples, name: string): SampleSource {
  checkObject(samples, '{ x, labels } or { x, y }', name);
  checkInMemory(samples.x, `${name}.x`);
  const source = featureRows(samples.x, network.layers[0] ?? 0, `${name}.x`);
  const { rows } = source;
  const { weights } = samples;
  return {
    source,
    targets: targetsOf(network, samples, rows, name),
    ...(weights !== undefined && { weights: relative(weightsOf(weights, rows, `${name}.weights`)) }),
  };
}

function targetsOf(network: Network, samples: LabelledSamples, rows: number, name: string): Int32Array | RowSource {
  const outputs = network.layers.at(-1) ?? 0;
  if (classifies(network.loss)) {
    return labelArray(samples.labels, rows, classCount(network.loss, outputs), `${name}.labels`);
  }
  const source = rowSource(samples.y, outputs, `${name}.y`);
  if (source.rows !== rows) throw expected(`${rows} rows, one a sample,`, `${name}.y`, source.rows, 'ERR_DLADMM_SHAPE');
  return source;
}

/** Some rows of a source. */
function rowsOf(source: RowSource, { first, rows }: Share): RowSource {
  const { name, columns } = source;
  return trusted({ name, rows, columns, chunk: (at, count, spent) => source.chunk(first + at, count, spent) });
}

/** What one rank has of samples that all have read. @throws DlAdmmError ERR_DLADMM_ARGUMENT unless features are dense */
export function shareOf({ source, targets, weights }: SampleSource, share: Share): SampleSource {
  if (source.sparse) throw expected('dense features', 'distributed, with a sparse matrix', true);
  const [from, to] = [share.first, share.first + share.rows];
  return {
    source: rowsOf(source, share),
    targets: types.isInt32Array(targets) ? targets.subarray(from, to) : rowsOf(targets, share),
    ...(weights && { weights: weights.subarray(from, to) }),
  };
}

/** The checksum of dense samples that a state which had loaded them all would tell. */
export async function fingerprintOf({ source, targets, weights }: SampleSource, dtype: Dtype): Promise<string> {
  const hash = new native.Hash64();
  const take = ({ buffer, byteOffset, byteLength }: ArrayBufferView): void =>
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  const takeRows = (rows: RowSource): Promise<void> =>
    loadRows(rows, (_, chunk) => {
      take(dtype === 'float32' ? Float32Array.from(chunk) : Float64Array.from(chunk));
      return -1;
    });
  await takeRows(source);
  if (types.isInt32Array(targets)) take(targets);
  else await takeRows(targets);
  if (weights) take(weights);
  return hash.digest();
}

/** Copies sparse rows into a native state. */
async function loadSparse(state: NativeSamples, set: number, sparse: NativeCsr): Promise<void> {
  for (const [, part] of csrParts(sparse)) {
    state.loadSparse(set, part);
    await pause();
  }
}

/** Copies samples into a native state; the event loop runs in between. */
export async function loadSamples(
  state: NativeSamples,
  set: number,
  { source, targets, weights }: SampleSource,
): Promise<void> {
  if (source.sparse) await loadSparse(state, set, source.sparse);
  else await loadRows(source, (first, chunk) => state.loadInput(set, first, chunk));
  if (types.isInt32Array(targets)) {
    state.loadLabels(set, targets);
  } else {
    await loadRows(targets, (first, chunk) => state.loadTargets(set, first, chunk));
  }
  if (weights) state.loadWeights(weights);
}

/** @throws DlAdmmError ERR_DLADMM_MEMORY where a state of so many bytes would not fit */
export function checkMemory(bytes: number, samples: number, network: Network, dtype: Dtype): void {
  const available = availableMemory();
  if (bytes <= available) return;
  const size = (count: number): string => `${(count / 2 ** 30).toFixed(2)} GiB`;
  const text = `The state of ${network.layers.join('-')} on ${samples} samples in ${dtype} needs ${size(bytes)}, but only ${size(available)} of memory is available`;
  throw new DlAdmmError('ERR_DLADMM_MEMORY', text);
}
