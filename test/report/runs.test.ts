import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { comparison, type Shown, shownOf } from '../../src/report/comparison.js';
import { numbersOf, openRun, readRun, readRuns, removeRun, runsIn } from '../../src/report/runs.js';
import { crc32c, eventsOf } from '../../src/report/tensorboard.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dladmm-runs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const record = (iteration: number, more: object = {}) => ({
  ...{ iteration, loss: 1 / iteration, seconds: 0.5, elapsed: iteration / 2 },
  ...{ residuals: [1, 2], test: { loss: 0.25, accuracy: 0.5 } },
  ...more,
});
const pathOf = (id: string): string => join(folder, `${id}.run.jsonl`);

describe('a run that is kept', () => {
  test('is read as it was written, and has an end', async () => {
    const run = openRun(folder, 'iris', { solver: 'dladmm', rho: 1e-6, signal: AbortSignal.abort() });
    const updates = [0.1, 0.02345].map((seconds) => ({ block: 'W', layer: 1, seconds, size: 2 }));
    for (const iteration of [1, 2]) run.write(record(iteration, { updates }));
    run.end({ status: 'completed' });
    const { head, records, end } = await readRun(folder, run.id);
    expect(head).toMatchObject({ id: run.id, name: 'iris', settings: { solver: 'dladmm', rho: 1e-6 } });
    const spent = { 'W 1': 0.123 };
    expect(records).toEqual([record(1, { spent }), record(2, { spent })]);
    expect(end).toEqual({ status: 'completed' });
  });

  test('of a training that was killed has every iteration before, and what is cut off is left', async () => {
    const run = openRun(folder, 'iris', {});
    run.write(record(1, { loss: Number.NaN, updates: [{ block: 'W', layer: 1, seconds: 0.25 }] }));
    appendFileSync(pathOf(run.id), '{"iteration":2,"lo');
    const { records, end } = await readRun(folder, run.id.slice(0, -1));
    expect(records).toEqual([record(1, { loss: Number.NaN, spent: { 'W 1': 0.25 } })]);
    expect(end).toBeUndefined();
    const shown = shownOf(await readRun(folder, run.id));
    expect(shown.outcome).toMatchObject({ status: 'no end was written', testAccuracy: 0.5, 'seconds of W 1': 0.25 });
    // Bars are as long as what was spent, the longest those of the most.
    const [, longest, rest] = /of W 1<\/th><td>0.25 <[^>]*width:([\d.]+)rem.*rest of.*width:([\d.]+)rem/.exec(
      comparison([shown]),
    ) as RegExpExecArray;
    expect([longest, rest]).toEqual(['12.000', '12.000']);
  });

  test('takes no more for what its updates spent than a number a kind, whatever they were', async () => {
    const update = (k: number) => ({ block: 'W', layer: 1 + (k % 3), seconds: 1e-5 / 3, size: 1 / 3, kappa: 1 / 7 });
    const run = openRun(folder, 'iris', {});
    const before = readFileSync(pathOf(run.id)).length;
    run.write(record(1, { updates: Array.from({ length: 3000 }, (_, k) => update(k)) }));
    expect(readFileSync(pathOf(run.id)).length - before).toBeLessThan(250);
  });

  test('of a linear model and a network is that of the one that was kept', async () => {
    const run = openRun(folder, 'iris', {});
    for (const network of ['linear', 'network']) run.write(record(1, { network }));
    expect((await readRun(folder, run.id)).records).toEqual([record(1, { network: 'network' })]);
    run.end({ status: 'completed', network: 'linear' });
    expect((await readRun(folder, run.id)).records).toEqual([record(1, { network: 'linear' })]);
  });

  test('is listed and removed, and no other file is', async () => {
    const [one, other] = [openRun(folder, 'a', {}), openRun(folder, 'b', {})];
    writeFileSync(join(folder, 'mine.run.jsonl'), 'mine\n');
    expect(await runsIn(folder)).toEqual([...[one.id, other.id].sort(), 'mine']);
    await removeRun(folder, one.id);
    const refused = (code: string) => expect.objectContaining({ code });
    await expect(removeRun(folder, 'mine')).rejects.toEqual(refused('ERR_DLADMM_FORMAT'));
    await expect(removeRun(folder, '../x')).rejects.toEqual(refused('ERR_DLADMM_ARGUMENT'));
    await expect(readRun(folder, '')).rejects.toEqual(refused('ERR_DLADMM_ARGUMENT'));
    expect(await runsIn(folder)).toEqual([other.id, 'mine']);
    expect(readFileSync(join(folder, 'mine.run.jsonl'), 'utf8')).toBe('mine\n');
  });

  test('that was cut off before its first line ended hides no other, and is removed', async () => {
    const whole = openRun(folder, 'a', {});
    const [first] = readFileSync(pathOf(whole.id), 'utf8').split('\n') as [string];
    for (const [id, text] of Object.entries({ cut: first.slice(0, 40), empty: '', short: '{"ru', mine: 'mine\n' }))
      writeFileSync(pathOf(id), text);
    const { runs, damaged } = await readRuns(folder);
    expect(runs.map(({ head }) => head.id)).toContain(whole.id);
    expect(damaged).toEqual(['cut', 'empty', 'mine', 'short']);
    for (const id of ['cut', 'empty', 'short']) await removeRun(folder, id);
    expect((await readRuns(folder)).damaged).toEqual(['mine']);
  });
});

test('the numbers of a record have names of their own', () => {
  expect(Object.fromEntries(numbersOf(record(4)))).toEqual({
    ...{ iteration: 4, loss: 0.25, seconds: 0.5, elapsed: 2 },
    ...{ 'residuals/1': 1, 'residuals/2': 2, 'test/loss': 0.25, 'test/accuracy': 0.5 },
  });
});

describe('an event file', () => {
  /** As the definition of TFRecord has it: length, its sum, data, their sum. */
  function* unframed(bytes: Buffer): Generator<Uint8Array> {
    const sumOf = (part: Uint8Array): number => {
      const crc = crc32c(part);
      return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
    };
    for (let at = 0; at < bytes.length; ) {
      const length = Number(bytes.readBigUInt64LE(at));
      expect(bytes.readUInt32LE(at + 8)).toBe(sumOf(bytes.subarray(at, at + 8)));
      const data = bytes.subarray(at + 12, at + 12 + length);
      expect(bytes.readUInt32LE(at + 12 + length)).toBe(sumOf(data));
      yield data;
      at += 16 + length;
    }
  }

  function eventIn(data: Uint8Array) {
    const reader = new BinaryReader(data);
    const found = { wall: 0, step: 0, version: '', values: {} as Record<string, number> };
    while (reader.pos < reader.len) {
      const [field] = reader.tag();
      if (field === 1) found.wall = reader.double();
      else if (field === 2) found.step = Number(reader.int64());
      else if (field === 3) found.version = reader.string();
      else {
        const end = reader.uint32() + reader.pos;
        while (reader.pos < end) {
          reader.tag();
          reader.uint32();
          reader.tag();
          const name = reader.string();
          reader.tag();
          found.values[name] = reader.float();
        }
      }
    }
    return found;
  }

  test('sums by CRC-32C, as in RFC 3720', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });

  test('has its version and the scalars of every iteration', async () => {
    const run = openRun(folder, 'iris', {});
    run.write(record(1));
    run.write(record(2, { loss: 1e300 }));
    const stored = await readRun(folder, run.id);
    const [head, first, second] = [...unframed(Buffer.concat([...eventsOf(stored)]))].map(eventIn);
    expect(head).toMatchObject({ version: 'brain.Event:2' });
    expect(first).toMatchObject({ step: 1, values: { loss: 1, 'test/accuracy': 0.5, 'residuals/2': 2 } });
    expect(first?.wall).toBeCloseTo(Date.parse(stored.head.began) / 1000 + 0.5, 3);
    expect(second?.values.loss).toBe(Number.POSITIVE_INFINITY);
  });
});

test('a page of several runs has what they came to, options that differ, and one chart for curves of one name', () => {
  const evil = '<script>alert(1)</script>';
  const run = (name: string, rho: number, iterations: readonly number[]): Shown =>
    shownOf({
      head: { id: name, name: 'iris', began: '', version: '', kernels: '', settings: { solver: 'dladmm', rho } },
      records: iterations.map((iteration) => record(iteration)),
      end: { status: 'completed', testAccuracy: rho },
    });
  const page = comparison([run('a', 1, [1, 2]), run(evil, 2, [2, 3])]);
  const [loss] = [...page.matchAll(/<script type="application\/json">(.*?)<\/script>/g)].map(([, json]) =>
    JSON.parse(json as string),
  );
  expect(loss).toMatchObject({ title: 'Loss', x: [1, 2, 3] });
  expect(loss.curves[0]).toEqual({ name: 'a: as it was learnt', values: [1, 0.5, null] });
  expect(page).toContain('<th scope="row">rho</th><td>1</td><td>2</td>');
  expect(page).not.toContain('<th scope="row">solver</th>');
  expect(page).not.toContain(evil);
});
