// The platforms that addons are built for, each by its name (src/core/platform.ts), and what it takes to build one for another machine.
import { existsSync } from 'node:fs';
import { loaderOf, muslTools } from './musl.mjs';

// As prebuildify tells one from the other, and node-gyp-build.
const isMusl = process.platform === 'linux' && existsSync('/etc/alpine-release');

/** The platform of this machine. */
export const here = `${process.platform}-${process.arch}-${isMusl ? 'musl' : 'glibc'}`;

/** Debian's names of a processor and of its folder of libraries, and the SHA-256 of the package with OpenBLAS for it. */
const DEBIAN = {
  x64: {
    debian: 'amd64',
    libraries: 'x86_64-linux-gnu',
    sha256: '1e056a09ed64a39227e25150909a4f9fd83905d4a996f39dd5a919b95ce49559',
  },
  arm64: {
    debian: 'arm64',
    libraries: 'aarch64-linux-gnu',
    sha256: 'eb134d45fbf6f3b806213ce2102020abba4f30d921e4db6d85faf45c6964cc79',
  },
};

const isOurProcessor = ({ arch }) => arch === process.arch;

/** The name of a GNU tool for its processor. */
export const toolFor = (target, name) => (isOurProcessor(target) ? name : `${target.libraries}-${name}`);

/** Its compiler where it is another machine's. */
function toolsFor(target) {
  if (target.platform === here) return {};
  const tool = (name) => toolFor(target, name);
  const compiler = target.libc === 'musl' ? muslTools(target) : { CC: tool('gcc'), CXX: tool('g++'), AR: tool('ar') };
  return { ...compiler, PREBUILD_STRIP_BIN: tool('strip') };
}

/** { platform, system, arch, libc, tools: environment of its compiler, debian, libraries, sha256 }; the last three where Debian has an OpenBLAS for it. */
export function targetOf(platform = here) {
  const [system, arch, libc] = platform.split('-');
  const target = { platform, system, arch, libc, ...(system === 'linux' && DEBIAN[arch]) };
  return { ...target, tools: toolsFor(target) };
}

/** A processor of that kind as most have it: NEON, and not the wider vectors that the emulator would have. */
const PROCESSOR = { arm64: ['-cpu', 'neoverse-n1'] };

/** How a program of its processor runs here: the words before it. What it is linked to lies in a folder of that kind. */
export const emulatorOf = (target, folder = `/usr/${target.libraries}`) =>
  isOurProcessor(target)
    ? []
    : [`qemu-${target.libraries.split('-')[0]}-static`, ...(PROCESSOR[target.arch] ?? []), '-L', folder];

/** What has to be installed by apt to build for it and to run it: the program or file by which it is known to be there, and the package. */
export const packagesFor = (target) => ({
  ...(target.platform === here
    ? {}
    : { [toolFor(target, 'g++')]: isOurProcessor(target) ? 'g++' : `g++-${target.libraries.replace('_', '-')}` }),
  ...(isOurProcessor(target) ? {} : { [emulatorOf(target)[0]]: 'qemu-user-static' }),
  ...(target.libc === 'musl' && { 'dpkg-source': 'dpkg-dev', make: 'make' }),
  ...(target.libc === 'musl' && isOurProcessor(target) && { [loaderOf(target)]: 'musl' }),
});
