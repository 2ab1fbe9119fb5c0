import { DlAdmmError, expected } from './errors.js';

/** The blocks of variables: weights, biases, pre-activations, activations, and the dual variable. */
export type Block = 'W' | 'b' | 'z' | 'a' | 'u';

/** Minimise the augmented Lagrangian over one block of layer 1 … L, the rest held fixed (for u: the dual step). */
export interface Update {
  readonly block: Block;
  readonly layer: number;
}

/** The ordered updates of one iteration, for a network of L layers. */
export type Sweep = (L: number) => Iterable<Update>;

export const W = (layer: number): Update => ({ block: 'W', layer });
export const b = (layer: number): Update => ({ block: 'b', layer });
export const z = (layer: number): Update => ({ block: 'z', layer });
export const a = (layer: number): Update => ({ block: 'a', layer });
export const u = (layer: number): Update => ({ block: 'u', layer });

/**
 * The updates of a sweep, checked: a_l exists for l < L, u for L alone.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function listUpdates(sweep: Sweep, L: number): readonly Update[] {
  if (typeof sweep !== 'function') throw expected('a function of the number of layers', 'sweep', sweep);
  const listed: unknown = sweep(L);
  if (!isIterable(listed)) throw expected('an iterable of updates', 'what the sweep returns', listed);
  const updates: Update[] = [];
  for (const update of listed) {
    updates.push(checkedUpdate(update, L, `update ${updates.length} of the sweep`));
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

const isBlock = (value: unknown): value is Block => ['W', 'b', 'z', 'a', 'u'].some((block) => block === value);
