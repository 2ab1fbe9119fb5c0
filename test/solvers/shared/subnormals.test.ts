import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { decodeSafetensors } from '../../../src/formats/safetensors.js';
import { fit } from '../../../src/index.js';

const SAMPLES = 24;
const INPUTS = 6;
/** The first three features are those of the samples, the others 0 everywhere. */
const x = Float32Array.from({ length: SAMPLES * INPUTS }, (_, i) => (i % INPUTS < 3 ? Math.sin(i * i) : 0));
const labels = Int32Array.from({ length: SAMPLES }, (_, i) => i % 2);

/** The least normal number of float32. */
const LEAST = 2 ** -126;

// What belongs to a dead feature is multiplied by the same factor at every step (its weights by that of l2, moments by their decay): after
// 3,000 steps it would stay at a subnormal number, which its factor rounds to itself, and arithmetic on those takes a
// hundred times as long. Where they are flushed it stays at 0, or at a number whose change is flushed.
test.each([
  ['sgd', { learningRate: 0.5, l2: 0.2 }],
  ['adam', { learningRate: 0.05, loss: 'hinge' }],
  ['adadelta', { l2: 0.1 }],
  ['nadamw', { learningRate: 0.05 }],
  ['schedule-free', {}],
  ['muon', { layers: [INPUTS, 5, 5, 2] }],
  ['soap', { l2: 0.2 }],
  ['isaac', { learningRate: 0.5, l2: 0.2 }],
  ['badm', { l2: 0.2 }],
  ['sisa', { l2: 0.2 }],
  ['minibatch-admm', { l2: 0.2 }],
  ['minibatch-admm', { l2: 0.2, factors: 'input' }],
  ['dladmm', { l2: 0.2 }],
] as const)('%s holds no subnormal number after 3,000 steps with dead features', async (solver, options) => {
  const folder = await mkdtemp(join(tmpdir(), 'dladmm-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'checkpoint');
  const length = solver === 'dladmm' ? { iterations: 3000 } : { epochs: 1000, batchSize: 8 };
  const run = { solver, layers: [INPUTS, 5, 2], threads: 2, ...length, ...options, checkpoint: { path, every: 1e9 } };
  const { status } = await fit({ x, labels }, run as never);
  expect(status.kind).toBe('completed');
  const { tensors } = decodeSafetensors(readFileSync(path), path);
  const floats = [...tensors.values()].flatMap(({ data }) => (data instanceof Float32Array ? [...data] : []));
  const sizes = floats.map(Math.abs);
  expect(sizes.filter((size) => size > 0 && size < LEAST)).toEqual([]);
  expect(sizes.filter((size) => size < 1e-30).length).toBeGreaterThan(0);
});
