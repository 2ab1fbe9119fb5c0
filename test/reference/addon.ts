/** The addon beside the plain reference: one problem opened in both, and the addon's variables read back as plain ones. */

import type { LabelledSamples } from '../../src/data.js';
import type { Network } from '../../src/index.js';
import { type LayeredSession, layered, type Update } from '../../src/solvers.js';
import { at, type Matrix64, matrix, NONE } from './dense.js';
import { depth, type Penalties, type PlainState, startState, type Target } from './layered.js';

/** What both programs need to begin with. */
export interface Problem {
  readonly network: Network;
  readonly X: Matrix64;
  readonly target: Target;
  /** W_1 … W_L and b_1 … b_L. */
  readonly W: readonly Matrix64[];
  readonly b: readonly Float64Array[];
  readonly output: 'forward' | 'signs';
  readonly dual: 'zero' | 'minus gradient';
}

/** How the addon is to hold it. */
export interface Holding {
  readonly dtype: 'float32' | 'float64';
  readonly threads: number;
  readonly gram: boolean;
  readonly fista: boolean;
}

export const HOLDING: Holding = { dtype: 'float64', threads: 1, gram: false, fista: false };

/** Numbers spread over (−1, 1), the same in every run and exact in float32. */
export function numbers(seed: number): () => number {
  let state = Math.imul(seed, 2654435761) | 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >> 8) / 2 ** 23;
  };
}

export const random = (seed: number, rows: number, columns: number, scale = 1): Matrix64 => {
  const next = numbers(seed);
  return matrix(rows, columns, () => Math.fround(scale * next()));
};

const slope = ({ activation }: Network): number =>
  typeof activation === 'object' && 'leakyRelu' in activation
    ? activation.leakyRelu
    : activation === 'identity'
      ? 1
      : 0;

export function openPlain({ network, W, b, X, target, output, dual }: Problem): PlainState {
  return startState({
    layers: network.layers.map((units) => ({ units, slope: slope(network) })),
    W,
    b,
    X,
    target,
    output,
    dual,
  });
}

export function samplesOf({ X, target }: Pick<Problem, 'X' | 'target'>): LabelledSamples {
  return target.loss === 'squared' ? { x: X, y: target.y } : { x: X, labels: target.labels };
}

export async function openAddon(problem: Problem, holding: Partial<Holding> = {}): Promise<LayeredSession> {
  const { network, target, W, b, output, dual } = problem;
  const softmax = target.loss === 'cross-entropy' && target.softmax === 'official' ? 'reference' : 'stable';
  const state = await layered.open({ ...HOLDING, ...holding, network, softmax }, samplesOf(problem));
  for (const [i, weights] of W.entries()) {
    await state.write('W', i + 1, weights.data);
    await state.write('b', i + 1, at(b, i, 'b'));
  }
  await state.start({
    output: output === 'signs' ? 'signed-labels' : 'forward',
    dual: dual === 'zero' ? 'zero' : 'stationary',
  });
  return state;
}

/** The penalties of the plain reference under the names of {@link LayeredSession.run}. */
export function nativeOf({ output, ...rest }: Penalties): Parameters<LayeredSession['run']>[1] {
  const fista = output.kind === 'fista' ? output : { step: 4, tolerance: 1e-3, maxIterations: 500 };
  return {
    ...rest,
    output: output.kind,
    fistaStep: fista.step,
    fistaTolerance: fista.tolerance,
    fistaLimit: fista.maxIterations,
  };
}

/** One block as a plain matrix; b as one row. */
export async function readBlock(state: LayeredSession, { block, layer }: Update): Promise<Matrix64> {
  const { layers } = state.options.network;
  const data = Float64Array.from((await state.read(block, layer)).data);
  const rows = block === 'W' ? at(layers, layer, 'layers') : block === 'b' ? 1 : state.samples;
  return { data, rows, columns: block === 'W' ? at(layers, layer - 1, 'layers') : at(layers, layer, 'layers') };
}

/** `like` with every variable as the addon has it. */
export async function readPlain(state: LayeredSession, like: PlainState): Promise<PlainState> {
  const L = depth(like);
  const W = [NONE];
  const b = [new Float64Array(0)];
  const z = [NONE];
  const a = [at(like.a, 0, 'a')];
  for (let layer = 1; layer <= L; layer++) {
    W.push(await readBlock(state, { block: 'W', layer }));
    b.push(Float64Array.from((await readBlock(state, { block: 'b', layer })).data));
    z.push(await readBlock(state, { block: 'z', layer }));
    if (layer < L) a.push(await readBlock(state, { block: 'a', layer }));
  }
  return { ...like, W, b, z, a, u: await readBlock(state, { block: 'u', layer: L }) };
}
