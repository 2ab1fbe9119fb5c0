/** A file that loses its end while it is read has other rows than it had, and a cell may be cut in two: that is told. */
import { readdirSync, readlinkSync, truncateSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { readBytes } from '../../src/formats/bytes.js';
import { contentOf, isStream, piecesOf } from '../../src/formats/stream.js';
import { expectFailure, temporaryFolder } from './support.js';

/** Rows of twelve bytes each, so that what is left ends as a row does. */
const ROW = '1.25,2.5,10\n';

async function longFile(): Promise<string> {
  const path = join(await temporaryFolder(), 'long.csv');
  await writeFile(path, ROW.repeat(3 * 2 ** 20));
  return path;
}

test('piece by piece', async () => {
  const path = await longFile();
  const content = await contentOf(path, undefined, () => true);
  expect(isStream(content)).toBe(true);
  const pieces = piecesOf(content, path, undefined);
  await pieces.next();
  truncateSync(path, ROW.length * 2 ** 19);
  const rest = async () => {
    for await (const piece of pieces) expect(piece.length).toBeGreaterThan(0);
  };
  await expectFailure(rest, 'ERR_DLADMM_FILE', path, 'it shrank while being read');
});

const isOpen = (path: string): boolean =>
  readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      // The one that lists them.
      return false;
    }
  });

test.runIf(process.platform === 'linux')('as a whole', async () => {
  const path = await longFile();
  const refused = expectFailure(() => readBytes(path), 'ERR_DLADMM_FILE', path, 'it shrank while being read');
  while (!isOpen(path)) await setImmediate();
  truncateSync(path, ROW.length);
  await refused;
});
