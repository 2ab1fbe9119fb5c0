/**
 * How long an epoch of mini-batches takes, as a ratio to the floor: the products that its steps cannot do without, at the
 * best rate that this machine reaches for each shape in the same run, and the bytes that its updates move, at the
 * bandwidth measured over as many numbers.
 *
 *     npm run --silent bench:epoch -- [--layers 784-1000-1000-10] [--samples 60000] [--batch 128]
 *                                     [--optimizer sgd|momentum|adagrad|adadelta|adam|badm|sisa|minibatch-admm] [--sub-batches 4]
 *                                     [--gram low-rank|full]
 *                                     [--dtype float32] [--threads N] [--rounds 3] [--json]
 *
 * Two child processes take turns, so that a drift of the machine's speed meets both: one trains, the other measures. The
 * floor is made of the fastest of many repeats; on a machine that others use too, `fastestRatio` compares it with the
 * fastest of many short runs of steps.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { defaultsOf, minibatch } from 'dladmm';
import {
  gramProducts,
  keyOf,
  numbersMoved,
  type Optimizer,
  parameterCount,
  type Rates,
  stepFlops,
  stepProducts,
  stepSeconds,
  vectorsHeld,
} from './epoch/floor.js';
import type { EpochReply, EpochRequest, FloorReply, FloorRequest } from './epoch/messages.js';
import { startChild } from './iteration/child.js';
import { median } from './statistics.js';

const { values } = parseArgs({
  options: {
    layers: { type: 'string', default: '784-1000-1000-10' },
    samples: { type: 'string', default: '60000' },
    batch: { type: 'string', default: '128' },
    optimizer: { type: 'string', default: 'adam' },
    'sub-batches': { type: 'string', default: '4' },
    gram: { type: 'string', default: 'low-rank' },
    dtype: { type: 'string', default: 'float32' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});
const layers = values.layers.split('-').map(Number);
const samples = Number(values.samples);
const batch = Number(values.batch);
const threads = Number(values.threads);
const rounds = Number(values.rounds);
const dtype = values.dtype === 'float64' ? 'float64' : 'float32';
const subBatches = Number(values['sub-batches']);

const gram = values.gram === 'full' ? 'full' : 'low-rank';

/** Settings that leave random labels unlearnt but everything finite. */
const METHODS: Readonly<Record<Optimizer, Exclude<EpochRequest, string>['method']>> = {
  sgd: { solver: 'sgd', learningRate: 1e-3 },
  momentum: { solver: 'sgd', learningRate: 1e-3, momentum: 0.9 },
  adagrad: { solver: 'adagrad', learningRate: 1e-4 },
  adadelta: { solver: 'adadelta', learningRate: 1e-2 },
  adam: { solver: 'adam', learningRate: 1e-4 },
  badm: { solver: 'badm', sigma: 10, rho: 200, subBatches },
  sisa: { solver: 'sisa', sigma: 1, rho: 1e4, subBatches },
  'minibatch-admm': { solver: 'minibatch-admm', gram },
};
if (!Object.hasOwn(METHODS, values.optimizer)) {
  throw new Error(`--optimizer must be one of ${Object.keys(METHODS).join(', ')}`);
}
const optimizer = values.optimizer as Optimizer;

const { rank, gramEvery } = defaultsOf(minibatch);
const products = [
  ...stepProducts(layers, batch, optimizer === 'sisa' ? subBatches : 1),
  ...(optimizer === 'minibatch-admm'
    ? gramProducts(layers, batch, { rank: gram === 'full' ? 'full' : rank, gramEvery })
    : []),
];
const parameters = parameterCount(layers);
const vectors = vectorsHeld(optimizer, subBatches) * parameters;

const trainer = startChild<EpochRequest, EpochReply>('../epoch/trainer.js');
const multiplier = startChild<FloorRequest, FloorReply>('../epoch/multiplier.js');
const rates: Rates = new Map();
const streams: number[] = [];
const replies: EpochReply[] = [];
try {
  await trainer.ask({ layers, samples, batch, method: METHODS[optimizer], dtype, threads });
  for (let round = 0; round < rounds; round += 1) {
    replies.push(await trainer.ask('epoch'));
    const measured = await multiplier.ask({ products, vectors, dtype, threads });
    for (const { product, way, seconds } of measured.products) {
      const key = keyOf(product, way);
      rates.set(key, [...(rates.get(key) ?? []), seconds]);
    }
    streams.push(measured.numbersPerSecond);
  }
} finally {
  trainer.end();
  multiplier.end();
}

const steps = samples / batch;
const numberBytes = dtype === 'float32' ? 4 : 8;
const moved = numbersMoved(optimizer, subBatches);
const productSeconds = steps * stepSeconds(products, rates);
const updateSeconds = (steps * moved * parameters) / median(streams);
const floorSeconds = productSeconds + updateSeconds;
const secondsPerEpoch = median(replies.map((reply) => reply.seconds));
const flops = steps * stepFlops(products);
const result = {
  layers: values.layers,
  samples,
  batch,
  optimizer,
  ...(optimizer === 'sisa' || optimizer === 'badm' ? { subBatches } : {}),
  ...(optimizer === 'minibatch-admm' ? { gram } : {}),
  dtype,
  threads,
  secondsPerEpoch,
  floorSeconds,
  floorProductSeconds: productSeconds,
  floorUpdateSeconds: updateSeconds,
  floorFlops: flops,
  floorGflops: flops / productSeconds / 1e9,
  bytesPerParameter: moved * numberBytes,
  bandwidthBytes: median(streams) * numberBytes,
  ratio: secondsPerEpoch / floorSeconds,
  fastestRatio: (steps * Math.min(...replies.map((reply) => reply.stepSeconds))) / floorSeconds,
  peakRssBytes: Math.max(...replies.map((reply) => reply.peakRssBytes)),
  rounds,
  openblasCore: replies[0]?.core,
};

if (values.json) {
  console.log(JSON.stringify(result));
} else {
  const line = (name: string, value: string): void => console.log(`${name.padEnd(18)}${value}`);
  console.log(
    `${values.layers}, ${samples} samples in batches of ${batch}, ${optimizer}, ${dtype}, ${threads} threads, OpenBLAS kernel ${result.openblasCore}\n`,
  );
  line('epoch', `${secondsPerEpoch.toFixed(4)} s`);
  line(
    'products',
    `${productSeconds.toFixed(4)} s   ${(flops / 1e9).toFixed(0)} GFLOP at ${result.floorGflops.toFixed(1)} GFLOP/s`,
  );
  line(
    'updates',
    `${updateSeconds.toFixed(4)} s   ${result.bytesPerParameter} bytes a parameter at ${(result.bandwidthBytes / 1e9).toFixed(1)} GB/s`,
  );
  line('floor', `${floorSeconds.toFixed(4)} s`);
  line('ratio', `${result.ratio.toFixed(3)}   by the fastest steps ${result.fastestRatio.toFixed(3)}`);
  line('peak memory', `${(result.peakRssBytes / 1e9).toFixed(2)} GB`);
}
