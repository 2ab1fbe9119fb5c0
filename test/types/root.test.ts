/** What `import … from 'dladmm'` offers: what a user types, and no more. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('the root has at most 40 names, none of one letter', () => {
  const text = readFileSync(new URL('../../src/index.ts', import.meta.url), 'utf8');
  const names = [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter((name) => name !== ''),
  );
  expect(names).toContain('fit');
  expect(names.length).toBeLessThanOrEqual(40);
  expect(names.filter((name) => name.length < 2)).toEqual([]);
});
