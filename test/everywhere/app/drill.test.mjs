// For jest, and for vitest with its globals.
import { drill } from './drill.mjs';

test('trains', async () => {
  expect(await drill()).toMatchObject({ kind: 'completed', good: true, same: true, aborted: 'aborted', rows: 12 });
}, 60_000);
