import type { Dtype, Numbers } from '../core/native.js';
import { zeros } from '../core/numbers.js';
import { pause } from './inputs.js';

const LARGEST_BLOCK = 2 ** 15;

/** Where the platform has it, it gives memory back at once; the collector sees to that later. */
type Released = ArrayBufferLike & { readonly transfer?: (length: number) => unknown };

/**
 * Numbers that come one after the other, in float32 for as long as that holds them exactly; in blocks, as copies into ever larger arrays have
 * the collector go through all that the process holds.
 */
export function growingNumbers() {
  const full: Numbers[] = [];
  let block: Numbers = new Float32Array(16);
  let dtype: Dtype = 'float32';
  let length = 0;
  return {
    push(value: number): void {
      if (length === block.length) {
        full.push(block);
        block = zeros(dtype, Math.min(LARGEST_BLOCK, 2 * length));
        length = 0;
      }
      if (dtype === 'float32' && !Object.is(Math.fround(value), value)) {
        dtype = 'float64';
        block = new Float64Array(block);
      }
      block[length] = value;
      length += 1;
    },
    /** All that came, once: each block is given back as it is copied; the event loop runs in between. */
    async taken(): Promise<Numbers> {
      const blocks = [...full.splice(0), block.subarray(0, length)].reverse();
      const out = zeros(
        dtype,
        blocks.reduce((sum, part) => sum + part.length, 0),
      );
      [block, length] = [new Float32Array(16), 0];
      let at = 0;
      for (let part = blocks.pop(); part; part = blocks.pop()) {
        out.set(part, at);
        at += part.length;
        (part.buffer as Released).transfer?.(0);
        await pause();
      }
      return out;
    },
  };
}
