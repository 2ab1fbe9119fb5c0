// npm run test:fuzz:native -- [SECONDS]: what Clang's coverage guides. libFuzzer on the C++ reader of checkpoints, under the
// address and undefined-behaviour sanitizers; then every class and function of the addon, whose edges are counted. Half of the
// time each. Builds in build-fuzz, by the CMake option FUZZ.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeHeaders } from './setup/node-headers.mjs';
import { commandFor } from './setup/packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [seconds = '600'] = process.argv.slice(2);
const half = Math.ceil(Number(seconds) / 2);
const build = path.join(root, 'build-fuzz');

/** Clang with libFuzzer's run-time; undefined where there is none. */
function clang() {
  const folder = mkdtempSync(path.join(tmpdir(), 'dladmm-'));
  try {
    const source = path.join(folder, 'probe.cc');
    writeFileSync(source, 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n');
    const names = process.env.CXX
      ? [process.env.CXX]
      : ['clang++', ...[21, 20, 19, 18, 17, 16].map((n) => `clang++-${n}`)];
    const works = (cxx) =>
      spawnSync(cxx, ['-fsanitize=fuzzer,address', source, '-o', path.join(folder, 'probe')]).status === 0;
    return names.find(works);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

const compiler = clang();
if (compiler === undefined) {
  const command = commandFor(['clang']) ?? 'install Clang with compiler-rt';
  console.error(`✗ The fuzzers take Clang and its run-time (compiler-rt), which are not here:\n\n    ${command}`);
  process.exit(1);
}
const headers = nodeHeaders();
const include = headers && [path.join(headers, 'include', 'node'), path.join(root, 'node_modules', 'node-addon-api')];
run('cmake', [
  ...['-S', root, '-B', build, '-G', 'Ninja', '-DFUZZ=ON', '-DCMAKE_BUILD_TYPE=Debug', '-DCMAKE_CXX_FLAGS=-O1'],
  `-DCMAKE_CXX_COMPILER=${compiler}`,
  `-DNODE_EXECUTABLE=${process.execPath}`,
  ...(include ? [`-DCMAKE_JS_INC=${include.join(';')}`] : []),
]);
run('cmake', ['--build', build, '--parallel', String(availableParallelism())]);

const corpus = path.join(build, 'corpus');
mkdirSync(corpus, { recursive: true });
const limits = ['-max_len=1024', '-timeout=1', '-rss_limit_mb=1024', '-print_final_stats=1', '-verbosity=0'];
run(path.join(build, 'storage_fuzz'), [
  corpus,
  `-max_total_time=${half}`,
  `-artifact_prefix=${build}/found-`,
  ...limits,
]);
console.log(`libFuzzer: nothing found; ${readdirSync(corpus).length} inputs kept in ${corpus}`);

const addon = path.join(build, 'dladmm.node');
if (!existsSync(addon)) {
  console.error('✗ The headers of this Node were not found, so the addon was not fuzzed: set npm_config_nodedir');
  process.exit(1);
}
const script = path.join(root, 'test', 'fuzz', 'addon.mjs');
// The limit keeps a state of 2^40 samples from being had on a machine that promises memory it does not have.
const limited = 'ulimit -v 8388608 && exec "$0" "$@"';
const rounds = ['--expose-gc', script, String(Date.now() % 2 ** 31), '1e9', String(half)];
run('/bin/sh', ['-c', limited, process.execPath, ...rounds], { DLADMM_ADDON: addon });
