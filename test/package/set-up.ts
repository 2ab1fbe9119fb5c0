/**
 * Packs the package and that of this platform, which holds the addon, and installs both as npm does for users, twice, in folders of
 * their own: as is, and with --ignore-scripts. The PATH of these installations holds node, npm, sh and env, and so no compiler, make, Python or
 * pkg-config.
 */
import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ensurePrebuilt, obstacle, prebuilt } from '../../scripts/prebuild/prebuild.mjs';
import { packMain, packPlatform } from '../../scripts/release/pack.mjs';

const PLATFORM = `linux-${process.arch}-glibc`;
/** Where the package with the addon is installed: beside the package itself. */
const BESIDE = join('node_modules', '@dladmm', PLATFORM);

export interface PackedFile {
  readonly path: string;
  readonly size: number;
}

/** What there is to test, or why there is nothing. */
export type Installation =
  | {
      readonly kind: 'ready';
      readonly tarball: string;
      /** That of the package for this platform, and the addon in it, below a folder that it is installed in. */
      readonly platformTarball: string;
      readonly addon: string;
      readonly packed: readonly PackedFile[];
      /** Folders with node_modules/dladmm: installed as is, with --ignore-scripts, and as another version of it. */
      readonly plain: string;
      readonly scriptless: string;
      readonly other: string;
      /** All that a consumer's processes are given. */
      readonly env: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'skipped'; readonly reason: string };

declare module 'vitest' {
  interface ProvidedContext {
    readonly installation: Installation;
  }
}

interface Ended {
  readonly failed: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(command, args, { cwd, env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
      resolve({ failed: error !== null, stdout, stderr }),
    );
  });

function findProgram(name: string): string {
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(existsSync);
  if (found === undefined) throw new Error(`${name} is not on the PATH`);
  return realpathSync(found);
}

/** What a consumer's npm has to know to reach its registry from here. */
const REGISTRY =
  /^(?:HOME|NODE_EXTRA_CA_CERTS|(?:https?|no)_proxy|npm_config_(?:registry|cache|cafile|userconfig|globalconfig|offline|fetch_retries))$/i;
const NETWORK = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT/;

async function consumerEnvironment(folder: string): Promise<Readonly<Record<string, string>>> {
  const programs = join(folder, 'bin');
  await mkdir(programs);
  await symlink(process.execPath, join(programs, 'node'));
  for (const name of ['npm', 'sh', 'env']) await symlink(findProgram(name), join(programs, name));
  const inherited = Object.entries(process.env).filter(([name]) => REGISTRY.test(name)) as [string, string][];
  return { ...Object.fromEntries(inherited), PATH: programs };
}

/** The same package under another version number: to Node it is a package of its own. */
async function anotherVersion(from: string, to: string): Promise<void> {
  await cp(join(from, 'node_modules'), join(to, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  for (const folder of [join('node_modules', 'dladmm'), BESIDE]) {
    const manifest = join(to, folder, 'package.json');
    const content: unknown = JSON.parse(await readFile(manifest, 'utf8'));
    await writeFile(manifest, JSON.stringify({ ...(content as object), version: '999.0.0' }));
  }
}

async function install(folder: string): Promise<Installation> {
  if (process.platform !== 'linux' || existsSync('/etc/alpine-release')) {
    return { kind: 'skipped', reason: 'prebuilt addons are for Linux with glibc' };
  }
  const why = obstacle();
  if (why !== undefined) return { kind: 'skipped', reason: `no prebuilt addon can be made here: ${why}` };
  await ensurePrebuilt((text) => console.error(`the addon that users get: ${text} …`));
  const env = await consumerEnvironment(folder);
  const { tarball, packed } = await packMain(folder);
  const { tarball: platformTarball } = await packPlatform(PLATFORM, prebuilt, folder);
  const places = { plain: join(folder, 'plain'), scriptless: join(folder, 'scriptless'), other: join(folder, 'other') };
  for (const [place, flags] of [
    [places.plain, []],
    [places.scriptless, ['--ignore-scripts']],
  ] as const) {
    await mkdir(place);
    await writeFile(join(place, 'package.json'), '{ "private": true }');
    const args = ['install', tarball, platformTarball, '--prefer-offline', '--no-audit', '--no-fund', ...flags];
    const { failed, stdout, stderr } = await run(join(env.PATH ?? '', 'npm'), args, place, env);
    const network = NETWORK.exec(stderr)?.[0];
    if (failed && network) return { kind: 'skipped', reason: `npm cannot reach its registry from here (${network})` };
    if (failed) throw new Error(`npm ${args.join(' ')} failed:\n${stdout}\n${stderr}`);
  }
  await anotherVersion(places.plain, places.other);
  return { kind: 'ready', tarball, platformTarball, addon: join(BESIDE, 'dladmm.node'), packed, ...places, env };
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'dladmm-package-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    project.provide('installation', await install(folder));
  } catch (error) {
    await remove();
    throw error;
  }
  return remove;
}
