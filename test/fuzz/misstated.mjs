// node misstated.mjs KIND STEP: reads files of a kind whose checksums are right and which say nonsense, member by member, every
// STEP-th of them; prints how many were taken and refused, and what no check of their own has refused.
import { DlAdmmError } from '../../dist/index.js';
import { random } from './random.mjs';
import { misstatedCheckpoints, misstatedModels, TARGETS } from './targets.mjs';

const [kind, step = '1'] = process.argv.slice(2);
const { seeds, read } = await TARGETS[kind]();
const misstated = kind === 'model' ? misstatedModels : misstatedCheckpoints;
// What this version writes, which has all there is, comes after the files of earlier ones.
const files = kind === 'resume' ? seeds.slice(0, 3) : seeds;
const r = random(kind);
const found = { taken: 0, refused: 0, unchecked: [] };
let count = 0;
for (const seed of files) {
  for (const [said, bytes] of misstated(seed)) {
    count += 1;
    if (count % Number(step) !== 0) continue;
    const began = performance.now();
    try {
      const value = await read(bytes, r);
      value?.close?.();
      found.taken += 1;
    } catch (error) {
      found.refused += 1;
      const checked = error instanceof DlAdmmError && !/may be damaged/.test(error.message);
      if (!checked) found.unchecked.push(`${error} of ${said}`);
    }
    if (performance.now() - began > 5000) found.unchecked.push(`${performance.now() - began} ms of ${said}`);
  }
}
process.stdout.write(JSON.stringify(found));
process.exit(0);
