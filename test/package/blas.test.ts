/** How the build finds its BLAS, and what it says where there is none. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../native/openblas.cjs', import.meta.url));

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dladmm-blas-'));
  for (const name of ['include', 'lib', 'empty', 'a space']) await mkdir(join(folder, name));
  await writeFile(join(folder, 'include', 'cblas.h'), '');
  await writeFile(join(folder, 'a space', 'cblas.h'), '');
  await writeFile(join(folder, 'lib', 'libopenblas.so'), '');
  // It knows openblas, blis and lapack.
  const pkgConfig = join(folder, 'pkg-config');
  await writeFile(
    pkgConfig,
    `#!/bin/sh
     for word in "$@"; do case "$word" in --*|openblas|blis|lapack) ;; *) exit 1 ;; esac; done
     case "$1" in
       --cflags-only-I) echo "-I${folder}/include" ;;
       --libs) shift; for name in "$@"; do printf -- "-l%s " "$name"; done ;;
       --variable=libdir) echo "${folder}/lib" ;;
       --modversion) echo 1.2.3 ;;
     esac`,
  );
  await chmod(pkgConfig, 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Answer {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The answer to a question, with nothing in the environment but a pkg-config and what is given. */
const ask = (question: string, env: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  new Promise((resolve) => {
    const PKG_CONFIG = join(folder, 'pkg-config');
    const child = execFile(
      process.execPath,
      [SCRIPT, question],
      { env: { PATH: '/usr/bin:/bin', PKG_CONFIG, ...env } },
      (_, out, err) => resolve({ code: child.exitCode, out: out.trim(), err: err.trim() }),
    );
  });

const answered = (out: string): Answer => ({ code: 0, out, err: '' });

describe('without a word in the environment', () => {
  test('OpenBLAS is what pkg-config knows of it', async () => {
    expect(await ask('include')).toEqual(answered(`${folder}/include`));
    expect(await ask('libs')).toEqual(answered('-lopenblas'));
    expect(await ask('defines')).toEqual(answered(''));
    expect(await ask('version')).toEqual(answered('1.2.3'));
  });

  test.each([
    ['no pkg-config', { PKG_CONFIG: '/nowhere/pkg-config' }, '/nowhere/pkg-config could not be run (ENOENT)'],
    ['a pkg-config that knows none', { PKG_CONFIG: '/bin/false' }, 'pkg-config does not know a package "openblas"'],
  ])('%s is told, with what to install on each system', async (_, env, reason) => {
    for (const question of ['include', 'libs']) {
      const { code, out, err } = await ask(question, env);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toMatch(new RegExp(`^dladmm needs OpenBLAS: ${reason.replace(/[()]/g, '\\$&')}`));
      expect(err).toMatch(/Debian, Ubuntu +sudo apt-get install libopenblas-dev/);
      expect(err).toMatch(/Fedora +sudo dnf install openblas-devel/);
      expect(err).toMatch(/Alpine +apk add openblas-dev/);
      expect(err).toMatch(/macOS +brew install openblas/);
      expect(err).toContain('DLADMM_BLAS');
    }
  });
});

describe('OPENBLAS_INCLUDE_DIR and OPENBLAS_LIB_DIR', () => {
  const both = () => ({ OPENBLAS_INCLUDE_DIR: join(folder, 'include'), OPENBLAS_LIB_DIR: join(folder, 'lib') });

  test('take the place of pkg-config', async () => {
    const env = { ...both(), PKG_CONFIG: '/bin/false' };
    expect(await ask('include', env)).toEqual(answered(`${folder}/include`));
    expect(await ask('libs', env)).toEqual(answered(`-L${folder}/lib -Wl,-rpath,${folder}/lib -lopenblas`));
  });

  test.each([
    ['one without the other', () => ({ OPENBLAS_INCLUDE_DIR: join(folder, 'include') }), 'must be set together'],
    [
      'a folder without the header',
      () => ({ ...both(), OPENBLAS_INCLUDE_DIR: join(folder, 'empty') }),
      'holds no cblas.h',
    ],
    [
      'a folder without the library',
      () => ({ ...both(), OPENBLAS_LIB_DIR: join(folder, 'empty') }),
      'holds no libopenblas',
    ],
    [
      'a space, which make cannot take',
      () => ({ ...both(), OPENBLAS_INCLUDE_DIR: join(folder, 'a space') }),
      'the space in',
    ],
    ['a static library that is not there', () => ({ ...both(), OPENBLAS_STATIC: '1' }), 'libopenblas.a does not exist'],
  ])('refuse %s', async (_, env, reason) => {
    expect(await ask('libs', env()).then(async (libs) => (libs.code === 0 ? ask('include', env()) : libs))).toEqual({
      code: 1,
      out: '',
      err: expect.stringContaining(reason),
    });
  });
});

describe('DLADMM_BLAS', () => {
  test('names packages of pkg-config', async () => {
    const env = { DLADMM_BLAS: 'blis lapack' };
    expect(await ask('include', env)).toEqual(answered(`${folder}/include`));
    expect(await ask('libs', env)).toEqual(answered('-lblis -llapack'));
  });

  test('gives linker words, and the loader the folders among them', async () => {
    const env = { DLADMM_BLAS: '-L/opt/blis/lib -lblis -llapack', PKG_CONFIG: '/bin/false' };
    const headers = { ...env, DLADMM_BLAS_INCLUDE_DIR: join(folder, 'include') };
    expect(await ask('libs', env)).toEqual(answered('-L/opt/blis/lib -lblis -llapack -Wl,-rpath,/opt/blis/lib'));
    expect(await ask('include', env)).toEqual(answered(''));
    expect(await ask('include', headers)).toEqual(answered(`${folder}/include`));
  });

  test('leaves out what is OpenBLAS’s own, and says openblas for itself', async () => {
    expect(await ask('defines', { DLADMM_BLAS: 'blis' })).toEqual(answered('DLADMM_ANY_CBLAS'));
    expect(await ask('defines', { DLADMM_BLAS: 'openblas' })).toEqual(answered(''));
  });

  test('refuses packages that are not known, folders without the header, and Accelerate anywhere but on macOS', async () => {
    const refusals = [
      ask('libs', { DLADMM_BLAS: 'mkl' }),
      ask('include', { DLADMM_BLAS: 'blis', DLADMM_BLAS_INCLUDE_DIR: join(folder, 'empty') }),
      ...(process.platform === 'darwin' ? [] : [ask('libs', { DLADMM_BLAS: 'accelerate' })]),
    ];
    const reasons = ['"mkl", named by DLADMM_BLAS=mkl', 'holds no cblas.h', 'is for macOS'];
    for (const [i, refusal] of refusals.entries()) {
      expect(await refusal).toEqual({ code: 1, out: '', err: expect.stringContaining(reasons[i] ?? '') });
    }
  });
});
