import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { fit, GraphModel } from '../../src/index.js';

const rows = Array.from({ length: 60 }, (_, i) => ({ a: i, b: i % 7, y: i % 2 === 0 ? 'even' : 'odd' }));

test('a model is shown, and written as JSON, as what it is, without its parameters', async () => {
  const { model, ...rest } = await fit(rows, { target: 'y', solver: 'adam', hidden: [5], iterations: 2, threads: 1 });
  const [inputs] = model.network.layers;
  const told = {
    kind: 'perceptron',
    ...{ layers: [inputs, 5, 2], activation: 'relu', loss: 'softmax-cross-entropy', dtype: 'float32' },
    parameters: ((inputs ?? 0) + 1) * 5 + 6 * 2,
    ...{ classes: ['even', 'odd'], target: 'y', columns: ['a', 'b'] },
  };
  expect(JSON.parse(JSON.stringify({ model, ...rest })).model).toEqual(told);
  expect(inspect(model)).toMatch(/^Model \{\n {2}kind: 'perceptron'/);
  expect(inspect(model)).toContain('parameters: ');
  expect(inspect(model).length).toBeLessThan(400);
  expect(inspect({ a: { b: { model } } })).toContain('[Model]');
});

test('a model of a graph too, which has no biases', () => {
  const network = { layers: [2, 3, 2], activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  const weights = [new Float32Array(6), new Float32Array(6)];
  using model = new GraphModel({ network, dtype: 'float32', weights });
  expect(model.toJSON()).toEqual({ kind: 'gcn', ...network, dtype: 'float32', parameters: 12 });
  expect(inspect(model)).toMatch(/^GraphModel \{/);
});
