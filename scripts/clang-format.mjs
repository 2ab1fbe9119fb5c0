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
  const mode = check ? ['--dry-run', '--Werror'] : ['-i'];
  const { status, stderr, error } = spawnSync(command, [...mode, '--style=file', ...files], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  if (error) throw error;
  // One line a place, without the excerpt: whoever runs this runs `npm run format` next.
  const places = stderr.match(/^\S.*?:\d+(?=:\d+: error: code should be clang-formatted)/gm) ?? [];
  for (const place of new Set(places)) console.error(`${place} is not formatted`);
  if (status === 0) {
    console.log(`${files.length} C++ files ${check ? 'are formatted' : 'formatted'}`);
  } else if (places.length === 0) {
    console.error(stderr);
    process.exit(1);
  } else if (version !== REFERENCE) {
    console.error(`That is the opinion of clang-format ${version}; ${REFERENCE} is the measure, so it does not count.`);
  } else {
    console.error('To format them: npm run format');
    process.exit(1);
  }
}
