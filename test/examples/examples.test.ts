import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { loadModel, Model } from 'dladmm';
import { afterAll, describe, expect, test } from 'vitest';

const EXAMPLES = resolve(import.meta.dirname, '../../examples');
const folder = mkdtempSync(join(tmpdir(), 'dladmm-examples-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a program of the examples prints. */
async function run(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(EXAMPLES, program), ...args], { cwd: folder });
  return stdout;
}

/** A figure of a report by its name. */
const figure = (report: string, name: string): number =>
  Number(new RegExp(`^${name} +([\\d.e+-]+)`, 'm').exec(report)?.[1]);

test('every example is listed, and has a test or a package of its own', () => {
  const listed = readFileSync(join(EXAMPLES, 'README.md'), 'utf8');
  const folders = readdirSync(EXAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const tests = readFileSync(import.meta.filename, 'utf8');
  for (const { name } of folders) {
    expect(listed).toContain(`[${name}](${name})`);
    const own = name === 'postgres-service' || readdirSync(join(EXAMPLES, name)).includes('package.json');
    expect({ name, tested: own || tests.includes(`'${name}/`) }).toEqual({ name, tested: true });
  }
});

test('house prices come from a CSV file, gaps and dates included', async () => {
  const lines = Array.from({ length: 1000 }, (_, i) => {
    const [area, rooms, district] = [40 + ((i * 7919) % 1200) / 10, 1 + (i % 5), ['north', 'south', 'harbour'][i % 3]];
    const price = Math.round(
      area * 2500 + (district === 'harbour' ? 60_000 : 0) + rooms * 4000 + ((i * 31) % 97) * 100,
    );
    return `${price},${area},${i % 50 === 0 ? '' : rooms},${1950 + (i % 70)},${district},2025-${String(1 + (i % 12)).padStart(2, '0')}-15`;
  });
  writeFileSync(join(folder, 'houses.csv'), `${['price,area,rooms,built,district,sold', ...lines].join('\n')}\n`);
  const told = await run('house-prices/train.mjs', 'houses.csv', 'price');
  expect(figure(told, 'R²')).toBeGreaterThan(0.95);
  expect(told).toMatch(/rooms: a number, and where it lies in 4 bins .*missing: 3, and an input that says so/);
  expect(told).toContain('district: a text, one of 3 or another');
  expect(told).toMatch(/worse where a column is shuffled:.*\narea /s);
  using model = await loadModel(join(folder, 'houses.safetensors'));
  expect(model.target).toBe('price');
});

test('a classifier head is trained on 768-wide embeddings from an async iterator', async () => {
  const told = await run('embeddings/train.mjs', 'topics.safetensors');
  expect(told).toContain('network 768-64-4');
  expect(figure(told, 'accuracy')).toBeGreaterThan(0.9);
  using model = await loadModel(join(folder, 'topics.safetensors'));
  expect(model.classes).toEqual(['billing', 'delivery', 'praise', 'returns']);
});

test('trainings in worker threads go on side by side', async () => {
  const accuracies = (await run('worker-threads/main.mjs')).match(/0\.\d+/g)?.map(Number) ?? [];
  expect(accuracies).toHaveLength(3);
  expect(Math.min(...accuracies)).toBeGreaterThan(0.88);
});

test('columns that matter are told from noise', async () => {
  const told = await run('constrained/select.mjs', '1', '1500', '3');
  const [, useful, others] = /^1 +l1 logistic +[\d.]+ +(\d+) +(\d+)/m.exec(told) ?? [];
  expect(Number(useful)).toBeGreaterThanOrEqual(18);
  expect(Number(others)).toBeLessThanOrEqual(60);
});

test('a monotone model has no pair of rows the wrong way round', async () => {
  const told = await run('constrained/monotone.mjs', '20000');
  expect(told).toMatch(/^synthetic, free: .*; [1-9]\d* of 20000 pairs the wrong way round/m);
  expect(told).toMatch(/^synthetic, monotone: R² 0\.9\d+ .*; 0 of 20000 pairs the wrong way round/m);
});

const duckdb = await import('@duckdb/node-api').catch(() => undefined);

describe.skipIf(duckdb === undefined)('with DuckDB (needs npm install @duckdb/node-api)', () => {
  test('a regressor is trained on what a query over Parquet files gives', async () => {
    const connection = await (await duckdb?.DuckDBInstance.create(':memory:'))?.connect();
    await connection?.run(`
      copy (
        select *, (3 + 2.1 * distance + case when hour(started_at) between 17 and 20 then 4 else 0 end)::decimal(8, 2) as fare
        from (
          select (i * 7919 % 200) / 10.0 as distance, 1 + i % 4 as passengers,
                 timestamp '2026-01-01' + i * interval '37 minutes' as started_at
          from range(3000) as rows(i)
        )
      ) to '${join(folder, 'trips.parquet')}' (format parquet)`);
    const told = await run('duckdb/train.mjs', 'trips.parquet', 'fare.safetensors');
    expect(figure(told, 'R²')).toBeGreaterThan(0.95);
    // 3 + 2.1 × 3.5 + 4, as it is six in the evening.
    expect(Math.abs(Number(/value: ([\d.]+)/.exec(told)?.[1]) - 14.35)).toBeLessThan(1.5);
    using model = await Model.load(join(folder, 'fare.safetensors'));
    expect(model.columns?.map(({ name }) => name)).toEqual(['distance', 'passengers', 'hour', 'weekday']);
  });
});
