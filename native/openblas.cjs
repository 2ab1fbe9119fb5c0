// The one place that knows where the BLAS is: binding.gyp, CMakeLists.txt and scripts/setup.mjs all ask here.
//
//   node native/openblas.cjs include   header folders
//   node native/openblas.cjs defines   what the sources are to know
//   node native/openblas.cjs libs      what to link
//   node native/openblas.cjs link      linker flags that go with it
//   node native/openblas.cjs version   e.g. 0.3.21
//
// OpenBLAS as pkg-config finds it, unless the environment says otherwise:
//   OPENBLAS_INCLUDE_DIR, OPENBLAS_LIB_DIR   together: an OpenBLAS that pkg-config does not know
//   OPENBLAS_STATIC=1                        links libopenblas.a, with OPENBLAS_LINK_FLAGS
//   DLADMM_BLAS                              another library with CBLAS and LAPACK: `accelerate` (macOS), packages of
//                                            pkg-config (`blis lapack`), or linker words (`-L/opt/blis/lib -lblis …`)
//   DLADMM_BLAS_INCLUDE_DIR                  with DLADMM_BLAS: the folder of its cblas.h
// Answers are quoted for a POSIX shell, which is how gyp and CMake split them.
const { spawnSync } = require('node:child_process');
const { existsSync, readdirSync } = require('node:fs');
const path = require('node:path');

const HELP = `To install it:
  Debian, Ubuntu   sudo apt-get install libopenblas-dev pkg-config
  Fedora           sudo dnf install openblas-devel pkgconf-pkg-config
  Alpine           apk add openblas-dev pkgconf
  macOS            brew install openblas pkgconf
Elsewhere, set OPENBLAS_INCLUDE_DIR (holds cblas.h) and OPENBLAS_LIB_DIR (holds libopenblas).
Another library with CBLAS and LAPACK will do too: DLADMM_BLAS=accelerate on macOS, DLADMM_BLAS='blis lapack' (packages of
pkg-config), or DLADMM_BLAS='-L/opt/blis/lib -lblis -llapack' with DLADMM_BLAS_INCLUDE_DIR=/opt/blis/include.`;

class OpenBlasMissing extends Error {
  constructor(reason) {
    super(`dladmm needs OpenBLAS: ${reason}\n${HELP}`);
    this.reason = reason;
  }
}

const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

// Homebrew does not link OpenBLAS into its prefix, so pkg-config sees it only when told of the keg.
const kegs = ['/opt/homebrew/opt/openblas/lib/pkgconfig', '/usr/local/opt/openblas/lib/pkgconfig'];

function pkgConfig(packages, ...args) {
  const searched = [process.env.PKG_CONFIG_PATH, ...(process.platform === 'darwin' ? kegs : [])].filter(Boolean);
  const env = searched.length > 0 ? { ...process.env, PKG_CONFIG_PATH: searched.join(path.delimiter) } : process.env;
  const command = process.env.PKG_CONFIG || 'pkg-config';
  const run = spawnSync(command, [...args, ...packages], { encoding: 'utf8', env });
  if (run.error) throw new OpenBlasMissing(`${command} could not be run (${run.error.code}).`);
  if (run.status !== 0) {
    const names = packages.map((name) => `"${name}"`).join(' and ');
    const from = packages === OPENBLAS.packages ? '' : `, named by DLADMM_BLAS=${process.env.DLADMM_BLAS}`;
    throw new OpenBlasMissing(`pkg-config does not know a package ${names}${from}.`);
  }
  return run.stdout.trim();
}

// pkg-config escapes what a shell would split or expand, with backslashes.
const words = (line) => (line.match(/(?:\\.|[^\s\\])+/g) ?? []).map((word) => word.replace(/\\(.)/g, '$1'));

function refuseSpaces(folder) {
  if (!/\s/.test(folder)) return;
  throw new OpenBlasMissing(`make cannot take the space in ${folder}; a symbolic link without one will do.`);
}

/** The folder with cblas.h and the one with the library, from the environment; undefined when pkg-config is to answer. */
function fromEnvironment() {
  const { OPENBLAS_INCLUDE_DIR: include, OPENBLAS_LIB_DIR: lib } = process.env;
  if (!include && !lib) return undefined;
  if (!include || !lib) throw new OpenBlasMissing('OPENBLAS_INCLUDE_DIR and OPENBLAS_LIB_DIR must be set together.');
  for (const folder of [include, lib]) refuseSpaces(path.resolve(folder));
  if (!existsSync(path.join(include, 'cblas.h'))) throw new OpenBlasMissing(`OPENBLAS_INCLUDE_DIR=${include} holds no cblas.h.`);
  return { include: path.resolve(include), lib: path.resolve(lib) };
}

const isStatic = () => Boolean(process.env.OPENBLAS_STATIC) && process.env.OPENBLAS_STATIC !== '0';

/** Where headers lie that a package of pkg-config brings; folders that the compiler looks through anyway may be left out. */
function packageHeaders(packages) {
  const folders = words(pkgConfig(packages, '--cflags-only-I')).map((flag) => flag.slice('-I'.length));
  // Without an -I the headers lie where the compiler looks anyway.
  const reachable = [...folders, '/usr/include', '/usr/local/include'];
  if (folders.length > 0 && !reachable.some((folder) => existsSync(path.join(folder, 'cblas.h')))) {
    throw new OpenBlasMissing(`its headers are missing (no cblas.h in ${folders.join(', ')}).`);
  }
  return folders;
}

const OPENBLAS = {
  packages: ['openblas'],
  include() {
    const given = fromEnvironment();
    return given ? [given.include] : packageHeaders(OPENBLAS.packages);
  },
  defines: () => [],
  libs() {
    const given = fromEnvironment();
    if (isStatic()) {
      const folder = given?.lib ?? pkgConfig(OPENBLAS.packages, '--variable=libdir');
      const archive = path.join(folder, 'libopenblas.a');
      if (!existsSync(archive)) throw new OpenBlasMissing(`OPENBLAS_STATIC is set, but ${archive} does not exist.`);
      return [archive, '-lpthread', '-lm'];
    }
    if (given) {
      if (!existsSync(given.lib) || !readdirSync(given.lib).some((file) => file.startsWith('libopenblas.'))) {
        throw new OpenBlasMissing(`OPENBLAS_LIB_DIR=${given.lib} holds no libopenblas.`);
      }
      // Not a system folder as a rule, so the built library has to remember it.
      return [`-L${given.lib}`, `-Wl,-rpath,${given.lib}`, '-lopenblas'];
    }
    return words(pkgConfig(OPENBLAS.packages, '--libs'));
  },
  version: () => [fromEnvironment() ? 'from OPENBLAS_LIB_DIR' : pkgConfig(OPENBLAS.packages, '--modversion')],
};

const VECLIB = 'System/Library/Frameworks/Accelerate.framework/Frameworks/vecLib.framework/Headers';

/** The library that DLADMM_BLAS names: how its headers are found, and what is linked. */
function anotherBlas(name) {
  const given = process.env.DLADMM_BLAS_INCLUDE_DIR;
  if (given) {
    refuseSpaces(path.resolve(given));
    if (!existsSync(path.join(given, 'cblas.h'))) throw new OpenBlasMissing(`DLADMM_BLAS_INCLUDE_DIR=${given} holds no cblas.h.`);
  }
  // CBLAS alone is asked of it: nothing that is OpenBLAS's own is linked.
  const common = { defines: () => ['DLADMM_ANY_CBLAS'], version: () => [`left aside for ${name}`] };
  const headers = (others) => (given ? [path.resolve(given)] : others());
  if (name === 'accelerate') {
    if (process.platform !== 'darwin') throw new OpenBlasMissing('DLADMM_BLAS=accelerate is for macOS.');
    const sdk = () => spawnSync('xcrun', ['--show-sdk-path'], { encoding: 'utf8' }).stdout?.trim() || '/';
    return { ...common, include: () => headers(() => [path.join(sdk(), VECLIB)]), libs: () => ['-framework', 'Accelerate'] };
  }
  const named = words(name);
  if (named.some((word) => word.startsWith('-') || word.includes('/'))) {
    // A folder named by -L is seldom one that the loader searches.
    const paths = named.filter((word) => word.startsWith('-L')).map((word) => `-Wl,-rpath,${path.resolve(word.slice(2))}`);
    return { ...common, include: () => headers(() => []), libs: () => [...named, ...paths] };
  }
  return {
    ...common,
    include: () => headers(() => packageHeaders(named)),
    libs: () => words(pkgConfig(named, '--libs')),
  };
}

const blas = () => {
  const name = (process.env.DLADMM_BLAS ?? '').trim();
  return name === '' || name === 'openblas' ? OPENBLAS : anotherBlas(name);
};

const answers = {
  include: () => blas().include(),
  defines: () => blas().defines(),
  libs: () => blas().libs(),
  link() {
    if (process.platform !== 'linux') return [];
    // exports.map hides its symbols from a second OpenBLAS in the process; glibc 2.34 stays enough when libgcc is left shared.
    if (blas() === OPENBLAS && isStatic()) {
      const more = words(process.env.OPENBLAS_LINK_FLAGS ?? '');
      return ['-Wl,--gc-sections', '-static-libstdc++', ...more];
    }
    return ['-Wl,--as-needed'];
  },
  version: () => blas().version(),
};

module.exports = { answers, OpenBlasMissing };

if (require.main === module) {
  const question = process.argv[2];
  if (!Object.hasOwn(answers, question ?? '')) {
    console.error(`usage: node native/openblas.cjs ${Object.keys(answers).join('|')}`);
    process.exit(2);
  }
  try {
    const answer = answers[question]();
    console.log(question === 'version' ? answer.join(' ') : answer.map(quote).join(' '));
  } catch (error) {
    if (!(error instanceof OpenBlasMissing)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
