/** What the tests of this folder learn from. */

/** A ring of ten nodes, of which every other one is learnt from. */
const NEIGHBOURS = Array.from({ length: 10 }, (_, i) => [(i + 9) % 10, (i + 1) % 10].sort((a, b) => a - b));
export const ring = {
  adjacency: {
    data: new Float32Array(20).fill(1),
    indices: Int32Array.from(NEIGHBOURS.flat()),
    indptr: Int32Array.from({ length: 11 }, (_, i) => 2 * i),
    rows: 10,
    columns: 10,
  },
  features: { data: Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)), rows: 10, columns: 2 },
  labels: Int32Array.from({ length: 10 }, (_, i) => (i < 5 ? 0 : 1)),
  trainIndex: Int32Array.of(0, 2, 4, 6, 8),
};
