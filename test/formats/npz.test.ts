import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { encodeNpy } from '../../src/formats/npy.js';
import { parseNpz, readNpz } from '../../src/formats/npz.js';
import { expectFailure, fromBase64, resultOrRefusal, shared, temporaryFolder, withBit } from './support.js';

/** Written by NumPy 2.4: savez_compressed(x=arange(6, f4).reshape(3, 2), y=[0, 1, 1]), and savez(x=arange(3, i1)). */
const compressed = fromBase64(
  'UEsDBC0AAAAIAAAAIQDMypy9//////////8FABQAeC5ucHkBABAAmAAAAAAAAABVAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6CkaaOgq1CmQDLgYwaLAHEg5ABMQNQLzAAQBQSwMELQAAAAgAAAAhABRHnWT//////////wUAFAB5Lm5weQEAEACYAAAAAAAAAEkAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNpoa6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaxjqaOgq1ChQALgYoYESjAVBLAQItAy0AAAAIAAAAIQDMypy9VQAAAJgAAAAFAAAAAAAAAAAAAACAAQAAAAB4Lm5weVBLAQItAy0AAAAIAAAAIQAUR51kSQAAAJgAAAAFAAAAAAAAAAAAAACAAYwAAAB5Lm5weVBLBQYAAAAAAgACAGYAAAAMAQAAAAA=',
);
const stored = fromBase64(
  'UEsDBC0AAAAAAAAAIQCsmP8z//////////8FABQAeC5ucHkBABAAgwAAAAAAAACDAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJ3xpMScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgzLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAECUEsBAi0DLQAAAAAAAAAhAKyY/zODAAAAgwAAAAUAAAAAAAAAAAAAAIABAAAAAHgubnB5UEsFBgAAAAABAAEAMwAAALoAAAAAAA==',
);
const x = { shape: [3, 2], data: Float32Array.of(0, 1, 2, 3, 4, 5) };
const y = { shape: [3], data: BigInt64Array.of(0n, 1n, 1n) };

/** `bytes` with a little-endian number written over it. */
function patched(bytes: Uint8Array, at: number, value: number, size: 2 | 4): Uint8Array {
  const copy = Buffer.from(bytes);
  copy.writeUIntLE(value, at, size);
  return new Uint8Array(copy);
}

const find = (bytes: Uint8Array, signature: string) => Buffer.from(bytes).indexOf(signature, 0, 'latin1');
const firstEntry = find(compressed, 'PK\x01\x02');
const end = find(compressed, 'PK\x05\x06');

/** `stored` with its sizes and its offset written as ZIP64 does: in an extra field, and with a wide end record. */
function wide(): Uint8Array {
  const at = find(stored, 'PK\x01\x02');
  const tail = find(stored, 'PK\x05\x06');
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(24, 2);
  extra.writeBigUInt64LE(131n, 4);
  extra.writeBigUInt64LE(131n, 12);
  const entry = Buffer.concat([stored.subarray(at, tail), extra]);
  for (const field of [20, 24, 42]) entry.writeUInt32LE(0xffffffff, field);
  entry.writeUInt16LE(28, 30);
  const end64 = Buffer.alloc(56);
  end64.write('PK\x06\x06', 'latin1');
  end64.writeBigUInt64LE(1n, 24);
  end64.writeBigUInt64LE(1n, 32);
  end64.writeBigUInt64LE(BigInt(at), 48);
  const locator = Buffer.alloc(20);
  locator.write('PK\x06\x07', 'latin1');
  locator.writeBigUInt64LE(BigInt(at + entry.length), 8);
  const last = Buffer.from(stored.subarray(tail));
  last.fill(0xff, 8, 20);
  return new Uint8Array(Buffer.concat([stored.subarray(0, at), entry, end64, locator, last]));
}

describe('parseNpz', () => {
  it('reads the wide numbers of ZIP64, and refuses them damaged or cut short', async () => {
    const archive = wide();
    expect((await parseNpz(archive, 'x.npz')).get('x')?.data).toEqual(Int8Array.of(0, 1, 2));
    for (let bit = 8 * find(archive, 'PK\x01\x02'); bit < 8 * archive.length; bit++) {
      const arrays = await resultOrRefusal(() => parseNpz(withBit(archive, bit), 'flipped'));
      for (const array of arrays?.values() ?? []) expect(array.data).toEqual(Int8Array.of(0, 1, 2));
    }
    const lost = patched(archive, find(archive, 'PK\x06\x07') + 8, 0, 4);
    await expectFailure(() => parseNpz(lost, 'x.npz'), 'ERR_DLADMM_FORMAT', 'ZIP64');
    const field = find(archive, 'PK\x01\x02') + 46 + 'x.npy'.length;
    for (const [at, value] of [
      [field, 2],
      [field + 2, 16],
    ] as const)
      await expectFailure(() => parseNpz(patched(archive, at, value, 2), 'x.npz'), 'ERR_DLADMM_FORMAT', 'ZIP64 field');
  });

  it('reads what NumPy packs', async () => {
    expect(await parseNpz(compressed, 'x.npz')).toEqual(
      new Map<string, unknown>([
        ['x', x],
        ['y', y],
      ]),
    );
  });

  it('reads what NumPy stores', async () => {
    expect(await parseNpz(stored, 'x.npz')).toEqual(new Map([['x', { shape: [3], data: Int8Array.of(0, 1, 2) }]]));
  });

  it('reads what another zip writer packs, at every level, with a comment behind it', async () => {
    for (const level of [0, 1, 9] as const) {
      const archive = zipSync({ 'x.npy': encodeNpy(x), 'y.npy': encodeNpy(y) }, { level });
      const commented = new Uint8Array([...patched(archive, archive.length - 2, 5, 2), ...strToU8('hello')]);
      for (const bytes of [archive, commented]) expect((await parseNpz(bytes, 'x.npz')).get('y')).toEqual(y);
    }
  });

  it('passes over entries that are no arrays', async () => {
    const archive = zipSync({ 'readme.txt': strToU8('hello'), 'x.npy': encodeNpy(x) });
    expect([...(await parseNpz(archive, 'x.npz')).keys()]).toEqual(['x']);
  });

  it('keeps arrays with odd names', async () => {
    const archive = zipSync(Object.fromEntries(['__proto__.npy', 'größe.npy'].map((key) => [key, encodeNpy(x)])));
    expect((await parseNpz(archive, 'x.npz')).get('größe')).toEqual(x);
  });

  it('reads an array without elements', async () => {
    const empty = { shape: [0, 4], data: new Float64Array(0) };
    expect((await parseNpz(zipSync({ 'e.npy': encodeNpy(empty) }), 'x.npz')).get('e')).toEqual(empty);
  });

  it('reads only the keys asked for, and minds no others', async () => {
    const archive = zipSync({ 'x.npy': encodeNpy(x), 'objects.npy': strToU8('not an array') });
    expect([...(await parseNpz(archive, 'x.npz', { keys: ['x'] })).keys()]).toEqual(['x']);
    await expectFailure(() => parseNpz(archive, 'x.npz'), 'ERR_DLADMM_FORMAT', 'array "objects"');
    await expectFailure(() => parseNpz(archive, 'x.npz', { keys: ['z'] }), 'ERR_DLADMM_FORMAT', '"z"', 'x, objects');
  });
});

describe('parseNpz refuses', () => {
  it('every truncation', async () => {
    for (let length = 0; length < compressed.length; length++)
      await expectFailure(() => parseNpz(compressed.subarray(0, length), 'cut.npz'), 'ERR_DLADMM_FORMAT', /^cut\.npz/);
  });

  it.each([
    ['compressed', compressed, 2],
    ['stored', stored, 1],
  ] as const)('any flipped bit of a %s archive that would change a value', async (_, archive, count) => {
    const want = await parseNpz(archive, 'whole');
    let read = 0;
    for (let bit = 0; bit < 8 * archive.length; bit++) {
      const arrays = await resultOrRefusal(() => parseNpz(withBit(archive, bit), 'flipped'));
      if (arrays === undefined) continue;
      read++;
      // A flipped bit in a name renames an array or makes it no array; what is left has its right values.
      expect(arrays.size).toBeLessThanOrEqual(count);
      for (const array of arrays.values()) expect([...want.values()]).toContainEqual(array);
    }
    expect(read).toBeLessThan(8 * archive.length * 0.5);
  });

  it('an entry whose content does not have its CRC-32', async () => {
    const lying = patched(compressed, firstEntry + 16, 0x12345678, 4);
    await expectFailure(() => parseNpz(lying, 'x.npz'), 'ERR_DLADMM_FORMAT', 'x.npy', 'CRC-32 12345678', 'bd9ccacc');
  });

  it('an entry that unpacks to another size than it claims', async () => {
    for (const size of [0, 1, 151, 153, 10_000]) {
      const lying = patched(compressed, firstEntry + 24, size, 4);
      await expectFailure(() => parseNpz(lying, 'x.npz'), 'ERR_DLADMM_FORMAT', 'x.npy');
    }
  });

  it('a claim to unpack to more than deflate can, without trying', async () => {
    const bomb = patched(compressed, firstEntry + 24, 0xfffffffe, 4);
    await expectFailure(() => parseNpz(bomb, 'x.npz'), 'ERR_DLADMM_FORMAT', '4294967294');
  });

  it('a real bomb, one entry packed once and listed many times', async () => {
    const content = encodeNpy({ shape: [2 ** 20], data: new Uint8Array(2 ** 20) });
    const one = zipSync({ 'x0.npy': content }, { level: 9 });
    const at = find(one, 'PK\x01\x02');
    const tail = find(one, 'PK\x05\x06');
    const listing = Buffer.from(one.subarray(at, tail));
    const copies = Array.from({ length: 9 }, (_, i) => {
      const copy = Buffer.from(listing);
      copy.write(`x${i}.npy`, 46);
      return copy;
    });
    const directory = Buffer.concat(copies);
    const last = Buffer.from(one.subarray(tail));
    last.writeUInt16LE(9, 8);
    last.writeUInt16LE(9, 10);
    last.writeUInt32LE(directory.length, 12);
    const bomb = new Uint8Array(Buffer.concat([one.subarray(0, at), directory, last]));
    await expectFailure(() => parseNpz(bomb, 'x.npz'), 'ERR_DLADMM_FORMAT', 'more packed bytes');
  });

  it('a directory that promises more entries than there are, or lies elsewhere', async () => {
    await expectFailure(() => parseNpz(patched(compressed, end + 10, 3, 2), 'x.npz'), 'ERR_DLADMM_FORMAT', '3 entries');
    await expectFailure(() => parseNpz(patched(compressed, end + 16, 7, 4), 'x.npz'), 'ERR_DLADMM_FORMAT');
    await expectFailure(() => parseNpz(patched(compressed, end + 16, 0xfffffff0, 4), 'x.npz'), 'ERR_DLADMM_FORMAT');
  });

  it('two arrays of one name, encrypted ones, and unknown compression', async () => {
    const twice = Buffer.from(compressed);
    twice.write('x', twice.lastIndexOf('y.npy'), 'latin1');
    await expectFailure(() => parseNpz(new Uint8Array(twice), 'x.npz'), 'ERR_DLADMM_FORMAT', '"x.npy"', 'twice');
    await expectFailure(
      () => parseNpz(patched(compressed, firstEntry + 8, 1, 2), 'x.npz'),
      'ERR_DLADMM_FORMAT',
      'encrypted',
    );
    await expectFailure(
      () => parseNpz(patched(compressed, firstEntry + 10, 14, 2), 'x.npz'),
      'ERR_DLADMM_FORMAT',
      'method 14',
    );
  });

  it('to work on once its signal is aborted', async () => {
    await expectFailure(() => parseNpz(compressed, 'x.npz', { signal: AbortSignal.abort() }), 'ERR_DLADMM_ABORTED');
  });
});

describe('readNpz', () => {
  it('reads a file', async () => {
    const path = join(await temporaryFolder(), 'x.npz');
    await writeFile(path, compressed);
    expect((await readNpz(path)).get('x')).toEqual(x);
  });

  const cora = join(shared, 'datasets', 'graphs', 'cora.npz');
  it.skipIf(!existsSync(cora))('reads the Cora graph (skipped without the shared data folder)', async () => {
    const arrays = await readNpz(cora);
    expect(arrays.get('labels')?.shape).toEqual([2708]);
    expect([...(arrays.get('attr_shape')?.data ?? [])].map(Number)).toEqual([2708, 1433]);
    expect(arrays.get('train_idx')?.shape).toEqual([140]);
  });
});
