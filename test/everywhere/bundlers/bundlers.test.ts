/** Each recipe of docs/bundlers.md, and what it makes in an empty folder that is read-only, without HOME. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeInstalled, type Outcome } from '../../package/installation.js';
import { APP, alone, built, clearAway, deployed, inApp, layOut, recipeOf, remove, served } from './recipes.js';

const PREBUILT = join('node_modules', '@dladmm', `linux-${process.arch}-glibc`, 'dladmm.node');
const TRAINED = { kind: 'completed', good: true, same: true };

/** What the drill comes to with the addon of a folder. */
const drilled = (folder: string) => ({
  ...TRAINED,
  aborted: 'aborted',
  rows: 12,
  writing: expect.stringMatching(/^E(?:ACCES|ROFS)$/),
  addon: join(folder, PREBUILT),
});

function resultOf({ code, stdout, stderr }: Outcome): unknown {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

const NO_ADDON = /there is neither .* nor prebuilds\/.* in \//;
const NO_FOLDER = /has it been bundled\?/;

/** It names what is missing, and what to do. */
function expectRefusal({ code, stderr }: Outcome, what: RegExp): void {
  expect(code).not.toBe(0);
  expect(stderr).toMatch(what);
  expect(stderr).toContain('ERR_DLADMM_NATIVE');
  expect(stderr).toMatch(/[Ll]eave (?:dladmm|it) external.*[Oo]r copy node_modules\/dladmm/);
}

const folders: string[] = [];
function deploy(): string {
  folders.push(deployed());
  return folders.at(-1) ?? '';
}

describeInstalled('by its recipe', (installation) => {
  beforeAll(() => layOut(installation));
  afterAll(() => {
    clearAway();
    for (const folder of folders) remove(folder);
  });

  test.each([
    ['esbuild', { inWorker: TRAINED }],
    ['Rollup', { inWorker: TRAINED }],
    ['webpack', { inWorker: TRAINED }],
    ['Vite (SSR)', { inWorker: TRAINED }],
    ['Single executable', {}],
  ] as const)('%s makes what trains, predicts, reads and is aborted alone', async (heading, more) => {
    const command = await built(heading);
    const folder = deploy();
    expect(resultOf(await alone(folder, command))).toEqual({ ...drilled(folder), ...more });
    remove(folder, PREBUILT);
    expectRefusal(await alone(folder, command), NO_ADDON);
    remove(folder, 'node_modules');
    expectRefusal(await alone(folder, command), NO_FOLDER);
  });

  test('AWS Lambda gets a function, with the copy in it or in a layer', async () => {
    await built('AWS Lambda');
    const runtime = mkdtempSync(join(tmpdir(), 'dladmm-lambda-'));
    folders.push(runtime);
    cpSync(fileURLToPath(new URL('../app/runtime.mjs', import.meta.url)), join(runtime, 'runtime.mjs'));
    mkdirSync(join(runtime, 'nodejs'));
    chmodSync(runtime, 0o755);
    const folder = deploy();
    const invoked = (env: object = {}) =>
      alone(folder, `node ${join(runtime, 'runtime.mjs')}`, { LAMBDA_TASK_ROOT: folder, ...env });
    expect(resultOf(await invoked())).toEqual(drilled(folder));

    const layer = join(runtime, 'nodejs');
    cpSync(join(folder, 'node_modules'), join(layer, 'node_modules'), { recursive: true });
    remove(folder, 'node_modules');
    expect(resultOf(await invoked({ NODE_PATH: join(layer, 'node_modules') }))).toEqual(drilled(layer));
    expectRefusal(await invoked(), NO_FOLDER);
  });

  test('Next.js serves', async () => {
    mkdirSync(join(APP, 'app', 'train'), { recursive: true });
    writeFileSync(
      join(APP, 'app', 'layout.js'),
      'export default ({ children }) => <html><body>{children}</body></html>;',
    );
    writeFileSync(
      join(APP, 'app', 'train', 'route.js'),
      `import { drill } from '../../drill.mjs';
       export const dynamic = 'force-dynamic';
       export const GET = async () => Response.json(await drill());`,
    );
    const command = await built('Next.js', false);
    const made = readdirSync(join(APP, 'out'), { recursive: true, encoding: 'utf8' });
    const server = made.find((name) => /(?:^|\/)server\.js$/.test(name) && !name.includes('node_modules')) ?? '';
    cpSync(join(APP, 'table.parquet'), join(APP, 'out', dirname(server), 'table.parquet'));
    const top = deploy();
    const folder = join(top, dirname(server));
    const { status, body, said } = await served(folder, command, '/train');
    expect({ status, said }).toEqual({ status: 200, said: expect.any(String) });
    expect(JSON.parse(body)).toEqual(drilled(folder));
    remove(top, relative(top, join(folder, PREBUILT)));
    expect(await served(folder, command, '/train')).toMatchObject({
      status: 500,
      said: expect.stringMatching(/native addon of dladmm could not be loaded/),
    });
  });

  test.each(['jest', 'vitest', 'tsx', 'ts-node'])(
    '%s runs it, and tells when the addon is not there',
    async (heading) => {
      for (const { name, text } of recipeOf(heading).files) writeFileSync(join(APP, name), text);
      writeFileSync(
        join(APP, 'train.ts'),
        `import { fit, type Model } from 'dladmm';
       // @ts-ignore it has no types
       import { drill, tell } from './drill.mjs';
       const samples = { x: [[0], [1], [2], [3]], labels: [0, 0, 1, 1] };
       const model: Promise<Model> = fit(samples, { layers: [1, 2], iterations: 2 }).then(({ model }) => model);
       tell(model.then(drill));`,
      );
      const [command = ''] = recipeOf(heading).commands;
      const works = await inApp(command);
      expect({ code: works.code, output: works.stdout + works.stderr }).toEqual({
        code: 0,
        output: expect.stringMatching(/1 passed|"kind":"completed"/),
      });
      renameSync(join(APP, PREBUILT), join(APP, 'addon'));
      try {
        const fails = await inApp(command);
        expect(fails.code).not.toBe(0);
        expect(fails.stdout + fails.stderr).toMatch(/native addon of dladmm could not be loaded.*npm rebuild dladmm/s);
      } finally {
        renameSync(join(APP, 'addon'), join(APP, PREBUILT));
      }
    },
  );
});
