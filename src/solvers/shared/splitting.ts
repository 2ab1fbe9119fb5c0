import type { Course } from './course.js';
import type { ProgressRecord } from './record.js';
import type { SessionOptions } from './session.js';

/** What solvers are built on: variables in native memory, what may be done to them, and how a training goes about it. */
export interface Splitting<O extends SessionOptions, D, X, P, R extends ProgressRecord> {
  readonly name: string;
  /** What it learns from. */
  readonly data: 'samples' | 'graph';
  /** What a training on it can do. */
  readonly can: { readonly checkpoint: boolean; readonly biases: boolean; readonly standardise: boolean };
  /**
   * A session to write parameters into, to start, to run as one likes, and to look into.
   *
   * @param name how errors call the data
   * @throws DlAdmmError ERR_DLADMM_MEMORY before anything is allocated, if it would not fit; ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED for the data; ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for the options
   */
  open(options: O, data: D, name?: string): Promise<X>;
  /** A session with the iterations of a solver on it. */
  course(plan: P & SessionOptions & { readonly seed: number }, data: D): Promise<Course<R>>;
}

/** What all splittings on samples, and all on graphs, can do. */
export const ON_SAMPLES = { data: 'samples', can: { checkpoint: true, biases: true, standardise: true } } as const;
export const ON_GRAPHS = { data: 'graph', can: { checkpoint: true, biases: false, standardise: true } } as const;
