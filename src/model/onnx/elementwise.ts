/**
 * What a few nodes do to every number by itself. An activation of several nodes is known by its values, however it is written: as
 * x · σ(x) or as one node, with the half before or behind.
 */
import type { Activation, NamedActivation } from '../../network/network.js';
import { floatAttribute, type Graph } from './graph.js';
import { attributeOf } from './proto.js';
import { DATA_TYPE, type OnnxNode } from './schema.js';

type Fn = (...x: number[]) => number;

/** erf to about 1e-15, by its series near 0 and its continued fraction far from it. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 80; n += 1) {
      term *= -(x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n -= 1) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

const sigmoid: Fn = (x = 0) => 1 / (1 + Math.exp(-x));
const softplus: Fn = (x = 0) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const elu = (x: number, alpha: number): number => (x > 0 ? x : alpha * Math.expm1(x));
const gelu: Fn = (x = 0) => (x * (1 + erf(x * Math.SQRT1_2))) / 2;
const tanhGelu: Fn = (x = 0) => (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2;

const PLAIN: Readonly<Record<string, Fn>> = {
  Abs: Math.abs,
  Add: (a = 0, b = 0) => a + b,
  Div: (a = 0, b = 0) => a / b,
  Erf: erf,
  Exp: Math.exp,
  Greater: (a = 0, b = 0) => Number(a > b),
  GreaterOrEqual: (a = 0, b = 0) => Number(a >= b),
  HardSwish: (x = 0) => x * Math.min(1, Math.max(0, x / 6 + 0.5)),
  Less: (a = 0, b = 0) => Number(a < b),
  LessOrEqual: (a = 0, b = 0) => Number(a <= b),
  Log: Math.log,
  Max: Math.max,
  Min: Math.min,
  Mish: (x = 0) => x * Math.tanh(softplus(x)),
  Mul: (a = 0, b = 0) => a * b,
  Neg: (x = 0) => -x,
  PRelu: (x = 0, slope = 0) => (x < 0 ? slope * x : x),
  Pow: (a = 0, b = 0) => a ** b,
  Reciprocal: (x = 0) => 1 / x,
  Relu: (x = 0) => Math.max(x, 0),
  Sigmoid: sigmoid,
  Sign: Math.sign,
  Softplus: softplus,
  Softsign: (x = 0) => x / (1 + Math.abs(x)),
  Sqrt: Math.sqrt,
  Sub: (a = 0, b = 0) => a - b,
  Tanh: Math.tanh,
  Where: (condition = 0, a = 0, b = 0) => (condition ? a : b),
};

/** What has an attribute `alpha`, and what stands for it where it is left out. */
const WITH_ALPHA: Readonly<Record<string, readonly [otherwise: number, fn: (x: number, alpha: number) => number]>> = {
  Celu: [1, (x, alpha) => Math.max(x, 0) + Math.min(0, alpha * Math.expm1(x / alpha))],
  Elu: [1, elu],
  LeakyRelu: [0.01, (x, slope) => (x < 0 ? slope * x : x)],
  Swish: [1, (x, alpha) => x * sigmoid(alpha * x)],
  ThresholdedRelu: [1, (x, alpha) => (x > alpha ? x : 0)],
};

/** The function of one number that a node is; undefined for what does not work number by number. */
function functionOf(node: OnnxNode): Fn | undefined {
  const [otherwise, fn] = (Object.hasOwn(WITH_ALPHA, node.op) ? WITH_ALPHA[node.op] : undefined) ?? [];
  const alphaOr = (standard: number): number => floatAttribute(node, 'alpha', standard);
  if (otherwise !== undefined && fn) {
    const alpha = alphaOr(otherwise);
    return (x = 0) => fn(x, alpha);
  }
  switch (node.op) {
    case 'Identity':
      return (x = 0) => x;
    case 'Cast':
      if (attributeOf(node, 'to')?.whole === DATA_TYPE.bool) return (x = 0) => Number(x !== 0);
      return castsToFloats(node) ? (x = 0) => x : undefined;
    case 'Selu': {
      const alpha = alphaOr(1.6732632423543772);
      const gamma = floatAttribute(node, 'gamma', 1.0507009873554805);
      return (x = 0) => gamma * elu(x, alpha);
    }
    case 'HardSigmoid': {
      const alpha = alphaOr(0.2);
      const beta = floatAttribute(node, 'beta', 0.5);
      return (x = 0) => Math.max(0, Math.min(1, alpha * x + beta));
    }
    case 'Gelu':
      return attributeOf(node, 'approximate')?.text === 'tanh' ? tanhGelu : gelu;
    case 'Clip': {
      const [low, high] = [attributeOf(node, 'min')?.float, attributeOf(node, 'max')?.float];
      return (x = 0, min = low ?? Number.NEGATIVE_INFINITY, max = high ?? Number.POSITIVE_INFINITY) =>
        Math.min(max, Math.max(min, x));
    }
    default:
      return Object.hasOwn(PLAIN, node.op) ? PLAIN[node.op] : undefined;
  }
}

const FLOATS: readonly number[] = [DATA_TYPE.float, DATA_TYPE.double, DATA_TYPE.float16, DATA_TYPE.bfloat16];

export const castsToFloats = (node: OnnxNode): boolean => FLOATS.includes(attributeOf(node, 'to')?.whole ?? 0);

/** A value that depends on one other alone, number by number. */
interface Derived {
  readonly output: string;
  readonly fn: (x: number) => number;
  /** What it is made by, from that other on. */
  readonly nodes: ReadonlySet<OnnxNode>;
  /** The same for the same function. */
  readonly key: string;
}

/** One node, what it takes, by its place among the values so far or as a number, and what it makes. */
interface Operation {
  readonly node: OnnxNode;
  readonly fn: Fn;
  readonly inputs: readonly ({ readonly at: number } | number | undefined)[];
}

/** No activation that somebody writes has more nodes. */
const MOST_NODES = 32;

/** What the nodes behind `value` make of it number by number, in an order in which it can be computed. */
function derivedFrom(graph: Graph, value: string): readonly Derived[] {
  const names = [value];
  const operations: Operation[] = [];
  // Grows while it is walked through.
  for (const name of names) {
    for (const node of graph.takersOf(name)) {
      const [output = ''] = node.outputs;
      const fn = names.includes(output) || names.length > MOST_NODES ? undefined : functionOf(node);
      if (!fn) continue;
      const inputs = node.inputs.map((input) => {
        const at = names.indexOf(input);
        return at >= 0 ? { at } : input === '' ? undefined : (graph.scalar(input) ?? Number.NaN);
      });
      if (inputs.some((input) => Number.isNaN(input))) continue;
      names.push(output);
      operations.push({ node, fn, inputs });
    }
  }
  return operations.map((_, k): Derived => {
    const needed = operations.slice(0, k + 1).reduceRight(
      (set, { inputs }, i) => {
        if (set.has(i))
          for (const input of inputs) if (typeof input === 'object' && input.at > 0) set.add(input.at - 1);
        return set;
      },
      new Set([k]),
    );
    const used = operations.flatMap((operation, i) => (needed.has(i) ? [{ ...operation, i }] : []));
    return {
      output: names[k + 1] as string,
      nodes: new Set(used.map(({ node }) => node)),
      key: JSON.stringify(used.map(({ node: { op, attributes }, inputs, i }) => [i, op, attributes, inputs])),
      fn: (x) => {
        const values = [x];
        for (const { fn, inputs, i } of used) {
          values[i + 1] = fn(
            ...inputs.map((input) => (typeof input === 'object' ? values[input.at] : input) as number),
          );
        }
        return values[k + 1] as number;
      },
    };
  });
}

/** Whether nothing that was computed on the way to its output is taken by any other node. */
function isExit(graph: Graph, value: string, { output, nodes }: Derived): boolean {
  const inner = [value, ...[...nodes].flatMap(({ outputs }) => outputs)].filter((name) => name !== output);
  return inner.every((name) => graph.takersOf(name).every((node) => nodes.has(node)));
}

/** An activation, what its values are multiplied by, and the value that the nodes make of it. */
export interface Recognised {
  readonly activation: Activation;
  readonly factor: number;
  readonly output: string;
  readonly nodes: readonly OnnxNode[];
}

/** Where a function is compared: closely around 0, and so far out that a limit of it shows. */
const POINTS: readonly number[] = [
  ...Array.from({ length: 961 }, (_, i) => (i - 480) / 40),
  ...[20, 50, 100, 1e3, 1e4, 1e6, 1e10, 1e30].flatMap((x) => [-x, x]),
];

/** As float32 has it; what overflows there on the way (eˣ of a large x) proves nothing. */
const agrees = (f: (x: number) => number, g: (x: number) => number): boolean =>
  POINTS.every((x) => {
    const value = f(x);
    const overflows = !Number.isFinite(value) && Math.abs(x) > 80;
    return overflows || Math.abs(value - g(x)) <= 2e-6 * (1 + Math.abs(g(x)));
  });

const NAMED: Readonly<Partial<Record<NamedActivation, (x: number) => number>>> = {
  relu: (x) => Math.max(x, 0),
  sigmoid,
  tanh: Math.tanh,
  silu: (x) => x * sigmoid(x),
  gelu,
  softplus,
};

/** The shortest decimal that rounds to it in float32. */
const shortest = (value: number): number => Number(Math.fround(value).toPrecision(7));

/** The activation that a function is, where networks here have it. */
function activationLike(f: (x: number) => number): Pick<Recognised, 'activation' | 'factor'> | undefined {
  for (const [name, g] of Object.entries(NAMED)) {
    if (agrees(f, g)) return { activation: name as NamedActivation, factor: 1 };
  }
  const factor = f(1);
  if (!(Number.isFinite(factor) && factor !== 0)) return undefined;
  const slope = shortest(-f(-1) / factor);
  if (factor === 1 && slope !== 1 && agrees(f, (x) => (x < 0 ? slope * x : x)))
    return { activation: { leakyRelu: slope }, factor };
  const alpha = shortest(f(-1) / factor / Math.expm1(-1));
  if (alpha > 0 && agrees(f, (x) => factor * elu(x, alpha)))
    return { activation: alpha === 1 ? 'elu' : { elu: alpha }, factor };
  return undefined;
}

type Known = Map<string, ReturnType<typeof activationLike>>;

/** What has been compared: thousands of layers have one activation, and each comparison takes milliseconds. */
const compared = new WeakMap<Graph, Known>();

function activationOf(graph: Graph, { fn, key }: Derived): ReturnType<typeof activationLike> {
  const known: Known = compared.get(graph) ?? new Map();
  compared.set(graph, known);
  if (!known.has(key)) known.set(key, activationLike(fn));
  return known.get(key);
}

/** The shortest run of nodes behind `value` that is an activation. */
export function recognised(graph: Graph, value: string): Recognised | undefined {
  for (const derived of derivedFrom(graph, value)) {
    const found = isExit(graph, value, derived) ? activationOf(graph, derived) : undefined;
    if (found) return { ...found, output: derived.output, nodes: [...derived.nodes] };
  }
  return undefined;
}

/** Why the nodes behind `value` are no activation that networks here have; undefined where they are none at all. */
export function foreignActivation(graph: Graph, value: string): string | undefined {
  const exits = derivedFrom(graph, value).filter((derived) => isExit(graph, value, derived));
  const [first] = exits;
  if (exits.some(({ fn }) => agrees(fn, tanhGelu))) {
    return 'make the tanh approximation of GELU; networks here have the exact one: nn.GELU() without approximate';
  }
  if (first && [...first.nodes].some(({ op }) => op === 'Clip')) {
    return `limit values to ${first.fn(-1e30)} … ${first.fn(1e30)}, as ReLU6 and Hardtanh do; of limits networks here have 0 and none (relu)`;
  }
  return first ? 'make an activation that networks here do not have' : undefined;
}
