import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/core/random.js';
import type { GraphSamples } from '../../src/graph.js';
import { fit, readCheckpoint, resume, type TrainingData } from '../../src/index.js';
import type { Metric } from '../../src/judging/metrics.js';
import { METRICS, metricsFor } from '../../src/judging/metrics.js';
import { GRAPH_SOLVERS, SAMPLE_SOLVERS } from '../../src/solvers/index.js';

const folder = mkdtempSync(join(tmpdir(), 'dladmm-watching-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const random = seededRandom(3);
const normal = () => random.normal();
/** Two classes of which one is rare, in four features. */
function rare(count: number, share: number) {
  const labels = Int32Array.from({ length: count }, (_, i) => (i % Math.round(1 / share) === 0 ? 1 : 0));
  const x = Array.from(labels, (label) => [normal() + 1.5 * label, normal(), normal() - label, normal()]);
  return { x, labels };
}
const part = (from: { x: number[][]; labels: Int32Array }) => ({ x: from.x, labels: from.labels });
const balanced = { ...part(rare(90, 0.5)), validation: part(rare(60, 0.5)) };
const values = (count: number) => {
  const x = Array.from({ length: count }, () => [normal(), normal(), normal(), normal()]);
  return { x, y: x.map(([a = 0, b = 0]) => [20 + 5 * a - 3 * b + normal()]) };
};
const houses: TrainingData = { ...values(90), validation: values(60) };

const TASKS = [
  ['probabilities', balanced, { layers: [4, 5, 2] }],
  ['classes', balanced, { layers: [4, 5, 2], loss: 'hinge' }],
  ['values', houses, { layers: [4, 5, 1], loss: 'squared-error' }],
] as const;

describe.each(TASKS)('of %s', (kind, data, options) => {
  test.each(metricsFor(kind))('%s is watched, told, and best in the model that is kept', async (metric) => {
    const told = { ...options, solver: 'adam', epochs: 12, earlyStopping: { patience: 4, metric } } as const;
    const { history, model, status } = (await fit(data as never, told as never)) as Awaited<ReturnType<typeof fit>>;
    const seen = history.map(({ validation }) => validation?.[metric] as number);
    expect(seen.every(Number.isFinite)).toBe(true);
    const best = METRICS[metric].better === 'more' ? Math.max(...seen) : Math.min(...seen);
    const { [metric]: kept } = (await model.evaluate(data.validation as never)) as unknown as Record<Metric, number>;
    expect(kept).toBeCloseTo(best, 5);
    if (status.kind === 'early-stopped') expect(status.bestIteration).toBe(seen.indexOf(best) + 1);
  });
});

const NEEDS: Readonly<Record<string, object>> = {
  'sigmoid-admm': { activation: 'sigmoid', loss: 'one-hot-squared-error' },
  sisa: { subBatches: 3 },
};

test.each(SAMPLE_SOLVERS.map(({ name }) => name))('%s stops by any metric', async (solver) => {
  const own = NEEDS[solver];
  const metric = own && 'loss' in own ? 'balancedAccuracy' : 'rocAuc';
  const options = { solver, layers: [4, 5, 2], iterations: 6, earlyStopping: { patience: 2, metric }, ...own };
  const { history, model } = (await fit(balanced, options as never)) as Awaited<ReturnType<typeof fit>>;
  const best = Math.max(...history.map(({ validation }) => validation?.[metric] as number));
  expect(((await model.evaluate(balanced.validation)) as never)[metric]).toBeCloseTo(best, 5);
});

/** A ring of nodes, of two classes. */
const graph: GraphSamples = {
  adjacency: {
    rows: 24,
    columns: 24,
    indptr: Int32Array.from({ length: 25 }, (_, i) => i),
    indices: Int32Array.from({ length: 24 }, (_, i) => (i + 3) % 24),
    data: new Float64Array(24).fill(1),
  },
  features: { rows: 24, columns: 3, data: Float64Array.from({ length: 72 }, (_, i) => normal() + (i < 36 ? 1 : 0)) },
  labels: Int32Array.from({ length: 24 }, (_, i) => (i < 12 ? 0 : 1)),
  trainIndex: [0, 1, 2, 12, 13, 14],
  validationIndex: [5, 6, 7, 17, 18, 19],
};

test.each(GRAPH_SOLVERS.map(({ name }) => name))('%s on a graph stops by any metric', async (solver) => {
  const options = { solver, layers: [3, 4, 2], iterations: 6, earlyStopping: { patience: 3, metric: 'logLoss' } };
  const { history, model } = await fit(graph, options as never);
  const best = Math.min(...history.map(({ validation }) => validation?.logLoss as number));
  const told = await model.evaluate(graph, graph.validationIndex as never);
  expect((told as { logLoss?: number }).logLoss).toBeCloseTo(best, 5);
});

describe('two per cent of positives', () => {
  const data = { ...part(rare(6000, 0.02)), validation: part(rare(6000, 0.02)) };
  const options = { solver: 'adam', layers: [4, 8, 2], epochs: 60, batchSize: 128, learningRate: 5e-3 } as const;
  const worth = async (earlyStopping: object) => {
    const { model, history } = await fit(data, { ...options, earlyStopping });
    return { epochs: history.length, auc: (await model.evaluate(data.validation)).rocAuc as number };
  };

  test('are learnt by the loss, which is the default, and by the area; accuracy stops before', async () => {
    const [byDefault, byLoss, byArea, byAccuracy] = [
      await worth({}),
      await worth({ metric: 'loss' }),
      await worth({ metric: 'rocAuc' }),
      await worth({ metric: 'accuracy' }),
    ];
    expect(byDefault).toEqual(byLoss);
    expect(byLoss.auc).toBeGreaterThan(0.85);
    expect(byArea.auc).toBeGreaterThan(0.85);
    expect(byAccuracy.epochs).toBeLessThan(byLoss.epochs);
    expect(byAccuracy.auc).toBeLessThan(byLoss.auc);
  });

  test('decide between a linear model and a network by what is watched', async () => {
    const { report, history } = await fit(part(rare(600, 0.1)), { epochs: 8, earlyStopping: { metric: 'prAuc' } });
    expect(history.every(({ validation }) => Number.isFinite(validation?.prAuc))).toBe(true);
    expect((report.scores as { prAuc?: number }).prAuc).toBeCloseTo(
      Math.max(...history.map(({ validation }) => validation?.prAuc as number)),
      5,
    );
  });
});

test('a checkpoint says what was watched, and goes on by it', async () => {
  const path = join(folder, 'run.checkpoint');
  const options = { solver: 'adam', layers: [4, 5, 2], earlyStopping: { patience: 50, metric: 'rocAuc' } } as const;
  const whole = await fit(balanced, { ...options, epochs: 8 });
  const first = await fit(balanced, { ...options, epochs: 4, checkpoint: { path, every: 1 } });
  const areas = first.history.map(({ validation }) => validation?.rocAuc as number);
  const { best, options: stored } = await readCheckpoint(path);
  expect(best).toEqual({
    iteration: areas.indexOf(Math.max(...areas)) + 1,
    metric: 'rocAuc',
    value: Math.max(...areas),
  });
  expect(stored.earlyStopping).toEqual({ patience: 50, metric: 'rocAuc' });
  const other = { epochs: 8, earlyStopping: { metric: 'loss' } } as object;
  await expect(resume(path, balanced, other)).rejects.toMatchObject({ code: 'ERR_DLADMM_CHECKPOINT' });
  const again = await resume(path, balanced, { epochs: 8, earlyStopping: { patience: 50 } } as object);
  expect(again.model.weights).toEqual(whole.model.weights);
});

describe('is refused before any work:', () => {
  const refused = (metric: string, more: object = {}, data: object = balanced) => {
    const options = { solver: 'adam', layers: [4, 2], epochs: 2, earlyStopping: { metric }, ...more };
    return expect(fit(data as TrainingData, options as never)).rejects;
  };
  const argument = (message: RegExp) => ({ code: 'ERR_DLADMM_ARGUMENT', message: expect.stringMatching(message) });

  const AUTO = { solver: 'auto', layers: undefined };

  test('a metric that is none, or of another task', async () => {
    await refused('auc').toMatchObject(argument(/'rocAuc'.*earlyStopping\.metric.*"auc"/));
    await refused('r2').toMatchObject(argument(/rocAuc.*as softmax-cross-entropy has it/));
    await refused('rocAuc', { loss: 'hinge' }).toMatchObject(argument(/macroF1, loss, as hinge has it/));
    await refused('accuracy', { loss: 'squared-error', layers: [4, 1] }, houses).toMatchObject(argument(/mae/));
    await refused('accuracy', AUTO, houses).toMatchObject(argument(/mae/));
    await refused('poissonDeviance', AUTO, houses).toMatchObject(argument(/mae.*as squared-error has it/));
    await refused('mae', { ...AUTO, task: 'classification' }).toMatchObject(argument(/rocAuc/));
  });

  test('a metric that the validation set cannot tell', async () => {
    const validation = { x: [[1, 2, 3, 4]], labels: [0] };
    await refused('rocAuc', {}, { ...balanced, validation }).toMatchObject(argument(/two classes/));
    const one = { x: [[1, 2, 3, 4]], y: [[1]] };
    const options = { loss: 'squared-error', layers: [4, 1] };
    await refused('r2', options, { ...houses, validation: one }).toMatchObject(argument(/two samples/));
  });
});
