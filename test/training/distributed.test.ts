/** One training on many processes. What takes an mpirun runs where there is one (apt-get install openmpi-bin; DLADMM_MPIRUN names another). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fit, readCheckpoint, resume } from '../../dist/index.js';
import { HOSTS, launchOnTwoHosts } from '../children/hosts.js';
import { launch, launcher, launchProgram } from '../children/ranks.js';
import { runProgram } from '../children/run.js';
import { MAIN } from '../cli/support.js';
import { missingShared, sharedFolder } from '../reference/shared.js';

const url = (file: string): string => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);

/** Samples that every rank makes alike, and what each tells of the result. */
const PRELUDE = `
  import { writeFileSync } from 'node:fs';
  import { fit } from ${url('index.js')};
  import { ranksHere } from ${url('core/ranks.js')};
  const rank = Number(process.env.OMPI_COMM_WORLD_RANK ?? process.env.PMI_RANK ?? 0);
  const samples = 157;
  const x = Array.from({ length: samples }, (_, i) => Array.from({ length: 6 }, (_, j) => Math.sin(i * i + (i + 1) * (j + 2) * 0.7)));
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
  const largest = (numbers: readonly number[]): number =>
    numbers.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  return largest(a.map((value, i) => value - (b[i] as number))) / largest(b);
}

function samplesHere() {
  const samples = 157;
  const x = Array.from({ length: samples }, (_, i) =>
    Array.from({ length: 6 }, (_, j) => Math.sin(i * i + (i + 1) * (j + 2) * 0.7)),
  );
  return { x, labels: Uint8Array.from({ length: samples }, (_, i) => (i * 7) % 3) };
}

async function alone(more: object = {}) {
  const { model, history } = await fit(samplesHere(), {
    ...{ solver: 'dladmm', layers: [6, 9, 5, 3], dtype: 'float64', nu: 0.1, rho: 0.1, iterations: 20, threads: 1 },
    ...more,
  } as const);
  const parameters = [...model.weights, ...model.biases].map((each) => [...each]);
  return { parameters, lagrangian: history.map((record) => (record as { readonly lagrangian: number }).lagrangian) };
}

/** A file system of its own, of one megabyte, where this process may mount one. */
const mount = (folder: string): void => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'pipe' });
};
const unmount = (folder: string): void => {
  execFileSync('umount', [folder], { stdio: 'pipe' });
};
const MOUNTS = ((): boolean => {
  const folder = mkdtempSync(join(tmpdir(), 'dladmm-mount-'));
  try {
    mount(folder);
    unmount(folder);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
})();

describe('without mpirun', () => {
  test.each(['sigmoid-admm', 'variable-metric-admm'])(
    '%s trains in one process alone, and names those that do not',
    async (solver) => {
      const data = { x: [[1], [2]], labels: [0, 1] };
      await expect(fit(data, { solver, layers: [1, 2], distributed: true } as never)).rejects.toMatchObject({
        code: 'ERR_DLADMM_ARGUMENT',
        message: expect.stringMatching(/distributed.*dladmm, inversion-admm, minibatch-admm and methods by gradients/),
      });
    },
  );

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

  test('what a program does not catch is told, and ends all', async () => {
    const body = `${PRELUDE} await fit(data, options); await fit(data, { ...options, nuu: 1 });`;
    const { code, stderr } = await launchProgram<Told>(2, body);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/ERR_DLADMM_ARGUMENT|Expected only .*nuu/);
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

  test.each<[string, object?]>([
    ['minibatch-admm'],
    ['minibatch-admm', { factors: 'both' }],
    ['minibatch-admm', { scheduleFree: true }],
    ...['adam', 'badm', 'muon', 'kfac', 'isaac'].map((each): [string] => [each]),
  ])('batches of %s are those of one process, whatever the number of ranks (%j)', async (solver, more = {}) => {
    const own = `solver: '${solver}', batchSize: 20, iterations: 5, ...${JSON.stringify(more)}`;
    const body = `${PRELUDE}
        const { nu, rho, ...rest } = options;
        tell(await fit(data, { ...rest, ${own}, trainMetrics: true }));`;
    const { code, told, stderr } = await launchProgram<Told>(3, body);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { model } = await fit(samplesHere(), {
      ...{ solver, batchSize: 20, iterations: 5, layers: [6, 9, 5, 3], dtype: 'float64', ...more },
    } as never);
    const expected = [...model.weights, ...model.biases].map((each) => [...each]);
    for (const { parameters } of told) {
      expect(parameters).toEqual(told[0]?.parameters);
      parameters.forEach((each, i) => {
        expect(deviation(each, expected[i] as number[])).toBeLessThan(1e-9);
      });
    }
  });

  test('a checkpoint of batches goes on with another number of ranks, and in one process', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'dladmm-ranks-')), 'run.checkpoint');
    const own = `solver: 'minibatch-admm', batchSize: 20, checkpoint: { path: ${JSON.stringify(path)}, every: 2 }`;
    const begun = await launchProgram<Told>(
      3,
      `${PRELUDE}
        import { train } from ${url('index.js')};
        const { nu, rho, ...rest } = options;
        for await (const { iteration } of train(data, { ...rest, ${own}, iterations: 9 })) if (iteration === 4) break;`,
    );
    expect({ code: begun.code, stderr: begun.stderr }).toEqual({ code: 0, stderr: '' });
    const whole = await fit(samplesHere(), {
      ...{ solver: 'minibatch-admm', batchSize: 20, iterations: 9, layers: [6, 9, 5, 3], dtype: 'float64' },
    } as never);
    const expected = [...whole.model.weights, ...whole.model.biases].map((each) => [...each]);
    const kept = readFileSync(path);
    for (const ranks of [2, 1]) {
      writeFileSync(path, kept);
      const went = await launchProgram<Told>(
        ranks,
        `${PRELUDE}
        import { resume } from ${url('index.js')};
        tell(await resume(${JSON.stringify(path)}, data, { iterations: 9, distributed: true }));`,
      );
      expect({ code: went.code, stderr: went.stderr }).toEqual({ code: 0, stderr: '' });
      for (const { iterations, parameters } of went.told) {
        expect(iterations).toBe(9);
        parameters.forEach((each, i) => {
          expect(deviation(each, expected[i] as number[])).toBeLessThan(1e-9);
        });
      }
    }
    writeFileSync(path, kept);
    const alone = await resume(path, samplesHere(), { iterations: 9 });
    [...alone.model.weights, ...alone.model.biases].forEach((each, i) => {
      expect(deviation([...each], expected[i] as number[])).toBeLessThan(1e-9);
    });
    const other = { ...samplesHere(), labels: Uint8Array.from({ length: 157 }, () => 1) };
    await expect(resume(path, other, { iterations: 12 })).rejects.toMatchObject({ code: 'ERR_DLADMM_CHECKPOINT' });
  });

  test.each([
    ['to its end', 'await fit(data, { ...own, iterations: 4 });'],
    [
      'left in the middle',
      'for await (const { iteration } of train(data, { ...own, iterations: 9 })) if (iteration === 4) break;',
    ],
  ])('the checkpoint of a training %s is there for every rank when it ends', async (_, begun) => {
    const path = join(mkdtempSync(join(tmpdir(), 'dladmm-ranks-')), 'run.checkpoint');
    const went = await launchProgram<Told>(
      3,
      `${PRELUDE}
        import { resume, train } from ${url('index.js')};
        const { nu, rho, ...rest } = options;
        const own = { ...rest, solver: 'minibatch-admm', batchSize: 20, checkpoint: { path: ${JSON.stringify(path)}, every: 100 } };
        ${begun}
        tell(await resume(${JSON.stringify(path)}, data, { iterations: 6, distributed: true }));`,
    );
    expect({ code: went.code, stderr: went.stderr }).toEqual({ code: 0, stderr: '' });
    expect(went.told.map(({ iterations }) => iterations)).toEqual([6, 6, 6]);
  });

  // Between two refreshes (3) and just after one (25); XᵀX kept and not; an exact step.
  test.each([
    { at: 3, own: '' },
    { at: 25, own: "initialisation: 'he'," },
    { at: 3, own: "step: { W: 'cholesky' }," },
    { at: 4, own: "solver: 'inversion-admm', nu: undefined, rho: undefined," },
  ])('a checkpoint of the rows of all ranks goes on anywhere, after $at iterations ($own)', async ({ at, own }) => {
    const folder = mkdtempSync(join(tmpdir(), 'dladmm-ranks-'));
    const path = join(folder, 'run.checkpoint');
    const total = at + 6;
    const begin = (ranks: number) =>
      launchProgram<Told>(
        ranks,
        `${PRELUDE}
        import { train } from ${url('index.js')};
        const checkpoint = { path: ${JSON.stringify(path)}, every: 1000 };
        const training = train(data, { ...options, ${own} checkpoint, iterations: ${total} });
        // Of one rank alone, which has all of them write.
        for await (const { iteration } of training) if (rank === 1 && iteration === ${at}) break;`,
      );
    const goOn = (ranks: number) =>
      launchProgram<Told>(
        ranks,
        `${PRELUDE}
        import { resume } from ${url('index.js')};
        tell(await resume(${JSON.stringify(path)}, data, { distributed: true }));`,
      );
    const whole = await launchProgram<Told>(
      3,
      `${PRELUDE} tell(await fit(data, { ...options, ${own} iterations: ${total} }));`,
    );
    const begun = await begin(3);
    expect({ code: begun.code, stderr: begun.stderr }).toEqual({ code: 0, stderr: '' });
    expect(await readCheckpoint(path)).toMatchObject({ iteration: at, samples: 157 });
    const kept = readFileSync(path);
    const expected = whole.told[0]?.parameters ?? [];
    for (const ranks of [3, 2]) {
      writeFileSync(path, kept);
      const went = await goOn(ranks);
      expect({ code: went.code, stderr: went.stderr }).toEqual({ code: 0, stderr: '' });
      for (const { iterations, parameters } of went.told) {
        expect(iterations).toBe(total);
        // As many ranks as before have the bits of a run that nothing interrupted.
        if (ranks === 3) expect(parameters).toEqual(expected);
        parameters.forEach((each, i) => {
          expect(deviation(each, expected[i] as number[])).toBeLessThan(1e-9);
        });
      }
      // What is written at its end goes on in one process.
      expect(await readCheckpoint(path)).toMatchObject({ iteration: total });
    }
    writeFileSync(path, kept);
    const alone = await resume(path, samplesHere());
    [...alone.model.weights, ...alone.model.biases].forEach((each, i) => {
      expect(deviation([...each], expected[i] as number[])).toBeLessThan(1e-9);
    });
  });

  test('a checkpoint that one rank cannot read is refused by all, which say who', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'dladmm-ranks-')), 'run.checkpoint');
    await alone({ checkpoint: { path }, iterations: 3 });
    const whole = readFileSync(path);
    // The last value, which is in the rows of the last rank.
    whole[whole.length - 1] = (whole[whole.length - 1] as number) ^ 1;
    writeFileSync(`${path}.damaged`, whole);
    const { stdout, code } = await launchProgram(
      2,
      `${PRELUDE}
      import { resume } from ${url('index.js')};
      const path = ${JSON.stringify(path)} + (rank === 1 ? '.damaged' : '');
      await resume(path, data, { iterations: 9, distributed: true }).catch(({ code, message }) => console.log(code, message));`,
    );
    expect(stdout.trim().split('\n').sort()).toEqual([
      expect.stringMatching(/^ERR_DLADMM_FORMAT .*damaged is no whole checkpoint: the checksum of /),
      expect.stringMatching(/^ERR_DLADMM_RANKS Rank 1 (failed|could not read the checkpoint)/),
    ]);
    expect(code).toBe(0);
  });

  test('a rank killed in the middle of a sweep ends all, and one process goes on from the last checkpoint', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dladmm-ranks-'));
    const path = join(folder, 'run.checkpoint');
    const wide = { layers: [6, 600, 600, 3], iterations: 12 };
    const body = `${PRELUDE}
      const path = ${JSON.stringify(path)};
      const onIteration = ({ iteration }) => {
        if (rank !== 1 || iteration !== 9) return;
        // A tenth of what a sweep takes.
        setTimeout(() => { writeFileSync(path + '.killed', String(Date.now())); process.kill(process.pid, 'SIGKILL'); }, 5);
      };
      await fit(data, { ...options, ...${JSON.stringify(wide)}, checkpoint: { path, every: 4 }, onIteration });
      console.log('came to its end');`;
    const { code, stdout, stderr } = await launchProgram(2, body);
    expect(Date.now() - Number(readFileSync(`${path}.killed`, 'utf8'))).toBeLessThan(10_000);
    expect(code).not.toBe(0);
    expect(stdout).not.toContain('came to its end');
    expect(stdout + stderr).toMatch(/signal 9/);
    expect(await readCheckpoint(path)).toMatchObject({ iteration: 8 });
    const { iterations, model } = await resume(path, samplesHere());
    expect(iterations).toBe(12);
    const expected = (await alone(wide)).parameters;
    [...model.weights, ...model.biases].forEach((each, i) => {
      expect(deviation([...each], expected[i] as number[])).toBeLessThan(1e-9);
    });
  });

  describe.skipIf(!HOSTS || !/Open MPI|open-mpi|OpenRTE/.test(launcher))('on two hosts', () => {
    const start = (file: string) => launchOnTwoHosts(process.execPath, file);

    test('two ranks have the iterates of one process', async () => {
      const body = `${PRELUDE}
        import { hostname } from 'node:os';
        console.log(hostname());
        tell(await fit(data, options));`;
      const { code, stdout, told } = await launchProgram<Told>(2, body, start);
      expect(code).toBe(0);
      expect(new Set(stdout.trim().split('\n')).size).toBe(2);
      const expected = await alone();
      for (const { parameters } of told) {
        parameters.forEach((each, i) => {
          expect(deviation(each, expected.parameters[i] as number[])).toBeLessThan(1e-12);
        });
      }
      expect(told.map(({ rank }) => rank)).toEqual([0, 1]);
    });

    test('a rank that is killed on the other host ends all', async () => {
      const killed = join(mkdtempSync(join(tmpdir(), 'dladmm-ranks-')), 'killed');
      const body = `${PRELUDE}
        const onIteration = ({ iteration }) => {
          if (rank !== 1 || iteration !== 20) return;
          writeFileSync(${JSON.stringify(killed)}, String(Date.now()));
          process.kill(process.pid, 'SIGKILL');
        };
        await fit(data, { ...options, iterations: 1e6, onIteration });`;
      const { code } = await launchProgram(2, body, start);
      expect(code).not.toBe(0);
      expect(Date.now() - Number(readFileSync(killed, 'utf8'))).toBeLessThan(10_000);
    });
  });

  test.skipIf(!MOUNTS)('on a full disk all end with one word of it, and the last checkpoint stays whole', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dladmm-ranks-'));
    mount(folder);
    try {
      const path = join(folder, 'run.checkpoint');
      const body = `${PRELUDE}
        const fill = () => {
          try {
            for (let i = 0; ; i += 1) writeFileSync(${JSON.stringify(folder)} + '/filler-' + i, Buffer.alloc(4096));
          } catch {}
        };
        const onIteration = ({ iteration }) => { if (rank === 0 && iteration === 4) fill(); };
        await fit(data, { ...options, checkpoint: { path: ${JSON.stringify(path)}, every: 3 }, onIteration });`;
      const { code, stderr } = await launchProgram(2, body);
      expect(code).not.toBe(0);
      expect(stderr.match(/^dladmm: .*$/gm)).toEqual([
        expect.stringMatching(/^dladmm: rank 0: Could not write .*run.checkpoint.*ENOSPC.*; all ranks end$/),
      ]);
      expect(await readCheckpoint(path)).toMatchObject({ iteration: 3 });
      // Nothing half-written is left beside it.
      expect(readdirSync(folder).filter((name) => !name.startsWith('filler'))).toEqual(['run.checkpoint']);
    } finally {
      unmount(folder);
    }
  });

  test('where the file cannot be written all end, with one word of it, and the last one stays whole', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dladmm-ranks-'));
    const path = join(folder, 'run.checkpoint');
    const body = `${PRELUDE}
      import { renameSync } from 'node:fs';
      const folder = ${JSON.stringify(folder)};
      // The folder is gone from under it.
      const onIteration = ({ iteration }) => { if (rank === 0 && iteration === 4) renameSync(folder, folder + '-gone'); };
      await fit(data, { ...options, checkpoint: { path: ${JSON.stringify(path)}, every: 3 }, onIteration });`;
    const { code, stderr } = await launchProgram(2, body);
    expect(code).not.toBe(0);
    expect(stderr.match(/^dladmm: .*$/gm)).toEqual([
      expect.stringMatching(/^dladmm: rank 0: Could not write .*run.checkpoint.*; all ranks end$/),
    ]);
    expect(await readCheckpoint(join(`${folder}-gone`, 'run.checkpoint'))).toMatchObject({ iteration: 3 });
  });

  test.skipIf(missingShared('golden') !== undefined).each(['A1', 'A3'])('the golden case %s holds', async (name) => {
    const body = `
      import { writeFileSync } from 'node:fs';
      import { native } from ${url('core/native.js')};
      import { ranksHere } from ${url('core/ranks.js')};
      import { loadCase } from ${url('golden/case.js')};
      import { compare } from ${url('golden/compare.js')};
      import { replayDladmm } from ${url('golden/replay-dladmm.js')};
      const golden = await loadCase(${JSON.stringify(join(sharedFolder, 'golden', name))});
      const all = new native.Ranks();
      // The rows of all ranks, one after the other.
      const whole = (from) => ({
        async read(block, layer) {
          const { data, ...shape } = await from.read(block, layer);
          if (block === 'W' || block === 'b') return { data, ...shape };
          const { rank, size } = ranksHere();
          const rows = [];
          for (let r = 0; r < size; r += 1) {
            rows.push(...JSON.parse(await all.broadcast(r === rank ? JSON.stringify([...data]) : '', r)));
          }
          return { data: Float64Array.from(rows), ...shape };
        },
      });
      const { holds, quantities } = compare(golden, await replayDladmm(golden, golden.hyper, whole));
      writeFileSync(import.meta.dirname + '/' + ranksHere().rank + '.json', JSON.stringify({
        holds, names: Object.keys(quantities), size: ranksHere().size,
        odd: Object.entries(quantities).filter(([, each]) => !each.holds),
      }));`;
    const { code, told, stderr } = await launchProgram<object>(2, body);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const names = expect.arrayContaining(['objective', 'z_fro', 'final W', 'theta', 'fista']);
    expect(told).toEqual([0, 1].map(() => ({ holds: true, names, size: 2, odd: [] })));
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

  const CSV_RANKS = (body: string): string => `${PRELUDE}
    const [names, classes] = ${body};
    const rows = x.map((row, i) => ({ ...Object.fromEntries(row.map((value, j) => [names[j], value])), class: classes[labels[i]] }));
    const told = { target: 'class', solver: 'dladmm', hidden: [4], iterations: 3, distributed: true };`;

  test.each([
    {
      what: 'columns',
      rows: `[rank === 0 ? ['p', 'q', 'r', 's', 't', 'u'] : ['p', 'q', 'r', 's', 't', 'V'], ['a', 'b', 'c']]`,
      told: /the same columns on all ranks but rank 0 has .*"u".* and rank 1 has .*"V"/,
    },
    {
      what: 'classes',
      rows: `[['p', 'q', 'r', 's', 't', 'u'], ['a', 'b', rank === 0 ? 'c' : 'd']]`,
      told: /the same classes on all ranks but rank 0 has .*"c".* and rank 1 has .*"d"/,
    },
  ])('ranks whose $what differ hear so before the first step', async ({ rows, told }) => {
    const body = `${CSV_RANKS(rows)}
      await fit(rows, { ...told, onIteration: () => console.log('a step') })
        .catch(({ code, message }) => console.log(code, message));`;
    const { code, stdout, stderr } = await launchProgram(2, body);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trim().split('\n').sort()).toEqual([
      expect.stringMatching(new RegExp(`^ERR_DLADMM_RANKS Expected ${told.source}`)),
      expect.stringMatching(/^ERR_DLADMM_RANKS Rank 1 failed: Expected the same/),
    ]);
  });

  test('ranks of two versions hear so', async () => {
    const body = `
      import { joinRanks } from ${url('core/ranks.js')};
      const ranks = await joinRanks();
      await ranks.agree({ version: ranks.rank === 0 ? '1.2.3' : '1.3.0' }).catch(({ message }) => console.log(message));`;
    const { stdout } = await launchProgram(2, body);
    expect(stdout.trim().split('\n').sort()).toEqual([
      'Expected the same version on all ranks but rank 0 has "1.2.3" and rank 1 has "1.3.0"',
      expect.stringMatching(/^Rank 1 failed: Expected the same version/),
    ]);
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
      const { ranksHere } = await import(${url('core/ranks.js')});
      const kill = () => setTimeout(() => process.kill(process.pid, '${signal}'), 1000);
      const waits = setInterval(() => ranksHere()?.busy && (clearInterval(waits), kill()), 20);
      if (rank !== 1) clearInterval(waits);
      process.exitCode = await (await import(${url('cli/command.js')})).command(process.argv.slice(2), process);`;
    const began = performance.now();
    const { code, stderr } = await launchProgram(2, body);
    expect(code).not.toBe(0);
    expect(performance.now() - began).toBeLessThan(30_000);
    if (signal === 'SIGTERM') expect(stderr).toContain('dladmm: rank 1 was ended by SIGTERM; all ranks end');
  });

  test('what the command line refuses is told once', async () => {
    const { code, stderr } = await launch(2, process.execPath, MAIN, 'train', 'digits', '--distributed');
    expect(code).not.toBe(0);
    expect(stderr.match(/^dladmm: .*$/gm)).toEqual([expect.stringMatching(/named as solver/)]);
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
