// npm run test:nodes -- [--whole] [VERSION …]: what users install, tested on versions of Node; --whole: all tests on the newest.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { installTools } from '../../scripts/tools/install.mjs';

const root = path.join(import.meta.dirname, '../..');
const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
const folder = installTools('test/everywhere/nodes');
const { dependencies } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
const all = Object.keys(dependencies).map((name) => name.replace('node-', ''));
const given = process.argv.slice(2);
const whole = given.includes('--whole');
const asked = given.filter((word) => word !== '--whole');
const unknown = asked.find((version) => !all.includes(version));
if (unknown !== undefined) {
  console.error(`There is no Node ${unknown} here; there are ${all.join(', ')}`);
  process.exit(2);
}

/** Vitest by one of these, which is also the `node` of all that its tests start. */
function passes(version, words) {
  const bin = path.join(folder, 'node_modules', `node-${version}`, 'bin');
  console.log(`\n── Node ${version}: vitest ${words.join(' ')}`);
  const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` };
  return spawnSync(path.join(bin, 'node'), [vitest, ...words], { cwd: root, env, stdio: 'inherit' }).status === 0;
}

const versions = asked.length > 0 ? asked : all;
const newest = versions.at(-1);
const failed = versions.filter(
  (version) =>
    !passes(version, whole && version === newest ? ['run'] : ['run', '--project', 'package', 'test/package/consumer']),
);
console.log(
  failed.length === 0
    ? `\nPassed on Node ${versions.join(', ')}${whole ? `, all tests on ${newest}` : ''}`
    : `\nFailed on Node ${failed.join(', ')}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
