// Packages of Debian, fetched by apt-get into a folder of ours, with package lists of its own: the system and its packages stay as they are.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A program that is to end well; throws with the last it said. */
export function run(command, args, cwd) {
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 2, 'pipe'] });
  if (error) throw new Error(`${command} could not be run (${error.code})`);
  if (status !== 0) throw new Error(`${command} ${args.at(-1)}: ${stderr.trim().split('\n').at(-1)}`);
}

function expectHash(file, sha256) {
  const found = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (found !== sha256) throw new Error(`${path.basename(file)} has the SHA-256 ${found}, not ${sha256}`);
}

/** What a suite has for an architecture, in Debian's names: `suites` are lines of a sources.list. The folder is emptied first. */
export function aptIn(folder, architecture, suites) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.join(folder, 'lists', 'partial'), { recursive: true });
  writeFileSync(path.join(folder, 'sources.list'), suites);
  const settings = {
    'Dir::State::lists': path.join(folder, 'lists'),
    'Dir::Etc::sourcelist': path.join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::status': '/dev/null',
    'Acquire::Retries': 1,
    'Acquire::http::Timeout': 30,
    'APT::Architecture': architecture,
    'APT::Architectures::': architecture,
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const apt = (...words) => run('apt-get', ['-q', ...options, ...words], folder);
  apt('update');
  return {
    /** The folder that a package is unpacked into. */
    unpack(name, version, sha256) {
      const file = `${name}_${version}_${architecture}.deb`;
      apt('download', `${name}=${version}`);
      expectHash(path.join(folder, file), sha256);
      run('dpkg-deb', ['-x', file, 'package'], folder);
      return path.join(folder, 'package');
    },
    /** The folder with its sources, patched; the hash is that of the description, which has those of the sources. */
    sources(name, version, sha256) {
      const description = `${name}_${version}.dsc`;
      apt('source', '--download-only', `${name}=${version}`);
      expectHash(path.join(folder, description), sha256);
      run('dpkg-source', ['-x', description, 'sources'], folder);
      return path.join(folder, 'sources');
    },
  };
}
