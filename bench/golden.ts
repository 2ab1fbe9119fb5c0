/**
 * Replays a golden case (a recorded run of dlADMM, sigmoid-ADMM or the inversion ADMM) through the public API and compares
 * every recorded quantity.
 *
 *     npm run --silent golden -- FOLDER [--json]
 *
 * Exit status 0 only where everything holds.
 */
import { parseArgs } from 'node:util';
import { loadCase } from './golden/case.js';
import { type Comparison, compare } from './golden/compare.js';
import { replay } from './golden/replay.js';

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const folder = positionals[0];
if (folder === undefined || positionals.length > 1) {
  console.error('usage: npm run --silent golden -- FOLDER [--json]');
  process.exit(2);
}

try {
  const golden = await loadCase(folder);
  const comparison = compare(golden, await replay(golden));
  if (values.json) console.log(JSON.stringify(comparison));
  else print(comparison);
  process.exitCode = comparison.holds ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}

function print({ case: name, holds, quantities }: Comparison): void {
  for (const [quantity, { largestDeviation, tolerance, iteration, holds: ok, problem }] of Object.entries(quantities)) {
    const where = iteration === null ? '' : ` at iteration ${iteration}`;
    const figures = `${largestDeviation.toExponential(1)} of ${tolerance.toExponential(1)}${where}`;
    console.log(`${ok ? '✓' : '✗'} ${quantity.padEnd(16)} ${figures}${problem === undefined ? '' : ` (${problem})`}`);
  }
  console.log(`${name} ${holds ? 'holds' : 'does not hold'}`);
}
