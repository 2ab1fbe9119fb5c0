/** Labels and target values that stand beside a stream of samples. */
import { DlAdmmError, expected } from '../core/errors.js';
import { isArray, isNumericArray, type LabelsLike, rowSource } from '../tensor/inputs.js';
import { type Arrived, type Arriving, isNames, type Targets, type WeightedSamples } from './arrived.js';

/** Labels or targets that stand beside a stream, rather than in it. */
export const beside = ({ labels, y }: WeightedSamples, targets: Targets): unknown =>
  targets === 'labels' ? labels : y;

/** What is missing beside a stream is said before the stream is read. */
export function checkGiven({ samples, targets, names }: Arriving): void {
  if (targets === 'none') return;
  const given = beside(samples, targets);
  if (typeof given === 'object' && given !== null) return;
  const what = targets === 'labels' ? 'labels, beside the stream or with each of its rows,' : 'rows of target values';
  throw expected(what, names[targets], given);
}

/** How many samples there are labels or targets for, where they stand beside the stream. */
function counted(samples: WeightedSamples, targets: Targets, outputs: number): number | undefined {
  const given = beside(samples, targets);
  if (targets === 'labels' && (isArray(given) || isNumericArray(given))) return given.length;
  if (targets === 'y' && isArray(given) && !isNames(given)) return given.length;
  if (targets === 'y' && isNumericArray(given)) return given.length / outputs;
  return undefined;
}

export function checkRoom({ samples, targets, names }: Arriving, rows: number): void {
  const count = targets === 'labels' ? counted(samples, targets, 1) : undefined;
  if (count === undefined || rows <= count) return;
  const text = `Expected ${count} rows of ${names.x}, as there are so many labels, but it brings row ${count}`;
  throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
}

export function withGiven(arrived: Arrived, { samples, rules, targets, names }: Arriving): Arrived {
  if (targets === 'none') return arrived;
  const outputs = rules.network.layers.at(-1) ?? 0;
  const count = counted(samples, targets, outputs);
  if (count !== undefined && arrived.x.rows < count) {
    const text = `${names.x} ended where row ${arrived.x.rows} was to come: ${names[targets]} is for ${count} rows`;
    throw new DlAdmmError('ERR_DLADMM_STREAM', text);
  }
  if (targets === 'y') return { ...arrived, y: rowSource(samples.y, outputs, names.y) };
  return { ...arrived, labels: samples.labels as LabelsLike };
}
