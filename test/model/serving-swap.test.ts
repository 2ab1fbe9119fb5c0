import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fit, Model } from '../../src/index.js';
import { temporaryFolder } from '../formats/support.js';
import { numbers } from './onnx/support.js';

/** A model that says `label` of every sample. */
const says = (label: number): Model =>
  new Model({
    network: { layers: [20, 64, 3], activation: 'relu', loss: 'softmax-cross-entropy' },
    dtype: 'float32',
    weights: [numbers(64 * 20, 1), new Float32Array(3 * 64)],
    biases: [numbers(64, 2), Float32Array.from([0, 1, 2], (place) => (place === label ? 9 : 0))],
    threads: 2,
  });

test('models change places while predictions are under way, and none is lost', async () => {
  const path = join(await temporaryFolder(), 'model.safetensors');
  let current = says(0);
  let ended = false;
  const [one, many] = [Array.from(numbers(20, 3)), numbers(20 * 5000, 4)];
  /** What one of those who ask is told, one answer after the other. */
  const asks = async (x: number[] | Float32Array): Promise<readonly number[]> => {
    const told: number[] = [];
    while (!ended) {
      const answer = await current.predict(x as number[]);
      const labels = 'labels' in answer ? new Set<unknown>(answer.labels) : new Set<unknown>([answer.label]);
      expect(labels.size).toBe(1);
      told.push(...([...labels] as number[]));
    }
    return told;
  };
  const asked = Promise.all([one, one, many, many].map(asks));
  for (let swap = 1; swap <= 6; swap += 1) {
    await says(swap % 3).save(path);
    const previous = current;
    current = await Model.load(path);
    await previous.close({ drain: true });
    await expect(previous.predict(one)).rejects.toThrow(expect.objectContaining({ code: 'ERR_DLADMM_CLOSED' }));
  }
  ended = true;
  const answers = await asked;
  current.close();
  // Every one of them ended well, and all models have spoken.
  expect(new Set(answers.flat())).toEqual(new Set([0, 1, 2]));
});

test('the numbers that docs/serving.md makes for Prometheus are in its text format', async () => {
  const page = readFileSync(new URL('../../docs/serving.md', import.meta.url), 'utf8');
  const [recipe] = [...page.matchAll(/^```js\n(.*?)^```$/gms)].flatMap(([, code = '']) =>
    /Prometheus|# TYPE/.test(code) ? [code] : [],
  );
  const samples = { x: numbers(300 * 64, 5), labels: Int32Array.from({ length: 300 }, (_, i) => i % 10) };
  const AsyncFunction = (async () => undefined).constructor as new (
    ...code: string[]
  ) => (...given: unknown[]) => Promise<string>;
  const metrics = await new AsyncFunction('fit', 'data', `${recipe?.replace(/^import .*$/m, '')}; return metrics;`)(
    fit,
    {
      ...samples,
      test: samples,
    },
  );
  const metric = /# TYPE ([a-zA-Z_:][\w:]*) gauge\n\1 [+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?\n/gy;
  const found = [...metrics.matchAll(metric)];
  expect(found.map(([text]) => text).join('')).toBe(metrics);
  expect(found.map(([, name]) => name)).toEqual([
    'dladmm_iteration',
    'dladmm_seconds',
    'dladmm_test_loss',
    'dladmm_test_accuracy',
  ]);
});
