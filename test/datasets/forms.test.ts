import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeVector, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, it } from 'vitest';
import { readTable } from '../../src/datasets/file.js';
import { fit as train } from '../../src/training/fit.js';
import type { TrainingData } from '../../src/training/result.js';
import { temporaryFolder } from '../formats/support.js';

/** Times that float32 cannot tell apart, and fractions that it rounds. */
const ROWS = Array.from({ length: 60 }, (_, i) => ({
  time: 1_700_000_000 + i * 0.3,
  share: (i % 7) / 10,
  label: i < 30 ? 'early' : 'late',
}));
const times = Float64Array.from(ROWS, ({ time }) => time);
const shares = Float64Array.from(ROWS, ({ share }) => share);
const labels = ROWS.map(({ label }) => label);
const table = new Table({ time: makeVector(times), share: makeVector(shares), label: vectorFromArray(labels) });

it('a table trains the same model in all its five forms: nothing is rounded before it is standardised', async () => {
  const folder = await temporaryFolder();
  const file = async (name: string, content: string | Uint8Array): Promise<TrainingData> => {
    await writeFile(join(folder, name), content);
    const read = await readTable(join(folder, name));
    return (read as Extract<typeof read, { task: 'classification' }>).train;
  };
  const parquet = parquetWriteBuffer({
    columnData: [
      { name: 'time', data: times, type: 'DOUBLE' },
      { name: 'share', data: shares, type: 'DOUBLE' },
      { name: 'label', data: labels, type: 'STRING' },
    ],
  });
  const forms: readonly TrainingData[] = [
    await file('t.csv', `time,share,label\n${ROWS.map((row) => Object.values(row).join(',')).join('\n')}\n`),
    await file('t.parquet', new Uint8Array(parquet)),
    await file('t.arrow', tableToIPC(table, 'file')),
    { x: table, labels: 'label' },
    { x: ROWS, labels: 'label' },
  ];
  const options = {
    layers: [2, 8, 2],
    iterations: 60,
    standardise: true,
    threads: 1,
    nu: 1,
    rho: 1,
    theta0: 1e-12,
    tau0: 1e-12,
  };
  const models = [];
  for (const data of forms) {
    const { model } = await train(data, options);
    expect((await model.evaluate(data)).accuracy).toBeGreaterThan(0.9);
    // A file says which column it took for the labels, and tables are told.
    models.push({ ...model, target: undefined });
  }
  const [first, ...others] = models;
  for (const other of others) expect(other).toEqual(first);
});
