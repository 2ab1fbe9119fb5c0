/** The binary that travels in the package: what it asks of a system, what it shows, and how it meets a processor. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { faultsOf, inspect } from '../../scripts/prebuild/check.mjs';
import { describeInstalled, run, runProgram } from './installation.js';

describeInstalled('the prebuilt addon', (installation) => {
  const addon = join(installation.plain ?? '', installation.addon ?? '');

  test('needs glibc 2.34 at most, and no library that a system with it might lack', () => {
    const { needed, glibc } = inspect(addon);
    expect(glibc.split('.').map(Number)[1]).toBeLessThanOrEqual(34);
    expect(needed).not.toEqual([]);
    expect(needed.filter((name) => !/^(?:libc|libm|libgcc_s|ld-linux)\b/.test(name))).toEqual([]);
  });

  test('carries OpenBLAS 0.3.29 where Debian builds it, and takes no more than 9 MB of its tarball', () => {
    const { openblas, packed } = inspect(addon);
    expect(openblas).toBe(existsSync('/etc/debian_version') ? '0.3.29' : expect.stringMatching(/^0\.3\./));
    expect(packed).toBeLessThan(9);
  });

  test('shows the two names by which Node finds it, and no other', () => {
    expect(inspect(addon).exports).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
  });

  test('stays where it is loaded, and looks in no folder of the machine that built it', () => {
    expect(inspect(addon)).toMatchObject({ stays: true, searches: [] });
    expect(faultsOf(inspect(addon))).toEqual([]);
  });

  test.runIf(process.arch === 'x64')('takes the kernels of the processor it is told of, down to SSE3', async () => {
    const flags = readFileSync('/proc/cpuinfo', 'utf8');
    const able = (flag: string): boolean => new RegExp(`\\b${flag}\\b`).test(flags);
    const kernels = [
      'Prescott',
      ...(able('sse4_2') ? ['Nehalem'] : []),
      ...(able('avx') ? ['Sandybridge'] : []),
      ...(able('avx2') && able('fma') ? ['Haswell'] : []),
      ...(able('avx512f') ? ['SkylakeX'] : []),
    ];
    const said = [];
    for (const name of kernels) {
      const outcome = await runProgram(
        installation,
        installation.plain,
        'kernels.mjs',
        `import { fit, info } from 'dladmm';
         import { loadDataset } from 'dladmm/data';
         const { train } = await loadDataset('iris');
         const { status } = await fit(train, { layers: [4, 5, 3], iterations: 3 });
         console.log(info().kernels, info().blas.includes('DYNAMIC_ARCH'), status.kind);`,
        [],
        { OPENBLAS_CORETYPE: name },
      );
      said.push(outcome.stdout || outcome.stderr);
    }
    expect(said).toEqual(kernels.map((name) => `${name} true completed\n`));
  });

  test('is asked for by no other name: without it the error says how to build one', async () => {
    const { code, stderr } = await run(installation, installation.plain, 'node', ['-e', "require('dladmm').info()"], {
      PREBUILDS_ONLY: '1',
      LIBC: 'other',
    });
    expect(code).toBe(1);
    expect(stderr).toContain("code: 'ERR_DLADMM_NATIVE'");
    expect(stderr).toContain(`none is published for linux-${process.arch}-other`);
    expect(stderr).toContain('npm rebuild dladmm');
    expect(stderr).toContain('apt-get install libopenblas-dev');
  });
});

describe('the check of an addon', () => {
  const good = {
    needed: ['libc.so.6'],
    glibc: '2.34',
    exports: ['napi_register_module_v1', 'node_api_module_get_api_version_v1'],
    stays: true,
    searches: [],
    openblas: '0.3.29',
    packed: 7,
  };
  const forMusl = { ...good, needed: ['libc.so'], glibc: '0' };

  test.each([
    ['a library that must be installed', { needed: ['libc.so.6', 'libopenblas.so.0'] }, 'libopenblas.so.0'],
    ['a glibc that is too new', { glibc: '2.36' }, 'glibc 2.36'],
    ['a symbol too many', { exports: [...good.exports, 'cblas_sgemm'] }, 'cblas_sgemm'],
    ['an entry point too few', { exports: good.exports.slice(1) }, 'napi_register_module_v1'],
    ['an addon that may be unloaded', { stays: false }, 'nodelete'],
    ['the OpenBLAS whose gemm races', { openblas: '0.3.30' }, 'OpenBLAS 0.3.30'],
    ['more than is fair to download', { packed: 12.5 }, '12.5 MB'],
    ['a folder of this machine', { searches: ['/opt/lib'] }, '/opt/lib'],
  ])('finds %s', (_, change, named) => {
    expect(faultsOf({ ...good, ...change })).toEqual([expect.stringContaining(named)]);
  });

  test('finds nothing wrong with a good one', () => {
    expect(faultsOf(good)).toEqual([]);
    expect(faultsOf(forMusl, 'musl')).toEqual([]);
  });

  test('finds on musl what is of glibc, and on glibc what is of musl', () => {
    expect(faultsOf({ ...forMusl, needed: good.needed }, 'musl')).toEqual([expect.stringContaining('libc.so.6')]);
    expect(faultsOf({ ...forMusl, glibc: '2.17' }, 'musl')).toEqual([expect.stringContaining('glibc 2.17')]);
    expect(faultsOf(forMusl)).toEqual([expect.stringContaining('libc.so')]);
  });
});
