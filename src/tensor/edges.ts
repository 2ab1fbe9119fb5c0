/** The edges of a graph as pairs of nodes. */
import { expected } from '../core/errors.js';
import type { NativeCsr } from '../core/native.js';
import { isArray, isNumericArray } from './inputs.js';

/** Edges by the numbers of their nodes, [from, to], each of weight 1. */
export type Edges = readonly (readonly number[])[];

export const areEdges = (adjacency: unknown): adjacency is readonly unknown[] => isArray(adjacency);

/** A node at one end of an edge. @throws DlAdmmError ERR_DLADMM_RANGE */
function endOf(edge: ArrayLike<unknown>, end: 0 | 1, nodes: number, name: string): number {
  const node = edge[end];
  if (typeof node !== 'number' || !Number.isInteger(node) || node < 0 || node >= nodes) {
    throw expected(`a node from 0 to ${nodes - 1}`, `${name}[${end}]`, node, 'ERR_DLADMM_RANGE');
  }
  return node;
}

/**
 * The adjacency, nodes × nodes, of so many nodes.
 *
 * @throws DlAdmmError ERR_DLADMM_SHAPE for what is no pair, ERR_DLADMM_RANGE for what is no node; the message names the place
 */
export function adjacencyOfEdges(edges: readonly unknown[], nodes: number, name: string): NativeCsr {
  const pairs = Int32Array.from({ length: 2 * edges.length });
  const indptr = new Float64Array(nodes + 1);
  for (let k = 0; k < edges.length; k += 1) {
    const edge: unknown = edges[k];
    if (!(isArray(edge) || isNumericArray(edge)) || edge.length !== 2) {
      throw expected('a pair of nodes, [from, to],', `${name}[${k}]`, edge, 'ERR_DLADMM_SHAPE');
    }
    const from = endOf(edge, 0, nodes, `${name}[${k}]`);
    pairs[2 * k] = from;
    pairs[2 * k + 1] = endOf(edge, 1, nodes, `${name}[${k}]`);
    indptr[from + 1] = (indptr[from + 1] as number) + 1;
  }
  for (let i = 0; i < nodes; i += 1) indptr[i + 1] = (indptr[i + 1] as number) + (indptr[i] as number);
  const next = indptr.slice();
  const indices = new Int32Array(edges.length);
  for (let k = 0; k < edges.length; k += 1) {
    const from = pairs[2 * k] as number;
    const at = next[from] as number;
    next[from] = at + 1;
    indices[at] = pairs[2 * k + 1] as number;
  }
  return { rows: nodes, columns: nodes, indptr, indices, values: new Float64Array(edges.length).fill(1) };
}
