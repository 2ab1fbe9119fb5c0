// node scripts/ctest.mjs BUILD_DIR [SANITIZERS]: builds the C++ core in BUILD_DIR and runs its tests.
// SANITIZERS as for -fsanitize=: address,undefined or thread.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = realpathSync(fileURLToPath(new URL('..', import.meta.url)));
const [buildArgument, sanitizers = ''] = process.argv.slice(2);

function stop(message) {
  console.error(message);
  process.exit(1);
}

if (!buildArgument) stop('usage: node scripts/ctest.mjs BUILD_DIR [SANITIZERS]');
const buildDir = path.resolve(root, buildArgument);
const gypDir = path.join(root, 'build');
if (buildDir === gypDir || buildDir.startsWith(gypDir + path.sep)) {
  stop(`${buildArgument} lies in build/, which node-gyp deletes at every build: take build-cmake or the like`);
}

/** Runs a command to its end, its output shown; leaves with its exit code when that is not 0. */
function run(command, args, env = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (error?.code === 'ENOENT') stop(`${command} is missing; to install the tools for tests: npm run setup -- --test`);
  if (error) throw error;
  if (status !== 0) {
    console.error(`${command} ${args.join(' ')}: ${signal ? `ended by ${signal}` : `exit code ${status}`}`);
    process.exit(status ?? 1);
  }
}

// A folder that was moved, or made by another generator, can only be configured afresh.
const cacheFile = path.join(buildDir, 'CMakeCache.txt');
if (existsSync(cacheFile)) {
  const cache = readFileSync(cacheFile, 'utf8');
  const value = (name) => cache.match(new RegExp(`^${name}:[^=]*=(.*)$`, 'm'))?.[1];
  if (
    value('CMAKE_HOME_DIRECTORY') !== root ||
    value('CMAKE_GENERATOR') !== 'Ninja' ||
    value('CMAKE_CACHEFILE_DIR') !== buildDir
  ) {
    rmSync(cacheFile);
    rmSync(path.join(buildDir, 'CMakeFiles'), { recursive: true, force: true });
  }
}

const suppressions = path.join(root, 'native', 'test', 'tsan.supp');
const sanitizerEnv = {
  ASAN_OPTIONS: 'strict_string_checks=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  TSAN_OPTIONS: `suppressions='${suppressions}' ignore_noninstrumented_modules=1`,
  // OpenBLAS' pool is not instrumented: its hand-overs would be reported as races.
  ...(sanitizers.split(',').includes('thread') ? { OPENBLAS_NUM_THREADS: '1' } : {}),
};

const jobs = String(availableParallelism());
run('cmake', [
  '-S',
  root,
  '-B',
  buildDir,
  '-G',
  'Ninja',
  '-DCMAKE_BUILD_TYPE=RelWithDebInfo',
  `-DSANITIZE=${sanitizers}`,
  `-DNODE_EXECUTABLE=${process.execPath}`,
]);
run('cmake', ['--build', buildDir, '--parallel', jobs]);
run(
  'ctest',
  ['--test-dir', buildDir, '--output-on-failure', '--no-tests=error', '--parallel', jobs],
  sanitizers ? sanitizerEnv : {},
);
