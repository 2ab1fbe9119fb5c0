// What an addon asks of the system that loads it, and what it shows of itself, read from the ELF file by readelf.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** What every system with that C library has; musl is one file. Anything else would have to be installed beside the package. */
const ALLOWED = {
  glibc: [
    'libc.so.6',
    'libm.so.6',
    'libgcc_s.so.1',
    'libpthread.so.0',
    'libdl.so.2',
    'ld-linux-x86-64.so.2',
    'ld-linux-aarch64.so.1',
  ],
  musl: ['libc.so', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1'],
};

/** Node-API finds the addon by these two names; any other could clash with a second OpenBLAS or a second version of us. */
const ENTRY_POINTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

/** Its gemm has a race, which 0.3.31 took out again. */
const WRONG_OPENBLAS = '0.3.30';

/** Megabytes of the addon in a tarball. */
const LARGEST = 9;

/** glibc of Debian 12, Ubuntu 22.04, RHEL 9 and Amazon Linux 2023. */
const NEWEST_GLIBC = '2.34';

function readelf(...args) {
  const { status, stdout, stderr, error } = spawnSync('readelf', ['--wide', ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (error) throw new Error(`readelf could not be run (${error.code}); it comes with binutils`);
  if (status !== 0) throw new Error(`readelf ${args.join(' ')}: ${stderr.trim()}`);
  return stdout;
}

const isNewer = (a, b) => {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
};

/** [{ bind, section: UND where others have it, name: with its version, if it has one }] */
const dynamicSymbols = (file) =>
  readelf('--dyn-syms', file)
    .split('\n')
    // Num: Value Size Type Bind Vis Ndx Name
    .map((line) => line.trim().split(/\s+/))
    .filter(([number, , , , bind]) => /^\d+:$/.test(number ?? '') && bind !== undefined)
    .map(([, , , , bind, , section, name = '']) => ({ bind, section, name }));

const named = (symbols) => symbols.map(({ name }) => name.split('@')[0]).filter(Boolean);

/** Names that a file has others look for, and those that it has itself. */
export function namesOf(file) {
  const symbols = dynamicSymbols(file).filter(({ bind }) => bind !== 'LOCAL');
  const asked = symbols.filter(({ bind, section }) => section === 'UND' && bind !== 'WEAK');
  return { asked: named(asked), given: named(symbols.filter(({ section }) => section !== 'UND')).sort() };
}

/**
 * { needed: libraries that the loader must find; glibc: the newest symbol version asked of it; exports: names that others
 * can link to; stays: whether it is never unloaded; searches: folders that the loader is told to look in; openblas: its
 * version; packed: megabytes of the addon in a tarball }
 */
export function inspect(file) {
  const dynamic = readelf('--dynamic', file);
  const bytes = readFileSync(file);
  const versions = dynamicSymbols(file)
    .map(({ name }) => /@+GLIBC_([\d.]+)/.exec(name)?.[1])
    .filter(Boolean);
  return {
    needed: [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name),
    glibc: versions.reduce((newest, version) => (isNewer(version, newest) ? version : newest), '0'),
    exports: namesOf(file).given,
    stays: /\(FLAGS_1\).*NODELETE/.test(dynamic),
    openblas: /OpenBLAS (\d[\w.]*)/.exec(bytes.toString('latin1'))?.[1] ?? 'none',
    packed: gzipSync(bytes).length / 2 ** 20,
    searches: [...dynamic.matchAll(/\((?:RPATH|RUNPATH)\).*\[(.*)\]/g)].map(([, folders]) => folders),
  };
}

/** What keeps an addon from running wherever its package may be installed, as sentences; none when nothing does. */
export function faultsOf({ needed, glibc, exports, stays, searches, openblas, packed }, libc = 'glibc') {
  const foreign = needed.filter((library) => !ALLOWED[libc].includes(library));
  const visible = exports.filter((name) => !ENTRY_POINTS.includes(name));
  const absent = ENTRY_POINTS.filter((name) => !exports.includes(name));
  return [
    ...(foreign.length > 0 ? [`it needs ${foreign.join(', ')}, which not every system has`] : []),
    ...(libc !== 'glibc' && glibc !== '0' ? [`it asks for symbols of glibc ${glibc}`] : []),
    ...(libc === 'glibc' && isNewer(glibc, NEWEST_GLIBC)
      ? [`it needs glibc ${glibc}, newer than ${NEWEST_GLIBC}: build on Debian 12`]
      : []),
    ...(visible.length > 0
      ? [`it shows ${visible.length} symbols of its own, ${visible.slice(0, 3).join(', ')} …`]
      : []),
    ...(absent.length > 0 ? [`it lacks ${absent.join(' and ')}, by which Node finds it`] : []),
    ...(stays ? [] : ['it may be unloaded while threads of BLAS still run (no -z nodelete)']),
    ...(openblas === WRONG_OPENBLAS ? [`it carries OpenBLAS ${openblas}, whose products are wrong now and then`] : []),
    ...(packed > LARGEST ? [`it takes ${packed.toFixed(1)} MB when packed, more than ${LARGEST}`] : []),
    ...(searches.length > 0
      ? [`it looks for libraries in ${searches.join(', ')}, folders of the machine it was built on`]
      : []),
  ];
}
