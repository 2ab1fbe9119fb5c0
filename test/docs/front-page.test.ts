import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';

// What the front page prints is run as it is printed.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'dladmm-front-page-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rows = Array.from({ length: 300 }, (_, i) => {
  const [plan, country, calls] = [['basic', 'plus'][i % 2], ['Norway', 'Spain', '?'][i % 3], (i * 7) % 10];
  return [i, plan, country, calls, calls + (i % 2) * 3 > 6 ? 'yes' : 'no'].join(',');
});
const csv = `id,plan,country,calls,churned\n${rows.join('\n')}\n`;
writeFileSync(join(folder, 'customers.csv'), csv);
writeFileSync(join(folder, 'new.csv'), csv);

const run = (...args: readonly string[]) => spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });

test('the five lines', () => {
  const [, code = ''] =
    /```js\n(import \{ fit \} from 'dladmm';\n\nconst \{ model, report \}[\s\S]*?)```/.exec(README) ?? [];
  expect(code).toContain("target: 'churned'");
  const index = pathToFileURL(join(ROOT, 'dist/index.js')).href;
  const told = 'console.log(typeof label, probability);';
  writeFileSync(join(folder, 'five.mjs'), `${code.replace("'dladmm'", `'${index}'`)}\n${told}\n`);
  const { status, stdout, stderr } = run('five.mjs');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^classification of "churned"/);
  for (const what of [
    'held out 60 of 300',
    'accuracy',
    'ROC AUC',
    'F1',
    'true \\ told',
    '"id" seems to be an identifier',
  ]) {
    expect(stdout).toContain(what);
  }
  expect(stdout).toMatch(/\nstring 0\.\d+\n$/);
}, 60_000);

test('the three commands', () => {
  const commands = README.match(/^ {4}dladmm (?:train customers|evaluate churn|predict churn).*$/gm) ?? [];
  expect(commands).toHaveLength(3);
  const [trained, evaluated, predicted] = commands.map((line) =>
    run(join(ROOT, 'dist/cli/main.js'), ...line.trim().split(/\s+/).slice(1)),
  );
  expect([trained?.status, evaluated?.status, predicted?.status]).toEqual([0, 0, 0]);
  expect(trained?.stdout).toMatch(/^classification of "churned"[\s\S]*model saved to churn.safetensors\n$/);
  expect(trained?.stderr).toMatch(/^linear model {2}.*\n[\s\S]*^network {2}/m);
  expect(evaluated?.stdout).toMatch(/on 300 samples of new.csv[\s\S]*ROC AUC/);
  expect(readFileSync(join(folder, 'scores.csv'), 'utf8').split('\n')).toHaveLength(302);
}, 60_000);
