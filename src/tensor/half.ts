/** The 16-bit floating-point types, which JavaScript has no arrays for, from their bits. */

/** IEEE 754 binary16: a sign, five bits of exponent, ten of fraction. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest of them, to even where two are as near; an infinity from 65,520 on. */
export function toFloat16(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (!(size < 65_520)) return Number.isNaN(value) ? 0x7e00 : sign | 0x7c00;
  scratch.setFloat32(0, size);
  const exponent = Math.max(-14, (scratch.getUint32(0) >>> 23) - 127);
  const steps = size * 2 ** (10 - exponent);
  const rounded = Math.round(steps);
  // The leading one of a normal number counts into the exponent.
  return sign | (((exponent + 14) << 10) + (rounded - steps === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded));
}

const scratch = new DataView(new ArrayBuffer(4));

/** bfloat16: the upper half of a float32. */
export function fromBfloat16(bits: number): number {
  scratch.setUint32(0, bits * 2 ** 16);
  return scratch.getFloat32(0);
}
