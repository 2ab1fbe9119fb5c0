// The addon that travels in the package: OpenBLAS inside, its symbols hidden, the kernels picked when it runs.
//
// Built in a folder of its own, since the addon in build/ is what tests and users of this checkout run. Nothing is built that
// was built from the same sources before: what differs from the addon in build/ is what is linked, so its objects serve for both.
// One for another platform is built by that platform's compiler.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lock } from '../setup/lock.mjs';
import { addonIsFresh } from '../setup/main.mjs';
import { nodeHeaders } from '../setup/node-headers.mjs';
import { contentHash, hasStamp, writeStamp } from '../setup/stamp.mjs';
import { installTools } from '../tools/install.mjs';
import { faultsOf, inspect } from './check.mjs';
import { fetchOpenBlas, openBlasIn } from './openblas.mjs';
import { here, targetOf } from './targets.mjs';

const require = createRequire(import.meta.url);
const root = realpathSync(fileURLToPath(new URL('../..', import.meta.url)));
const inRoot = (...names) => path.join(root, ...names);

/** What node-gyp reads. */
const SOURCES = [
  'package.json',
  'binding.gyp',
  'native/sources.json',
  'native/openblas.cjs',
  'native/exports.map',
  'native/core',
  'native/addon',
];
const workplaceOf = ({ platform }) => inRoot('build-prebuild', platform);
const stampOf = ({ platform }) => inRoot('build-prebuild', `${platform}.stamp`);
const fileOf = ({ system, arch, libc }) => path.join('prebuilds', `${system}-${arch}`, `dladmm.${libc}.node`);

/** Where the addon for a platform lies, or will lie: as node-gyp-build finds that of this machine. */
export const prebuiltOf = (platform) => inRoot(fileOf(targetOf(platform)));
export const prebuilt = prebuiltOf(here);

// The package's name and version do not reach the addon, so a new version alone does not make it stale.
const sourcesHash = (target) =>
  contentHash(
    root,
    SOURCES.filter((source) => source !== 'package.json'),
    [
      fileOf(target),
      archiveOfOpenBlas(target),
      require('node-addon-api/package.json').version,
      ...['CXX', 'CXXFLAGS', 'LDFLAGS', 'OPENBLAS_INCLUDE_DIR', 'OPENBLAS_LIB_DIR'].map(
        (name) => process.env[name] ?? '',
      ),
    ],
  );

const fetchedFor = ({ platform }) => inRoot('.setup', 'openblas', ...(platform === here ? [] : [platform]));

function askOpenBlas(question, env) {
  const args = [inRoot('native', 'openblas.cjs'), question];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, DLADMM_BLAS: '', ...env } });
}

/**
 * An OpenBLAS that the environment names comes first, then ours; the system's is better than none. CBLAS is the same in all
 * of them: with the system's header, where there is one, the objects are those of the addon in build/.
 */
function staticEnvironment(target) {
  const ours = process.env.OPENBLAS_LIB_DIR ? {} : openBlasIn(fetchedFor(target), target);
  const header = 'OPENBLAS_LIB_DIR' in ours && target.platform === here ? askOpenBlas('include').stdout.trim() : '';
  return { ...ours, ...(header && { OPENBLAS_INCLUDE_DIR: header }), OPENBLAS_STATIC: '1', DLADMM_BLAS: '' };
}

/** libopenblas.a and its size; throws with what to install where there is none. */
function archiveOfOpenBlas(target) {
  const env = staticEnvironment(target);
  if (target.platform !== here && !env.OPENBLAS_LIB_DIR && !process.env.OPENBLAS_LIB_DIR)
    throw new Error(`there is no OpenBLAS for ${target.platform} here`);
  const { status, stdout, stderr } = askOpenBlas('libs', env);
  if (status !== 0) throw new Error(stderr.trim());
  return `${stdout.trim()} ${statSync(stdout.split(' ')[0]).size}`;
}

/** Why none can be made for this machine; undefined when one can. */
export function obstacle() {
  try {
    archiveOfOpenBlas(targetOf());
    return undefined;
  } catch (error) {
    return error.message.split('\n')[0];
  }
}

function build(target, stdio) {
  const { platform, arch, libc, tools } = target;
  const workplace = workplaceOf(target);
  rmSync(workplace, { recursive: true, force: true });
  mkdirSync(workplace, { recursive: true });
  // make compares times and whole commands, so the objects of build/ are taken over as they lie: beside the same sources.
  const headers = path.join('node_modules', 'node-addon-api');
  const objects = platform === here && addonIsFresh() ? ['build'] : [];
  for (const source of [...SOURCES, headers, ...objects]) {
    cpSync(inRoot(source), path.join(workplace, source), { recursive: true, preserveTimestamps: true });
  }
  const headersOfNode = nodeHeaders();
  const { status, error } = spawnSync(
    process.execPath,
    [require.resolve('prebuildify/bin.js'), '--napi', '--strip', '--tag-libc', '--name=dladmm', `--arch=${arch}`],
    {
      cwd: workplace,
      stdio,
      env: {
        ...process.env,
        // node-gyp's -j
        JOBS: 'max',
        // It asks for a `rebuild`, which would throw the objects away.
        PREBUILD_NODE_GYP: inRoot('scripts', 'prebuild', 'node-gyp.mjs'),
        LIBC: libc,
        PREBUILD_LIBC: libc,
        ...tools,
        ...staticEnvironment(target),
        ...(headersOfNode && { npm_config_nodedir: headersOfNode }),
      },
    },
  );
  if (error) throw error;
  if (status !== 0) throw new Error(`prebuildify ended with exit code ${status}`);
  return path.join(workplace, fileOf(target));
}

/**
 * Makes prebuilds/<system>-<processor>/dladmm.<libc>.node for a platform, this one if none is named, unless it is there already,
 * and lets it through only when it will run wherever the package may be installed. `tell` gets a line when something is to be done.
 */
export async function ensurePrebuilt(tell, { platform = here, stdio = ['ignore', 2, 2] } = {}) {
  const target = targetOf(platform);
  const file = prebuiltOf(platform);
  const stamp = stampOf(target);
  if (target.libc === 'musl' && platform !== here) installTools('scripts/tools/musl', '--force');
  const release = await lock(inRoot('.setup', 'prebuilding'), () =>
    tell('another build of it is at work here; waiting for it'),
  );
  try {
    if (!process.env.OPENBLAS_LIB_DIR) {
      try {
        fetchOpenBlas(fetchedFor(target), target);
      } catch (error) {
        if (platform !== here) throw error;
        tell(`without OpenBLAS 0.3.29 (${error.message}), with the one that is installed here`);
      }
    }
    if (existsSync(file) && hasStamp(stamp, sourcesHash(target))) return;
    tell(`${existsSync(file) ? 'it was made from other sources' : 'there is none'}: building it (about a minute)`);
    const hash = sourcesHash(target);
    const built = build(target, stdio);
    if (target.system === 'linux') {
      const faults = faultsOf(inspect(built), target.libc);
      if (faults.length > 0)
        throw new Error(`the addon would not run everywhere:\n${faults.map((it) => `- ${it}`).join('\n')}`);
    }
    mkdirSync(path.dirname(file), { recursive: true });
    renameSync(built, file);
    rmSync(workplaceOf(target), { recursive: true });
    writeStamp(stamp, hash);
  } finally {
    release();
  }
}
