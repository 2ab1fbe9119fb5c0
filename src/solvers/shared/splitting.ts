import type { Share } from '../../core/ranks.js';
import type { Course } from './course.js';
import type { ProgressRecord } from './record.js';
import type { SessionOptions } from './session.js';

/** What a splitting learns from, and what a training on it can do. */
export interface Traits {
  readonly data: 'samples' | 'graph';
  readonly can: {
    /** Its variables can be written out and taken up again. */
    readonly checkpoint: boolean;
    /** Features can be standardised. */
    readonly standardise: boolean;
    /** Samples may arrive as a stream. */
    readonly streaming: boolean;
    /** Layers have biases. */
    readonly biases: boolean;
    /** An iteration is an epoch: a visit to every sample, batch by batch. */
    readonly epochs: boolean;
    /** Samples may be spread over several processes. */
    readonly distributed?: boolean;
  };
}

const SAMPLES = { checkpoint: true, standardise: true, streaming: true, biases: true } as const;
const GRAPH = { checkpoint: true, standardise: true, streaming: false, biases: false } as const;

/** What all splittings on samples, and all on graphs, can do. */
export const ON_SAMPLES = { data: 'samples', can: { ...SAMPLES, epochs: false } } as const;
export const SHARED_SAMPLES = { data: 'samples', can: { ...SAMPLES, epochs: false, distributed: true } } as const;
export const BATCHES_OF_SAMPLES = { data: 'samples', can: { ...SAMPLES, epochs: true, distributed: true } } as const;
export const ON_GRAPHS = { data: 'graph', can: { ...GRAPH, epochs: false } } as const;
export const EPOCHS_ON_GRAPHS = { data: 'graph', can: { ...GRAPH, epochs: true } } as const;

/** What solvers are built on: variables in native memory, what may be done to them, and how a training goes about it. */
export interface Splitting<O extends SessionOptions, D, X, P, R extends ProgressRecord, T extends Traits>
  extends Courses<P, R, T> {
  /**
   * A session to write parameters into, to start, to run as one likes, and to look into.
   *
   * @param name how errors call the data
   * @throws DlAdmmError ERR_DLADMM_MEMORY before anything is allocated, if it would not fit; ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED for the data; ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for the options
   */
  open(options: O, data: D, name?: string): Promise<X>;
}

/** What a solver needs of a splitting. */
export interface Courses<P, R extends ProgressRecord, T extends Traits> {
  readonly name: string;
  readonly data: T['data'];
  readonly can: T['can'];
  /** A session with the iterations of a solver on it. */
  course(plan: P & SessionOptions & { readonly seed: number }, data: never, share?: Share): Promise<Course<R>>;
}
