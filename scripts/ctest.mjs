// node scripts/ctest.mjs BUILD_DIR [SANITIZERS | valgrind]: builds the C++ core in BUILD_DIR and runs its tests.
// SANITIZERS as for -fsanitize=: address,undefined or thread.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { build, jobs, oneBlasThread, root, run, sanitizerEnv, stop } from './native-build.mjs';

const [buildArgument, tool = ''] = process.argv.slice(2);
if (!buildArgument) stop('usage: node scripts/ctest.mjs BUILD_DIR [SANITIZERS | valgrind]');
const buildDir = path.resolve(root, buildArgument);
const gypDir = path.join(root, 'build');
if (buildDir === gypDir || buildDir.startsWith(gypDir + path.sep)) {
  stop(`${buildArgument} lies in build/, which node-gyp deletes at every build: take build-cmake or the like`);
}

const sanitizers = tool === 'valgrind' ? '' : tool;
build(buildDir, ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', `-DSANITIZE=${sanitizers}`, '-UCMAKE_JS_INC']);
if (tool === 'valgrind') {
  // Its processor has no AVX-512: OpenBLAS and we see that, and take the kernels for AVX2. Of the operator new that some tests have
  // to count allocations valgrind sees but the malloc below.
  const options = '--quiet --error-exitcode=3 --fair-sched=yes --show-mismatched-frees=no';
  const command = `echo "$0" && exec valgrind ${options} '${buildDir}'/"$0"`;
  // A fact that takes a second by itself takes a minute there: after so many seconds of checks the next one begins.
  const env = { DLADMM_FACT_SECONDS: process.env.DLADMM_FACT_SECONDS ?? '5' };
  const { test } = JSON.parse(readFileSync(path.join(root, 'native', 'sources.json'), 'utf8'));
  const input = test.map((source) => path.basename(source, '.cc')).join('\n');
  run('xargs', ['-P', jobs, '-n', '1', 'sh', '-c', command], { env, input });
} else {
  const threads = sanitizers.split(',').includes('thread') ? oneBlasThread : {};
  const env = sanitizers ? { ...sanitizerEnv, ...threads } : {};
  run('ctest', ['--test-dir', buildDir, '--output-on-failure', '--no-tests=error', '--parallel', jobs], { env });
}
