import { onAbort } from '../core/abort.js';

/**
 * Does tasks, so many at once, in their order. Where one fails, the signal that all of them were given is aborted, and the first
 * error is thrown once all have ended.
 */
export async function inParallel(
  width: number,
  signal: AbortSignal | undefined,
  tasksFor: (signal: AbortSignal) => Iterable<() => Promise<void>>,
): Promise<void> {
  const ending = new AbortController();
  const forget = onAbort(signal, () => ending.abort(signal?.reason));
  if (signal?.aborted) ending.abort(signal.reason);
  const failures: unknown[] = [];
  // Every worker takes the next task of the same iterator.
  const tasks = tasksFor(ending.signal)[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = tasks.next(); !next.done && failures.length === 0; next = tasks.next()) {
      try {
        await next.value();
      } catch (error) {
        failures.push(error);
        ending.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  forget();
  if (failures.length > 0) throw failures[0];
}
