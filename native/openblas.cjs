// The one place that knows where OpenBLAS is: binding.gyp, CMakeLists.txt and scripts/setup.mjs all ask here.
//
//   node native/openblas.cjs include   header folders
//   node native/openblas.cjs libs      what to link
//   node native/openblas.cjs link      linker flags that go with it
//   node native/openblas.cjs version   e.g. 0.3.21
//
// OPENBLAS_INCLUDE_DIR and OPENBLAS_LIB_DIR, set together, replace pkg-config; OPENBLAS_STATIC=1 links libopenblas.a.
// Answers are quoted for a POSIX shell, which is how gyp and CMake split them.
const { spawnSync } = require('node:child_process');
const { existsSync, readdirSync } = require('node:fs');
const path = require('node:path');

const HELP = `To install it:
  Debian, Ubuntu   sudo apt-get install libopenblas-dev pkg-config
  Fedora           sudo dnf install openblas-devel pkgconf-pkg-config
  Alpine           apk add openblas-dev pkgconf
  macOS            brew install openblas pkgconf
Elsewhere, set OPENBLAS_INCLUDE_DIR (holds cblas.h) and OPENBLAS_LIB_DIR (holds libopenblas).`;

class OpenBlasMissing extends Error {
  constructor(reason) {
    super(`dladmm needs OpenBLAS: ${reason}\n${HELP}`);
    this.reason = reason;
  }
}

const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

// Homebrew does not link OpenBLAS into its prefix, so pkg-config sees it only when told of the keg.
const kegs = ['/opt/homebrew/opt/openblas/lib/pkgconfig', '/usr/local/opt/openblas/lib/pkgconfig'];

function pkgConfig(...args) {
  const searched = [process.env.PKG_CONFIG_PATH, ...(process.platform === 'darwin' ? kegs : [])].filter(Boolean);
  const env = searched.length > 0 ? { ...process.env, PKG_CONFIG_PATH: searched.join(path.delimiter) } : process.env;
  const command = process.env.PKG_CONFIG || 'pkg-config';
  const run = spawnSync(command, [...args, 'openblas'], { encoding: 'utf8', env });
  if (run.error) throw new OpenBlasMissing(`${command} could not be run (${run.error.code}).`);
  if (run.status !== 0) throw new OpenBlasMissing('pkg-config does not know a package "openblas".');
  return run.stdout.trim();
}

// pkg-config escapes what a shell would split or expand, with backslashes.
const words = (line) => (line.match(/(?:\\.|[^\s\\])+/g) ?? []).map((word) => word.replace(/\\(.)/g, '$1'));

/** The folder with cblas.h and the one with the library, from the environment; undefined when pkg-config is to answer. */
function fromEnvironment() {
  const { OPENBLAS_INCLUDE_DIR: include, OPENBLAS_LIB_DIR: lib } = process.env;
  if (!include && !lib) return undefined;
  if (!include || !lib) throw new OpenBlasMissing('OPENBLAS_INCLUDE_DIR and OPENBLAS_LIB_DIR must be set together.');
  const spaced = [include, lib].map((folder) => path.resolve(folder)).find((folder) => /\s/.test(folder));
  if (spaced) throw new OpenBlasMissing(`make cannot take the space in ${spaced}; a symbolic link without one will do.`);
  if (!existsSync(path.join(include, 'cblas.h'))) throw new OpenBlasMissing(`OPENBLAS_INCLUDE_DIR=${include} holds no cblas.h.`);
  return { include: path.resolve(include), lib: path.resolve(lib) };
}

const isStatic = () => Boolean(process.env.OPENBLAS_STATIC) && process.env.OPENBLAS_STATIC !== '0';

const answers = {
  include() {
    const given = fromEnvironment();
    if (given) return [given.include];
    const folders = words(pkgConfig('--cflags-only-I')).map((flag) => flag.slice('-I'.length));
    // Without an -I the headers lie where the compiler looks anyway.
    const reachable = [...folders, '/usr/include', '/usr/local/include'];
    if (folders.length > 0 && !reachable.some((folder) => existsSync(path.join(folder, 'cblas.h')))) {
      throw new OpenBlasMissing(`its headers are missing (no cblas.h in ${folders.join(', ')}).`);
    }
    return folders;
  },
  libs() {
    const given = fromEnvironment();
    if (isStatic()) {
      const folder = given?.lib ?? pkgConfig('--variable=libdir');
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
    return words(pkgConfig('--libs'));
  },
  link() {
    if (process.platform !== 'linux') return [];
    // A second OpenBLAS in the process must not see our symbols; glibc 2.34 stays enough when libgcc is left shared.
    if (isStatic()) return ['-Wl,--exclude-libs,ALL', '-Wl,--gc-sections', '-static-libstdc++'];
    return ['-Wl,--as-needed'];
  },
  version() {
    return [fromEnvironment() ? 'from OPENBLAS_LIB_DIR' : pkgConfig('--modversion')];
  },
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
