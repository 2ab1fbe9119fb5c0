// node scripts/clang-format.mjs [--check]: formats the C++ sources, or with --check tells which are not formatted.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Versions lay code out differently, so one of them has to be the measure. */
const REFERENCE = 14;

const root = fileURLToPath(new URL('..', import.meta.url));
const unknown = process.argv.slice(2).filter((argument) => argument !== '--check');
if (unknown.length > 0) {
  console.error(`unknown argument ${unknown[0]}; usage: node scripts/clang-format.mjs [--check]`);
  process.exit(1);
}
const check = process.argv.includes('--check');

const native = path.join(root, 'native');
const files = (existsSync(native) ? readdirSync(native, { recursive: true }) : [])
  .filter((file) => /\.(hpp|cc)$/.test(file))
  .map((file) => path.join('native', file))
  .sort();

function findFormatter() {
  for (const command of [process.env.CLANG_FORMAT, `clang-format-${REFERENCE}`, 'clang-format']) {
    if (!command) continue;
    const { stdout, status } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (status === 0) return { command, version: Number(stdout.match(/version (\d+)/)?.[1]) };
  }
  console.error('clang-format is missing; to install the tools for tests: npm run setup -- --test');
  process.exit(1);
}

if (files.length > 0) {
  const { command, version } = findFormatter();
  const { status, error } = spawnSync(
    command,
    [...(check ? ['--dry-run', '--Werror'] : ['-i']), '--style=file', ...files],
    {
      cwd: root,
      stdio: 'inherit',
    },
  );
  if (error) throw error;
  if (status === 0) console.log(`${files.length} C++ files ${check ? 'are formatted' : 'formatted'}`);
  else if (check && version !== REFERENCE) {
    console.log(
      `The lines above are clang-format ${version}'s opinion; clang-format ${REFERENCE} is the measure, so they do not count.`,
    );
  } else {
    console.error(check ? 'To format them: npm run format' : `${command} failed`);
    process.exit(1);
  }
}
