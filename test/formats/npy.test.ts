import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeNpy, type NpyArray, parseNpy, readNpy } from '../../src/formats/npy.js';
import { expectFailure, fromBase64, resultOrRefusal, temporaryFolder, withBit } from './support.js';

/** An NPY file, version 1.0, with this header text and these values. */
function npy(header: string, values: readonly number[] = []): Uint8Array {
  const text = Buffer.from(`${header}\n`, 'latin1');
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 255, text.length >> 8]);
  return new Uint8Array(Buffer.concat([start, text, Uint8Array.from(values)]));
}

const header = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;

/** Written by NumPy 2.4. */
const byNumpy = {
  version1:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAPwAAgD8AAMA/AAAAQAAAIEA=',
  version2:
    'k05VTVBZAgB0AAAAeydkZXNjcic6ICc8ZjQnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAPwAAgD8AAMA/AAAAQAAAIEA=',
  version3:
    'k05VTVBZAwB0AAAAeydkZXNjcic6ICc8ZjQnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAPwAAgD8AAMA/AAAAQAAAIEA=',
  fortran:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGkyJywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMywgNCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAwABAAQAAgAFAABAA0ABQARAAkAFQACAA4ABgASAAoAFgADAA8ABwATAAsAFwA=',
  bigFloat64:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPmY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAo/+AAAAAAAAMAAAAAAAAAAfjfkPIgAdZw=',
  bigInt64:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPmk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDEpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIApAAAAAAAAAAP//////////',
  booleans:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfGIxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAAE=',
  scalar:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPHU4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAr//////////w==',
  objects:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfE8nLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMywpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAqABJWRAAAAAAAAAIwWbnVtcHkuX2NvcmUubXVsdGlhcnJheZSMDF9yZWNvbnN0cnVjdJSTlIwFbnVtcHmUjAduZGFycmF5lJOUSwCFlEMBYpSHlFKUKEsBSwOFlGgDjAVkdHlwZZSTlIwCTziUiYiHlFKUKEsDjAF8lE5OTkr/////Sv////9LP3SUYoldlChLAYwBYZROZXSUYi4=',
  strings:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPFUyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAphAAAAYgAAAA==',
  structured:
    'k05VTVBZAQB2AHsnZGVzY3InOiBbKCdhJywgJzxpNCcpLCAoJ2InLCAnPGY4JyldLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMSwpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAAAAAAAAAAAAAEA=',
} as const;

const read = (name: keyof typeof byNumpy) => parseNpy(fromBase64(byNumpy[name]), name);

describe('parseNpy reads what NumPy writes', () => {
  it.each(['version1', 'version2', 'version3'] as const)('%s', (name) => {
    expect(read(name)).toEqual({ shape: [2, 3], data: Float32Array.of(0, 0.5, 1, 1.5, 2, 2.5) });
  });

  it('Fortran order, as C order', () => {
    expect(read('fortran')).toEqual({ shape: [2, 3, 4], data: Int16Array.from({ length: 24 }, (_, i) => i) });
  });

  it('big-endian numbers', () => {
    expect(read('bigFloat64')).toEqual({ shape: [3], data: Float64Array.of(1.5, -2, 1e300) });
    expect(read('bigInt64')).toEqual({ shape: [2, 1], data: BigInt64Array.of(2n ** 62n, -1n) });
  });

  it('booleans, as bytes', () => {
    expect(read('booleans')).toEqual({ shape: [3], data: Uint8Array.of(1, 0, 1) });
  });

  it('a scalar of 64 unsigned bits', () => {
    expect(read('scalar')).toEqual({ shape: [], data: BigUint64Array.of(2n ** 64n - 1n) });
  });

  it('aligned little-endian values without copying, unaligned ones with', () => {
    const bytes = fromBase64(byNumpy.version1);
    expect(parseNpy(bytes, 'aligned').data.buffer).toBe(bytes.buffer);
    const shifted = new Uint8Array([0, ...bytes]).subarray(1);
    expect(parseNpy(shifted, 'unaligned').data).toEqual(Float32Array.of(0, 0.5, 1, 1.5, 2, 2.5));
  });
});

describe('parseNpy refuses', () => {
  it('objects, strings and structured types, saying which', async () => {
    await expectFailure(() => read('objects'), 'ERR_DLADMM_FORMAT', 'Python objects');
    await expectFailure(() => read('strings'), 'ERR_DLADMM_FORMAT', '<U2');
    await expectFailure(() => read('structured'), 'ERR_DLADMM_FORMAT', 'structured');
    for (const descr of ['<f2', '<c8', '<M8', '<f16', '<toString', '|f8', 'f8', ''])
      await expectFailure(() => parseNpy(npy(header(descr, '(1,)'), [0, 0]), 'x'), 'ERR_DLADMM_FORMAT', 'type');
  });

  it('every truncation', async () => {
    const bytes = fromBase64(byNumpy.version1);
    for (let length = 0; length < bytes.length; length++)
      await expectFailure(() => parseNpy(bytes.subarray(0, length), 'cut.npy'), 'ERR_DLADMM_FORMAT', /^cut\.npy: /);
  });

  it('bytes beyond the last value', async () => {
    const longer = new Uint8Array([...fromBase64(byNumpy.version1), 0]);
    await expectFailure(() => parseNpy(longer, 'long'), 'ERR_DLADMM_FORMAT', 'too long', '152', '153');
  });

  it.each(['(3)', '(-1,)', '(1.5,)', "('a',)", '(1,,2)', '(,)', `(${'1,'.repeat(65)})`, `(${'9'.repeat(400)},)`])(
    'the shape %s',
    async (shape) => {
      await expectFailure(() => parseNpy(npy(header('|u1', shape), [0, 0, 0]), 'x'), 'ERR_DLADMM_FORMAT');
    },
  );

  it('a shape whose product is beyond all numbers, or is right only modulo 2^64', async () => {
    const huge = 9007199254740991;
    await expectFailure(() => parseNpy(npy(header('<f8', `(${huge}, ${huge})`), [0]), 'x'), 'ERR_DLADMM_FORMAT');
    await expectFailure(
      () => parseNpy(npy(header('|u1', '(4294967296, 4294967296)'), []), 'x'),
      'ERR_DLADMM_FORMAT',
      'truncated',
    );
  });

  it.each([
    '',
    '{}',
    "{'descr': '|u1', 'shape': (1,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'more': True}",
    "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': True, 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '|u1' 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '|u1', 'fortran_order': 0, 'shape': (1,)}",
  ])('the header %s', async (text) => {
    await expectFailure(() => parseNpy(npy(text, [1]), 'x'), 'ERR_DLADMM_FORMAT', 'header');
  });

  it('versions it does not know', async () => {
    for (const [at, value] of [
      [6, 0],
      [6, 4],
      [7, 1],
    ] as const) {
      const bytes = npy(header('|u1', '(1,)'), [1]);
      bytes[at] = value;
      await expectFailure(() => parseNpy(bytes, 'x'), 'ERR_DLADMM_FORMAT', 'version');
    }
  });

  it('or reads, but never crashes on, any flipped bit', async () => {
    const bytes = fromBase64(byNumpy.version1);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const array = await resultOrRefusal(() => parseNpy(withBit(bytes, bit), 'flipped'));
      if (array) expect(array.data.length).toBe(array.shape.reduce((a, b) => a * b, 1));
    }
  });
});

const arrays: fc.Arbitrary<NpyArray> = fc
  .oneof(
    fc.float32Array({ maxLength: 24 }),
    fc.float64Array({ maxLength: 24 }),
    fc.int8Array({ maxLength: 24 }),
    fc.uint8Array({ maxLength: 24 }),
    fc.int16Array({ maxLength: 24 }),
    fc.uint16Array({ maxLength: 24 }),
    fc.int32Array({ maxLength: 24 }),
    fc.uint32Array({ maxLength: 24 }),
    fc.bigInt64Array({ maxLength: 24 }),
    fc.bigUint64Array({ maxLength: 24 }),
  )
  .chain((data) => {
    const n = data.length;
    const shapes = [
      [n],
      [1, n],
      [n, 1, 1],
      ...(n === 1 ? [[]] : []),
      ...(n % 2 === 0
        ? [
            [2, n / 2],
            [n / 2, 2],
          ]
        : []),
    ];
    return fc.record({ data: fc.constant(data), shape: fc.constantFrom(...shapes) });
  });

describe('encodeNpy', () => {
  it('writes what parseNpy reads, for every type', () => {
    fc.assert(
      fc.property(arrays, (array) => {
        expect(parseNpy(encodeNpy(array), 'again')).toEqual(array);
      }),
    );
  });

  it('writes the very bytes NumPy does', () => {
    expect(encodeNpy(read('version1'))).toEqual(Buffer.from(byNumpy.version1, 'base64'));
    expect(encodeNpy(read('scalar'))).toEqual(Buffer.from(byNumpy.scalar, 'base64'));
  });

  it('writes only the part of a buffer that the array covers', () => {
    const part = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    expect(parseNpy(encodeNpy({ data: part, shape: [2] }), 'part').data).toEqual(Float32Array.of(2, 3));
  });

  it.each([[[2]], [[3, 1, 2]], [[]], [[-1, -3]], [[1.5, 2]]])('refuses the shape %j for 3 values', async (shape) => {
    await expectFailure(() => encodeNpy({ data: new Int8Array(3), shape }), 'ERR_DLADMM_SHAPE', 'shape');
  });

  it.each([[Float32Array.of(1)], [{ data: [1, 2], shape: [2] }], [{ data: Int8Array.of(1) }], [null]])(
    'refuses %j, which is no array of NumPy',
    async (array) => {
      await expectFailure(() => encodeNpy(array as never), 'ERR_DLADMM_ARGUMENT', 'array');
    },
  );
});

describe('readNpy', () => {
  it('reads a file', async () => {
    const path = join(await temporaryFolder(), 'array.npy');
    await writeFile(path, fromBase64(byNumpy.bigFloat64));
    expect((await readNpy(path)).data).toEqual(Float64Array.of(1.5, -2, 1e300));
  });
});
