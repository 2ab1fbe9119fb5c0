import { formatError } from './bytes.js';
import { reader } from './reader.js';

const BLOCK = 512;

const text = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1');
};

/** The sum of the header's bytes with its own checksum field taken as blanks. */
const checksum = (header: Uint8Array): number =>
  header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte), 0);

const octal = (bytes: Uint8Array): number => {
  const digits = text(bytes).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
};

/**
 * The content of the file called `member` in a tar archive, as a view on it.
 *
 * @throws ERR_DLADMM_FORMAT if the archive is damaged or truncated, or does not hold the file
 */
export const tarMember = reader((archive: Uint8Array, member: string, name: string): Uint8Array => {
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const size = octal(header.subarray(124, 136));
    if (Number.isNaN(size) || octal(header.subarray(148, 156)) !== checksum(header))
      throw formatError(name, `damaged tar archive: the header at byte ${at} has a wrong checksum`);
    const start = at + BLOCK;
    if (text(header.subarray(0, 100)).replace(/^\.\//, '') === member) {
      if (start + size > archive.length)
        throw formatError(
          name,
          `truncated tar archive: ${member} has ${size} bytes, ${archive.length - start} are left`,
        );
      return archive.subarray(start, start + size);
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw formatError(name, `expected ${member} in the tar archive but found no such file`);
}, 'tar');
