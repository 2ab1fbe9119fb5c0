import type { Numbers } from './native.js';

const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get;

/** `Float32Array`, `Int8Array`, …, whatever realm the array is of; undefined for anything else. */
export const typedArrayName = (value: unknown): string | undefined => tagOf?.call(value) as string | undefined;

/** Whether it is one of the arrays that numbers of a training are in. */
export function isNumbers(value: unknown): value is Numbers {
  const name = typedArrayName(value);
  return name === 'Float32Array' || name === 'Float64Array';
}
