/**
 * What is done to every value by itself with constants: factor · x + shift, feature by feature. Before the first layer that is a
 * scaling of features; between layers (a batch normalisation, say) it goes into the weights of one of them.
 */
import { partner } from './constants.js';
import type { Extent } from './extents.js';
import { floatAttribute, type Graph, nameOf, wholeAttribute } from './graph.js';
import { floatsIn } from './proto.js';
import type { OnnxNode } from './schema.js';

/** Numbers that are spread over the features as their shape says. */
interface Spread {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** One such node, or two of its kind; what is left out is 1 or 0. */
export interface Step {
  readonly node: OnnxNode;
  /** The shape of what it is done to, samples first. */
  readonly of: readonly Extent[] | undefined;
  readonly factor?: Spread;
  readonly shift?: Spread;
}

/** factor · x + shift. */
export interface OnnxScaling {
  readonly factor: Float64Array;
  readonly shift: Float64Array;
}

const number = (value: number): Spread => ({ shape: [], values: [value] });
const mapped = (values: ArrayLike<number>, f: (value: number, i: number) => number): Float64Array =>
  Float64Array.from(values, f);
const list = (values: ArrayLike<number>): Spread => ({ shape: [values.length], values });

/** What a node does to `value`; undefined where it is something else. */
export function stepOf(
  graph: Graph,
  node: OnnxNode,
  value: string,
  of: readonly Extent[] | undefined,
): Step | undefined {
  switch (node.op) {
    case 'Neg':
      return { node, of, factor: number(-1) };
    case 'Scaler': {
      const [offset, scale] = [floatsIn(node, 'offset'), floatsIn(node, 'scale')];
      const by = (i: number): number => scale[scale.length === 1 ? 0 : i] ?? 0;
      const length = Math.max(offset.length, scale.length);
      const shift = Float64Array.from({ length }, (_, i) => -(offset[offset.length === 1 ? 0 : i] ?? 0) * by(i));
      return { node, of, factor: list(scale), shift: list(shift) };
    }
    case 'BatchNormalization':
      return normalisation(graph, node, of);
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div':
      return arithmetic(graph, node, value, of);
    default:
      return undefined;
  }
}

function arithmetic(graph: Graph, node: OnnxNode, value: string, of: readonly Extent[] | undefined): Step | undefined {
  const first = node.inputs[0] === value;
  const constant = graph.constants.get(node.inputs[first ? 1 : 0] ?? '');
  if (!constant || (node.op === 'Div' && !first)) return undefined;
  const { shape } = constant;
  const values = graph.take(constant, node);
  const spread: Spread = { shape, values };
  if (node.op === 'Mul') return { node, of, factor: spread };
  if (node.op === 'Div') return { node, of, factor: { shape, values: mapped(values, (by) => 1 / by) } };
  if (node.op === 'Add') return { node, of, shift: spread };
  return first
    ? { node, of, shift: { shape, values: mapped(values, (by) => -by) } }
    : { node, of, factor: number(-1), shift: spread };
}

/** (x − mean) · scale / √(variance + ε) + shift over the second axis. */
function normalisation(graph: Graph, node: OnnxNode, of: readonly Extent[] | undefined): Step {
  if (wholeAttribute(node, 'training_mode', 0) !== 0) {
    const text = `${nameOf(node)} normalises by the samples at hand, as in training`;
    throw graph.refusal(text, 'export it with model.eval() and without training=…');
  }
  const vector = (index: number): ArrayLike<number> => {
    const constant = graph.constant(node, index);
    return constant ? graph.take(constant, node) : [];
  };
  const [scale, shift, mean, variance] = [vector(1), vector(2), vector(3), vector(4)];
  if ([shift, mean, variance].some(({ length }) => length !== scale.length)) {
    throw graph.refusal(`${nameOf(node)} should have as many means as variances, factors and shifts`);
  }
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const factor = mapped(scale, (by, c) => by / Math.sqrt((variance[c] as number) + epsilon));
  const shifted = mapped(shift, (by, c) => by - (mean[c] as number) * (factor[c] as number));
  const shape = [scale.length, ...(of ?? []).slice(2).map(() => 1)];
  return { node, of, factor: { shape, values: factor }, shift: { shape, values: shifted } };
}

/** The numbers of a step, one for each of so many features. */
function spreadOver(graph: Graph, { node, of }: Step, { shape, values }: Spread, features: number): Float64Array {
  if (values.length === 1) return new Float64Array(features).fill(values[0] as number);
  const extents = (of ?? []).slice(1);
  const known = extents.every((extent) => typeof extent === 'number');
  const axes = known && extents.reduce<number>((size, extent) => size * extent, 1) === features ? extents : [features];
  // The axis of the samples, which must not have numbers of its own.
  const at = values.length <= features ? partner([1, ...axes], shape) : undefined;
  if (!at) throw graph.refusal(`${nameOf(node)} has ${values.length} numbers for ${features} features`);
  return Float64Array.from({ length: features }, (_, j) => values[at(j)] as number);
}

/** The steps as one, over so many features. */
export function scalingOf(graph: Graph, steps: readonly Step[], features: number): OnnxScaling {
  const factor = new Float64Array(features).fill(1);
  const shift = new Float64Array(features);
  for (const step of steps) {
    const by = step.factor && spreadOver(graph, step, step.factor, features);
    const plus = step.shift && spreadOver(graph, step, step.shift, features);
    for (let j = 0; j < features; j += 1) {
      const [multiplied, added] = [by?.[j] ?? 1, plus?.[j] ?? 0];
      if (!Number.isFinite(multiplied) || !Number.isFinite(added)) {
        throw graph.refusal(`${nameOf(step.node)} has numbers that are not finite`, 'look for a scale of 0 in it');
      }
      factor[j] = (factor[j] as number) * multiplied;
      shift[j] = (shift[j] as number) * multiplied + added;
    }
  }
  return { factor, shift };
}
