// npm run test:fuzz:native -- [SECONDS]: what Clang's coverage guides. libFuzzer on the C++ reader of checkpoints, under the
// address and undefined-behaviour sanitizers; then every class and function of the addon, whose edges are counted. Half of the
// time each. Builds in build-fuzz, by the CMake option FUZZ.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { addonDefinitions, build, root, run, stop } from './native-build.mjs';
import { commandFor } from './setup/packages.mjs';

const [seconds = '600'] = process.argv.slice(2);
const half = Math.ceil(Number(seconds) / 2);
const folder = path.join(root, 'build-fuzz');

/** Clang with libFuzzer's run-time; undefined where there is none. */
function clang() {
  const scratch = mkdtempSync(path.join(tmpdir(), 'dladmm-'));
  try {
    const source = path.join(scratch, 'probe.cc');
    writeFileSync(source, 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n');
    const names = process.env.CXX
      ? [process.env.CXX]
      : ['clang++', ...[21, 20, 19, 18, 17, 16].map((n) => `clang++-${n}`)];
    const works = (cxx) =>
      spawnSync(cxx, ['-fsanitize=fuzzer,address', source, '-o', path.join(scratch, 'probe')]).status === 0;
    return names.find(works);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const compiler = clang();
if (compiler === undefined) {
  const command = commandFor(['clang']) ?? 'install Clang with compiler-rt';
  stop(`✗ The fuzzers take Clang and its run-time (compiler-rt), which are not here:\n\n    ${command}`);
}
build(folder, [
  ...[
    '-DFUZZ=ON',
    '-DCMAKE_BUILD_TYPE=Debug',
    '-DCMAKE_CXX_FLAGS=-O1 -Wno-pass-failed',
    `-DCMAKE_CXX_COMPILER=${compiler}`,
  ],
  ...addonDefinitions(),
]);

/** What earlier runs have found to be worth keeping; what this one finds goes to a folder of its own. */
const seeds = path.join(root, 'test', 'fuzz', 'seeds', 'sections');
const corpus = path.join(folder, 'corpus');
mkdirSync(corpus, { recursive: true });
const limits = ['-max_len=1024', '-timeout=1', '-rss_limit_mb=1024', '-print_final_stats=1', '-verbosity=0'];
run(path.join(folder, 'storage_fuzz'), [
  ...[corpus, seeds, `-max_total_time=${half}`, `-artifact_prefix=${folder}/found-`],
  ...limits,
]);
console.log(`libFuzzer: nothing found; ${readdirSync(corpus).length} inputs kept in ${corpus}`);

const addon = path.join(folder, 'dladmm.node');
if (!existsSync(addon))
  stop('✗ The headers of this Node were not found, so the addon was not fuzzed: set npm_config_nodedir');
const script = path.join(root, 'test', 'fuzz', 'addon.mjs');
// The limit keeps a state of 2^40 samples from being had on a machine that promises memory it does not have.
const limited = 'ulimit -v 8388608 && exec "$0" "$@"';
const rounds = ['--expose-gc', script, String(Date.now() % 2 ** 31), '1e9', String(half)];
run('/bin/sh', ['-c', limited, process.execPath, ...rounds], { env: { DLADMM_ADDON: addon } });
