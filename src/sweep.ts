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
  const updates: Update[] = [];
  for (const update of sweep(L)) {
    const { block, layer } = update;
    const name = `update ${updates.length} of the sweep`;
    if (!['W', 'b', 'z', 'a', 'u'].includes(block)) throw expected("a block 'W', 'b', 'z', 'a' or 'u'", name, block);
    const [low, high] = block === 'a' ? [1, L - 1] : block === 'u' ? [L, L] : [1, L];
    if (!Number.isInteger(layer) || layer < low || layer > high) {
      throw expected(`a layer from ${low} to ${high} for block ${block}`, name, layer, 'ERR_DLADMM_RANGE');
    }
    updates.push({ block, layer });
    if (updates.length > 100_000)
      throw new DlAdmmError('ERR_DLADMM_RANGE', 'Expected a sweep of at most 100,000 updates');
  }
  if (updates.length === 0) throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected at least one update in the sweep');
  return updates;
}
