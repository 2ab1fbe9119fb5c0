// npm install dladmm
// Which of 500 columns matter: 20 decide, 480 are noise. The group lasso over the inputs of a network, beside logistic regression with
// l1, both with the strength that cross-validation of the training rows chooses; no row that judges the models has a say in it.
//
//     node select.mjs [seeds] [rows] [strengths]
import { path } from 'dladmm/choosing';

const [seeds = '10', rows = '3000', count = '12'] = process.argv.slice(2);
const [COLUMNS, USEFUL] = [500, 20];

/** Numbers between 0 and 1 by a seed (mulberry32). */
const drawnBy = (seed) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Every other useful column bends: it counts by tanh(2x). */
function tableOf(seed, rows) {
  const draw = drawnBy(seed);
  const gaussian = () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
  const x = { rows, columns: COLUMNS, data: new Float32Array(rows * COLUMNS) };
  const labels = new Int32Array(rows);
  for (let i = 0; i < rows; i += 1) {
    let score = 0;
    for (let k = 0; k < COLUMNS; k += 1) {
      const value = gaussian();
      x.data[i * COLUMNS + k] = value;
      if (k < USEFUL) score += (k % 3 === 0 ? -1 : 1) * (k % 2 === 0 ? value : Math.tanh(2 * value));
    }
    labels[i] = draw() < 1 / (1 + Math.exp(-score)) ? 1 : 0;
  }
  return { x, labels };
}

// All rows a batch: the noise of smaller ones keeps columns that the strength would leave out.
const common = { solver: 'minibatch-admm', classes: ['no', 'yes'], epochs: 40, batchSize: 2 ** 20 };
// The first strength must be one that a network which knows nothing yet survives: from 0.08 on all columns of some tables went at once, and
// what is all 0 has no gradient back. From 0.01 on it grows first. The ends were chosen on tables of other seeds (101 to 103).
const MODELS = {
  'group lasso': [{ ...common, layers: [COLUMNS, 8, 2], regularise: { W: [{ inputs: 1 }, {}] } }, 0.01, 0.4],
  'l1 logistic': [{ ...common, layers: [COLUMNS, 2], regularise: { W: { l1: 1 } } }, 0.006, 0.06],
};

console.log('seed  model        strength   useful kept  others kept  accuracy  seconds');
for (let seed = 1; seed <= Number(seeds); seed += 1) {
  const train = tableOf(seed, Number(rows));
  const test = tableOf(1000 + seed, 5000);
  for (const [name, [options, from, to]] of Object.entries(MODELS)) {
    const began = performance.now();
    const strengths = { from, to, count: Number(count) };
    const { chosen, model } = await path(
      train,
      { ...options, seed },
      { strengths, folds: 4, metric: 'accuracy', refit: true },
    );
    const [W] = model.weights;
    const kept = Array.from({ length: COLUMNS }, (_, k) => W.some((w, i) => i % COLUMNS === k && w !== 0));
    const [useful, others] = [kept.slice(0, USEFUL), kept.slice(USEFUL)].map((part) => part.filter(Boolean).length);
    const { accuracy } = await model.evaluate(test);
    const seconds = (performance.now() - began) / 1000;
    const cells = [chosen.strength.toPrecision(3).padEnd(9), useful, others, accuracy.toFixed(4), seconds.toFixed(1)];
    console.log([String(seed).padEnd(4), name, ...cells].join('  '));
    model.close();
  }
}
