/** The packages that hold the addon, one for each platform, and which of them is for this process. */
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { deniedBecause } from './errors.js';

/** Of their names. */
export const SCOPE = '@dladmm';

/** What they are built for, and named by: system, processor as Node calls it, C library. */
export const PLATFORMS = ['linux-x64-glibc', 'linux-arm64-glibc', 'linux-x64-musl', 'linux-arm64-musl'] as const;
export type Platform = (typeof PLATFORMS)[number];

export const packageOf = (platform: Platform): string => `${SCOPE}/${platform}`;

/** The C library by the loader that a program names at its beginning; undefined where it names none there. */
export function libcOf(beginning: string): 'musl' | 'glibc' | undefined {
  const loader = /\/ld-(musl|linux)-/.exec(beginning)?.[1];
  return loader === 'linux' ? 'glibc' : (loader as 'musl' | undefined);
}

function beginningOf(file: string): string {
  const bytes = Buffer.alloc(4096);
  try {
    const open = openSync(file, 'r');
    try {
      return bytes.toString('latin1', 0, readSync(open, bytes));
    } finally {
      closeSync(open);
    }
  } catch {
    return '';
  }
}

/** Of the program at work; `LIBC` overrules, as it does for node-gyp-build. */
export const libc = (): string =>
  process.env.LIBC ?? libcOf(beginningOf(process.execPath)) ?? (existsSync('/etc/alpine-release') ? 'musl' : 'glibc');

/** Not by its name in `node:module`, which bundlers look for. */
export const requireFrom = (file: string): NodeJS.Require =>
  process.getBuiltinModule('node:module').createRequire(file);

/** What this process runs on, named as platforms are. */
export const systemHere = (): string => `${process.platform}-${process.arch}-${libc()}`;

/** The platform of this process; undefined where nothing is built for it. */
export const platformHere = (): Platform | undefined => PLATFORMS.find((platform) => platform === systemHere());

/**
 * Loads the addon of a platform as a package in `folder` does: by a name that is written out for tracers of files, and by a `require`
 * that bundlers do not see through, since they would take the addon for a module.
 */
export function requireByName(platform: Platform | undefined, folder: string): unknown {
  const module = process.getBuiltinModule('node:module');
  const require = module.createRequire(join(folder, 'package.json'));
  switch (platform) {
    case 'linux-x64-glibc':
      return require('@dladmm/linux-x64-glibc');
    case 'linux-arm64-glibc':
      return require('@dladmm/linux-arm64-glibc');
    case 'linux-x64-musl':
      return require('@dladmm/linux-x64-musl');
    case 'linux-arm64-musl':
      return require('@dladmm/linux-arm64-musl');
    case undefined:
      return undefined;
  }
}

/**
 * The addon in the package for this platform: as one that a package in `folder` depends on, or in a copy of its folder that lies
 * beside. Undefined where there is none.
 *
 * @throws Error where it is of another version
 */
export function platformAddon(folder: string, version: string): string | undefined {
  const platform = platformHere();
  if (platform === undefined) return undefined;
  const name = packageOf(platform);
  const { resolve: find } = requireFrom(resolve(folder, 'package.json'));
  for (const place of [name, resolve(folder, '..', name)]) {
    let file: string;
    try {
      file = find(place);
    } catch (error) {
      if (deniedBecause(error)) throw error;
      continue;
    }
    const found: unknown = JSON.parse(readFileSync(join(dirname(file), 'package.json'), 'utf8')).version;
    if (found !== version) throw new Error(`${name} is of version ${found}, and dladmm of ${version}`);
    return file;
  }
  return undefined;
}
