/** What in an ONNX graph does not depend on its input: tensors, forms of them, and small sums of them. */
import type { Numbers } from '../../core/native.js';
import { dtypeOf, zeros } from '../../core/numbers.js';
import { attributeOf, numbersOf, type OnnxModel, type OnnxTensor, sizeOf, tensorIn, wholesIn } from './proto.js';
import { DATA_TYPE, type OnnxNode } from './schema.js';

/** A tensor that does not depend on the input. */
export interface Constant {
  /** The initializer or node that it comes from. */
  readonly origin: string;
  readonly shape: readonly number[];
  readonly stored: OnnxTensor | Numbers;
  /** Whether rows and columns are to be swapped; `shape` is the shape after that. */
  readonly transposed: boolean;
}

const isTensor = (stored: Constant['stored']): stored is OnnxTensor => 'dims' in stored;

/** columns × rows, from rows × columns. */
export function swapped(values: Numbers, rows: number, columns: number): Numbers {
  const out = values.slice();
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) out[j * rows + i] = values[i * columns + j] as number;
  }
  return out;
}

/** @throws DlAdmmError ERR_DLADMM_FORMAT */
export function valuesOf({ stored, shape, transposed }: Constant, file: string): Numbers {
  const values = isTensor(stored) ? numbersOf(stored, file) : stored;
  const [columns = 1, rows = 1] = shape;
  return transposed ? swapped(values, rows, columns) : values;
}

/** Whole numbers, such as a shape; undefined for what is none. */
export function wholesOf({ stored }: Constant, file: string): readonly number[] | undefined {
  const whole: readonly (number | undefined)[] = [DATA_TYPE.int64, DATA_TYPE.int32, DATA_TYPE.bool];
  return isTensor(stored) && whole.includes(stored.type) ? wholesIn(stored, file) : undefined;
}

const BINARY: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
};
const UNARY: Readonly<Record<string, (a: number) => number>> = {
  Neg: (a) => -a,
  Sqrt: Math.sqrt,
  Exp: Math.exp,
  Reciprocal: (a) => 1 / a,
};

/** Numbers that are computed at most: a file of nothing but sums of one large tensor must not take minutes. */
const MOST_COMPUTED = 2 ** 24;

const isFloat = ({ stored }: Constant): boolean => !isTensor(stored) || !wholeType(stored.type);
const wholeType = (type: number | undefined): boolean =>
  type === DATA_TYPE.int64 || type === DATA_TYPE.int32 || type === DATA_TYPE.int8 || type === DATA_TYPE.uint8;

/** Where an entry of the larger tensor has its partner in the smaller, by the rules of broadcasting; undefined where they do not fit. */
export function partner(shape: readonly number[], of: readonly number[]): ((index: number) => number) | undefined {
  const skip = shape.length - of.length;
  if (skip < 0 || of.some((extent, k) => extent !== 1 && extent !== shape[skip + k])) return undefined;
  return (index) => {
    let [rest, at, stride] = [index, 0, 1];
    for (let k = shape.length - 1; k >= skip; k -= 1) {
      const extent = shape[k] as number;
      const own = of[k - skip] as number;
      if (own !== 1) at += (rest % extent) * stride;
      stride *= own;
      rest = Math.floor(rest / extent);
    }
    return at;
  };
}

function combined(a: Constant, b: Constant, op: (a: number, b: number) => number, file: string): Constant | undefined {
  const [x, y] = [valuesOf(a, file), valuesOf(b, file)];
  const shape =
    a.shape.length > b.shape.length || (a.shape.length === b.shape.length && x.length >= y.length) ? a.shape : b.shape;
  const [atX, atY] = [partner(shape, a.shape), partner(shape, b.shape)];
  if (!atX || !atY) return undefined;
  const wide = dtypeOf(x) === 'float64' || dtypeOf(y) === 'float64';
  const stored = zeros(wide ? 'float64' : 'float32', sizeOf(shape)).map((_: number, i: number) =>
    op(x[atX(i)] as number, y[atY(i)] as number),
  ) as Numbers;
  return { origin: '', shape, stored, transposed: false };
}

/** scale · (code − zero), with one of each for all, or one for each of the first axis. */
function dequantised([codes, scale, zero]: readonly (Constant | undefined)[], file: string): Constant | undefined {
  if (!codes || !scale || !isTensor(codes.stored) || codes.transposed) return undefined;
  const [whole, by] = [wholesIn(codes.stored, file), valuesOf(scale, file)];
  const none = zero && isTensor(zero.stored) ? wholesIn(zero.stored, file) : [0];
  const row = whole.length / by.length;
  if (whole.length !== sizeOf(codes.shape) || (by.length !== 1 && by.length !== codes.shape[0])) return undefined;
  const stored = Float32Array.from(whole, (code, i) => {
    const j = Math.floor(i / row);
    return (by[j] as number) * (code - (none[none.length === 1 ? 0 : j] ?? 0));
  });
  return { origin: '', shape: codes.shape, stored, transposed: false };
}

/** What a node makes of constants; undefined where it is not known to make one. */
function made(node: OnnxNode, inputs: readonly (Constant | undefined)[], file: string): Constant | undefined {
  const [first, second] = inputs;
  if (node.op === 'Constant') return given(node, file);
  if (!first) return undefined;
  if (node.op === 'DequantizeLinear')
    return (attributeOf(node, 'axis')?.whole ?? 1) === 0 || sizeOf(second?.shape ?? []) === 1
      ? dequantised(inputs, file)
      : undefined;
  if (node.op === 'Identity' || (node.op === 'Cast' && isFloat(first))) return first;
  if (node.op === 'Transpose' && first.shape.length === 2) {
    const order = attributeOf(node, 'perm')?.wholes ?? [];
    const swaps = order.length === 0 || order.join() === '1,0';
    const shape = swaps ? first.shape.toReversed() : first.shape;
    return { ...first, shape, transposed: swaps !== first.transposed };
  }
  if (!isFloat(first) || first.transposed) return undefined;
  const unary = UNARY[node.op];
  if (unary && inputs.length === 1)
    return { ...first, origin: '', stored: valuesOf(first, file).map(unary) as Numbers };
  const binary = BINARY[node.op];
  if (binary && second && isFloat(second) && !second.transposed) return combined(first, second, binary, file);
  const shape = reshaped(node, first, second, file);
  return shape && sizeOf(shape) === sizeOf(first.shape) ? { ...first, shape } : undefined;
}

/** The shape that a node gives to a constant. */
function reshaped(
  node: OnnxNode,
  { shape }: Constant,
  second: Constant | undefined,
  file: string,
): readonly number[] | undefined {
  const wholes = second ? wholesOf(second, file) : attributeOf(node, node.op === 'Reshape' ? 'shape' : 'axes')?.wholes;
  if (node.op === 'Reshape' && wholes) {
    const asked = wholes.map((extent, i) => (extent === 0 ? (shape[i] ?? 0) : extent));
    const known = asked.filter((extent) => extent !== -1).reduce((size, extent) => size * extent, 1);
    return asked.map((extent) => (extent === -1 ? sizeOf(shape) / known : extent));
  }
  if (node.op === 'Squeeze') {
    const axes = wholes?.map((axis) => (axis < 0 ? axis + shape.length : axis));
    return shape.filter((extent, i) => (axes ? !axes.includes(i) : extent !== 1));
  }
  if (node.op === 'Unsqueeze' && wholes) {
    const rank = shape.length + wholes.length;
    const axes = wholes.map((axis) => (axis < 0 ? axis + rank : axis));
    const rest = [...shape];
    return Array.from({ length: Math.min(rank, 16) }, (_, i) => (axes.includes(i) ? 1 : (rest.shift() ?? 1)));
  }
  return undefined;
}

function given(node: OnnxNode, file: string): Constant | undefined {
  const tensor = tensorIn(node, 'value', file);
  if (tensor) return { origin: '', shape: tensor.dims, stored: tensor, transposed: false };
  const float = attributeOf(node, 'value_float')?.float;
  if (float !== undefined) return { origin: '', shape: [], stored: Float32Array.of(float), transposed: false };
  return undefined;
}

/** Initializers, constants, and what is made of them. */
export function constantsOf({ initializers, nodes }: OnnxModel, file: string): ReadonlyMap<string, Constant> {
  const constants = new Map<string, Constant>();
  for (const [name, stored] of initializers)
    constants.set(name, { origin: name, shape: stored.dims, stored, transposed: false });
  let left = MOST_COMPUTED;
  for (const node of nodes) {
    const [output] = node.outputs;
    const inputs = node.inputs.map((name) => constants.get(name));
    if (output === undefined || (node.op !== 'Constant' && !inputs.every((input) => input !== undefined))) continue;
    if (Object.hasOwn(BINARY, node.op) || Object.hasOwn(UNARY, node.op) || node.op === 'DequantizeLinear') {
      left -= Math.max(1, ...inputs.map((input) => sizeOf(input?.shape ?? [])));
      if (!(left >= 0)) continue;
    }
    const constant = made(node, inputs, file);
    if (constant) constants.set(output, constant.origin === '' ? { ...constant, origin: output } : constant);
  }
  return constants;
}
