import { readdirSync, readFileSync } from 'node:fs';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { parseCsvFrame } from '../../src/formats/csv.js';

const seeds = new URL('../fuzz/seeds/csv/', import.meta.url);

/** What a text holds, or what is against it; `parsed` by the parser alone, which a line that is left out asks for. */
async function outcome(text: string, parsed: boolean, piece = text.length, options: object = {}) {
  const whole = Buffer.from(parsed ? `?\n${text}` : text);
  async function* pieces() {
    for (let at = 0; at < whole.length; at += piece) yield whole.subarray(at, at + piece);
  }
  const before = parsed ? 1 : 0;
  try {
    const { lines, ...frame } = await parseCsvFrame(pieces(), 'a.csv', { ...options, ...(parsed && { fromLine: 2 }) });
    return { ...frame, lines: Array.from(lines ?? [], (line) => line - before) };
  } catch (error) {
    return (error as Error).message.replace(/line (\d+)/g, (_, line) => `line ${Number(line) - before}`);
  }
}

const odd = [
  '',
  ' ',
  '0',
  '-0',
  '007',
  '1e3',
  '-1.5E-7',
  '+4',
  '.5',
  '5.',
  '.',
  '-',
  '1 2',
  ' 7 ',
  '0x1F',
  'NA',
  'none',
  'ü',
  'a b',
  'true',
];
const long = [
  '123456789012345',
  '1234567890123456',
  '0.1234567890123456',
  '9007199254740993',
  '1'.repeat(400),
  '1,5',
  '1.234,5',
];
const marked = [
  '"1"',
  '"a,b"',
  '"a\nb"',
  '"a""b"',
  ' "a"',
  '"a" ',
  'a"b',
  '"a"b',
  '"',
  '""',
  '2024-01-31',
  '\u00a0',
  '\u00a03',
];
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
  fc.double({ min: -9, max: 9, noNaN: true }).map((value) => value.toFixed(6)),
  fc.tuple(fc.bigInt(), fc.nat(20)).map(([digits, behind]) => `${digits}.${'7'.repeat(behind)}`),
);
const plain = fc.oneof({ arbitrary: number, weight: 8 }, { arbitrary: fc.constantFrom(...odd, ...long), weight: 1 });
const cell = fc.oneof({ arbitrary: plain, weight: 20 }, { arbitrary: fc.constantFrom(...marked), weight: 1 });
const table = (of: fc.Arbitrary<string>) =>
  fc
    .record({
      rows: fc
        .integer({ min: 1, max: 4 })
        .chain((width) =>
          fc.array(fc.array(of, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 12 }),
        ),
      end: fc.constantFrom('\n', '\r\n', '\r', '\n\n', ',\n', '\n \n'),
      delimiter: fc.constantFrom(',', ';', '\t', '|'),
      last: fc.constantFrom('', '\n', '\r', '\r\n'),
      more: fc.constantFrom('', '', '', '1,2\n', 'x'),
    })
    .map(({ rows, end, delimiter, last, more }) => rows.map((row) => row.join(delimiter)).join(end) + last + more);

describe('rows that need no parser are read as by one', () => {
  test.prop([table(cell), fc.integer({ min: 1, max: 40 })], { numRuns: 400 })(
    'whatever stands in them',
    async (text, piece) => {
      expect(await outcome(text, false, piece)).toEqual(await outcome(text, true));
    },
  );

  test.prop([table(plain), fc.constantFrom('.', ',')], { numRuns: 200 })(
    'with either decimal sign',
    async (text, decimal) => {
      const options = { delimiter: ';', decimal, header: false };
      expect(await outcome(text, false, 7, options)).toEqual(await outcome(text, true, undefined, options));
    },
  );

  // Long enough for several readings, of which each begins with what the one before has left.
  test.prop(
    [
      fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 0, max: 11 }), { minLength: 3, maxLength: 3 }),
      fc.integer({ min: 700, max: 9000 }),
      fc.constantFrom('\n', '\r\n', '\r'),
    ],
    { numRuns: 25 },
  )('however long the text is', async (rows, first, piece, end) => {
    const lines = Array.from({ length: 4000 }, (_, i) => {
      const odd = i % 1000 > 500 && first.includes(i % 12) ? rows[i % rows.length] : undefined;
      return (odd ?? [String(i), (i / 7).toFixed(4), i % 3 ? 'ä' : 'b']).join(';');
    });
    const text = lines.join(end);
    const options = { delimiter: ';', header: false };
    expect(await outcome(text, false, piece, options)).toEqual(await outcome(text, true, undefined, options));
  });

  it.each(readdirSync(seeds).filter((file) => !file.startsWith('utf16')))('%s', async (file) => {
    const text = readFileSync(new URL(file, seeds), 'latin1');
    expect(await outcome(text, false)).toEqual(await outcome(text, true));
  });
});
