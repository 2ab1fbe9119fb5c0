// The addon that travels in the package: OpenBLAS inside, its symbols hidden, the kernels picked when it runs.
//
// Built in a folder of its own, since the addon in build/ is what tests and users of this checkout run. Nothing is built that
// was built from the same sources before: what differs from the addon in build/ is what is linked, so its objects serve for both.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lock } from '../setup/lock.mjs';
import { addonIsFresh } from '../setup/main.mjs';
import { nodeHeaders } from '../setup/node-headers.mjs';
import { contentHash, hasStamp, writeStamp } from '../setup/stamp.mjs';
import { faultsOf, inspect } from './check.mjs';
import { fetchOpenBlas, openBlasIn } from './openblas.mjs';

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
const workplace = inRoot('build-prebuild');
const stamp = path.join(workplace, '.stamp');

// As prebuildify tells one from the other, and node-gyp-build.
const isMusl = process.platform === 'linux' && existsSync('/etc/alpine-release');
const target = `${process.platform}-${process.arch}`;
const fileName = `dladmm.${isMusl ? 'musl' : 'glibc'}.node`;

/** Where the addon for this platform lies, or will lie. */
export const prebuilt = inRoot('prebuilds', target, fileName);

// The package's name and version do not reach the addon, so a new version alone does not make it stale.
const sourcesHash = () =>
  contentHash(
    root,
    SOURCES.filter((source) => source !== 'package.json'),
    [
      target,
      fileName,
      archiveOfOpenBlas(),
      require('node-addon-api/package.json').version,
      ...['CXX', 'CXXFLAGS', 'LDFLAGS', 'OPENBLAS_INCLUDE_DIR', 'OPENBLAS_LIB_DIR'].map(
        (name) => process.env[name] ?? '',
      ),
    ],
  );

const fetched = inRoot('.setup', 'openblas');

function askOpenBlas(question, env) {
  const args = [inRoot('native', 'openblas.cjs'), question];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, DLADMM_BLAS: '', ...env } });
}

/**
 * An OpenBLAS that the environment names comes first, then ours; the system's is better than none. CBLAS is the same in all
 * of them: with the system's header, where there is one, the objects are those of the addon in build/.
 */
function staticEnvironment() {
  const ours = process.env.OPENBLAS_LIB_DIR ? {} : openBlasIn(fetched);
  const header = 'OPENBLAS_LIB_DIR' in ours ? askOpenBlas('include').stdout.trim() : '';
  return { ...ours, ...(header && { OPENBLAS_INCLUDE_DIR: header }), OPENBLAS_STATIC: '1', DLADMM_BLAS: '' };
}

/** libopenblas.a and its size; throws with what to install where there is none. */
function archiveOfOpenBlas() {
  const { status, stdout, stderr } = askOpenBlas('libs', staticEnvironment());
  if (status !== 0) throw new Error(stderr.trim());
  return `${stdout.trim()} ${statSync(stdout.split(' ')[0]).size}`;
}

/** Why none can be made here; undefined when one can. */
export function obstacle() {
  try {
    archiveOfOpenBlas();
    return undefined;
  } catch (error) {
    return error.message.split('\n')[0];
  }
}

/** True when there is an addon made from the sources as they are. */
export const isFresh = () => existsSync(prebuilt) && hasStamp(stamp, sourcesHash());

function build(stdio) {
  rmSync(workplace, { recursive: true, force: true });
  mkdirSync(workplace, { recursive: true });
  // make compares times and whole commands, so the objects of build/ are taken over as they lie: beside the same sources.
  const headers = path.join('node_modules', 'node-addon-api');
  for (const source of [...SOURCES, headers, ...(addonIsFresh() ? ['build'] : [])]) {
    cpSync(inRoot(source), path.join(workplace, source), { recursive: true, preserveTimestamps: true });
  }
  const headersOfNode = nodeHeaders();
  const { status, error } = spawnSync(
    process.execPath,
    [require.resolve('prebuildify/bin.js'), '--napi', '--strip', '--tag-libc', '--name=dladmm'],
    {
      cwd: workplace,
      stdio,
      env: {
        ...process.env,
        // node-gyp's -j
        JOBS: 'max',
        // It asks for a `rebuild`, which would throw the objects away.
        PREBUILD_NODE_GYP: inRoot('scripts', 'prebuild', 'node-gyp.mjs'),
        ...staticEnvironment(),
        ...(headersOfNode && { npm_config_nodedir: headersOfNode }),
      },
    },
  );
  if (error) throw error;
  if (status !== 0) throw new Error(`prebuildify ended with exit code ${status}`);
  return path.join(workplace, 'prebuilds', target, fileName);
}

/**
 * Makes prebuilds/<platform>-<arch>/dladmm.<libc>.node unless it is there already, and lets it through only when it will
 * run wherever the package may be installed. `tell` gets a line when something is to be done.
 */
export async function ensurePrebuilt(tell, stdio = ['ignore', 2, 2]) {
  const release = await lock(inRoot('.setup', 'prebuilding'), () =>
    tell('another build of it is at work here; waiting for it'),
  );
  try {
    if (!process.env.OPENBLAS_LIB_DIR) {
      try {
        fetchOpenBlas(fetched);
      } catch (error) {
        tell(`without OpenBLAS 0.3.29 (${error.message}), with the one that is installed here`);
      }
    }
    if (isFresh()) return;
    tell(`${existsSync(prebuilt) ? 'it was made from other sources' : 'there is none'}: building it (about a minute)`);
    const hash = sourcesHash();
    const built = build(stdio);
    if (process.platform === 'linux') {
      const faults = faultsOf(inspect(built));
      if (faults.length > 0)
        throw new Error(`the addon would not run everywhere:\n${faults.map((it) => `- ${it}`).join('\n')}`);
    }
    mkdirSync(path.dirname(prebuilt), { recursive: true });
    renameSync(built, prebuilt);
    rmSync(workplace, { recursive: true });
    writeStamp(stamp, hash);
  } finally {
    release();
  }
}
