import { readFile } from 'node:fs/promises';
import type { Task } from './task.js';
import { ALPHABET, decode, encode, fold, frequencyBits, oneHot, windows, written } from './text.js';

/** Characters that the network sees. */
export const HISTORY = 8;
const HIDDEN = [256, 256];
/** Characters that a model writes to be looked at, and the seed of its draws. */
const WRITTEN = 200;
const SEED = 1;

/** The next character of the bundled text: the first nine tenths are learnt, the last one is the test. */
export async function language(): Promise<Task> {
  const name = 'moby-dick';
  const file = new URL(`../../../data/text/${name}.txt`, import.meta.url);
  const codes = encode(fold(await readFile(file, 'utf8')));
  const boundary = Math.floor(0.9 * codes.length);
  const train = codes.subarray(0, boundary);
  const test = codes.subarray(boundary);
  return {
    name: 'language',
    title: 'the next character',
    data: name,
    layers: [HISTORY * ALPHABET.length, ...HIDDEN, ALPHABET.length],
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
