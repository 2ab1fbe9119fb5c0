import { createHash } from 'node:crypto';
import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, type Tensor } from '../../src/formats/safetensors.js';

const NAME = 'x.safetensors';
const format = (message: RegExp) =>
  expect.objectContaining({ code: 'ERR_DLADMM_FORMAT', message: expect.stringMatching(message) });

/** A file put together by hand: header text (or an object), then values. */
function file(header: unknown, values: ArrayLike<number> = [], headerBytes?: number | bigint): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(headerBytes ?? text.length));
  return Buffer.concat([length, text, Uint8Array.from(values)]);
}

const headerOf = (bytes: Uint8Array): string => {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return Buffer.from(bytes.subarray(8, 8 + length)).toString();
};

const bytesTensor = (begin: number, end: number) => ({ dtype: 'U8', shape: [end - begin], data_offsets: [begin, end] });

const tensors: fc.Arbitrary<Tensor> = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
    fc.constantFrom('F64', 'F32', 'I64', 'U64', 'I32', 'U32', 'I16', 'U16', 'I8', 'U8' as const),
    fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
  )
  .map(([shape, dtype, stream]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const bytes = Uint8Array.from([...stream.take(size * 8)]).buffer;
    const data = {
      F64: () => new Float64Array(bytes, 0, size),
      F32: () => new Float32Array(bytes, 0, size),
      I64: () => new BigInt64Array(bytes, 0, size),
      U64: () => new BigUint64Array(bytes, 0, size),
      I32: () => new Int32Array(bytes, 0, size),
      U32: () => new Uint32Array(bytes, 0, size),
      I16: () => new Int16Array(bytes, 0, size),
      U16: () => new Uint16Array(bytes, 0, size),
      I8: () => new Int8Array(bytes, 0, size),
      U8: () => new Uint8Array(bytes, 0, size),
    }[dtype]();
    return { dtype, shape, data } as Tensor;
  });

const rawBytes = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');
const anyText = fc.string({ unit: 'binary', maxLength: 12 });
const names = fc
  .oneof(anyText, fc.constantFrom('__proto__', 'constructor', '"', '\\', '{', ':'))
  .filter((n) => n !== '__metadata__');

describe('what is encoded is decoded', () => {
  property.prop([
    fc.array(fc.tuple(names, tensors), { maxLength: 5 }),
    fc.array(fc.tuple(anyText, anyText), { maxLength: 3 }),
  ])('bit for bit, whatever the names, types and shapes', (list, texts) => {
    const given = new Map(list);
    const metadata = Object.fromEntries(texts);
    const read = decodeSafetensors(encodeSafetensors(given, metadata), NAME);
    expect(new Set(read.tensors.keys())).toEqual(new Set(given.keys()));
    for (const [name, tensor] of given) {
      const found = read.tensors.get(name);
      expect(found?.dtype).toBe(tensor.dtype);
      expect(found?.shape).toEqual(tensor.shape);
      expect(found?.data.constructor).toBe(tensor.data.constructor);
      expect(found && rawBytes(found)).toBe(rawBytes(tensor));
    }
    expect(Object.entries(read.metadata)).toEqual(Object.entries(metadata));
  });

  it('by the name that it has, though a file before had a backslash in its place', () => {
    for (const name of ['\\', '"', '\n', '\u0000', '\\']) {
      const bytes = encodeSafetensors(new Map([[name, { dtype: 'U8', shape: [], data: Uint8Array.of(1) }]]), {});
      expect([...decodeSafetensors(bytes, NAME).tensors.keys()]).toEqual([name]);
    }
  });

  it('from a buffer that starts at an odd address', () => {
    const bytes = encodeSafetensors(new Map([['w', { dtype: 'F64', shape: [2], data: Float64Array.of(1.5, -2) }]]), {});
    const shifted = new Uint8Array(bytes.length + 3).fill(7);
    shifted.set(bytes, 3);
    expect(decodeSafetensors(shifted.subarray(3), NAME).tensors.get('w')?.data).toEqual(Float64Array.of(1.5, -2));
  });

  it('into arrays of its own', () => {
    const bytes = encodeSafetensors(new Map([['w', { dtype: 'U8', shape: [2], data: Uint8Array.of(1, 2) }]]), {});
    const { tensors } = decodeSafetensors(bytes, NAME);
    bytes.fill(0);
    expect(tensors.get('w')?.data).toEqual(Uint8Array.of(1, 2));
  });
});

describe('an encoded file', () => {
  const bytes = encodeSafetensors(
    new Map<string, Tensor>([
      ['small', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ['wide', { dtype: 'F64', shape: [1, 2], data: Float64Array.of(1, 2) }],
      ['middle', { dtype: 'F32', shape: [], data: Float32Array.of(0.5) }],
    ]),
    { author: 'me' },
  );
  const text = headerOf(bytes);

  it('starts with the length of a header of JSON, padded with spaces to a multiple of eight', () => {
    expect(text.length % 8).toBe(0);
    expect(text).toMatch(/^\{.*\} *$/);
    expect(JSON.parse(text).__metadata__).toMatchObject({ author: 'me' });
  });

  it('lays every tensor on a multiple of its element size, little-endian', () => {
    expect(JSON.parse(text)).toMatchObject({
      wide: { dtype: 'F64', shape: [1, 2], data_offsets: [0, 16] },
      middle: { dtype: 'F32', shape: [], data_offsets: [16, 20] },
      small: { dtype: 'U8', shape: [3], data_offsets: [20, 23] },
    });
    const values = Buffer.from(bytes.subarray(8 + text.length));
    expect([values.readDoubleLE(8), values.readFloatLE(16), values[22], values.length]).toEqual([2, 0.5, 3, 23]);
  });

  it('records the SHA-256 of its values', () => {
    const digest = createHash('sha256')
      .update(bytes.subarray(8 + text.length))
      .digest('hex');
    expect(JSON.parse(text).__metadata__.sha256).toBe(digest);
  });
});

describe('decoding accepts', () => {
  it('a file without checksums, in any order of its header', () => {
    const { tensors, metadata } = decodeSafetensors(
      file({ b: bytesTensor(1, 3), a: bytesTensor(0, 1) }, [1, 2, 3]),
      NAME,
    );
    expect([...tensors.keys()]).toEqual(['a', 'b']);
    expect(tensors.get('b')?.data).toEqual(Uint8Array.of(2, 3));
    expect(metadata).toEqual({});
  });

  it('a file without tensors', () => expect(decodeSafetensors(file('{}   '), NAME).tensors.size).toBe(0));

  it('one name in two objects', () => {
    expect(
      decodeSafetensors(file({ __metadata__: { a: 'a', shape: ':' }, a: bytesTensor(0, 1) }, [1]), NAME).metadata.a,
    ).toBe('a');
  });

  it('a name of a million characters', () => {
    const name = '\\'.repeat(1_000_000);
    expect([...decodeSafetensors(file({ [name]: bytesTensor(0, 1) }, [1]), NAME).tensors.keys()]).toEqual([name]);
  });
});

describe('decoding refuses', () => {
  const good = { a: bytesTensor(0, 2) };
  const a = (change: object) => file({ a: { ...good.a, ...change } }, [1, 2]);

  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /^x\.safetensors .*0 bytes/],
    ['a header longer than the file', file('{}', [], 3), /3 bytes, but only 2 follow/],
    ['a header of 2⁶⁴ − 1 bytes', file('{}', [], 2n ** 64n - 1n), /18446744073709551615 bytes/],
    ['a header of no bytes', file(''), /start with \{/],
    ['invalid UTF-8', file('{}', [0xff], 3), /UTF-8/],
    ['a byte order mark', file('\ufeff{}'), /start with \{/],
    ['a space before the header', file(' {}'), /start with \{/],
    ['padding with anything but spaces', file('{}\n'), /end with \}/],
    ['no closing brace', file('{'), /end with \}/],
    ['text behind the header', file('{}x '), /end with \}/],
    ['two objects', file('{}{}'), /valid JSON/],
    ['a name twice', file(`{"a":${JSON.stringify(good.a)},"a":${JSON.stringify(good.a)}}`, [1, 2]), /"a" twice/],
    [
      'a name twice, once escaped',
      file(`{"a":${JSON.stringify(good.a)},"\\u0061":${JSON.stringify(good.a)}}`, [1, 2]),
      /"a" twice/,
    ],
    ['a field twice', file('{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', [1]), /"dtype" twice/],
    ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}'), /"__metadata__" twice/],
    ['metadata that is no object', file({ __metadata__: ['a'] }), /__metadata__/],
    ['metadata that is not text', file({ __metadata__: { a: 1 } }), /"a" is 1/],
    ['a tensor that is no object', file({ a: null }), /"a" is null/],
    ['an unknown field', a({ scale: 1 }), /"scale"/],
    ['an unknown dtype', a({ dtype: 'F8' }), /"F8"/],
    ['a dtype that every object has', a({ dtype: 'constructor' }), /"constructor"/],
    ['no dtype', a({ dtype: undefined }), /undefined/],
    ['no shape', a({ shape: undefined }), /shape/],
    ['a negative extent', a({ shape: [-2] }), /shape/],
    ['two negative extents', a({ shape: [-1, -2] }), /shape/],
    ['minus zero', file('{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}'), /shape/],
    ['a fractional extent', a({ shape: [0.5, 4] }), /shape/],
    ['an extent in quotes', a({ shape: ['2'] }), /shape/],
    ['a product beyond 2⁵³', a({ shape: [2 ** 40, 2 ** 40] }), /takes/],
    [
      'an infinite product',
      file(`{"a":{"dtype":"U8","shape":[${Array(30).fill(2 ** 52)},0],"data_offsets":[0,0]}}`),
      /takes/,
    ],
    ['one offset', a({ data_offsets: [0] }), /data_offsets/],
    ['three offsets', a({ data_offsets: [0, 2, 2] }), /data_offsets/],
    ['offsets in reverse', a({ data_offsets: [2, 0] }), /span -2/],
    ['a shape larger than its extent', a({ shape: [3] }), /takes 3 bytes, but its data_offsets span 2/],
    ['a dtype wider than its extent', a({ dtype: 'I16' }), /takes 4 bytes/],
    ['a hole at the start', file({ a: bytesTensor(1, 2) }, [1, 2]), /begins at byte 1 where 0/],
    [
      'a hole in the middle',
      file({ a: bytesTensor(0, 1), b: bytesTensor(2, 3) }, [1, 2, 3]),
      /begins at byte 2 where 1/,
    ],
    ['an overlap', file({ a: bytesTensor(0, 2), b: bytesTensor(1, 3) }, [1, 2, 3]), /begins at byte 1 where 2/],
    ['bytes left over', file(good, [1, 2, 3]), /take 2 bytes, but 3 follow/],
    ['too few bytes', file(good, [1]), /take 2 bytes, but 1 follow/],
    ['a wrong checksum', file({ ...good, __metadata__: { sha256: '0'.repeat(64) } }, [1, 2]), /checksum of the values/],
    [
      'a wrong header checksum',
      file({ ...good, __metadata__: { header_sha256: '' } }, [1, 2]),
      /checksum of the header/,
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, NAME)).toThrow(format(message));
  });

  property.prop([fc.uint8Array({ maxLength: 64 }), fc.boolean()])(
    'noise, with a format error and nothing else',
    (noise, framed) => {
      const bytes = framed ? file(`{${Buffer.from(noise).toString('latin1')}}`) : noise;
      try {
        decodeSafetensors(bytes, NAME);
      } catch (error) {
        expect(error).toEqual(format(/x\.safetensors/));
      }
    },
  );
});

describe('encoding refuses', () => {
  const encode =
    (tensor: object, name = 'a') =>
    () =>
      encodeSafetensors(new Map([[name, tensor as Tensor]]), {});
  const data = Uint8Array.of(1, 2);

  it('a shape that does not fit its data', () =>
    expect(encode({ dtype: 'U8', shape: [3], data })).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_SHAPE' })));

  it.each<[string, () => unknown]>([
    ['data of another type', encode({ dtype: 'I8', shape: [2], data })],
    ['an unknown dtype', encode({ dtype: 'toString', shape: [2], data })],
    ['a fractional shape', encode({ dtype: 'U8', shape: [0.5, 4], data })],
    ['the name of the metadata', encode({ dtype: 'U8', shape: [2], data }, '__metadata__')],
    ['a checksum among the metadata', () => encodeSafetensors(new Map(), { sha256: '' })],
    ['metadata that is not text', () => encodeSafetensors(new Map(), { a: 1 as unknown as string })],
  ])('%s', (_, act) => expect(act).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_ARGUMENT' })));
});
