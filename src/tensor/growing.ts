import { AsyncLocalStorage } from 'node:async_hooks';
import type { Dtype, Numbers } from '../core/native.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import { pause } from './inputs.js';

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

const LARGEST_BLOCK = 2 ** 15;
/** So many are kept in no block, as one for each of very many columns costs more than its numbers. */
const FEW = 32;

/** Where the platform has it, it gives memory back at once; the collector sees to that later. */
type Released = ArrayBufferLike & { readonly transfer?: (length: number) => unknown };

interface Block {
  readonly length: number;
  /** Some of its numbers. */
  part(first: number, count: number): Numbers;
}

const NONE = new Float32Array(0);

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
  const file = files.getStore();
  const full: Block[] = [];
  let few: number[] | undefined = [];
  let block: Numbers = NONE;
  let dtype: Dtype = 'float32';
  let [length, before] = [0, 0];
  const last = (): Block => {
    if (few === undefined) return inMemory(block.subarray(0, length));
    const first = zeros(dtype, few.length);
    first.set(few);
    return inMemory(first);
  };
  return {
    /** Where they are kept, if not in memory. */
    file,
    get length(): number {
      return before + (few?.length ?? length);
    },
    push(value: number): void {
      if (few) {
        if (!Object.is(Math.fround(value), value)) dtype = 'float64';
        if (few.length < FEW) {
          few.push(value);
          return;
        }
        full.push(last());
        [few, block, before] = [undefined, zeros(dtype, FEW), FEW];
      }
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
    /** A copy of some of them. */
    part(first: number, count: number): Numbers {
      const out = zeros(dtype, count);
      let begin = 0;
      for (const each of [...full, last()]) {
        const from = Math.max(first, begin);
        const to = Math.min(first + count, begin + each.length);
        if (to > from) out.set(each.part(from - begin, to - from), from - first);
        begin += each.length;
      }
      return out;
    },
    /** All that came, once: each block is given back as it is copied; the event loop runs in between. */
    async taken(): Promise<Numbers> {
      if (few) {
        const { length: count } = few;
        const own = last();
        few = [];
        return own.part(0, count);
      }
      const blocks = [...full.splice(0), last()].reverse();
      const out = zeros(dtype, before + length);
      [few, block, length, before] = [[], NONE, 0, 0];
      let at = 0;
      for (let each = blocks.pop(); each; each = blocks.pop()) {
        const numbers = each.part(0, each.length);
        out.set(numbers, at);
        at += numbers.length;
        (numbers.buffer as Released).transfer?.(0);
        await pause();
      }
      return out;
    },
  };
}
