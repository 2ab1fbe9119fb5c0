// The OpenBLAS inside the addon that travels: Debian 13's static 0.3.29, which Debian 12 has not. Fetched by apt-get into
// a folder of ours; for musl compiled from the sources of the same package.
//
// 0.3.29 has kernels for small matrices on Haswell, Zen and Sapphire Rapids, and a better gemm for large ones. Never
// 0.3.30, whose gemm races; 0.3.34 overflows the stack under a forced OPENBLAS_CORETYPE.
import { cpSync, existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { aptIn } from './apt.mjs';
import { compileOpenBlas, libraryOfCompiler } from './musl.mjs';

const PACKAGE = 'libopenblas-pthread-dev';
const VERSION = '0.3.29+ds-3';
const SUITE = 'http://deb.debian.org/debian trixie main\n';
/** Of the description of its sources, which has those of the sources. */
const SOURCES_SHA256 = 'b5ee492da8dd40f0ce693635a6a9259c3634d2ff1a569d5baf18a53d62e2629c';

/**
 * Kernels of processors from before AVX2 that are left out, and those of the processor whose instructions they take in their place:
 * a fifth of the package. OpenBLAS knows each by a table of this name.
 */
const IN_PLACE_OF = {
  ATOM: 'PRESCOTT',
  NANO: 'PRESCOTT',
  BOBCAT: 'PRESCOTT',
  OPTERON_SSE3: 'OPTERON',
  BARCELONA: 'OPTERON',
  PENRYN: 'CORE2',
  DUNNINGTON: 'CORE2',
  PILEDRIVER: 'BULLDOZER',
  STEAMROLLER: 'BULLDOZER',
  EXCAVATOR: 'BULLDOZER',
};
const table = (processor) => `gotoblas_${processor}`;
const aliases = Object.entries(IN_PLACE_OF).map(([left, kept]) => `-Wl,--defsym=${table(left)}=${table(kept)}`);

/** The folders of headers and library below `folder`, as the environment of native/openblas.cjs; none where it is not there. */
export function openBlasIn(folder, { arch, libc }) {
  const [OPENBLAS_INCLUDE_DIR, OPENBLAS_LIB_DIR] = ['include', 'lib'].map((kind) => path.join(folder, VERSION, kind));
  if (!existsSync(path.join(OPENBLAS_LIB_DIR, 'libopenblas.a'))) return {};
  const link = libc === 'musl' ? libraryOfCompiler({ arch }) : arch === 'x64' ? aliases.join(' ') : '';
  return { OPENBLAS_INCLUDE_DIR, OPENBLAS_LIB_DIR, OPENBLAS_LINK_FLAGS: link };
}

/** Fetches it into `folder` unless it is there; for musl it is compiled then. Throws with what failed. */
export function fetchOpenBlas(folder, target) {
  const { platform, libc, debian, libraries, sha256 } = target;
  if (debian === undefined) throw new Error(`Debian builds none for ${platform}`);
  if (Object.keys(openBlasIn(folder, target)).length > 0) return;
  const workplace = path.join(folder, 'fetching');
  const apt = aptIn(workplace, debian, `deb ${SUITE}${libc === 'musl' ? `deb-src ${SUITE}` : ''}`);
  const packed = (kind) => path.join(workplace, 'package', 'usr', kind, libraries, 'openblas-pthread');
  apt.unpack(PACKAGE, VERSION, sha256);
  const kept = path.join(workplace, VERSION);
  cpSync(packed('include'), path.join(kept, 'include'), { recursive: true });
  const debians = path.join(packed('lib'), 'libopenblas.a');
  const archive =
    libc === 'musl' ? compileOpenBlas(apt.sources('openblas', VERSION, SOURCES_SHA256), target, debians) : debians;
  cpSync(archive, path.join(kept, 'lib', 'libopenblas.a'), { dereference: true });
  renameSync(kept, path.join(folder, VERSION));
  rmSync(workplace, { recursive: true });
}
