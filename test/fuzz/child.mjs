// node child.mjs TARGET SEED FIRST SECONDS PROGRESS: reads mutants FIRST, FIRST + 1, … of one target for so many seconds of
// the processor, or twice as many of the clock, and prints what came of them as JSON. PROGRESS is a file that holds the number of the one at work.
import { mkdtempSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DlAdmmError } from '../../dist/index.js';
import { mutated } from './mutate.mjs';
import { random } from './random.mjs';
import { TARGETS } from './targets.mjs';

const [name, seed, first, seconds, progress] = process.argv.slice(2);
/** So long may one input take, in seconds of the processor. */
const SLOW = 1;
const target = await TARGETS[name]();
const file = openSync(progress, 'w');
const counter = new BigUint64Array(1);
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const totals = { tried: 0, taken: 0, refused: 0, slowest: 0, codes: {}, caught: [] };
const findings = [];
const found = (index, what, bytes) => {
  const path = join(mkdtempSync(join(tmpdir(), 'dladmm-found-')), `${name}-${seed}-${index}`);
  writeFileSync(path, bytes);
  findings.push({ index, what, path });
};
/** Where an error of nobody's came from. */
const trace = (error) =>
  String(error?.stack ?? '')
    .split('\n')
    .filter((line) => /dist|node_modules/.test(line))
    .slice(0, 3)
    .map((line) => line.trim().replace(/\(?file:.*\/(?=dist|node_modules)/, ''))
    .join(' < ');
/** An error of another kind that the safety net of `reader` has caught, which the reader itself should have foreseen. */
const foreign = (error) => (/may be damaged/.test(error.message) ? error.cause : undefined);

const began = cpu();
/** A machine may have others to serve, and a reader may wait. */
const deadline = performance.now() + 2000 * Number(seconds);
let index = Number(first);
for (; cpu() - began < Number(seconds) && performance.now() < deadline; index++) {
  counter[0] = BigInt(index);
  writeSync(file, counter, 0, 8, 0);
  const r = random(`${seed} ${name} ${index}`);
  const { seeds, mutant = mutated } = target;
  const bytes = index < seeds.length ? seeds[index] : await mutant(r, seeds);
  const at = cpu();
  totals.tried += 1;
  try {
    const value = await target.read(bytes, r);
    value?.close?.();
    totals.taken += 1;
  } catch (error) {
    totals.refused += 1;
    const code = error instanceof DlAdmmError ? error.code : `${error?.name}`;
    totals.codes[code] = (totals.codes[code] ?? 0) + 1;
    if (!(error instanceof DlAdmmError)) found(index, `${error?.name}: ${error?.message} ${trace(error)}`, bytes);
    else if (code === 'ERR_DLADMM_NATIVE') found(index, error.message, bytes);
    else if (foreign(error) && totals.caught.length < 20) {
      totals.caught.push(`${index} ${error.message.slice(0, 120)} ${trace(foreign(error))}`);
    }
  }
  const took = cpu() - at;
  totals.slowest = Math.max(totals.slowest, took);
  if (took > SLOW) found(index, `slow: ${took.toFixed(1)} s`, bytes);
}
process.stdout.write(`${JSON.stringify({ next: index, totals, findings })}\n`);
process.exit(0);
