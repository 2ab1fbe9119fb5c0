/** What somebody has who says `npm install dladmm` on a machine without any tools: a folder, Node and npm. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nodeFileTrace } from '@vercel/nft';
import { expect, test } from 'vitest';
import { describeInstalled, type Outcome, run, runProgram } from './installation.js';

/** Trains and predicts; tells what came of it, where the addon is, and which libraries of numerics are mapped. */
const WORK = `
  const digits = await loadDataset('digits');
  const options = { layers: [64, 40, 10], iterations: 30, nu: 1, rho: 1, theta0: 1e-12, tau0: 1e-12 };
  const { model, status } = await fit(digits.train, options);
  const { accuracy } = await model.evaluate(digits.test);
  const { labels } = await model.predict(digits.test.x);
  const right = labels.filter((label, i) => label === digits.test.labels[i]).length / labels.length;
  const maps = readFileSync('/proc/self/maps', 'utf8');
  const result = {
    kind: status.kind,
    good: accuracy > 0.8,
    same: Math.abs(right - accuracy) < 1e-12,
    addon: relative(process.cwd(), info().addon),
    maps: [...new Set(maps.match(/[^/\\n]*(?:blas|lapack|fortran)[^/\\n]*\\.so[.\\d]*/g) ?? [])],
  };
`;

const IMPORTS = `
  import { readFileSync } from 'node:fs';
  import { relative } from 'node:path';
  import { fit, info } from 'dladmm';
import { loadDataset } from 'dladmm/data';
`;

const EXPECTED = {
  kind: 'completed',
  good: true,
  same: true,
  addon: `node_modules/@dladmm/linux-${process.arch}-glibc/dladmm.node`,
  maps: [],
};

function resultOf({ code, signal, stdout, stderr }: Outcome): unknown {
  expect({ code, signal, stderr }).toMatchObject({ code: 0, signal: null });
  return JSON.parse(stdout);
}

describeInstalled('the consumer’s PATH', (installation) => {
  test.each(['cc', 'gcc', 'g++', 'clang', 'make', 'python3', 'python', 'pkg-config', 'node-gyp', 'cmake', 'ld'])(
    'holds no %s',
    async (program) => {
      const { code } = await run(installation, installation.plain, 'sh', ['-c', `command -v ${program}`]);
      expect(code).not.toBe(0);
    },
  );
});

for (const [place, how] of [
  ['plain', 'as is'],
  ['scriptless', 'with --ignore-scripts'],
] as const) {
  describeInstalled(`installed ${how}, the package`, (installation) => {
    const folder = installation[place];
    const program = (name: string, text: string, ...flags: readonly string[]) =>
      runProgram(installation, folder, name, text, flags);

    test('has built nothing', () => {
      expect(existsSync(join(folder, 'node_modules', 'dladmm', 'package.json'))).toBe(true);
      expect(existsSync(join(folder, 'node_modules', 'dladmm', 'build'))).toBe(false);
    });

    test('trains and predicts from an ECMAScript module', async () => {
      const outcome = await program('esm.mjs', `${IMPORTS} ${WORK} console.log(JSON.stringify(result));`);
      expect(resultOf(outcome)).toEqual(EXPECTED);
      expect(outcome.stderr).toBe('');
    });

    test('trains and predicts from a CommonJS module, as one and the same package', async () => {
      const outcome = await program(
        'cjs.cjs',
        `const { readFileSync } = require('node:fs');
         const { relative } = require('node:path');
         const { fit, info, Model, DlAdmmError } = require('dladmm');
         const { loadDataset } = require('dladmm/data');
         (async () => {
           ${WORK}
           const imported = await import('dladmm');
           const same = imported.Model === Model && imported.DlAdmmError === DlAdmmError && model instanceof imported.Model;
           console.log(JSON.stringify({ ...result, identity: same }));
         })();`,
      );
      expect(resultOf(outcome)).toEqual({ ...EXPECTED, identity: true });
      expect(outcome.stderr.replace(/^.*ExperimentalWarning: .*\n|^\(Use `node --trace-warnings.*\n/gm, '')).toBe('');
    });

    test('trains and predicts in a worker thread', async () => {
      writeFileSync(
        join(folder, 'worker.mjs'),
        `import { parentPort } from 'node:worker_threads'; ${IMPORTS} ${WORK} parentPort.postMessage(result);`,
      );
      const outcome = await program(
        'main.mjs',
        `import { Worker } from 'node:worker_threads';
         const worker = new Worker(new URL('worker.mjs', import.meta.url));
         worker.once('message', (result) => console.log(JSON.stringify(result)));`,
      );
      expect(resultOf(outcome)).toEqual(EXPECTED);
    });

    test('trains, evaluates and predicts from the command line', async () => {
      const dladmm = (...args: readonly string[]) =>
        run(installation, folder, 'npm', ['exec', '--offline', '--', 'dladmm', ...args]);
      const settings = ['--nu', '1', '--rho', '1', '--theta0', '1e-12', '--tau0', '1e-12', '--layers', '64-40-10'];
      const digits = ['--data', 'digits', '--no-download'];
      const trained = await dladmm('train', ...digits, ...settings, '--iterations', '30', '--save', 'm.safetensors');
      expect(trained).toMatchObject({ code: 0, signal: null });
      const evaluated = await dladmm('evaluate', ...digits, '--model', 'm.safetensors', '--json');
      expect(resultOf(evaluated)).toHaveProperty(
        'accuracy',
        expect.toSatisfy((value) => value > 0.8),
      );
      const predicted = await dladmm('predict', ...digits, '--model', 'm.safetensors');
      expect(predicted.code).toBe(0);
      expect(predicted.stdout.split('\n').length).toBeGreaterThan(300);
    });
  });
}

describeInstalled('the installed package', (installation) => {
  test('never asks the loader for OpenBLAS, nor for any other library of numerics', async () => {
    const outcome = await runProgram(
      installation,
      installation.plain,
      'loading.mjs',
      `${IMPORTS} ${WORK} console.log(JSON.stringify(result));`,
      [],
      { LD_DEBUG: 'libs', LD_DEBUG_OUTPUT: join(installation.plain, 'loader') },
    );
    expect(resultOf(outcome)).toEqual(EXPECTED);
    const asked = readdirSync(installation.plain)
      .filter((name) => name.startsWith('loader.'))
      .flatMap((name) => readFileSync(join(installation.plain, name), 'utf8').match(/(?<=find library=)\S+/g) ?? []);
    expect(asked).toContain('libc.so.6');
    expect(asked.filter((name) => /blas|lapack|fortran|quadmath|gomp/.test(name))).toEqual([]);
  });

  test('offers its benchmark of complexity', async () => {
    const args = ['bench', 'complexity', '--quick', '--max', '128', '--samples', '32', '--dtype', 'float32', '--json'];
    const outcome = await run(installation, installation.plain, 'npm', ['exec', '--offline', '--', 'dladmm', ...args]);
    expect(resultOf(outcome)).toMatchObject({ dtype: 'float32', samples: 32 });
  });
});

describeInstalled('the package for the platform', (installation) => {
  const { plain = '', tarball = '', addon = '' } = installation;
  const folder = (name: string): string => {
    const made = join(dirname(plain), name);
    mkdirSync(made, { recursive: true });
    writeFileSync(join(made, 'package.json'), '{ "private": true }');
    return made;
  };
  const quick = ['--prefer-offline', '--no-audit', '--no-fund'];
  const npm = (place: string, ...args: readonly string[]): Promise<Outcome> =>
    run(installation, place, 'npm', [...args, ...quick]);
  const added = `npm install @dladmm/linux-${process.arch}-glibc@0.1.0`;
  const INFO = "require('dladmm').info()";

  test.each([
    ['left out by --omit=optional', [['install', tarball, '--omit=optional', '--ignore-scripts']]],
    [
      'unknown to a lock file that was made elsewhere',
      [
        ['install', tarball, '--package-lock-only'],
        ['install', '--ignore-scripts'],
      ],
    ],
  ])('is named by an error with a code where it was %s', async (what, commands) => {
    const place = folder(what.replace(/\W/g, '-'));
    for (const args of commands) expect(await npm(place, ...args)).toMatchObject({ code: 0 });
    const { code, stderr } = await run(installation, place, 'node', ['-e', INFO]);
    expect(code).toBe(1);
    expect(stderr).toContain("code: 'ERR_DLADMM_NATIVE'");
    expect(stderr).toContain(added);
  });

  test('is named by the installation too, where an addon would have to be built without tools', async () => {
    const { code, stderr } = await npm(folder('toolless'), 'install', tarball, '--omit=optional');
    expect(code).not.toBe(0);
    expect(stderr).toContain(added);
    expect(stderr).toContain('Building it from source');
  });

  test('is refused in another version', async () => {
    const place = folder('another-version');
    cpSync(join(plain, 'node_modules'), join(place, 'node_modules'), { recursive: true, verbatimSymlinks: true });
    const manifest = join(place, dirname(addon), 'package.json');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"version": "0.1.0"', '"version": "0.0.9"'));
    const { code, stderr } = await run(installation, place, 'node', ['-e', INFO]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/is of version 0\.0\.9, and dladmm of 0\.1\.0/);
    expect(stderr).toContain(added);
  });

  test('is found beside a copy that DLADMM_PREBUILD names', async () => {
    const copy = folder('copies');
    for (const name of ['dladmm', '@dladmm'])
      cpSync(join(plain, 'node_modules', name), join(copy, name), { recursive: true });
    const { stdout, stderr } = await run(installation, plain, 'node', ['-p', `${INFO}.addon`], {
      DLADMM_PREBUILD: join(copy, 'dladmm'),
    });
    expect(stdout || stderr).toBe(`${join(copy, addon.replace('node_modules', ''))}\n`);
  });

  test('is taken along by tracers of files', async () => {
    writeFileSync(join(plain, 'traced.mjs'), "import 'dladmm';");
    const { fileList } = await nodeFileTrace([join(plain, 'traced.mjs')], { base: plain, processCwd: plain });
    expect([...fileList]).toContain(addon);
  });
});
