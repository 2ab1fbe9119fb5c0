import { basename } from 'node:path';
import { expected } from '../core/errors.js';
import { classesOf, coded } from '../formats/labels.js';
import { type LibsvmSamples, readLibsvm } from '../formats/libsvm.js';
import type { Model } from '../model/model.js';
import { classifies } from '../network/network.js';
import { heldOut, someRows } from '../samples/hold-out.js';
import { featureRowsInTurns } from '../tensor/csr.js';
import { asSamples } from '../tensor/inputs.js';
import type { FrontOptions } from '../training/options.js';
import type { TrainingData } from '../training/result.js';

/** What is said of the samples. */
interface SparseFlags extends Pick<FrontOptions, 'task'> {
  readonly data: string;
  readonly testData?: string;
  readonly testShare?: number;
  readonly trainSamples?: number;
  readonly seed: number;
}

/** Whether a path is that of libsvm's text, whose content looks like a table's. */
export const isLibsvm = (path: string): boolean => /\.(?:libsvm|svm)(?:\.gz)?$/i.test(path);

/**
 * Samples of libsvm's text for a model, which tells how many columns they have.
 *
 * @throws DlAdmmError whatever reading can cause
 */
export async function sparseFor({ classes, network }: Model, path: string, signal: AbortSignal): Promise<TrainingData> {
  const { x, targets } = await readLibsvm(path, { signal, columns: network.layers[0] as number });
  if (!classifies(network.loss)) return { x, y: targets };
  return { x, labels: classes ? Array.from(targets, String) : targets };
}

/**
 * What to train on and to test on, of libsvm's text: whole numbers before the entries are classes, others values.
 *
 * @throws DlAdmmError whatever reading and splitting can cause
 */
export async function sparseSource(flags: SparseFlags, signal: AbortSignal) {
  const { data, testData, testShare = 0, seed, trainSamples } = flags;
  if (trainSamples !== undefined) throw expected('none with libsvm text', '--train-samples', trainSamples);
  const train = await readLibsvm(data, { signal });
  const { task = train.targets.every(Number.isInteger) ? 'classification' : 'regression' } = flags;
  if (task === 'multi-label') throw expected('classification or regression for libsvm text', '--task', task);
  const told = task === 'classification' ? await classesOf(await coded(train.targets), data) : undefined;
  const samplesOf = async ({ x, targets }: LibsvmSamples, rows?: Int32Array): Promise<TrainingData> => {
    const of = rows ? asSamples(await someRows(await featureRowsInTurns(x, x.columns, data), rows)) : x;
    const values = rows ? Float64Array.from(rows, (row) => targets[row] as number) : targets;
    // Their names are numbers, by which those of another file are found.
    return told ? { x: of, labels: Array.from(values, String), classes: told.classes } : { x: of, y: values };
  };
  const { columns } = train.x;
  const test = testData && (await readLibsvm(testData, { signal, columns, zeroBased: train.zeroBased }));
  const parts = testShare > 0 && !test ? await heldOut(train.x.rows, told?.labels, testShare, seed) : undefined;
  const tested = await (test ? samplesOf(test) : parts && samplesOf(train, parts.held));
  return {
    ...{ name: basename(data), task, front: {} },
    ...(told && { classes: told.classes }),
    data: { ...(await samplesOf(train, parts?.train)), ...(tested && { test: tested }) },
  };
}
