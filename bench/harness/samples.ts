/** What is trained on: named sets, and random numbers where only the time matters. */
import { DlAdmmError, type Dtype, type Matrix } from 'dladmm';
import { type ClassificationDataset, loadDataset, type Numbers } from 'dladmm/data';
import { loadGraph } from 'dladmm/graph';
import { median } from './statistics.js';

/** The KDD 2019 paper trains on the first 55,000 images of MNIST. */
const PAPER_SAMPLES: Readonly<Record<string, number>> = { mnist: 55_000 };

/** Rows `from` … `to` − 1. */
const rowsOf = ({ data, columns }: Matrix, from: number, to: number): Matrix => ({
  ...{ data: data.subarray(from * columns, to * columns), rows: to - from, columns },
});

/** With labels, or with what is to come out of the network. */
export interface Samples {
  readonly x: Matrix;
  readonly labels?: Int32Array;
  readonly y?: Matrix;
}

/** Samples `from` … `to` − 1. */
const part = <S extends Samples>({ x, labels, y }: Samples, from: number, to: number): S =>
  ({
    x: rowsOf(x, from, to),
    ...(labels && { labels: labels.subarray(from, to) }),
    ...(y && { y: rowsOf(y, from, to) }),
  }) as S;

/** The first `count` samples, or all where there are fewer. */
export const firstOf = <S extends Samples>(samples: S, count: number): S =>
  part(samples, 0, Math.min(count, samples.x.rows));

/** The samples before the last so many (a tenth), and these: to choose settings by without a look at the test set. */
export function heldOut<S extends Samples>(samples: S, count = Math.ceil(samples.x.rows / 10)) {
  const kept = samples.x.rows - count;
  return { train: part<S>(samples, 0, kept), test: part<S>(samples, kept, samples.x.rows) };
}

/** The first `count` training samples of a set; by default as many as the paper takes. */
export const trainingSamples = ({ name, train }: ClassificationDataset, count = PAPER_SAMPLES[name] ?? train.x.rows) =>
  firstOf(train, count);

/** The option as the package takes it. */
export const inFolder = (dataDir: string | undefined) => (dataDir === undefined ? {} : { dataDir });

/** A set of classes. @throws DlAdmmError ERR_DLADMM_DATASET for one without */
export async function classesOf(name: string, dataDir?: string): Promise<ClassificationDataset> {
  const set = await loadDataset(name, inFolder(dataDir));
  if (set.task === 'classification') return set;
  throw new DlAdmmError('ERR_DLADMM_DATASET', `Expected a data set of classes but ${name} has none`);
}

export const graphOf = (name: string, dataDir: string | undefined) => loadGraph(name, inFolder(dataDir));

/** `length` numbers uniform on [−reach, reach]. */
export function uniform(length: number, dtype: Dtype, reach = 1): Numbers {
  const out = new (dtype === 'float32' ? Float32Array : Float64Array)(length);
  for (let i = 0; i < length; i += 1) out[i] = reach * (2 * Math.random() - 1);
  return out;
}

/** Random samples for a network, half of their features zero, as pixels are, and labels that have nothing to do with them. */
export function randomSamples(layers: readonly number[], samples: number, dtype: Dtype = 'float32') {
  const classes = layers.at(-1) ?? 1;
  const x = uniform(samples * (layers[0] ?? 0), dtype);
  for (let i = 0; i < x.length; i += 1) x[i] = Math.max(0, x[i] ?? 0);
  return {
    x,
    labels: Int32Array.from({ length: samples }, () => Math.floor(Math.random() * classes)),
  };
}

/** What some work found, and its wall-clock seconds. */
export async function timed<T>(work: () => T | Promise<T>): Promise<{ readonly found: T; readonly seconds: number }> {
  const began = performance.now();
  const found = await work();
  return { found, seconds: (performance.now() - began) / 1000 };
}

/** What each of some works gives in every round: they take turns, and nobody always comes first, nor after the same one. */
export async function byRounds<T>(works: readonly (() => Promise<T>)[], more: (round: number) => boolean) {
  const found = works.map((): T[] => []);
  for (let round = 0; more(round); round += 1) {
    const order = round % 2 === 0 ? [...works.entries()] : [...works.entries()].reverse();
    for (const turn of order.keys()) {
      const [i, work] = order[(turn + Math.floor(round / 2)) % order.length] as (typeof order)[number];
      found[i]?.push(await work());
    }
  }
  return found as readonly (readonly T[])[];
}

/** The median over the rounds of what one took over what another took. */
export const ratioOf = (one: readonly number[], other: readonly number[]): number =>
  median(one.map((value, round) => value / (other[round] ?? Number.NaN)));

/**
 * Goes through a training: each record with its seconds and those of all before it, evaluation left out. Ends early where
 * `each` answers `enough`.
 */
export async function follow<T extends AsyncIterable<{ readonly seconds: number }> & { readonly result: unknown }>(
  training: T,
  each: (record: RecordOf<T>, seconds: number) => unknown,
): Promise<T['result']> {
  let seconds = 0;
  for await (const record of training) {
    seconds += record.seconds;
    if ((await each(record as RecordOf<T>, seconds)) === 'enough') break;
  }
  return training.result;
}

type RecordOf<T> = T extends AsyncIterable<infer Entry> ? Entry : never;
