// The steps of the set-up, in order. Each looks first whether it is needed.
import { createHash } from 'node:crypto';
import {
  accessSync,
  existsSync,
  constants as fsConstants,
  lstatSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { constants, homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lock } from './lock.mjs';
import { nodeHeaders } from './node-headers.mjs';
import { askUserFor, commandFor, install, mayInstall, packagesOf } from './packages.mjs';
import { capture, find, run, SetupError, stopChildren } from './run.mjs';
import { contentHash, hasStamp, writeStamp } from './stamp.mjs';

const root = realpathSync(fileURLToPath(new URL('../..', import.meta.url)));
const inRoot = (...names) => path.join(root, ...names);
const logFile = (name) => inRoot('.setup', `${name}.log`);
const openblas = createRequire(import.meta.url)('../../native/openblas.cjs');

const done = (text) => console.log(`✓ ${text}`);
const doing = (text) => console.log(`→ ${text} …`);
const note = (text) => console.log(`! ${text}`);

// ---------------------------------------------------------------------------------------------- the system's packages

/** The C++ compiler's name; undefined when there is none that takes C++20. */
function findCompiler() {
  const folder = mkdtempSync(path.join(tmpdir(), 'dladmm-'));
  try {
    const source = path.join(folder, 'probe.cc');
    // Linked too: a compiler without its library, or without a linker, gets through -fsyntax-only.
    writeFileSync(source, '#include <span>\nint main(int n, char**) { std::span<int> s(&n, 1); return s[0] - n; }\n');
    const candidates = process.env.CXX ? [process.env.CXX] : ['g++', 'c++'];
    const program = path.join(folder, 'probe');
    return candidates.find((cxx) => capture(cxx, ['-std=c++20', source, '-o', program]) !== undefined);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The version of OpenBLAS, or the reason why it cannot be used. */
function lookForOpenBlas() {
  try {
    openblas.answers.include();
    openblas.answers.libs();
    return { version: openblas.answers.version().join(' ') };
  } catch (error) {
    if (!(error instanceof openblas.OpenBlasMissing)) throw error;
    return { reason: error.reason };
  }
}

const isFile = (file) => existsSync(file) && statSync(file).isFile();
const has = (command) => find(command, isFile) !== undefined;
const overridden = process.env.DLADMM_BLAS || (process.env.OPENBLAS_INCLUDE_DIR && process.env.OPENBLAS_LIB_DIR);

/** What is missing, as { need: reason }. The compiler and its companions are tried only when something is to be built. */
function missingNeeds({ test, building }) {
  const { reason } = lookForOpenBlas();
  const compilers = process.env.CXX ? process.env.CXX : 'g++ or c++';
  return Object.fromEntries(
    [
      [
        building && !findCompiler(),
        'compiler',
        `no working C++20 compiler (${compilers}; GCC 10 is the oldest that will do)`,
      ],
      [building && !capture('python3', ['--version']), 'python', 'no python3 (node-gyp needs it)'],
      [building && !has('make'), 'make', 'no make'],
      [!overridden && !has(process.env.PKG_CONFIG || 'pkg-config'), 'pkgConfig', 'no pkg-config'],
      [reason, 'openblas', `no usable OpenBLAS: ${reason?.replace(/\.$/, '')}`],
      [test && !has('cmake'), 'cmake', 'no cmake'],
      [test && !has('ninja'), 'ninja', 'no ninja'],
      [test && !has('clang-format') && !process.env.CLANG_FORMAT, 'clangFormat', 'no clang-format'],
    ]
      .filter(([isMissing]) => isMissing)
      .map(([, need, why]) => [need, why]),
  );
}

async function ensureTools(wanted) {
  const missing = missingNeeds(wanted);
  const needs = Object.keys(missing);
  if (needs.length === 0) return;
  if (!mayInstall()) askUserFor(needs, Object.values(missing));
  doing(`installing ${packagesOf(needs).join(' ')}`);
  const failure = await install(needs, logFile('apt'));
  const still = missingNeeds(wanted);
  if (Object.keys(still).length === 0) return;
  for (const line of failure ?? []) console.error(`  ${line}`);
  askUserFor(Object.keys(still), Object.values(still));
}

// ------------------------------------------------------------------------------------------------- what is nice to have

/** What is installed where that is allowed, and done without elsewhere. */
const EXTRAS = {
  fashionMnist: {
    name: 'Fashion-MNIST',
    wanted: 'data',
    has: () => existsSync('/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz'),
    without: 'the bundled digits serve',
  },
  postgres: {
    name: 'PostgreSQL',
    wanted: 'test',
    has: () => has('initdb') || existsSync('/usr/lib/postgresql'),
    without: 'the example over PostgreSQL is not tested',
  },
  chromium: {
    name: 'Chromium',
    wanted: 'test',
    has: () => has('chromium') || has('chromium-browser'),
    without: 'pages are not opened in a browser',
  },
  clang: {
    name: 'Clang',
    wanted: 'test',
    has: () => has('clang++'),
    without: 'npm run test:fuzz:native cannot run',
  },
};
const DAY_MS = 24 * 60 * 60 * 1000;

const gaveUpFile = (need) => inRoot('.setup', `no-${need}`);
// Off line each try costs half a minute, so a failed one counts for a day.
const gaveUpOn = (need) => existsSync(gaveUpFile(need)) && Date.now() - statSync(gaveUpFile(need)).mtimeMs < DAY_MS;
const isSettled = (need) => EXTRAS[need].has() || gaveUpOn(need) || commandFor([need]) === undefined;
const extrasFor = (wanted) => Object.keys(EXTRAS).filter((need) => wanted[EXTRAS[need].wanted]);

async function ensureExtra(need) {
  const { name, has, without } = EXTRAS[need];
  if (isSettled(need)) return;
  if (mayInstall()) {
    doing(`installing ${packagesOf([need]).join(' ')}`);
    const failure = await install([need], logFile(`apt-${need}`));
    if (has()) {
      rmSync(gaveUpFile(need), { force: true });
      done(name);
      return;
    }
    const why = failure?.findLast((line) => line.startsWith('E: ')) ?? failure?.at(-2);
    note(`${name} could not be installed: ${why ?? 'the package does not hold it'}`);
  }
  note(`without ${name} ${without}; to have it: ${commandFor([need])}`);
  writeStamp(gaveUpFile(need), '');
}

// ---------------------------------------------------------------------------------------------------- npm's packages

const npmStamp = inRoot('node_modules', '.dladmm-setup');
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

function npmHash() {
  const platform = `${process.platform} ${process.arch}`;
  return sha256(`${platform}\n${readFileSync(inRoot('package-lock.json'), 'utf8')}`);
}

// A link to another checkout's packages is that checkout's to fill.
const hasLinkedPackages = () => lstatSync(inRoot('node_modules'), { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
const packagesAreFresh = () => hasLinkedPackages() || hasStamp(npmStamp, npmHash());

/** How to call npm: the very one that called us, if any. */
function npm(...args) {
  const cli = process.env.npm_execpath;
  return cli && path.basename(cli).startsWith('npm') && isFile(cli)
    ? [process.execPath, [cli, ...args]]
    : ['npm', args];
}

/** True when a file can be made in `folder`, or the folder itself where it is to be. */
function isWritable(folder) {
  if (!existsSync(folder)) return isWritable(path.dirname(folder));
  try {
    accessSync(folder, fsConstants.W_OK);
    return true;
  } catch {
    return false;
  }
}

// In a container the user often has no home, or `/` for one, and npm must keep its cache somewhere.
function npmCache() {
  const usual = process.env.npm_config_cache ?? path.join(homedir(), '.npm');
  return isWritable(usual) ? {} : { npm_config_cache: inRoot('.setup', 'npm-cache') };
}

async function ensurePackages() {
  if (packagesAreFresh()) return;
  doing('installing the npm packages');
  // include=dev: the build needs TypeScript whatever NODE_ENV says.
  const [command, args] = npm('ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund');
  await run('npm ci', command, args, { cwd: root, env: npmCache(), logFile: logFile('npm') });
  writeStamp(npmStamp, npmHash());
}

/** The installed version of an npm package, or a word that is none. */
function installed(name) {
  const manifest = inRoot('node_modules', name, 'package.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : 'none';
}

// ---------------------------------------------------------------------------------------------------------- the addon

const addon = inRoot('build', 'Release', 'dladmm.node');
const addonStamp = inRoot('build', '.dladmm-setup');

function addonHash() {
  const { OPENBLAS_STATIC = '', OPENBLAS_INCLUDE_DIR = '', OPENBLAS_LIB_DIR = '', CXX = '' } = process.env;
  const { DLADMM_BLAS = '', DLADMM_BLAS_INCLUDE_DIR = '' } = process.env;
  const node = process.versions.node.split('.')[0];
  return contentHash(
    root,
    ['binding.gyp', 'native/sources.json', 'native/openblas.cjs', 'native/exports.map', 'native/core', 'native/addon'],
    [
      process.platform,
      process.arch,
      node,
      installed('node-addon-api'),
      OPENBLAS_STATIC,
      OPENBLAS_INCLUDE_DIR,
      OPENBLAS_LIB_DIR,
      DLADMM_BLAS,
      DLADMM_BLAS_INCLUDE_DIR,
      CXX,
    ],
  );
}

/** True when build/ holds the addon of the sources as they are. */
export const addonIsFresh = () => existsSync(addon) && hasStamp(addonStamp, addonHash());

async function ensureAddon() {
  if (addonIsFresh()) return;
  doing('building the native addon (about a minute)');
  const headers = nodeHeaders();
  const hash = addonHash();
  const [command, args] = npm('run', 'build:native', ...(headers ? ['--', `--nodedir=${headers}`] : []));
  await run('building the addon', command, args, { cwd: root, logFile: logFile('native') });
  const load = ['-e', 'require(process.argv[1])', addon];
  await run('loading the new addon', process.execPath, load, { cwd: root, logFile: logFile('load') });
  writeStamp(addonStamp, hash);
}

// ------------------------------------------------------------------------------------------------------ the TypeScript

const typescriptStamp = inRoot('dist', '.dladmm-setup');

function typescriptHash() {
  const sources = ['src', 'bench', 'test/golden', 'tsconfig.json', 'tsconfig.base.json'];
  return contentHash(root, sources, [installed('typescript'), installed('@types/node')]);
}

const typescriptIsFresh = () => hasStamp(typescriptStamp, typescriptHash());

async function ensureTypescript() {
  if (typescriptIsFresh()) return;
  doing('compiling the TypeScript');
  const hash = typescriptHash();
  const [command, args] = npm('run', 'build:ts');
  await run('compiling the TypeScript', command, args, { cwd: root, logFile: logFile('typescript') });
  writeStamp(typescriptStamp, hash);
}

// --------------------------------------------------------------------------------------------------------- all of them

function isAllDone({ test, data }) {
  const built = packagesAreFresh() && addonIsFresh() && typescriptIsFresh();
  return (
    built &&
    extrasFor({ test, data }).every(isSettled) &&
    Object.keys(missingNeeds({ test, building: false })).length === 0
  );
}

async function setUp(wanted) {
  if (!['linux', 'darwin'].includes(process.platform)) {
    throw new SetupError(
      `dladmm is built for Linux and macOS, not ${process.platform}; on Windows, WSL with Debian or Ubuntu works.`,
    );
  }
  // Looked at before the lock: the usual run has nothing to write, and may not even be allowed to.
  if (isAllDone(wanted)) {
    done(`ready: Node.js ${process.versions.node}, OpenBLAS ${lookForOpenBlas().version}, addon and TypeScript built`);
    return;
  }
  const release = await lock(inRoot('.setup', 'running'), () => note('another set-up is at work here; waiting for it'));
  process.once('exit', release);
  done(`Node.js ${process.versions.node}`);
  await ensureTools({ ...wanted, building: !addonIsFresh() });
  done(`OpenBLAS ${lookForOpenBlas().version}`);
  for (const need of extrasFor(wanted)) await ensureExtra(need);
  await ensurePackages();
  done('npm packages');
  await ensureAddon();
  done('native addon');
  await ensureTypescript();
  done('TypeScript');
}

export async function main(args) {
  const unknown = args.find((argument) => argument !== '--test' && argument !== '--data');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      stopChildren();
      process.exit(128 + constants.signals[signal]);
    });
  }
  // An empty HOME makes npm keep its files in a folder called ~ here; without one it asks the system.
  if (process.env.HOME === '') delete process.env.HOME;
  try {
    if (unknown !== undefined)
      throw new SetupError(`unknown argument ${unknown}; usage: node scripts/setup.mjs [--test] [--data]`);
    await setUp({ test: args.includes('--test'), data: args.includes('--data') });
  } catch (error) {
    const text =
      error instanceof SetupError
        ? error.message
        : error?.code && error?.path
          ? error.message
          : (error?.stack ?? String(error));
    console.error(`✗ ${text}`);
    process.exitCode = 1;
  }
}
