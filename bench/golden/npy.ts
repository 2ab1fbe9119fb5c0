import { readFile } from 'node:fs/promises';

/** The contents of a .npy file in C order: numbers and shape. */
export interface NpyFile {
  readonly dtype: '<f8' | '|u1' | '|i1';
  readonly data: Float64Array | Uint8Array | Int8Array;
  readonly shape: readonly number[];
}

const PREAMBLE = 10; // magic string (6), version (2), header length (2)

/**
 * Reads a NumPy file of format 1.0 in C order whose entries are little-endian doubles or single bytes.
 * Throws an Error that names the file for anything else: another version or dtype, Fortran order, a wrong length.
 */
export async function readNpyFile(path: string): Promise<NpyFile> {
  const bytes = await readFile(path);
  const fail = (what: string): Error => new Error(`${path}: ${what}`);
  if (bytes.length < PREAMBLE || bytes.toString('latin1', 0, 6) !== '\x93NUMPY') throw fail('not a .npy file');
  if (bytes[6] !== 1) throw fail(`expected .npy format 1.0, received version ${bytes[6]}.${bytes[7]}`);
  const start = PREAMBLE + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', PREAMBLE, start);
  const dtype = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  if (dtype !== '<f8' && dtype !== '|u1' && dtype !== '|i1')
    throw fail(`expected dtype <f8, |u1 or |i1, received ${dtype}`);
  if (!/'fortran_order':\s*False/.test(header)) throw fail('expected C order');
  const listed = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (listed === undefined) throw fail('the header has no shape');
  const shape = listed
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const count = shape.reduce((product, extent) => product * extent, 1);
  const body = bytes.subarray(start);
  const expectedBytes = count * (dtype === '<f8' ? 8 : 1);
  if (body.length !== expectedBytes) throw fail(`expected ${expectedBytes} bytes of data, received ${body.length}`);
  // A copy: the body of a pooled Buffer need not start at a multiple of eight.
  const copy = new Uint8Array(body);
  if (dtype === '|u1') return { dtype, data: copy, shape };
  if (dtype === '|i1') return { dtype, data: new Int8Array(copy.buffer), shape };
  const view = new DataView(copy.buffer);
  return { dtype, data: Float64Array.from({ length: count }, (_, i) => view.getFloat64(8 * i, true)), shape };
}
