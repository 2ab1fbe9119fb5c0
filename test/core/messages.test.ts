/** What comes from outside has any length: what an error says of it has not, as it is logged. */
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { DlAdmmError } from '../../src/core/errors.js';
import { readCsv } from '../../src/data.js';
import { fit } from '../../src/index.js';

const LONG = 'x'.repeat(100_000);
const ROWS = Array.from({ length: 20 }, (_, i) => ({ size: i, kind: i < 9 ? 'small' : 'large' }));
const OPTIONS = { target: 'kind', iterations: 1, threads: 1 } as const;
const trained = async () => (await fit(ROWS, OPTIONS)).model;
const named = { [LONG]: class {} }[LONG] as new () => object;

test.each<[string, () => unknown]>([
  ['a record whose key is long', async () => (await trained()).predict({ [LONG]: 1 })],
  ['a record whose key is long, at once', async () => (await trained()).predictSync({ [LONG]: 1 })],
  ['many such', async () => (await trained()).predict([Object.fromEntries(ROWS.map((_, i) => [`${i}${LONG}`, 1]))])],
  ['a column whose name is long', async () => (await trained()).predict({ [LONG]: [1, 2] })],
  ['a record to be judged', async () => (await trained()).evaluate([{ [LONG]: 1, kind: 'small' }])],
  ['a BigInt of many digits', async () => (await trained()).predict({ size: 10n ** 100_000n } as never)],
  ['a Symbol of a long name', async () => (await trained()).predict({ size: Symbol(LONG) } as never)],
  ['an object of a class of a long name', async () => (await trained()).predict({ size: new named() } as never)],
  ['an option of a training', () => fit(ROWS, { ...OPTIONS, [LONG]: 1 } as never)],
  ['an option of a prediction', async () => (await trained()).predict(ROWS, { [LONG]: 1 } as never)],
  ['a class with a weight', () => fit(ROWS, { ...OPTIONS, classWeights: { [LONG]: 2 } })],
  [
    'a column to predict that is nearly one of a long name',
    () => fit([{ [`${LONG}a`]: 1, size: 2 }], { target: `${LONG}b` }),
  ],
  ['columns of one name', () => readCsv(Readable.from([`${LONG},${LONG}\n1,a\n2,b\n`]))],
  ['columns without the target', () => fit([{ [LONG]: 1, size: 2 }], { target: 'kind' })],
  ['a column to predict that is not told', () => fit([{ [LONG]: 1, size: 2 }] as never)],
])('%s', async (_, work) => {
  const error: unknown = await Promise.resolve()
    .then(work)
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  expect(error).toBeInstanceOf(DlAdmmError);
  expect((error as Error).message.length).toBeLessThan(3000);
});
