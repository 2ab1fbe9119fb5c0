import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { withQuota } from '../../dist/bench/containers/group.js';
import { jsonOf, startChild } from '../../dist/bench/harness/child.js';

/** Whether this machine lets us make a group; most containers do not. */
const mayGroup = await withQuota(1, async () => true).catch(() => false);

describe('a group with a quota', () => {
  test.skipIf(!mayGroup)(
    'takes in a program before its first instruction (skipped where no group may be made)',
    async () => {
      const places = await withQuota(0.5, async (group) => {
        using child = startChild<object, unknown>('containers/worker', { group });
        const work = { data: 'iris', options: { layers: [4, 3], threads: 1 } };
        expect(await child.ask({ kind: 'open', name: 'it', work })).toBe('ready');
        return { group, inside: (await readFile(group, 'utf8')).trim().split('\n') };
      });
      expect(places.inside).toHaveLength(1);
      await expect(readFile(places.group)).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );
});

describe('bench:containers', () => {
  test('tells for every part what is asked and whether it holds', async () => {
    const { rows } = await jsonOf<{ rows: readonly { part: string; ratio: number; holds: boolean }[] }>('containers', [
      ...['--only', 'quiet', '--rounds', '1', '--seconds', '0.05'],
    ]);
    expect(rows.map(({ part }) => part)).toEqual(new Array(6).fill('quiet'));
    for (const { ratio, holds } of rows) expect([typeof ratio, typeof holds]).toEqual(['number', 'boolean']);
  });
});
