// Stamps: a file in a build's folder with the hash of all that the build was made from.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

function filesUnder(file) {
  if (!existsSync(file)) return [];
  if (!statSync(file).isDirectory()) return [file];
  return readdirSync(file)
    .sort()
    .flatMap((name) => filesUnder(path.join(file, name)));
}

/** One hash of the names and contents of `paths` (files or folders, relative to `root`) and of the strings `facts`. */
export function contentHash(root, paths, facts) {
  const hash = createHash('sha256');
  // Lengths go in too, so that no two different lists run together into the same bytes.
  const add = (bytes) => hash.update(`${bytes.length}\n`).update(bytes);
  for (const fact of facts) add(Buffer.from(fact));
  for (const file of paths.flatMap((entry) => filesUnder(path.join(root, entry)))) {
    add(Buffer.from(path.relative(root, file)));
    add(readFileSync(file));
  }
  return hash.digest('hex');
}

export function hasStamp(file, hash) {
  return existsSync(file) && readFileSync(file, 'utf8') === hash;
}

export function writeStamp(file, hash) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, hash);
}
