/** Shapes of values as a graph computes them: Shape, Gather, Concat and their like, with the number of samples left open. */
import type { Graph } from './graph.js';
import { attributeOf } from './proto.js';
import type { OnnxNode } from './schema.js';

/** How long an axis is: a number, `'n'` for as many as there are samples, or undefined where that is not known. */
export type Extent = number | 'n' | undefined;

/** Numbers that are multiplied; the rest is not known. */
const times = (a: Extent, b: Extent): Extent => {
  if (a === 1) return b;
  if (b === 1) return a;
  return typeof a === 'number' && typeof b === 'number' ? a * b : undefined;
};

export const product = (extents: readonly Extent[]): Extent => extents.reduce(times, 1);

/** Values that are looked at for one shape, and numbers that it may have: nobody writes more. */
const MOST_VALUES = 256;
const MOST_EXTENTS = 64;

/**
 * The whole numbers that a value holds, as far as they are known; undefined where it is no list of them.
 *
 * @param shapes of the values that samples pass through
 */
export function extentsOf(
  graph: Graph,
  name: string,
  shapes: ReadonlyMap<string, readonly Extent[]>,
  budget: { left: number } = { left: MOST_VALUES },
): readonly Extent[] | undefined {
  const known = graph.wholes(name);
  if (known) return known;
  const node = graph.makerOf(name);
  budget.left -= 1;
  if (!node || budget.left < 0) return undefined;
  const of = (index: number): readonly Extent[] | undefined =>
    node.inputs[index] === undefined ? undefined : extentsOf(graph, node.inputs[index], shapes, budget);
  if (node.op === 'Shape') return sliced(shapes.get(node.inputs[0] ?? ''), node);
  const first = of(0);
  switch (node.op) {
    case 'Cast':
    case 'Identity':
    case 'Squeeze':
    case 'Unsqueeze':
      return first;
    case 'Gather':
      return of(1)?.map((at) => (typeof at === 'number' ? first?.at(at) : undefined));
    case 'Slice': {
      const [from, to] = [of(1)?.[0], of(2)?.[0]];
      const step = of(4)?.[0] ?? 1;
      return typeof from === 'number' && typeof to === 'number' && step === 1 ? first?.slice(from, to) : undefined;
    }
    case 'Concat': {
      const parts = node.inputs.map((_, i) => of(i));
      const all = parts.every((part) => part !== undefined) ? parts.flat() : undefined;
      return all && all.length <= MOST_EXTENTS ? all : undefined;
    }
    case 'ReduceProd':
      return first && [product(first)];
    case 'Mul':
      return [times(first?.[0], of(1)?.[0])];
    default:
      return undefined;
  }
}

/** A shape from `start` to `end`, which Shape may be asked for. */
function sliced(shape: readonly Extent[] | undefined, node: OnnxNode): readonly Extent[] | undefined {
  return shape?.slice(attributeOf(node, 'start')?.whole ?? 0, attributeOf(node, 'end')?.whole);
}

/** What a file says of its batch: a number where it was exported for so many samples and no other. */
export type Batch = number | undefined;

/**
 * The shape after a Reshape, where every sample is still one row; undefined where it is not.
 *
 * @param width how many values a sample has, where that is known
 */
export function reshaped(
  asked: readonly Extent[],
  shape: readonly Extent[] | undefined,
  width: number | undefined,
  batch: Batch,
  zeroCopies: boolean,
): readonly Extent[] | undefined {
  const target = asked.map((extent, i) => (extent === 0 && zeroCopies ? (i === 0 ? 'n' : shape?.[i]) : extent));
  const [first, ...rest] = target;
  if (rest.length === 0) return width === 1 && (first === -1 || first === 'n') ? ['n'] : undefined;
  const isOpen = (extent: Extent): boolean => extent === -1 || extent === undefined;
  const open = rest.filter(isOpen);
  const size = product(rest.filter((extent) => !isOpen(extent)));
  if (typeof size !== 'number') return undefined;
  const whole = open.length === 0 ? width === undefined || size === width : width === undefined || width % size === 0;
  if (!whole) return undefined;
  if (first === 'n' || (batch !== undefined && first === batch)) {
    const last = open.length === 1 && width !== undefined ? width / size : undefined;
    return ['n', ...rest.map((extent) => (isOpen(extent) ? last : extent))];
  }
  return (first === -1 || first === undefined) && open.length === 0 ? ['n', ...rest] : undefined;
}
