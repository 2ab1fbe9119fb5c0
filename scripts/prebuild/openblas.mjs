// The OpenBLAS inside the addon that travels: Debian 13's static 0.3.29, which Debian 12 has not. Fetched by apt-get into
// a folder of ours, with package lists of its own: the system and its packages stay as they are.
//
// 0.3.29 has kernels for small matrices on Haswell, Zen and Sapphire Rapids, and a better gemm for large ones. Never
// 0.3.30, whose gemm races; 0.3.34 overflows the stack under a forced OPENBLAS_CORETYPE.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const PACKAGE = 'libopenblas-pthread-dev';
const VERSION = '0.3.29+ds-3';
const SUITE = 'deb http://deb.debian.org/debian trixie main\n';

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
export function openBlasIn(folder, { arch }) {
  const [OPENBLAS_INCLUDE_DIR, OPENBLAS_LIB_DIR] = ['include', 'lib'].map((kind) => path.join(folder, VERSION, kind));
  if (!existsSync(path.join(OPENBLAS_LIB_DIR, 'libopenblas.a'))) return {};
  const link = arch === 'x64' ? { OPENBLAS_LINK_FLAGS: aliases.join(' ') } : {};
  return { OPENBLAS_INCLUDE_DIR, OPENBLAS_LIB_DIR, ...link };
}

function run(command, args, cwd) {
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 2, 'pipe'] });
  if (error) throw new Error(`${command} could not be run (${error.code})`);
  if (status !== 0) throw new Error(`${command} ${args.at(-1)}: ${stderr.trim().split('\n').at(-1)}`);
}

/** Fetches it into `folder` unless it is there. Throws with what failed. */
export function fetchOpenBlas(folder, target) {
  const { platform, debian, libraries, sha256 } = target;
  if (debian === undefined) throw new Error(`Debian builds none for ${platform}`);
  if (Object.keys(openBlasIn(folder, target)).length > 0) return;
  const workplace = path.join(folder, 'fetching');
  rmSync(workplace, { recursive: true, force: true });
  mkdirSync(path.join(workplace, 'lists', 'partial'), { recursive: true });
  const sources = path.join(workplace, 'sources.list');
  writeFileSync(sources, SUITE);
  const own = [
    '-q',
    '-o',
    `Dir::State::lists=${path.join(workplace, 'lists')}`,
    '-o',
    `Dir::Etc::sourcelist=${sources}`,
  ];
  const options = [
    ...own,
    '-o',
    'Dir::Etc::sourceparts=-',
    '-o',
    'Acquire::Retries=1',
    '-o',
    'Acquire::http::Timeout=30',
    ...[
      '-o',
      `APT::Architecture=${debian}`,
      '-o',
      `APT::Architectures::=${debian}`,
      '-o',
      'Dir::State::status=/dev/null',
    ],
  ];
  run('apt-get', [...options, 'update'], workplace);
  run('apt-get', [...options, 'download', `${PACKAGE}=${VERSION}`], workplace);
  const file = `${PACKAGE}_${VERSION}_${debian}.deb`;
  const found = createHash('sha256')
    .update(readFileSync(path.join(workplace, file)))
    .digest('hex');
  if (found !== sha256) throw new Error(`${file} has the SHA-256 ${found}, not ${sha256}`);
  run('dpkg-deb', ['-x', file, 'package'], workplace);
  const packed = (kind) => path.join(workplace, 'package', 'usr', kind, libraries, 'openblas-pthread');
  const kept = path.join(workplace, VERSION);
  cpSync(packed('include'), path.join(kept, 'include'), { recursive: true });
  cpSync(path.join(packed('lib'), 'libopenblas.a'), path.join(kept, 'lib', 'libopenblas.a'), { dereference: true });
  renameSync(kept, path.join(folder, VERSION));
  rmSync(workplace, { recursive: true });
}
