import type { Readable } from 'node:stream';
import { DlAdmmError } from './errors.js';
import { isObject } from './objects.js';

/** A signal of any realm. */
export const isAbortSignal = (value: unknown): value is AbortSignal =>
  isObject(value) && Object.prototype.toString.call(value) === '[object AbortSignal]';

const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `then` once the signal is aborted, until the function that is returned has been called. However many wait on a signal,
 * it has one listener of ours: Node takes more than ten for a leak.
 */
export function onAbort(signal: AbortSignal | undefined, then: () => void): () => void {
  if (signal === undefined) return () => undefined;
  const those = waiting.get(signal) ?? new Set();
  if (those.size === 0) {
    waiting.set(signal, those);
    signal.addEventListener('abort', tell, { once: true });
  }
  // A function of its own, as somebody may ask twice with the same one.
  const one = (): void => then();
  those.add(one);
  return () => {
    if (!those.delete(one) || those.size > 0) return;
    waiting.delete(signal);
    signal.removeEventListener('abort', tell);
  };
}

function tell(this: AbortSignal): void {
  const those = waiting.get(this);
  waiting.delete(this);
  for (const one of those ?? []) one();
}

/** @throws DlAdmmError ERR_DLADMM_ABORTED, with the signal's reason as its cause */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new DlAdmmError('ERR_DLADMM_ABORTED', `${what} was aborted`, { cause: signal.reason });
}

/**
 * What had been reached when the signal was aborted. What had not (`missing`) says so to whoever asks for it, and to nobody who only looks
 * at the others.
 *
 * @throws DlAdmmError the properties throw ERR_DLADMM_ABORTED, with the signal's reason as its cause
 */
export function reached<T extends object, K extends string>(
  signal: AbortSignal | undefined,
  what: T,
  missing: readonly K[],
): T & { readonly [_ in K]: never } {
  const property = (name: K): PropertyDescriptor => ({
    get() {
      const text = `The signal was aborted before there was a ${name}`;
      throw new DlAdmmError('ERR_DLADMM_ABORTED', text, { cause: signal?.reason });
    },
  });
  return Object.defineProperties(what, Object.fromEntries(missing.map((name) => [name, property(name)]))) as never;
}

/**
 * A stream that ends with an error once the signal is aborted, however long its next item takes: a source that never answers must not keep
 * work that nobody wants any more. It is told so (`return`, `destroy`), and not waited for.
 *
 * @param said what the error says
 * @throws DlAdmmError its items throw ERR_DLADMM_ABORTED, with the signal's reason as its cause
 */
export const untilAborted = <T>(
  stream: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal | undefined,
  said: () => string,
): AsyncIterable<T> => ({
  [Symbol.asyncIterator]() {
    const items = Symbol.asyncIterator in stream ? stream[Symbol.asyncIterator]() : itemsOf(stream);
    let refuse = (): void => undefined;
    const forget = onAbort(signal, () => {
      refuse();
      (stream as Partial<Readable>).destroy?.();
      close();
    });
    const close = (): void => {
      forget();
      Promise.resolve(items.return?.()).catch(() => undefined);
    };
    const next = (): Promise<IteratorResult<T>> =>
      new Promise((resolve, reject) => {
        refuse = () => reject(new DlAdmmError('ERR_DLADMM_ABORTED', said(), { cause: signal?.reason }));
        if (signal?.aborted) return refuse();
        const ended = (found: IteratorResult<T>): void => {
          if (found.done) forget();
          resolve(found);
        };
        Promise.resolve(items.next()).then(ended, (error: unknown) => {
          forget();
          reject(error);
        });
      });
    return {
      next,
      async return() {
        close();
        return { done: true, value: undefined };
      },
    };
  },
});

async function* itemsOf<T>(stream: Iterable<T>): AsyncGenerator<T> {
  yield* stream;
}

/** What `work` gives; undefined where the signal was aborted before, or while it waited: what it holds is given back then. */
export async function unlessAborted<T>(
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T | undefined> {
  if (signal?.aborted) return undefined;
  try {
    const found = await work();
    if (!signal?.aborted) return found;
    (found as Partial<Disposable> | undefined)?.[Symbol.dispose]?.();
    return undefined;
  } catch (error) {
    if (signal?.aborted && error instanceof DlAdmmError && error.code === 'ERR_DLADMM_ABORTED') return undefined;
    throw error;
  }
}
