import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Model, resume } from '../../src/index.js';
import { said } from '../cli/support.js';
import { temporaryFolder } from '../formats/support.js';

const PAGE = readFileSync(new URL('../../docs/serving.md', import.meta.url), 'utf8');
const RECIPE = [...PAGE.matchAll(/^```js\n(.*?)^```$/gms)].flatMap(([, code = '']) =>
  /SIGTERM/.test(code) ? [code.replace(/^import .*$/m, '')] : [],
);
const INDEX = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href);
const DATA = `{
  x: { data: Float32Array.from({ length: 500 * 64 }, (_, i) => Math.sin(i * i)), rows: 500, columns: 64 },
  labels: Int32Array.from({ length: 500 }, (_, i) => (i * 7) % 10),
}`;
/** The recipe with a training around it that ends only when it is ended, and tells of its third epoch. */
const PROGRAM = `
  import * as dladmm from ${INDEX};
  const data = ${DATA};
  const onIteration = ({ iteration }) => { if (iteration === 3) console.log('going'); };
  const fit = (data, options) => dladmm.fit(data, { ...options, solver: 'adam', epochs: 1e6, onIteration });
  ${RECIPE[0]}`;

test.skipIf(process.platform === 'win32')(
  'SIGTERM in the middle of a training keeps checkpoint and model, and resume goes on from there',
  async () => {
    const folder = await temporaryFolder();
    const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
    await said(child.stdout, /going/);
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: 0, signal: null });

    const kept = await Model.load(join(folder, 'digits.safetensors'));
    expect(kept.note).toEqual({ status: 'aborted' });
    const data = new Function(`return ${DATA}`)();
    expect((await kept.evaluate(data)).loss).toBeGreaterThan(0);

    const checkpoint = join(folder, 'digits.checkpoint');
    const before = await resume(checkpoint, data, { signal: AbortSignal.abort() });
    expect(before.model.weights).toEqual(kept.weights);
    const stop = new AbortController();
    const iterations: number[] = [];
    const onIteration = ({ iteration }: { readonly iteration: number }): void => {
      if (iterations.push(iteration) === 2) stop.abort();
    };
    const { model } = await resume(checkpoint, data, { signal: stop.signal, onIteration });
    expect(iterations[0]).toBeGreaterThan(3);
    expect(iterations[1]).toBe((iterations[0] as number) + 1);
    expect(model.weights).not.toEqual(kept.weights);
  },
);
