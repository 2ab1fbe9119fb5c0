// The addon that travels in the package: OpenBLAS inside, its symbols hidden, the kernels picked when it runs.
//
// Built in a folder of its own, since node-gyp empties build/ and the addon there is what tests and users of this
// checkout run. Nothing is built that was built from the same sources before.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lock } from '../setup/lock.mjs';
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
/** An OpenBLAS that the environment names comes first, then ours; the system's is better than none. */
const staticEnvironment = () => ({ ...openBlasIn(fetched), ...process.env, OPENBLAS_STATIC: '1', DLADMM_BLAS: '' });

/** libopenblas.a and its size; throws with what to install where there is none. */
function archiveOfOpenBlas() {
  const { status, stdout, stderr } = spawnSync(process.execPath, [inRoot('native', 'openblas.cjs'), 'libs'], {
    encoding: 'utf8',
    env: staticEnvironment(),
  });
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
  for (const source of SOURCES) cpSync(inRoot(source), path.join(workplace, source), { recursive: true });
  const headers = nodeHeaders();
  const { status, error } = spawnSync(
    process.execPath,
    [require.resolve('prebuildify/bin.js'), '--napi', '--strip', '--tag-libc', '--name=dladmm'],
    {
      cwd: workplace,
      stdio,
      // JOBS is node-gyp's -j.
      env: { JOBS: 'max', ...staticEnvironment(), ...(headers ? { npm_config_nodedir: headers } : {}) },
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
