// A training with a checkpoint after every iteration, which goes on from the last one where there is one.
// node checkpointed.mjs FILE OPTIONS prints "begun", and at the end "learnt" with a checksum of the parameters.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fit as fitModel, resume } from '../../dist/index.js';

const [path, options] = process.argv.slice(2);
const SAMPLES = 3000;
const x = Float32Array.from({ length: SAMPLES * 40 }, (_, i) => Math.sin(i * i));
const labels = Int32Array.from({ length: SAMPLES }, (_, i) => (i * 7) % 10);
const data = { x, labels };

console.log('begun');
const { model } = existsSync(path)
  ? await resume(path, data)
  : await fitModel(data, { ...JSON.parse(options), checkpoint: { path, every: 1 } });
const hash = createHash('sha256');
for (const values of [...model.weights, ...model.biases]) hash.update(values);
console.log('learnt', hash.digest('hex'));
