import { types } from 'node:util';
import { DlAdmmError, messageOf, systemCode } from '../core/errors.js';
import { fromNative } from '../core/native.js';
import { fileError } from './atomic-file.js';

/** What went wrong while `name` was read, as an error of ours: all that is not one yet comes of what the file says. */
export function readingError(name: string, error: unknown): DlAdmmError {
  const own = fromNative(error);
  if (own instanceof DlAdmmError) return own;
  const message = messageOf(error);
  const code = systemCode(error);
  if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) return fileError('read', name, error);
  // V8 has one class for a stack that is full and for an array that is too long.
  if (/allocation|Invalid (?:typed )?(?:array|string) length|larger than/i.test(message))
    return new DlAdmmError('ERR_DLADMM_MEMORY', `${name} does not fit into memory: ${message}`, { cause: error });
  return new DlAdmmError('ERR_DLADMM_FORMAT', `${name} cannot be read, it may be damaged: ${message}`, {
    cause: error,
  });
}

const made = new WeakSet<object>();

/** Whether a function was made by {@link reader}. */
export const isReader = (value: object): boolean => made.has(value);

/**
 * A reader of what comes from outside, which throws (or rejects with) DlAdmmErrors only, whatever `read` makes of a file that
 * nobody foresaw. Every face that takes a file or its bytes is made by it; the first text among its arguments is what errors
 * call the file.
 */
export function reader<A extends readonly unknown[], R>(read: (...args: A) => R): (...args: A) => R {
  const failed = (args: A, error: unknown): never => {
    throw readingError((args.find((given) => typeof given === 'string') as string | undefined) ?? 'the file', error);
  };
  const face = (...args: A): R => {
    try {
      const found = read(...args);
      return types.isPromise(found) ? (found.catch((error: unknown) => failed(args, error)) as R) : found;
    } catch (error) {
      return failed(args, error);
    }
  };
  made.add(face);
  return face;
}
