import { expect, test } from 'vitest';
import { provided } from '../../src/tensor/provided.js';

// Pages that are got ready are not changed, also while they are written.

test.each([2 ** 10, 2 ** 25 + 4096])('%i bytes hold what has been written to them', async (size) => {
  const bytes = new Uint8Array(size);
  const pages = provided(bytes.buffer);
  for (let at = 0; at < size; at += 997) {
    pages.reached(at);
    bytes[at] = at % 251;
    if (at % 2 ** 16 < 997) await new Promise(setImmediate);
  }
  await pages.end();
  for (let at = 0; at < size; at += 997) if (bytes[at] !== at % 251) throw new Error(`byte ${at} is ${bytes[at]}`);
  expect(bytes.reduce((sum, byte) => sum + (byte === 0 ? 0 : 1), 0)).toBeLessThanOrEqual(size / 997 + 1);
});
