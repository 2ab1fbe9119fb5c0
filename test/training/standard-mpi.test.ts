/** An MPI of the standard ABI, made of MPICH's, where that and its compiler are (apt-get install libmpich-dev). */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fit } from '../../dist/index.js';
import { launchProgram } from '../children/ranks.js';
import { run } from '../children/run.js';

const folder = mkdtempSync(join(tmpdir(), 'dladmm-abi-'));
const library = join(folder, 'libmpi_abi.so.1');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const there = ['mpicc.mpich', 'mpirun.mpich'].every((name) => spawnSync(name, ['--version']).status === 0);

/** The same in this process and in the ranks. */
const OPTIONS = { layers: [6, 9, 5, 3], iterations: 12, threads: 1 };
const samples = () => ({
  x: Array.from({ length: 157 }, (_, i) =>
    Array.from({ length: 6 }, (_, j) => Math.sin(i * i + (i + 1) * (j + 2) * 0.7)),
  ),
  labels: Uint8Array.from({ length: 157 }, (_, i) => (i * 7) % 3),
});

interface Told {
  readonly library?: string;
  readonly parameters: readonly number[];
}

describe.skipIf(!there)('an MPI of the standard ABI', () => {
  beforeAll(() => {
    const source = join(import.meta.dirname, '../children/standard_mpi.c');
    execFileSync('mpicc.mpich', ['-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o', library, source]);
  });

  // Sums in both precisions, and a checkpoint that one rank writes for all.
  test.each([
    ['named by a variable', 'dladmm', 'float64', 1e-12, `DLADMM_MPI=${library}`],
    ['found where the loader looks', 'minibatch-admm', 'float32', 1e-4, `LD_LIBRARY_PATH=${folder}`],
  ])('%s is what ranks learn by', async (_, solver, dtype, tolerance, variable) => {
    const own = { solver, dtype, ...(solver === 'dladmm' ? { nu: 0.1, rho: 0.1 } : { batchSize: 50 }) };
    const checkpoint = { path: join(folder, `${solver}.checkpoint`), every: 5 };
    const body = `
      import { writeFileSync } from 'node:fs';
      import { fit } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      import { ranksHere } from ${JSON.stringify(new URL('../../dist/core/ranks.js', import.meta.url).href)};
      const own = ${JSON.stringify({ ...OPTIONS, ...own, checkpoint, distributed: true })};
      const { model } = await fit((${samples})(), own);
      const parameters = [...model.weights, ...model.biases].flatMap((each) => [...each]);
      writeFileSync(import.meta.dirname + '/' + process.env.PMI_RANK + '.json', JSON.stringify({ library: ranksHere().library, parameters }));`;
    const { code, stderr, told } = await launchProgram<Told>(3, body, (file) =>
      run('env', [variable, 'mpirun.mpich', '-n', '3', process.execPath, file]),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { model } = await fit(samples(), { ...OPTIONS, ...own } as never);
    const alone = [...model.weights, ...model.biases].flatMap((each) => [...each]);
    expect(told).toHaveLength(3);
    for (const { library: by, parameters } of told) {
      expect(by).toMatch(/libmpi_abi\.so\.1$/);
      expect(Math.max(...parameters.map((value, i) => Math.abs(value - (alone[i] as number))))).toBeLessThan(tolerance);
    }
  });
});
