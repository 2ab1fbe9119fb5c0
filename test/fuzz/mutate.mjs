/** What is done to a file that a reader is to survive: to its bytes, and to what they say where that is JSON. */
import { crc32, deflateRawSync } from 'node:zlib';

const SIZES = [0, 1, 2, 127, 128, 255, 256, 2 ** 15, 2 ** 16 - 1, 2 ** 24, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const WIDE = [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 40n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const WORDS = [
  'NaN',
  '-inf',
  '1e999',
  '-',
  '""',
  '"',
  "'",
  '{}',
  '[',
  ']',
  '(',
  ')',
  ',',
  ';',
  '\t',
  '\n',
  '\r\n',
  '\0',
]
  .concat(['null', 'true', '0.5', '-1', '18446744073709551615', '9007199254740993', 'F64', 'I64', 'BF16', '<f8', '>i4'])
  .concat(['|O', '__proto__', 'constructor', '__metadata__', '\ufeff', '\ud83d\ude00', '\ud800', 'é', ' '.repeat(100)])
  .map((word) => Buffer.from(word));

/** Edits: each takes bytes and a place in them. */
const EDITS = [
  (r, bytes, at) => bytes.with(at, bytes[at] ^ (1 << r.below(8))),
  (r, bytes, at) => bytes.with(at, r.pick([0, 1, 32, 48, 57, 127, 128, 254, 255])),
  (r, bytes, at) => write(bytes, at, 4, (copy) => copy.writeUInt32LE(r.pick(SIZES), at)),
  (r, bytes, at) => write(bytes, at, 4, (copy) => copy.writeUInt32BE(r.pick(SIZES), at)),
  (r, bytes, at) => write(bytes, at, 8, (copy) => copy.writeBigUInt64LE(r.pick(WIDE), at)),
  (_, bytes, at) => bytes.subarray(0, at),
  (r, bytes, at) => replace(bytes, at, 0, bytes.subarray(at, at + 1 + r.below(64))),
  (r, bytes, at) => replace(bytes, at, 1 + r.below(32), []),
  (r, bytes, at, seeds) => {
    const other = r.pick(seeds);
    const from = r.below(other.length);
    return replace(bytes, at, r.below(3) * r.below(64), other.subarray(from, from + 1 + r.below(200)));
  },
  (r, bytes, at) => replace(bytes, at, r.below(4), r.pick(WORDS)),
  (r, bytes, at) => replace(bytes, at, 0, Buffer.alloc(1 + r.below(r.chance(0.05) ? 5000 : 50), bytes[at])),
];

const replace = (bytes, at, length, by) =>
  new Uint8Array(Buffer.concat([bytes.subarray(0, at), Buffer.from(by), bytes.subarray(at + length)]));

function write(bytes, at, length, change) {
  const copy = Buffer.from(bytes);
  if (at + length <= copy.length) change(copy);
  return new Uint8Array(copy);
}

/** One seed after one edit, or a few of them; the beginning and the end are preferred, where headers stand. */
export function mutated(r, seeds) {
  let bytes = new Uint8Array(r.pick(seeds));
  for (let edits = r.chance(0.3) ? 1 + r.below(8) : 1 + r.below(2); edits > 0 && bytes.length > 0; edits--) {
    const { length } = bytes;
    const near = Math.min(length, 128);
    const at = r.chance(0.35) ? r.below(near) : r.chance(0.3) ? length - 1 - r.below(near) : r.below(length);
    bytes = r.pick(EDITS)(r, bytes, at, seeds);
  }
  return bytes;
}

const JUNK = [
  null,
  true,
  '',
  'x',
  '__proto__',
  'NaN',
  -1,
  0,
  1.5,
  2 ** 31,
  2 ** 53,
  1e308,
  [],
  {},
  [[]],
  [1, 2],
  { a: 1 },
];

/** A member of a value of JSON changed, removed or added, at any depth; text that is JSON itself is gone into. */
export function tampered(r, value, depth = 0) {
  if (typeof value === 'string' && /^[{[]/.test(value)) return JSON.stringify(tampered(r, JSON.parse(value), depth));
  if (typeof value === 'number' && r.chance(0.6)) return value + r.pick([1, -1, 0.5, -2 * value, value, 1e10 * value]);
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  if (keys.length === 0 || (depth > 0 && r.chance(0.1))) return r.pick(JUNK);
  const key = r.pick(keys);
  const how = r.below(12);
  const members = Object.entries(value).flatMap(([name, member]) =>
    name !== key
      ? [[name, member]]
      : how === 0
        ? []
        : [[name, how === 1 ? r.pick(JUNK) : tampered(r, member, depth + 1)]],
  );
  if (how === 2) members.push([r.pick(['zz', '__proto__', key.toUpperCase()]), r.pick(JUNK)]);
  return Array.isArray(value) ? members.map(([, member]) => member) : Object.fromEntries(members);
}

/** A value of JSON with one member of it, at any depth, left out or something else: all there are, of arrays the first two. */
export function* misstatements(value) {
  if (typeof value === 'string' && /^[{[]/.test(value)) {
    for (const other of misstatements(JSON.parse(value))) yield JSON.stringify(other);
  }
  if (typeof value !== 'object' || value === null) return;
  const isList = Array.isArray(value);
  for (const key of Object.keys(value).slice(0, isList ? 2 : undefined)) {
    const { [key]: member, ...rest } = value;
    const as = (other) => (isList ? value.with(Number(key), other) : { ...rest, [key]: other });
    yield isList ? value.filter((_, i) => i !== Number(key)) : rest;
    for (const junk of JUNK) yield as(junk);
    for (const other of misstatements(member)) yield as(other);
  }
}

/** A zip archive of these files, its checksums right. */
export function zipOf(r, files) {
  const [parts, directory] = [[], []];
  let at = 0;
  for (const [name, bytes] of files) {
    const method = r.chance(0.5) ? 8 : 0;
    const packed = method === 8 ? deflateRawSync(bytes) : Buffer.from(bytes);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const offset = Buffer.alloc(14);
    offset.writeUInt32LE(at, 10);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]);
    directory.push(Buffer.from('PK\x01\x02\x14\0', 'latin1'), common, offset.subarray(0, 14), Buffer.from(name));
    parts.push(local);
    at += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...parts, entries, end]));
}
