import { fileURLToPath } from 'node:url';
import { expected } from './errors.js';

/** Whether a value is a URL, of whatever realm. */
export const isUrl = (value: unknown): value is URL =>
  isObject(value) && Object.prototype.toString.call(value) === '[object URL]';

/** The path that a `file:` URL names; anything else as it is. @throws DlAdmmError ERR_DLADMM_ARGUMENT for another URL */
export function pathOf<T>(value: T): Exclude<T, URL> {
  if (!isUrl(value)) return value as Exclude<T, URL>;
  try {
    return fileURLToPath(value) as Exclude<T, URL>;
  } catch {
    throw expected('a file: URL, or a path (what is elsewhere is fetched first),', 'the file', value.href);
  }
}

/** Whether a value has members that can be asked for by their names. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !isRevoked(value) && !Array.isArray(value);

/** A type whose members may be left out where they may be undefined. */
export type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** An object without the members that are undefined. */
export const present = <T extends object>(object: T): Present<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Present<T>;

/** Whether a value is a proxy that has been revoked: whatever it is asked throws. */
export function isRevoked(value: unknown): boolean {
  try {
    Array.isArray(value);
    return false;
  } catch {
    return true;
  }
}
