import { expect, it } from 'vitest';
import { importance } from '../../src/choosing.js';
import { describeDataset, loadDataset, splitDataset } from '../../src/data.js';
import { describeGraph, rowNormalised, splitGraph } from '../../src/graph.js';
import { fit } from '../../src/index.js';
import { exportOnnx } from '../../src/onnx.js';

// What is no data set, no graph and no model is told by a typed error, whatever it is.

const x = [[0], [1]];
const options = { layers: [1, 2], iterations: 1 } as const;
function revoked(): never {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return proxy as never;
}
const odd: readonly (() => never)[] = [undefined, null, 1n, 'no', Symbol('s'), {}, [], new Uint8Array(8)]
  .map((value) => () => value as never)
  .concat(revoked);

const takers: Readonly<Record<string, (value: never) => unknown>> = {
  splitDataset: (value) => splitDataset(value, value, 0.5, 1),
  'share of splitDataset': (value) =>
    splitDataset({ data: new Float64Array(2), rows: 2, columns: 1 }, new Int32Array(2), value, 1),
  splitGraph: (value) => splitGraph(value, 1),
  rowNormalised: (value) => rowNormalised(value),
  exportOnnx: (value) => exportOnnx(value),
  importance: (value) => importance(value, [[0]]),
  describeDataset: (value) => describeDataset(value),
  loadDataset: (value) => loadDataset(value),
  describeGraph: (value) => describeGraph(value),
  'data of fit': (value) => fit(value, options),
  'labels of fit': (value) => fit({ x, labels: value }, options),
  'test of fit': (value) => fit({ x, labels: [0, 1], test: value ?? 1 }, options),
  'classes of fit': (value) => fit({ x, labels: [0, 1] }, { ...options, classes: value ?? 1 }),
};

it.each(Object.entries(takers))('%s refuses what it cannot take by a typed error', async (_, take) => {
  for (const make of odd) {
    const error: unknown = await (async () => take(make()))().catch((error: unknown) => error);
    expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_DLADMM_/) });
  }
});

it('labels that are not there are not looked through', async () => {
  const labels: number[] = [];
  labels.length = 2 ** 32 - 1;
  await expect(fit({ x, labels }, options)).rejects.toMatchObject({ code: 'ERR_DLADMM_SHAPE' });
});
