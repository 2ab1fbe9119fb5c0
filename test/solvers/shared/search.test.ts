import { describe, expect, test } from 'vitest';
import { fit } from '../../../src/index.js';
import type { GraphSamples } from '../../../src/samples/graph-samples.js';
import { numbers } from '../../reference/addon.js';

const next = numbers(5);
const NODES = 30;
const X = Float32Array.from({ length: NODES * 4 }, next);
const labels = Int32Array.from({ length: NODES }, (_, i) => i % 3);
const RING: GraphSamples = {
  adjacency: {
    rows: NODES,
    columns: NODES,
    indptr: Float64Array.from({ length: NODES + 1 }, (_, i) => i),
    indices: Int32Array.from({ length: NODES }, (_, i) => (i + 1) % NODES),
    data: new Float32Array(NODES).fill(1),
  },
  features: { data: X, rows: NODES, columns: 4 },
  labels,
  trainIndex: [...Array(12).keys()],
};

// The least number above 0 does not grow by a factor below 1.5, and is 0 to a thread that flushes subnormals.
describe.each(['theta0', 'tau0'])('a search for a step that begins with a subnormal %s', (name) => {
  test.each([1.01, 1.4, 2, 1e9])('and grows by %d ends with a step, on samples and on graphs', async (growth) => {
    const options = { layers: [4, 5, 3], iterations: 3, threads: 1, nu: 1, rho: 1, growth, [name]: Number.MIN_VALUE };
    for (const { status, history } of [await fit({ x: X, labels }, options), await fit(RING, options)]) {
      expect(status).toEqual({ kind: 'completed' });
      const steps = history.flatMap(({ updates }) => updates.filter(({ stepNorm }) => stepNorm !== undefined));
      expect(steps.length).toBeGreaterThan(0);
      for (const step of steps) expect(step).not.toHaveProperty('kept');
      expect(steps.some(({ stepNorm = 0 }) => stepNorm > 0)).toBe(true);
    }
  });
});
