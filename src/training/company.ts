/** What a training has to do with those of other processes: nothing, where it is alone. */
import { unlessAborted } from '../core/abort.js';
import { native } from '../core/native.js';
import { packageVersion } from '../core/package.js';
import { joinRanks, type Ranks, type Share } from '../core/ranks.js';
import type { Parameters } from '../network/parameters.js';
import type { Learnt } from '../samples/arrival.js';
import type { GraphSamples } from '../samples/graph-samples.js';
import type { LabelledSamples } from '../samples/samples.js';
import type { CommonPlan } from '../solvers/shared/options.js';
import { featureRows } from '../tensor/csr.js';
import { kernelHere } from './checkpoint/options.js';
import type { StoredTraining } from './checkpoint/stored-training.js';

export interface Company {
  /** Whether it is about this process only: what others do not know of may be done at any time. */
  readonly alone: boolean;
  /** Whether this process writes what is written once. */
  readonly writes: boolean;
  /** Work that each does by itself: where one fails, all do. */
  alike<T>(work: () => Promise<T>): Promise<T>;
  /** The same of work that a signal ends; undefined where it has, on any. */
  unlessAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T | undefined>;
  /** Whether all end after so many iterations, as one of them has to. @throws DlAdmmError ERR_DLADMM_RANKS where parameters have come apart */
  ends(here: boolean, done?: number, parameters?: () => Promise<Parameters>): Promise<boolean>;
  /** Which of the samples are learnt from here. @throws DlAdmmError ERR_DLADMM_RANKS where the ranks are not told the same */
  share(
    samples: LabelledSamples | GraphSamples,
    options: StoredTraining['options'],
    learnt: Learnt,
  ): Promise<Share | undefined>;
  /** Whether one says so; on all the same. @throws DlAdmmError ERR_DLADMM_RANKS */
  any(here: boolean): Promise<boolean>;
  /** Something went wrong: where others do not know of it, they end. */
  failed(error: unknown): Promise<void>;
  /** Here the training ends, where the others would go on. */
  leave(): Promise<void>;
  /** The end of all that is done together. */
  release(): void;
}

const ALONE: Company = {
  alone: true,
  writes: true,
  alike: (work) => work(),
  unlessAborted,
  ends: async (here) => here,
  any: async (here) => here,
  share: async () => undefined,
  failed: async () => undefined,
  leave: async () => undefined,
  release: () => undefined,
};

/** Iterations between two looks at whether the parameters are the same everywhere. */
const LOOK_EVERY = 25;

function checksum(arrays: readonly ArrayBufferView[]): string {
  const hash = new native.Hash64();
  for (const { buffer, byteOffset, byteLength } of arrays) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest();
}

async function unlessAny<T>(
  ranks: Ranks,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const done = await ranks.together(() => unlessAborted(signal, work));
  return (await ranks.any(done === undefined)) ? undefined : done;
}

/** Work before a training, as {@link Company} has it within one. @throws DlAdmmError ERR_DLADMM_RANKS, and what the work throws */
export const before = async <T>(
  distributed: boolean,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T | undefined> => (distributed ? unlessAny(await joinRanks(), signal, work) : unlessAborted(signal, work));

/** @throws DlAdmmError ERR_DLADMM_RANKS where there is no MPI; ERR_DLADMM_STATE where another distributed training is at work */
export async function companyOf({ distributed, network }: CommonPlan<never>): Promise<Company> {
  if (!distributed) return ALONE;
  const ranks = await joinRanks();
  const release = ranks.take();
  let shared = false;
  let known: unknown;
  /** What all ranks throw alike. */
  const by = async <T>(all: Promise<T>): Promise<T> =>
    all.catch((error: unknown) => {
      known = error;
      throw error;
    });
  return {
    alone: false,
    writes: ranks.rank === 0,
    alike: (work) => by(ranks.together(work)),
    unlessAborted: (signal, work) => by(unlessAny(ranks, signal, work)),
    async ends(here, done = 1, parameters) {
      const look = parameters && done % LOOK_EVERY === 0 ? await parameters() : undefined;
      // As many of its digits as a number holds.
      const mark = look ? Number.parseInt(checksum([...look.weights, ...look.biases]).slice(0, 13), 16) : 0;
      return by(ranks.any(here, mark));
    },
    async share(samples, { threads: _, ...options }, learnt) {
      const { x, labels, y } = samples as LabelledSamples;
      const source = featureRows(x, network.layers[0] ?? 0, 'data.x');
      const targets = y && featureRows(y, network.layers.at(-1) ?? 0, 'data.y');
      const last = source.rows - 1;
      const told = {
        version: packageVersion(),
        kernels: kernelHere(),
        ...options,
        samples: source.rows,
        ...learnt,
        'first sample': [...source.chunk(0, 1)],
        'last sample': [...source.chunk(last, 1), ...(targets?.chunk(last, 1) ?? [])],
        labels: labels && checksum([Int32Array.from(labels)]),
      };
      await by(ranks.agree(told));
      const share = ranks.shareOf(source.rows);
      shared = true;
      return share;
    },
    any: (here) => by(ranks.any(here)),
    async failed(error) {
      if (shared && error !== known) await ranks.fail(error);
    },
    async leave() {
      if (shared) await ranks.any(true);
    },
    release,
  };
}
