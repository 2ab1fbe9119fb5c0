import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIdx, readIdx } from '../../src/formats/idx.js';
import { expectFailure, resultOrRefusal, temporaryFolder, withBit } from './support.js';

function idx(code: number, shape: readonly number[], values: Uint8Array | readonly number[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = code;
  header[3] = shape.length;
  shape.forEach((length, d) => {
    header.writeUInt32BE(length, 4 + 4 * d);
  });
  return new Uint8Array(Buffer.concat([header, Uint8Array.from(values)]));
}

const images = idx(8, [2, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]);

describe('parseIdx', () => {
  it('reads bytes with their shape', () => {
    const { shape, data } = parseIdx(images, 'images');
    expect(shape).toEqual([2, 2, 3]);
    expect(data).toEqual(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255));
  });

  it('does not copy bytes', () => {
    expect(parseIdx(images, 'images').data.buffer).toBe(images.buffer);
  });

  it.each([
    [9, [0xff, 0x80], Int8Array.of(-1, -128)],
    [11, [0x01, 0x02, 0xff, 0xfe], Int16Array.of(0x0102, -2)],
    [12, [0x01, 0x02, 0x03, 0x04, 0xff, 0xff, 0xff, 0xff], Int32Array.of(0x01020304, -1)],
    [13, [0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0], Float32Array.of(1.5, -2)],
    [14, [0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0], Float64Array.of(1.5, -2)],
  ])('reads type %i big-endian', (code, bytes, values) => {
    expect(parseIdx(idx(code, [2], bytes), 'values').data).toEqual(values);
  });

  it('reads an array without elements, even beside a dimension whose product overflows', () => {
    expect(parseIdx(idx(8, [0], []), 'empty').data).toEqual(new Uint8Array(0));
    const huge = 0xffffffff;
    expect(parseIdx(idx(8, [huge, huge, huge, 0], []), 'empty').data).toHaveLength(0);
  });

  it('reads an array that starts anywhere in its buffer', () => {
    const shifted = new Uint8Array([7, ...idx(13, [1], [0x3f, 0xc0, 0, 0])]).subarray(1);
    expect(parseIdx(shifted, 'shifted').data).toEqual(Float32Array.of(1.5));
  });

  it('refuses every truncation and says so', async () => {
    for (let length = 0; length < images.length; length++)
      await expectFailure(() => parseIdx(images.subarray(0, length), 'cut.idx'), 'ERR_DLADMM_FORMAT', /^cut\.idx: /);
  });

  it('refuses bytes beyond the last value', async () => {
    const longer = new Uint8Array([...images, 0]);
    await expectFailure(() => parseIdx(longer, 'long'), 'ERR_DLADMM_FORMAT', /2 x 2 x 3.*28 bytes.*29/);
  });

  it('refuses a header whose dimensions multiply beyond all numbers', async () => {
    for (const dimensions of [2, 3, 255])
      await expectFailure(
        () => parseIdx(idx(14, new Array(dimensions).fill(0xffffffff), [0]), 'huge'),
        'ERR_DLADMM_FORMAT',
      );
    // 2^16 x 2^16 x 2^32 is 0 modulo 2^64: no count of bytes may fit it by wrapping round.
    await expectFailure(() => parseIdx(idx(8, [2 ** 16, 2 ** 16, 2 ** 31, 2], []), 'wrap'), 'ERR_DLADMM_FORMAT');
  });

  it('refuses other formats, unknown types and no dimensions', async () => {
    await expectFailure(
      () => parseIdx(Buffer.from('1,2,3\n'), 'csv'),
      'ERR_DLADMM_FORMAT',
      'readCsv or readTable reads it',
    );
    await expectFailure(() => parseIdx(idx(10, [1], [1]), 'type'), 'ERR_DLADMM_FORMAT', '0x0a');
    await expectFailure(() => parseIdx(idx(8, [], [1]), 'scalar'), 'ERR_DLADMM_FORMAT', 'dimension');
  });

  it('answers any bytes with an array of as many values as its shape says, or a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(8, 9, 11, 12, 13, 14),
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: 1, max: 3 }),
        async (code, tail, dimensions) => {
          const read = await resultOrRefusal(() => parseIdx(Uint8Array.of(0, 0, code, dimensions, ...tail), 'any'));
          if (read) expect(read.data.length).toBe(read.shape.reduce((a, b) => a * b, 1));
        },
      ),
    );
  });
});

describe('readIdx', () => {
  it('tells gzipped from plain by content, whatever the name', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'packed'), gzipSync(images));
    await writeFile(join(folder, 'plain.gz'), images);
    const want = parseIdx(images, 'images');
    expect(await readIdx(join(folder, 'packed'))).toEqual({ ...want, data: new Uint8Array(want.data) });
    expect((await readIdx(join(folder, 'plain.gz'))).shape).toEqual([2, 2, 3]);
  });

  it('refuses a gzipped file cut at any byte', async () => {
    const path = join(await temporaryFolder(), 'cut.gz');
    const packed = gzipSync(images);
    for (let length = 0; length < packed.length; length++) {
      await writeFile(path, packed.subarray(0, length));
      await expectFailure(() => readIdx(path), 'ERR_DLADMM_FORMAT', path);
    }
  });

  it('answers a flipped bit in a gzipped file with a refusal or the right values', async () => {
    const path = join(await temporaryFolder(), 'flipped.gz');
    const packed = new Uint8Array(gzipSync(images));
    const want = [...parseIdx(images, 'images').data];
    let refused = 0;
    for (let bit = 0; bit < 8 * packed.length; bit++) {
      await writeFile(path, withBit(packed, bit));
      const read = await resultOrRefusal(() => readIdx(path));
      if (read === undefined) refused++;
      else expect([...read.data]).toEqual(want);
    }
    // Only the header's time stamp and the like may change unseen.
    expect(refused).toBeGreaterThan(8 * (packed.length - 10));
  });

  it('names a file that is missing, is a folder, or whose name is none', async () => {
    const folder = await temporaryFolder();
    await expectFailure(() => readIdx(join(folder, 'none')), 'ERR_DLADMM_FILE', 'none', 'no such file');
    await expectFailure(() => readIdx(folder), 'ERR_DLADMM_FILE', 'regular file');
    await expectFailure(() => readIdx('a\0b'), 'ERR_DLADMM_ARGUMENT', 'path');
    await expectFailure(() => readIdx(undefined as unknown as string), 'ERR_DLADMM_ARGUMENT', 'undefined');
  });

  it('stops before it starts if the signal is already aborted', async () => {
    const reason = new Error('enough');
    const error = await expectFailure(
      () => readIdx('none', { signal: AbortSignal.abort(reason) }),
      'ERR_DLADMM_ABORTED',
    );
    expect(error.cause).toBe(reason);
  });
});
