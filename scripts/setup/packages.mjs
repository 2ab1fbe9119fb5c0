// What has to be installed, how each kind of system calls it, and how it gets there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { attempt, find, SetupError, succeeds } from './run.mjs';

/** The package of each need, by package manager. */
const PACKAGES = {
  compiler: { apt: 'g++', dnf: 'gcc-c++', apk: 'g++', brew: 'gcc' },
  make: { apt: 'make', dnf: 'make', apk: 'make', brew: 'make' },
  python: { apt: 'python3', dnf: 'python3', apk: 'python3', brew: 'python' },
  openblas: { apt: 'libopenblas-dev', dnf: 'openblas-devel', apk: 'openblas-dev', brew: 'openblas' },
  pkgConfig: { apt: 'pkg-config', dnf: 'pkgconf-pkg-config', apk: 'pkgconf', brew: 'pkgconf' },
  cmake: { apt: 'cmake', dnf: 'cmake', apk: 'cmake', brew: 'cmake' },
  ninja: { apt: 'ninja-build', dnf: 'ninja-build', apk: 'samurai', brew: 'ninja' },
  clangFormat: { apt: 'clang-format', dnf: 'clang-tools-extra', apk: 'clang-extra-tools', brew: 'clang-format' },
  clang: { apt: 'clang libclang-rt-dev', dnf: 'clang compiler-rt', apk: 'clang compiler-rt', brew: 'llvm' },
  fashionMnist: { apt: 'dataset-fashion-mnist' },
  chromium: { apt: 'chromium', dnf: 'chromium', apk: 'chromium' },
  postgres: { apt: 'postgresql', dnf: 'postgresql-server', apk: 'postgresql', brew: 'postgresql' },
};

const INSTALL = {
  apt: ['apt-get', 'install', '-y'],
  dnf: ['dnf', 'install', '-y'],
  apk: ['apk', 'add'],
  brew: ['brew', 'install'],
};

const isRoot = process.getuid?.() === 0;

/** The system's package manager, or undefined when it is none that we know. */
export const manager =
  process.platform === 'darwin'
    ? 'brew'
    : Object.entries(INSTALL).find(([name, [command]]) => name !== 'brew' && find(command, existsSync))?.[0];

/** The packages of `needs` that this system has. */
export function packagesOf(needs) {
  return needs.flatMap((need) => PACKAGES[need][manager]?.split(' ') ?? []);
}

/** The one command that installs `needs`, to be typed by the user; undefined when this system has none of them. */
export function commandFor(needs) {
  const packages = packagesOf(needs);
  if (packages.length === 0) return undefined;
  const prefix = isRoot || manager === 'brew' ? '' : 'sudo ';
  return `${prefix}${[...INSTALL[manager], ...packages].join(' ')}`;
}

/** True when packages can be installed without asking anybody for a password. */
export function mayInstall() {
  return manager === 'apt' && (isRoot || succeeds('sudo', ['-n', 'true']));
}

function hasPackageLists() {
  try {
    return readdirSync('/var/lib/apt/lists').some((file) => file.includes('_Packages'));
  } catch {
    return false;
  }
}

/** Installs `needs` with apt-get. Resolves to undefined, or to lines that say what went wrong. */
export async function install(needs, logFile) {
  const apt = (...args) => {
    // Another apt (unattended upgrades, say) may hold the lock: wait for it. A dead mirror must not hold us for ever.
    const options = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=30'];
    const command = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...options, ...args];
    const [program, ...rest] = isRoot ? command : ['sudo', '-n', ...command];
    return attempt(program, rest, { logFile });
  };
  const packages = packagesOf(needs);
  const once = () => apt('install', '-y', '--no-install-recommends', ...packages);
  // Where there are lists they mostly serve; fetching them anew is for when they are absent or too old.
  if (hasPackageLists() && !(await once())) return undefined;
  return (await apt('update')) ?? (await once());
}

/** Name and version of the system, for an error message. */
export function systemName() {
  try {
    return readFileSync('/etc/os-release', 'utf8').match(/^PRETTY_NAME="?([^"\n]*)/m)?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}

/** Throws a SetupError with the one command to type. */
export function askUserFor(needs, reasons) {
  const command = commandFor(needs);
  const advice = command
    ? `To install ${needs.length > 1 ? 'them' : 'it'}:\n\n    ${command}\n\n  and then run the same command as before again.`
    : `Please install ${needs.length > 1 ? 'them' : 'it'} with the package manager of ${systemName()}.`;
  throw new SetupError(`${reasons.join('; ')}\n  ${advice}`);
}
