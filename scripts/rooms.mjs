// npm run docs:rooms: draws the rooms of src and who imports whom, from the graph that `npm run lint` checks, into docs/rooms.svg.
// With --check it writes nothing and fails where the picture is of another graph.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { instance } from '@viz-js/viz';
import { cruise } from 'dependency-cruiser';
import config, { ROOMS } from '../.dependency-cruiser.mjs';

const PICTURE = fileURLToPath(new URL('../docs/rooms.svg', import.meta.url));
const roomOf = (file) => /^src\/([^/]+)\//.exec(file)?.[1] ?? (/^src\/[^/]+$/.test(file) ? 'index' : undefined);

const { output } = await cruise(['src'], { ...config.options, includeOnly: '^src' });
const arrows = new Set();
for (const { source, dependencies } of output.modules) {
  for (const { resolved } of dependencies) {
    const [from, to] = [roomOf(source), roomOf(resolved)];
    // Nearly every room asks core: those arrows would hide the others.
    if (from && to && from !== to && to !== 'core') arrows.add(`${from} -> ${to}`);
  }
}

const files = (room) => output.modules.filter(({ source }) => roomOf(source) === room).length;
const rooms = [...ROOMS, 'index'].filter((room) => files(room) > 0);
// Room by room from top to bottom, as in the table of the README.
const dot = `digraph rooms {
  node [shape=box style="rounded,filled" fillcolor="#f4f4f4" color="#888888" fontname="sans-serif" fontsize=12];
  edge [color="#777777" arrowsize=0.6 dir=back];
  ${rooms.map((room) => `${room} [label="${room === 'index' ? 'index.ts and the subpaths' : `${room}/`}"]`).join(';\n  ')};
  ${[...arrows]
    .sort()
    .map((arrow) => arrow.split(' -> '))
    .map(([from, to]) => `${to} -> ${from}`)
    .join(';\n  ')};
}`;

const svg = `${(await instance()).renderString(dot, { format: 'svg', engine: 'dot' }).trim()}\n`;
if (!process.argv.includes('--check')) await writeFile(PICTURE, svg);
else if ((await readFile(PICTURE, 'utf8').catch(() => '')) !== svg) {
  console.error('docs/rooms.svg is not of the imports as they are: npm run docs:rooms');
  process.exitCode = 1;
}
