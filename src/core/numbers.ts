/** Arrays of the two precisions. Their kinds are asked by `types` of node:util, which knows the arrays of every realm. */
import { types } from 'node:util';
import type { Dtype, Numbers } from './native.js';

/** What the constructor of a typed array is called; undefined for anything else. */
export const arrayKind = (value: unknown): string | undefined =>
  types.isTypedArray(value) ? value[Symbol.toStringTag] : undefined;

export const isNumbers = (value: unknown): value is Numbers =>
  types.isFloat32Array(value) || types.isFloat64Array(value);

export const dtypeOf = (values: Numbers): Dtype => (types.isFloat32Array(values) ? 'float32' : 'float64');

export const zeros = (dtype: Dtype, length: number): Numbers =>
  dtype === 'float32' ? new Float32Array(length) : new Float64Array(length);

/** `values` in that precision: themselves where they have it. */
export function inDtype(values: ArrayLike<number>, dtype: Dtype): Numbers {
  if (isNumbers(values) && dtypeOf(values) === dtype) return values;
  return dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
}

/** Why a whole number of 64 bits is refused. */
export const TOO_WIDE =
  'beyond 2^53, where no double holds every whole number: write the column as doubles if its last digits do not matter, as texts if it names something';

/** The same numbers as an array of the realm that this is: what the addon makes is of the first realm of the process. */
export const ofThisRealm = ({ buffer, byteOffset, length, BYTES_PER_ELEMENT }: Numbers): Numbers =>
  BYTES_PER_ELEMENT === 4 ? new Float32Array(buffer, byteOffset, length) : new Float64Array(buffer, byteOffset, length);

/** `values` in float32 where that holds every one of them exactly. */
export const narrowed = (values: Float64Array): Numbers =>
  values.every((value) => Object.is(Math.fround(value), value)) ? new Float32Array(values) : values;
