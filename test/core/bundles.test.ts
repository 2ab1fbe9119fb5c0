/** A program in a bundle, and one that is deployed as the files that a tracer finds: both find the addon, or are told what helps. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFileTrace } from '@vercel/nft';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../children/run.js';

const ROOT = realpathSync(fileURLToPath(new URL('../..', import.meta.url)));
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dladmm-bundle-')));
const app = join(folder, 'app');
const away = join(folder, 'away');
const installed = join(app, 'node_modules', 'dladmm');
const addon = join('node_modules', 'dladmm', 'build', 'Release', 'dladmm.node');

beforeAll(() => {
  // As npm would install them: files of the package's own, beside those that it depends on.
  for (const name of ['dist', 'data', 'package.json', 'native/load.cjs', 'build/Release/dladmm.node']) {
    mkdirSync(dirname(join(installed, name)), { recursive: true });
    cpSync(join(ROOT, name), join(installed, name), { recursive: true });
  }
  const modules = realpathSync(join(ROOT, 'node_modules'));
  for (const name of readdirSync(modules).filter((name) => !name.startsWith('.')))
    symlinkSync(join(modules, name), join(app, 'node_modules', name));
  mkdirSync(away);
  writeFileSync(
    join(app, 'index.mjs'),
    `import { info } from 'dladmm';
     import { loadDataset } from 'dladmm/data';
     loadDataset('iris').then(({ train }) => console.log(JSON.stringify({ ...info(), rows: train.labels.length })));`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Of the addon where it is installed, and not of one that the environment names. */
const here = test.skipIf(process.env.DLADMM_PREBUILD !== undefined);
const found = { version: expect.any(String), addon: join(app, addon), rows: expect.any(Number) };

here.each(['esm', 'cjs'] as const)(
  'a bundle of esbuild (%s) takes the package that is installed beside it',
  async (format) => {
    const outfile = join(app, 'out', `bundle.${format === 'esm' ? 'mjs' : 'cjs'}`);
    await build({
      entryPoints: [join(app, 'index.mjs')],
      bundle: true,
      platform: 'node',
      format,
      outfile,
      logLevel: 'error',
    });
    const { stdout, stderr } = await run(process.execPath, [outfile]);
    expect(JSON.parse(stdout || JSON.stringify(stderr))).toMatchObject(found);

    const alone = join(away, `bundle-${format}${outfile.slice(-4)}`);
    cpSync(outfile, alone);
    // From a folder where the package is not, either.
    const lost = await run('sh', ['-c', `cd ${away} && exec ${process.execPath} ${alone}`]);
    expect(lost.code).not.toBe(0);
    expect(lost.stderr).toMatch(/DlAdmmError: .*has it been bundled\? Leave it external.*--external:dladmm.*Or copy/);

    // A copy of its folder is enough, without what it depends on.
    for (const name of ['package.json', 'data', 'build']) {
      cpSync(join(installed, name), join(away, 'copy', name), { recursive: true });
    }
    const copied = await run('env', [`DLADMM_PREBUILD=${join(away, 'copy')}`, process.execPath, alone]);
    expect(JSON.parse(copied.stdout || JSON.stringify(copied.stderr))).toMatchObject({
      ...found,
      addon: join(away, 'copy', 'build', 'Release', 'dladmm.node'),
    });
  },
);

here('a tracer finds the addon and its loader, and nothing in the caches of the user', async () => {
  const { fileList } = await nodeFileTrace([join(app, 'index.mjs')], { base: app, processCwd: app });
  expect([...fileList]).toContain(addon);
  expect([...fileList].some((file) => file.includes('node-gyp-build'))).toBe(true);
  expect([...fileList].filter((file) => /\.cache|\.npmrc/.test(file))).toEqual([]);
});
