/** Trains once, from a store or from memory, and tells the seconds of its iterations and the most that the process held. */
import { fit, type TrainOptions } from 'dladmm';
import { answer, peakRssBytes } from '../harness/child.js';
import { randomSamples } from '../harness/samples.js';

export interface DiskRequest {
  /** A store, and what the process may take; without one so many random samples in memory. */
  readonly store?: string;
  readonly memory?: number;
  readonly samples: number;
  readonly options: Partial<TrainOptions> & { readonly layers: readonly number[]; readonly iterations: number };
}

export interface DiskReply {
  readonly seconds: readonly number[];
  readonly peakRssBytes: number;
}

/** As the compiler cannot tell which of its forms a request takes. */
const fitted: (data: unknown, options: object) => Promise<{ readonly history: readonly { seconds: number }[] }> =
  fit as never;

answer<DiskRequest, DiskReply>(async ({ store, memory, samples, options }) => {
  const { layers } = options;
  const { history } =
    store === undefined
      ? await fitted(randomSamples(layers, samples), options)
      : await fitted(store, { ...options, memory, validation: randomSamples(layers, 1) });
  return { seconds: history.map(({ seconds }) => seconds), peakRssBytes: peakRssBytes() };
});
