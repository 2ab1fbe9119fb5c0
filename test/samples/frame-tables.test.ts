/** A table in memory says the same as the file of it: Arrow's times, durations and dates come in units of their types. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DateDay,
  DurationSecond,
  Int32,
  Table,
  TimeMillisecond,
  TimestampMicrosecond,
  TimestampMillisecond,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { expect, test } from 'vitest';
import { fit } from '../../src/index.js';
import { temporaryFolder } from '../formats/support.js';

const rows = <T>(of: (i: number) => T): T[] => Array.from({ length: 60 }, (_, i) => of(i));
const table = new Table({
  time: vectorFromArray(
    rows((i) => i * 1000),
    new TimeMillisecond(),
  ),
  lasting: vectorFromArray(
    rows((i) => BigInt(i * 2)),
    new DurationSecond(),
  ),
  day: vectorFromArray(
    rows((i) => new Date(1e12 + i * 864e5)),
    new DateDay(),
  ),
  at: vectorFromArray(
    rows((i) => 1e12 + i * 1e7),
    new TimestampMillisecond(),
  ),
  instant: vectorFromArray(
    rows((i) => (i * 7919 - 250_000) / 1000),
    new TimestampMicrosecond(),
  ),
  k: vectorFromArray(
    rows((i) => (i * 7) % 11),
    new Int32(),
  ),
  word: vectorFromArray(
    rows((i) => (i % 3 === 0 ? 'no' : 'yes')),
    new Utf8(),
  ),
});

test('a table of Arrow in memory is learnt from, and answered for, as its file is', async () => {
  const path = join(await temporaryFolder(), 'table.arrow');
  await writeFile(path, tableToIPC(table, 'file'));
  const options = { target: 'word', solver: 'adam', hidden: [4], epochs: 3, threads: 1 } as const;
  const [ofTable, ofFile] = [await fit(table, options), await fit(path, options)];
  expect(ofTable.model.columns).toEqual(ofFile.model.columns);
  expect(ofTable.model.weights).toEqual(ofFile.model.weights);
  const [told, read] = [await ofFile.model.predict(table), await ofFile.model.predict(path, { target: 'word' })];
  expect(told).toEqual(read);
});
