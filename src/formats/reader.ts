import { getSystemErrorMap, types } from 'node:util';
import { DlAdmmError, expected, messageOf, systemCode } from '../core/errors.js';
import { fromNative } from '../core/native.js';
import { pathOf } from '../core/objects.js';
import { fileError } from './atomic-file.js';
import { readBytes } from './bytes.js';
import { edgesOf, kindOf, type Own } from './kinds.js';

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

/** An error of native code, which has the number of a system's error as it is, or of Node, which has it negated. */
export function failedFile(action: 'read' | 'write', path: string, error: unknown): unknown {
  const number = typeof error === 'object' && error !== null && 'errno' in error ? error.errno : undefined;
  const code = typeof number === 'number' ? getSystemErrorMap().get(-Math.abs(number))?.[0] : undefined;
  if (code === undefined) return action === 'read' ? readingError(path, error) : fromNative(error);
  return fileError(action, path, Object.assign(new Error(messageOf(error), { cause: error }), { code }));
}

const made = new WeakSet<object>();

/** Whether a function was made by {@link reader}. */
export const isReader = (value: object): boolean => made.has(value);

/** Errors that say already what their file is, or of whose file it has been seen that it is of the right kind. */
const told = new WeakSet<DlAdmmError>();

/** The same error, or one that says that the file is of another kind, where its content does. */
function ofKind(error: DlAdmmError, bytes: Uint8Array, own: readonly Own[], name: string): DlAdmmError {
  const kind = kindOf(bytes, own);
  const answer = kind ? new DlAdmmError('ERR_DLADMM_FORMAT', `${name} is ${kind}`, { cause: error }) : error;
  told.add(answer);
  return answer;
}

/** Arguments of which a path may also be said by a `file:` URL. */
type Located<A extends readonly unknown[]> = { [I in keyof A]: string extends A[I] ? A[I] | URL : A[I] };

/**
 * A reader of what comes from outside, which throws (or rejects with) DlAdmmErrors only, whatever `read` makes of a file that
 * nobody foresaw. Every face that takes a file or its bytes is made by it; the first text among its arguments is what errors
 * call the file. Where the file is of another kind than `own`, by its first bytes, the error says so.
 */
export function reader<A extends readonly unknown[], R>(
  read: (...args: A) => R,
  ...own: readonly Own[]
): (...args: Located<A>) => R {
  const nameOf = (args: A): string | undefined => args.find((given) => typeof given === 'string') as string | undefined;
  const failed = (args: A, error: unknown): DlAdmmError => {
    const name = nameOf(args) ?? 'the file';
    const found = readingError(name, error);
    const bytes = args.find((given) => types.isUint8Array(given)) as Uint8Array | undefined;
    return bytes?.length && isOdd(found) ? ofKind(found, bytes, own, name) : found;
  };
  const rejected = async (args: A, error: unknown): Promise<never> => {
    const found = failed(args, error);
    const path = nameOf(args);
    const edges = path !== undefined && isOdd(found) ? await edgesOf(path) : undefined;
    throw edges && path !== undefined ? ofKind(found, edges, own, path) : found;
  };
  const face = (...given: Located<A>): R => {
    let args = given as unknown as A;
    try {
      args = given.map(pathOf) as unknown as A;
      const found = read(...args);
      return types.isPromise(found) ? (found.catch((error: unknown) => rejected(args, error)) as R) : found;
    } catch (error) {
      throw failed(args, error);
    }
  };
  made.add(face);
  return face;
}

/** A reader of a file's content. @throws DlAdmmError ERR_DLADMM_ARGUMENT beside, for what is no bytes: nothing of that kind is a damaged file */
export const bytesReader = <A extends readonly unknown[], R>(
  read: (bytes: Uint8Array, ...args: A) => R,
  ...own: readonly Own[]
) =>
  reader(
    (bytes: Uint8Array, ...args: A): R => {
      if (types.isUint8Array(bytes)) return read(bytes, ...args);
      const what = `the bytes of a file, a Uint8Array${types.isAnyArrayBuffer(bytes) ? ' (new Uint8Array(buffer) is one)' : ''},`;
      throw expected(what, 'bytes', bytes);
    },
    ...own,
  );

/** The reader of a file, or of a pipe, by that of its content; `check` refuses options before anything is read. */
export const fileReader = <O extends { readonly signal?: AbortSignal }, R>(
  parse: (bytes: Uint8Array, path: string, options?: O) => Promise<R>,
  check: (options: O) => void,
  ...own: readonly Own[]
): ((path: string, options?: O) => Promise<R>) =>
  reader(
    async (path: string, options?: O) => {
      if (options !== undefined) check(options);
      return parse(await readBytes(path, options?.signal), path, options);
    },
    ...own,
  );

const isOdd = (error: DlAdmmError): boolean => error.code === 'ERR_DLADMM_FORMAT' && !told.has(error);
