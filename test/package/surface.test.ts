/** What is published: the tarball's contents, its entry points to programs and to compilers, and its documentation. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuildOptions } from 'esbuild';
import { expect, test } from 'vitest';
import { packMain, packPlatform } from '../../scripts/release/pack.mjs';
import { drills } from '../children/drills.js';
import { describeInstalled, type Outcome, runProgram } from './installation.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);

/** Runs a development tool of this checkout. */
const tool = (program: string, args: readonly string[], cwd: string): Promise<Omit<Outcome, 'signal'>> =>
  new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { cwd, env: { ...process.env, NO_COLOR: '1' } },
      (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });

/** The program behind a name in node_modules/.bin. */
function programOf(packageName: string, name: string): string {
  const manifest = require.resolve(`${packageName}/package.json`);
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly bin: Readonly<Record<string, string>> };
  return join(dirname(manifest), bin[name] ?? '');
}

const CONSUMER = `
  import { fit, type FitResult, info, Model, train } from 'dladmm';
  export async function work(x: Float32Array, labels: Int32Array): Promise<number> {
    const result: FitResult = await fit({ x, labels }, { solver: 'dladmm', layers: [4, 3, 2], iterations: 3 });
    for await (const record of train({ x, labels }, { layers: [4, 3, 2] })) if (record.iteration === 2) break;
    // @ts-expect-error a width is a number
    void fit({ x, labels }, { layers: [4, 'three', 2] });
    const model: Model = result.model;
    return (await model.predict(x)).labels?.length ?? info().version.length;
  }
`;

/** The paths that the package is imported by. */
const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly exports: object };
const SUBPATHS = Object.keys(exports).flatMap((key) => (key.endsWith('.json') ? [] : [key.replace(/^\./, 'dladmm')]));
/** Imports all of them, each by its own name. */
const IMPORTS = SUBPATHS.map((path, i) => `import * as face${i} from '${path}';`).join('\n');
const FACES = `{ ${SUBPATHS.map((path, i) => `'${path}': face${i}`).join(', ')} }`;
const NAMED =
  'Object.entries(faces).map(([path, face]) => [path, Object.keys(face).filter((key) => key !== "default" && key !== "module.exports" && key !== "__esModule").length])';

describeInstalled('the tarball', ({ tarball, platformTarball, addon, packed, plain }) => {
  const names = packed?.map(({ path }) => path) ?? [];

  test('is less than 1 MB, and the one with the addon at most 9 MB', () => {
    expect(readFileSync(tarball).length).toBeLessThan(1e6);
    expect(readFileSync(platformTarball).length).toBeLessThanOrEqual(9e6);
  });

  // release:check asks for it too.
  test.runIf(drills(false, true))(
    'has the same bytes when it is packed again, as the one with the addon has',
    async () => {
      const again = mkdtempSync(join(tmpdir(), 'dladmm-again-'));
      try {
        const platform = await packPlatform(`linux-${process.arch}-glibc`, join(plain, addon), again);
        expect(readFileSync(platform.tarball).equals(readFileSync(platformTarball))).toBe(true);
        const main = await packMain(again);
        expect(readFileSync(main.tarball).equals(readFileSync(tarball))).toBe(true);
      } finally {
        rmSync(again, { recursive: true });
      }
    },
  );

  test('holds no source map, no test, no source of the TypeScript, no types of the command line and nothing hidden', () => {
    const unwanted =
      /\.[jt]s\.map$|(?:^|\/)test|\.test\.|_test\.|^src\/|\.tsbuildinfo$|(?:^|\/)\.|(?<!\.d)\.ts$|\/cli\/.*\.d\.ts$/;
    expect(names.filter((name) => unwanted.test(name))).toEqual([]);
  });

  test('holds what an addon is built from, the licences and the changes, and no addon', () => {
    expect(names.filter((name) => name.endsWith('.node'))).toEqual([]);
    expect(names).toEqual(
      expect.arrayContaining([
        'binding.gyp',
        'native/openblas.cjs',
        'native/sources.json',
        'native/exports.map',
        'LICENSE',
        'THIRD-PARTY-NOTICES.md',
        'CHANGELOG.md',
        'README.md',
      ]),
    );
    const { core, addon } = JSON.parse(readFileSync(join(ROOT, 'native', 'sources.json'), 'utf8')) as {
      readonly core: readonly string[];
      readonly addon: readonly string[];
    };
    expect(names).toEqual(expect.arrayContaining([...core, ...addon]));
  });

  test('holds every licence that its notices name', () => {
    const notices = readFileSync(join(plain, 'node_modules', 'dladmm', 'THIRD-PARTY-NOTICES.md'), 'utf8');
    const named = notices.match(/(?:licenses|data)\/[\w+./-]+\.(?:txt|md)/g) ?? [];
    expect(named.length).toBeGreaterThan(5);
    expect(names).toEqual(expect.arrayContaining(named));
  });

  test('holds every picture that its README shows; the pages of docs/ stay behind', () => {
    const readme = readFileSync(join(plain, 'node_modules', 'dladmm', 'README.md'), 'utf8');
    const shown = [...readme.matchAll(/!\[[^\]]*\]\(([\w./-]+)\)/g)].map(([, target]) => target);
    expect(shown.length).toBeGreaterThan(1);
    expect(shown.filter((target) => !names.includes(target ?? ''))).toEqual([]);
    expect(names.filter((name) => name.startsWith('docs/')).toSorted()).toEqual(shown.toSorted());
  });

  test('holds every module that one of its modules imports', () => {
    const modules = names.filter((name) => name.startsWith('dist/') && name.endsWith('.js'));
    const missing = modules.flatMap((name) => {
      const text = readFileSync(join(plain, 'node_modules', 'dladmm', name), 'utf8');
      const imported = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*["'](\.[^"']+)["']/g)].map(([, target]) =>
        posix.join(posix.dirname(name), target ?? ''),
      );
      return imported.filter((target) => !names.includes(target)).map((target) => `${name} → ${target}`);
    });
    expect(modules.length).toBeGreaterThan(50);
    expect(missing).toEqual([]);
  });
});

describeInstalled('the package', ({ tarball, plain }) => {
  test('has nothing that publint would change', async () => {
    const { publint } = await import('publint');
    const bytes = readFileSync(tarball);
    const content = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const { messages } = await publint({ pack: { tarball: content }, strict: true });
    expect(messages).toEqual([]);
  });

  test('has types that resolve as its modules do, says are-the-types-wrong', async () => {
    const attw = programOf('@arethetypeswrong/cli', 'attw');
    const { code, stdout, stderr } = await tool(attw, [tarball, '--profile', 'esm-only', '--format', 'json'], plain);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { analysis } = JSON.parse(stdout) as { readonly analysis: { readonly types: { readonly kind: string } } };
    expect(analysis.types.kind).toBe('included');
  });

  test.each([
    ['ECMAScript and CommonJS modules', 'nodenext', ['consumer.mts', 'consumer.cts'], []],
    // The declarations themselves are the same files, and have been checked.
    ['modules for a bundler', 'bundler', ['consumer.ts'], ['--skipLibCheck']],
  ] as const)('has types for %s', async (_, resolution, files, flags) => {
    const every = `${IMPORTS}\nexport const faces: Readonly<Record<string, object>> = ${FACES};\n`;
    for (const file of files) writeFileSync(join(plain, file), `${every}${CONSUMER}`);
    const { code, stdout } = await tool(
      programOf('typescript', 'tsc'),
      [
        ...['--noEmit', '--strict', '--target', 'es2023', '--lib', 'es2023', '--ignoreConfig', ...flags],
        ...['--module', resolution === 'bundler' ? 'esnext' : resolution, '--moduleResolution', resolution],
        ...['--typeRoots', join(ROOT, 'node_modules', '@types'), '--types', 'node', ...files],
      ],
      plain,
    );
    expect(stdout).toBe('');
    expect(code).toBe(0);
  });
});

describeInstalled('each of the paths of the package', (installation) => {
  const { plain } = installation;
  const run = async (name: string, text: string): Promise<unknown> => {
    const { code, stdout, stderr } = await runProgram(installation, plain, name, text);
    expect({ code, stderr: stderr.replace(/^.*ExperimentalWarning: .*\n|^\(Use `node.*\n/gm, '') }).toEqual({
      code: 0,
      stderr: '',
    });
    return JSON.parse(stdout);
  };

  test('is imported, is required as the same module, and survives a bundler', async () => {
    const imported = await run(
      'faces.mjs',
      `${IMPORTS} const faces = ${FACES}; console.log(JSON.stringify(${NAMED}));`,
    );
    expect((imported as [string, number][]).map(([path]) => path)).toEqual(SUBPATHS);
    for (const [, count] of imported as [string, number][]) expect(count).toBeGreaterThan(0);

    const required = `
      const faces = Object.fromEntries(${JSON.stringify(SUBPATHS)}.map((path) => [path, require(path)]));
      const same = async ([path, face]) => {
        const other = await import(path);
        return Object.keys(other).every((key) => key === 'module.exports' || other[key] === face[key]);
      };
      Promise.all(Object.entries(faces).map(same)).then((all) => console.log(JSON.stringify([all, ${NAMED}])));`;
    expect(await run('faces.cjs', required)).toEqual([SUBPATHS.map(() => true), imported]);

    const { build } = await import('esbuild');
    const entry = join(plain, 'bundled.mjs');
    writeFileSync(entry, `${IMPORTS} const faces = ${FACES}; console.log(JSON.stringify(${NAMED}));`);
    const common = {
      bundle: true,
      platform: 'node' as const,
      format: 'esm' as const,
      entryPoints: [entry],
      logLevel: 'silent',
    } satisfies BuildOptions;
    // The whole package is understood; what runs has it beside it, as a package with an addon is bundled.
    const { errors, warnings } = await build({ ...common, write: false });
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
    const { outputFiles } = await build({ ...common, write: false, packages: 'external', outfile: 'out.mjs' });
    expect(await run('out.mjs', outputFiles[0]?.text ?? '')).toEqual(imported);
  });
});

test('the documentation covers each of the paths', () => {
  const { entryPoints } = JSON.parse(readFileSync(join(ROOT, 'typedoc.json'), 'utf8')) as {
    readonly entryPoints: object[];
  };
  expect(entryPoints).toHaveLength(SUBPATHS.length);
});
