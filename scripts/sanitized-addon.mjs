// node scripts/sanitized-addon.mjs SANITIZERS [ROUNDS [VITEST'S ARGUMENTS]]: the addon under sanitizers of GCC, address,undefined or
// thread: first called with anything (test/fuzz/addon.mjs), then by the tests of the addon and the solvers.
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { addonDefinitions, build, oneBlasThread, root, run, sanitizerEnv, stop } from './native-build.mjs';
import { capture } from './setup/run.mjs';

const [sanitizers = 'address,undefined', rounds = '2000', ...given] = process.argv.slice(2);
const ofThreads = sanitizers === 'thread';
const folder = path.join(root, ofThreads ? 'build-tsan' : 'build-asan');
const headers = addonDefinitions();
if (headers.length === 0) stop('✗ The headers of this Node were not found: set npm_config_nodedir');
build(folder, ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', `-DSANITIZE=${sanitizers}`, ...headers], ['dladmm']);

// Where node-gyp-build looks for it.
const release = path.join(folder, 'node', 'build', 'Release');
mkdirSync(release, { recursive: true });
copyFileSync(path.join(folder, 'dladmm.node'), path.join(release, 'dladmm.node'));

/** The run-time has to be the first library of the process, and Node is not built with it. */
const runtime = (ofThreads ? ['libtsan.so'] : ['libasan.so', 'libubsan.so']).map((name) =>
  capture(process.env.CXX ?? 'g++', [`-print-file-name=${name}`]),
);
const env = {
  ...sanitizerEnv,
  // What V8 leaves at its end is not ours; what was freed is kept only as long as the tests of memory bear.
  ASAN_OPTIONS: `${sanitizerEnv.ASAN_OPTIONS}:detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=16`,
  TSAN_OPTIONS: `${sanitizerEnv.TSAN_OPTIONS} allocator_may_return_null=1 max_allocation_size_mb=8192`,
  ...(ofThreads && oneBlasThread),
  LD_PRELOAD: runtime.join(':'),
  DLADMM_PREBUILD: path.join(folder, 'node'),
};
const fuzzer = path.join(root, 'test', 'fuzz', 'addon.mjs');
run(process.execPath, ['--expose-gc', fuzzer, '1', rounds], {
  env: { ...env, DLADMM_ADDON: path.join(release, 'dladmm.node') },
});
const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
run(process.execPath, [vitest, 'run', ...(given.length > 0 ? given : ['test/core', 'test/solvers'])], { env });
