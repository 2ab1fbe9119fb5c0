import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import envPaths from 'env-paths';
import { isObject } from '../core/objects.js';
import { packageFolder } from '../core/package.js';
import { readBytes } from '../formats/bytes.js';
import { type OptionsOf, option, readOptions, type Schema, valueType } from '../network/schema.js';
import { isArray } from '../tensor/inputs.js';
import { type DatasetDescription, type DatasetFile, registry } from './registry.js';

/** A folder of the search path, and whose word it is that data sets may lie there. */
export interface SearchFolder {
  readonly origin: string;
  readonly folder: string;
}

export type Sought = Pick<DatasetDescription, 'folders' | 'files' | 'identity'>;

/** A data set's files, or the places where they are not. */
export type Location =
  | { readonly found: true; readonly origin: string; readonly folder: string; readonly paths: readonly string[] }
  | { readonly found: false; readonly looked: readonly string[] };

const SYSTEM_FOLDERS = ['/usr/share/datasets', '/usr/local/share/datasets'];

type Environment = Readonly<Record<string, string | undefined>>;

const isFolder = (value: unknown): boolean => typeof value === 'string' && value !== '';

/** Where to look for data sets. */
export const LOCATE = {
  dataDir: option(valueType<string>('folder', isFolder, 'a folder'), {
    otherwise: 'none',
    says: 'A folder to look in before all others.',
  }),
  env: option(valueType<Environment>('names and values', isObject, 'an object of variables'), {
    otherwise: 'process.env',
    says: 'What stands in for the environment, of which DLADMM_DATA and XDG_CACHE_HOME are read.',
  }),
  system: option(
    valueType<readonly string[]>('folders', (value) => isArray(value) && value.every(isFolder), 'an array of folders'),
    { otherwise: SYSTEM_FOLDERS.join(', '), says: 'Folders that belong to the system.' },
  ),
} as const satisfies Schema;

/** Where to look for data sets. */
export type LocateOptions = OptionsOf<typeof LOCATE>;

/** `$XDG_CACHE_HOME/dladmm`, else `~/.cache/dladmm`: where downloads were kept on every system once. */
function xdgCache({ XDG_CACHE_HOME: base = '' }: Environment): string {
  // The specification has relative paths ignored.
  return join(isAbsolute(base) ? base : join(homedir(), '.cache'), 'dladmm');
}

/** Where downloads are kept: below `$XDG_CACHE_HOME` where that is set, else in the folder that the system has for caches. */
export function cacheFolder(env: Environment = process.env): string {
  const elsewhere = process.platform === 'darwin' || process.platform === 'win32';
  return elsewhere && !env.XDG_CACHE_HOME ? envPaths('dladmm', { suffix: '' }).cache : xdgCache(env);
}

/** The folders that may hold data sets, in the order they are asked. */
export function searchPath(options: LocateOptions = {}): readonly SearchFolder[] {
  readOptions(LOCATE, options);
  return foldersOf(options);
}

function foldersOf(options: LocateOptions): readonly SearchFolder[] {
  const { dataDir, env = process.env, system = SYSTEM_FOLDERS } = options;
  const given = (origin: string, folder: string | undefined) =>
    folder === undefined || folder === '' ? [] : [{ origin, folder: resolve(folder) }];
  return [
    ...given('dataDir', dataDir),
    ...given('DLADMM_DATA', env.DLADMM_DATA),
    { origin: 'bundled', folder: join(packageFolder(), 'data') },
    ...system.map((folder) => ({ origin: 'system', folder })),
    ...[...new Set([cacheFolder(env), xdgCache(env)])].map((folder) => ({ origin: 'cache', folder })),
  ];
}

export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isFile(),
    () => false,
  );

async function findFile(folder: string, file: DatasetFile): Promise<string | undefined> {
  for (const name of file.names) {
    const path = join(folder, name);
    if (await isFile(path)) return path;
  }
  return undefined;
}

/** The other data set that the files at `paths` are known to be, if any. */
async function mistakenFor(description: Sought, paths: readonly string[]): Promise<DatasetDescription | undefined> {
  const { identity } = description;
  if (identity === undefined) return undefined;
  const bytes = await readBytes(paths[identity.file] as string).catch(() => undefined);
  // What cannot be read is told by whoever reads it in earnest.
  if (bytes === undefined) return undefined;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return registry.find((other) => other !== description && other.identity?.sha256 === sha256);
}

/** Looks for the files of a data set through the search path; all of them must lie in one folder. */
export async function locate(description: Sought, options: LocateOptions = {}): Promise<Location> {
  const looked: string[] = [];
  for (const { origin, folder: root } of foldersOf(options)) {
    for (const place of description.folders) {
      const folder = join(root, place);
      const paths = await Promise.all(description.files.map((file) => findFile(folder, file)));
      const present = paths.filter((path) => path !== undefined);
      const missing = description.files.find((_, i) => paths[i] === undefined);
      if (missing !== undefined) {
        looked.push(`${folder} (${origin}${present.length > 0 ? `; lacks ${missing.names.join(' or ')}` : ''})`);
        continue;
      }
      const other = await mistakenFor(description, present);
      if (other === undefined) return { found: true, origin, folder, paths: present };
      looked.push(`${folder} (${origin}; holds ${other.name})`);
    }
  }
  return { found: false, looked };
}
