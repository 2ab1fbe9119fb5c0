// The tools of a folder that has a package.json and a lock file of its own: installed, in the versions of the lock, where they are not
// there yet. What most who work on the project never need is kept out of its own dependencies so.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '../..');

/** The folder's path from the root, with its node_modules when this returns; `flags` are npm's. */
export function installTools(name, ...flags) {
  const folder = path.join(root, name);
  const lock = path.join(folder, 'package-lock.json');
  const mark = path.join(folder, 'node_modules', '.package-lock.json');
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync(lock).mtimeMs) return folder;
  console.error(`installing the tools of ${name} …`);
  const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund', ...flags];
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} in ${folder}: exit code ${status}`);
  return folder;
}
