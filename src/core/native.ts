import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { DlAdmmError, deniedBecause, type ErrorCode, messageOf, systemCode } from './errors.js';
import { slowKernels } from './kernels.js';
import { withRoom } from './loading.js';
import type {
  NativeBadmOptimizer,
  NativeBadmOptions,
  NativeConstraints,
  NativeConstraintsOptions,
  NativeGradientOptions,
  NativeGradientTrainer,
  NativeLayered,
  NativeLayeredOptions,
  NativeMetric,
  NativeMetricOptions,
  NativeMinibatch,
  NativeMinibatchOptions,
  NativeNetworkOptions,
  NativePassOptions,
  NativeProductOptions,
  NativeTrainedNetwork,
  Numbers,
} from './native-faces.js';
import type {
  NativeGraph,
  NativeGraphGradientOptions,
  NativeGraphGradientTrainer,
  NativeGraphOptions,
  NativeSparseProductOptions,
  NativeTrainedGraphNetwork,
} from './native-graph-faces.js';
import type { NativeHash64, NativeRowReader, NativeRowReaderOptions } from './native-store-faces.js';
import { packageFolder, packageRequire } from './package.js';

export type * from './native-faces.js';
export type * from './native-graph-faces.js';
export type * from './native-store-faces.js';

/** A class of states on samples. */
interface NativeClass<Options, State> {
  new (options: Options): State;
  requiredBytes(options: Options): number;
}

/** Of a splitting whose iterations are sweeps: the names in its records, from the tables that these are made by. */
interface NativeRecords {
  recordNames(): { readonly update: readonly string[]; readonly measures: readonly string[] };
}

/** What the C++ addon exports. Not public. */
export interface NativeAddon {
  readonly Layered: NativeClass<NativeLayeredOptions, NativeLayered> & NativeRecords;
  readonly Constraints: NativeClass<NativeConstraintsOptions, NativeConstraints> & NativeRecords;
  readonly Metric: NativeClass<NativeMetricOptions, NativeMetric> & NativeRecords;
  readonly GradientTrainer: NativeClass<NativeGradientOptions, NativeGradientTrainer>;
  readonly Minibatch: NativeClass<NativeMinibatchOptions, NativeMinibatch>;
  readonly Graph: (new (options: NativeGraphOptions) => NativeGraph) & NativeRecords;
  readonly TrainedGraphNetwork: new (options: NativeNetworkOptions) => NativeTrainedGraphNetwork;
  readonly GraphGradientTrainer: new (options: NativeGraphGradientOptions) => NativeGraphGradientTrainer;
  readonly BadmOptimizer: new (options: NativeBadmOptions) => NativeBadmOptimizer;
  readonly TrainedNetwork: new (options: NativeNetworkOptions) => NativeTrainedNetwork;
  readonly Hash64: new () => NativeHash64;
  readonly RowReader: new (options: NativeRowReaderOptions) => NativeRowReader;
  /** False where somebody else holds the lock of an open file. */
  lockFile(file: number): boolean;
  /** Bytes that control groups and the limits of the process leave; Infinity without any. */
  availableMemory(): number;
  info(): {
    readonly config: string;
    readonly core: string;
    readonly simd: string;
    /** Processors that the process is bound to, what control groups leave of them (Infinity: all), and threads for both. */
    readonly bound: number;
    readonly quota: number;
    readonly available: number;
    readonly poolThreads: number;
  };
  productSeconds(options: NativeProductOptions): number;
  /** Seconds of the fastest pass x ← c x over `count` numbers. */
  passSeconds(options: NativePassOptions): number;
  /** Seconds of Ã times a dense matrix of so many columns, and of a copy of that matrix; what the product moves. */
  sparseProductSeconds(options: NativeSparseProductOptions): {
    readonly product: number;
    readonly copy: number;
    readonly entries: number;
    readonly bytes: number;
  };
  /** What rounds of one thread have taken since it was called last: seconds before it, flops, pieces, seconds of each. */
  traceRounds(goOn: boolean): Float64Array;
  /** Of a row-major matrix, greatest first. */
  singularValues(W: Numbers, rows: number, columns: number): Float64Array;
}

/** As node-gyp-build finds it, or without: a copy of the package's folder beside a bundle has nothing that the package depends on. */
export function addonFile(): string {
  try {
    return (packageRequire()('node-gyp-build') as { path(folder: string): string }).path(packageFolder());
  } catch (error) {
    if (systemCode(error) !== 'MODULE_NOT_FOUND') throw error;
  }
  const folder = process.env.DLADMM_PREBUILD ?? packageFolder();
  const libc = existsSync('/etc/alpine-release') ? 'musl' : 'glibc';
  const places = ['build/Release/dladmm.node', `prebuilds/${process.platform}-${process.arch}/dladmm.${libc}.node`];
  const file = places.map((place) => resolve(folder, place)).find(existsSync);
  if (file === undefined) throw new Error(`there is neither ${places.join(' nor ')} in ${folder}`);
  return file;
}

/** By a path that tracers of files can read in the text of this file. In a bundle it leads nowhere. */
function loadFromHere(): NativeAddon {
  const require = createRequire(import.meta.url);
  return require('../../native/load.cjs');
}

function load(): NativeAddon {
  try {
    return loadFromHere();
  } catch {
    try {
      return packageRequire()(addonFile()) as NativeAddon;
    } catch (cause) {
      throw cause instanceof DlAdmmError ? cause : new DlAdmmError('ERR_DLADMM_NATIVE', whyNot(cause), { cause });
    }
  }
}

/** What stands in the way of the addon, and what helps: one line where it is Node's permission model. */
function whyNot(cause: unknown): string {
  const denied = deniedBecause(cause);
  if (denied) return `The native addon of dladmm could not be loaded: ${denied}`;
  return [
    `The native addon of dladmm could not be loaded (${process.platform}-${process.arch}, Node ${process.version}): ${messageOf(cause).split('\n')[0]}`,
    'Possible solutions:',
    '- in a checkout: npm run setup',
    '- in an application: npm rebuild dladmm --foreground-scripts',
    '  Where the package carries no addon for the system, it builds one. That needs a C++20 compiler, make, python3 and OpenBLAS with its headers:',
    '  apt-get install libopenblas-dev pkg-config, dnf install openblas-devel, apk add openblas-dev, brew install openblas',
    '- where install scripts are not run, allow this one: npm install-scripts approve dladmm, pnpm approve-builds',
    '- in a bundle, or deployed from a trace of files: leave dladmm external, or copy node_modules/dladmm beside it, so that its prebuilds go along',
  ].join('\n');
}

function checked(addon: NativeAddon): NativeAddon {
  const { core, simd } = addon.info();
  const slow = slowKernels(core, simd);
  if (slow !== undefined) process.emitWarning(slow, { type: 'DlAdmmWarning', code: 'DLADMM_KERNELS' });
  return addon;
}

let loaded: NativeAddon | undefined;

/** Loaded when it is first asked for something: options and help need none. */
export const native: NativeAddon = new Proxy({} as NativeAddon, {
  get: (_, name) => {
    loaded ??= checked(withRoom(load));
    return loaded[name as keyof NativeAddon];
  },
});

/** An error of the addon as a DlAdmmError; anything else unchanged. */
export function fromNative(error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof DlAdmmError || !code?.startsWith('ERR_DLADMM_')) return error;
  return new DlAdmmError(code as ErrorCode, messageOf(error), { cause: error });
}
