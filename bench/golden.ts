/**
 * Replays a golden case (a recorded run of dlADMM, sigmoid-ADMM or the inversion ADMM) through the public API and compares
 * every recorded quantity.
 *
 * Exit status 0 only where everything holds, 1 where it does not, 2 where it could not be told.
 */
import { loadCase } from '../golden/case.js';
import { type Comparison, compare } from '../golden/compare.js';
import { replay } from '../golden/replay.js';
import { program, refused } from './harness/program.js';

await program(
  {},
  async (_, [folder, ...more]) => {
    if (folder === undefined || more.length > 0)
      throw refused('one folder', 'npm run golden -- FOLDER', more.join(' '));
    const golden = await loadCase(folder);
    const comparison = compare(golden, await replay(golden));
    return { result: comparison, text: textOf(comparison), code: comparison.holds ? 0 : 1 };
  },
  { positionals: true, failure: 2 },
);

function textOf({ case: name, holds, quantities }: Comparison): string {
  const lines = Object.entries(quantities).map(
    ([quantity, { largestDeviation, tolerance, iteration, holds: ok, problem }]) => {
      const where = iteration === null ? '' : ` at iteration ${iteration}`;
      const figures = `${largestDeviation.toExponential(1)} of ${tolerance.toExponential(1)}${where}`;
      return `${ok ? '✓' : '✗'} ${quantity.padEnd(16)} ${figures}${problem === undefined ? '' : ` (${problem})`}`;
    },
  );
  return [...lines, `${name} ${holds ? 'holds' : 'does not hold'}`].join('\n');
}
