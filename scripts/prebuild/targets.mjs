// The platforms that addons are built for, each by its name (src/core/platform.ts), and what it takes to build one for another machine.
import { existsSync } from 'node:fs';

// As prebuildify tells one from the other, and node-gyp-build.
const isMusl = process.platform === 'linux' && existsSync('/etc/alpine-release');

/** The platform of this machine. */
export const here = `${process.platform}-${process.arch}-${isMusl ? 'musl' : 'glibc'}`;

/** Debian's names of its processor, its folder of libraries, and the SHA-256 of the package with OpenBLAS for it. */
const DEBIAN = {
  'linux-x64-glibc': {
    debian: 'amd64',
    libraries: 'x86_64-linux-gnu',
    sha256: '1e056a09ed64a39227e25150909a4f9fd83905d4a996f39dd5a919b95ce49559',
  },
  'linux-arm64-glibc': {
    debian: 'arm64',
    libraries: 'aarch64-linux-gnu',
    sha256: 'eb134d45fbf6f3b806213ce2102020abba4f30d921e4db6d85faf45c6964cc79',
  },
};

/** Its compiler where it is another machine's. */
function crossTools(libraries) {
  const tool = (name) => `${libraries}-${name}`;
  return { CC: tool('gcc'), CXX: tool('g++'), AR: tool('ar'), PREBUILD_STRIP_BIN: tool('strip') };
}

/** { platform, arch, libc, tools: environment of its compiler, debian, libraries, sha256 }; the last three where Debian has an OpenBLAS for it. */
export function targetOf(platform = here) {
  const [system, arch, libc] = platform.split('-');
  const debian = DEBIAN[platform] ?? {};
  return { platform, system, arch, libc, ...debian, tools: platform === here ? {} : crossTools(debian.libraries) };
}

/** A processor of that kind as most have it: NEON, and not the wider vectors that the emulator would have. */
const PROCESSOR = { arm64: ['-cpu', 'neoverse-n1'] };

/** How a program of the platform runs here: the words before it. */
export const emulatorOf = ({ platform, arch, libraries }) =>
  platform === here
    ? []
    : [`qemu-${libraries.split('-')[0]}-static`, ...(PROCESSOR[arch] ?? []), '-L', `/usr/${libraries}`];

/** What has to be installed by apt to build for it and to run it. */
export const packagesFor = ({ platform, libraries }) =>
  platform === here ? [] : [`g++-${libraries.replace('_', '-')}`, 'qemu-user-static'];
