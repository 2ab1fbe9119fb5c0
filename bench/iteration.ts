/**
 * How long one iteration takes, as a ratio to the floor: the matrix products (and factorisations) that an iteration cannot
 * do without, at the best rate that this machine reaches for each shape in the same run.
 *
 *     npm run --silent bench:iteration -- [--solver dladmm | sigmoid-admm] [--layers 784-1000-1000-10] [--samples 60000] [--dtype float32]
 *                                         [--threads N] [--rounds 5] [--json]
 *
 * Two child processes take turns, so that a drift of the machine's speed meets both: one trains, the other multiplies.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { startChild } from './iteration/child.js';
import { floorFlops, floorProducts, floorSeconds, type Rates, type Solver } from './iteration/floor.js';
import type { FloorReply, FloorRequest, IterationReply, IterationRequest } from './iteration/messages.js';
import { median } from './statistics.js';

const { values } = parseArgs({
  options: {
    solver: { type: 'string', default: 'dladmm' },
    layers: { type: 'string', default: '784-1000-1000-10' },
    samples: { type: 'string', default: '60000' },
    dtype: { type: 'string', default: 'float32' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
const solver: Solver = values.solver === 'sigmoid-admm' ? 'sigmoid-admm' : 'dladmm';
const layers = values.layers.split('-').map(Number);
const samples = Number(values.samples);
const threads = Number(values.threads);
const rounds = Number(values.rounds);
const dtype = values.dtype === 'float64' ? 'float64' : 'float32';

/** How often the trainer renews its products, in iterations: the default of the package. */
const REFRESH_EVERY = 25;

const trainer = startChild<IterationRequest, IterationReply>('./trainer.js');
const multiplier = startChild<FloorRequest, FloorReply>('./multiplier.js');
const rates: Rates = new Map();
const replies: IterationReply[] = [];
try {
  await trainer.ask({ solver, layers, samples, dtype, threads });
  const products = floorProducts(layers, solver);
  for (let round = 0; round < rounds; round += 1) {
    replies.push(await trainer.ask('iterate'));
    for (const { product, inputs, outputs } of products) {
      const { seconds } = await multiplier.ask({ product, inputs, outputs, samples, dtype, threads });
      for (const [way, time] of Object.entries(seconds)) {
        const key = `${product} ${inputs} ${outputs} ${way}`;
        rates.set(key, [...(rates.get(key) ?? []), time]);
      }
    }
  }
} finally {
  trainer.end();
  multiplier.end();
}

const refresh = median(replies.map((reply) => reply.refreshSeconds));
const seconds = median(replies.map((reply) => reply.seconds)) + refresh / REFRESH_EVERY;
const floor = floorSeconds(layers, samples, solver, rates);
const flops = floorFlops(layers, samples, solver);
const result = {
  solver,
  layers: values.layers,
  samples,
  dtype,
  threads,
  secondsPerIteration: seconds,
  floorFlops: flops,
  floorGflops: flops / floor / 1e9,
  floorSeconds: floor,
  ratio: seconds / floor,
  peakRssBytes: Math.max(...replies.map((reply) => reply.peakRssBytes)),
  rounds,
  openblasCore: replies[0]?.core,
};

if (values.json) {
  console.log(JSON.stringify(result));
} else {
  const kinds = Object.keys(replies[0]?.kinds ?? {});
  console.log(
    `${solver}: ${values.layers}, ${samples} samples, ${dtype}, ${threads} threads, OpenBLAS kernel ${result.openblasCore}\n`,
  );
  console.log('update            seconds an iteration');
  for (const kind of kinds) {
    console.log(`${kind.padEnd(18)}${median(replies.map((reply) => reply.kinds[kind] ?? 0)).toFixed(4)}`);
  }
  if (solver === 'dladmm') console.log(`${'refresh of P / 25'.padEnd(18)}${(refresh / REFRESH_EVERY).toFixed(4)}`);
  console.log(`${'iteration'.padEnd(18)}${seconds.toFixed(4)}`);
  console.log(
    `${'floor'.padEnd(18)}${floor.toFixed(4)}   ${(flops / 1e9).toFixed(1)} GFLOP at ${result.floorGflops.toFixed(1)} GFLOP/s`,
  );
  console.log(`${'ratio'.padEnd(18)}${result.ratio.toFixed(3)}`);
  console.log(`${'peak memory'.padEnd(18)}${(result.peakRssBytes / 1e9).toFixed(2)} GB`);
}
