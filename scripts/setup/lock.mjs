// One set-up at a time in a folder. A process that died leaves nobody waiting.
//
// Every process lays down a claim, a file of its own name, and only then looks for others: of two that come together at
// least one sees the other, steps back and tries again. No file is ever taken over, so there is no race about doing that.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Tells a process from a later one of the same number; empty where the system does not say. */
function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the program's name, may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'dead' : fields[19];
  } catch {
    return '';
  }
}

function isAlive(claim) {
  const [pid, started] = claim.split('-');
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
  }
  return startTime(pid) === started;
}

/** Waits until no other process holds `folder`; `onWait` is called once if that takes time. Returns the release function. */
export async function lock(folder, onWait) {
  mkdirSync(folder, { recursive: true });
  const own = `${process.pid}-${startTime(process.pid)}`;
  const file = path.join(folder, own);
  const others = () =>
    readdirSync(folder).filter((claim) => {
      if (claim === own || isAlive(claim)) return claim !== own;
      rmSync(path.join(folder, claim), { force: true });
      return false;
    });
  const release = () => rmSync(file, { force: true });
  for (let waited = false; ; waited = true) {
    if (others().length === 0) {
      writeFileSync(file, '');
      if (others().length === 0) return release;
      release();
    }
    if (!waited) onWait();
    await sleep(100 + Math.random() * 200);
  }
}
