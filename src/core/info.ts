import { addonFile, native } from './native.js';
import { packageVersion } from './package.js';

/** What is at work here: for a bug report, and to tell why two machines differ in the last bits. */
export interface Info {
  /** The version of dladmm. */
  readonly version: string;
  /** The native addon that was loaded: that of the package for the platform, or what was built on this machine. */
  readonly addon: string;
  /** The BLAS in it or behind it, with the options it was built with. */
  readonly blas: string;
  /** The processor that its kernels were written for, picked at run time (`OPENBLAS_CORETYPE` overrules); empty where the BLAS does not tell. */
  readonly kernels: string;
  /** The instructions that dladmm's own loops take, picked at run time. */
  readonly simd: string;
  /** How many processors the process may run on: `threads` for what the quota of its control groups leaves, rounded up. */
  readonly processors: { readonly bound: number; readonly quota: number; readonly threads: number };
  /** Threads of the one pool that all trainings and models of the process share, so far. */
  readonly poolThreads: number;
}

/** The default of `threads`: processors that affinity and the quota of a container leave, and the BLAS can serve. */
export const availableThreads = (): number => native.info().available;

/** Bytes that the process may still take: of the machine, of its control groups (v1 and v2), and of its own limits (`ulimit -v`). */
export const availableMemory = (): number => Math.min(process.availableMemory(), native.availableMemory());

/** Version, addon, BLAS and kernels, processors and threads. */
export function info(): Info {
  const { config, core, simd, bound, quota, available, poolThreads } = native.info();
  return {
    version: packageVersion(),
    addon: addonFile(),
    blas: config.trim(),
    kernels: core,
    simd,
    processors: { bound, quota, threads: available },
    poolThreads,
  };
}
