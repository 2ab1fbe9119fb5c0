import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DlAdmmError } from './errors.js';

/** The manifest in a folder, if it is that of this package. */
function manifestIn(folder: string): { readonly version: string } | undefined {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return manifest.name === 'dladmm' ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** Where this file lies, two levels below the package; anywhere, or nowhere, in a bundle. */
const ownFolder = (): string | undefined => {
  const { url } = import.meta as { readonly url?: string };
  return url?.startsWith('file:') ? join(dirname(fileURLToPath(url)), '..', '..') : undefined;
};

/** Not by its name in `node:module`, which bundlers look for. */
const requireFrom = (file: string): NodeJS.Require => process.getBuiltinModule('node:module').createRequire(file);

/** The package as a program finds it that has it in its bundle, and installed beside it. */
function installedFolder(): string | undefined {
  const { url } = import.meta as { readonly url?: string };
  for (const base of [url, process.argv[1], join(process.cwd(), 'index.js'), process.execPath]) {
    try {
      if (base) return dirname(requireFrom(base).resolve('dladmm/package.json'));
    } catch {
      // The next one may know.
    }
  }
  return undefined;
}

let known: { readonly folder: string; readonly version: string } | undefined;

function found(): typeof known & {} {
  for (const folder of known ? [] : [ownFolder(), process.env.DLADMM_PREBUILD, installedFolder()]) {
    const manifest = folder === undefined ? undefined : manifestIn(folder);
    if (folder === undefined || !manifest) continue;
    known = { folder, version: manifest.version };
    break;
  }
  if (known) return known;
  const text =
    "The folder of dladmm, with its addon and its data, is not to be found from here: has it been bundled? Leave it external, and install it where the program runs: esbuild --external:dladmm; Rollup and Vite external: ['dladmm']; webpack externals: { dladmm: 'module dladmm' }; Next.js serverExternalPackages: ['dladmm']. Or copy node_modules/dladmm into a folder node_modules beside the bundle, or name the copy's folder by DLADMM_PREBUILD";
  throw new DlAdmmError('ERR_DLADMM_NATIVE', text);
}

/**
 * The folder of this package: what does not travel in a bundle lies there.
 *
 * @throws DlAdmmError ERR_DLADMM_NATIVE where the package is in a bundle and not installed beside it
 */
export const packageFolder = (): string => found().folder;

/** Requires as a file in that folder does. */
export const packageRequire = (): NodeJS.Require => requireFrom(join(packageFolder(), 'package.json'));

export const packageVersion = (): string => found().version;

/**
 * Loads a package that not everybody needs; `what` takes it.
 *
 * @param name no literal, so that a build without the package has nothing to resolve
 * @throws DlAdmmError ERR_DLADMM_FILE where it is not installed
 */
export const optionalPackage = async <T>(name: string, what: string): Promise<T> =>
  import(/* webpackIgnore: true */ name).catch((cause: unknown) => {
    const why = `${what} takes the package ${name}, which is not installed: npm install ${name}`;
    throw new DlAdmmError('ERR_DLADMM_FILE', why, { cause });
  });
