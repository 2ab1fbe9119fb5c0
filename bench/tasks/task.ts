/** What is learnt: the next character of a text, and images through a bottleneck. */
import { readFile } from 'node:fs/promises';
import { DlAdmmError, type Loss, type Matrix, type Model } from 'dladmm';
import { loadDataset } from 'dladmm/data';
import type { Initialisation } from 'dladmm/solvers';
import { fromRoot } from '../harness/results.js';
import { firstOf, inFolder, type Samples } from '../harness/samples.js';
import type { TaskName } from './settings.js';
import { ALPHABET, decode, encode, fold, frequencyBits, oneHot, windows, written } from './text.js';

/** Something to learn: the samples, the network, and how its loss is told. */
export interface Task {
  readonly name: TaskName;
  readonly title: string;
  readonly data: string;
  readonly layers: readonly number[];
  readonly loss: Loss;
  readonly initialisation: Initialisation;
  readonly train: Samples;
  readonly test: Samples;
  /** What a loss is told in, and how many of those R = 1 is. */
  readonly unit: string;
  readonly unitsPerLoss: number;
  /** Something to compare a loss with. */
  readonly reference?: { readonly name: string; readonly loss: number };
  /** What a model makes, to look at. */
  show(model: Model): Promise<Shown>;
}

/** A text, or pictures one after the other. */
export interface Shown {
  readonly text?: string;
  readonly images?: ArrayLike<number>;
}

/** Characters that the network sees. */
const HISTORY = 8;
/** Characters that a model writes to be looked at, and the seed of its draws. */
const WRITTEN = 200;
const SEED = 1;

/** The next character of the bundled text: the first nine tenths are learnt, the last one is the test. */
export async function language(): Promise<Task> {
  const name = 'moby-dick';
  const codes = encode(fold(await readFile(fromRoot(`data/text/${name}.txt`), 'utf8')));
  const boundary = Math.floor(0.9 * codes.length);
  const [train, test] = [codes.subarray(0, boundary), codes.subarray(boundary)];
  return {
    name: 'language',
    title: 'the next character',
    data: name,
    layers: [HISTORY * ALPHABET.length, 256, 256, ALPHABET.length],
    loss: 'softmax-cross-entropy',
    initialisation: 'he',
    train: windows(train, HISTORY),
    test: windows(test, HISTORY),
    unit: 'bits a character',
    unitsPerLoss: 1 / Math.LN2,
    reference: { name: 'frequencies of the characters alone', loss: frequencyBits(train, test) },
    async show(model) {
      const next = async (history: Int32Array) => (await model.predict(oneHot(history))).probabilities?.data ?? [];
      return { text: decode(await written(test.subarray(0, HISTORY), WRITTEN, SEED, next)) };
    },
  };
}

/** The test images that the picture shows. */
export const imagesOf = (test: Samples): Matrix => firstOf(test, 10).x;

/** Images through 32 numbers and back: each is its own target. Pixels in [0, 1]. */
export async function autoencoder(dataset: string, dataDir: string | undefined): Promise<Task> {
  const set = await loadDataset(dataset, inFolder(dataDir));
  const { columns, data } = set.train.x;
  if (!Number.isInteger(Math.sqrt(columns))) {
    throw new DlAdmmError('ERR_DLADMM_DATASET', `Expected square images for --dataset but ${dataset} has none`);
  }
  let largest = 0;
  for (const pixel of data) largest = Math.max(largest, pixel);
  const scale = 1 / largest;
  const itself = ({ data, rows, columns }: Matrix): Samples => {
    const x = { data: scale === 1 ? data : data.map((pixel: number) => pixel * scale), rows, columns };
    return { x, y: x };
  };
  const test = itself(set.test.x);
  return {
    name: 'autoencoder',
    title: 'image generation',
    data: set.name,
    layers: [columns, 256, 32, 256, columns],
    loss: 'squared-error',
    // Outputs of He's start are so far from the pixels that the first steps of every method kill most hidden units.
    initialisation: 'glorot',
    train: itself(set.train.x),
    test,
    unit: '½‖z − y‖² an image',
    unitsPerLoss: 1,
    show: async (model) => ({ images: (await model.predict(imagesOf(test))).outputs.data }),
  };
}
