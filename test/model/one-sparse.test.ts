import { expect, test } from 'vitest';
import { fit } from '../../src/index.js';

const SPARSE = Array.from({ length: 60 }, (_, i) => ({ indices: [i % 5], values: [1] }));

test('a sparse row alone is one sample, with one answer', async () => {
  const labels = SPARSE.map((_, i) => (i % 5 > 2 ? 1 : 0));
  const options = { solver: 'adam', layers: [5, 4, 2], iterations: 5, threads: 1 } as const;
  const { model } = await fit({ x: SPARSE, labels }, options);
  const row = { indices: [1], values: [1] };
  const { label, probabilities } = await model.predict(row);
  const many = await model.predict([row]);
  expect([label, probabilities]).toEqual([many.labels[0], [...many.probabilities.data]]);
  expect(model.predictSync(row).probabilities).toEqual(probabilities);
  const far = { indices: [7], values: [1] };
  await expect(model.predict(far)).rejects.toThrow(/from 0 to 4 for x\.indices\[0\] but received 7/);
  expect(() => model.predictSync(far)).toThrow(/received 7/);
});

test('columns that are called indices and values are columns', async () => {
  const table = { indices: [1, 2, 3, 4, 5, 6], values: [2, 1, 2, 1, 2, 1], y: ['a', 'b', 'a', 'b', 'a', 'b'] };
  const { model } = await fit(table, { target: 'y', iterations: 3, threads: 1 });
  const { labels } = (await model.predict({ indices: [1, 2], values: [2, 1] } as object)) as never;
  expect(labels).toHaveLength(2);
});
