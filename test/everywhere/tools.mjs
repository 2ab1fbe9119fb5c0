// The tools of a drill, in the versions of its lock file: installed where they are not there yet.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';

const HERE = import.meta.dirname;

/** The folder of a drill, with its node_modules; `flags` are npm's. */
export function installTools(name, ...flags) {
  const folder = path.join(HERE, name);
  const lock = path.join(folder, 'package-lock.json');
  const mark = path.join(folder, 'node_modules', '.package-lock.json');
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync(lock).mtimeMs) return folder;
  console.error(`installing the tools of test/everywhere/${name} …`);
  const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund', ...flags];
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} in ${folder}: exit code ${status}`);
  return folder;
}

/** For vitest, whose project has the name of the drill. */
export default ({ name }) => void installTools(name);
