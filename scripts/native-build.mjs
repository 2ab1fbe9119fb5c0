// What the scripts that build the C++ code by CMake have in common.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { configuredHeaders, nodeHeaders } from './setup/node-headers.mjs';

export const root = realpathSync(fileURLToPath(new URL('..', import.meta.url)));
export const jobs = String(availableParallelism());

export function stop(message) {
  console.error(message);
  process.exit(1);
}

/** Runs a command to its end, its output shown; leaves with its exit code when that is not 0. */
export function run(command, args, { env = {}, input } = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: [input === undefined ? 'inherit' : 'pipe', 'inherit', 'inherit'],
    input,
    env: { ...process.env, ...env },
  });
  if (error?.code === 'ENOENT') stop(`${command} is missing; to install the tools for tests: npm run setup -- --test`);
  if (error) throw error;
  if (status !== 0) {
    console.error(`${command} ${args.join(' ')}: ${signal ? `ended by ${signal}` : `exit code ${status}`}`);
    process.exit(status ?? 1);
  }
}

/** CMake's definition that makes it build the addon too; none where the headers of this Node are not found. */
export function addonDefinitions() {
  const headers = configuredHeaders() ?? nodeHeaders();
  const include = headers && [path.join(headers, 'include', 'node'), path.join(root, 'node_modules', 'node-addon-api')];
  return include ? [`-DCMAKE_JS_INC=${include.join(';')}`] : [];
}

/** Configures and builds `targets`, or all, in a folder. */
export function build(folder, definitions, targets = []) {
  // A folder that was moved, or made by another generator, can only be configured afresh.
  const cacheFile = path.join(folder, 'CMakeCache.txt');
  if (existsSync(cacheFile)) {
    const cache = readFileSync(cacheFile, 'utf8');
    const value = (name) => cache.match(new RegExp(`^${name}:[^=]*=(.*)$`, 'm'))?.[1];
    if (
      value('CMAKE_HOME_DIRECTORY') !== root ||
      value('CMAKE_GENERATOR') !== 'Ninja' ||
      value('CMAKE_CACHEFILE_DIR') !== folder
    ) {
      rmSync(cacheFile);
      rmSync(path.join(folder, 'CMakeFiles'), { recursive: true, force: true });
    }
  }
  run('cmake', ['-S', root, '-B', folder, '-G', 'Ninja', `-DNODE_EXECUTABLE=${process.execPath}`, ...definitions]);
  run('cmake', ['--build', folder, '--parallel', jobs, ...targets.flatMap((target) => ['--target', target])]);
}

/** How the sanitizers are to report, in the environment. */
export const sanitizerEnv = {
  ASAN_OPTIONS: 'strict_string_checks=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  TSAN_OPTIONS: `suppressions='${path.join(root, 'native', 'test', 'tsan.supp')}' ignore_noninstrumented_modules=1`,
};
/** OpenBLAS' pool is not instrumented: its hand-overs would be reported as races. */
export const oneBlasThread = { OPENBLAS_NUM_THREADS: '1' };
