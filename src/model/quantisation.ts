/** Weights that lie on a grid of a few bits, and the whole numbers that stand for them. */
import { checkKeys, checkObject, oneOf, whole } from '../core/checks.js';
import { expected } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
import { arrayKind, zeros } from '../core/numbers.js';
import { isArray } from '../tensor/inputs.js';

/** The largest codes, of either sign, of four bits. */
const [FEW, POWERS] = [7, 2 ** 6];

const nearestWhole = (most: number) => (x: number) => Math.max(-most, Math.min(most, Math.round(x)));

/** The nearest of 0 and ±1, 2, 4, … 64. */
function nearestPower(x: number): number {
  const size = Math.abs(x);
  if (size < 0.5) return 0;
  // 2^k lies between .75 and 1.5 of itself.
  return Math.sign(x) * 2 ** Math.max(0, Math.min(6, Math.floor(Math.log2(size / 0.75))));
}

interface GridKind {
  readonly bits: 4 | 8;
  readonly most: number;
  /** The nearest code of w / scale. */
  readonly nearest: (x: number) => number;
  /** Of four bits what each of them stands for; that of 8 is none. */
  readonly codes?: readonly number[];
}

/** Codes of four bits: 0 and those above it, then those below it. */
const bothSigns = (above: readonly number[], below: readonly number[]) => [0, ...above, Number.NaN, ...below];
const powers = Array.from({ length: 7 }, (_, k) => 2 ** k);
const few = Array.from({ length: FEW }, (_, k) => k + 1);

/** Weights are scale · code, with a scale a neuron: −127 … 127, −7 … 7, or 0 and ±1, 2, 4, … 64, where the scale is a power of two too. */
export const GRIDS = {
  int8: { bits: 8, most: 127, nearest: nearestWhole(127) },
  int4: { bits: 4, most: FEW, nearest: nearestWhole(FEW), codes: bothSigns(few, few.map((k) => -k).reverse()) },
  'powers-of-two': {
    bits: 4,
    most: POWERS,
    nearest: nearestPower,
    codes: bothSigns(
      powers,
      powers.map((k) => -k),
    ),
  },
} as const satisfies Readonly<Record<string, GridKind>>;

/** What weights may be. */
export type Grid = keyof typeof GRIDS;
export const GRID_NAMES = Object.keys(GRIDS) as readonly Grid[];
export const gridOf = (grid: Grid): GridKind => GRIDS[grid];

/** What the inputs of a layer are rounded to: scale · (code − zero), the codes 0 … 127. */
export interface InputGrid {
  readonly scale: number;
  /** The code of 0. */
  readonly zero: number;
}

/** How a model is quantised: W_jk of layer l is scales[l − 1][j] times a code of the grid, in the model's dtype. */
export interface Quantisation {
  readonly grid: Grid;
  readonly scales: readonly Float32Array[];
  /** Of each layer's inputs: there where predictions are made of sums of whole numbers. */
  readonly activations?: readonly InputGrid[];
}

/** Products of so many codes add up within 32 bits. */
export const MOST_INPUTS: number = 2 ** 17;

interface Quantised {
  readonly network: { readonly layers: readonly number[] };
  readonly dtype: Dtype;
  readonly weights: readonly Numbers[];
}

/** scale · code of every weight. */
export function dequantised(codes: Int8Array, scales: Float32Array, dtype: Dtype): Numbers {
  const inputs = codes.length / scales.length;
  const out = zeros(dtype, codes.length);
  for (let i = 0; i < codes.length; i += 1) out[i] = (codes[i] as number) * (scales[Math.floor(i / inputs)] as number);
  return out;
}

/** The codes of weights that lie on the grid. */
export function codesOf(weights: Numbers, scales: Float32Array): Int8Array {
  const inputs = weights.length / scales.length;
  return Int8Array.from(weights as Float64Array, (w, i) => Math.round(w / (scales[Math.floor(i / inputs)] as number)));
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for another grid */
export function checkGrid(quantisation: unknown): Grid {
  checkObject(quantisation, '{ grid, scales }', 'quantisation');
  checkKeys(quantisation, ['grid', 'scales', 'activations'], 'quantisation');
  return oneOf((quantisation as Partial<Quantisation>).grid, GRID_NAMES, 'quantisation.grid');
}

const isScale = (scale: unknown): scale is number =>
  typeof scale === 'number' && Math.fround(scale) > 0 && Number.isFinite(Math.fround(scale));

/**
 * That every weight lies on the grid.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_RANGE
 */
export function checkQuantisation(quantisation: unknown, { network: { layers }, dtype, weights }: Quantised): void {
  const grid = checkGrid(quantisation);
  const { most, nearest } = gridOf(grid);
  const { scales, activations } = quantisation as Partial<Record<keyof Quantisation, unknown>>;
  const depth = layers.length - 1;
  if (!isArray(scales) || scales.length !== depth)
    throw expected(`${depth} Float32Arrays, one a layer,`, 'quantisation.scales', scales, 'ERR_DLADMM_SHAPE');
  for (const [l, own] of scales.entries()) {
    const name = `quantisation.scales[${l}]`;
    if (arrayKind(own) !== 'Float32Array') throw expected('a Float32Array', name, own);
    const of = own as Float32Array;
    if (of.length !== layers[l + 1]) throw expected(`${layers[l + 1]} scales`, name, of.length, 'ERR_DLADMM_SHAPE');
    const odd = of.find((scale) => !isScale(scale) || !Number.isFinite(Math.fround(scale * most)));
    if (odd !== undefined) throw expected('positive numbers', name, odd, 'ERR_DLADMM_RANGE');
    const values = weights[l] as Numbers;
    const codes = codesOf(values, of);
    const there = dequantised(codes, of, dtype);
    const at = codes.findIndex((code, i) => nearest(code) !== code || there[i] !== values[i]);
    if (at >= 0) {
      const what = `${of[Math.floor(at / (layers[l] as number))]} times a number of the grid ${grid}`;
      throw expected(what, `weights[${l}][${at}]`, values[at], 'ERR_DLADMM_RANGE');
    }
  }
  if (activations === undefined) return;
  if (!isArray(activations) || activations.length !== depth) {
    throw expected(`${depth} of { scale, zero }`, 'quantisation.activations', activations, 'ERR_DLADMM_SHAPE');
  }
  for (const [l, own] of activations.entries()) {
    const name = `quantisation.activations[${l}]`;
    checkObject(own, '{ scale, zero }', name);
    checkKeys(own, ['scale', 'zero'], name);
    const { scale, zero } = own as Partial<InputGrid>;
    if (!isScale(scale)) throw expected('a positive number', `${name}.scale`, scale, 'ERR_DLADMM_RANGE');
    whole(zero, 0, 127, `${name}.zero`);
  }
  const wide = layers.slice(0, -1).find((width) => width > MOST_INPUTS);
  if (wide !== undefined)
    throw expected(`layers of at most ${MOST_INPUTS} inputs`, 'quantisation.activations', wide, 'ERR_DLADMM_RANGE');
}

/** How many bytes a row of codes has. */
export const packedWidth = (grid: Grid, inputs: number): number => Math.ceil((inputs * gridOf(grid).bits) / 8);

/** Codes as a file has them: of eight bits as they are, of four two a byte, the first in its lower half, each row by itself. */
export function packed(grid: Grid, codes: Int8Array, inputs: number): Int8Array | Uint8Array {
  const table = gridOf(grid).codes;
  if (table === undefined) return codes;
  const width = packedWidth(grid, inputs);
  const out = new Uint8Array((codes.length / inputs) * width);
  const places = new Map(table.map((code, place) => [code, place]));
  for (const [i, code] of codes.entries()) {
    const [row, k] = [Math.floor(i / inputs), i % inputs];
    const at = row * width + (k >> 1);
    out[at] = (out[at] as number) | ((places.get(code) as number) << (4 * (k & 1)));
  }
  return out;
}

/** The codes that {@link packed} was given; undefined where it can have been given none such. */
export function unpacked(grid: Grid, bytes: Int8Array | Uint8Array, inputs: number): Int8Array | undefined {
  const table = gridOf(grid).codes;
  if (table === undefined) return bytes.includes(-128) ? undefined : (bytes as Int8Array);
  const width = packedWidth(grid, inputs);
  const out = new Int8Array((bytes.length / width) * inputs);
  for (const [at, byte] of bytes.entries()) {
    const [row, k] = [Math.floor(at / width), 2 * (at % width)];
    const [first, second] = [table[byte & 15] as number, table[(byte >> 4) & 15] as number];
    if (Number.isNaN(first + second) || (k + 1 === inputs && second !== 0)) return undefined;
    out[row * inputs + k] = first;
    if (k + 1 < inputs) out[row * inputs + k + 1] = second;
  }
  return out;
}

export const quantisationText = ({ grid, activations }: Quantisation): string =>
  `weights of ${grid}${activations ? ', and what comes into each layer of int8' : ''}`;

/** Bytes of the parameters in a file. */
export const bytesOf = (model: {
  readonly dtype: Dtype;
  readonly network: { readonly layers: readonly number[] };
  readonly quantisation?: Quantisation;
}): number => {
  const { dtype, network, quantisation } = model;
  const size = dtype === 'float32' ? 4 : 8;
  return network.layers.slice(1).reduce((sum, outputs, l) => {
    const inputs = network.layers[l] as number;
    const row = quantisation ? packedWidth(quantisation.grid, inputs) + 4 : inputs * size;
    return sum + outputs * (row + size);
  }, 0);
};
