/**
 * How long an epoch of mini-batches takes, as a ratio to the floor: the products that its steps cannot do without, at the
 * best rate that this machine reaches for each shape in the same run, and the bytes that its updates move, at the
 * bandwidth measured over as many numbers.
 *
 * Two child processes take turns, so that a drift of the machine's speed meets both: one trains, the other measures. The
 * floor is made of the fastest of many repeats; on a machine that others use too, `fastestRatio` compares it with the
 * fastest of many short runs of steps.
 */
import { defaultsOf, minibatch } from 'dladmm/solvers';
import {
  EPOCH_WAYS,
  gramProducts,
  numbersMoved,
  OPTIMIZERS,
  type Optimizer,
  parameterCount,
  stepProducts,
  vectorsHeld,
} from './floor/epoch.js';
import type { EpochReply, EpochRequest } from './floor/epoch-trainer.js';
import { bestSeconds, type FloorReply, type FloorRequest, flopsOf, secondsOf } from './floor/products.js';
import { startChild } from './harness/child.js';
import { choice, count, DTYPE, layers, program, THREADS } from './harness/program.js';
import { machine, machineText } from './harness/results.js';
import { median } from './harness/statistics.js';
import { gigabytes, pairs } from './harness/table.js';

const REPEATS = 25;

const OPTIONS = {
  layers: layers('784-1000-1000-10'),
  samples: count(60_000),
  batch: count(128),
  optimizer: choice(OPTIMIZERS, 'adam'),
  subBatches: count(4),
  gram: choice(['low-rank', 'full'], 'low-rank'),
  dtype: DTYPE,
  threads: THREADS,
  rounds: count(3),
};

/** Settings that leave random labels unlearnt but everything finite. */
const methodOf = (optimizer: Optimizer, subBatches: number, gram: 'low-rank' | 'full') =>
  ({
    sgd: { solver: 'sgd', learningRate: 1e-3 },
    momentum: { solver: 'sgd', learningRate: 1e-3, momentum: 0.9 },
    adagrad: { solver: 'adagrad', learningRate: 1e-4 },
    adadelta: { solver: 'adadelta', learningRate: 1e-2 },
    adam: { solver: 'adam', learningRate: 1e-4 },
    badm: { solver: 'badm', sigma: 10, rho: 200, subBatches },
    sisa: { solver: 'sisa', sigma: 1, rho: 1e4, subBatches },
    'minibatch-admm': { solver: 'minibatch-admm', gram },
  })[optimizer] as Exclude<EpochRequest, string>['method'];

await program(OPTIONS, async ({ layers, samples, batch, optimizer, subBatches, gram, dtype, threads, rounds }) => {
  const { rank, gramEvery } = defaultsOf(minibatch);
  const products = [
    ...stepProducts(layers, batch, optimizer === 'sisa' ? subBatches : 1),
    ...(optimizer === 'minibatch-admm'
      ? gramProducts(layers, batch, { rank: gram === 'full' ? 'full' : rank, gramEvery })
      : []),
  ];
  const parameters = parameterCount(layers);
  const vectors = vectorsHeld(optimizer, subBatches) * parameters;
  using trainer = startChild<EpochRequest, EpochReply>('floor/epoch-trainer');
  using multiplier = startChild<FloorRequest, FloorReply>('floor/multiplier');
  const replies: EpochReply[] = [];
  const floors: FloorReply[] = [];
  await trainer.ask({ layers, samples, batch, method: methodOf(optimizer, subBatches, gram), dtype, threads });
  for (let round = 0; round < rounds; round += 1) {
    replies.push(await trainer.ask('epoch'));
    floors.push(await multiplier.ask({ products, ways: EPOCH_WAYS, repeats: REPEATS, vectors, dtype, threads }));
  }

  const steps = samples / batch;
  const numberBytes = dtype === 'float32' ? 4 : 8;
  const moved = numbersMoved(optimizer, subBatches);
  const bandwidth = median(floors.map(({ numbersPerSecond = Number.NaN }) => numbersPerSecond));
  const floorProductSeconds = steps * secondsOf(products, bestSeconds(floors));
  const floorUpdateSeconds = (steps * moved * parameters) / bandwidth;
  const floorSeconds = floorProductSeconds + floorUpdateSeconds;
  const secondsPerEpoch = median(replies.map((reply) => reply.seconds));
  const floorFlops = steps * flopsOf(products);
  const result = {
    layers: layers.join('-'),
    samples,
    batch,
    optimizer,
    ...((optimizer === 'sisa' || optimizer === 'badm') && { subBatches }),
    ...(optimizer === 'minibatch-admm' && { gram }),
    dtype,
    secondsPerEpoch,
    floorSeconds,
    floorProductSeconds,
    floorUpdateSeconds,
    floorFlops,
    floorGflops: floorFlops / floorProductSeconds / 1e9,
    bytesPerParameter: moved * numberBytes,
    bandwidthBytes: bandwidth * numberBytes,
    ratio: secondsPerEpoch / floorSeconds,
    fastestRatio: (steps * Math.min(...replies.map((reply) => reply.stepSeconds))) / floorSeconds,
    peakRssBytes: Math.max(...replies.map((reply) => reply.peakRssBytes)),
    rounds,
    ...machine(threads),
  };
  const seconds = (value: number): string => `${value.toFixed(4)} s`;
  const text = [
    `${result.layers}, ${samples} samples in batches of ${batch}, ${optimizer}, ${dtype}\n`,
    pairs({
      epoch: seconds(secondsPerEpoch),
      products: `${seconds(floorProductSeconds)}   ${(floorFlops / 1e9).toFixed(0)} GFLOP at ${result.floorGflops.toFixed(1)} GFLOP/s`,
      updates: `${seconds(floorUpdateSeconds)}   ${result.bytesPerParameter} bytes a parameter at ${(result.bandwidthBytes / 1e9).toFixed(1)} GB/s`,
      floor: seconds(floorSeconds),
      ratio: `${result.ratio.toFixed(3)}   by the fastest steps ${result.fastestRatio.toFixed(3)}`,
      'peak memory': gigabytes(result.peakRssBytes),
    }),
    machineText(result),
  ].join('\n');
  return { result, text };
});
