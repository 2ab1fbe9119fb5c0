import { DlAdmmError, expected } from '../../core/errors.js';

/** The blocks of variables: weights, biases, pre-activations, activations, and the dual variable. */
export type Block = 'W' | 'b' | 'z' | 'a' | 'u';

/** Minimise the augmented Lagrangian over one block of layer 1 … L, the rest held fixed (for u: the dual step). */
export interface Update {
  readonly block: Block;
  readonly layer: number;
}

/** The ordered updates of one iteration, for a network of L layers. */
export type Sweep = (L: number) => Iterable<Update>;

/** The blocks of the splitting that keeps all constraints: weights (with biases), activations, multipliers. */
export type ConstraintBlock = 'W' | 'V' | 'Lambda';

/** Minimise the augmented Lagrangian over one block of layer 1 … N, the rest held fixed (for Lambda: the dual step). */
export interface ConstraintUpdate {
  readonly block: ConstraintBlock;
  readonly layer: number;
}

/** The ordered updates of one iteration of such a solver, for a network of N layers. */
export type ConstraintSweep = (N: number) => Iterable<ConstraintUpdate>;

/** The blocks of a graph convolutional network: weights, the outputs of a layer, and the dual variable. */
export type GraphBlock = 'W' | 'Z' | 'U';

/** Minimise the augmented Lagrangian over one block of layer 1 … L, the rest held fixed (for U: the dual step). */
export interface GraphUpdate {
  readonly block: GraphBlock;
  readonly layer: number;
}

/** The ordered updates of one iteration of such a solver, for a network of L layers. */
export type GraphSweep = (L: number) => Iterable<GraphUpdate>;

/** A block of any splitting. */
export type AnyBlock = Block | ConstraintBlock | GraphBlock;

/** Minimises over the weights of a layer. */
export const W = (layer: number): { readonly block: 'W'; readonly layer: number } => ({ block: 'W', layer });
/** Minimises over the biases of a layer. */
export const b = (layer: number): Update => ({ block: 'b', layer });
/** Minimises over the pre-activations of a layer. */
export const z = (layer: number): Update => ({ block: 'z', layer });
/** Minimises over the activations of a hidden layer. */
export const a = (layer: number): Update => ({ block: 'a', layer });
/** Moves the multiplier of the output constraint. */
export const u = (layer: number): Update => ({ block: 'u', layer });
/** Minimises over the activations of a layer, where every constraint has its multiplier. */
export const V = (layer: number): ConstraintUpdate => ({ block: 'V', layer });
/** Minimises over the outputs of a layer of a graph convolutional network. */
export const Z = (layer: number): GraphUpdate => ({ block: 'Z', layer });
/** Moves the multiplier of its output constraint. */
export const U = (layer: number): GraphUpdate => ({ block: 'U', layer });
/** Moves the multiplier of a layer’s constraint. */
export const Lambda = (layer: number): ConstraintUpdate => ({ block: 'Lambda', layer });

/**
 * The updates of a sweep, checked: a_l exists for l < L, u for L alone.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function listUpdates(sweep: Sweep, L: number): readonly Update[] {
  return listed(sweep, L, checkedUpdate);
}

/**
 * The updates of a sweep of the splitting that keeps all constraints, checked.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function listConstraintUpdates(sweep: ConstraintSweep, N: number): readonly ConstraintUpdate[] {
  return listed(sweep, N, checkedConstraintUpdate);
}

/**
 * The updates of a sweep of a graph convolutional network, checked: U exists for the last layer alone.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function listGraphUpdates(sweep: GraphSweep, L: number): readonly GraphUpdate[] {
  return listed(sweep, L, checkedGraphUpdate);
}

function listed<T>(sweep: unknown, L: number, check: (update: unknown, L: number, name: string) => T): readonly T[] {
  if (typeof sweep !== 'function') throw expected('a function of the number of layers', 'sweep', sweep);
  const all: unknown = sweep(L);
  if (!isIterable(all)) throw expected('an iterable of updates', 'what the sweep returns', all);
  const updates: T[] = [];
  for (const update of all) {
    updates.push(check(update, L, `update ${updates.length} of the sweep`));
    if (updates.length > 100_000)
      throw new DlAdmmError('ERR_DLADMM_RANGE', 'Expected a sweep of at most 100,000 updates');
  }
  if (updates.length === 0) throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected at least one update in the sweep');
  return updates;
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'string' || (typeof value === 'object' && value !== null && Symbol.iterator in value);

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkedUpdate(update: unknown, L: number, name: string): Update {
  if (typeof update !== 'object' || update === null) throw expected('{ block, layer }', name, update);
  const { block, layer } = update as { readonly block?: unknown; readonly layer?: unknown };
  if (!isBlock(block)) throw expected("a block 'W', 'b', 'z', 'a' or 'u'", name, block);
  const [low, high] = block === 'a' ? [1, L - 1] : block === 'u' ? [L, L] : [1, L];
  if (typeof layer !== 'number' || !Number.isInteger(layer) || layer < low || layer > high) {
    throw expected(`a layer from ${low} to ${high} for block ${block}`, name, layer, 'ERR_DLADMM_RANGE');
  }
  return { block, layer };
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkedConstraintUpdate(update: unknown, N: number, name: string): ConstraintUpdate {
  if (typeof update !== 'object' || update === null) throw expected('{ block, layer }', name, update);
  const { block, layer } = update as { readonly block?: unknown; readonly layer?: unknown };
  const known = (['W', 'V', 'Lambda'] as const).find((candidate) => candidate === block);
  if (known === undefined) throw expected("a block 'W', 'V' or 'Lambda'", name, block);
  if (typeof layer !== 'number' || !Number.isInteger(layer) || layer < 1 || layer > N) {
    throw expected(`a layer from 1 to ${N} for block ${known}`, name, layer, 'ERR_DLADMM_RANGE');
  }
  return { block: known, layer };
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkedGraphUpdate(update: unknown, L: number, name: string): GraphUpdate {
  if (typeof update !== 'object' || update === null) throw expected('{ block, layer }', name, update);
  const { block, layer } = update as { readonly block?: unknown; readonly layer?: unknown };
  const known = (['W', 'Z', 'U'] as const).find((candidate) => candidate === block);
  if (known === undefined) throw expected("a block 'W', 'Z' or 'U'", name, block);
  const low = known === 'U' ? L : 1;
  if (typeof layer !== 'number' || !Number.isInteger(layer) || layer < low || layer > L) {
    throw expected(`a layer from ${low} to ${L} for block ${known}`, name, layer, 'ERR_DLADMM_RANGE');
  }
  return { block: known, layer };
}

const isBlock = (value: unknown): value is Block => ['W', 'b', 'z', 'a', 'u'].some((block) => block === value);
