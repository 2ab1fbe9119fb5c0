// node scripts/prepack.mjs: what npm runs before it packs. Makes what the package carries and git does not; what is published is made of
// that by scripts/release/pack.mjs.
// Speaks on stderr alone: `npm pack --json` has stdout for itself.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tell = (text) => console.error(text);

function compile() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const run = (...args) => {
    const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
    if (error) throw error;
    if (status !== 0) throw new Error('the TypeScript does not compile');
  };
  run(tsc, '-b', 'bench');
  run(path.join(root, 'scripts/hover.mjs'));
}

/** Where what is not of src comes from, by its place in dist. */
const FOLDERS = new Map([
  ['bench/', ''],
  ['golden/', 'test/'],
]);

/** tsc leaves the output of a source that is gone; nobody should be sent it. */
function removeOrphans() {
  const dist = path.join(root, 'dist');
  for (const file of readdirSync(dist, { recursive: true })) {
    const [, name] = /^(.*?)(?:\.d\.ts|\.js)$/.exec(file) ?? [];
    if (name === undefined) continue;
    const source = `${[...FOLDERS].find(([room]) => name.startsWith(room))?.[1] ?? 'src/'}${name}.ts`;
    if (existsSync(path.join(root, source))) continue;
    tell(`! removing dist/${file}: there is no ${source} any more`);
    rmSync(path.join(dist, file));
  }
}

try {
  compile();
  removeOrphans();
  tell('✓ the TypeScript is of the sources as they are');
} catch (error) {
  tell(`✗ cannot pack: ${error.message}`);
  process.exitCode = 1;
}
