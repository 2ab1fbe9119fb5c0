/** Files whose checksums are right and which say nonsense, member by member: each is refused by a check of its own, or taken. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { drills } from '../children/drills.js';
import { run } from '../children/run.js';

const script = fileURLToPath(new URL('misstated.mjs', import.meta.url));

test.each([
  ['model', 11],
  ['checkpoint', 31],
  ['learner', 11],
  ['resume', 11],
])(
  'whatever a file says of itself is checked before it is used: %s',
  async (kind, step) => {
    const { code, stdout, stderr } = await run(
      process.execPath,
      [script, kind, `${drills(step, 1)}`],
      drills(160_000, 600_000),
    );
    expect(stderr).toBe('');
    const { refused, unchecked } = JSON.parse(stdout);
    expect(unchecked).toEqual([]);
    expect(refused).toBeGreaterThan(drills(20, 200));
    expect(code).toBe(0);
  },
  drills(180_000, 650_000),
);
