import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted } from '../core/abort.js';
import { DlAdmmError, messageOf } from '../core/errors.js';
import { flag, type OptionsOf, pick, readOptions, type Schema, signalOption } from '../network/schema.js';
import { DOWNLOAD, download } from './download.js';
import { cacheFolder, LOCATE, type LocateOptions, locate } from './locate.js';
import { type DatasetDescription, type DatasetFile, type DatasetOf, describeDataset, registry } from './registry.js';

/** What `loadDataset` accepts besides the name. */
export const LOAD = {
  ...LOCATE,
  download: flag({ default: true, says: 'Whether a set that is found nowhere may be downloaded into the cache.' }),
  onBytes: DOWNLOAD.onBytes,
  signal: signalOption('Ends the loading, which rejects with ERR_DLADMM_ABORTED.'),
} as const satisfies Schema;

/** What `loadDataset` accepts besides the name. */
export type LoadOptions = OptionsOf<typeof LOAD>;

/** A data set and where on this machine it is. */
export interface DatasetListing extends Omit<DatasetDescription, 'files' | 'folders' | 'identity' | 'read'> {
  /** Whether it can be downloaded. */
  readonly downloadable: boolean;
  /** The folder that holds it, or undefined. */
  readonly folder: string | undefined;
  /** Whose folder that is: `dataDir`, `DLADMM_DATA`, `bundled`, `system` or `cache`. */
  readonly origin: string | undefined;
}

const isDownloadable = ({ files }: DatasetDescription): boolean => files.every(({ source }) => source !== undefined);

const isCached = (path: string, sha256: string): Promise<boolean> =>
  readFile(path).then(
    (bytes) => createHash('sha256').update(bytes).digest('hex') === sha256,
    () => false,
  );

async function fetchFile(folder: string, { source }: DatasetFile, options: LoadOptions): Promise<string> {
  if (source === undefined) throw new DlAdmmError('ERR_DLADMM_DATASET', 'The file has no public source');
  const target = join(folder, source.name);
  if (!(await isCached(target, source.sha256)))
    await download(source.url, target, source.sha256, {
      length: source.length,
      ...pick({ onBytes: LOAD.onBytes, signal: LOAD.signal }, options),
    });
  return target;
}

/** Brings what is missing into the cache; files that are there and right are not fetched again. */
async function fetchAll(description: DatasetDescription, options: LoadOptions): Promise<readonly string[]> {
  const folder = join(cacheFolder(options.env), description.folders[0] as string);
  const paths: string[] = [];
  for (const file of description.files) paths.push(await fetchFile(folder, file, options));
  return paths;
}

function notFound(
  description: DatasetDescription,
  looked: readonly string[],
  why: string,
  cause?: unknown,
): DlAdmmError {
  const text = `Found the data set ${description.name} nowhere; looked in ${looked.join(', ')}; ${why}`;
  return new DlAdmmError('ERR_DLADMM_DATASET', text, cause === undefined ? undefined : { cause });
}

/**
 * Loads a data set by its name (`datasetNames` lists them) from the first folder of the search path that holds it:
 * `dataDir`, the environment variable `DLADMM_DATA`, the package's own data, the system's folders
 * (`/usr/share/datasets`, `/usr/local/share/datasets`), the user's cache; failing all of them it is downloaded into the
 * cache.
 *
 * Pixels are scaled to [0, 1]; tables are given as they are, not standardised. MNIST and Fashion-MNIST have their usual
 * split; of digits the first 1200 rows are for training; of the other tables row i is unless i mod 3 is 0.
 *
 * @throws ERR_DLADMM_DATASET for an unknown name, or for a set that is nowhere and could not be downloaded (the message
 *   lists where it looked, `cause` is the download's error); ERR_DLADMM_FORMAT for damaged files; ERR_DLADMM_ARGUMENT,
 *   ERR_DLADMM_FILE, ERR_DLADMM_ABORTED
 */
export async function loadDataset<N extends string>(name: N, options: LoadOptions = {}): Promise<DatasetOf<N>> {
  const description = describeDataset(name);
  const { signal, download: may } = readOptions(LOAD, options);
  const read = async (paths: readonly string[]) => (await description.read(paths, signal)) as DatasetOf<N>;
  throwIfAborted(signal, `Loading ${name}`);
  const location = await locate(description, options);
  throwIfAborted(signal, `Loading ${name}`);
  if (location.found) return read(location.paths);
  if (!isDownloadable(description)) throw notFound(description, location.looked, 'it has no public source to download');
  if (!may) throw notFound(description, location.looked, 'downloading was not allowed');
  const paths = await fetchAll(description, options).catch((error: unknown) => {
    throwIfAborted(signal, `Loading ${name}`);
    throw notFound(description, location.looked, messageOf(error), error);
  });
  return read(paths);
}

/** All named data sets in a fixed order, with the folder that holds each. Nothing is downloaded. */
export async function listDatasets(options: LocateOptions = {}): Promise<readonly DatasetListing[]> {
  readOptions(LOCATE, options);
  return Promise.all(
    registry.map(async (description) => {
      const { files: _, folders: __, identity: ___, read: ____, ...facts } = description;
      const location = await locate(description, options);
      const { folder, origin } = location.found ? location : { folder: undefined, origin: undefined };
      return { ...facts, downloadable: isDownloadable(description), folder, origin };
    }),
  );
}
