/** One training on many processes. What takes an mpirun runs where there is one (apt-get install openmpi-bin; DLADMM_MPIRUN names another). */
import { describe, expect, test } from 'vitest';
import { fit } from '../../dist/index.js';
import { launch, launcher, launchProgram } from '../children/ranks.js';
import { runProgram } from '../children/run.js';
import { MAIN } from '../cli/support.js';

const url = (file: string): string => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);

/** Samples that every rank makes alike, and what each tells of the result. */
const PRELUDE = `
  import { writeFileSync } from 'node:fs';
  import { fit } from ${url('index.js')};
  import { ranksHere } from ${url('core/ranks.js')};
  const rank = Number(process.env.OMPI_COMM_WORLD_RANK ?? process.env.PMI_RANK ?? 0);
  const samples = 157;
  const x = Array.from({ length: samples }, (_, i) => Array.from({ length: 6 }, (_, j) => Math.sin(1 + i * 6 + j * j)));
  const labels = Uint8Array.from({ length: samples }, (_, i) => (i * 7) % 3);
  const data = { x, labels };
  const options = {
    solver: 'dladmm', layers: [6, 9, 5, 3], dtype: 'float64', nu: 0.1, rho: 0.1, iterations: 20, threads: 1, distributed: true,
  };
  const tell = ({ model, status, iterations, history }) => writeFileSync(import.meta.dirname + '/' + rank + '.json', JSON.stringify({
    rank, status: status.kind, iterations, parameters: [...model.weights, ...model.biases].map((each) => [...each]),
    lagrangian: history.map(({ lagrangian }) => lagrangian), traffic: ranksHere().traffic,
  }));
`;

interface Told {
  readonly rank: number;
  readonly status: string;
  readonly iterations: number;
  readonly parameters: readonly (readonly number[])[];
  readonly lagrangian: readonly number[];
  readonly traffic: { readonly calls: number; readonly bytes: number };
}

/** The largest difference of two lists, as a share of the largest number. */
function deviation(a: readonly number[], b: readonly number[]): number {
  const largest = Math.max(...b.map(Math.abs));
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number)))) / largest;
}

async function alone(more: object = {}) {
  const samples = 157;
  const x = Array.from({ length: samples }, (_, i) => Array.from({ length: 6 }, (_, j) => Math.sin(1 + i * 6 + j * j)));
  const labels = Uint8Array.from({ length: samples }, (_, i) => (i * 7) % 3);
  const { model, history } = await fit({ x, labels }, {
    ...{ solver: 'dladmm', layers: [6, 9, 5, 3], dtype: 'float64', nu: 0.1, rho: 0.1, iterations: 20, threads: 1 },
    ...more,
  } as const);
  const parameters = [...model.weights, ...model.biases].map((each) => [...each]);
  return { parameters, lagrangian: history.map((record) => (record as { readonly lagrangian: number }).lagrangian) };
}

describe('without mpirun', () => {
  test('a solver that trains in one process alone refuses, and names those that do not', async () => {
    const data = { x: [[1], [2]], labels: [0, 1] };
    const options = { solver: 'adam', layers: [1, 2], distributed: true } as never;
    await expect(fit(data, options)).rejects.toMatchObject({
      code: 'ERR_DLADMM_ARGUMENT',
      message: expect.stringMatching(/distributed: true.*'dladmm' and 'inversion-admm'/),
    });
  });

  test('a checkpoint has one process', async () => {
    const data = { x: [[1], [2]], labels: [0, 1] };
    const options = { solver: 'dladmm', layers: [1, 2], distributed: true, checkpoint: { path: 'x' } } as const;
    await expect(fit(data, options)).rejects.toMatchObject({ code: 'ERR_DLADMM_ARGUMENT' });
  });

  test('where there is no MPI the error says what to install, and all else works', async () => {
    const program = `
      process.env.DLADMM_MPI = '/nowhere/libmpi.so';
      const data = { x: [[1], [2], [3]], labels: [0, 1, 0] };
      const options = { solver: 'dladmm', layers: [1, 2], iterations: 1 };
      await fit(data, { ...options, distributed: true }).catch(({ code, message }) => console.log(code, message));
      console.log((await fit(data, options)).status.kind);`;
    const { stdout, code } = await runProgram(program);
    expect(stdout).toMatch(
      /^ERR_DLADMM_RANKS Expected DLADMM_MPI to name the library of an MPI but .*nowhere.*\ncompleted\n$/,
    );
    expect(code).toBe(0);
  });
});

describe.skipIf(launcher === '')(`with ${launcher || 'mpirun, which is not here'}`, () => {
  test('one rank has the bits of a process by itself', async () => {
    const { code, told, stderr } = await launchProgram<Told>(1, `${PRELUDE} tell(await fit(data, options));`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(told[0]).toMatchObject(await alone());
  });

  test.each([2, 3])('%i ranks have its iterates up to rounding, and all the same bits', async (ranks) => {
    const { code, told } = await launchProgram<Told>(ranks, `${PRELUDE} tell(await fit(data, options));`);
    expect(code).toBe(0);
    expect(told.map(({ rank }) => rank)).toEqual(Array.from({ length: ranks }, (_, i) => i));
    const expected = await alone();
    for (const { parameters, lagrangian } of told) {
      expect(parameters).toEqual(told[0]?.parameters);
      expect(deviation(lagrangian, expected.lagrangian)).toBeLessThan(1e-12);
      parameters.forEach((each, i) => {
        expect(deviation(each, expected.parameters[i] as number[])).toBeLessThan(1e-12);
      });
    }
  });

  test('ranks that are told different things hear which, before the first step', async () => {
    const body = `${PRELUDE}
      const odd = rank === 1 ? { rho: 0.2 } : {};
      await fit(data, { ...options, ...odd, onIteration: () => console.log('a step') })
        .catch(({ code, message }) => console.log(code, message));`;
    const { code, stdout } = await launchProgram(2, body);
    expect(stdout.trim().split('\n').sort()).toEqual([
      expect.stringMatching(
        /^ERR_DLADMM_RANKS Expected the same rho on all ranks but rank 0 has 0.1 and rank 1 has 0.2$/,
      ),
      expect.stringMatching(/^ERR_DLADMM_RANKS Rank 1 failed: Expected the same rho/),
    ]);
    expect(code).toBe(0);
  });

  test('more ranks than samples are refused by all', async () => {
    const body = `${PRELUDE}
      await fit({ x: x.slice(0, 2), labels: labels.slice(0, 2) }, options).catch(({ code, message }) => console.log(code, message));`;
    const { stdout } = await launchProgram(3, body);
    expect(stdout.trim().split('\n')).toEqual(
      new Array(3).fill(
        'ERR_DLADMM_RANKS Expected at most 2 ranks, as there are so many samples, but 3 have been started',
      ),
    );
  });

  test('who leaves the loop ends all, after the same iteration', async () => {
    const body = `${PRELUDE}
      import { train } from ${url('index.js')};
      const training = train(data, options);
      for await (const { iteration } of training) if (rank === 1 && iteration === 3) break;
      tell(training.result);`;
    const { code, told } = await launchProgram<Told>(2, body);
    expect(told.map(({ status, iterations }) => [status, iterations])).toEqual([
      ['aborted', 3],
      ['aborted', 3],
    ]);
    expect(code).toBe(0);
  });

  test('a rank that throws between two iterations ends all, with one word of it', async () => {
    const body = `${PRELUDE}
      const onIteration = ({ iteration }) => { if (rank === 1 && iteration === 2) throw new Error('a full disk'); };
      await fit(data, { ...options, iterations: 1e6, onIteration });`;
    const { code, stderr } = await launchProgram(2, body);
    expect(code).not.toBe(0);
    expect(stderr.match(/^dladmm: .*$/gm)).toEqual(['dladmm: rank 1: a full disk; all ranks end']);
  });

  test.each(['SIGTERM', 'SIGKILL'])('%s to a rank of the command line ends all', async (signal) => {
    const body = `
      import { spawn } from 'node:child_process';
      const rank = Number(process.env.OMPI_COMM_WORLD_RANK ?? process.env.PMI_RANK ?? 0);
      process.argv.splice(2, 9, 'train', 'digits', '--solver', 'dladmm', '--distributed', '--iterations', '100000', '--quiet');
      if (rank === 1) setTimeout(() => process.kill(process.pid, '${signal}'), 3000);
      process.exitCode = await (await import(${url('cli/command.js')})).command(process.argv.slice(2), process);`;
    const began = performance.now();
    const { code, stderr } = await launchProgram(2, body);
    expect(code).not.toBe(0);
    expect(performance.now() - began).toBeLessThan(13_000 + 3000);
    if (signal === 'SIGTERM') expect(stderr).toContain('dladmm: rank 1 was ended by SIGTERM; all ranks end');
  });

  test('the command line: rank 0 prints, the result is that of one process', async () => {
    const words = [MAIN, 'train', 'digits', '--solver', 'dladmm', '--iterations', '3', '--dtype', 'float64', '--json'];
    const [many, one] = [
      await launch(2, process.execPath, ...words, '--distributed'),
      await launch(1, process.execPath, ...words),
    ];
    const [lines, expected] = [many, one].map(({ stdout }) =>
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    );
    expect(many.code).toBe(0);
    expect(lines).toHaveLength(4);
    expect(lines?.[3]).toMatchObject({ status: 'completed', testAccuracy: expected?.[3].testAccuracy });
    expect(Math.abs(lines?.[2].lagrangian / expected?.[2].lagrangian - 1)).toBeLessThan(1e-12);
  });
});
