// node scripts/native-rooms.mjs: holds the rooms of native/core to their order. A room includes those before it; what
// stands beside the others (each splitting, serving, storage, measure) is included by nobody in the core.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SHARED = ['runtime', 'linalg', 'functions', 'splitting', 'gradient'];

const core = fileURLToPath(new URL('../native/core', import.meta.url));
const faults = readdirSync(core, { recursive: true })
  .filter((file) => /\.(hpp|cc)$/.test(file))
  .flatMap((file) => {
    const [room] = file.split(path.sep);
    const before = SHARED.includes(room) ? SHARED.slice(0, SHARED.indexOf(room)) : SHARED;
    const included = readFileSync(path.join(core, file), 'utf8').matchAll(/^#include "(core\/([a-z]+)\/[^"]+)"/gm);
    return [...included]
      .filter(([, , other]) => other !== room && !before.includes(other))
      .map(([, header]) => `native/core/${file} includes ${header}: ${room} may include ${before.join(', ') || 'no room'}`);
  });
for (const fault of faults) console.error(fault);
console.log(faults.length === 0 ? 'the rooms of native/core include what they may' : `${faults.length} includes too many`);
process.exitCode = faults.length === 0 ? 0 : 1;
