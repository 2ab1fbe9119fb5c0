import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { native } from '../../../src/core/native.js';
import type { GraphSamples } from '../../../src/graph.js';
import type { FitResult, TrainingData, TrainOptions } from '../../../src/index.js';
import { fit as fitModel, resume, train } from '../../../src/index.js';
import type { AnyRecord } from '../../../src/solvers.js';
import { numbers } from '../../reference/addon.js';

/** A folder for the tests of a file, that is gone afterwards; a new file name in it. */
export function scratch(): (name?: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'dladmm checkpoints ü-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let count = 0;
  return (name = 'run.checkpoint') => join(folder, `${count++} ${name}`);
}

const next = numbers(7);

/** Samples of three classes, with targets beside them. */
export function samples(count: number) {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const x = Float64Array.from({ length: count * 4 }, (_, i) => next() + (i % 4 === (labels[i >> 2] ?? 0) ? 1 : 0));
  const y = Float64Array.from({ length: count * 3 }, (_, i) => Math.sin(i) + (x[(i / 3) | 0] ?? 0));
  return { x, labels, y };
}

/** All that a training computed, without the time that it took and the files that it wrote. */
export const untimed = (records: readonly AnyRecord[]): unknown =>
  records.map(({ seconds: _, elapsed: __, checkpoint: ___, ...record }) => ({
    ...record,
    ...('updates' in record && {
      updates: record.updates.map((update) => ({ ...update, seconds: 0, factorSeconds: 0 })),
    }),
  }));

type Data = TrainingData | GraphSamples;

/** Trains to iteration `k`, leaves, goes on from the checkpoint; expects the same as without the pause. */
export async function expectSameAfterPause(
  data: Data,
  options: TrainOptions,
  path: string,
  k: number,
  again: Parameters<typeof resume>[2] = {},
): Promise<void> {
  const solver = options.solver ?? 'dladmm';
  const whole: FitResult<AnyRecord> = await fitModel(data as TrainingData, { ...options, solver } as never);
  const before = train(data as TrainingData, { ...options, solver, checkpoint: { path, every: 2 } } as never);
  for await (const { iteration } of before) if (iteration === k) break;
  const after = await resume(path, data, again);
  expect(after.status).toEqual(whole.status);
  expect(after.iterations).toBe(whole.iterations);
  expect(untimed(before.result.history as AnyRecord[])).toEqual(untimed((whole.history as AnyRecord[]).slice(0, k)));
  expect(untimed(after.history)).toEqual(untimed((whole.history as AnyRecord[]).slice(k)));
  expect(after.model.weights).toEqual(whole.model.weights);
  expect(after.model.biases).toEqual(whole.model.biases);
}

const HEAD_BYTES = 8;
const DIGITS_AT = '{"__metadata__":{"checksum":"'.length;

/** Replaces a text of the header, checksum and all: what a file would be that says something else. */
export async function rewriteHeader(path: string, from: string, to: string): Promise<void> {
  const bytes = await readFile(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const before = bytes.toString('utf8', HEAD_BYTES, HEAD_BYTES + length);
  if (!before.includes(from)) throw new Error(`the header has no ${from}`);
  const zeros = '0'.repeat(16);
  const text = before.replace(from, to).trimEnd();
  const blank = `${text.slice(0, DIGITS_AT)}${zeros}${text.slice(DIGITS_AT + 16)}`;
  const header = Buffer.from(blank.padEnd(Math.ceil(Buffer.byteLength(blank) / 8) * 8));
  const size = Buffer.alloc(HEAD_BYTES);
  size.writeBigUInt64LE(BigInt(header.length));
  const hash = new native.Hash64();
  hash.update(size);
  hash.update(header);
  header.write(hash.digest(), DIGITS_AT);
  await writeFile(path, Buffer.concat([size, header, bytes.subarray(HEAD_BYTES + length)]));
}

export const failure = (code: string, message: RegExp = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
