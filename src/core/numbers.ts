/** Arrays of the two precisions. Their kinds are asked by `types` of node:util, which knows the arrays of every realm. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { types } from 'node:util';
import type { Dtype, Numbers } from './native.js';

/** What the constructor of a typed array is called; undefined for anything else. */
export const arrayKind = (value: unknown): string | undefined =>
  types.isTypedArray(value) ? value[Symbol.toStringTag] : undefined;

export const isNumbers = (value: unknown): value is Numbers =>
  types.isFloat32Array(value) || types.isFloat64Array(value);

export const dtypeOf = (values: Numbers): Dtype => (types.isFloat32Array(values) ? 'float32' : 'float64');

export const zeros = (dtype: Dtype, length: number): Numbers =>
  dtype === 'float32' ? new Float32Array(length) : new Float64Array(length);

/** `values` in that precision: themselves where they have it. */
export function inDtype(values: ArrayLike<number>, dtype: Dtype): Numbers {
  if (isNumbers(values) && dtypeOf(values) === dtype) return values;
  return dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
}

/** Why a whole number of 64 bits is refused. */
export const TOO_WIDE =
  'beyond 2^53, where no double holds every whole number: write the column as doubles if its last digits do not matter, as texts if it names something';

/** The same numbers as an array of the realm that this is: what the addon makes is of the first realm of the process. */
export const ofThisRealm = ({ buffer, byteOffset, length, BYTES_PER_ELEMENT }: Numbers): Numbers =>
  BYTES_PER_ELEMENT === 4 ? new Float32Array(buffer, byteOffset, length) : new Float64Array(buffer, byteOffset, length);

/** `values` in float32 where that holds every one of them exactly. */
export const narrowed = (values: Float64Array): Numbers =>
  values.every((value) => Object.is(Math.fround(value), value)) ? Float32Array.from(values) : values;

/** Where numbers are kept that may be too many for memory. */
export interface NumberFile {
  /** Keeps them. Answers with where. */
  write(numbers: Numbers): number;
  read(into: Numbers, place: number): void;
  /** What `make` makes for somebody; only what was asked for last is kept in memory. */
  once<T>(whose: object, make: () => T): T;
}

const files = new AsyncLocalStorage<NumberFile>();

/** Does work whose growing numbers are kept in a file. */
export const keptIn = <T>(file: NumberFile, work: () => T): T => files.run(file, work);

/** Where growing numbers are kept now; undefined in memory. */
export const numberFile = (): NumberFile | undefined => files.getStore();

const LARGEST_BLOCK = 2 ** 15;

interface Block {
  readonly length: number;
  /** Some of its numbers. */
  part(first: number, count: number): Numbers;
}

const inMemory = (numbers: Numbers): Block => ({
  length: numbers.length,
  part: (first, count) => numbers.subarray(first, first + count),
});

function inFile(numbers: Numbers, file: NumberFile): Block {
  const [place, dtype, { length, BYTES_PER_ELEMENT: size }] = [file.write(numbers), dtypeOf(numbers), numbers];
  return {
    length,
    part(first, count) {
      const out = zeros(dtype, count);
      file.read(out, place + size * first);
      return out;
    },
  };
}

/**
 * Numbers that come one after the other, in float32 for as long as that holds them exactly; in blocks, as copies into ever larger arrays have
 * the collector go through all that the process holds.
 */
export function growingNumbers() {
  const file = numberFile();
  const full: Block[] = [];
  let block: Numbers = new Float32Array(16);
  let dtype: Dtype = 'float32';
  let [length, before] = [0, 0];
  return {
    /** Where they are kept, if not in memory. */
    file,
    get length(): number {
      return before + length;
    },
    push(value: number): void {
      if (length === block.length) {
        const whole = file && length === LARGEST_BLOCK;
        full.push(whole ? inFile(block, file) : inMemory(block));
        if (!whole || dtypeOf(block) !== dtype) block = zeros(dtype, Math.min(LARGEST_BLOCK, 2 * length));
        before += length;
        length = 0;
      }
      if (dtype === 'float32' && !Object.is(Math.fround(value), value)) {
        dtype = 'float64';
        block = new Float64Array(block);
      }
      block[length] = value;
      length += 1;
    },
    /** A copy of those from `first` on. */
    taken(first = 0, count = before + length - first): Numbers {
      const out = zeros(dtype, count);
      let begin = 0;
      for (const part of [...full, inMemory(block.subarray(0, length))]) {
        const from = Math.max(first, begin);
        const to = Math.min(first + count, begin + part.length);
        if (to > from) out.set(part.part(from - begin, to - from), from - first);
        begin += part.length;
      }
      return out;
    },
  };
}
