import { DlAdmmError } from './errors.js';

/** A signal of any realm. */
export const isAbortSignal = (value: unknown): value is AbortSignal =>
  Object.prototype.toString.call(value) === '[object AbortSignal]';

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

/** What `work` gives; undefined where the signal was aborted before, or while it waited. */
export async function unlessAborted<T>(
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T | undefined> {
  if (signal?.aborted) return undefined;
  try {
    const found = await work();
    return signal?.aborted ? undefined : found;
  } catch (error) {
    if (signal?.aborted && error instanceof DlAdmmError && error.code === 'ERR_DLADMM_ABORTED') return undefined;
    throw error;
  }
}
