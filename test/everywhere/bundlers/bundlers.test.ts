/** Each recipe of docs/bundlers.md, and what it makes in an empty folder that is read-only, without HOME. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeInstalled, type Outcome } from '../../package/installation.js';
import { alone, built, clearAway, deployed, layOut, remove } from './recipes.js';

const PREBUILT = `prebuilds/linux-${process.arch}/dladmm.glibc.node`;
const TRAINED = { kind: 'completed', good: true, same: true };

const expected = (folder: string) => ({
  ...TRAINED,
  aborted: 'aborted',
  rows: 12,
  writing: expect.stringMatching(/^E(?:ACCES|ROFS)$/),
  addon: join(folder, 'node_modules', 'dladmm', PREBUILT),
});

function resultOf({ code, stdout, stderr }: Outcome): unknown {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** It names what is missing, and what to do. */
function expectRefusal({ code, stderr }: Outcome, what: RegExp): void {
  expect(code).not.toBe(0);
  expect(stderr).toMatch(what);
  expect(stderr).toContain('ERR_DLADMM_NATIVE');
  expect(stderr).toMatch(/[Ll]eave (?:dladmm|it) external.*[Oo]r copy node_modules\/dladmm/);
}

const folders: string[] = [];

describeInstalled('what the recipe makes with', (installation) => {
  beforeAll(() => layOut(installation));
  afterAll(() => {
    clearAway();
    for (const folder of folders) remove(folder);
  });

  test.each(['esbuild', 'Rollup', 'webpack'])('%s: trains, predicts, reads and is aborted alone', async (heading) => {
    const command = await built(heading);
    const folder = deployed();
    folders.push(folder);
    expect(resultOf(await alone(folder, command))).toEqual({ ...expected(folder), inWorker: TRAINED });

    remove(folder, join('node_modules/dladmm', PREBUILT));
    expectRefusal(await alone(folder, command), /there is neither .* nor prebuilds\/.* in \//);
    remove(folder, 'node_modules');
    expectRefusal(await alone(folder, command), /has it been bundled\?/);
  });
});
