import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { DlAdmmError, type ErrorCode } from '../../src/core/errors.js';

/** The optional folder of large data sets beside the repository. */
export const shared: string = process.env.DLADMM_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));

export const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

/** A folder of this test's own, removed when the test is over. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dladmm-data-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What `work` throws or rejects with, which must be a DlAdmmError. */
export async function failure(work: () => unknown): Promise<DlAdmmError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof DlAdmmError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export async function expectFailure(work: () => unknown, code: ErrorCode, ...parts: readonly (string | RegExp)[]) {
  const error = await failure(work);
  expect(error.code).toBe(code);
  for (const part of parts) expect(error.message).toMatch(part);
  return error;
}

/** The result of `work`, or undefined if it refused with a format error; any other error is thrown on. */
export async function resultOrRefusal<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DlAdmmError && /^ERR_DLADMM_(FORMAT|MEMORY|LABEL)$/.test(error.code)) return undefined;
    throw error;
  }
}

export function withBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
}
