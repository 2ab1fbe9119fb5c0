/**
 * How long an epoch of mini-batches takes, as a ratio to the floor: the products that its steps cannot do without, at the
 * best rate that this machine reaches for each shape in the same run, and the bytes that its updates move, at the
 * bandwidth measured over as many numbers.
 *
 * Two child processes take turns, so that a drift of the machine's speed meets both: one trains, the other measures. The
 * floor is made of the fastest of many repeats; on a machine that others use too, `fastestRatio` compares it with the
 * fastest of many short runs of steps.
 */
import { EPOCH_WAYS, epochFloor, type Metric, OPTIMIZERS, type Optimizer } from './floor/epoch.js';
import { bestSeconds, flopsOf, secondsOf } from './floor/products.js';
import type { EpochReply, Method } from './floor/trainer.js';
import { byTurns } from './floor/turns.js';
import { choice, count, DTYPE, layers, program, THREADS, told } from './harness/program.js';
import { measured } from './harness/results.js';
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
  factors: told(choice(['input', 'both'], 'both'), 'of minibatch-admm; with --gram full input alone'),
  dtype: DTYPE,
  threads: THREADS,
  rounds: count(3),
};

/** Settings that leave random labels unlearnt but everything finite. */
const methodOf = (optimizer: Optimizer, subBatches: number, metric: Metric) =>
  ({
    sgd: { solver: 'sgd', learningRate: 1e-3 },
    momentum: { solver: 'sgd', learningRate: 1e-3, momentum: 0.9 },
    adagrad: { solver: 'adagrad', learningRate: 1e-4 },
    adadelta: { solver: 'adadelta', learningRate: 1e-2 },
    adam: { solver: 'adam', learningRate: 1e-4 },
    badm: { solver: 'badm', sigma: 10, rho: 200, subBatches },
    sisa: { solver: 'sisa', sigma: 1, rho: 1e4, subBatches },
    'minibatch-admm': { solver: 'minibatch-admm', ...metric },
  })[optimizer] as Method;

await program(OPTIONS, async ({ layers, samples, batch, optimizer, dtype, threads, rounds, ...given }) => {
  const { subBatches, gram } = given;
  const metric: Metric = { gram, factors: gram === 'full' ? 'input' : given.factors };
  const { products, parameters, ...update } = epochFloor(layers, batch, optimizer, subBatches, metric);
  const vectors = update.vectors * parameters;
  const { replies, floors } = await byTurns<EpochReply>(
    { layers, samples, batch, method: methodOf(optimizer, subBatches, metric), dtype, threads },
    { products, ways: EPOCH_WAYS, repeats: REPEATS, vectors, dtype, threads },
    rounds,
  );

  const steps = samples / batch;
  const numberBytes = dtype === 'float32' ? 4 : 8;
  const bandwidth = median(floors.map(({ numbersPerSecond = Number.NaN }) => numbersPerSecond));
  const floorProductSeconds = steps * secondsOf(products, bestSeconds(floors));
  const floorUpdateSeconds = (steps * update.moved * parameters) / bandwidth;
  const floorSeconds = floorProductSeconds + floorUpdateSeconds;
  const secondsPerEpoch = median(replies.map((reply) => reply.seconds));
  const floorFlops = steps * flopsOf(products);
  const found = {
    ...{ layers: layers.join('-'), samples, batch, optimizer },
    ...((optimizer === 'sisa' || optimizer === 'badm') && { subBatches }),
    ...(optimizer === 'minibatch-admm' && metric),
    ...{ dtype, secondsPerEpoch, floorSeconds, floorProductSeconds, floorUpdateSeconds, floorFlops },
    floorGflops: floorFlops / floorProductSeconds / 1e9,
    bytesPerParameter: update.moved * numberBytes,
    bandwidthBytes: bandwidth * numberBytes,
    ratio: secondsPerEpoch / floorSeconds,
    fastestRatio: (steps * Math.min(...replies.map((reply) => reply.stepSeconds))) / floorSeconds,
    peakRssBytes: Math.max(...replies.map((reply) => reply.peakRssBytes)),
    rounds,
  };
  const seconds = (value: number): string => `${value.toFixed(4)} s`;
  return measured(
    threads,
    found,
    `${found.layers}, ${samples} samples in batches of ${batch}, ${optimizer}, ${dtype}\n`,
    pairs({
      epoch: seconds(secondsPerEpoch),
      products: `${seconds(floorProductSeconds)}   ${(floorFlops / 1e9).toFixed(0)} GFLOP at ${found.floorGflops.toFixed(1)} GFLOP/s`,
      updates: `${seconds(floorUpdateSeconds)}   ${found.bytesPerParameter} bytes a parameter at ${(found.bandwidthBytes / 1e9).toFixed(1)} GB/s`,
      floor: seconds(floorSeconds),
      ratio: `${found.ratio.toFixed(3)}   by the fastest steps ${found.fastestRatio.toFixed(3)}`,
      'peak memory': gigabytes(found.peakRssBytes),
    }),
  );
});
