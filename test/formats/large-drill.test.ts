/** A CSV file of more than 4 GB, and a stream of as many rows as one process reads: take minutes, and run with `npm run test:soak` alone. */
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { run } from '../children/run.js';

const folder = mkdtempSync(join(tmpdir(), 'dladmm-large-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'rows.csv');

const ROWS = 15_000_000;
const COLUMNS = 29;
/** Rows come again after so many. */
const PERIOD = 10_000;
const cell = (row: number, column: number): number => ((row * 7919 + column * 104_729) % 9_999_991) / 1e7;
const label = (row: number): string => (row % 3 === 0 ? 'no' : 'yes');

async function write(): Promise<void> {
  const file = createWriteStream(path);
  const names = Array.from({ length: COLUMNS }, (_, j) => `x${j}`);
  file.write(`${[...names, 'y'].join()}\n`);
  const rows = Array.from({ length: PERIOD }, (_, i) => {
    const cells = Array.from({ length: COLUMNS }, (_, j) => cell(i, j).toFixed(7));
    return `${[...cells, label(i)].join()}\n`;
  });
  const block = rows.join('');
  for (let at = 0; at < ROWS; at += PERIOD) if (!file.write(block)) await once(file, 'drain');
  file.end();
  await once(file, 'finish');
}

const DATA = JSON.stringify(new URL('../../dist/data.js', import.meta.url).href);
const INDEX = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href);

async function said(program: string) {
  const { code, stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', program], 900_000);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}
const PEAK = 'peak: process.resourceUsage().maxRSS * 1024';

describe.skipIf(process.env.DLADMM_SOAK !== '1')('a CSV file of 15,000,000 rows', () => {
  test('is more than 4 GB', async () => {
    await write();
    expect(statSync(path).size).toBeGreaterThan(2 ** 32);
  }, 300_000);

  test('is read to the same numbers, in 1.3 times their memory', async () => {
    const rows = [0, 1, 9_999, 10_000, 7_654_321, ROWS - 1];
    const { peak, count, labels, found } = await said(`
      import { readCsv } from ${DATA};
      const { x, labels } = await readCsv(${JSON.stringify(path)}, { target: 'y' });
      const rowOf = (row) => [...x.data.subarray(row * x.columns, (row + 1) * x.columns)];
      const rows = ${JSON.stringify(rows)};
      const found = rows.map(rowOf);
      console.log(JSON.stringify({ count: x.rows, found, labels: rows.map((row) => labels[row]), ${PEAK} }));
    `);
    expect(count).toBe(ROWS);
    expect(peak).toBeLessThan(1.3 * 8 * COLUMNS * ROWS);
    for (const [k, row] of rows.entries()) {
      expect(found[k]).toEqual(Array.from({ length: COLUMNS }, (_, j) => Number(cell(row % PERIOD, j).toFixed(7))));
      expect(labels[k]).toBe((row % PERIOD) % 3 === 0 ? 0 : 1);
    }
  }, 900_000);

  test('is packed within 1 GB', async () => {
    const { peak, packed } = await said(`
      import { packSamples } from ${DATA};
      const packed = await packSamples(${JSON.stringify(join(folder, 'rows.samples'))}, ${JSON.stringify(path)}, { target: 'y' });
      console.log(JSON.stringify({ packed, ${PEAK} }));
    `);
    expect(packed.rows).toBe(ROWS);
    expect(peak).toBeLessThan(1e9);
  }, 900_000);
});

test.skipIf(process.env.DLADMM_SOAK !== '1')(
  'a stream of 5,000,000 rows of 30 columns, some missing, some texts, trains within 1 GB',
  async () => {
    const { peak, samples } = await said(`
      import { fit } from ${INDEX};
      let state = 1;
      const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
      async function* rows() {
        for (let i = 0; i < 5_000_000; i += 1) {
          const row = { plan: ['pro', 'basic', 'team'][i % 3], country: i % 11 === 0 ? null : 'c' + (i % 30) };
          for (let j = 0; j < 27; j += 1) row['x' + j] = next() < 0.05 ? null : Math.fround(next());
          yield { ...row, y: row.x0 > 0.5 ? 'yes' : 'no' };
        }
      }
      const options = { target: 'y', solver: 'adam', hidden: [32], epochs: 1, memory: '1GB' };
      const { report } = await fit(rows(), options);
      console.log(JSON.stringify({ samples: report.samples, ${PEAK} }));
    `);
    expect(samples).toBeGreaterThan(4_900_000);
    expect(peak).toBeLessThan(1e9);
  },
  900_000,
);
