import { checkObject } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import { isRevoked } from '../../core/objects.js';

/** A kind of variables of a splitting: a matrix in some of the layers 1 … L. */
export interface BlockKind {
  /** Its number on the way to the addon. */
  readonly number: number;
  /** The layers that have one. Default: all. */
  readonly layers?: 'hidden' | 'last';
  /** Rows and columns in a layer, for the widths n_0 … n_L and so many samples (on a graph: nodes of that layer). */
  readonly shape: (widths: readonly number[], layer: number, rows: number) => readonly [rows: number, columns: number];
  /** Whether an update may minimise over it by itself. Default true. */
  readonly alone?: boolean;
}

export type Blocks<B extends string> = { readonly [block in B]: BlockKind };

/** W_l, n_l × n_{l−1}. */
export const weights: BlockKind['shape'] = (widths, l) => [widths[l] ?? 0, widths[l - 1] ?? 0];
/** W_l of a graph convolutional network, n_{l−1} × n_l. */
export const graphWeights: BlockKind['shape'] = (widths, l) => [widths[l - 1] ?? 0, widths[l] ?? 0];
/** b_l, a row. */
export const biases: BlockKind['shape'] = (widths, l) => [1, widths[l] ?? 0];
/** A row of n_l for each sample. */
export const bySample: BlockKind['shape'] = (widths, l, rows) => [rows, widths[l] ?? 0];

/** The blocks of variables: weights, biases, pre-activations, activations, and the dual variable. */
export type Block = 'W' | 'b' | 'z' | 'a' | 'u';

/** The blocks of the splitting that keeps all constraints: weights (with biases), activations, multipliers. */
export type ConstraintBlock = 'W' | 'V' | 'Lambda';

/** The blocks of a graph convolutional network: weights, the outputs of a layer, and the dual variable. */
export type GraphBlock = 'W' | 'Z' | 'U';

/** The blocks of the splitting with matrix penalties: those of dlADMM, u of every layer, and both metrics of a layer. */
export type MetricBlock = 'W' | 'z' | 'a' | 'u' | 'P' | 'G';
/** What can be read there besides. */
export type MetricReading = MetricBlock | 'b' | 'velocity' | 'target';

/** A block of any splitting. */
export type AnyBlock = Block | ConstraintBlock | GraphBlock | MetricReading;

/** Minimise the augmented Lagrangian over one block of layer 1 … L, the rest held fixed (for a dual variable: its step). */
export interface Update<B extends string = Block> {
  readonly block: B;
  readonly layer: number;
}

/** The ordered updates of one iteration, for a network of L layers. */
export type Sweep<B extends string = Block> = (L: number) => Iterable<Update<B>>;

/** An update of the splitting that keeps all constraints. */
export type ConstraintUpdate = Update<ConstraintBlock>;
/** A sweep of it, for a network of N layers. */
export type ConstraintSweep = Sweep<ConstraintBlock>;
/** An update of the splitting with matrix penalties. */
export type MetricUpdate = Update<MetricBlock>;
/** An update of dlADMM on a graph. */
export type GraphUpdate = Update<GraphBlock>;
/** A sweep of it. */
export type GraphSweep = Sweep<GraphBlock>;

/** Minimises over the weights of a layer. */
export const W = (layer: number): Update<'W'> => ({ block: 'W', layer });
/** Minimises over the biases of a layer. */
export const b = (layer: number): Update<'b'> => ({ block: 'b', layer });
/** Minimises over the pre-activations of a layer. */
export const z = (layer: number): Update<'z'> => ({ block: 'z', layer });
/** Minimises over the activations of a hidden layer. */
export const a = (layer: number): Update<'a'> => ({ block: 'a', layer });
/** Moves the multiplier of the output constraint. */
export const u = (layer: number): Update<'u'> => ({ block: 'u', layer });
/** Minimises over the activations of a layer, where every constraint has its multiplier. */
export const V = (layer: number): Update<'V'> => ({ block: 'V', layer });
/** Minimises over the outputs of a layer of a graph convolutional network. */
export const Z = (layer: number): Update<'Z'> => ({ block: 'Z', layer });
/** Moves the multiplier of its output constraint. */
export const U = (layer: number): Update<'U'> => ({ block: 'U', layer });
/** Finds the matrix penalty of a layer’s constraint, from multipliers for labels that the model draws. */
export const P = (layer: number): Update<'P'> => ({ block: 'P', layer });
/** Finds the metric on the inputs of a layer. */
export const G = (layer: number): Update<'G'> => ({ block: 'G', layer });
/** Moves the multiplier of a layer’s constraint. */
export const Lambda = (layer: number): Update<'Lambda'> => ({ block: 'Lambda', layer });

const MOST_UPDATES = 100_000;

/**
 * The updates of a sweep, checked.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function listUpdates<B extends string>(blocks: Blocks<B>, sweep: Sweep<B>, L: number): readonly Update<B>[] {
  if (typeof sweep !== 'function') throw expected('a function of the number of layers', 'sweep', sweep);
  const all: unknown = sweep(L);
  if (!isIterable(all)) throw expected('an iterable of updates', 'what the sweep returns', all);
  const updates: Update<B>[] = [];
  for (const update of all) {
    updates.push(checkedUpdate(blocks, update, L, `update ${updates.length} of the sweep`));
    if (updates.length > MOST_UPDATES)
      throw new DlAdmmError('ERR_DLADMM_RANGE', 'Expected a sweep of at most 100,000 updates');
  }
  if (updates.length === 0) throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected at least one update in the sweep');
  return updates;
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'string' ||
  (typeof value === 'object' && value !== null && !isRevoked(value) && Symbol.iterator in value);

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE unless there is such an update */
export function checkedUpdate<B extends string>(
  blocks: Blocks<B>,
  update: unknown,
  L: number,
  name: string,
): Update<B> {
  checkObject(update, '{ block, layer }', name);
  const { block, layer } = update as Partial<Update>;
  const alone = Object.entries<BlockKind>(blocks).filter(([, kind]) => kind.alone !== false);
  return checkedBlock(Object.fromEntries(alone) as Blocks<B>, block, layer, L, name);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE unless that layer has such a block */
export function checkedBlock<B extends string>(
  blocks: Blocks<B>,
  block: unknown,
  layer: unknown,
  L: number,
  name: string,
): Update<B> {
  const names = Object.keys(blocks) as B[];
  const found = names.find((known) => known === block);
  if (found === undefined) throw expected(`a block ${names.map((known) => `'${known}'`).join(' or ')}`, name, block);
  const { layers } = blocks[found];
  const [low, high] = [layers === 'last' ? L : 1, layers === 'hidden' ? L - 1 : L];
  if (typeof layer !== 'number' || !Number.isInteger(layer) || layer < low || layer > high) {
    throw expected(`a layer from ${low} to ${high} for block ${found}`, name, layer, 'ERR_DLADMM_RANGE');
  }
  return { block: found, layer };
}
