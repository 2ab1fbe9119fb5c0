/** Training by gradients written as simply as it can be, in float64: one sample at a time, one number at a time. */

import { seededRandom } from '../../src/core/random.js';
import type { Network } from '../../src/index.js';
import type { NamedActivation } from '../../src/network/network.js';
import { at } from './dense.js';

/** What to train on: rows of inputs, and a label or a row of values for each. */
export interface Samples {
  readonly x: readonly Float64Array[];
  readonly labels?: readonly number[];
  readonly y?: readonly Float64Array[];
  /** What they count for, 1 on average; all alike if absent. */
  readonly weights?: readonly number[];
}

/** W_1, b_1, W_2, … one after the other, row-major. */
export type Vector = Float64Array;

export const lengthOf = ({ layers }: Network): number =>
  layers.slice(1).reduce((sum, width, i) => sum + width * (at(layers, i, 'layers') + 1), 0);

/** An activation and its derivative. */
interface Function {
  f(x: number): number;
  slope(x: number): number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** Φ(x) = ½ + ∫₀ˣ φ, by Simpson's rule. */
function normal(x: number): number {
  const half = 200;
  const h = x / (2 * half);
  let sum = density(0) + density(x);
  for (let i = 1; i < 2 * half; i += 1) sum += (i % 2 === 1 ? 4 : 2) * density(i * h);
  return 0.5 + (sum * h) / 3;
}

const leaky = (below: number): Function => ({ f: (x) => (x > 0 ? x : below * x), slope: (x) => (x > 0 ? 1 : below) });
const elu = (alpha: number): Function => ({
  f: (x) => (x > 0 ? x : alpha * Math.expm1(x)),
  slope: (x) => (x > 0 ? 1 : alpha * Math.exp(x)),
});

const NAMED: Readonly<Record<NamedActivation, Function>> = {
  relu: leaky(0),
  identity: leaky(1),
  tanh: { f: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
  sigmoid: { f: sigmoid, slope: (x) => sigmoid(x) * (1 - sigmoid(x)) },
  elu: elu(1),
  silu: { f: (x) => x * sigmoid(x), slope: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))) },
  gelu: { f: (x) => x * normal(x), slope: (x) => normal(x) + x * density(x) },
  softplus: { f: (x) => Math.log1p(Math.exp(x)), slope: sigmoid },
};

/** f and f' of the hidden layers. */
export function activationOf({ activation }: Network): Function {
  if (typeof activation === 'string') return NAMED[activation];
  return 'elu' in activation ? elu(activation.elu) : leaky(activation.leakyRelu);
}

const number = (list: ArrayLike<number>, i: number): number => {
  const value = list[i];
  if (value === undefined) throw new Error(`no entry ${i}`);
  return value;
};

/** R of one sample's outputs, and its gradient. */
export function lossOf(network: Network, z: readonly number[], samples: Samples, i: number): [number, number[]] {
  if (network.loss === 'squared-error') {
    const y = at(samples.y ?? [], i, 'y');
    const miss = z.map((value, j) => value - number(y, j));
    return [miss.reduce((sum, m) => sum + (m * m) / 2, 0), miss];
  }
  if (network.loss === 'poisson') {
    const y = at(samples.y ?? [], i, 'y');
    const values = z.map((value, j) => Math.exp(value) - number(y, j) * value);
    return [values.reduce((sum, value) => sum + value, 0), z.map((value, j) => Math.exp(value) - number(y, j))];
  }
  const label = at(samples.labels ?? [], i, 'labels');
  if (network.loss === 'one-hot-squared-error') {
    const miss = z.map((value, j) => value - (j === label ? 1 : 0));
    return [miss.reduce((sum, m) => sum + (m * m) / 2, 0), miss];
  }
  if (network.loss === 'hinge') {
    const on = (j: number): boolean => (z.length === 1 ? label === 1 : label === j);
    const terms = z.map((value, j) => (on(j) ? Math.max(1 - value, 0) : Math.max(value, 0)));
    return [terms.reduce((sum, term) => sum + term, 0), terms.map((term, j) => (term === 0 ? 0 : on(j) ? -1 : 1))];
  }
  const top = Math.max(...z);
  const sum = z.reduce((total, value) => total + Math.exp(value - top), 0);
  const gradient = z.map((value, j) => Math.exp(value - top) / sum - (j === label ? 1 : 0));
  return [top + Math.log(sum) - at(z, label, 'z'), gradient];
}

/** What R of a sample is not below: y − y log y of every count, of other losses 0. */
export const leastLossOf = ({ loss }: Network, { y }: Samples, i: number): number =>
  loss === 'poisson'
    ? at(y ?? [], i, 'y').reduce((sum, count) => sum + (count > 0 ? count - count * Math.log(count) : 0), 0)
    : 0;

/** R summed over some samples, and its gradient. */
export function lossAndGradient(network: Network, w: Vector, samples: Samples, which: readonly number[]) {
  const { layers } = network;
  const L = layers.length - 1;
  const { f, slope } = activationOf(network);
  const gradient = new Float64Array(w.length);
  let loss = 0;
  for (const i of which) {
    const h: number[][] = [[...at(samples.x, i, 'x')]];
    const z: number[][] = [[]];
    const first: number[] = [0];
    let offset = 0;
    for (let l = 1; l <= L; l++) {
      const inputs = at(layers, l - 1, 'layers');
      const outputs = at(layers, l, 'layers');
      first.push(offset);
      const below = at(h, l - 1, 'h');
      const zl = Array.from({ length: outputs }, (_, j) =>
        below.reduce((sum, value, k) => sum + number(w, offset + j * inputs + k) * value, 0),
      ).map((value, j) => value + number(w, offset + outputs * inputs + j));
      z.push(zl);
      h.push(l === L ? zl : zl.map(f));
      offset += outputs * (inputs + 1);
    }
    const [value, outer] = lossOf(network, at(h, L, 'h'), samples, i);
    loss += value;
    let delta = outer;
    for (let l = L; l >= 1; l--) {
      const inputs = at(layers, l - 1, 'layers');
      const outputs = at(layers, l, 'layers');
      const start = at(first, l, 'first');
      const below = at(h, l - 1, 'h');
      const back = new Array<number>(inputs).fill(0);
      for (const [j, d] of delta.entries()) {
        for (let k = 0; k < inputs; k++) {
          const entry = start + j * inputs + k;
          gradient[entry] = number(gradient, entry) + d * at(below, k, 'h');
          back[k] = at(back, k, 'back') + d * number(w, entry);
        }
        const bias = start + outputs * inputs + j;
        gradient[bias] = number(gradient, bias) + d;
      }
      const zl = at(z, l - 1, 'z');
      delta = back.map((d, k) => (l > 1 ? slope(at(zl, k, 'z')) * d : d));
    }
  }
  return { loss, gradient };
}

/** Samples 0 … n − 1 in the order of each epoch. */
export function* epochOrders(samples: number, seed: number, shuffle: boolean): Generator<readonly number[], never> {
  const random = seededRandom(seed);
  const order = Array.from({ length: samples }, (_, i) => i);
  for (;;) {
    for (let i = samples; shuffle && i > 1; i--) {
      const j = Math.floor(random.uniform() * i);
      [order[i - 1], order[j]] = [at(order, j, 'order'), at(order, i - 1, 'order')];
    }
    yield [...order];
  }
}

/** `batch` cut into `parts`, as even as can be, the first ones longer by one. */
export function cut(batch: readonly number[], parts: number): readonly (readonly number[])[] {
  const out: (readonly number[])[] = [];
  let first = 0;
  for (let s = 0; s < parts; s++) {
    const count = Math.floor(batch.length / parts) + (s < batch.length % parts ? 1 : 0);
    out.push(batch.slice(first, first + count));
    first += count;
  }
  return out;
}

/**
 * Changes w, given the gradient of each sub-batch and its share of the batch, in step t = 1, 2, … at a learning rate; and the
 * batch itself.
 */
export interface UpdateRule {
  (
    w: Vector,
    gradients: readonly Vector[],
    shares: readonly number[],
    t: number,
    rate: number,
    batch: readonly number[],
  ): void;
  /** The model, where it is not w. */
  readonly model?: () => Vector;
}

type Entry = (w: number, g: number, state: number[], t: number, rate: number) => number;

/** A rule that works entry by entry; each entry has `states` numbers of its own that begin at `start`. */
function entrywise(states: number, start: number, rule: Entry): UpdateRule {
  const kept: number[][] = [];
  return (w, [g], _shares, t, rate) => {
    for (let j = 0; j < w.length; j++) {
      kept[j] ??= new Array<number>(states).fill(start);
      w[j] = rule(number(w, j), number(g as Vector, j), kept[j] as number[], t, rate);
    }
  };
}

/** torch.optim.SGD */
export const sgd = ({ momentum = 0, dampening = 0, nesterov = false, l2 = 0 }): UpdateRule =>
  entrywise(1, 0, (w, g0, state, t, rate) => {
    const g = g0 + l2 * w;
    if (momentum === 0) return w - rate * g;
    const m = t === 1 ? g : momentum * at(state, 0, 'm') + (1 - dampening) * g;
    state[0] = m;
    return w - rate * (nesterov ? g + momentum * m : m);
  });

/** torch.optim.Adagrad */
export const adagrad = ({ learningRateDecay = 0, initialAccumulator = 0, epsilon = 1e-10, l2 = 0 }): UpdateRule =>
  entrywise(1, initialAccumulator, (w, g0, state, t, rate) => {
    const g = g0 + l2 * w;
    state[0] = at(state, 0, 's') + g * g;
    return w - ((rate / (1 + (t - 1) * learningRateDecay)) * g) / (Math.sqrt(at(state, 0, 's')) + epsilon);
  });

/** torch.optim.Adadelta */
export const adadelta = ({ beta2 = 0.9, epsilon = 1e-6, l2 = 0 }): UpdateRule =>
  entrywise(2, 0, (w, g0, state, _t, rate) => {
    const g = g0 + l2 * w;
    const [s = 0, u = 0] = state;
    const squares = beta2 * s + (1 - beta2) * g * g;
    const delta = (Math.sqrt(u + epsilon) / Math.sqrt(squares + epsilon)) * g;
    state[0] = squares;
    state[1] = beta2 * u + (1 - beta2) * delta * delta;
    return w - rate * delta;
  });

const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, l2: 0, decoupled: false, nesterov: false };

/** torch.optim.Adam, and AdamW where decoupled; with Nesterov's look ahead NAdamW as AlgoPerf has it. */
export function adam(settings: Partial<typeof ADAM>): UpdateRule {
  const { beta1, beta2, epsilon, l2, decoupled, nesterov } = { ...ADAM, ...settings };
  return entrywise(2, 0, (w0, g0, state, t, rate) => {
    const w = decoupled ? w0 - rate * l2 * w0 : w0;
    const g = decoupled ? g0 : g0 + l2 * w0;
    const m = beta1 * at(state, 0, 'm') + (1 - beta1) * g;
    const v = beta2 * at(state, 1, 'v') + (1 - beta2) * g * g;
    state[0] = m;
    state[1] = v;
    const first = nesterov ? beta1 * m + (1 - beta1) * g : m;
    return w - (rate * (first / (1 - beta1 ** t))) / (Math.sqrt(v / (1 - beta2 ** t)) + epsilon);
  });
}

/** Algorithm 1 of Defazio et al. (2024), with AdamW's second moment: x, y and z are all kept. */
export function scheduleFree({ beta1 = 0.9, beta2 = 0.99552, epsilon = 1e-8, l2 = 0.0812, power = 0.75 }): UpdateRule {
  let [x, z, v] = [new Float64Array(), new Float64Array(), new Float64Array()];
  let total = 0;
  const rule = (y: Vector, [g]: readonly Vector[], _: readonly number[], t: number, rate: number): void => {
    if (t === 1) [x, z, v] = [y.slice(), y.slice(), new Float64Array(y.length)];
    total += rate ** 2 * t ** power;
    const c = (rate ** 2 * t ** power) / total;
    for (let j = 0; j < y.length; j++) {
      const slope = number(g as Vector, j);
      v[j] = beta2 * number(v, j) + (1 - beta2) * slope ** 2;
      const size = Math.sqrt(number(v, j) / (1 - beta2 ** t)) + epsilon;
      z[j] = number(z, j) - rate * (slope / size + l2 * number(y, j));
      x[j] = (1 - c) * number(x, j) + c * number(z, j);
      y[j] = (1 - beta1) * number(z, j) + beta1 * number(x, j);
    }
  };
  return Object.assign(rule, { model: () => x });
}

type Rows = readonly (readonly number[])[];
const product = (a: Rows, b: Rows): Rows =>
  a.map((row) =>
    at(b, 0, 'b').map((_, j) => row.reduce((sum, value, k) => sum + value * at(at(b, k, 'b'), j, 'b'), 0)),
  );
const transposed = (a: Rows): Rows => at(a, 0, 'a').map((_, j) => a.map((row) => at(row, j, 'row')));
const sumOf = (p: number, a: Rows, q: number, b: Rows): Rows =>
  a.map((row, i) => row.map((value, j) => p * value + q * at(at(b, i, 'b'), j, 'b')));

/** Newton–Schulz by the quintic of Jordan et al. (2024). */
function orthogonal(u: Rows, iterations: number): Rows {
  const flat = at(u, 0, 'u').length < u.length;
  const norm = Math.sqrt(u.flat().reduce((sum, value) => sum + value ** 2, 0)) + 1e-7;
  let x = (flat ? transposed(u) : u).map((row) => row.map((value) => value / norm));
  for (let i = 0; i < iterations; i++) {
    const s = product(x, transposed(x));
    const p = sumOf(-4.775, s, 2.0315, product(s, s));
    x = sumOf(3.4445, x, 1, product(p, x)).map((row) => [...row]);
  }
  return flat ? transposed(x) : x;
}

/** Muon for the weights between hidden layers, AdamW for all else. */
export function muon(
  { layers }: Network,
  { momentum = 0.95, nesterov = true, iterations = 5, share = 0.015, l2 = 0, beta2 = 0.95 } = {},
): UpdateRule {
  const rest = adam({ beta1: 0.9, beta2, epsilon: 1e-10, l2, decoupled: true });
  const kept = new Map<number, Float64Array>();
  return (w, gradients, shares, t, rate, batch) => {
    const before = w.slice();
    rest(w, gradients, shares, t, share * rate, batch);
    let first = 0;
    for (let l = 1; l < layers.length; l++) {
      const [columns, rows] = [at(layers, l - 1, 'layers'), at(layers, l, 'layers')];
      const [start, count] = [first, rows * columns];
      first += count + rows;
      if (l === 1 || l === layers.length - 1) continue;
      const g = (gradients[0] as Vector).subarray(start, start + count);
      const m = (kept.get(l) ?? new Float64Array(count)).map(
        (value, j) => momentum * value + (1 - momentum) * number(g, j),
      );
      kept.set(l, m);
      const u = nesterov ? m.map((value, j) => momentum * value + (1 - momentum) * number(g, j)) : m;
      const x = orthogonal(
        Array.from({ length: rows }, (_, i) => [...u.subarray(i * columns, (i + 1) * columns)]),
        iterations,
      ).flat();
      const far = rate * Math.sqrt(Math.max(1, rows / columns));
      for (let j = 0; j < count; j++) {
        w[start + j] = (1 - rate * l2) * number(before, start + j) - far * at(x, j, 'x');
      }
    }
  };
}

/** What a consensus method keeps, to be looked at. */
export interface Consensus {
  readonly rule: UpdateRule;
  /** π_s and w_s after the last step. */
  readonly duals: Vector[];
  readonly copies: Vector[];
}

/**
 * BADM, or SISA where beta2 is given, by the definition: copies w_s and multipliers π_s for every sub-batch. The
 * parameters that a step leaves are the aggregate of the next.
 */
export function consensus(
  size: number,
  parts: number,
  settings: {
    readonly sigma: number;
    readonly rho: number;
    readonly l2?: number;
    readonly beta2?: number;
    readonly epsilon?: number;
    /** Divides σ and ρ. */
    readonly learningRate?: (step: number) => number;
  },
): Consensus {
  const { l2 = 0, beta2, epsilon = 1e-8, learningRate = () => 1 } = settings;
  const each = () => Array.from({ length: parts }, () => new Float64Array(size));
  const duals = each();
  const copies = each();
  const second = each();
  const rule: UpdateRule = (w, gradients, shares, t) => {
    const [sigma, rho] = [settings.sigma / learningRate(t), settings.rho / learningRate(t)];
    for (let j = 0; j < size; j++) {
      const at0 = number(w, j);
      let next = 0;
      for (let s = 0; s < parts; s++) {
        const share = at(shares, s, 'shares');
        if (share === 0) continue;
        const dual = at(duals, s, 'duals');
        const v = at(second, s, 'second');
        const direction = number(at(gradients, s, 'gradients'), j) + number(dual, j);
        let scale = rho + sigma;
        if (beta2 !== undefined) {
          v[j] = beta2 * number(v, j) + (1 - beta2) * direction * direction;
          scale = sigma + rho * (Math.sqrt(number(v, j) / (1 - beta2 ** t)) + epsilon);
        }
        const copy = at0 - direction / scale;
        dual[j] = number(dual, j) + sigma * (copy - at0);
        at(copies, s, 'copies')[j] = copy;
        next += share * (sigma * copy + number(dual, j));
      }
      w[j] = next / (sigma + l2);
    }
  };
  return { rule, duals, copies };
}

/** A training: batches in the order of each epoch, `steps` in all. Gives the parameters after each step, and R of each batch. */
export function* trainPlainly(
  network: Network,
  samples: Samples,
  start: Vector,
  {
    batchSize,
    seed = 0,
    shuffle = true,
    reduction = 'mean',
    subBatches = 1,
  }: {
    readonly batchSize: number;
    readonly seed?: number;
    readonly shuffle?: boolean;
    readonly reduction?: 'mean' | 'sum';
    readonly subBatches?: number;
  },
  rule: UpdateRule,
  rate: (t: number) => number = () => 0,
): Generator<{ readonly w: Vector; readonly loss: number; readonly count: number }, never> {
  const w = start.slice();
  let t = 0;
  for (const order of epochOrders(samples.x.length, seed, shuffle)) {
    for (let first = 0; first < order.length; first += batchSize) {
      const batch = order.slice(first, first + batchSize);
      t += 1;
      let loss = 0;
      const parts = cut(batch, subBatches).map((part) => {
        const sums = lossAndGradient(network, w, samples, part);
        loss += sums.loss;
        const scale = (reduction === 'sum' ? batch.length : 1) / part.length;
        return { share: part.length / batch.length, gradient: sums.gradient.map((g) => g * scale) };
      });
      rule(
        w,
        parts.map(({ gradient }) => gradient),
        parts.map(({ share }) => share),
        t,
        rate(t),
        batch,
      );
      yield { w: rule.model?.().slice() ?? w.slice(), loss, count: batch.length };
    }
  }
  throw new Error('epochs never end');
}
