// Calls every method of the raw addon with arguments of every kind, in every order. Whatever is refused must be refused
// with an error; nothing may end the process. Run with --expose-gc; arguments: the seed, the number of rounds, and
// the most seconds. Guided by coverage where the addon counts its edges (npm run test:fuzz:native).
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { guided } from './guided.mjs';

/** The addon of DLADMM_ADDON, or that of the package. */
const { native } = process.env.DLADMM_ADDON
  ? { native: createRequire(import.meta.url)(process.env.DLADMM_ADDON) }
  : await import('../../dist/core/native.js');
const [seed = 1, numRuns = 300, seconds = 86_400] = process.argv.slice(2).map(Number);
let rounds = 0;

const number = fc.oneof(
  fc.integer({ min: -2, max: 5 }),
  fc.constantFrom(0.5, -0, 1e-300, 1e300, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 60),
);
const floats = (make) =>
  fc
    .tuple(
      fc.constantFrom(0, 1, 2, 3, 4, 6, 8, 10, 12, 15, 20),
      fc.constantFrom(0, 0.3, -2, 1e30, 1e300, NaN, Infinity),
    )
    .map(([length, value]) => new make(length).map((_, i) => value * Math.cos(i)));
const detached = fc.constantFrom(Float32Array, Float64Array, Int32Array).map((make) => {
  const array = new make(6);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
});
const rubbish = fc.oneof(
  fc.constantFrom(undefined, null, true, 'x', '', 7n, Symbol('s'), {}, [], () => 1, new Date(), new ArrayBuffer(8)),
  number,
  detached,
  fc.constantFrom(Uint8Array, BigInt64Array, Float64Array).map((make) => new make(3)),
  fc.constant(new DataView(new ArrayBuffer(8))),
  fc.constant(new Proxy({}, { get: () => 3 })),
  fc.constant(new Proxy([], {})),
);
const values = fc.oneof(floats(Float32Array), floats(Float64Array), rubbish);
const labels = fc.oneof(
  fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 6 }).map((list) => Int32Array.from(list)),
  rubbish,
);
/** An object of the given members, where now and then one is rubbish, missing, or a getter that throws or meddles. */
const members = (shape, meddle, finish = (drawn) => drawn) =>
  fc
    .record({
      good: fc.record(shape),
      name: fc.constantFrom(...Object.keys(shape)),
      bad: rubbish,
      how: fc.constantFrom(...new Array(12).fill('good'), 'bad', 'missing', 'throws', 'meddles'),
    })
    .map(({ good: drawn, name, bad, how }) => {
      const good = finish(drawn);
      if (how === 'good') return good;
      const { [name]: kept, ...rest } = good;
      if (how === 'missing') return rest;
      if (how === 'bad') return { ...rest, [name]: bad };
      const get = () => {
        if (how === 'throws') throw new Error('mine');
        meddle.now();
        return kept;
      };
      return Object.defineProperty(rest, name, { enumerable: true, get });
    });

/** A name, now and then one that there is not. */
const oneOf = (...names) => fc.constantFrom(...Array(10).fill(names).flat(), 'none', '');
const meddle = { now: () => undefined };
const width = fc.oneof(
  { weight: 60, arbitrary: fc.constantFrom(1, 2, 2, 3) },
  { weight: 1, arbitrary: fc.constantFrom(0, -1, 1.5, 2 ** 31, 2 ** 53, NaN, 'x', null) },
);
const network = {
  dtype: oneOf('float32', 'float64', 'float64'),
  widths: fc.oneof(
    { weight: 20, arbitrary: fc.array(width, { minLength: 2, maxLength: 4 }) },
    { weight: 1, arbitrary: rubbish },
  ),
  activation: oneOf('rectifier', 'rectifier', 'rectifier', 'sigmoid', 'tanh', 'elu', 'silu', 'gelu', 'softplus'),
  slope: number,
  loss: oneOf(
    ...['softmax-cross-entropy', 'squared-error', 'hinge', 'one-hot-squared-error', 'sigmoid-cross-entropy'],
    ...['huber', 'absolute', 'quantile', 'poisson'],
  ),
  lossParameter: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(0.5, 0.9) }, { weight: 1, arbitrary: number }),
  softmax: oneOf('stable', 'reference'),
  threads: fc.constantFrom(0, 1, 1, 1, 1, 2, 2, 3, 3, -1, NaN),
};
const steps = (...kinds) =>
  fc.oneof(
    { weight: 30, arbitrary: fc.array(fc.constantFrom(...kinds), { minLength: 4, maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(...kinds, 'none', 3), { minLength: 4, maxLength: 4 }) },
    { weight: 1, arbitrary: rubbish },
  );
const layered = {
  ...network,
  samples: fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 1, max: 4 }) },
    { weight: 1, arbitrary: fc.constantFrom(0, -1, 2 ** 40, 2 ** 53, NaN, 0.5) },
  ),
  gram: fc.oneof(fc.boolean(), rubbish),
  fista: fc.boolean(),
  proximal: fc.boolean(),
  spectral: fc.boolean(),
  jointBias: fc.boolean(),
  multiplier: oneOf('residual', 'output'),
  stepsW: steps('quadratic', 'cholesky', 'inverse', 'pseudoinverse'),
  stepsA: steps('quadratic', 'cholesky', 'inverse'),
};
const constraints = {
  ...network,
  activation: fc.constantFrom('sigmoid', 'sigmoid', 'tanh', 'rectifier', 'elu', 'gelu'),
  loss: fc.constantFrom('squared-error', 'squared-error', 'one-hot-squared-error', 'hinge'),
  samples: layered.samples,
};
/** Steps drawn for more layers than there may be, cut to those that there are. */
const fitted = (drawn) => {
  const cut = (list, less) =>
    Array.isArray(list) && Array.isArray(drawn.widths) ? list.slice(0, Math.max(0, drawn.widths.length - less)) : list;
  return { ...drawn, stepsW: cut(drawn.stepsW, 1), stepsA: cut(drawn.stepsA, 2) };
};
const mostly = (good, ...others) =>
  fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const strength = mostly(fc.constantFrom(0, 0.1, 2), 1e300, -1, Infinity, NaN);
const regulariser = members(
  {
    ...{ l1: strength, l2: strength, inputs: strength, neurons: mostly(fc.constant(0), 0.5, NaN) },
    lower: mostly(fc.constantFrom(-Infinity, 0), 0.5, NaN),
    upper: mostly(fc.constantFrom(Infinity, Infinity, 0), -1, NaN),
    neuronNorm: mostly(fc.constant(Infinity), 0.5, 0, NaN),
    norm: mostly(fc.constant(Infinity), 0.5, 0, NaN),
    nuclear: mostly(fc.constant(0), 0.1, NaN),
    spectralNorm: mostly(fc.constant(Infinity), 0.5, 0, NaN),
    neuronSigns: mostly(fc.constant(undefined), Int32Array.of(1, -1), Int32Array.of(1, 0, 7), [1]),
    inputSigns: mostly(fc.constant(Int32Array.of(1, 0)), Int32Array.of(-1), undefined),
    equal: mostly(fc.constant(undefined), Int32Array.of(1, 1), Int32Array.of(0, 3, -7), [1, 1]),
    zeroSum: mostly(fc.constant(false), true),
    centre: mostly(
      fc.constant(undefined),
      new Float64Array(4),
      Float64Array.of(1, NaN, 0, 2),
      new Float64Array(6),
      [1],
    ),
    kept: mostly(fc.constant(undefined), Int32Array.of(1, 0, 7, 0), Int32Array.of(0), new Float64Array(4), [1]),
  },
  meddle,
);
const regularisers = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 5, arbitrary: fc.array(regulariser, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: rubbish },
);
const penalties = {
  gamma: mostly(fc.constantFrom(1, 0.1, 1e-6, 10), 1e-300, 1e300, 0, NaN),
  nu: mostly(fc.constantFrom(1, 0.1, 1e-6), 1e-300, 1e300, 0, -1, NaN),
  rho: mostly(fc.constantFrom(1, 0.1, 1e-6), 1e-300, 1e300, 0, Infinity),
  l2: mostly(fc.constantFrom(0, 0.1), 1e300, -1),
  search: oneOf('exact', 'backtracking'),
  theta0: mostly(fc.constant(1), 1e-300, 1e300, 0),
  tau0: fc.constantFrom(1, 1e-300, 1e300),
  growth: mostly(fc.constantFrom(2, 1.5), 1e300, 1, NaN),
  output: fc.constantFrom('exact', 'fista'),
  fistaStep: fc.constantFrom(1, 0, -1, 1e300, NaN),
  fistaTolerance: fc.constantFrom(1e-3, 0, -1, NaN),
  fistaLimit: fc.constantFrom(0, 5, 50, -1, NaN),
  regularisers,
};
const updates = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .array(fc.constantFrom([0, 1], [0, 1], [1, 1], [2, 1], [0, 2], [2, 2], [3, 1], [4, 2]), { maxLength: 12 })
      .map((pairs) => Int32Array.from(pairs.flat())),
  },
  { weight: 1, arbitrary: fc.array(fc.integer(), { maxLength: 5 }).map((list) => Int32Array.from(list)) },
  { weight: 1, arbitrary: rubbish },
);

const share = mostly(fc.constantFrom(0, 0.5, 0.9), 1, 2, -1, 1e300, NaN);
const positive = mostly(fc.constantFrom(1, 0.1, 10), 0, -1, 1e-300, 1e300, Infinity, NaN);
const parts = mostly(fc.constantFrom(1, 2, 3), 0, -1, 1.5, 2 ** 16, 2 ** 16 + 1, 2 ** 53);
const consensus = { sigma: positive, rho: positive, weightDecay: share, subBatches: parts };
const optimiser = fc.oneof(
  members(
    { method: fc.constant('sgd'), momentum: share, dampening: share, weightDecay: share, nesterov: fc.boolean() },
    meddle,
  ),
  members(
    {
      method: fc.constant('adagrad'),
      learningRateDecay: share,
      initialAccumulator: share,
      epsilon: positive,
      weightDecay: share,
    },
    meddle,
  ),
  members({ method: fc.constant('adadelta'), decay: share, epsilon: positive, weightDecay: share }, meddle),
  members(
    {
      method: fc.constant('adam'),
      beta1: share,
      beta2: share,
      epsilon: positive,
      weightDecay: share,
      decoupled: fc.boolean(),
      nesterov: fc.boolean(),
    },
    meddle,
  ),
  members(
    {
      ...{ method: fc.constant('schedule-free'), beta1: share, beta2: share, epsilon: positive },
      ...{ weightDecay: share, averagePower: share },
    },
    meddle,
  ),
  members(
    {
      ...{ method: fc.constant('muon'), momentum: share, nesterov: fc.boolean(), newtonSchulz: parts },
      ...{ weightDecay: share, adamShare: share, beta1: share, beta2: share, epsilon: positive },
    },
    meddle,
  ),
  members(
    {
      ...{ method: fc.constant('soap'), beta1: share, beta2: share, epsilon: positive, weightDecay: share },
      ...{ basisEvery: parts, largestBasis: parts },
    },
    meddle,
  ),
  members(
    {
      ...{ method: fc.constant('kfac'), damping: positive, dampingDecay: share, dampingEvery: parts },
      ...{ factorMemory: share, inverseEvery: parts, weightDecay: share },
    },
    meddle,
  ),
  members(
    { method: fc.constant('isaac'), damping: positive, turnedLayers: parts, momentum: share, weightDecay: share },
    meddle,
  ),
  members({ method: oneOf('badm'), ...consensus, duals: fc.boolean() }, meddle),
  members({ method: fc.constant('sisa'), ...consensus, beta: share, epsilon: positive }, meddle),
);
const gradient = {
  ...network,
  samples: layered.samples,
  batch: mostly(fc.constantFrom(1, 1, 2, 3), 0, -1, 4, 5, 2 ** 31, NaN),
  reduction: oneOf('mean', 'sum'),
  shuffle: fc.boolean(),
  seed: mostly(fc.constantFrom(0, 1), -1, 2 ** 60, NaN),
  optimiser,
  regularisers,
};
/** What sparse features make of these: of billions of samples without entries the labels alone would be gigabytes. */
const fewSamples = mostly(fc.constantFrom(1, 2, 3), 0, -1, NaN);
const sparse = { samples: fewSamples, entries: mostly(fc.constantFrom(0, 2, 9), 2 ** 52, -1, NaN, undefined) };
const minibatch = {
  ...network,
  samples: layered.samples,
  batch: gradient.batch,
  shuffle: fc.boolean(),
  seed: gradient.seed,
  gram: oneOf('low-rank', 'full'),
  rank: mostly(fc.constantFrom(1, 2, 99), 0, -1, 2 ** 53, NaN),
  beta: mostly(fc.constantFrom(0, 0.9), 1, -1, NaN),
  gramEvery: mostly(fc.constantFrom(1, 3), 0, -1, NaN),
  damping: mostly(fc.constantFrom(0, 1, 4), -1, Infinity, NaN),
  factors: mostly(fc.constantFrom('input', 'both'), 'output'),
  outputDamping: mostly(fc.constantFrom(1e-3, 1, 1e300), 0, -1, Infinity, NaN),
  trustRegion: mostly(fc.constantFrom(1e-300, 1e-4, 1e300), 0, -1, NaN),
  polyak: mostly(fc.constantFrom(0, 1e-300, 1, 1e300), -1, NaN, Infinity),
  momentum: mostly(fc.constantFrom(0, 0.9), 1, -1, NaN),
  regularisers,
  nesterov: fc.boolean(),
  scheduleFree: fc.boolean(),
  biasCorrection: fc.boolean(),
  l2: mostly(fc.constantFrom(0, 0.1), -1, Infinity, NaN),
  sweep: mostly(
    fc.constantFrom([2, 1], [2, 1, 0, 1], [2, 2, 3, 1, 2, 1, 0, 2, 0, 1], [2, 2, 0, 2, 3, 1, 2, 1, 0, 1]),
    [],
    [2],
    [0, 1],
    [2, 1, 3, 2 ** 40],
    [7, 1],
  ),
};
const metric = { ...network, samples: layered.samples, seed: gradient.seed };
const badm = {
  dtype: fc.constantFrom('float32', 'float64'),
  sizes: fc.oneof({ weight: 9, arbitrary: fc.constantFrom([3], [3, 2], [0], []) }, { weight: 1, arbitrary: rubbish }),
  weights: mostly(
    fc.constantFrom(1, 2, 3).map((n) => new Float64Array(n).fill(1 / n)),
    new Float32Array(1),
    undefined,
  ),
  optimiser,
};

/** A sparse matrix that mostly is one: the rows of 3 x 3 entries, or of other sizes. */
const csr = (...columns) =>
  members(
    {
      rows: mostly(fc.constant(3), 0, 2, 4, -1, 2 ** 40, NaN),
      columns: mostly(fc.constantFrom(...columns), 0, -1, 2 ** 40, NaN),
      indptr: mostly(
        fc.constantFrom([0, 1, 2, 2], [0, 0, 0, 2]).map((list) => Float64Array.from(list)),
        Float64Array.of(0, 2, 1, 2),
        Float64Array.of(0, 2 ** 40, 2, 2),
        Int32Array.of(0, 1, 2, 2),
        undefined,
      ),
      indices: mostly(
        fc.constantFrom([0, 0], [0, 1], [1, 1], [0, 0]).map((list) => Int32Array.from(list)),
        Int32Array.of(-1, 0),
        Int32Array.of(0, 9),
        new Int32Array(1),
      ),
      values: mostly(
        fc.constantFrom(Float32Array, Float64Array).map((make) => new make(2).fill(0.5)),
        Float64Array.of(NaN, 1),
        new Float32Array(3),
      ),
    },
    meddle,
  );
const denseFeatures = members({ rows: mostly(fc.constant(3), 2, 2 ** 40), columns: width, values }, meddle);
const graphGradient = {
  ...network,
  loss: mostly(fc.constantFrom('softmax-cross-entropy', 'hinge'), 'squared-error', 'none'),
  reduction: gradient.reduction,
  seed: gradient.seed,
  dropout: mostly(fc.constantFrom(0, 0.5), 1, -1, NaN),
  weightDecay: fc.oneof(
    fc.integer({ min: 1, max: 3 }).map((layers) => new Float64Array(layers).fill(0.1)),
    rubbish,
  ),
  optimiser,
  adjacency: csr(3),
  features: fc.oneof(csr(2, 3), csr(2), denseFeatures),
  labels: mostly(
    fc.constantFrom([0, 1, 0], [0, -1, 1]).map((list) => Int32Array.from(list)),
    Int32Array.of(7, 0, 0),
    new Int32Array(2),
  ),
  training: mostly(
    fc.constantFrom([0], [0, 2], [2, 2]).map((list) => Int32Array.from(list)),
    new Int32Array(0),
    Int32Array.of(5),
    Int32Array.of(-1),
  ),
};
const graph = { ...graphGradient, outputWeights: mostly(fc.constantFrom('quadratic', 'cholesky'), 7) };
/** As many inputs as there are features, two outputs, and a weight decay a layer, where that can be told without waking a getter. */
const graphed = (drawn) => {
  const columns = Object.getOwnPropertyDescriptor(drawn.features ?? {}, 'columns')?.value;
  if (!Array.isArray(drawn.widths) || drawn.widths.length < 2 || ![1, 2, 3].includes(columns)) return drawn;
  const widths = [columns, ...drawn.widths.slice(1, -1), 2];
  return { ...drawn, widths, weightDecay: new Float64Array(widths.length - 1).fill(0.1) };
};

const args = (...list) =>
  fc.tuple(...list.map((good) => fc.oneof({ weight: 8, arbitrary: good }, { weight: 1, arbitrary: rubbish })));
const set = fc.oneof(fc.constantFrom(-1, -1, 0, 0, 1), number);
const row = fc.oneof(fc.constantFrom(0, 0, 1, 3), number);
const block = fc.oneof(fc.integer({ min: 0, max: 4 }), number);
const layer = fc.oneof(fc.integer({ min: 0, max: 4 }), number);
const call = (method, list) => list.map((drawn) => ({ method, args: drawn }));
/** What the states of all splittings on samples take in. */
const onSamples = [
  call('loadInput', args(set, row, values)),
  call('loadTargets', args(set, row, values)),
  call('loadLabels', args(set, labels)),
  call('loadWeights', args(values)),
  call('addEvaluationSet', args(fc.oneof(fc.integer({ min: 0, max: 6 }), number), fc.constant(false))),
  // Of sparse features few samples: the labels of billions would be gigabytes, as nothing larger is refused before them.
  call('addEvaluationSet', fc.tuple(fc.integer({ min: 0, max: 6 }), fc.constant(true))),
  call('loadSparse', args(set, csr(1, 2, 3))),
  call('loadSparse', args(fc.constant(-1), csr(1, 2, 3))),
];
const onLayered = fc.oneof(
  ...onSamples,
  call(
    'start',
    args(
      members(
        {
          output: oneOf('forward', 'signed-labels', 'gaussian'),
          hidden: oneOf('forward', 'gaussian'),
          dual: oneOf('zero', 'stationary'),
          seed: mostly(fc.constant(1), -1, 2 ** 60, NaN, 'x'),
        },
        meddle,
      ),
    ),
  ),
  call('run', args(updates, members(penalties, meddle))),
  call('run', args(updates, members(penalties, meddle))),
  call('measure', args(members(penalties, meddle))),
  call('refresh', args()),
  call('evaluate', args(set)),
  call('read', args(block, layer)),
  call('write', args(block, layer, values)),
  call('stop', args()),
);
const constraintPenalties = {
  lambda: fc.oneof(
    {
      weight: 8,
      arbitrary: fc.array(mostly(fc.constantFrom(1, 1e-6, 0), 1e-300, 1e300, -1, NaN), { minLength: 1, maxLength: 3 }),
    },
    { weight: 1, arbitrary: rubbish },
  ),
  beta: fc.oneof(
    { weight: 8, arbitrary: fc.array(fc.constantFrom(1, 2, 0.1), { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.array(number, { maxLength: 3 }) },
    { weight: 1, arbitrary: rubbish },
  ),
  majoriser: oneOf('paper', 'code'),
};
const constraintUpdates = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .array(fc.constantFrom([0, 1], [1, 1], [2, 1], [0, 2], [1, 2], [2, 2]), { maxLength: 12 })
      .map((pairs) => Int32Array.from(pairs.flat())),
  },
  { weight: 1, arbitrary: updates },
);
const onConstraints = fc.oneof(
  ...onSamples,
  call('start', args()),
  call('run', args(constraintUpdates, members(constraintPenalties, meddle))),
  call('run', args(constraintUpdates, members(constraintPenalties, meddle))),
  call('measure', args(members(constraintPenalties, meddle))),
  call('evaluate', args(set)),
  call('read', args(block, layer)),
  call('write', args(block, layer, values)),
  call('stop', args()),
);
const metricPenalties = {
  damping: mostly(fc.constantFrom(1e-3, 1), 0, 1e-300, 1e300, -1, NaN),
  outputDamping: mostly(fc.constantFrom(1e-3, 1), 0, 1e300, -1, NaN),
  rate: mostly(fc.constantFrom(1, 0.1), 0, 1e300, -1, NaN),
  momentum: mostly(fc.constantFrom(0, 0.9), 1, 1e300, -1),
  l2: mostly(fc.constantFrom(0, 0.1), 1e300, -1),
};
/** A sweep as the solver makes it, or W, z, a, u, P and G of any layer in any order. */
const metricUpdates = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .array(fc.constantFrom(...[0, 2, 3, 4, 5, 6].flatMap((block) => [1, 2].map((l) => [block, l]))), {
        maxLength: 16,
      })
      .map((pairs) => Int32Array.from(pairs.flat())),
  },
  { weight: 1, arbitrary: updates },
);
const onMetric = fc.oneof(
  ...onSamples,
  call('start', args()),
  call('run', args(metricUpdates, members(metricPenalties, meddle))),
  call('run', args(metricUpdates, members(metricPenalties, meddle))),
  call('measure', args(members(metricPenalties, meddle))),
  call('evaluate', args(set)),
  call('read', args(fc.integer({ min: 0, max: 9 }), layer)),
  call('write', args(fc.integer({ min: 0, max: 9 }), layer, values)),
  call('stop', args()),
);
const codes = fc.oneof(
  fc.constantFrom(2, 3, 4, 6).chain((count) => fc.int8Array({ minLength: count, maxLength: count })),
  values,
);
const zero = mostly(fc.constantFrom(0, 64, 127), 128, -1, 0.5, 2 ** 33);
const onNetwork = fc.oneof(
  call('setLayer', args(layer, values, values)),
  call('setCodes', args(layer, codes, values, values, mostly(fc.constantFrom(0.1, 1), 0, -1, NaN, 1e300), zero)),
  call('predict', args(fc.oneof(values, csr(1, 2, 3)))),
  call('predictNow', args(fc.oneof(values, csr(1, 2, 3)))),
  call('evaluate', args(fc.oneof(values, csr(1, 2, 3)), fc.oneof(values, labels))),
);
const graphLike = members({ adjacency: csr(3), features: fc.oneof(csr(2, 3), denseFeatures) }, meddle);
const onGraphNetwork = fc.oneof(
  call('setLayer', args(layer, values)),
  call('predict', args(graphLike)),
  call('evaluate', args(graphLike, labels, labels)),
);
const bytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), rubbish);
const onHash = fc.oneof(call('update', args(bytes)), call('update', args(bytes)), call('digest', args()));
/** As many weights as there are sub-batches, where that can be told without waking a getter. */
const weighted = (drawn) => {
  const count = Object.getOwnPropertyDescriptor(drawn.optimiser ?? {}, 'subBatches')?.value;
  return count === 2 || count === 3 ? { ...drawn, weights: new Float64Array(count).fill(1 / count) } : drawn;
};
const rates = fc.oneof(
  fc.constantFrom(0, 0.1, 1e300, NaN).map((rate) => Float64Array.of(rate)),
  fc.constantFrom(0, 2, 3).map((count) => new Float64Array(count).fill(0.1)),
);
/** What the states take in that learn from batches, as they are read from a disk. */
const onWindows = [
  call('fill', args(fc.oneof(fc.constantFrom(0, 1, 2, 3), number), row, fc.oneof(values, labels))),
  call('visit', args(row, fc.oneof(fc.constantFrom(1, 2, 4), number))),
  call('input', args()),
];
const onGradient = fc.oneof(
  ...onSamples,
  ...onWindows,
  call('run', args(fc.constantFrom(0, 1, 2, 3, 50), rates)),
  call('run', args(fc.constantFrom(0, 1, 2, 3, 50), rates)),
  call('reset', args()),
  call('evaluate', args(set)),
  call('read', args(block, layer)),
  call('readDual', args(fc.constantFrom(0, 1, 2, 3), block, layer)),
  call('write', args(block, layer, values)),
  call('stop', args()),
);
const onMinibatch = fc.oneof(
  ...onSamples,
  ...onWindows,
  call('run', args(fc.constantFrom(0, 1, 2, 3, 50), rates)),
  call('run', args(fc.constantFrom(0, 1, 2, 3, 50), rates)),
  call('reset', args()),
  call('evaluate', args(set)),
  call('read', args(block, layer)),
  call('write', args(block, layer, values)),
  call('stop', args()),
);
const onGraphs = fc.oneof(
  call('prepare', args()),
  call('allocate', args()),
  call('addEvaluationSet', args(labels)),
  call('evaluate', args(set)),
  call('read', args(block, layer)),
  call('write', args(block, layer, values)),
  call('stop', args()),
);
const onGraphGradient = fc.oneof(
  call('run', args(fc.constantFrom(0, 1, 2, 3, 50), rates)),
  call('run', args(fc.constantFrom(0, 1, 2, 3, 50), rates)),
  call('reset', args()),
);
const graphPenalties = {
  nu: mostly(fc.constantFrom(1, 1e-3), 0, -1, NaN),
  rho: mostly(fc.constantFrom(1, 1e-3), 0, Infinity),
  theta0: mostly(fc.constantFrom(1, 1e-3), 0),
  tau0: mostly(fc.constantFrom(1, 1e-3), -1),
  growth: mostly(fc.constantFrom(2, 1.5), 1, NaN),
  search: fc.constantFrom('exact', 'backtracking'),
  l2: mostly(
    fc.integer({ min: 1, max: 3 }).map((layers) => new Float64Array(layers).fill(0.1)),
    Float64Array.of(-1),
    [0],
  ),
};
const onGraph = fc.oneof(
  call('start', args(fc.constantFrom('zero', 'stationary'))),
  call('run', args(updates, members(graphPenalties, meddle))),
  call('run', args(updates, members(graphPenalties, meddle))),
  call('measure', args(members(graphPenalties, meddle))),
  call('refresh', args()),
);
const tensor = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(3, 3, 3, 2, 0)
      .chain((n) => fc.constantFrom(new Float32Array(n).fill(1), new Float64Array(n))),
  },
  { weight: 1, arbitrary: values },
);
/** Lists whose entries may take the buffers of those before them away as they are read. */
const tensors = fc
  .record({ list: fc.array(tensor, { maxLength: 2 }), thief: fc.integer({ min: 0, max: 20 }) })
  .map(({ list, thief }) => {
    const last = list.at(-1);
    if (thief > 0 || list.length < 2) return list;
    const get = () => {
      if (list[0]?.byteLength > 0) structuredClone(list[0].buffer, { transfer: [list[0].buffer] });
      return last;
    };
    return Object.defineProperty([...list], list.length - 1, { get });
  });
const folder = mkdtempSync(join(tmpdir(), 'dladmm-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const spare = openSync(join(folder, 'a file'), 'w+');
const descriptor = mostly(fc.constant(spare), -1, 2 ** 31, 2 ** 53, NaN);
const storedSections = fc.array(
  members(
    {
      name: fc.constantFrom('W.1', 'b.1', 'z.1', 'u', 'V.1', 'order', 'batch', 'step', 'random', 'extra'),
      offset: mostly(fc.constantFrom(0, 8, 500), 2 ** 40, 2 ** 53, -1),
      bytes: mostly(fc.constantFrom(0, 4, 8, 12, 16, 24), 2 ** 40, 2 ** 53, -1),
      checksum: mostly(fc.constantFrom('0000000000000000', 'ef46db3751d8e999'), 'x', '00000000000000zz'),
    },
    meddle,
  ),
  { maxLength: 20 },
);
/** What checkpoints ask of every state. */
const onStorage = fc.oneof(
  call('sectionBytes', args(fc.boolean())),
  call(
    'saveSections',
    args(
      descriptor,
      fc.constantFrom('', '"a":"text"'),
      fc.boolean(),
      fc.array(members({ name: fc.constant('extra'), data: values }, meddle), { maxLength: 2 }),
    ),
  ),
  call('loadSections', args(descriptor, storedSections, fc.boolean(), fc.constantFrom([], ['extra'], ['none']))),
  call('fingerprint', args(set)),
);
const onBadm = fc.oneof(
  call('step', args(tensors, fc.array(tensors, { maxLength: 3 }))),
  call('step', args(tensors, fc.array(tensors, { maxLength: 3 }))),
  call('dual', args(fc.constantFrom(0, 1, 2, 3))),
  call('reset', args()),
);
/** What is measured: never for long. */
const measured = {
  dtype: network.dtype,
  threads: network.threads,
  repeats: mostly(fc.constantFrom(1, 2), 0, -1, 1.5, NaN),
};
const count = mostly(fc.constantFrom(1, 3, 17), 0, -1, 2 ** 40, 2 ** 53, NaN);
const way = oneOf('openblas', 'team-blocks', 'team-shares', 'team-slices');
/** The functions of the addon itself. */
const onAddon = fc.oneof(
  call('lockFile', args(descriptor)),
  call('info', args()),
  call('traceRounds', args(fc.boolean())),
  call('singularValues', args(values, count, count)),
  call('passSeconds', args(members({ ...measured, count }, meddle))),
  call(
    'productSeconds',
    args(
      members(
        {
          ...measured,
          product: oneOf('gradient', 'image', 'back'),
          way,
          samples: count,
          inputs: count,
          outputs: count,
        },
        meddle,
      ),
    ),
  ),
  call('sparseProductSeconds', args(members({ ...measured, adjacency: csr(3), columns: count }, meddle))),
);
const rowReader = {
  dtype: network.dtype,
  features: mostly(fc.constant(2), 0, -1, 4, 2 ** 53, NaN),
  columns: mostly(fc.constant(3), 0, 2, 2 ** 53, NaN),
  rows: mostly(fc.constant(4), 0, 1, 2 ** 52, NaN),
};
const room = fc.oneof(fc.constantFrom(0, 0, 1), number);
const ints = fc.array(fc.integer({ min: -1, max: 4 }), { maxLength: 6 }).map((list) => Int32Array.from(list));
const onRowReader = fc.oneof(
  call('read', args(room, descriptor, storedSections, ints, ints)),
  call('read', args(room, descriptor, fc.constant([]), fc.constant(new Int32Array(0)), fc.constant(new Int32Array(0)))),
  call('take', args(room, row, values)),
  call('take', args(room, row, values, values)),
);
const sign = mostly(fc.constantFrom(',', ';'), '', 'ü', ',,', 3);
const textRows = {
  delimiter: sign,
  decimal: mostly(fc.constantFrom('.', ','), '', 'ü', '..', 3),
  trims: fc.boolean(),
  codes: fc.boolean(),
};
const rowsOfText = fc
  .array(fc.constantFrom('1', '2.5', '-3e4', '', ' ', ',', ';', '"', '""', 'ü', 'a', '\n', '\r', '\n\n'), {
    maxLength: 40,
  })
  .map((parts) => Buffer.from(`${parts.join('')}\n`));
const asked = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 5 }).map((list) => Int8Array.from(list)),
  fc.constantFrom(Int8Array.of(3), Int8Array.of(-1)),
  rubbish,
);
const onTextRows = fc.oneof(
  call('read', args(fc.oneof(rowsOfText, bytes), asked, row, fc.boolean())),
  call('take', args(row, fc.oneof(floats(Float64Array), rubbish))),
);
const onPages = call('provide', args(number, number));
const script = fc.record({
  textRows: members(textRows, meddle),
  rowReader: members(rowReader, meddle),
  gradient: fc.oneof(members(gradient, meddle), members({ ...gradient, ...sparse }, meddle)),
  minibatch: fc.oneof(members(minibatch, meddle), members({ ...minibatch, ...sparse }, meddle)),
  metric: members(metric, meddle),
  graphGradient: members(graphGradient, meddle, graphed),
  graph: members(graph, meddle, graphed),
  badm: members(badm, meddle, weighted),
  layered: members(layered, meddle, fitted),
  constraints: members(constraints, meddle),
  network: members({ ...network, quantised: fc.boolean() }, meddle),
  calls: fc.array(
    fc.oneof(
      { weight: 9, arbitrary: onLayered.map((one) => ({ on: 'layered', ...one })) },
      { weight: 6, arbitrary: onConstraints.map((one) => ({ on: 'constraints', ...one })) },
      { weight: 4, arbitrary: onNetwork.map((one) => ({ on: 'network', ...one })) },
      { weight: 4, arbitrary: onGraphNetwork.map((one) => ({ on: 'graphNetwork', ...one })) },
      { weight: 1, arbitrary: onHash.map((one) => ({ on: 'hash', ...one })) },
      { weight: 4, arbitrary: onRowReader.map((one) => ({ on: 'rowReader', ...one })) },
      { weight: 4, arbitrary: onTextRows.map((one) => ({ on: 'textRows', ...one })) },
      { weight: 1, arbitrary: onPages.map((one) => ({ on: 'pages', ...one })) },
      { weight: 1, arbitrary: onAddon.map((one) => ({ on: 'addon', ...one })) },
      { weight: 9, arbitrary: onGradient.map((one) => ({ on: 'gradient', ...one })) },
      { weight: 9, arbitrary: onMinibatch.map((one) => ({ on: 'minibatch', ...one })) },
      { weight: 9, arbitrary: onMetric.map((one) => ({ on: 'metric', ...one })) },
      {
        weight: 6,
        arbitrary: fc
          .tuple(
            fc.constantFrom('layered', 'constraints', 'gradient', 'minibatch', 'metric', 'graph', 'graphGradient'),
            onStorage,
          )
          .map(([on, one]) => ({ on, ...one })),
      },
      { weight: 4, arbitrary: onGraphGradient.map((one) => ({ on: 'graphGradient', ...one })) },
      { weight: 4, arbitrary: onGraph.map((one) => ({ on: 'graph', ...one })) },
      {
        weight: 9,
        arbitrary: fc.tuple(fc.constantFrom('graph', 'graphGradient'), onGraphs).map(([on, one]) => ({ on, ...one })),
      },
      { weight: 5, arbitrary: onBadm.map((one) => ({ on: 'badm', ...one })) },
      {
        weight: 1,
        arbitrary: fc
          .constantFrom(
            ...[
              'rowReader',
              'textRows',
              'pages',
              'layered',
              'constraints',
              'network',
              'gradient',
              'minibatch',
              'metric',
              'graph',
              'graphGradient',
            ],
          )
          .map((on) => ({ on, method: 'close', args: [] })),
      },
    ),
    { maxLength: 50, size: 'medium' },
  ),
  wait: fc.boolean(),
});

const counts = { made: 0, refusedMade: 0, fine: 0, refused: 0 };
/** So many seconds of the processor may one call take, and so many MB the process. */
const [SLOW, MOST] = [1, 1024];
const slowest = { seconds: 0, what: 'none' };
const processor = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const largest = { addsMB: 0, what: 'none' };
const peakMB = () => process.resourceUsage().maxRSS / 1024;
/** Of a call that nothing else was under way beside: what it took, and by how much it has raised the peak. */
const took = (seconds, addsMB, what) => {
  if (seconds > slowest.seconds) Object.assign(slowest, { seconds, what });
  if (addsMB > largest.addsMB) Object.assign(largest, { addsMB, what });
};
/** Ours have a code; the others come from what was passed in: a getter that throws, a symbol that is no text. */
const isError = (error) =>
  error instanceof Error &&
  (/^ERR_DLADMM_/.test(error.code) || /^mine$|Symbol|proxy|null|undefined/.test(error.message));
const make = (of, options) => {
  try {
    const made = new of(options);
    counts.made += 1;
    return made;
  } catch (error) {
    if (!isError(error)) throw error;
    counts.refusedMade += 1;
    return undefined;
  }
};

const guide = guided();
await fc.assert(
  fc.asyncProperty(script, async (drawn) => {
    const { layered: first, constraints: other, network: second, gradient: third, badm: fourth, calls, wait } = drawn;
    const { minibatch: fifth } = drawn;
    const { graphGradient: sixth, graph: seventh, metric: eighth } = drawn;
    try {
      native.Layered.requiredBytes(first);
      native.Constraints.requiredBytes(other);
      native.GradientTrainer.requiredBytes(third);
      native.Minibatch.requiredBytes(fifth);
      native.Metric.requiredBytes(eighth);
    } catch (error) {
      if (!isError(error)) throw error;
    }
    const objects = {
      layered: make(native.Layered, first),
      constraints: make(native.Constraints, other),
      network: make(native.TrainedNetwork, second),
      graphNetwork: make(native.TrainedGraphNetwork, second),
      hash: new native.Hash64(),
      rowReader: make(native.RowReader, drawn.rowReader),
      textRows: make(native.TextRows, drawn.textRows),
      pages: new native.Pages(new Uint8Array(100_000)),
      addon: native,
      gradient: make(native.GradientTrainer, third),
      minibatch: make(native.Minibatch, fifth),
      metric: make(native.Metric, eighth),
      badm: make(native.BadmOptimizer, fourth),
      graphGradient: make(native.GraphGradientTrainer, sixth),
      graph: make(native.Graph, seventh),
    };
    meddle.now = () => {
      objects.rowReader?.close();
      objects.textRows?.close();
      objects.pages.close();
      objects.layered?.close();
      objects.constraints?.close();
      objects.gradient?.close();
      objects.minibatch?.close();
      objects.metric?.close();
      objects.graphGradient?.close();
      objects.graph?.close();
    };
    const pending = [];
    // Every other round begins with graphs that are ready.
    for (const state of wait ? [objects.graph, objects.graphGradient] : []) {
      await (async () => {
        await state?.prepare();
        await state?.allocate();
      })().catch((error) => {
        if (!isError(error)) throw error;
      });
    }
    for (const { on, method, args: drawn } of calls) {
      const target = objects[on];
      // So many steps are a number like any other, and would be taken.
      if (target === undefined || (method === 'run' && typeof drawn[0] === 'number' && drawn[0] > 1000)) continue;
      const [began, before] = [processor(), peakMB()];
      const work = (async () => target[method](...drawn))().then(
        () => {
          counts.fine += 1;
        },
        (error) => {
          if (!isError(error)) throw error;
          counts.refused += 1;
        },
      );
      if (wait) {
        await work;
        took(processor() - began, peakMB() - before, `${on}.${method}`);
      } else pending.push(work);
    }
    await Promise.all(pending);
    // Half of them are closed here, the others are left to the garbage collector.
    if (rounds++ % 20 === 0) globalThis.gc();
    if (wait) for (const object of Object.values(objects)) object?.close?.();
    guide.learn();
  }),
  {
    seed,
    numRuns,
    endOnFailure: true,
    randomType: guide.randomType,
    interruptAfterTimeLimit: seconds * 1000,
  },
);
const peak = Math.round(peakMB());
console.log(JSON.stringify({ ...counts, rounds, slowest, largest, peakMB: peak, ...guide.report() }));
// Sanitizers take more of both. A round that the time has cut short may still be at work.
process.exit(process.env.ASAN_OPTIONS === undefined && (slowest.seconds > SLOW || peak > MOST) ? 1 : 0);
