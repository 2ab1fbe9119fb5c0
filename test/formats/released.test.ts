import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { readCsv } from '../../src/data.js';

const folder = mkdtempSync(join(tmpdir(), 'released-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** How often this process has a file open. */
const open = (path: string): number =>
  readdirSync('/proc/self/fd').filter((each) => {
    try {
      return readlinkSync(join('/proc/self/fd', each)) === path;
    } catch {
      return false;
    }
  }).length;

async function settled(path: string): Promise<number> {
  for (let i = 0; i < 1000 && open(path) > 0; i += 1) await turn();
  return open(path);
}

// Longer than what is read whole.
const LINES = 'a,b,y\n'.concat('1.25,2.5,yes\n3.75,4.25,no\n'.repeat(800_000));
const FILES: Readonly<Record<string, string | Buffer>> = {
  'an open quotation mark': `${LINES}"1,2,3\n${LINES}`,
  'bytes that are zero': Buffer.alloc(2 ** 24 + 1),
  'UTF-32': Buffer.concat([Buffer.from([0xff, 0xfe, 0, 0]), Buffer.alloc(2 ** 24, 1)]),
  'a row that is too short': `${LINES}1\n${LINES}`,
  'nothing that is wrong': LINES,
};

describe.each(Object.entries(FILES))('a long CSV file that holds %s', (name, content) => {
  const path = join(folder, `${name}.csv`);

  test('is closed once it has been read or refused', async () => {
    writeFileSync(path, content);
    await readCsv(path, { target: 'y' }).catch(() => undefined);
    expect(await settled(path)).toBe(0);
  }, 60_000);
});

test('readCsv lets go of a text that stops coming once the signal is aborted', async () => {
  const stop = new AbortController();
  let sent = false;
  const stalled = new Readable({
    read() {
      if (!sent) this.push('a,y\n1,2\n');
      sent = true;
    },
  });
  setImmediate(() => stop.abort());
  await expect(readCsv(stalled, { target: 'y', signal: stop.signal })).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_DLADMM_ABORTED' }),
  );
  expect(stalled.destroyed).toBe(true);
});
