// node scripts/lint/native-includes.mjs [FOLDER]: whether native/ (or FOLDER) keeps to its rooms. Includes go one way,
// down the list; a splitting knows nothing of another, the core nothing of the addon, the addon of the core what a room
// shows.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** From the ground up: each includes those before it. */
const GROUND = ['runtime', 'linalg', 'functions', 'gradient', 'splitting'];

/** Beside each other on that ground. */
const BESIDE = ['layered', 'constraints', 'consensus', 'minibatch', 'graph', 'serving', 'measure'];

/** What stands on less. */
const LOWER = { storage: ['linalg'] };

/** What is a room's own: how its updates are made. */
const PRIVATE = /^(?:kernels|pass|search|elementary|elementwise|entrywise|tiled|sums|packed|pool)\.hpp$/;

const reachable = (room) => {
  if (room in LOWER) return [room, ...LOWER[room]];
  const level = GROUND.indexOf(room);
  if (level >= 0) return GROUND.slice(0, level + 1);
  return BESIDE.includes(room) ? [...GROUND, room] : undefined;
};

/** Why `file` (from native/) must not include `included`; undefined when it may. */
export function faultOf(file, included) {
  const [from, room] = file.split('/');
  const [to, target, header] = included.split('/');
  if (to === 'addon') return from === 'core' ? 'the core knows nothing of the addon' : undefined;
  if (to !== 'core') return undefined;
  if (from === 'addon') return PRIVATE.test(header) ? `${header} is core/${target}'s own` : undefined;
  const rooms = reachable(room);
  if (rooms === undefined) return `core/${room} is no room of scripts/lint/native-includes.mjs`;
  return rooms.includes(target) ? undefined : `core/${room} may include ${rooms.map((it) => `core/${it}`).join(', ')}`;
}

/** Every include in `folder` that is a fault, as a line. */
export function faultsIn(folder) {
  return ['core', 'addon'].flatMap((part) =>
    readdirSync(path.join(folder, part), { recursive: true })
      .filter((name) => /\.(?:cc|hpp)$/.test(name))
      .flatMap((name) => {
        const file = `${part}/${name.split(path.sep).join('/')}`;
        const lines = readFileSync(path.join(folder, file), 'utf8').split('\n');
        return lines.flatMap((line, i) => {
          const included = /^\s*#\s*include\s+"([^"]+)"/.exec(line)?.[1];
          const fault = included && faultOf(file, included);
          return fault ? [`${path.join(folder, file)}:${i + 1}: includes "${included}": ${fault}`] : [];
        });
      }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder =
    process.argv[2] ?? path.relative(process.cwd(), fileURLToPath(new URL('../../native', import.meta.url)));
  const faults = faultsIn(folder);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
  else console.log('native includes go one way');
}
