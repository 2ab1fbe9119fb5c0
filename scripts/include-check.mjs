// npm run lint:includes: holds the rooms of native/. Each folder of core includes only folders above it, no splitting includes
// another one, core knows nothing of the addon, and the addon sees of each splitting only the headers that are its face.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const NATIVE = fileURLToPath(new URL('../native', import.meta.url));

/** From top to bottom; folders of one row know nothing of each other. */
const ROWS = [
  ['runtime'],
  ['linalg'],
  ['functions'],
  ['gradient'],
  ['splitting'],
  ['layered', 'constraints', 'graph', 'minibatch', 'metric', 'consensus', 'serving', 'storage', 'measure'],
];
/** What the addon may include of a splitting: what is constructed, what it is told and what it answers. */
const FACE = /\/(?:state|types|trainer|gradient|forward|data)\.hpp$/;
const SPLITTINGS = ROWS.at(-1).slice(0, 6);

const rowOf = (folder) => ROWS.findIndex((row) => row.includes(folder));
const files = readdirSync(NATIVE, { recursive: true })
  .map((file) => file.split('\\').join('/'))
  .filter((file) => /\.(?:cc|hpp)$/.test(file) && !file.startsWith('test/'));

/** Why `file` may not include `target`, both below native/; undefined where it may. */
function complaint(file, target) {
  const [from, folder] = file.split('/');
  const [to, other] = target.split('/');
  if (to !== 'core') return to === from ? undefined : `${from} includes ${to}`;
  if (from === 'addon') {
    const inner = SPLITTINGS.includes(other) && !FACE.test(target);
    return inner ? `the addon includes what is inside of ${other}` : undefined;
  }
  if (from !== 'core' || folder === other) return undefined;
  if (rowOf(folder) < 0) return `core/${folder} is in no row of scripts/include-check.mjs`;
  if (rowOf(other) < rowOf(folder)) return undefined;
  return `core/${folder} includes core/${other}, which is not above it`;
}

const complaints = files.flatMap((file) =>
  [...readFileSync(join(NATIVE, file), 'utf8').matchAll(/^#include "([^"]+)"/gm)].flatMap(([, path]) => {
    const target = path.includes('/') ? path : posix.join(posix.dirname(file), path);
    const why = complaint(file, target);
    return why === undefined ? [] : [`native/${file}: ${why} (${path})`];
  }),
);
for (const text of complaints) console.error(text);
if (complaints.length > 0) process.exitCode = 1;
else console.log(`${files.length} files of native include what is above them`);
