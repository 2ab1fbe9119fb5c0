/** What is learnt beside tables and classes of images: the next character of a text, and images through a bottleneck. */
import { readFile } from 'node:fs/promises';
import { DlAdmmError, type Loss, type Matrix } from 'dladmm';
import { loadDataset } from 'dladmm/data';
import type { Initialisation } from 'dladmm/solvers';
import { fromRoot } from '../harness/results.js';
import { inFolder, type Samples } from '../harness/samples.js';
import { ALPHABET, encode, fold, windows } from './text.js';

/** The samples, and the network that learns them. */
export interface Task {
  readonly layers: readonly number[];
  readonly loss: Loss;
  readonly initialisation: Initialisation;
  readonly train: Samples;
  readonly test: Samples;
}

/** Characters that the network sees. */
const HISTORY = 8;

/** The next character of the bundled text: the first nine tenths are learnt, the last one is the test. */
export async function language(): Promise<Task> {
  const codes = encode(fold(await readFile(fromRoot('data/text/moby-dick.txt'), 'utf8')));
  const boundary = Math.floor(0.9 * codes.length);
  return {
    layers: [HISTORY * ALPHABET.length, 256, 256, ALPHABET.length],
    loss: 'softmax-cross-entropy',
    initialisation: 'he',
    train: windows(codes.subarray(0, boundary), HISTORY),
    test: windows(codes.subarray(boundary), HISTORY),
  };
}

/** Images through 32 numbers and back: each is its own target, its loss ½‖z − y‖². Pixels in [0, 1]. */
export async function autoencoder(dataset: string, dataDir: string | undefined): Promise<Task> {
  const set = await loadDataset(dataset, inFolder(dataDir));
  const { columns, data } = set.train.x;
  if (!Number.isInteger(Math.sqrt(columns))) {
    throw new DlAdmmError('ERR_DLADMM_DATASET', `Expected a data set of square images but ${dataset} has none`);
  }
  let largest = 0;
  for (const pixel of data) largest = Math.max(largest, pixel);
  const scale = 1 / largest;
  const itself = ({ data, rows, columns }: Matrix): Samples => {
    const x = { data: scale === 1 ? data : data.map((pixel: number) => pixel * scale), rows, columns };
    return { x, y: x };
  };
  return {
    layers: [columns, 256, 32, 256, columns],
    loss: 'squared-error',
    // Outputs of He's start are so far from the pixels that the first steps of every method kill most hidden units.
    initialisation: 'glorot',
    train: itself(set.train.x),
    test: itself(set.test.x),
  };
}
