import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type CsvOptions, parseCsv, readCsv } from '../../src/formats/csv.js';
import { expectFailure } from './support.js';

const read = (bytes: Uint8Array, options: CsvOptions = {}) => parseCsv(bytes, 'file.csv', options);
const TEXT = 'größe,b,word\r\n1,2,pâte\r\n3,4,pété\r\n5,6,pâte\r\n';
const utf8 = Buffer.from(TEXT);
const le = Buffer.from(TEXT, 'utf16le');
const be = Buffer.from(le).swap16();
const latin1 = Buffer.from(TEXT, 'latin1');
const mark = (...bytes: readonly number[]) => Buffer.from(bytes);

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe('a text is read in its encoding', () => {
  it.each<[string, Uint8Array, CsvOptions?]>([
    ['UTF-8', utf8],
    ['UTF-8 with a mark', Buffer.concat([mark(0xef, 0xbb, 0xbf), utf8])],
    ['UTF-16, little end first, with a mark', Buffer.concat([mark(0xff, 0xfe), le])],
    ['UTF-16, big end first, with a mark', Buffer.concat([mark(0xfe, 0xff), be])],
    ['UTF-16, little end first', le],
    ['UTF-16, big end first', be],
    ['Windows-1252, which is told', latin1, { encoding: 'windows-1252' }],
    ['the same by another name', latin1, { encoding: 'latin1' }],
    ['a mark, which is right whatever is told', Buffer.concat([mark(0xff, 0xfe), le]), { encoding: 'windows-1252' }],
  ])('%s', async (_, bytes, options) => {
    const want = { columns: ['größe', 'b'], classes: ['pâte', 'pété'], labels: Int32Array.of(0, 1, 0) };
    expect(await read(bytes, options)).toMatchObject(want);
    for (const size of [1, 3, 4096]) {
      expect(await readCsv(pieces(bytes, size), options)).toMatchObject(want);
      expect(await readCsv(pieces(gzipSync(bytes), size), options)).toMatchObject(want);
    }
  });

  it('with the signs that Windows has and ISO 8859-1 has not', async () => {
    const bytes = Buffer.concat([Buffer.from('a,'), mark(0x80, 0x93), Buffer.from('\n1,x\n2,y\n')]);
    expect(await read(bytes, { encoding: 'windows-1252' })).toMatchObject({ target: '€“' });
  });
});

describe('what is no text is refused', () => {
  const long = `a,b,word\n${'1,2,x\n'.repeat(20_000)}`;

  it.each<[string, Uint8Array, CsvOptions, RegExp]>([
    [
      'Windows-1252 as UTF-8',
      latin1,
      {},
      /line 1: byte 3 \(0xF6\) is not UTF-8: .*encoding: 'windows-1252' \(--encoding/,
    ],
    ['far down', Buffer.from(`${long}1,2,p\xe2te\n`, 'latin1'), {}, /line 20002: byte 120015 \(0xE2\) is not UTF-8/],
    [
      'a character broken off at the end',
      Buffer.from('a,b\n1,\xc3', 'latin1'),
      {},
      /line 2: byte 7 \(0xC3\) is not UTF-8/,
    ],
    ['a stray half of a character', Buffer.from('a,b\n1,\x80\n', 'latin1'), {}, /line 2: byte 7 \(0x80\)/],
    [
      'an empty place of Windows-1252',
      Buffer.from('a,b\n1,\x81\n', 'latin1'),
      { encoding: 'cp1252' },
      /line 2: byte 7 \(0x81\) is not WINDOWS-1252/,
    ],
    ['half a unit of UTF-16', le.subarray(0, le.length - 1), {}, /not UTF-16LE/],
    ['UTF-32', Buffer.concat([mark(0xff, 0xfe, 0, 0), Buffer.from('a\0\0\0')]), {}, /UTF-32: write it in UTF-8/],
    ['a zero byte', Buffer.from('a,b\n1,2\n3,\0\n5,6\n'), {}, /line 3: a zero character/],
    [
      'UTF-8 that is told to be Shift JIS',
      Buffer.from('a,b\n1,é\x80\n'),
      { encoding: 'shift_jis' },
      /SHIFT_JIS: the file is damaged/,
    ],
  ])('%s', async (_, bytes, options, message) => {
    await expectFailure(() => read(bytes, options), 'ERR_DLADMM_FORMAT', message, /^file\.csv/);
    await expectFailure(() => readCsv(pieces(bytes, 1000), options), 'ERR_DLADMM_FORMAT', /the CSV stream/);
  });

  it('an encoding that nobody knows', async () => {
    for (const encoding of ['klingon', '', 7])
      await expectFailure(() => read(utf8, { encoding } as CsvOptions), 'ERR_DLADMM_ARGUMENT', /encoding/);
  });
});

describe('a text that is not UTF-8 is told what it may be', () => {
  const lines = (letters: readonly number[], count: number) =>
    Buffer.concat([
      Buffer.from('a,b,word\n'),
      ...Array.from({ length: count }, (_, i) => Buffer.from([...Buffer.from(`${i},2,`), ...letters, 0x0a])),
    ]);

  it.each<[string, readonly number[], RegExp]>([
    ['shift_jis', [0x93, 0xfa, 0x96, 0x7b, 0x8c, 0xea, 0x82, 0xcc], /--encoding shift_jis\), which its letters look/],
    ['euc-kr', [0xc7, 0xd1, 0xb1, 0xdb, 0xc0, 0xcc, 0xb4, 0xd9], /--encoding euc-kr\), which its letters look/],
    ['gb18030', [0xd6, 0xd0, 0xb9, 0xfa, 0xc8, 0xcb, 0xc3, 0xf1], /--encoding gb18030\), which its letters look/],
    ['windows-1251', [0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2, 0x20, 0xec, 0xe8, 0xf0], /--encoding windows-1251\), which/],
    ['koi8-r', [0xf0, 0xd2, 0xc9, 0xd7, 0xc5, 0xd4, 0x20, 0xcd, 0xc9, 0xd2], /--encoding koi8-r\), which/],
    ['windows-1252', [0x67, 0x72, 0xf6, 0xdf, 0x65], /--encoding windows-1252\), which Excel/],
    ['nothing that is text', [0x01, 0xf6, 0x02, 0xdf], /damaged, in another encoding, or of another kind$/],
  ])('%s', async (_, letters, message) => {
    await expectFailure(() => read(lines(letters, 20)), 'ERR_DLADMM_FORMAT', message);
  });
});

describe('a gzipped stream', () => {
  it('is refused where it is damaged or cut', async () => {
    const packed = gzipSync(TEXT);
    await expectFailure(() => readCsv(pieces(packed.subarray(0, -9), 7)), 'ERR_DLADMM_FORMAT', /CSV stream.*gzip/);
    packed[packed.length - 6] = (packed[packed.length - 6] as number) ^ 1;
    await expectFailure(() => readCsv(pieces(packed, 7)), 'ERR_DLADMM_FORMAT', /CSV stream.*gzip/);
  });
});
