// A runtime for musl: there is no Node for it on npm, but there is Bun, which loads addons by the same interface.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { aptIn, run } from '../prebuild/apt.mjs';
import { namesOf } from '../prebuild/check.mjs';
import { loaderOf } from '../prebuild/musl.mjs';
import { emulatorOf, toolFor } from '../prebuild/targets.mjs';
import { installTools } from '../tools/install.mjs';

const kept = path.join(import.meta.dirname, '../../.setup/musl');
const SUITE = 'deb http://deb.debian.org/debian bookworm main\n';
/** Alpine has had a newer one since 3.17. */
const MUSL = { version: '1.2.3-1', sha256: '6ccf2bf0f479b00411cb8e1eeb048e648718170db5d63bbb4bf4a89350b81468' };

/** The folder that holds musl as a system of the processor would: the machine itself, or a copy of Debian's package. */
function systemOf(target) {
  if (emulatorOf(target).length === 0) return '/';
  const folder = path.join(kept, target.arch);
  const unpacked = path.join(folder, 'package');
  if (!existsSync(unpacked)) aptIn(folder, target.debian, SUITE).unpack('musl', MUSL.version, MUSL.sha256);
  return unpacked;
}

/** What GCC's libraries ask of glibc that musl has not. Nothing is unwound by them. */
const SHIMS = `
extern "C" {
char __libc_single_threaded;
unsigned long getauxval(unsigned long);
unsigned long __getauxval(unsigned long type) { return getauxval(type); }
int _dl_find_object(void*, void*) { return -1; }
}
`;

/** Bun takes a libstdc++.so.6: one for musl is linked of Debian's static one, as far as Bun asks for it. */
function linkLibstdcxx(target, bun, loader, folder) {
  const { asked, given } = namesOf(bun);
  const inMusl = new Set(namesOf(loader).given);
  // Tables of classes are asked for and copied, so that they are among those that it has.
  const names = [...asked, ...given].filter(
    (name) => !inMusl.has(name) && /^_ZN|^_ZS|^_ZTVN10__cxxabi|^__cxa_(?!thread)|^__dyn|^__once/.test(name),
  );
  const workplace = mkdtempSync(`${folder}-`);
  const inWorkplace = (name, text) => {
    const file = path.join(workplace, name);
    if (text !== undefined) writeFileSync(file, text);
    return file;
  };
  const compiler = toolFor(target, 'g++');
  const ofCompiler = (name) => spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
  run(compiler, [
    ...['-shared', '-nostdlib', '-o', inWorkplace('libstdc++.so.6'), inWorkplace('shims.cc', SHIMS)],
    ...['-Wl,-soname,libstdc++.so.6', '-Wl,--gc-sections'],
    `-Wl,--version-script=${inWorkplace('names', `{ global: ${names.join('; ')}; local: *; };`)}`,
    ...names.map((name) => `-Wl,-u,${name}`),
    ...['crtbeginS.o', 'libstdc++.a', 'libgcc_eh.a', 'libgcc.a', 'crtendS.o'].map(ofCompiler),
  ]);
  renameSync(workplace, folder);
}

/** { words: before a program's; env: what Bun needs; lacks: an addon's faults by what it asks of musl } */
export function bunForMusl(target) {
  const processor = target.arch === 'arm64' ? 'aarch64' : target.arch;
  const bun = path.join(
    installTools('scripts/tools/musl', '--force'),
    `node_modules/@oven/bun-linux-${processor}-musl/bin/bun`,
  );
  mkdirSync(kept, { recursive: true });
  const system = systemOf(target);
  const loader = path.join(system, loaderOf(target));
  const folder = path.join(kept, `libstdc++-${target.arch}`);
  rmSync(folder, { recursive: true, force: true });
  linkLibstdcxx(target, bun, loader, folder);
  return {
    words: [...emulatorOf(target, system), bun],
    env: { LD_LIBRARY_PATH: folder },
    lacks(addon) {
      const provided = new Set(namesOf(loader).given);
      const absent = namesOf(addon).asked.filter((name) => !name.startsWith('napi_') && !provided.has(name));
      return absent.length === 0 ? [] : [`it asks for ${absent.join(', ')}, which musl has not`];
    },
  };
}
