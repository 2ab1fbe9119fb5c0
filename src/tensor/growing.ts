import { AsyncLocalStorage } from 'node:async_hooks';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Dtype, Numbers } from '../core/native.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import { pause } from './inputs.js';
import { provided } from './provided.js';

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

type Transferable = ArrayBuffer & { readonly transfer?: (length: number) => unknown };
let closed: MessagePort | undefined;

/** Gives memory back at once, which the collector would do later: Node 20 by a port that is closed, which takes it and drops it. */
function giveBack(memory: ArrayBufferLike): void {
  const { transfer } = memory as Transferable;
  if (transfer) return void transfer.call(memory, 0);
  if (closed === undefined) {
    closed = new MessageChannel().port1;
    closed.close();
  }
  closed.postMessage(undefined, [memory as ArrayBuffer]);
}

/** Memory for numbers. */
interface Room {
  readonly numbers: Numbers;
  /** Nobody asks for them any more. */
  release(): void;
}

const NONE: Room = { numbers: new Float32Array(0), release: () => undefined };

/** Room by room. */
const alone: Slabs = {
  room(dtype, length) {
    const numbers = zeros(dtype, length);
    return { numbers, release: () => giveBack(numbers.buffer) };
  },
};

/** An allocator keeps what is smaller than 32 MiB for what comes, of which a large array is none. */
const LARGEST_SLAB = 2 ** 26;
const FIRST_SLAB = 2 ** 16;

export interface Slabs {
  room(dtype: Dtype, length: number): Room;
}

/** Memory for what grows side by side and is released from its beginning on: it goes back to the system, a slab at a time. */
export function slabs(): Slabs {
  const slabOf = (size: number) => {
    const memory = new ArrayBuffer(size);
    return { memory, pages: provided(memory), used: 0, open: 1 };
  };
  let slab = slabOf(FIRST_SLAB);
  const close = (one: typeof slab): void => {
    one.open -= 1;
    if (one.open > 0) return;
    const provided = one.pages.end();
    if (provided) provided.then(() => giveBack(one.memory));
    else giveBack(one.memory);
  };
  return {
    room(dtype, length) {
      const bytes = 8 * Math.ceil((length * (dtype === 'float32' ? 4 : 8)) / 8);
      if (slab.used + bytes > slab.memory.byteLength) {
        close(slab);
        slab = slabOf(Math.max(bytes, Math.min(LARGEST_SLAB, 2 * slab.memory.byteLength)));
      }
      const mine = slab;
      const numbers = new (dtype === 'float32' ? Float32Array : Float64Array)(mine.memory, mine.used, length);
      mine.used += bytes;
      mine.open += 1;
      mine.pages.reached(mine.used);
      return { numbers, release: () => close(mine) };
    },
  };
}

interface Block {
  readonly length: number;
  /** Some of its numbers: of a block in memory as they stand there. */
  part(first: number, count: number): Numbers;
  release(): void;
}

const inMemory = ({ numbers, release }: Room, length = numbers.length): Block => ({
  length,
  part: (first, count) => numbers.subarray(first, Math.min(length, first + count)),
  release,
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
    release() {},
  };
}

/**
 * Numbers that come one after the other, in float32 for as long as that holds them exactly; in blocks, as copies into ever larger arrays have
 * the collector go through all that the process holds.
 *
 * @param memory where the blocks come from
 */
export function growingNumbers(memory: Slabs = alone) {
  const file = files.getStore();
  const full: Block[] = [];
  /** Where each of these begins. */
  const begins: number[] = [];
  let few: number[] | undefined = [];
  let room = NONE;
  let block = room.numbers;
  let dtype: Dtype = 'float32';
  let [length, before] = [0, 0];
  /** The block that was asked for last, and the first that has not been released. */
  let [near, kept] = [0, 0];
  const keep = (whole: Block): void => {
    full.push(whole);
    begins.push(before);
    before += whole.length;
  };
  const take = (count: number): void => {
    room = memory.room(dtype, count);
    block = room.numbers;
  };
  const last = (): Block => {
    if (few === undefined) return inMemory(room, length);
    const first = memory.room(dtype, few.length);
    first.numbers.set(few);
    return inMemory(first);
  };
  /** Makes room in the block for one more at least. */
  const open = (): void => {
    if (length < block.length) return;
    const whole = file && length === LARGEST_BLOCK;
    keep(whole ? inFile(block, file) : inMemory(room));
    if (!whole || dtypeOf(block) !== dtype) take(Math.min(LARGEST_BLOCK, 2 * length));
    length = 0;
  };
  const push = (value: number): void => {
    if (few) {
      if (!Object.is(Math.fround(value), value)) dtype = 'float64';
      if (few.length < FEW) {
        few.push(value);
        return;
      }
      keep(last());
      few = undefined;
      take(FEW);
    }
    open();
    if (dtype === 'float32' && !Object.is(Math.fround(value), value)) {
      dtype = 'float64';
      const narrow = room;
      take(block.length);
      block.set(narrow.numbers);
      narrow.release();
    }
    block[length] = value;
    length += 1;
  };
  return {
    /** Where they are kept, if not in memory. */
    file,
    get length(): number {
      return before + (few?.length ?? length);
    },
    push,
    /** As many, of which `wide` says whether float32 holds not all. */
    pushAll(values: Float64Array, wide: boolean): void {
      let at = 0;
      while (at < values.length && (few || (wide && dtype === 'float32'))) {
        push(values[at] as number);
        at += 1;
      }
      while (at < values.length) {
        open();
        const count = Math.min(block.length - length, values.length - at);
        block.set(values.subarray(at, at + count), length);
        length += count;
        at += count;
      }
    },
    /** Some of them, to be read: as they stand where they stand together, else a copy. */
    part(first: number, count: number): Numbers {
      if ((begins[near] ?? before) > first) near = 0;
      while ((begins[near + 1] ?? (near < full.length ? before : Number.POSITIVE_INFINITY)) <= first) near += 1;
      const some = (each: number, from: number, most: number): Numbers => {
        const found = full[each] ?? last();
        const begin = begins[each] ?? before;
        return found.part(from - begin, Math.min(most, begin + found.length - from));
      };
      const together = some(near, first, count);
      if (together.length === count && dtypeOf(together) === dtype) return together;
      const out = zeros(dtype, count);
      out.set(together);
      for (let [at, each] = [together.length, near + 1]; at < count && each <= full.length; each += 1) {
        const next = some(each, first + at, count - at);
        out.set(next, at);
        at += next.length;
      }
      return out;
    },
    /** Says that those before that one are not asked for again. */
    release(first: number): void {
      for (; kept < full.length && (begins[kept + 1] ?? before) <= first; kept += 1) full[kept]?.release();
    },
    /** All that came, once, in what `make` makes: each block is given back as it is copied; the event loop runs in between. */
    async taken<T extends Numbers | Int32Array = Numbers>(
      make: (length: number) => T = (length) => zeros(dtype, length) as T,
    ): Promise<T> {
      const blocks = [...full.splice(0), last()].reverse();
      const out = make(before + (few?.length ?? length));
      [few, room, length, before] = [[], NONE, 0, 0];
      let at = 0;
      for (let each = blocks.pop(); each; each = blocks.pop()) {
        out.set(each.part(0, each.length), at);
        at += each.length;
        each.release();
        await pause();
      }
      return out;
    },
  };
}
