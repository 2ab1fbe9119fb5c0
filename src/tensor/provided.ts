import { native } from '../core/native.js';

/** So much is got ready ahead, and at a time. */
const AHEAD = 2 ** 24;
const STEP = 2 ** 22;

export interface Provided {
  /** Says that what comes is written up to that byte. */
  reached(byte: number): void;
  /** Nothing more is asked for: the memory may be given away, at once or then. */
  end(): Promise<void> | undefined;
}

/**
 * Large memory that is written from its beginning on: another thread has the system provide its pages, somewhat ahead. Who writes into pages
 * that are not there yet waits for the system longer than for the writing.
 */
export function provided(memory: ArrayBufferLike): Provided {
  const size = memory.byteLength;
  if (size < AHEAD) return { reached: () => undefined, end: () => undefined };
  const pages = new native.Pages(new Uint8Array(memory));
  let [asked, there] = [0, 0];
  let last: Promise<unknown> = Promise.resolve();
  return {
    reached(byte) {
      for (; asked < Math.min(size, byte + AHEAD); asked += STEP) {
        last = pages.provide(asked, asked + STEP).catch(() => undefined);
        last.then(() => {
          there += STEP;
        });
      }
    },
    end() {
      if (there < asked) return last.then(() => pages.close());
      pages.close();
      return undefined;
    },
  };
}
