import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DlAdmmError } from './errors.js';
import { requireFrom, SCOPE } from './platform.js';

/** Where the package may be: this file lies two levels below it; in a bundle it is installed beside the program, or named. */
function* places(): Generator<string> {
  const { url } = import.meta as { readonly url?: string };
  if (url?.startsWith('file:')) yield join(dirname(fileURLToPath(url)), '..', '..');
  if (process.env.DLADMM_PREBUILD) yield process.env.DLADMM_PREBUILD;
  for (const base of [url, process.argv[1], join(process.cwd(), 'index.js'), process.execPath]) {
    try {
      if (base) yield dirname(requireFrom(base).resolve('dladmm/package.json'));
    } catch {
      // The next one may know.
    }
  }
}

let known: { readonly folder: string; readonly version: string } | undefined;

function found(): typeof known & {} {
  for (const folder of known ? [] : places()) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (name === 'dladmm') known = { folder, version };
    } catch {
      // There is none.
    }
    if (known) break;
  }
  if (known) return known;
  const text = `The folder of dladmm, with its addon and its data, is not to be found from here: has it been bundled? Leave it external, and install it where the program runs: esbuild --external:dladmm; Rollup and Vite external: ['dladmm']; webpack externals: { dladmm: 'module dladmm' }; Next.js serverExternalPackages: ['dladmm']. Or copy node_modules/dladmm and node_modules/${SCOPE} into a folder node_modules beside the bundle, or name the copy's folder by DLADMM_PREBUILD`;
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
