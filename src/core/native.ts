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
  NativeTrainedNetwork,
  Numbers,
} from './native-faces.js';
import type {
  NativeGraph,
  NativeGraphGradientOptions,
  NativeGraphGradientTrainer,
  NativeGraphOptions,
  NativeTrainedGraphNetwork,
} from './native-graph-faces.js';
import type { NativePassOptions, NativeProductOptions, NativeSparseProductOptions } from './native-measure-faces.js';
import type {
  NativeHash64,
  NativePages,
  NativeRanks,
  NativeRowReader,
  NativeRowReaderOptions,
  NativeTextRows,
} from './native-store-faces.js';
import { packageFolder, packageRequire, packageVersion } from './package.js';
import { libc, packageOf, platformAddon, platformHere, requireByName, SCOPE, systemHere } from './platform.js';

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
  readonly TrainedNetwork: new (
    options: NativeNetworkOptions & { readonly quantised?: boolean },
  ) => NativeTrainedNetwork;
  readonly Hash64: new () => NativeHash64;
  readonly RowReader: new (options: NativeRowReaderOptions) => NativeRowReader;
  readonly TextRows: new (options: {
    readonly delimiter: string;
    readonly decimal: string;
    readonly trims: boolean;
    readonly codes: boolean;
  }) => NativeTextRows;
  readonly Pages: new (memory: Uint8Array) => NativePages;
  readonly Ranks: new () => NativeRanks;
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

/** Where an addon lies that was built there, or put there. */
const places = (): readonly string[] => [
  'build/Release/dladmm.node',
  `prebuilds/${process.platform}-${process.arch}/dladmm.${libc()}.node`,
];

/** In the folder itself: as node-gyp-build finds it, or without, since a copy has nothing that the package depends on. */
function ownAddon(folder: string): string | undefined {
  try {
    return (packageRequire()('node-gyp-build') as { path(folder: string): string }).path(packageFolder());
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) return undefined;
    if (code !== 'MODULE_NOT_FOUND') throw error;
  }
  return places()
    .map((place) => resolve(folder, place))
    .find(existsSync);
}

/** The addon of this process: of the package's folder, or else of the package for its platform. */
export function addonFile(): string {
  const folder = process.env.DLADMM_PREBUILD ?? packageFolder();
  const file = ownAddon(folder) ?? platformAddon(folder, packageVersion());
  if (file !== undefined) return file;
  const platform = platformHere();
  const missing = platform === undefined ? '' : `, and the package ${packageOf(platform)} is not installed`;
  throw new Error(`there is neither ${places().join(' nor ')} in ${folder}${missing}`);
}

/** By a path that tracers of files can read in the text of this file. In a bundle it leads nowhere. */
function loadFromHere(): NativeAddon {
  const require = createRequire(import.meta.url);
  return require('../../native/load.cjs');
}

/** By its package's name where it has that, so that the name is one that tracers see used. */
function loadFile(file: string): unknown {
  try {
    if (process.env.DLADMM_PREBUILD === undefined && file.includes(SCOPE))
      return requireByName(platformHere(), packageFolder());
  } catch {
    // In a copy that lies beside the package it is found by its path alone.
  }
  return packageRequire()(file);
}

function load(): NativeAddon {
  try {
    return loadFromHere();
  } catch {
    try {
      return loadFile(addonFile()) as NativeAddon;
    } catch (cause) {
      throw cause instanceof DlAdmmError ? cause : new DlAdmmError('ERR_DLADMM_NATIVE', whyNot(cause), { cause });
    }
  }
}

/** What stands in the way of the addon, and what helps: one line where it is Node's permission model. */
function whyNot(cause: unknown): string {
  const denied = deniedBecause(cause);
  if (denied) return `The native addon of dladmm could not be loaded: ${denied}`;
  const platform = platformHere();
  return [
    `The native addon of dladmm could not be loaded (${process.platform}-${process.arch}, Node ${process.version}): ${messageOf(cause).split('\n')[0]}`,
    'Possible solutions:',
    ...(platform === undefined
      ? [`- none is published for ${systemHere()}: it is built while dladmm is installed, by the tools below`]
      : [
          `- add the package that holds it for this system: npm install ${packageOf(platform)}@${packageVersion()}`,
          '  It is missing where optional packages are left out (--omit=optional), and where the lock file was made on another system:',
          '  then remove that file and node_modules, and install again',
        ]),
    '- in a checkout: npm run setup',
    '- in an application: npm rebuild dladmm --foreground-scripts',
    '  Where there is no such package, dladmm builds its addon. That needs a C++20 compiler, make, python3 and OpenBLAS with its headers:',
    '  apt-get install libopenblas-dev pkg-config, dnf install openblas-devel, apk add openblas-dev, brew install openblas',
    '- where install scripts are not run, allow this one: npm install-scripts approve dladmm, pnpm approve-builds',
    `- in a bundle, or deployed from a trace of files: leave dladmm external, or copy node_modules/dladmm and node_modules/${SCOPE} beside it`,
  ].join('\n');
}

function checked(addon: NativeAddon): NativeAddon {
  const { core, simd } = addon.info();
  const slow = slowKernels(core, simd, process.env.OPENBLAS_CORETYPE);
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
