/** Bytes as text, strictly: what does not decode is refused with its place, never replaced. */
import { expected } from '../../core/errors.js';
import { formatError } from '../bytes.js';

/** So many bytes tell UTF-16 without a mark from everything else. */
const HEAD = 4096;

const MARKS = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
] as const;

const startsWith = (bytes: Uint8Array, mark: readonly number[]): boolean => mark.every((byte, i) => bytes[i] === byte);

/** UTF-16 without a mark: in a table, every delimiter, digit and line end has a zero byte, on one side only. */
function unmarkedUtf16(head: Uint8Array): string | undefined {
  const zeros = [0, 0] as [number, number];
  for (const [i, byte] of head.entries()) if (byte === 0) zeros[(i % 2) as 0 | 1] += 1;
  const [even, odd] = zeros;
  if (Math.max(even, odd) * 5 < head.length / 2 || Math.min(even, odd) * 20 > Math.max(even, odd)) return undefined;
  return even > odd ? 'utf-16be' : 'utf-16le';
}

/**
 * The name that the Encoding Standard has for an encoding.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function checkEncoding(encoding: unknown): string {
  try {
    if (typeof encoding === 'string') return new TextDecoder(encoding).encoding;
  } catch {
    // Told below.
  }
  const text = "the name of an encoding ('utf-8', 'windows-1252', 'utf-16le', 'shift_jis' and the like)";
  throw expected(text, 'encoding', encoding);
}

/** So many bytes of lines that are not ASCII tell an encoding. */
const TELLING = 2 ** 14;

/** The lines in which bytes stand that ASCII has not. */
function telling(bytes: Uint8Array): Uint8Array {
  const lines: Uint8Array[] = [];
  let length = 0;
  for (let from = 0; from < bytes.length && length < TELLING; ) {
    const end = bytes.indexOf(0x0a, from) + 1 || bytes.length;
    const line = bytes.subarray(from, end);
    if (line.some((byte) => byte > 0x7f)) lines.push(line);
    length += lines.at(-1) === line ? line.length : 0;
    from = end;
  }
  return Buffer.concat(lines);
}

/** Of a hundred: below the first a guess is none, and from the second on it comes before the encoding that is the most common. */
const GUESS = 25;
const GOOD_GUESS = 60;
const OTHER_SCRIPTS = /koi8|125[1356]|8859-[5-8]$/i;

/** The encodings that some bytes may be in, the likeliest first, by how often their letters follow each other: guesses. */
async function likely(bytes: Uint8Array): Promise<readonly string[]> {
  const lines = telling(bytes);
  if (lines.some((byte) => byte < 0x09 || (byte > 0x0d && byte < 0x20))) return [];
  const { analyse } = await import('chardet');
  const guesses = analyse(lines).filter(({ confidence }) => confidence >= GUESS);
  // Letters that stand alone among those of ASCII are of no other script.
  const apart = !lines.some((byte, i) => byte > 0x7f && (lines[i + 1] ?? 0) > 0x7f);
  const better = guesses.filter(
    ({ name, confidence }) => confidence >= GOOD_GUESS && !(apart && OTHER_SCRIPTS.test(name)),
  );
  const names = [...better, { name: 'windows-1252' }, ...guesses].flatMap(({ name }) => {
    try {
      return [checkEncoding(name)];
    } catch {
      return [];
    }
  });
  return [...new Set(names)]
    .filter((name) => !/^utf-/.test(name) && decodes(name, lines, lines.length, false))
    .slice(0, 3);
}

/** What may help against bytes that are not UTF-8. */
async function remedyFor(bytes: Uint8Array): Promise<string> {
  const [first, ...others] = await likely(bytes);
  if (first === undefined) return 'the file is damaged, in another encoding, or of another kind';
  const why =
    first === 'windows-1252' ? 'which Excel and older programs write' : 'which its letters look the most like';
  const more = others.length > 0 ? `; its bytes could be ${others.join(' or ')} too` : '';
  return `name the encoding, as encoding: '${first}' (--encoding ${first}), ${why}${more}`;
}

interface Decoder {
  /** Throws where bytes are not of the encoding. */
  decode(bytes: Uint8Array, last: boolean): string;
}

/** What Windows-1252 has from 0x80 to 0x9f; five places are empty. */
const WINDOWS_1252 = '€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ';

function decoderOf(encoding: string): Decoder {
  // Some versions of Node take it for ISO-8859-1.
  if (encoding === 'windows-1252') {
    return {
      decode: (bytes) =>
        Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
          .toString('latin1')
          .replace(/[\x80-\x9f]/g, (character) => {
            const letter = WINDOWS_1252[character.charCodeAt(0) - 0x80] as string;
            if (letter === '\0') throw new TypeError('not Windows-1252');
            return letter;
          }),
    };
  }
  const decoder = new TextDecoder(encoding, { fatal: true });
  return { decode: (bytes, last) => decoder.decode(bytes, { stream: !last }) };
}

/** Whether the first `count` bytes decode, more to come or not. */
function decodes(encoding: string, bytes: Uint8Array, count: number, last: boolean): boolean {
  try {
    decoderOf(encoding).decode(bytes.subarray(0, count), last);
    return true;
  } catch {
    return false;
  }
}

/** Where the byte stands that cannot be decoded, and how many line ends there are before it. */
function culprit(encoding: string, bytes: Uint8Array): { readonly at: number; readonly lines: number } {
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (middle <= bytes.length && decodes(encoding, bytes, middle, false)) good = middle;
    else bad = middle;
  }
  let at = Math.min(good, bytes.length - 1);
  // A sequence that is broken off begins where the text before it still ended well.
  if (encoding === 'utf-8') while (at > 0 && good - at < 4 && !decodes(encoding, bytes, at, true)) at -= 1;
  const before = new TextDecoder(encoding).decode(bytes.subarray(0, at));
  return { at, lines: lineEnds(before) };
}

function lineEnds(text: string): number {
  let feeds = 0;
  let returns = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) feeds += 1;
  if (feeds === 0) for (let at = text.indexOf('\r'); at >= 0; at = text.indexOf('\r', at + 1)) returns += 1;
  return feeds || returns;
}

/** The first pieces of a stream until there are `count` bytes, and all that follow. */
async function headed(
  pieces: AsyncIterable<Uint8Array>,
  count: number,
): Promise<{ readonly head: Uint8Array; readonly rest: AsyncIterator<Uint8Array> }> {
  const rest = pieces[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let length = 0;
  while (length < count) {
    const next = await rest.next();
    if (next.done) break;
    first.push(next.value);
    length += next.value.length;
  }
  return { head: Buffer.concat(first), rest };
}

/**
 * The text of some bytes: in the encoding of their mark, else in `encoding`, else in UTF-8, or in UTF-16 where zero bytes show
 * that it is that.
 *
 * @param name how errors call the source
 * @throws DlAdmmError ERR_DLADMM_FORMAT naming byte and line for what does not decode, and for a zero character
 */
export async function* textOf(
  pieces: AsyncIterable<Uint8Array>,
  encoding: string | undefined,
  name: string,
): AsyncGenerator<string, void, undefined> {
  const { head, rest } = await headed(pieces, HEAD);
  if (startsWith(head, [0xff, 0xfe, 0, 0]) || startsWith(head, [0, 0, 0xfe, 0xff])) {
    await rest.return?.();
    throw formatError(name, 'the text is in UTF-32: write it in UTF-8');
  }
  const marked = MARKS.find(([, mark]) => startsWith(head, mark))?.[0];
  const found = marked ?? encoding ?? unmarkedUtf16(head.subarray(0, HEAD)) ?? 'utf-8';
  const decoder = decoderOf(found);
  let offset = 0;
  let lines = 0;
  // The beginning of a character, of which the rest is to come.
  let tail = Buffer.alloc(0);

  const refuse = async (bytes: Uint8Array): Promise<never> => {
    const all = Buffer.concat([tail, bytes]);
    const { at, lines: further } = culprit(found, all);
    const byte = `0x${(all[at] ?? 0).toString(16).toUpperCase().padStart(2, '0')}`;
    const remedy = marked || encoding ? 'the file is damaged, or in another encoding' : await remedyFor(all);
    const place = `${name}, line ${lines + further + 1}`;
    const why = `byte ${offset - tail.length + at + 1} (${byte}) is not ${found.toUpperCase()}: ${remedy}`;
    throw formatError(place, why);
  };

  async function take(bytes: Uint8Array, last: boolean): Promise<string> {
    let text = '';
    try {
      text = decoder.decode(bytes, last);
    } catch {
      await refuse(bytes);
    }
    const zero = text.indexOf('\0');
    if (zero >= 0) {
      const line = lines + lineEnds(text.slice(0, zero)) + 1;
      throw formatError(
        `${name}, line ${line}`,
        'a zero character, which no text has: the file is damaged, or of another kind',
      );
    }
    lines += lineEnds(text);
    offset += bytes.length;
    tail = tailOf(tail.length > 0 ? Buffer.concat([tail, bytes]) : bytes, found, offset);
    return text;
  }

  try {
    yield await take(head, false);
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield await take(next.value, false);
    yield await take(new Uint8Array(0), true);
  } finally {
    await rest.return?.();
  }
}

/** The bytes of a character that has not come whole; `offset` bytes have come in all. */
function tailOf(bytes: Uint8Array, encoding: string, offset: number): Buffer<ArrayBuffer> {
  if (encoding.startsWith('utf-16')) return Buffer.from(bytes.subarray(bytes.length - (offset % 2)));
  if (encoding !== 'utf-8') return Buffer.alloc(0);
  const from = bytes.findLastIndex((byte) => (byte & 0xc0) !== 0x80);
  const first = bytes[from] ?? 0;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  return Buffer.from(bytes.length - from < length ? bytes.subarray(Math.max(0, from)) : []);
}
