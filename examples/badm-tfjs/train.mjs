// npm install dladmm @tensorflow/tfjs
// A small convolutional network, trained by BADM: TensorFlow.js gives the gradients, dladmm's BadmOptimizer the steps. node train.mjs [EPOCHS]
import * as tf from '@tensorflow/tfjs';
import { loadDataset } from 'dladmm/data';
import { BadmOptimizer } from 'dladmm/solvers';

const EPOCHS = Number(process.argv[2] ?? 8);
const BATCH = 64;
const SUB_BATCHES = 2;

const { train, test } = await loadDataset('digits');
await tf.setBackend('cpu');

/** 8 × 8 images → 8 feature maps of 3 × 3 filters → pooled to 4 × 4 → 10 classes. */
const shapes = [[3, 3, 1, 8], [8], [4 * 4 * 8, 10], [10]];

/** The parameters: plain arrays, which the optimizer changes in place. */
const parameters = shapes.map((shape) => {
  const fanIn = shape.length === 1 ? 0 : shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return fanIn === 0
    ? new Float32Array(shape[0])
    : tf.randomNormal(shape, 0, Math.sqrt(2 / fanIn), 'float32', fanIn).dataSync();
});

function logits(x, [filters, filterBiases, weights, biases]) {
  const maps = tf.relu(tf.add(tf.conv2d(x, filters, 1, 'same'), filterBiases));
  return tf.add(tf.matMul(tf.maxPool(maps, 2, 2, 'valid').reshape([x.shape[0], 128]), weights), biases);
}

const images = ({ x }, rows) =>
  tf.tensor4d(Float32Array.from(rows.flatMap((i) => [...x.data.subarray(i * 64, (i + 1) * 64)])), [
    rows.length,
    8,
    8,
    1,
  ]);
const tensors = () => parameters.map((values, k) => tf.tensor(values, shapes[k]));

/** The mean loss over some samples, and its gradient as plain arrays. */
function lossAndGradient(rows) {
  return tf.tidy(() => {
    const labels = tf.oneHot(
      rows.map((i) => train.labels[i]),
      10,
    );
    const x = images(train, rows);
    const { value, grads } = tf.valueAndGrads((...w) => tf.losses.softmaxCrossEntropy(labels, logits(x, w)))(tensors());
    return { loss: value.dataSync()[0], gradient: grads.map((g) => g.dataSync()) };
  });
}

function accuracy(set) {
  return tf.tidy(() => {
    const rows = Array.from(set.labels.keys());
    const named = logits(images(set, rows), tensors()).argMax(1).dataSync();
    return rows.filter((i) => named[i] === set.labels[i]).length / rows.length;
  });
}

const optimizer = new BadmOptimizer({ sigma: 1, rho: 20, subBatches: SUB_BATCHES });
const order = Array.from(train.labels.keys());
for (let epoch = 1; epoch <= EPOCHS; epoch += 1) {
  tf.util.shuffle(order);
  let loss = 0;
  let steps = 0;
  for (let first = 0; first + BATCH <= order.length; first += BATCH) {
    const size = BATCH / SUB_BATCHES;
    const parts = Array.from({ length: SUB_BATCHES }, (_, s) =>
      lossAndGradient(order.slice(first + s * size, first + (s + 1) * size)),
    );
    optimizer.step(
      parameters,
      parts.map(({ gradient }) => gradient),
    );
    loss += parts.reduce((sum, part) => sum + part.loss / SUB_BATCHES, 0);
    steps += 1;
  }
  console.log(`epoch ${epoch}: loss ${(loss / steps).toFixed(4)}, test accuracy ${accuracy(test).toFixed(4)}`);
}
